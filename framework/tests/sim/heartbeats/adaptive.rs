//! What an adaptive heartbeat learns of real connections through boxes of different patience, and
//! that it is remembered, by network, for the connections that follow.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fyke::ChannelOptions;
use fyke::handlers::{
    AdaptiveConfig, AdaptiveInterval, HeartbeatConfig, HeartbeatCounters, IntervalMemory,
};
use fyke::sim::{Ended, LinkConfig, NatConfig, NatUnknown, Random};

use super::session::{Session, WIRES, Wire, connect, serve};
use crate::support::*;

/// Connects again and again, and learns meanwhile.
struct Learner {
    home: Home,
    wire: Wire,
    memory: IntervalMemory,
    counters: Arc<HeartbeatCounters>,
    connections: u32,
}

impl Learner {
    fn new(seed: u64, wire: Wire, config: NatConfig) -> Self {
        Self::over(LinkConfig::new(), seed, wire, config)
    }

    fn over(wan: LinkConfig, seed: u64, wire: Wire, config: NatConfig) -> Self {
        Self {
            home: behind_nat(seed, config, wan),
            wire,
            memory: IntervalMemory::new(),
            counters: Arc::default(),
            connections: 0,
        }
    }

    /// Keeps a connection for so long, and ends it.
    fn stay(&mut self, network: &'static str, time: Duration) {
        let world = self.home.world.clone();
        let until = world.now() + time;
        while world.now() < until {
            let config = AdaptiveConfig::new();
            let config = HeartbeatConfig::adaptive(config, self.memory.clone(), network);
            let config = config.counters(&self.counters);
            let options = ChannelOptions::new();
            let book = connect(&self.home, self.wire, Some(&config), options);
            self.connections += 1;
            if world.run(Some(until), &mut || book.is_closed()).unwrap() == Ended::Time {
                world.run_until(until).unwrap();
            }
        }
        self.home.client.restart().unwrap();
    }

    fn interval(&self, network: &str) -> Duration {
        AdaptiveInterval::new(AdaptiveConfig::new(), self.memory.get(network)).interval()
    }

    fn lost(&self) -> u64 {
        self.counters.lost_mappings.load(Ordering::Relaxed)
    }
}

#[test]
fn an_interval_settles_below_what_the_box_forgets_after() {
    let boxes = [20, 30, 60, 120, 300].map(secs);
    for (seed, forgets) in boxes.into_iter().enumerate() {
        for unknown in [NatUnknown::Drop, NatUnknown::Reset] {
            let config = NatConfig::new().tcp_timeout(forgets).unknown(unknown);
            let mut learner = Learner::new(seed as u64, Wire::Tcp, config);
            let _far = serve(&learner.home, Wire::Tcp);
            learner.stay("home", secs(2 * 3600));
            let (what, interval) = (format!("{forgets:?}, {unknown:?}"), learner.interval("home"));
            assert!(interval < forgets && interval > forgets / 2, "{what}: {interval:?}");
            let learned = learner.memory.get("home").expect("something was learned");
            assert!(learned.survived < forgets && learned.lost > Some(forgets), "{what}");
            assert_eq!((learner.lost(), learner.connections), (1, 2), "{what}");
        }
    }
}

/// A box gives a new mapping the old one's port when it can, so that nobody sees by their own
/// packets that there was nothing in between; and some count only what goes out.
#[test]
fn over_udp_an_interval_settles_below_it_too() {
    for (seed, forgets) in [20, 30, 60, 120, 300].map(secs).into_iter().enumerate() {
        for refreshes in [true, false] {
            let config = NatConfig::new().udp_timeout(forgets).incoming_refreshes(refreshes);
            let mut learner = Learner::new(20 + seed as u64, Wire::Udp, config);
            let far = serve(&learner.home, Wire::Udp);
            learner.stay("home", secs(2 * 3600));
            let (what, interval) = (format!("{forgets:?}, {refreshes}"), learner.interval("home"));
            assert!(interval < forgets && interval > forgets / 2, "{what}: {interval:?}");
            assert_eq!((learner.lost(), learner.connections), (1, 1), "{what}");
            assert!(!far.book.is_closed());
        }
    }
}

