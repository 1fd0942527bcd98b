//! What was learned of networks, by a name that the application gives them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::LearnedInterval;

/// Of more networks than this the ones that were used longest ago are forgotten.
const NETWORKS_MAX: usize = 256;

/// Remembers what heartbeats have learned, by network: the name of a Wi-Fi, a mobile operator, or
/// just the server's. A clone is the same memory; connections share it, also those that follow one
/// another.
///
/// It lives as long as the program; to keep it longer, store [`all`](Self::all) and hand it back
/// with [`set`](Self::set):
///
/// ```
/// use fyke_core::handlers::IntervalMemory;
///
/// let memory = IntervalMemory::new();
/// memory.set("home", "survived=50000ms lost=75000ms".parse()?);
/// let stored: Vec<String> =
///     memory.all().iter().map(|(network, learned)| format!("{network}: {learned}")).collect();
/// assert_eq!(stored, ["home: survived=50000ms lost=75000ms strikes=0 streak=0"]);
/// # Ok::<(), fyke_core::handlers::ParseLearnedError>(())
/// ```
#[derive(Clone, Default, Debug)]
pub struct IntervalMemory(Arc<Mutex<Networks>>);

#[derive(Default, Debug)]
struct Networks {
    learned: HashMap<String, (LearnedInterval, u64)>,
    uses: u64,
}

impl IntervalMemory {
    /// One that knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is known of a network.
    #[must_use]
    pub fn get(&self, network: &str) -> Option<LearnedInterval> {
        let mut networks = self.lock();
        networks.uses += 1;
        let uses = networks.uses;
        let (learned, used) = networks.learned.get_mut(network)?;
        *used = uses;
        Some(*learned)
    }

    /// Remembers what is known of a network. Of 256 networks at most: then the one that was used
    /// longest ago is forgotten.
    pub fn set(&self, network: &str, learned: LearnedInterval) {
        let mut networks = self.lock();
        networks.uses += 1;
        let uses = networks.uses;
        if let Some(known) = networks.learned.get_mut(network) {
            *known = (learned, uses);
            return;
        }
        if networks.learned.len() >= NETWORKS_MAX {
            let oldest = networks.learned.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                networks.learned.remove(&oldest);
            }
        }
        networks.learned.insert(network.to_owned(), (learned, uses));
    }

    /// Forgets a network.
    pub fn forget(&self, network: &str) {
        self.lock().learned.remove(network);
    }

    /// Everything, in the order of the names.
    #[must_use]
    pub fn all(&self) -> Vec<(String, LearnedInterval)> {
        let networks = self.lock();
        let mut all: Vec<_> =
            networks.learned.iter().map(|(name, (learned, _))| (name.clone(), *learned)).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    fn lock(&self) -> MutexGuard<'_, Networks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
