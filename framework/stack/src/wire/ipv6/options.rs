//! Options of the hop-by-hop and destination options headers (RFC 8200, section 4.2).

use crate::wire::emit::{Emit, fixed};
use crate::wire::{Error, IpProtocol};

/// Most options of one header, padding among them: our budget of steps.
pub const OPTIONS_MAX: usize = 64;

const PAD1: u8 = 0;
const PADN: u8 = 1;
const ROUTER_ALERT: u8 = 5;
const JUMBO_PAYLOAD: u8 = 0xc2;

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ipv6Option<'a> {
    /// One byte of padding.
    Pad1,
    /// Two and more bytes of padding; so many behind the length.
    PadN(u8),
    /// Routers shall look at it (RFC 2711).
    RouterAlert(u16),
    /// The length of a jumbogram (RFC 2675), which we do not support.
    JumboPayload(u32),
    /// Any other option.
    Unknown {
        /// Its type.
        kind: u8,
        /// Its data.
        data: &'a [u8],
    },
}

/// What a node shall do that does not know an option: the two upper bits of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Go on.
    Skip,
    /// Drop the packet.
    Discard,
    /// Drop it and send a parameter problem with code 2.
    Report,
    /// The same, but only when the destination was not a multicast address.
    ReportUnlessMulticast,
}

impl Action {
    /// What the type `kind` asks for.
    #[must_use]
    pub const fn of(kind: u8) -> Self {
        match kind >> 6 {
            0 => Self::Skip,
            1 => Self::Discard,
            2 => Self::Report,
            _ => Self::ReportUnlessMulticast,
        }
    }
}

/// Why a packet must not be processed because of its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// What shall be done.
    pub action: Action,
    /// Where in the packet the option stands, for a parameter problem.
    pub at: usize,
}

/// The options of one header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionsView<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> OptionsView<'a> {
    /// Over the bytes behind the header's length, which stand at `at` of the packet.
    #[must_use]
    pub const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The options, one after the other. An option that is longer than the header ends them with
    /// an error, and so does the budget.
    #[must_use]
    pub const fn iter(&self) -> OptionsIter<'a> {
        OptionsIter { rest: self.bytes, at: self.at, steps: 0 }
    }

    /// Whether a host that knows no option but those listed here may go on with the packet.
    ///
    /// # Errors
    /// What to do instead.
    pub fn check(&self) -> Result<(), Refused> {
        let mut options = self.iter();
        loop {
            let at = options.at;
            match options.next() {
                None => return Ok(()),
                Some(Err(_)) => return Err(Refused { action: Action::Discard, at }),
                Some(Ok(Ipv6Option::JumboPayload(_))) => {
                    return Err(Refused { action: Action::of(JUMBO_PAYLOAD), at });
                }
                Some(Ok(Ipv6Option::Unknown { kind, .. })) => match Action::of(kind) {
                    Action::Skip => {}
                    action => return Err(Refused { action, at }),
                },
                Some(Ok(_)) => {}
            }
        }
    }
}

impl<'a> IntoIterator for OptionsView<'a> {
    type Item = Result<Ipv6Option<'a>, Error>;
    type IntoIter = OptionsIter<'a>;

    fn into_iter(self) -> OptionsIter<'a> {
        self.iter()
    }
}

/// A walk over options.
#[derive(Debug, Clone)]
pub struct OptionsIter<'a> {
    rest: &'a [u8],
    at: usize,
    steps: usize,
}

impl<'a> OptionsIter<'a> {
    fn step(&mut self, kind: u8) -> Result<(Ipv6Option<'a>, usize), Error> {
        if self.steps == OPTIONS_MAX {
            return Err(Error::TooMany);
        }
        self.steps += 1;
        if kind == PAD1 {
            return Ok((Ipv6Option::Pad1, 1));
        }
        let length = *self.rest.get(1).ok_or(Error::Truncated)?;
        let data = self.rest.get(2..2 + usize::from(length)).ok_or(Error::Truncated)?;
        let option = match (kind, data) {
            (PADN, _) => Ipv6Option::PadN(length),
            (ROUTER_ALERT, &[a, b]) => Ipv6Option::RouterAlert(u16::from_be_bytes([a, b])),
            (JUMBO_PAYLOAD, &[a, b, c, d]) => {
                Ipv6Option::JumboPayload(u32::from_be_bytes([a, b, c, d]))
            }
            _ => Ipv6Option::Unknown { kind, data },
        };
        Ok((option, 2 + data.len()))
    }
}

impl<'a> Iterator for OptionsIter<'a> {
    type Item = Result<Ipv6Option<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let kind = *self.rest.first()?;
        match self.step(kind) {
            Ok((option, length)) => {
                self.rest = &self.rest[length..];
                self.at += length;
                Some(Ok(option))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// A hop-by-hop or destination options header to emit; it pads itself to a multiple of eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionsHeader<'a> {
    /// What is behind it.
    pub next_header: IpProtocol,
    /// The options without the padding at the end; up to 2046 bytes.
    pub options: &'a [Ipv6Option<'a>],
}

impl OptionsHeader<'_> {
    fn unpadded_len(&self) -> usize {
        2 + self.options.iter().map(Ipv6Option::wire_len).sum::<usize>()
    }
}

impl Emit for Ipv6Option<'_> {
    fn wire_len(&self) -> usize {
        match self {
            Self::Pad1 => 1,
            Self::PadN(length) => 2 + usize::from(*length),
            Self::RouterAlert(_) => 4,
            Self::JumboPayload(_) => 6,
            // The length field has eight bits; what is longer is cut.
            Self::Unknown { data, .. } => 2 + data.len().min(255),
        }
    }

    fn emit(&self, out: &mut [u8]) {
        let length = self.wire_len();
        let out = &mut out[..length];
        let kind = match self {
            Self::Pad1 => {
                out[0] = PAD1;
                return;
            }
            Self::PadN(_) => {
                out[2..].fill(0);
                PADN
            }
            Self::RouterAlert(value) => {
                out[2..].copy_from_slice(&value.to_be_bytes());
                ROUTER_ALERT
            }
            Self::JumboPayload(value) => {
                out[2..].copy_from_slice(&value.to_be_bytes());
                JUMBO_PAYLOAD
            }
            Self::Unknown { kind, data } => {
                out[2..].copy_from_slice(&data[..length - 2]);
                *kind
            }
        };
        out[0] = kind;
        out[1] = (length - 2) as u8;
    }
}

impl Emit for OptionsHeader<'_> {
    fn wire_len(&self) -> usize {
        self.unpadded_len().next_multiple_of(8)
    }

    fn emit(&self, out: &mut [u8]) {
        let length = self.wire_len();
        debug_assert!(length <= 8 * 256, "options of {length} bytes");
        let padding = length - self.unpadded_len();
        let (head, mut rest) = fixed::<2>(&mut out[..length]);
        *head = [self.next_header.0, (length / 8 - 1) as u8];
        let pad = match padding {
            0 => None,
            1 => Some(Ipv6Option::Pad1),
            more => Some(Ipv6Option::PadN((more - 2) as u8)),
        };
        for option in self.options.iter().chain(&pad) {
            option.emit(rest);
            rest = &mut rest[option.wire_len()..];
        }
    }
}
