//! The client's side: the upgrade, what waits for it, masks, and its way of closing.

use std::time::Duration;

use fyke_codecs::websocket::{
    self, Agreed, CloseCode, CloseFrame, DeflateConfig, Message, WebSocketClientConfig, accept_key,
};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{ChannelOptions, CloseReason, Context, Error, InboundHandler, Never, Result};

use crate::support::{self, CLOSE, Log, PING, PONG, TEXT, close, plain};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Writes down what it sees; sends back what begins with `echo`.
struct App(Log);

impl InboundHandler for App {
    type In = Message;
    type Out = Never;
    type Write = Message;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        let agreed = cx.attribute::<Agreed>().expect("it is there when the WebSocket is open");
        self.0.note(format!("active {:?} {}", agreed.protocol, agreed.deflate.is_some()));
        cx.write(Message::text("hello"));
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, message: Message) -> Result<()> {
        match &message {
            Message::Text(text) if text.as_str() == "close" => cx.close(),
            Message::Text(text) if text.as_str().starts_with("echo") => cx.write(message.clone()),
            _ => {}
        }
        self.0.note(match message {
            Message::Text(text) => text.as_str().to_owned(),
            other => format!("{other:?}"),
        });
        Ok(())
    }

    fn error(&mut self, _: &mut Context<'_, Self>, error: Error) -> Result<()> {
        self.0.note(format!("error: {error}"));
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.note("inactive");
        cx.fire_inactive();
        Ok(())
    }
}

fn config() -> WebSocketClientConfig {
    WebSocketClientConfig::new(&"ws://server.example.com/ws?room=1".parse().expect("a URL"))
}

fn client(config: WebSocketClientConfig, log: &Log) -> EmbeddedChannel {
    let log = log.clone();
    EmbeddedChannel::new(move |ch| {
        websocket::client(ch.pipeline(), &config).inbound("app", App(log.clone()))
    })
}

/// The answer that a request asks for, with more lines.
fn answer_to(request: &[u8], more: &str) -> Vec<u8> {
    let text = std::str::from_utf8(request).expect("a head");
    let key = text.split_once("Sec-WebSocket-Key: ").expect("a key").1;
    let accept = accept_key(&key.as_bytes()[..24]);
    let accept = std::str::from_utf8(&accept).expect("base64");
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
    .into_bytes()
}

/// A client whose WebSocket is open.
fn opened(config: WebSocketClientConfig, log: &Log) -> EmbeddedChannel {
    let mut channel = client(config, log);
    let answer = answer_to(&channel.read_outbound(), "");
    channel.write_inbound(answer);
    assert_eq!(unmasked(&channel.read_outbound()), [(TEXT, b"hello".to_vec())]);
    assert_eq!(log.take(), ["active None false"]);
    channel
}

/// Short masked frames, read.
fn unmasked(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, second, a, b, c, d, rest @ ..] = bytes {
        assert_eq!(second & 0x80, 0x80, "a client's frame is masked");
        let (payload, behind) = rest.split_at(usize::from(second & 0x7f));
        let key = [a, b, c, d].into_iter().cycle();
        frames.push((*first, payload.iter().zip(key).map(|(byte, key)| byte ^ key).collect()));
        bytes = behind;
    }
    assert!(bytes.is_empty(), "{bytes:?}");
    frames
}

#[test]
fn opens_and_talks() {
    let log = Log::default();
    let mut channel = client(config(), &log);
    let request = channel.read_outbound();
    assert!(request.starts_with(
        b"GET /ws?room=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
    ));
    assert!(log.take().is_empty(), "active is for the open WebSocket");
    // In the same read: an interim response, the answer, and what the server says at once.
    let early = "HTTP/1.1 103 Early Hints\r\n\r\n".as_bytes().to_vec();
    let said = [early, answer_to(&request, ""), plain(TEXT, b"echo this"), plain(PING, b"x")];
    channel.write_inbound(said.concat());
    assert_eq!(log.take(), ["active None false", "echo this"]);
    assert_eq!(channel.stages(), ["ws-decoder", "ws", "app"]);
    let sent = unmasked(&channel.read_outbound());
    let expected: [(u8, &[u8]); 3] = [(TEXT, b"hello"), (TEXT, b"echo this"), (PONG, b"x")];
    assert_eq!(sent, expected.map(|(first, payload)| (first, payload.to_vec())));
}

#[test]
fn every_cut_of_the_answer_is_the_same() {
    let log = Log::default();
    let mut first = client(config(), &log);
    let len = [answer_to(&first.read_outbound(), ""), plain(TEXT, b"hi")].concat().len();
    for cut in 1..len {
        let mut channel = client(config(), &log);
        let answer = [answer_to(&channel.read_outbound(), ""), plain(TEXT, b"hi")].concat();
        channel.write_inbound(&answer[..cut]);
        channel.write_inbound(&answer[cut..]);
        assert_eq!(unmasked(&channel.read_outbound()), [(TEXT, b"hello".to_vec())], "{cut}");
        assert_eq!(log.take(), ["active None false", "hi"], "{cut}");
    }
}

