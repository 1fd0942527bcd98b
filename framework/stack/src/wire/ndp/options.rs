//! Options of neighbour discovery (RFC 4861, section 4.6; RFC 8106 for name servers).

use core::net::Ipv6Addr;

use crate::wire::emit::{Emit, fixed};
use crate::wire::{Error, MacAddress};

const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
const PREFIX_INFORMATION: u8 = 3;
const REDIRECTED_HEADER: u8 = 4;
const MTU: u8 = 5;
const RECURSIVE_DNS: u8 = 25;

const ON_LINK: u8 = 0x80;
const AUTONOMOUS: u8 = 0x40;

/// One option. Its length on the wire is a multiple of eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NdpOption<'a> {
    /// The sender's link-layer address.
    SourceLinkLayer(MacAddress),
    /// The target's link-layer address.
    TargetLinkLayer(MacAddress),
    /// A prefix of the link.
    Prefix(PrefixInformation),
    /// The front of the packet that a redirect is about; a multiple of eight bytes, the rest is cut.
    RedirectedHeader(&'a [u8]),
    /// The link's maximum transmission unit.
    Mtu(u32),
    /// Name servers (RFC 8106, section 5.1).
    RecursiveDns(RecursiveDns<'a>),
    /// Any other option, or a known one with a length it cannot have.
    Unknown {
        /// Its type.
        kind: u8,
        /// What stands behind its length; with the two bytes before it a multiple of eight, the
        /// rest is cut.
        data: &'a [u8],
    },
}

/// A prefix and what it is good for (RFC 4861, section 4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixInformation {
    /// How many bits of `prefix` count; what is above 128 makes no sense and is kept.
    pub prefix_len: u8,
    /// Its addresses are on the link.
    pub on_link: bool,
    /// Hosts may make addresses of it (RFC 4862).
    pub autonomous: bool,
    /// How long all that holds; all ones mean for ever.
    pub valid_lifetime_s: u32,
    /// How long such addresses are preferred; all ones mean for ever.
    pub preferred_lifetime_s: u32,
    /// The prefix.
    pub prefix: Ipv6Addr,
}

impl PrefixInformation {
    fn from_data(data: &[u8; 30]) -> Self {
        let number =
            |at: usize| u32::from_be_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
        let [.., a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *data;
        Self {
            prefix_len: data[0],
            on_link: data[1] & ON_LINK != 0,
            autonomous: data[1] & AUTONOMOUS != 0,
            valid_lifetime_s: number(2),
            preferred_lifetime_s: number(6),
            prefix: Ipv6Addr::from_octets([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]),
        }
    }
}

/// Name servers and how long they may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecursiveDns<'a> {
    /// Zero when they must not be used any more; all ones mean for ever.
    pub lifetime_s: u32,
    /// Their addresses' octets.
    pub servers: &'a [[u8; 16]],
}

impl RecursiveDns<'_> {
    /// Their addresses.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.servers.iter().copied().map(Ipv6Addr::from_octets)
    }
}

/// The options of a message. Ends at the first whose length is zero or more than what is left.
#[derive(Debug, Clone)]
pub struct OptionsIter<'a> {
    rest: &'a [u8],
}

impl<'a> OptionsIter<'a> {
    /// Over the bytes behind a message.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The type and data of the next option, and what is behind it.
    fn split(bytes: &'a [u8]) -> Option<(u8, &'a [u8], &'a [u8])> {
        let [kind, units] = *bytes.first_chunk()?;
        let data = bytes.get(2..8 * usize::from(units))?;
        Some((kind, data, &bytes[2 + data.len()..]))
    }
}

/// Whether every length is one that an option can have.
pub(super) fn check(mut bytes: &[u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        let (_, _, rest) = OptionsIter::split(bytes).ok_or(Error::Length)?;
        bytes = rest;
    }
    Ok(())
}

impl<'a> Iterator for OptionsIter<'a> {
    type Item = NdpOption<'a>;

