//! What to answer next: out of a seed, or out of a script.

use super::script::{ReadStep, Script, WriteStep};

/// Most turns that something is late by.
const TURNS_MAX: u32 = 3;

/// So many refusals in a row at most, so that a test ends.
const REFUSALS_MAX: u32 = 2;

/// Exponents of the largest piece; a seed has one of them. Small ones find other faults than
/// large ones.
const PIECE_BITS_MAX: [u32; 3] = [5, 11, 17];

#[derive(Debug)]
pub(super) enum Plan {
    Seeded(Seeded),
    Scripted(Script),
}

#[derive(Debug)]
pub(super) struct Seeded {
    random: XorShift,
    piece_bits: u32,
    refusals: u32,
}

/// Which part of `n` datagrams goes through, and how late the next event comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) count: usize,
    pub(super) turns: u32,
}

impl Plan {
    pub(super) fn seeded(seed: u64, loop_id: u32) -> Self {
        let mut random = XorShift::new(seed ^ (u64::from(loop_id) << 40));
        let piece_bits = PIECE_BITS_MAX[random.below(PIECE_BITS_MAX.len())];
        Self::Seeded(Seeded { random, piece_bits, refusals: 0 })
    }

    pub(super) fn scripted(script: Script) -> Self {
        Self::Scripted(script)
    }

    pub(super) fn write(&mut self) -> WriteStep {
        match self {
            Self::Seeded(seeded) => seeded.write(),
            Self::Scripted(script) => script.writes.pop_front().unwrap_or(WriteStep::Pass),
        }
    }

    pub(super) fn read(&mut self) -> ReadStep {
        match self {
            Self::Seeded(seeded) => seeded.read(),
            Self::Scripted(script) => script.reads.pop_front().unwrap_or(ReadStep::Pass),
        }
    }

    /// Turns until an event of the inner transport is passed on; 0 is in this turn's `poll`.
    pub(super) fn event_turns(&mut self) -> u32 {
        match self {
            Self::Seeded(seeded) => seeded.random.below(TURNS_MAX as usize + 1) as u32,
            Self::Scripted(script) => script.event_turns,
        }
    }

    /// How many of `n` things go through now.
    pub(super) fn part(&mut self, n: usize) -> Part {
        match self {
            Self::Seeded(seeded) => seeded.part(n),
            Self::Scripted(_) => Part { count: n, turns: 1 },
        }
    }
}

impl Seeded {
    fn turns(&mut self) -> u32 {
        1 + self.random.below(TURNS_MAX as usize) as u32
    }

    /// 1 byte to all, small ones as likely as large ones.
    fn piece(&mut self) -> usize {
        let bits = self.random.below(self.piece_bits as usize + 1);
        1 + self.random.below(1 << bits)
    }

    /// Whether to refuse, one time in `n`, but not for ever.
    fn refuse(&mut self, n: usize) -> bool {
        let refuse = self.refusals < REFUSALS_MAX && self.random.below(n) == 0;
        self.refusals = if refuse { self.refusals + 1 } else { 0 };
        refuse
    }

    fn write(&mut self) -> WriteStep {
        let turns = self.turns();
        if self.refuse(8) {
            return WriteStep::Now { bytes_max: 0, turns };
        }
        let bytes_max = self.piece();
        match self.random.below(8) {
            0 => WriteStep::Pass,
            1 | 2 => WriteStep::Now { bytes_max, turns },
            _ => WriteStep::InFlight { bytes_max, turns },
        }
    }

    fn read(&mut self) -> ReadStep {
        if self.refuse(6) {
            return ReadStep::Nothing { turns: self.turns() };
        }
        match self.random.below(8) {
            0 => ReadStep::Pass,
            n => ReadStep::Piece { bytes_max: self.piece(), hide_rest: n < 3 },
        }
    }

    fn part(&mut self, n: usize) -> Part {
        let turns = self.turns();
        if n == 0 || self.refuse(6) {
            return Part { count: 0, turns };
        }
        Part { count: 1 + self.random.below(n), turns }
    }
}

/// Xorshift64* by Vigna: enough for a test tool, and the same on every machine.
#[derive(Debug)]
struct XorShift(u64);

impl XorShift {
    fn new(seed: u64) -> Self {
        // Neighbouring seeds are spread out first (the finaliser of SplitMix64); zero would stay.
        let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self((z ^ (z >> 31)).max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `n`, which is not 0 and small against 2^32.
    fn below(&mut self, n: usize) -> usize {
        (((self.next() >> 32) * n as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_plans_the_same_and_does_everything() {
        let mut plans = [Plan::seeded(7, 0), Plan::seeded(7, 0)];
        let (mut in_flight, mut partial, mut full) = (0, 0, 0);
        for _ in 0..1000 {
            let [a, b] = &mut plans;
            let step = a.write();
            assert_eq!(step, b.write());
            assert_eq!(a.read(), b.read());
            assert_eq!(a.part(5), b.part(5));
            match step {
                WriteStep::InFlight { bytes_max, turns } => {
                    assert!(bytes_max > 0 && (1..=TURNS_MAX).contains(&turns));
                    in_flight += 1;
                }
                WriteStep::Now { bytes_max: 0, .. } => full += 1,
                WriteStep::Now { .. } => partial += 1,
                WriteStep::Pass => {}
            }
        }
        assert!(in_flight > 300 && partial > 100 && full > 30, "{in_flight} {partial} {full}");
    }

    #[test]
    fn refusals_end() {
        let mut plan = Plan::seeded(3, 1);
        let mut row = 0;
        for _ in 0..10_000 {
            let refused = matches!(plan.write(), WriteStep::Now { bytes_max: 0, .. });
            row = if refused { row + 1 } else { 0 };
            assert!(row <= REFUSALS_MAX);
        }
    }

    #[test]
    fn a_script_is_followed_and_then_passes() {
        let step = WriteStep::InFlight { bytes_max: 3, turns: 2 };
        let mut plan = Plan::scripted(Script::new().write(step).event_turns(4));
        assert_eq!(plan.write(), step);
        assert_eq!(plan.write(), WriteStep::Pass);
        assert_eq!(plan.read(), ReadStep::Pass);
        assert_eq!(plan.event_turns(), 4);
        assert_eq!(plan.part(9).count, 9);
    }
}
