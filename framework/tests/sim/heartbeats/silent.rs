//! A peer that falls silent is found out within (misses + 1) x interval.

use fyke::ChannelOptions;
use fyke::CloseReason;
use fyke::handlers::HeartbeatConfig;
use fyke::sim::{LinkConfig, NatConfig, Random};

use super::session::{Session, WIRES};
use crate::support::*;

/// How the peer falls silent.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The network is cut.
    Partition,
    /// The peer's host stands still; its stack, too.
    Pause,
    /// The peer's host has begun anew and knows of nothing, and its resets do not come through.
    Restart,
}

fn strike(session: &Session, fault: Fault) {
    let (world, server) = (&session.home.world, &session.home.server);
    match fault {
        Fault::Partition => drop(world.partition(&[session.home.client.id()], &[server.id()])),
        Fault::Pause => server.pause(),
        Fault::Restart => {
            server.restart().unwrap();
            session.home.nat.update(|config| config.ports(1..=1));
            session.home.nat.restart();
        }
    }
}

#[test]
fn a_silent_peer_is_found_out_in_time() {
    let faults = [Fault::Partition, Fault::Pause, Fault::Restart];
    for seed in 0..18 {
        let wire = WIRES[seed as usize % 2];
        let fault = faults[seed as usize / 2 % 3];
        let mut random = Random::of(seed, "silence");
        let interval = secs(5 + random.below(55));
        let misses = 1 + random.below(4) as u32;
        let what = format!("seed {seed}: {wire:?}, {fault:?}, {misses} misses of {interval:?}");
        let home = behind_nat(seed, NatConfig::new(), LinkConfig::new());
        let config = HeartbeatConfig::new(interval).misses(misses);
        let session = Session::begin(home, wire, Some(&config), ChannelOptions::new());
        let world = &session.home.world;
        session.say(true, 1);
        world.run_for(ms(500_000 + random.below(200_000))).unwrap();
        assert!(!session.client.is_closed(), "{what}: it was there all the time");
        let struck = world.now();
        strike(&session, fault);
        // What was under way may still have been heard.
        world.run_for(interval * (misses + 1) + ms(21)).unwrap();
        let closed = session.client.notes().closed;
        let (reason, at) = closed.unwrap_or_else(|| panic!("{what}: it was not found out"));
        assert_eq!(reason, CloseReason::TimedOut, "{what}");
        let took = at.saturating_duration_since(struck);
        // The last answer is one interval old at most, and each wait a tenth shorter at most.
        let least = (interval * (misses + 1)).mul_f64(0.9).saturating_sub(interval);
        assert!(took >= least, "{what}: given up after {took:?}");
    }
}

#[test]
fn a_peer_that_was_silent_for_a_shorter_time_is_kept() {
    for (seed, wire) in (20..24).zip(WIRES.into_iter().cycle()) {
        let interval = secs(20);
        let home = behind_nat(seed, NatConfig::new(), LinkConfig::new());
        let config = HeartbeatConfig::new(interval).misses(3);
        let session = Session::begin(home, wire, Some(&config), ChannelOptions::new());
        let world = &session.home.world;
        for n in 0..20 {
            // Shorter than the three answers that may be missed, with their jitter.
            session.home.server.pause();
            world.run_for(secs(33)).unwrap();
            session.home.server.resume();
            world.run_for(secs(60)).unwrap();
            assert!(!session.client.is_closed(), "seed {seed}, {wire:?}, pause {n}");
        }
        session.say(true, 1);
        world.run_for(secs(1)).unwrap();
        assert_eq!(session.far.book.notes().heard, [1]);
    }
}
