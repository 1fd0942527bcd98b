//! Compressors and inflaters that wait for their next message.
//!
//! Making one costs hundreds of kilobytes of fresh memory; resetting one costs little. The lock is
//! held for a push or a pop, which is nothing beside compressing a message.

use std::sync::{Mutex, MutexGuard, PoisonError};

use flate2::{Compress, Compression, Decompress};

use super::params::{WINDOW_BITS_MAX, WINDOW_BITS_MIN};

/// One shelf for each size of window.
const SHELVES: usize = (WINDOW_BITS_MAX - WINDOW_BITS_MIN) as usize + 1;

#[derive(Debug)]
pub(super) struct Pool {
    level: u32,
    idle_max: usize,
    compressors: [Mutex<Vec<Compress>>; SHELVES],
    inflaters: [Mutex<Vec<Decompress>>; SHELVES],
}

fn lock<T>(shelf: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A window that is too small for compressors is one inflaters have room to spare for.
fn within(bits: u8) -> u8 {
    bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX)
}

fn shelf(bits: u8) -> usize {
    usize::from(within(bits) - WINDOW_BITS_MIN)
}

impl Pool {
    pub(super) fn new(level: u32, idle_max: usize) -> Self {
        Self { level, idle_max, compressors: Default::default(), inflaters: Default::default() }
    }

    pub(super) fn level(&self) -> u32 {
        self.level
    }

    pub(super) fn idle_max(&self) -> usize {
        self.idle_max
    }

    /// A compressor with an empty window of 2 to `bits` bytes.
    pub(super) fn compressor(&self, bits: u8) -> Compress {
        let idle = lock(&self.compressors[shelf(bits)]).pop();
        let level = Compression::new(self.level);
        idle.unwrap_or_else(|| Compress::new_with_window_bits(level, false, within(bits)))
    }

    pub(super) fn put_compressor(&self, bits: u8, mut compressor: Compress) {
        compressor.reset();
        let mut idle = lock(&self.compressors[shelf(bits)]);
        if idle.len() < self.idle_max {
            idle.push(compressor);
        }
    }

    /// An inflater with an empty window.
    pub(super) fn inflater(&self, bits: u8) -> Decompress {
        let idle = lock(&self.inflaters[shelf(bits)]).pop();
        idle.unwrap_or_else(|| Decompress::new_with_window_bits(false, within(bits)))
    }

    pub(super) fn put_inflater(&self, bits: u8, mut inflater: Decompress) {
        inflater.reset(false);
        let mut idle = lock(&self.inflaters[shelf(bits)]);
        if idle.len() < self.idle_max {
            idle.push(inflater);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_wait() {
        let pool = Pool::new(1, 2);
        for bits in [8, 9, 15] {
            let (all, inflaters): (Vec<_>, Vec<_>) =
                (0..3).map(|_| (pool.compressor(bits), pool.inflater(bits))).unzip();
            all.into_iter().for_each(|one| pool.put_compressor(bits, one));
            inflaters.into_iter().for_each(|one| pool.put_inflater(bits, one));
            assert_eq!(lock(&pool.compressors[shelf(bits)]).len(), 2);
            assert_eq!(lock(&pool.inflaters[shelf(bits)]).len(), 2);
        }
        assert_eq!(shelf(8), shelf(9), "an inflater of 9 reads what 8 wrote");
    }
}