#[test]
fn over_udp_what_the_server_says_arrives_when_the_interval_is_known() {
    let home = behind_nat(30, NatConfig::new().udp_timeout(secs(60)), LinkConfig::new());
    let config = AdaptiveConfig::new();
    let config = HeartbeatConfig::adaptive(config, IntervalMemory::new(), "home");
    let session = Session::begin(home, Wire::Udp, Some(&config), ChannelOptions::new());
    session.say(true, 0);
    session.home.world.run_for(secs(1800)).unwrap();
    let mut random = Random::of(30, "talk");
    for number in 0..100 {
        session.home.world.run_for(secs(1 + random.below(200))).unwrap();
        session.say(false, number);
    }
    session.home.world.run_for(secs(1)).unwrap();
    assert_eq!(session.client.notes().heard, (0..100).collect::<Vec<u32>>());
}

#[test]
fn a_bad_link_is_not_taken_for_an_impatient_box() {
    for (seed, wire) in (40..48).zip(WIRES.into_iter().cycle()) {
        let wan = LinkConfig::new().loss(0.02).jitter(ms(5)).reorder(0.02).duplicate(0.02);
        let config = NatConfig::new().tcp_timeout(secs(60)).udp_timeout(secs(60));
        let mut learner = Learner::over(wan, seed, wire, config);
        let _far = serve(&learner.home, wire);
        learner.stay("home", secs(4 * 3600));
        let interval = learner.interval("home");
        let what = format!("seed {seed}, {wire:?}: {interval:?}");
        assert!((secs(30)..secs(60)).contains(&interval), "{what}");
        assert!(learner.lost() <= 2 && learner.connections <= 3, "{what}: {}", learner.lost());
    }
}

#[test]
fn where_nothing_is_forgotten_nothing_is_lost() {
    for wire in WIRES {
        let config = NatConfig::new().udp_timeout(secs(7440));
        let mut learner = Learner::new(10, wire, config);
        let _far = serve(&learner.home, wire);
        learner.stay("home", secs(3 * 3600));
        assert_eq!(learner.interval("home"), secs(600), "the longest that is allowed");
        assert_eq!((learner.lost(), learner.connections), (0, 1), "{wire:?}");
    }
}

#[test]
fn what_was_learned_of_a_network_is_remembered_there() {
    let mut learner = Learner::new(11, Wire::Tcp, NatConfig::new().tcp_timeout(secs(120)));
    let _far = serve(&learner.home, Wire::Tcp);
    learner.stay("home", secs(1800));
    let home = learner.interval("home");
    assert!((secs(60)..secs(120)).contains(&home), "{home:?}");
    // In a café the box is another one; what is known of home is no help there, and no harm.
    learner.home.nat.update(|config| config.tcp_timeout(secs(30)));
    learner.stay("café", secs(1800));
    let cafe = learner.interval("café");
    assert!((secs(15)..secs(30)).contains(&cafe), "{cafe:?}");
    assert_eq!((learner.interval("home"), learner.lost()), (home, 2));
    // The program ends, and what it knows is read again by the next one.
    let stored: Vec<(String, String)> = learner
        .memory
        .all()
        .into_iter()
        .map(|(network, learned)| (network, learned.to_string()))
        .collect();
    learner.memory = IntervalMemory::new();
    for (network, learned) in &stored {
        learner.memory.set(network, learned.parse().unwrap());
    }
    // At home again: the first connection keeps what was learned from its first beat on.
    learner.home.nat.update(|config| config.tcp_timeout(secs(120)));
    let (pings, connections) =
        (learner.counters.pings.load(Ordering::Relaxed), learner.connections);
    learner.stay("home", secs(1800));
    assert_eq!((learner.lost(), learner.connections - connections), (2, 1), "nothing was lost");
    let beats = learner.counters.pings.load(Ordering::Relaxed) - pings;
    let fewest = 1800 / home.as_secs();
    assert!((fewest..=fewest * 5 / 4).contains(&beats), "{beats} beats at {home:?}");
}

#[test]
fn a_box_that_becomes_stricter_is_found_out() {
    let mut learner = Learner::new(12, Wire::Tcp, NatConfig::new().tcp_timeout(secs(120)));
    let _far = serve(&learner.home, Wire::Tcp);
    learner.stay("home", secs(1800));
    learner.home.nat.update(|config| config.tcp_timeout(secs(40)));
    learner.stay("home", secs(1800));
    let interval = learner.interval("home");
    assert!(interval < secs(40) && interval > secs(20), "{interval:?}");
    let lost = learner.lost();
    assert!(lost <= 5, "{lost} losses until that was known");
    learner.stay("home", secs(3600));
    assert_eq!(learner.lost(), lost, "nothing is lost any more");
}
