//! Where the loops' randomness comes from.

use std::io;

use fyke_core::{Entropy, LoopOptions};

use crate::group::next_loop_id;

/// The seed of a group's loops, and where the seeds of their secrets come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeds {
    seed: u64,
    entropy: Option<Entropy>,
}

impl Seeds {
    /// Of the operating system, or all from the given one.
    pub(crate) fn new(seed: Option<u64>) -> io::Result<Self> {
        Ok(match seed {
            Some(seed) => Self { seed, entropy: None },
            None => Self { seed: getrandom::u64()?, entropy: Some(fill) },
        })
    }

    /// For the loop of this number in its group.
    pub(crate) fn options(&self, number: u64) -> LoopOptions {
        let mut options = LoopOptions::new(next_loop_id(), self.seed.wrapping_add(number));
        options.entropy = self.entropy;
        options
    }
}

fn fill(seed: &mut [u8; 32]) -> io::Result<()> {
    Ok(getrandom::fill(seed)?)
}
