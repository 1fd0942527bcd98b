//! Heartbeats by pings and pongs (RFC 6455 section 5.5.2).

use std::time::Duration;

use fyke_codecs::websocket::{self, Message, WebSocketClientConfig};
use fyke_core::handlers::HeartbeatConfig;
use fyke_core::{CloseReason, Context, InboundHandler, Never, Result};

use crate::support::*;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn every_ten() -> HeartbeatConfig {
    HeartbeatConfig::new(secs(10)).misses(2).jitter_percent(0)
}

#[test]
fn a_server_pings_a_silent_client_and_keeps_the_pongs_to_itself() {
    let log = Log::default();
    let mut channel = opened(config().heartbeat(every_ten()), &log);
    assert_eq!(channel.stages(), ["ws-decoder", "ws", "ws-heartbeat", "ws-app"]);
    for number in 1..=20_u64 {
        channel.advance(secs(10));
        assert_eq!(channel.read_outbound(), plain(PING, &number.to_be_bytes()));
        channel.write_inbound(frame(PONG, &number.to_be_bytes()));
    }
    channel.write_inbound(frame(TEXT, b"hello"));
    assert_eq!(channel.read_outbound(), plain(TEXT, b"hello"));
    assert_eq!(log.take(), ["hello"], "and nothing of the heartbeats");
    assert!(channel.is_open());
}

#[test]
fn a_silent_client_is_let_go_without_a_farewell() {
    let log = Log::default();
    let mut channel = opened(config().heartbeat(every_ten()), &log);
    channel.advance(secs(30) - Duration::from_millis(1));
    assert!(channel.is_open());
    let pings = [plain(PING, &1_u64.to_be_bytes()), plain(PING, &2_u64.to_be_bytes())].concat();
    assert_eq!(channel.read_outbound(), pings);
    channel.advance(Duration::from_millis(1));
    assert_eq!(channel.close_reason(), Some(CloseReason::TimedOut));
    assert_eq!(log.take(), ["error: the answer to a heartbeat timed out", "inactive"]);
    assert_eq!(channel.read_outbound(), b"", "nobody would hear a close frame");
}

#[test]
fn a_large_message_that_arrives_slowly_is_a_sign_of_life() {
    let log = Log::default();
    let mut channel = opened(config().heartbeat(every_ten()), &log);
    let message = frame(TEXT, &[b'x'; 125]);
    for byte in &message {
        channel.advance(secs(1));
        channel.write_inbound(&[*byte][..]);
    }
    assert!(channel.is_open());
    assert_eq!(log.take().len(), 1);
}

#[test]
fn no_ping_follows_a_close() {
    let log = Log::default();
    let mut channel = opened(config().heartbeat(every_ten()), &log);
    channel.advance(secs(5));
    channel.write_inbound(frame(TEXT, b"close"));
    let _ = channel.read_outbound();
    channel.advance(secs(100));
    assert_eq!(channel.read_outbound(), b"");
}

/// A client that says nothing by itself.
struct Quiet(Log);

impl InboundHandler for Quiet {
    type In = Message;
    type Out = Never;
    type Write = Message;

    fn read(&mut self, _: &mut Context<'_, Self>, message: Message) -> Result<()> {
        self.0.note(format!("{message:?}"));
        Ok(())
    }
}

#[test]
fn a_client_pings_with_masked_frames_and_takes_any_pong() {
    let log = Log::default();
    let l = log.clone();
    let url = "ws://localhost/".parse().expect("a URL");
    let config = WebSocketClientConfig::new(&url).heartbeat(every_ten()).drop_pong_frames(true);
    let mut channel = fyke_core::embedded::EmbeddedChannel::new(move |ch| {
        websocket::client(ch.pipeline(), &config).inbound("app", Quiet(l.clone()))
    });
    let request = String::from_utf8(channel.read_outbound().to_vec()).expect("a head");
    let key = request.split("Sec-WebSocket-Key: ").nth(1).and_then(|rest| rest.lines().next());
    let accept = websocket::accept_key(key.expect("there is one").as_bytes());
    channel.write_inbound(
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            String::from_utf8_lossy(&accept)
        )
        .as_str(),
    );
    assert_eq!(channel.stages(), ["ws-decoder", "ws", "ws-heartbeat", "app"]);
    for _ in 0..5 {
        channel.advance(secs(10));
        let ping = channel.read_outbound();
        assert_eq!((ping[0], ping[1]), (PING, 0x80 | 8), "masked, as of section 5.1");
        channel.write_inbound(plain(PONG, b""));
    }
    assert!(channel.is_open() && log.take().is_empty());
    channel.advance(secs(30));
    assert_eq!(channel.close_reason(), Some(CloseReason::TimedOut));
}
