//! IPv6 extension headers (RFC 8200, section 4): a walk over them that ends.

use super::options::{Ipv6Option, OptionsView};
use crate::wire::{Error, IpProtocol};

/// Most extension headers of one packet. RFC 8504, section 5.3, lets a host have such limits.
pub const EXTENSION_HEADERS_MAX: usize = 8;

/// An extension header.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Extension<'a> {
    /// Options for every node on the way; the first header or none.
    HopByHop(OptionsView<'a>),
    /// A route.
    Routing(Routing<'a>),
    /// It is a fragment.
    Fragment(Fragment<'a>),
    /// Options for the destination.
    Destination(OptionsView<'a>),
}

/// A routing header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routing<'a> {
    /// Its type. Type 0 must not be followed (RFC 5095).
    pub kind: u8,
    /// How many nodes are still to be visited.
    pub segments_left: u8,
    /// What stands behind the two.
    pub data: &'a [u8],
}

/// A fragment header and what stands behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The header of the fragment alone.
    pub header: super::FragmentHeader,
    /// The piece of the packet's fragmentable part.
    pub payload: &'a [u8],
}

/// A walk over the extension headers of a packet.
///
/// It stops at the first header that is no extension header, behind the header of a fragment that
/// is not the first (what follows is the middle of something), after
/// [`EXTENSION_HEADERS_MAX`] headers and at the first error. Then [`protocol`](Self::protocol) and
/// [`payload`](Self::payload) tell what is left.
///
/// AH and ESP are no extension headers here: we cannot look behind them.
#[derive(Debug, Clone)]
pub struct Extensions<'a> {
    next: IpProtocol,
    rest: &'a [u8],
    /// Where `next` stands in the packet.
    next_at: usize,
    /// Where `rest` begins in the packet.
    rest_at: usize,
    walked: usize,
    ended: bool,
}

impl<'a> Extensions<'a> {
    /// Over `payload` of a packet whose fixed header says `next`.
    pub(super) const fn new(next: IpProtocol, payload: &'a [u8]) -> Self {
        let (next_at, rest_at) = (6, super::HEADER_LEN);
        Self { next, rest: payload, next_at, rest_at, walked: 0, ended: false }
    }

    /// The headers behind a fragment header, in the `payload` of a first fragment. Positions count as
    /// in the packet that was cut.
    #[must_use]
    pub const fn in_fragment(next: IpProtocol, payload: &'a [u8]) -> Self {
        Self { walked: 1, ..Self::new(next, payload) }
    }

    /// What the payload is, after the headers that were walked over.
    #[must_use]
    pub const fn protocol(&self) -> IpProtocol {
        self.next
    }

    /// What is left.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.rest
    }

    /// Where in the packet the number of [`protocol`](Self::protocol) stands: what an ICMPv6
    /// parameter problem points to when we do not know it.
    #[must_use]
    pub const fn protocol_at(&self) -> usize {
        self.next_at
    }

    /// Where in the packet the payload begins.
    #[must_use]
    pub const fn payload_at(&self) -> usize {
        self.rest_at
    }

    /// The next header with its number, its fields behind the next header's number and its length.
    fn step(&mut self) -> Result<Option<Extension<'a>>, Error> {
        let next = self.next;
        if !matches!(
            next,
            IpProtocol::HOP_BY_HOP
                | IpProtocol::ROUTING
                | IpProtocol::FRAGMENT
                | IpProtocol::DESTINATION_OPTIONS
        ) {
            return Ok(None);
        }
        if self.walked == EXTENSION_HEADERS_MAX {
            return Err(Error::TooMany);
        }
        if next == IpProtocol::HOP_BY_HOP && self.walked > 0 {
            // Section 4.1: only directly behind the fixed header; elsewhere it is not known.
            return Err(Error::Unsupported);
        }
        let [following, units] = *self.rest.first_chunk().ok_or(Error::Truncated)?;
        // The fragment header's second byte is reserved, not a length.
        let units = if next == IpProtocol::FRAGMENT { 0 } else { units };
        let length = 8 * (usize::from(units) + 1);
        let (header, rest) = self.rest.split_at_checked(length).ok_or(Error::Truncated)?;
        let at = self.rest_at;
        let extension = match next {
            IpProtocol::HOP_BY_HOP => Extension::HopByHop(OptionsView::new(&header[2..], at + 2)),
            IpProtocol::DESTINATION_OPTIONS => {
                Extension::Destination(OptionsView::new(&header[2..], at + 2))
            }
            IpProtocol::ROUTING => Extension::Routing(Routing {
                kind: header[2],
                segments_left: header[3],
                data: &header[4..],
            }),
            _ => {
                let header = super::FragmentHeader::from_bytes(header)?;
                self.ended = header.offset != 0;
                Extension::Fragment(Fragment { header, payload: rest })
            }
        };
        self.next = IpProtocol(following);
        self.rest = rest;
        self.next_at = at;
        self.rest_at = at + length;
        self.walked += 1;
        Ok(Some(extension))
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step();
        self.ended |= !matches!(step, Ok(Some(_)));
        step.transpose()
    }
}

