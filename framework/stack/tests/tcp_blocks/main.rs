//! The blocks TCP is built from, each against a table of its RFC and a naive model.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod assembler;
mod bbr;
mod bbr_cases;
mod bbr_flow;
mod congestion;
mod cubic;
mod hystart;
mod prr;
mod rate;
mod rtt;
mod scoreboard;
mod scoreboard_front;
mod scoreboard_hostile;
mod scoreboard_model;
mod scoreboard_rack;
mod scoreboard_undo;
mod send_buffer;

use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::SeqNum;

/// Where the circle of sequence numbers, or the sign of a difference, turns.
const CORNERS: [u32; 5] = [0, 1, 0x7fff_ff00, 0x8000_0000, 0xffff_ff00];

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn at_ms(n: u64) -> Instant {
    Instant::ZERO + ms(n)
}

fn seq(n: u32) -> SeqNum {
    SeqNum::new(n)
}

/// Pseudo-random numbers for long runs: splitmix64, named so that a seed replays.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`.
    fn below(&mut self, n: u32) -> u32 {
        u32::try_from(self.next() % u64::from(n.max(1))).unwrap()
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}