    fn next(&mut self) -> Option<NdpOption<'a>> {
        let (kind, data, rest) = Self::split(self.rest)?;
        self.rest = rest;
        Some(match (kind, data) {
            (SOURCE_LINK_LAYER, &[a, b, c, d, e, f]) => {
                NdpOption::SourceLinkLayer(MacAddress([a, b, c, d, e, f]))
            }
            (TARGET_LINK_LAYER, &[a, b, c, d, e, f]) => {
                NdpOption::TargetLinkLayer(MacAddress([a, b, c, d, e, f]))
            }
            (PREFIX_INFORMATION, data) if data.len() == 30 => match data.first_chunk() {
                Some(data) => NdpOption::Prefix(PrefixInformation::from_data(data)),
                None => NdpOption::Unknown { kind, data },
            },
            (REDIRECTED_HEADER, [_, _, _, _, _, _, packet @ ..]) => {
                NdpOption::RedirectedHeader(packet)
            }
            (MTU, &[_, _, a, b, c, d]) => NdpOption::Mtu(u32::from_be_bytes([a, b, c, d])),
            (RECURSIVE_DNS, &[_, _, a, b, c, d, ref servers @ ..]) => match servers.as_chunks() {
                (servers @ [_, ..], []) => {
                    let lifetime_s = u32::from_be_bytes([a, b, c, d]);
                    NdpOption::RecursiveDns(RecursiveDns { lifetime_s, servers })
                }
                _ => NdpOption::Unknown { kind, data },
            },
            _ => NdpOption::Unknown { kind, data },
        })
    }
}

/// Most bytes of one option: its length has eight bits and counts eights.
const OPTION_LEN_MAX: usize = 8 * 255;

impl NdpOption<'_> {
    const fn kind(&self) -> u8 {
        match self {
            Self::SourceLinkLayer(_) => SOURCE_LINK_LAYER,
            Self::TargetLinkLayer(_) => TARGET_LINK_LAYER,
            Self::Prefix(_) => PREFIX_INFORMATION,
            Self::RedirectedHeader(_) => REDIRECTED_HEADER,
            Self::Mtu(_) => MTU,
            Self::RecursiveDns(_) => RECURSIVE_DNS,
            Self::Unknown { kind, .. } => *kind,
        }
    }
}

impl Emit for NdpOption<'_> {
    fn wire_len(&self) -> usize {
        let length = match self {
            Self::SourceLinkLayer(_) | Self::TargetLinkLayer(_) | Self::Mtu(_) => 8,
            Self::Prefix(_) => 32,
            Self::RedirectedHeader(packet) => 8 + packet.len(),
            Self::RecursiveDns(dns) => 8 + dns.servers.len().min(127) * 16,
            Self::Unknown { data, .. } => (2 + data.len()).max(8),
        };
        length.min(OPTION_LEN_MAX) & !7
    }

    fn emit(&self, out: &mut [u8]) {
        let length = self.wire_len();
        let (head, data) = fixed::<2>(&mut out[..length]);
        *head = [self.kind(), (length / 8) as u8];
        data.fill(0);
        match self {
            Self::SourceLinkLayer(mac) | Self::TargetLinkLayer(mac) => {
                data.copy_from_slice(&mac.octets());
            }
            Self::Prefix(this) => {
                data[0] = this.prefix_len;
                data[1] |= if this.on_link { ON_LINK } else { 0 };
                data[1] |= if this.autonomous { AUTONOMOUS } else { 0 };
                data[2..6].copy_from_slice(&this.valid_lifetime_s.to_be_bytes());
                data[6..10].copy_from_slice(&this.preferred_lifetime_s.to_be_bytes());
                data[14..30].copy_from_slice(&this.prefix.octets());
            }
            Self::RedirectedHeader(packet) => {
                let room = &mut data[6..];
                room.copy_from_slice(&packet[..room.len()]);
            }
            Self::Mtu(mtu) => data[2..].copy_from_slice(&mtu.to_be_bytes()),
            Self::RecursiveDns(dns) => {
                data[2..6].copy_from_slice(&dns.lifetime_s.to_be_bytes());
                let (room, _) = data[6..].as_chunks_mut::<16>();
                for (room, server) in room.iter_mut().zip(dns.servers) {
                    *room = *server;
                }
            }
            Self::Unknown { data: bytes, .. } => {
                let kept = bytes.len().min(data.len());
                data[..kept].copy_from_slice(&bytes[..kept]);
            }
        }
    }
}