/// What a packet carries behind its extension headers.
#[derive(Debug, Clone, Copy)]
pub struct UpperLayer<'a> {
    /// What it is.
    pub protocol: IpProtocol,
    /// Its bytes; a piece of them when there is a fragment header with another offset than zero.
    pub payload: &'a [u8],
    /// Where it begins in the packet.
    pub payload_at: usize,
    /// The fragment header, when there is one.
    pub fragment: Option<Fragment<'a>>,
}

impl<'a> super::Packet<'a> {
    /// The extension headers, one after the other.
    #[must_use]
    pub const fn extensions(&self) -> Extensions<'a> {
        Extensions::new(self.next_header(), self.payload())
    }

    /// Whether its hop-by-hop options ask routers to look at it (RFC 2711).
    #[must_use]
    pub fn has_router_alert(&self) -> bool {
        let alert = |option| matches!(option, Ok(Ipv6Option::RouterAlert(_)));
        match self.extensions().next() {
            Some(Ok(Extension::HopByHop(options))) => options.iter().any(alert),
            _ => false,
        }
    }

    /// Whether it is an ICMPv6 error, or a piece of one, however wrong the headers before that are: there
    /// must be no error about one (RFC 4443, section 2.4 e.1).
    #[must_use]
    pub fn may_be_icmp_error(&self) -> bool {
        let (mut next, mut rest) = (self.next_header(), self.payload());
        // Each step is over eight bytes at least.
        while next != IpProtocol::ICMPV6 {
            let Some(&[following, units, a, b]) = rest.first_chunk() else { return false };
            let length = match next {
                IpProtocol::HOP_BY_HOP | IpProtocol::ROUTING | IpProtocol::DESTINATION_OPTIONS => {
                    8 * (usize::from(units) + 1)
                }
                IpProtocol::FRAGMENT if u16::from_be_bytes([a, b]) >= 8 => {
                    return following == IpProtocol::ICMPV6.0;
                }
                IpProtocol::FRAGMENT => super::FRAGMENT_HEADER_LEN,
                _ => return false,
            };
            (next, rest) = (IpProtocol(following), rest.get(length..).unwrap_or_default());
        }
        // The first half of the types is of errors (section 2.1).
        rest.first().is_none_or(|kind| *kind < 128)
    }

    /// What is behind all extension headers, without regard to what they say.
    ///
    /// # Errors
    /// When a header is not whole, is where it must not be, or there are too many.
    pub fn upper_layer(&self) -> Result<UpperLayer<'a>, Error> {
        let mut extensions = self.extensions();
        let mut fragment = None;
        for extension in extensions.by_ref() {
            if let Extension::Fragment(this) = extension? {
                fragment = Some(this);
            }
        }
        Ok(UpperLayer {
            protocol: extensions.protocol(),
            payload: extensions.payload(),
            payload_at: extensions.payload_at(),
            fragment,
        })
    }
}
