//! What a passive open learns of the round trip: from its SYN-ACK when that went out once (Karn's
//! rule; RFC 6298, section 3), from an echoed timestamp otherwise.

use std::time::Duration;

use fyke_stack::tcp::Flags;
use fyke_stack::wire::tcp::TcpOption;
use fyke_stack::{ListenOptions, ListenerId, RxMeta, TcpId};

use crate::frames::{Frame, Seen, parse};
use crate::world::{SERVER, World, addr, at};

/// Nobody in the world has it: what is sent there is not answered.
const CLIENT: &str = "10.0.0.9";
const ROUND_TRIP: Duration = Duration::from_millis(80);
const MILLI: Duration = Duration::from_millis(1);

struct Peer {
    world: World,
    listener: ListenerId,
    stamp: Option<u32>,
}

impl Peer {
    fn new(options: ListenOptions) -> Self {
        let mut world = World::new();
        let listener = world.server.stack.listen(addr("0.0.0.0:80"), options).unwrap();
        Self { world, listener, stamp: None }
    }

    fn frame(&self, flags: Flags, seq: u32, ack: u32, echo: u32) -> Frame {
        let frame = Frame::new(&at(CLIENT, 999), &at(SERVER, 80), flags, seq, ack);
        match self.stamp {
            Some(value) => frame.option(TcpOption::Timestamps { value, echo }),
            None => frame,
        }
    }

    fn give(&mut self, frame: &Frame) -> Vec<Seen> {
        self.world.server.stack.input(self.world.now, frame.bytes(), RxMeta::default());
        self.world.server.transmit(self.world.now).iter().map(parse).collect()
    }

    fn syn(&mut self) -> Seen {
        let syn = self.frame(Flags::SYN, 100, 0, 0);
        self.give(&syn).remove(0)
    }

    /// Acknowledges a SYN-ACK, perhaps with data, and says what was accepted.
    fn acknowledge(&mut self, syn_ack: &Seen, data: &[u8]) -> Option<TcpId> {
        let echo = stamp_of(syn_ack);
        let ack = syn_ack.header.seq.wrapping_add(1);
        let frame = self.frame(Flags::ACK, 101, ack, echo).payload(data);
        self.give(&frame);
        self.world.server.stack.accept(self.listener)
    }

    fn srtt(&self, id: Option<TcpId>) -> Option<Duration> {
        self.world.server.stack.info(id.expect("a connection")).unwrap().rtt
    }
}

fn stamp_of(seen: &Seen) -> u32 {
    let stamps = seen.header.options.iter().filter_map(|option| match option {
        TcpOption::Timestamps { value, .. } => Some(value),
        _ => None,
    });
    stamps.last().unwrap_or_default()
}

fn is_near(srtt: Option<Duration>, truth: Duration, too_much: Duration) -> bool {
    srtt.is_some_and(|srtt| srtt >= truth && srtt <= truth + too_much)
}

#[test]
fn a_syn_ack_sent_once_gives_the_first_sample() {
    let mut peer = Peer::new(ListenOptions::default());
    let syn_ack = peer.syn();
    peer.world.advance(ROUND_TRIP);
    let id = peer.acknowledge(&syn_ack, b"");
    assert!(is_near(peer.srtt(id), ROUND_TRIP, Duration::from_micros(4)), "{:?}", peer.srtt(id));
    let rto = peer.world.server.stack.info(id.unwrap()).unwrap().rto;
    assert!(rto < Duration::from_millis(300), "{rto:?}, and not the initial second");
}

#[test]
fn a_syn_ack_sent_twice_gives_none_without_timestamps() {
    for by_time in [false, true] {
        let mut peer = Peer::new(ListenOptions::default());
        let syn_ack = peer.syn();
        if by_time {
            peer.world.advance(Duration::from_millis(1001));
            assert_eq!(peer.world.server.sent.len(), 1, "the cache sent it again");
        } else {
            peer.syn();
        }
        peer.world.advance(ROUND_TRIP);
        let id = peer.acknowledge(&syn_ack, b"");
        assert_eq!(peer.srtt(id), None);
    }
}

#[test]
fn with_timestamps_the_echo_tells_of_a_syn_ack_sent_twice() {
    let mut peer = Peer::new(ListenOptions::default());
    peer.stamp = Some(7);
    peer.syn();
    peer.world.advance(ROUND_TRIP);
    let second = peer.syn();
    peer.world.advance(ROUND_TRIP);
    let id = peer.acknowledge(&second, b"");
    assert!(is_near(peer.srtt(id), ROUND_TRIP, MILLI), "{:?}", peer.srtt(id));
}

#[test]
fn a_peer_that_has_nothing_to_say_is_not_a_long_round_trip() {
    let mut options = ListenOptions::default();
    options.defer_accept = true;
    let mut peer = Peer::new(options);
    let syn_ack = peer.syn();
    peer.world.advance(ROUND_TRIP);
    assert_eq!(peer.acknowledge(&syn_ack, b""), None);
    peer.world.advance(Duration::from_millis(700));
    let id = peer.acknowledge(&syn_ack, b"request");
    assert_eq!(peer.srtt(id), None);
}

#[test]
fn a_cookie_tells_by_its_timestamp_if_at_all() {
    for stamp in [None, Some(7)] {
        let mut options = ListenOptions::default();
        options.backlog = 1;
        let mut peer = Peer::new(options);
        // As many embryos as a listener may have: the next SYN gets a cookie.
        for port in 2000..2016 {
            let syn = Frame::syn(&at(CLIENT, port), &at(SERVER, 80), 1);
            peer.give(&syn);
        }
        peer.stamp = stamp;
        let syn_ack = peer.syn();
        assert_eq!(peer.world.server.stack.counters().cookies_out, 1);
        peer.world.advance(ROUND_TRIP);
        let id = peer.acknowledge(&syn_ack, b"");
        let srtt = peer.srtt(id);
        match stamp {
            None => assert_eq!(srtt, None),
            // The low bits of the timestamp are the cookie's: up to 64 ms too long, never too short.
            Some(_) => assert!(is_near(srtt, ROUND_TRIP, 64 * MILLI), "{srtt:?}"),
        }
    }
}

/// RFC 6928, section 3, and RFC 6298, section 5.7: what was lost of a handshake says something of the path,
/// although the SYN cache sent it.
#[test]
fn after_lost_syn_acks_it_begins_slowly() {
    for (lost, segments, time_out) in [(0, 10, 1), (1, 10, 3), (2, 1, 3)] {
        let mut peer = Peer::new(ListenOptions::default());
        let syn_ack = peer.syn();
        peer.world.advance(Duration::from_secs((1 << lost) - 1) + MILLI);
        let id = peer.acknowledge(&syn_ack, b"").expect("a connection");
        let server = &mut peer.world.server.stack;
        server.write(peer.world.now, id, vec![7; 20_000].into()).unwrap();
        let sent = peer.world.server.transmit(peer.world.now);
        assert_eq!(sent.len(), segments, "{lost} lost");
        if lost > 0 {
            let rto = peer.world.server.stack.info(id).unwrap().rto;
            assert_eq!(rto, Duration::from_secs(time_out), "{lost} lost");
        }
    }
}
