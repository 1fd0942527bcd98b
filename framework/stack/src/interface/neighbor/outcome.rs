//! What a neighbour is known as, and what a change in the table leads to.

use alloc::vec::Vec;
use core::net::IpAddr;

use fyke_clock::Instant;

use crate::interface::timer::Lazy;
use crate::wire::MacAddress;

/// What is known of a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NeighborState {
    /// Its address was asked for.
    Incomplete,
    /// It answered lately.
    Reachable,
    /// It answered some time ago.
    Stale,
    /// It was used since, and may vouch for itself by upper layers.
    Delay,
    /// It is asked whether it is still there.
    Probe,
    /// It did not answer; nobody asks for a while.
    Failed,
    /// The address was set by hand.
    Permanent,
}

/// An entry to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Neighbor {
    /// Its IP address.
    pub address: IpAddr,
    /// Its link address, when known.
    pub mac: Option<MacAddress>,
    /// How well.
    pub state: NeighborState,
}

/// A request that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) address: IpAddr,
    /// Whom to ask; everybody when `None`.
    pub(crate) mac: Option<MacAddress>,
}

/// What came of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup {
    Known(MacAddress),
    /// Not known yet: the packet may wait in this slot.
    Unknown(u32),
    /// It did not answer lately.
    Failed,
}

/// A timer of an entry to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) index: u32,
    pub(crate) generation: u32,
    pub(crate) at: Instant,
}

/// What an event of the table leads to, besides its result.
#[derive(Debug)]
pub(crate) struct Effects<F> {
    pub(crate) ask: Option<Ask>,
    pub(crate) alarm: Option<Alarm>,
    /// Packets that can go to this address now.
    pub(crate) ready: Option<(MacAddress, Vec<F>)>,
    /// Packets that will never go.
    pub(crate) lost: Vec<F>,
    /// Timers of entries that are gone.
    pub(crate) dead: Vec<Lazy>,
    /// Who did not answer and counts as unreachable from now on.
    pub(crate) unreachable: Option<IpAddr>,
}

impl<F> Default for Effects<F> {
    fn default() -> Self {
        Self {
            ask: None,
            alarm: None,
            ready: None,
            lost: Vec::new(),
            dead: Vec::new(),
            unreachable: None,
        }
    }
}
