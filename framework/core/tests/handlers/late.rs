//! Answers that are asked for later: intervals learned over datagrams, and who answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fyke_core::CloseReason;
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::handlers::{AdaptiveConfig, HeartbeatConfig, HeartbeatCounters, IntervalMemory};

use super::heartbeat::{endpoint, from, sent};
use super::{ms, secs};

const SERVER: &str = "192.0.2.9:1";

/// A client that learns, and what it has learned.
struct Client {
    channel: EmbeddedChannel,
    memory: IntervalMemory,
    counters: Arc<HeartbeatCounters>,
}

impl Client {
    fn new(misses: u32) -> Self {
        let (memory, counters) = (IntervalMemory::new(), Arc::new(HeartbeatCounters::default()));
        let config = HeartbeatConfig::adaptive(AdaptiveConfig::new(), memory.clone(), "home");
        let config = config.jitter_percent(0).misses(misses).counters(&counters);
        Self { channel: endpoint(config), memory, counters }
    }

    /// What it sends after so long, and nothing before.
    fn sends_after(&mut self, time: Duration, expected: &str) {
        self.channel.advance(time - ms(1));
        assert!(sent(&mut self.channel).is_empty(), "{expected}: too soon");
        self.channel.advance(ms(1));
        self.sends(expected);
    }

    fn sends(&mut self, expected: &str) {
        let all: Vec<String> = sent(&mut self.channel)
            .into_iter()
            .map(|(_, bytes)| String::from_utf8(bytes).unwrap())
            .collect();
        assert_eq!(all, [expected]);
    }

    fn pong(&mut self, port: u16) {
        self.channel.receive_inbound(from(SERVER, &format!("pong 192.0.2.1:{port}")));
    }

    /// A client whose peer has answered once, and is to answer after 15 s.
    fn begun(misses: u32) -> Self {
        let mut client = Self::new(misses);
        client.sends_after(secs(15), "ping");
        client.pong(4000);
        client.sends("ping@15000");
        client
    }

    fn survived(&self) -> Option<Duration> {
        self.memory.get("home").map(|learned| learned.survived)
    }

    fn lost(&self) -> (u64, Option<Duration>) {
        let learned = self.memory.get("home").and_then(|learned| learned.lost);
        (self.counters.lost_mappings.load(Ordering::Relaxed), learned)
    }
}

#[test]
fn what_arrives_late_is_learned() {
    let mut client = Client::begun(2);
    assert_eq!(client.survived(), None, "an answer at once proves nothing");
    client.channel.advance(secs(15));
    client.pong(4000);
    assert_eq!(client.survived(), Some(secs(15)));
    client.sends("ping@22500");
    client.channel.advance(ms(22_500));
    client.pong(4000);
    assert_eq!(client.survived(), Some(ms(22_500)));
    client.sends("ping@33750");
    // One may be lost by the network; two were not let in by a box.
    client.sends_after(ms(43_750), "ping");
    client.pong(4000);
    assert_eq!(client.lost(), (0, None));
    client.sends("ping@33750");
    client.sends_after(ms(43_750), "ping");
    client.pong(4000);
    assert_eq!(client.lost(), (1, Some(ms(33_750))));
    client.sends("ping@20250");
    assert!(client.channel.is_open());
}

#[test]
fn another_port_is_another_mapping() {
    let mut client = Client::begun(2);
    client.channel.advance(secs(15));
    client.pong(4001);
    assert_eq!(client.lost(), (1, Some(secs(15))));
    client.sends("ping@7500");
}

#[test]
fn an_answer_that_comes_too_soon_teaches_nothing() {
    let mut client = Client::begun(2);
    client.channel.advance(secs(13));
    client.pong(4000);
    assert_eq!((client.survived(), client.lost()), (None, (0, None)));
    // No storm with who answers everything at once: it is asked when nothing was sent for 15 s.
    client.sends_after(secs(2), "ping");
    client.pong(4000);
    client.sends("ping@15000");
}

