//! Neighbour discovery (RFC 4861): messages of ICMPv6 with options behind them.
//!
//! Whether the hop limit is 255 and the source an address that may say so is for the one who knows
//! the IPv6 header.

mod options;

use core::net::Ipv6Addr;

pub use options::{NdpOption, OptionsIter, PrefixInformation, RecursiveDns};

use super::emit::{Emit, fixed};
use super::{Error, icmpv6};

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOR_SOLICITATION: u8 = 135;
/// The type of an advertisement of a neighbour's, of ICMPv6.
pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;

/// Flags of a neighbour advertisement.
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;
/// Flags of a router advertisement.
const MANAGED: u8 = 0x80;
const OTHER: u8 = 0x40;

/// A message without its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// Which routers are here?
    RouterSolicitation,
    /// I am one.
    RouterAdvertisement(RouterAdvertisement),
    /// Who has the address?
    NeighborSolicitation {
        /// The address.
        target: Ipv6Addr,
    },
    /// I have the address.
    NeighborAdvertisement {
        /// The address.
        target: Ipv6Addr,
        /// The sender is a router.
        router: bool,
        /// It was asked.
        solicited: bool,
        /// A link-layer address that is known already shall be overwritten.
        override_known: bool,
    },
    /// There is a better first hop.
    Redirect {
        /// The better one; the destination itself when it is on the link.
        target: Ipv6Addr,
        /// For whom.
        destination: Ipv6Addr,
    },
}

/// What a router says about its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouterAdvertisement {
    /// The hop limit hosts should use; zero says nothing.
    pub hop_limit: u8,
    /// Addresses come from DHCPv6.
    pub managed: bool,
    /// Other settings come from DHCPv6.
    pub other: bool,
    /// How long it is a default router, in seconds; zero when it is none.
    pub lifetime_s: u16,
    /// How long a neighbour is reachable after it showed so; zero says nothing.
    pub reachable_ms: u32,
    /// Time between solicitations; zero says nothing.
    pub retransmit_ms: u32,
}

/// A message with its options, all of whose lengths have been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The message.
    pub message: Message,
    options: &'a [u8],
}

impl<'a> Packet<'a> {
    /// From an ICMPv6 message.
    ///
    /// # Errors
    /// When it is another message, its code is not zero, it is too short, or an option has a length
    /// that it cannot have: then RFC 4861, section 6.1 and 7.1, wants the whole message dropped.
    pub fn parse(packet: &icmpv6::Packet<'a>) -> Result<Self, Error> {
        let body = packet.as_bytes().get(4..).ok_or(Error::Truncated)?;
        let (fields, body) = body.split_first_chunk::<4>().ok_or(Error::Truncated)?;
        if !(ROUTER_SOLICITATION..=REDIRECT).contains(&packet.kind()) || packet.code() != 0 {
            return Err(Error::Unsupported);
        }
        let (message, options) = match packet.kind() {
            ROUTER_SOLICITATION => (Message::RouterSolicitation, body),
            ROUTER_ADVERTISEMENT => {
                let (&times, rest) = body.split_first_chunk::<8>().ok_or(Error::Truncated)?;
                let [a, b, c, d, e, f, g, h] = times;
                let advertisement = RouterAdvertisement {
                    hop_limit: fields[0],
                    managed: fields[1] & MANAGED != 0,
                    other: fields[1] & OTHER != 0,
                    lifetime_s: u16::from_be_bytes([fields[2], fields[3]]),
                    reachable_ms: u32::from_be_bytes([a, b, c, d]),
                    retransmit_ms: u32::from_be_bytes([e, f, g, h]),
                };
                (Message::RouterAdvertisement(advertisement), rest)
            }
            NEIGHBOR_SOLICITATION => {
                let (target, rest) = address(body)?;
                (Message::NeighborSolicitation { target }, rest)
            }
            NEIGHBOR_ADVERTISEMENT => {
                let (target, rest) = address(body)?;
                let router = fields[0] & ROUTER != 0;
                let solicited = fields[0] & SOLICITED != 0;
                let override_known = fields[0] & OVERRIDE != 0;
                let message =
                    Message::NeighborAdvertisement { target, router, solicited, override_known };
                (message, rest)
            }
            _ => {
                let (target, rest) = address(body)?;
                let (destination, rest) = address(rest)?;
                (Message::Redirect { target, destination }, rest)
            }
        };
        options::check(options)?;
        Ok(Self { message, options })
    }

    /// The options, one after the other.
    #[must_use]
    pub const fn options(&self) -> OptionsIter<'a> {
        OptionsIter::new(self.options)
    }
}

/// The first address and the rest.
fn address(bytes: &[u8]) -> Result<(Ipv6Addr, &[u8]), Error> {
    let (octets, rest) = bytes.split_first_chunk::<16>().ok_or(Error::Truncated)?;
    Ok((Ipv6Addr::from_octets(*octets), rest))
}

impl Emit for Message {
    fn wire_len(&self) -> usize {
        match self {
            Self::RouterSolicitation => 8,
            Self::RouterAdvertisement(_) => 16,
            Self::NeighborSolicitation { .. } | Self::NeighborAdvertisement { .. } => 24,
            Self::Redirect { .. } => 40,
        }
    }

    /// The checksum field is zero; see [`icmpv6::fill_checksum`]. Options are emitted behind it.
    fn emit(&self, out: &mut [u8]) {
        let length = self.wire_len();
        let (head, body) = fixed::<8>(&mut out[..length]);
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let (kind, fields) = match self {
            Self::RouterSolicitation => (ROUTER_SOLICITATION, [0; 4]),
            Self::RouterAdvertisement(this) => {
                body[..4].copy_from_slice(&this.reachable_ms.to_be_bytes());
                body[4..].copy_from_slice(&this.retransmit_ms.to_be_bytes());
                let [a, b] = this.lifetime_s.to_be_bytes();
                let flags = flag(this.managed, MANAGED) | flag(this.other, OTHER);
                (ROUTER_ADVERTISEMENT, [this.hop_limit, flags, a, b])
            }
            Self::NeighborSolicitation { target } => {
                body.copy_from_slice(&target.octets());
                (NEIGHBOR_SOLICITATION, [0; 4])
            }
            Self::NeighborAdvertisement { target, router, solicited, override_known } => {
                body.copy_from_slice(&target.octets());
                let flags = flag(*router, ROUTER)
                    | flag(*solicited, SOLICITED)
                    | flag(*override_known, OVERRIDE);
                (NEIGHBOR_ADVERTISEMENT, [flags, 0, 0, 0])
            }
            Self::Redirect { target, destination } => {
                body[..16].copy_from_slice(&target.octets());
                body[16..].copy_from_slice(&destination.octets());
                (REDIRECT, [0; 4])
            }
        };
        head[..4].copy_from_slice(&[kind, 0, 0, 0]);
        head[4..].copy_from_slice(&fields);
    }
}

/// The multicast address that the owner of `target` listens on (RFC 4291, section 2.7.1).
#[must_use]
pub const fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | a as u16, (b as u16) << 8 | c as u16)
}
