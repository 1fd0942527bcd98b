//! An hour in which little is said: with heartbeats all of it arrives, without them what the box
//! has forgotten is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fyke::handlers::{HeartbeatConfig, HeartbeatCounters, tcp_keepalive};
use fyke::sim::{LinkConfig, NatConfig, NatUnknown, Random};
use fyke::{ChannelOptions, CloseReason, SocketOptions};

use super::session::{Session, WIRES, Wire};
use crate::support::*;

const FORGETS: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn forgetful() -> NatConfig {
    NatConfig::new().tcp_timeout(FORGETS).udp_timeout(FORGETS)
}

/// Something that one side has said, and how long nothing was said before.
#[derive(Clone, Copy, Debug)]
struct Said {
    silence: Duration,
    by_client: bool,
}

/// Lets an hour pass. Silences are clearly shorter than the box's memory, or clearly longer.
fn talk(session: &Session, random: &mut Random) -> Vec<Said> {
    let world = &session.home.world;
    let until = world.now() + HOUR;
    // The server learns where the client is, and the client that the server is there.
    let mut said = Vec::new();
    let mut say = |silence, by_client| {
        world.run_for(silence).unwrap();
        session.say(by_client, said.len() as u32);
        said.push(Said { silence, by_client });
    };
    say(ms(0), true);
    say(secs(5), false);
    while world.now() < until {
        let long = random.chance(0.3);
        let seconds = if long { 70 + random.below(230) } else { 1 + random.below(45) };
        say(secs(seconds), random.chance(0.5));
    }
    world.run_for(secs(5)).unwrap();
    said
}

/// The numbers of what one side has said.
fn numbers(said: &[Said], by_client: bool) -> Vec<u32> {
    let all = said.iter().enumerate().filter(|(_, said)| said.by_client == by_client);
    all.map(|(n, _)| n as u32).collect()
}

fn assert_all_arrived(session: &Session, said: &[Said], what: &str) {
    assert!(said.iter().any(|said| said.silence > FORGETS), "{what}: somebody was silent");
    assert_eq!(session.far.book.notes().heard, numbers(said, true), "{what}");
    assert_eq!(session.client.notes().heard, numbers(said, false), "{what}");
    assert!(!session.client.is_closed() && !session.far.book.is_closed(), "{what}");
}

fn beating(counters: &Arc<HeartbeatCounters>) -> HeartbeatConfig {
    HeartbeatConfig::new(secs(25)).counters(counters)
}

#[test]
fn an_hour_with_heartbeats_loses_nothing() {
    for (seed, wire) in (0..6).zip(WIRES.into_iter().cycle()) {
        let counters = Arc::new(HeartbeatCounters::default());
        // Some boxes count only what goes out (RFC 4787 REQ-6).
        let config = forgetful().incoming_refreshes(seed % 3 != 0);
        let home = behind_nat(seed, config, LinkConfig::new());
        let options = ChannelOptions::new();
        let session = Session::begin(home, wire, Some(&beating(&counters)), options);
        let said = talk(&session, &mut Random::of(seed, "talk"));
        let what = format!("{wire:?}, seed {seed}");
        assert_all_arrived(&session, &said, &what);
        let count = |which: &std::sync::atomic::AtomicU64| which.load(Ordering::Relaxed);
        assert!(count(&counters.pings) > 50, "{what}: {counters:?}");
        assert_eq!(count(&counters.answered), count(&counters.pings), "{what}: {counters:?}");
    }
}

#[test]
fn an_hour_over_a_bad_link_loses_nothing_either() {
    for seed in 10..14 {
        let mut random = Random::of(seed, "link");
        let wan = LinkConfig::new().loss(random.unit() * 0.03).reorder(0.02).duplicate(0.02);
        let home = behind_nat(seed, forgetful(), wan.jitter(ms(3)));
        let counters = Arc::new(HeartbeatCounters::default());
        let options = ChannelOptions::new();
        let session = Session::begin(home, Wire::Tcp, Some(&beating(&counters)), options);
        let said = talk(&session, &mut random);
        session.home.world.run_for(secs(60)).unwrap();
        assert_all_arrived(&session, &said, &format!("seed {seed}"));
    }
}

#[test]
fn tcp_keep_alive_of_our_stack_keeps_a_mapping_too() {
    let home = behind_nat(20, forgetful(), LinkConfig::new());
    let socket = SocketOptions::new().keepalive(Some(tcp_keepalive(secs(25), 3)));
    let options = ChannelOptions::new().socket(socket);
    let session = Session::begin(home, Wire::Tcp, None, options);
    let said = talk(&session, &mut Random::of(20, "talk"));
    assert_all_arrived(&session, &said, "keep-alive");
}

#[test]
fn without_heartbeats_tcp_loses_all_that_follows_a_long_silence() {
    for (seed, unknown) in (30..34).zip([NatUnknown::Drop, NatUnknown::Reset].into_iter().cycle()) {
        let home = behind_nat(seed, forgetful().unknown(unknown), LinkConfig::new());
        let session = Session::begin(home, Wire::Tcp, None, ChannelOptions::new());
        let said = talk(&session, &mut Random::of(seed, "talk"));
        let first = said.iter().position(|said| said.silence > FORGETS).expect("a long silence");
        let before = &said[..first];
        assert_eq!(session.far.book.notes().heard, numbers(before, true), "seed {seed}");
        assert_eq!(session.client.notes().heard, numbers(before, false), "seed {seed}");
        assert!(before.len() < said.len());
        // Each side finds out by itself, as soon as it says something, from a reset or by time.
        session.home.world.run_for(secs(1200)).unwrap();
        let reason = match unknown {
            NatUnknown::Reset => CloseReason::PeerReset,
            _ => CloseReason::TimedOut,
        };
        for book in [&session.client, &session.far.book] {
            let closed = book.notes().closed.map(|(reason, _)| reason);
            assert_eq!(closed, Some(reason), "seed {seed}");
        }
    }
}

#[test]
fn without_heartbeats_udp_loses_what_the_server_says_after_a_long_silence() {
    for seed in 40..43 {
        let home = behind_nat(seed, forgetful(), LinkConfig::new());
        let session = Session::begin(home, Wire::Udp, None, ChannelOptions::new());
        let said = talk(&session, &mut Random::of(seed, "talk"));
        assert_eq!(session.far.book.notes().heard, numbers(&said, true), "seed {seed}");
        let mut mapped = false;
        let arrives = said.iter().map(|said| {
            mapped = said.by_client || (mapped && said.silence < FORGETS);
            mapped
        });
        let arriving: Vec<bool> = arrives.collect();
        let mut expected = numbers(&said, false);
        expected.retain(|n| arriving[*n as usize]);
        assert_eq!(session.client.notes().heard, expected, "seed {seed}");
        assert!(expected.len() < numbers(&said, false).len(), "seed {seed}: something was lost");
    }
}
