//! `ReconnectingClient` against servers that come and go.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use fyke::prelude::*;
use fyke::{
    Address, Backoff, ErrorKind, ReconnectConfig, ReconnectEvent, ReconnectState,
    ReconnectingClient, SendFailure,
};

/// What happened, as text, in order.
type Told = Receiver<String>;

fn group() -> EventLoopGroup {
    EventLoopGroup::new(1).expect("an event loop")
}

fn quick() -> ReconnectConfig {
    let ms = Duration::from_millis(1);
    ReconnectConfig::new()
        .backoff(Backoff::new().first(ms).longest(ms))
        .stable_after(Duration::ZERO)
}

fn client(
    address: &Address,
    config: ReconnectConfig,
) -> (ReconnectingClient<Outgoing>, Told, EventLoopGroup) {
    let (tell, told) = channel();
    let config = config.observer(move |event| {
        let text = match event {
            ReconnectEvent::Connecting { attempt } => format!("connecting {attempt}"),
            ReconnectEvent::Connected { .. } => "connected".to_owned(),
            ReconnectEvent::Failed { attempt, .. } => format!("failed {attempt}"),
            ReconnectEvent::Lost { reason } => format!("lost {reason:?}"),
            ReconnectEvent::Waiting { .. } => "waiting".to_owned(),
            ReconnectEvent::GaveUp { attempts } => format!("gave up {attempts}"),
            ReconnectEvent::Closed => "closed".to_owned(),
            other => format!("{other:?}"),
        };
        // The test may have seen enough.
        let _ = tell.send(text);
    });
    let group = group();
    let bootstrap = Bootstrap::new(group.clone()).handler(|ch| ch.pipeline());
    (ReconnectingClient::start(bootstrap, address.clone(), config), told, group)
}

fn next(told: &Told) -> String {
    told.recv_timeout(Duration::from_secs(120)).expect("something happens")
}

/// Waits for an event and skips those before.
fn until(told: &Told, what: &str) {
    while next(told) != what {}
}

/// A server that hands over what it gets; dropped with its group, its connections end.
struct Sink {
    server: Server,
    got: Receiver<Vec<u8>>,
}

impl Sink {
    fn at(address: &Address) -> std::io::Result<Self> {
        let (hand_over, got) = channel();
        let server = ServerBootstrap::new(group())
            .child(move |ch| {
                let hand_over = hand_over.clone();
                let sink = move |_: &mut Ctx<'_, Never, Outgoing>, msg: ByteBuf| {
                    hand_over.send(msg.to_vec()).map_err(Error::handler)
                };
                ch.pipeline().inbound("sink", read_fn(sink))
            })
            .bind(address)?;
        Ok(Self { server, got })
    }

    fn new() -> (Self, Address) {
        let sink = Self::at(&"127.0.0.1:0".parse().unwrap()).expect("a free port");
        let address = sink.server.local_address().clone();
        (sink, address)
    }

    /// As many bytes as that.
    fn bytes(&self, n: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < n {
            all.extend(self.got.recv_timeout(Duration::from_secs(120)).expect("more bytes"));
        }
        all
    }

    fn end(self) {
        self.server.shutdown(Duration::ZERO);
    }
}

/// An address at which nobody listens.
fn nowhere() -> Address {
    let (sink, address) = Sink::new();
    sink.end();
    address
}

#[test]
fn what_was_kept_leaves_in_order_when_a_server_is_there_again() {
    let (sink, address) = Sink::new();
    let (client, told, _group) = client(&address, quick());
    client.send(Outgoing::from("one ")).unwrap().wait().unwrap();
    assert_eq!(sink.bytes(4), b"one ");
    until(&told, "connected");
    assert_eq!(client.state(), ReconnectState::Connected);
    assert!(client.channel().is_some_and(|ch| ch.peer_address() == Some(&address)));
    sink.end();
    until(&told, "failed 1");
    let sent = ["two ", "three ", "four "].map(|text| client.send(Outgoing::from(text)).unwrap());
    assert_eq!(client.kept_messages(), 3);
    assert!(client.channel().is_none());
    let sink = Sink::at(&address).expect("the port is free again");
    until(&told, "connected");
    assert_eq!(sink.bytes(15), b"two three four ");
    for sent in sent {
        sent.wait().unwrap();
    }
    assert_eq!(client.kept_messages(), 0);
}

#[test]
fn it_gives_up_after_so_many_attempts_and_says_so_to_whoever_waits() {
    let (client, told, _group) = client(&nowhere(), quick().attempts_max(Some(3)));
    let sent = client.send(Outgoing::from("x")).unwrap();
    let events: Vec<String> = (0..9).map(|_| next(&told)).collect();
    assert_eq!(
        events,
        [
            "connecting 1",
            "failed 1",
            "waiting",
            "connecting 2",
            "failed 2",
            "waiting",
            "connecting 3",
            "failed 3",
            "gave up 3"
        ]
    );
    assert!(sent.wait().is_err_and(|error| error.is_closed()));
    assert_eq!(client.state(), ReconnectState::GaveUp);
    let refused = client.send(Outgoing::from("y")).unwrap_err();
    assert_eq!(refused.reason, SendFailure::Closed);
    client.close();
    assert_eq!(client.state(), ReconnectState::GaveUp, "that is final");
}

