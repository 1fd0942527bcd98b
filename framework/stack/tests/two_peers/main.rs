//! Two connections joined by a bad link in virtual time, with what must hold checked at every step.
//!
//! Each seed is a world of its own: the options of both ends, the link, what the applications do.
//! A small set runs by default. Any number runs by a command, and a seed that fails is printed and
//! replays with its story:
//!
//! ```text
//! FYKE_SEEDS=0..5000 cargo test -p fyke-stack --test two_peers seeds
//! FYKE_SEEDS=4711 cargo test -p fyke-stack --test two_peers seeds
//! ```
#![forbid(unsafe_code)]
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod attacker;
mod end;
mod link;
mod rng;
mod scenario;
mod seeds;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use scenario::{Scenario, run};
use seeds::seeds;

/// Byte-exact delivery both ways, the invariants at every step, and an end, for every seed.
#[test]
fn seeds_deliver_and_end() {
    let seeds = seeds(0..120);
    let tell = seeds.end - seeds.start == 1;
    let mut failed = Vec::new();
    for seed in seeds {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&Scenario::of_seed(seed), tell)));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(why)) => {
                eprintln!("seed {seed}: {why}");
                failed.push(seed);
            }
            Err(_) => {
                eprintln!("seed {seed}: panicked (above)");
                failed.push(seed);
            }
        }
    }
    assert!(failed.is_empty(), "these seeds failed: {failed:?}");
}

/// The same seed does the same, step by step.
#[test]
fn a_seed_replays() {
    for seed in [3, 17] {
        let scenario = Scenario::of_seed(seed);
        let stories = [scenario::story(&scenario), scenario::story(&scenario)];
        assert!(stories[0].lines().count() > 3);
        assert_eq!(stories[0], stories[1]);
    }
}

/// A path that silently carries less than what is in flight, which is shorter than the base size of the
/// search (RFC 4821, section 7.7): it went again in whole until the connection was given up.
#[test]
fn short_segments_get_through_narrow_paths() {
    for seed in [21_221, 27_500, 33_034] {
        let ended = run(&Scenario::of_seed(seed), false);
        assert_eq!(ended, Ok(()), "seed {seed}");
    }
}
