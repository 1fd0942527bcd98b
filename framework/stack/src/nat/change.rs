//! What a NAT box does to a packet, once it was decided: in place, with the checksums.

use core::net::Ipv4Addr;

use super::fragments::Addresses;
use super::keys::Endpoint;
use super::rewrite::{Which, rewrite, rewrite_address, rewrite_quote};

/// How a packet is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// Its ends are others.
    Ends { source: Option<Endpoint>, destination: Option<Endpoint> },
    /// It is a later fragment, without ports.
    Fragment(Addresses),
    /// An ICMP error: for somebody inside, about a packet that went out; or from inside, about one
    /// that came in; or both.
    Quote { inside: Option<Endpoint>, outside: Option<Endpoint> },
}

impl Change {
    /// Where the packet goes afterwards, when that is elsewhere.
    pub(crate) const fn destination(&self) -> Option<Ipv4Addr> {
        match self {
            Self::Ends { destination: Some((address, _)), .. }
            | Self::Quote { inside: Some((address, _)), .. } => Some(*address),
            Self::Fragment(to) => to.destination,
            Self::Ends { .. } | Self::Quote { .. } => None,
        }
    }

    /// Does it to a packet whose header is whole.
    pub(crate) fn apply(&self, packet: &mut [u8]) {
        match *self {
            Self::Ends { source, destination } => {
                if let Some(to) = source {
                    rewrite(packet, Which::Source, to);
                }
                if let Some(to) = destination {
                    rewrite(packet, Which::Destination, to);
                }
            }
            Self::Fragment(Addresses { source, destination }) => {
                if let Some(to) = source {
                    rewrite_address(packet, Which::Source, to);
                }
                if let Some(to) = destination {
                    rewrite_address(packet, Which::Destination, to);
                }
            }
            Self::Quote { inside, outside } => {
                if let Some(outside) = outside {
                    rewrite_quote(packet, Which::Destination, outside);
                    rewrite_address(packet, Which::Source, outside.0);
                }
                if let Some(inside) = inside {
                    rewrite_quote(packet, Which::Source, inside);
                    rewrite_address(packet, Which::Destination, inside.0);
                }
            }
        }
    }
}
