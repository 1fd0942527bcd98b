//! Why frames do not arrive, each reason with its counter.

use std::fmt;
use std::ops::Index;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// Why the network did not take a frame further.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum DropReason {
            $($(#[$doc])* $name,)*
        }

        impl DropReason {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// A few words, for lists and for comments in captures.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// A link lost it, each frame by itself.
    Loss => "random loss",
    /// A link lost it in a burst.
    BurstLoss => "burst loss",
    /// The queue in front of a link is full.
    QueueFull => "queue full",
    /// The link is down.
    LinkDown => "link down",
    /// More frames are under way than the link's limit.
    InFlightLimit => "too many frames under way",
    /// Longer than the link carries.
    Mtu => "longer than the link's MTU",
    /// A partition is between the two hosts.
    Partition => "partition",
    /// Nothing is plugged into the port.
    NotConnected => "nothing plugged in",
    /// The receive ring of a host that is paused or slow is full.
    RingFull => "receive ring full",
    /// It waited in a host that was restarted.
    Restarted => "host restarted",
    /// The switch came back to the port it came from.
    SamePort => "destination is where it came from",
    /// The frame is for another station.
    OtherStation => "for another station",
    /// Lengths that contradict each other, a wrong header checksum, or no IP.
    Malformed => "malformed",
    /// TTL or hop limit came to zero.
    TimeExceeded => "TTL exceeded",
    /// No route leads there.
    NoRoute => "no route",
    /// The router's address, but nothing the router answers.
    NotForwarded => "not forwarded",
    /// Longer than the next link carries, and not to be fragmented.
    FragmentationNeeded => "fragmentation needed",
    /// The neighbour did not answer.
    NeighborUnreachable => "neighbour unreachable",
    /// Too many packets wait for a neighbour.
    NeighborQueueFull => "neighbour queue full",
    /// Nobody inside asked for it.
    NatNoMapping => "no NAT mapping",
    /// There is a mapping, but not for this peer.
    NatFiltered => "NAT filter",
    /// The NAT box has no port or no room left.
    NatExhausted => "NAT ports exhausted",
    /// Something a NAT box cannot translate.
    NatUntranslatable => "not translatable",
}

/// Drops by reason.
#[derive(Clone, PartialEq, Eq)]
pub struct Drops([u64; DropReason::ALL.len()]);

impl Default for Drops {
    fn default() -> Self {
        Self([0; DropReason::ALL.len()])
    }
}

impl Drops {
    pub(crate) fn add(&mut self, reason: DropReason) {
        self.0[reason as usize] += 1;
    }

    /// Of all reasons together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The reasons that have drops.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        let all = DropReason::ALL.iter().map(|reason| (*reason, self[*reason]));
        all.filter(|(_, count)| *count > 0)
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(all, more)| *all += more);
    }
}

impl Index<DropReason> for Drops {
    type Output = u64;

    fn index(&self, reason: DropReason) -> &u64 {
        &self.0[reason as usize]
    }
}

impl fmt::Debug for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(reason, count)| (reason.text(), count))).finish()
    }
}
