//! Rules 7 and 8: how a channel ends, and that nobody waits for ever.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{
    ChannelOptions, CloseReason, Ctx, Error, ErrorKind, Never, Outgoing, Result, SendFailure,
    Sender, WriteFuture,
};

use crate::support::world::{Trigger, World};
use crate::support::{Frames, Letters, Log, Tell, Watch, on_read, outcome, quietly};

/// 7. Drain before EOF: the end is told when everything before it has been delivered, once, and
///    what was written in answer leaves before the channel closes.
#[test]
fn rule_07_the_end_comes_behind_everything() {
    let log = Log::new();
    let l = log.clone();
    let mut world = World::with(Trigger::Edge, 2);
    let line = world.connect(ChannelOptions::default(), move |ch| {
        let seen = l.clone();
        let echo = move |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            seen.add(char::from(msg).to_string());
            cx.write(msg);
            Ok(())
        };
        ch.pipeline()
            .codec("letters", Letters)
            .inbound("watch", Watch::<u8, u8>::new("", &l))
            .inbound("echo", on_read(echo))
    });
    log.take();
    world.line(line, |l| l.room = Some(3));
    world.feed(line, b"abcde");
    world.end(line);
    world.settle();
    assert_eq!(log.text(), "a b c d e read_complete read_closed");
    assert_eq!(world.sent(line), b"abc");
    assert_eq!(world.line(line, |l| l.closed), None, "two bytes are still to be sent");
    world.line(line, |l| l.room = None);
    world.settle();
    assert_eq!(world.sent(line), b"de");
    assert_eq!(log.text(), "inactive unregistered removed");
}

/// 7. Half close is first class: the peer's end leaves our direction open, and ours the peer's.
#[test]
fn rule_07_half_close_is_an_event_of_its_own() {
    let log = Log::new();
    let l = log.clone();
    let options = ChannelOptions::new().allow_half_closure(true);
    let mut channel = EmbeddedChannel::with_options(options, move |ch| {
        ch.pipeline().inbound("watch", Watch::<ByteBuf, Outgoing>::new("", &l))
    });
    log.take();
    channel.write_inbound("question");
    channel.finish_inbound();
    assert_eq!(log.text(), "read_complete read_closed");
    assert!(channel.is_open());
    let mut answer = channel.write_outbound(Outgoing::from("answer")).unwrap();
    assert_eq!(outcome(&mut answer), Some(true));
    assert!(!channel.output_ended());
    channel.run(|cx| cx.shutdown());
    assert!(channel.output_ended());
    assert_eq!(channel.read_outbound(), b"answer");
    assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd), "both ends have been sent");

    // The other way round: our end first; what the peer still sends is delivered.
    let mut channel =
        EmbeddedChannel::with_options(ChannelOptions::new().allow_half_closure(true), |ch| {
            ch.pipeline().codec("letters", Letters)
        });
    channel.run(|cx| cx.shutdown());
    assert!(channel.output_ended() && channel.is_open());
    let mut late = channel.write_outbound(b'x').unwrap();
    assert_eq!(outcome(&mut late), Some(false), "nothing can be written behind our end");
    channel.write_inbound("abc");
    assert_eq!(channel.drain_inbound::<u8>(), b"abc");
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd));
}

fn fail(_: &mut Ctx<'_, Never, ByteBuf>, msg: ByteBuf) -> Result<()> {
    match msg.as_slice() {
        b"panic" => panic!("expected: a handler panics"),
        b"late" => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        _ => Err(Error::handler("no")),
    }
}

fn failing() -> EmbeddedChannel {
    EmbeddedChannel::new(|ch| ch.pipeline().codec("frames", Frames).inbound("fail", on_read(fail)))
}

/// 7. The reason of a close is an enum, and it is the first reason that there was.
#[test]
fn rule_07_the_reason_of_a_close_is_known() {
    type Script = fn(&mut EmbeddedChannel);
    let scripts: [(Script, CloseReason); 10] = [
        (|ch| ch.channel().close(), CloseReason::Local),
        (|ch| ch.channel().abort(), CloseReason::Local),
        (EmbeddedChannel::finish_inbound, CloseReason::PeerEnd),
        (|ch| ch.break_connection(io::ErrorKind::ConnectionReset.into()), CloseReason::PeerReset),
        (|ch| ch.break_connection(io::ErrorKind::HostUnreachable.into()), CloseReason::Transport),
        (|ch| ch.write_inbound(b"\xff\xff".as_slice()), CloseReason::Protocol),
        (|ch| ch.write_inbound(b"\0\x04late".as_slice()), CloseReason::TimedOut),
        (|ch| ch.write_inbound(b"\0\x02no".as_slice()), CloseReason::Handler),
        (|ch| quietly(|| ch.write_inbound(b"\0\x05panic".as_slice())), CloseReason::Panic),
        (|ch| ch.event_loop().shutdown(Duration::from_secs(1), |_| {}), CloseReason::Shutdown),
    ];
    for (index, (script, reason)) in scripts.into_iter().enumerate() {
        let mut channel = failing();
        script(&mut channel);
        channel.run_pending();
        // The peer takes its time to end its side.
        channel.advance(Duration::from_secs(60));
        assert_eq!(channel.close_reason(), Some(reason), "script {index}");
    }
}

fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
    let mut task = TaskContext::from_waker(Waker::noop());
    pin!(future).poll(&mut task)
}

/// 8. Async bridge: reserve, then send. A reservation that is given up has lost nothing.
#[test]
fn rule_08_reserve_then_send() {
    let options = ChannelOptions::new().water_marks(2, 4);
    let mut channel = EmbeddedChannel::with_options(options, |ch| {
        ch.pipeline().encoder::<u8, _>("letters", Letters)
    });
    let sender: Sender<u8> = channel.channel().sender().unwrap();
    channel.set_room(Some(0));
    for msg in *b"12345" {
        let Poll::Ready(Ok(permit)) = poll(sender.reserve()) else { panic!("it is writable") };
        permit.send(msg).unwrap();
        channel.run_pending();
    }
    assert!(!sender.is_writable());
    assert!(poll(sender.reserve()).is_pending(), "and this one is dropped half-way");
    assert_eq!(sender.try_send(b'x').unwrap_err().reason, SendFailure::Full);
    assert!(poll(sender.reserve()).is_pending());
    channel.set_room(None);
    let Poll::Ready(Ok(permit)) = poll(sender.reserve()) else { panic!("it is writable again") };
    permit.send(b'6').unwrap();
    channel.run_pending();
    assert_eq!(channel.read_outbound(), b"123456");

    channel.channel().abort();
    channel.run_pending();
    assert!(matches!(poll(sender.reserve()), Poll::Ready(Err(error)) if error.is_closed()));
    assert_eq!(sender.send(b'x').unwrap_err().reason, SendFailure::Closed);
}

/// 8. A closed channel means a flushed one: `closed()` is ready when everything has left.
#[test]
fn rule_08_closed_means_flushed() {
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().codec("letters", Letters));
    let sender: Sender<u8> = channel.channel().sender().unwrap();
    let closed = channel.channel().closed();
    let mut closed = pin!(closed);
    channel.set_room(Some(1));
    let mut written: Vec<WriteFuture> =
        (b'a'..=b'c').map(|msg| sender.send_with_promise(msg).unwrap()).collect();
    channel.channel().close();
    channel.run_pending();
    channel.finish_inbound();
    assert!(poll(closed.as_mut()).is_pending());
    channel.set_room(None);
    assert_eq!(poll(closed.as_mut()), Poll::Ready(CloseReason::Local));
    assert_eq!(channel.read_outbound(), b"abc");
    assert!(written.iter_mut().all(|future| outcome(future) == Some(true)));
}

/// 8. A promise of a dead loop fails; it never hangs. Neither does anything else.
#[test]
fn rule_08_nothing_hangs_on_a_dead_loop() {
    let mut world = World::new();
    let (tell, told) = std::sync::mpsc::channel();
    let line = world.connect(ChannelOptions::default(), move |ch| {
        ch.pipeline().codec("letters", Letters).inbound("tell", Tell::<u8, u8>::new(&tell))
    });
    let channel = told.recv().unwrap();
    let sender: Sender<u8> = channel.sender().unwrap();
    world.line(line, |l| l.room = Some(0));
    let mut queued = sender.send_with_promise(b'a').unwrap();
    world.settle();
    let mut posted = sender.send_with_promise(b'b').unwrap();
    let handle = world.event_loop.handle();
    drop(world);
    assert_eq!(outcome(&mut queued), Some(false));
    assert_eq!(outcome(&mut posted), Some(false));
    assert!(poll(channel.closed()).is_ready());
    assert!(sender.is_closed());
    assert!(handle.has_ended());
    assert!(handle.execute(|_| ()).is_err());
    assert!(sender.send_with_promise(b'c').is_err());
}

/// 8, after an orderly end of the loop.
#[test]
fn rule_08_nothing_hangs_after_a_shutdown() {
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().codec("letters", Letters));
    let sender: Sender<u8> = channel.channel().sender().unwrap();
    channel.set_room(Some(0));
    let mut queued = sender.send_with_promise(b'a').unwrap();
    channel.event_loop().shutdown(Duration::from_secs(1), |_| {});
    channel.run_pending();
    assert_eq!(outcome(&mut queued), None, "there is time until the deadline");
    channel.advance(Duration::from_secs(1));
    let error = queued.try_result().unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Closed));
    assert!(sender.is_closed());
    assert_eq!(channel.close_reason(), Some(CloseReason::ShutdownDeadline));
}
