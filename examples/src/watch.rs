//! Watches a process under load: whether it gives back what it took.
//!
//! A process is looked at when it *rests*: all its clients have gone. Then it must hold no channel, no
//! descriptor more than at its first rest, and its memory must not go up and up. Memory alone is not
//! given back to the byte (allocators keep some, tables stay as large as they once were), so its
//! rule has a warm-up and an allowance: see [`Rests::verdict`].

use std::fmt;
use std::fs;
use std::io;

/// What a process may hold more at rest, of memory, than it did while it warmed up.
const GROWTH_BYTES_ALLOWED: u64 = 16 * 1024 * 1024;
/// The same for large ones: one part in so many.
const GROWTH_PARTS_ALLOWED: u64 = 8;
/// Fewer rests say nothing about memory: two to warm up, one between, one to judge.
const RESTS_MIN: usize = 4;

/// A process, as `/proc` shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process(u32);

impl Process {
    /// The process with this id.
    #[must_use]
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    /// Memory that it holds, in bytes.
    ///
    /// # Errors
    /// When there is no such process, or no `/proc`.
    pub fn resident_bytes(self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("no VmRSS: the process has ended"))
    }

    /// Descriptors that it has open.
    ///
    /// # Errors
    /// When there is no such process, or no `/proc`.
    pub fn descriptors(self) -> io::Result<usize> {
        fs::read_dir(format!("/proc/{}/fd", self.0)).map(Iterator::count)
    }
}

/// What a process held when all its clients had gone.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rest {
    /// Memory, in bytes.
    pub resident_bytes: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Channels of its event loops.
    pub channels: u64,
}

/// What a process did not give back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Kept {
    /// So many channels, though nobody is connected.
    Channels(u64),
    /// Descriptors: so many now, so many at the first rest.
    Descriptors(usize, usize),
    /// Memory in bytes: the least of the last rests, the most of the warm-up.
    Memory(u64, u64),
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channels(n) => write!(f, "{n} channels live on though all clients have gone"),
            Self::Descriptors(now, first) => {
                write!(f, "{now} descriptors are open at rest, {first} at the first one")
            }
            Self::Memory(now, warm) => write!(
                f,
                "memory grows: {} at rest at least, {} at most while warming up",
                Mebibytes(*now),
                Mebibytes(*warm)
            ),
        }
    }
}

impl std::error::Error for Kept {}

/// A number of bytes, for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mebibytes(pub u64);

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MiB", self.0 as f64 / (1024.0 * 1024.0))
    }
}

/// A process's rests, in their order.
#[derive(Clone, Default, Debug)]
pub struct Rests(Vec<Rest>);

impl Rests {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more rest.
    ///
    /// # Errors
    /// What it shows at once: channels, or descriptors more than at the first rest.
    pub fn push(&mut self, rest: Rest) -> Result<(), Kept> {
        self.0.push(rest);
        self.given_back(rest)
    }

    /// Whether a process that holds this has given back its channels and its descriptors.
    ///
    /// # Errors
    /// What it has not.
    pub fn given_back(&self, rest: Rest) -> Result<(), Kept> {
        let first = self.0.first().map_or(rest.descriptors, |first| first.descriptors);
        match rest {
            Rest { channels: 1.., .. } => Err(Kept::Channels(rest.channels)),
            Rest { descriptors, .. } if descriptors > first => {
                Err(Kept::Descriptors(descriptors, first))
            }
            _ => Ok(()),
        }
    }

    /// Whether memory is flat. The first third of the rests (two at least) is the warm-up. In the last
    /// third some rest must be within 16 MiB, or an eighth, above the most of the warm-up; with fewer
    /// than four rests nothing is said.
    ///
    /// # Errors
    /// [`Kept::Memory`].
    pub fn verdict(&self) -> Result<(), Kept> {
        let rests = &self.0;
        if !self.judges_memory() {
            return Ok(());
        }
        let third = rests.len() / 3;
        let resident = |rests: &[Rest]| rests.iter().map(|rest| rest.resident_bytes).collect();
        let warm_up: Vec<u64> = resident(&rests[..third.max(2)]);
        let last: Vec<u64> = resident(&rests[rests.len() - third..]);
        let warm = warm_up.into_iter().max().unwrap_or(0);
        let least = last.into_iter().min().unwrap_or(0);
        let allowed = warm + GROWTH_BYTES_ALLOWED.max(warm / GROWTH_PARTS_ALLOWED);
        if least > allowed { Err(Kept::Memory(least, warm)) } else { Ok(()) }
    }

    /// Whether there are enough of them for a word about memory.
    #[must_use]
    pub fn judges_memory(&self) -> bool {
        self.0.len() >= RESTS_MIN
    }

    /// The first and the last rest.
    #[must_use]
    pub fn ends(&self) -> Option<(Rest, Rest)> {
        Some((*self.0.first()?, *self.0.last()?))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn rest(mib: u64) -> Rest {
        Rest { resident_bytes: mib * MIB, descriptors: 20, channels: 0 }
    }

    fn rests(mib: impl IntoIterator<Item = u64>) -> Rests {
        let mut rests = Rests::new();
        mib.into_iter().for_each(|mib| rests.push(rest(mib)).expect("all was given back"));
        rests
    }

    #[test]
    fn memory_that_levels_off_is_flat() {
        for flat in [
            vec![],
            vec![10, 90, 200],
            vec![10, 30, 32, 33, 33, 33],
            vec![30, 31, 60, 30, 30, 70, 33, 30, 80],
            vec![500, 520, 530, 560, 565, 560],
        ] {
            assert_eq!(rests(flat.clone()).verdict(), Ok(()), "{flat:?}");
        }
    }

    #[test]
    fn memory_that_goes_on_growing_is_kept() {
        let kept = rests((0..90).map(|round| 30 + round)).verdict();
        assert_eq!(kept, Err(Kept::Memory(90 * MIB, 59 * MIB)));
        // A kibibyte a connection, some hundred connections a second, six rounds of 20 seconds.
        let kept = rests((0..6).map(|round| 20 + 8 * round)).verdict();
        assert_eq!(kept, Err(Kept::Memory(52 * MIB, 28 * MIB)));
        assert!(rests([500, 520, 530, 560, 600, 595]).verdict().is_err());
    }

    #[test]
    fn channels_and_descriptors_are_given_back_to_the_last_one() {
        let mut all = rests([30, 30]);
        assert_eq!(all.push(Rest { channels: 1, ..rest(30) }), Err(Kept::Channels(1)));
        assert_eq!(all.push(Rest { descriptors: 21, ..rest(30) }), Err(Kept::Descriptors(21, 20)));
        assert_eq!(all.push(Rest { descriptors: 19, ..rest(30) }), Ok(()));
    }

    #[test]
    fn a_process_shows_what_it_holds() {
        let this = Process::new(std::process::id());
        let (before, memory) = (this.descriptors().unwrap(), this.resident_bytes().unwrap());
        let files: Vec<_> = (0..300).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        // Other tests open and close some meanwhile, but not so many.
        assert!(this.descriptors().unwrap() >= before + 200);
        drop(files);
        let held = std::hint::black_box(vec![1_u8; 64 * MIB as usize]);
        assert!(this.resident_bytes().unwrap() >= memory + 32 * MIB);
        drop(held);
        assert!(Process::new(u32::MAX).descriptors().is_err());
    }
}