#[test]
fn every_frame_has_a_mask_of_its_own_5_3() {
    let log = Log::default();
    let mut channel = opened(config(), &log);
    let mut masks = Vec::new();
    for _ in 0..20 {
        channel.write_inbound(plain(TEXT, b"echo"));
        masks.push(channel.read_outbound()[2..6].to_vec());
    }
    masks.sort();
    masks.dedup();
    assert_eq!(masks.len(), 20);
}

#[test]
fn what_is_written_early_waits_and_keeps_its_order() {
    let log = Log::default();
    let mut channel = client(config(), &log);
    let request = channel.read_outbound();
    let first = channel.write_outbound(Message::text("first")).expect("the tail takes messages");
    let second = channel.write_outbound(Message::text("second")).expect("the tail takes messages");
    assert!(channel.read_outbound().is_empty(), "no data before the answer (section 4.1)");
    assert!(channel.pending_bytes() > 11, "what waits counts");
    channel.write_inbound(answer_to(&request, ""));
    first.wait().expect("sent");
    second.wait().expect("sent");
    let sent = unmasked(&channel.read_outbound());
    let texts: Vec<_> = sent.iter().map(|(_, text)| String::from_utf8_lossy(text)).collect();
    assert_eq!(texts, ["first", "second", "hello"]);
    assert_eq!(channel.pending_bytes(), 0);
}

#[test]
fn a_close_before_the_answer_waits_for_it() {
    let log = Log::default();
    let mut channel = client(config(), &log);
    let request = channel.read_outbound();
    let early = channel.write_outbound(Message::text("early")).expect("the tail takes messages");
    channel.channel().close();
    channel.run_pending();
    let late = channel.write_outbound(Message::text("late")).expect("the tail takes messages");
    assert!(late.wait().is_err(), "behind the close");
    assert!(channel.is_open() && !channel.output_ended());
    channel.write_inbound(answer_to(&request, ""));
    early.wait().expect("sent");
    let sent = unmasked(&channel.read_outbound());
    assert_eq!(sent, [(TEXT, b"early".to_vec()), (CLOSE, close(1000, ""))]);
    channel.write_inbound([plain(TEXT, b"under way"), plain(CLOSE, &close(1000, ""))].concat());
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
    assert_eq!(log.take()[..2], ["active None false", "under way"]);
}

#[test]
fn only_so_much_waits() {
    let mut channel = client(config().held_bytes_max(200), &Log::default());
    let early = channel.write_outbound(Message::binary(vec![0; 201])).expect("it takes messages");
    assert!(early.wait().is_err());
    assert!(channel.is_open());
}

#[test]
fn what_waits_does_not_keep_the_answer_from_being_read() {
    let log = Log::default();
    let (options, with) = (ChannelOptions::default().water_marks(50, 100), log.clone());
    let mut channel = EmbeddedChannel::with_options(options, move |ch| {
        websocket::client(ch.pipeline(), &config()).inbound("app", App(with.clone()))
    });
    let request = channel.read_outbound();
    let early = channel.write_outbound(Message::binary(vec![7; 120])).expect("it takes messages");
    channel.write_inbound(answer_to(&request, ""));
    early.wait().expect("sent");
    assert_eq!(unmasked(&channel.read_outbound())[0].1, [7; 120]);
    assert_eq!(log.take(), ["active None false"]);
}

#[test]
fn answers_that_do_not_open_end_the_connection() {
    let good = answer_to(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "");
    let refused = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno".to_vec();
    let cases = [
        (good, "Sec-WebSocket-Accept is wrong"),
        (refused, "it answers 404"),
        (b"HTTP/1.1 101 X\r\n\r\n".to_vec(), ""),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec(), ""),
    ];
    for (answer, what) in cases {
        let log = Log::default();
        let mut channel = client(config(), &log);
        assert!(!channel.read_outbound().is_empty());
        let early = channel.write_outbound(Message::text("early")).expect("it takes messages");
        channel.write_inbound(answer);
        channel.finish_inbound();
        let seen = log.take();
        assert!(seen[0].starts_with("error: ") && seen[0].contains(what), "{what}: {seen:?}");
        assert_eq!(seen.last().map(String::as_str), Some("inactive"), "{seen:?}");
        assert!(early.wait().is_err(), "{what}");
        assert!(!channel.is_open(), "{what}");
        assert!(channel.read_outbound().is_empty(), "nothing is said: {what}");
    }
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    let log = Log::default();
    let mut channel = client(config(), &log);
    assert!(!channel.read_outbound().is_empty());
    channel.advance(TIMEOUT - Duration::from_millis(10));
    assert!(channel.is_open());
    channel.advance(Duration::from_millis(20));
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::TimedOut));
    let seen = log.take();
    assert_eq!(seen, ["error: the server did not answer the handshake in time", "inactive"]);
}

