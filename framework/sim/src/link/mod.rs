//! Links: two directions, each with its own conditions, queue, chance and counters.
//!
//! ```text
//!   send --> up? fits? --> queue (drop-tail) --> transmitter (rate) --> loss --> corrupt
//!        --> delay + jitter --> reorder, duplicate --> arrival
//! ```
//! All of that is decided when the frame is sent: its departure follows from the departures before
//! it. So a change of the conditions holds for the frames sent from then on.

mod config;
mod direction;

pub use config::{BurstLoss, LinkConfig};
pub(crate) use direction::{Direction, Fate};

use crate::drops::Drops;
use crate::ids::{End, Side};

/// What a direction of a link has counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct LinkCounters {
    /// Frames that were offered.
    pub offered: u64,
    /// Frames that arrive, duplicates included.
    pub carried: u64,
    /// Bytes that arrive, with Ethernet headers.
    pub carried_bytes: u64,
    /// Frames that arrive twice.
    pub duplicated: u64,
    /// Frames with a flipped bit.
    pub corrupted: u64,
    /// Frames held back so that others overtake them.
    pub reordered: u64,
    /// The longest queue, in frames.
    pub queue_packets_peak: u64,
    /// Frames that do not arrive, by reason.
    pub drops: Drops,
}

/// A link between two ends.
#[derive(Debug)]
pub(crate) struct LinkState {
    pub(crate) ends: [End; 2],
    pub(crate) directions: [Direction; 2],
}

impl LinkState {
    /// Where a frame that leaves on `side` arrives.
    pub(crate) fn far_end(&self, side: Side) -> End {
        match side {
            Side::First => self.ends[1],
            Side::Second => self.ends[0],
        }
    }
}