#[test]
fn it_gives_up_after_so_long_a_time() {
    let (client, told, _group) = client(&nowhere(), quick().give_up_after(Some(Duration::ZERO)));
    until(&told, "gave up 1");
    assert_eq!(client.state(), ReconnectState::GaveUp);
}

#[test]
fn what_is_kept_is_bounded_and_may_be_nothing() {
    let slow = || ReconnectConfig::new().backoff(Backoff::new().first(Duration::from_secs(3600)));
    let (keeps, told, _group) = client(&nowhere(), slow().keep_messages_max(2));
    until(&told, "waiting");
    let kept = [keeps.send(Outgoing::from("1")).unwrap(), keeps.send(Outgoing::from("2")).unwrap()];
    let refused = keeps.send(Outgoing::from("3")).unwrap_err();
    assert_eq!(refused.reason, SendFailure::Full);
    assert!(matches!(refused.message, Outgoing::Bytes(_)), "it comes back");
    keeps.close();
    assert!(kept.map(|sent| sent.wait()).iter().all(Result::is_err), "all are told");
    assert_eq!(next(&told), "closed");

    let (refuses, told, _group) = client(&nowhere(), slow().keep_messages_max(0));
    until(&told, "waiting");
    assert_eq!(refuses.send(Outgoing::from("1")).unwrap_err().reason, SendFailure::Full);
}

#[test]
fn a_close_of_ours_is_the_end_and_sends_what_was_written_first() {
    let (sink, address) = Sink::new();
    let (client, told, _group) = client(&address, quick());
    until(&told, "connected");
    let sent = client.send(Outgoing::from("the last word")).unwrap();
    client.close();
    assert_eq!(sink.bytes(13), b"the last word");
    sent.wait().unwrap();
    assert_eq!(next(&told), "closed");
    assert_eq!(client.state(), ReconnectState::Closed);
}

#[test]
fn a_handler_that_closes_ends_it_unless_asked_otherwise() {
    let (_sink, address) = Sink::new();
    let (first, told, _group) = client(&address, quick());
    until(&told, "connected");
    first.channel().unwrap().close();
    assert_eq!([next(&told), next(&told)], ["lost Local", "closed"]);

    let (second, told, _group) = client(&address, quick().retry_on(|_| true));
    until(&told, "connected");
    second.channel().unwrap().close();
    until(&told, "lost Local");
    until(&told, "connected");
}

#[test]
fn a_connection_that_ends_at_once_counts_as_a_failure() {
    let server = ServerBootstrap::new(group())
        .child(|ch| ch.pipeline().inbound("hang-up", HangUp))
        .bind("127.0.0.1:0")
        .unwrap();
    let config = quick().stable_after(Duration::from_secs(3600)).attempts_max(Some(3));
    let (_client, told, _group) = client(server.local_address(), config);
    until(&told, "gave up 3");
}

struct HangUp;

impl InboundHandler for HangUp {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        cx.close();
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
        Ok(())
    }
}

#[test]
fn nobody_waits_for_a_client_whose_loops_have_ended() {
    let slow = ReconnectConfig::new().backoff(Backoff::new().first(Duration::from_secs(3600)));
    let (client, told, group) = client(&nowhere(), slow);
    until(&told, "waiting");
    let sent = client.send(Outgoing::from("x")).unwrap();
    group.shutdown(Duration::ZERO);
    assert!(sent.wait().is_err());
    assert_eq!(client.state(), ReconnectState::Closed);
}

#[test]
fn the_last_handle_closes_it() {
    let (_sink, address) = Sink::new();
    let (client, told, _group) = client(&address, quick());
    let other = client.clone();
    until(&told, "connected");
    drop(client);
    other.send(Outgoing::from("x")).unwrap().wait().unwrap();
    drop(other);
    assert_eq!(next(&told), "closed");
}

#[test]
fn a_pipeline_that_does_not_take_the_messages_is_no_reason_to_try_again() {
    let (_sink, address) = Sink::new();
    let bootstrap = Bootstrap::new(group()).handler(|ch| ch.pipeline());
    let (tell, told) = channel();
    let config = quick().observer(move |event| match event {
        ReconnectEvent::Failed { error, .. } => {
            tell.send(matches!(error.kind(), ErrorKind::Link(_))).unwrap();
        }
        ReconnectEvent::GaveUp { .. } => tell.send(true).unwrap(),
        _ => {}
    });
    let _client = ReconnectingClient::<u32>::start(bootstrap, address, config);
    assert!(told.recv().unwrap() && told.recv().unwrap());
}

/// Never longer than asked for, never shorter than the jitter allows, and never less than the one
/// before but for chance.
#[test]
fn waits_grow_within_their_bounds() {
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..10_000 {
        let first = Duration::from_millis(rng.u64(1..10_000));
        let longest = Duration::from_millis(rng.u64(1..100_000));
        let (jitter, failures) = (rng.u32(0..=100), rng.u32(0..200));
        let backoff = Backoff::new().first(first).longest(longest).jitter_percent(jitter);
        let whole = backoff.delay(failures, 0.0);
        let delay = backoff.delay(failures, rng.f64());
        assert!(delay <= whole && whole <= longest, "{backoff:?}, {failures}");
        assert!(delay >= whole.mul_f64(0.999 * f64::from(100 - jitter) / 100.0), "{backoff:?}");
        assert!(backoff.delay(failures + 1, 0.0) >= whole, "{backoff:?}, {failures}");
    }
}