#[test]
fn the_server_ends_the_connection_7_1_1() {
    for ours in [false, true] {
        let log = Log::default();
        let mut channel = opened(config(), &log);
        let code = (CLOSE, close(1000, ""));
        if ours {
            channel.write_inbound(plain(TEXT, b"close"));
            assert_eq!(unmasked(&channel.read_outbound()), std::slice::from_ref(&code));
            log.take();
        }
        channel.write_inbound(plain(CLOSE, &close(1000, "bye")));
        let answered = unmasked(&channel.read_outbound());
        assert_eq!(answered, if ours { vec![] } else { vec![code] });
        assert!(!channel.output_ended(), "the server is to end it first");
        let seen = Some(CloseFrame::new(CloseCode::NORMAL, "bye"));
        assert_eq!(log.take(), [support::seen_close(seen)]);
        channel.finish_inbound();
        let reason = if ours { CloseReason::Local } else { CloseReason::PeerEnd };
        assert_eq!(channel.close_reason(), Some(reason));
        assert_eq!(log.take(), ["inactive"]);
    }
}

#[test]
fn a_server_that_does_not_end_the_connection_is_left() {
    let mut channel = opened(config().close_timeout(TIMEOUT / 5), &Log::default());
    channel.write_inbound(plain(CLOSE, b""));
    assert_eq!(unmasked(&channel.read_outbound()), [(CLOSE, vec![])]);
    channel.advance(TIMEOUT / 5 + Duration::from_millis(10));
    assert!(channel.output_ended());
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd));
}

#[test]
fn a_reset_behind_both_closes_is_no_error() {
    let log = Log::default();
    let mut channel = opened(config(), &log);
    channel.write_inbound(plain(CLOSE, &close(1000, "")));
    assert_eq!(log.take().len(), 1, "the close");
    channel.break_connection(std::io::ErrorKind::ConnectionReset.into());
    assert!(!channel.is_open());
    assert_eq!(log.take(), ["inactive"]);
    let mut channel = opened(config(), &log);
    channel.break_connection(std::io::ErrorKind::ConnectionReset.into());
    assert_eq!(log.take().len(), 2, "an error in the middle of it");
}

#[test]
fn a_breach_of_the_protocol_is_told_masked() {
    let log = Log::default();
    let mut channel = opened(config(), &log);
    channel.write_inbound(support::frame(TEXT, b"a server does not mask"));
    let sent = unmasked(&channel.read_outbound());
    assert_eq!((sent.len(), sent[0].0, &sent[0].1[..2]), (1, CLOSE, &b"\x03\xea"[..]));
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Protocol));
}

/// Moves bytes between the two until neither has anything to say.
fn converse(client: &mut EmbeddedChannel, server: &mut EmbeddedChannel) {
    loop {
        let (there, back) = (client.read_outbound(), server.read_outbound());
        if there.is_empty() && back.is_empty() {
            return;
        }
        server.write_inbound(there);
        client.write_inbound(back);
    }
}

#[test]
fn our_client_and_our_server_understand_each_other() {
    for deflate in [false, true] {
        let (log, server_log) = (Log::default(), Log::default());
        let mut ours = config().protocols(&["soap", "chat"]);
        let mut theirs = support::config().protocols(&["chat"]);
        if deflate {
            ours = ours.deflate(DeflateConfig::new().threshold_bytes(0));
            theirs = theirs.deflate(DeflateConfig::new().threshold_bytes(0));
        }
        let mut client = client(ours, &log);
        let mut server = support::server(theirs, &server_log);
        converse(&mut client, &mut server);
        let active = format!("active Some(\"chat\") {deflate}");
        assert_eq!(log.take(), [active.as_str(), "hello"], "echoed");
        let long = "the quick brown fox ".repeat(5000);
        let sent = client.write_outbound(Message::text(long.clone())).expect("it takes messages");
        sent.wait().expect("sent");
        converse(&mut client, &mut server);
        assert_eq!(log.take(), [long]);
        client.channel().close();
        client.run_pending();
        converse(&mut client, &mut server);
        assert!(server.output_ended() && !client.output_ended());
        client.finish_inbound();
        server.finish_inbound();
        assert_eq!(client.close_reason(), Some(CloseReason::Local));
        assert_eq!(server.close_reason(), Some(CloseReason::PeerEnd));
    }
}