#[test]
fn other_packets_in_between_make_the_silence_shorter() {
    let mut client = Client::begun(2);
    client.channel.advance(secs(8));
    client.channel.receive_inbound(from(SERVER, "news"));
    client.channel.advance(secs(7));
    client.pong(4000);
    assert_eq!(client.survived(), Some(secs(7)));
    client.sends("ping@15000");
    // Nor is what did not come after a short silence a lost mapping.
    for _ in 0..4 {
        client.channel.advance(secs(14));
        client.channel.receive_inbound(from(SERVER, "news"));
        client.channel.advance(secs(11));
        client.sends("ping");
        client.pong(4000);
        client.sends("ping@15000");
    }
    assert_eq!(client.lost().1, None);
}

#[test]
fn while_nothing_is_read_nothing_is_learned() {
    let mut client = Client::begun(2);
    client.channel.advance(secs(5));
    client.channel.channel().set_auto_read(false).unwrap();
    client.channel.advance(secs(60));
    client.channel.channel().set_auto_read(true).unwrap();
    client.pong(4000);
    client.channel.advance(secs(60));
    assert_eq!((client.survived(), client.lost()), (None, (0, None)));
}

#[test]
fn a_peer_that_is_gone_is_no_lost_mapping() {
    let mut client = Client::begun(3);
    client.sends_after(secs(25), "ping");
    client.sends_after(secs(10), "ping");
    client.sends_after(secs(10), "ping");
    client.channel.advance(secs(10) - ms(1));
    assert!(client.channel.is_open());
    client.channel.advance(ms(1));
    assert_eq!(client.channel.close_reason(), Some(CloseReason::TimedOut));
    assert_eq!(client.lost(), (0, None));
}

// ---- who answers ----

fn pongs(channel: &mut EmbeddedChannel) -> Vec<String> {
    let all = sent(channel).into_iter();
    all.map(|(peer, bytes)| {
        let (peer, text) = (peer.unwrap().to_string(), String::from_utf8(bytes).unwrap());
        assert_eq!(text, format!("pong {peer}"), "it goes where it says");
        peer
    })
    .collect()
}

#[test]
fn each_is_answered_when_it_wanted() {
    let mut server = endpoint(HeartbeatConfig::answer_only());
    for (port, after) in [(1, 3000), (2, 1000), (3, 2000)] {
        server.receive_inbound(from(&format!("192.0.2.1:{port}"), &format!("ping@{after}")));
    }
    server.receive_inbound(from("192.0.2.1:4", "ping"));
    assert_eq!(pongs(&mut server), ["192.0.2.1:4"]);
    for port in [2, 3, 1] {
        server.advance(ms(999));
        assert!(pongs(&mut server).is_empty());
        server.advance(ms(1));
        assert_eq!(pongs(&mut server), [format!("192.0.2.1:{port}")]);
    }
}

#[test]
fn late_answers_are_bounded_in_number_and_time() {
    let counters = Arc::new(HeartbeatCounters::default());
    let config = HeartbeatConfig::answer_only().late_answers_max(2).counters(&counters);
    let mut server = endpoint(config);
    for port in 1..=4 {
        server.receive_inbound(from(&format!("192.0.2.1:{port}"), "ping@1000"));
    }
    assert_eq!(pongs(&mut server), ["192.0.2.1:3", "192.0.2.1:4"], "no room: at once");
    server.advance(secs(1));
    assert_eq!(pongs(&mut server), ["192.0.2.1:1", "192.0.2.1:2"]);
    server.receive_inbound(from("192.0.2.1:5", "ping@3600001"));
    assert_eq!(pongs(&mut server), ["192.0.2.1:5"], "more than an hour: at once");
    server.receive_inbound(from("192.0.2.1:6", "ping@9999999999999"));
    assert_eq!(pongs(&mut server), ["192.0.2.1:6"]);
    assert_eq!(counters.pongs.load(Ordering::Relaxed), 6);
}

#[test]
fn what_only_looks_like_a_ping_is_data() {
    let mut server = endpoint(HeartbeatConfig::answer_only());
    let all = ["ping@", "ping@x", "ping@-1", "ping@1.5", "ping@10000000000000", "pinge", "ping "];
    for payload in all {
        server.receive_inbound(from("192.0.2.1:1", payload));
    }
    assert!(sent(&mut server).is_empty());
    assert_eq!(server.drain_inbound::<fyke_core::Datagram>().len(), all.len());
}
