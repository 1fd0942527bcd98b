//! Options of IPv4 (RFC 791, section 3.1).

use crate::wire::option_bytes::{END_OF_LIST, NOP, OptionBytes, RawOption, next_option};

/// Most bytes of options that a header can hold.
const MAX: usize = 40;

/// One option of a datagram. The data is what stands behind the option's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ipv4Option<'a> {
    /// No option follows; the iterator ends behind it.
    EndOfList,
    /// One byte that says nothing.
    Nop,
    /// Record route: pointer and addresses.
    RecordRoute(&'a [u8]),
    /// Loose source route: pointer and addresses.
    LooseSourceRoute(&'a [u8]),
    /// Strict source route: pointer and addresses.
    StrictSourceRoute(&'a [u8]),
    /// Internet timestamp: pointer, flags, and what was recorded.
    Timestamp(&'a [u8]),
    /// Routers shall look at it (RFC 2113).
    RouterAlert(u16),
    /// Any other option.
    Unknown {
        /// Its type.
        kind: u8,
        /// Its data.
        data: &'a [u8],
    },
}

const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;
const ROUTER_ALERT: u8 = 148;

/// The options of a datagram. Ends at the end of the list, and at the first option whose length is
/// less than its own two bytes or more than what is left.
#[derive(Debug, Clone)]
pub struct OptionsIter<'a> {
    rest: &'a [u8],
}

impl<'a> OptionsIter<'a> {
    /// Over the bytes behind a fixed header.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been walked over: not empty at the end when an option was malformed.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for OptionsIter<'a> {
    type Item = Ipv4Option<'a>;

    fn next(&mut self) -> Option<Ipv4Option<'a>> {
        Some(match next_option(&mut self.rest)? {
            RawOption::EndOfList => Ipv4Option::EndOfList,
            RawOption::Nop => Ipv4Option::Nop,
            RawOption::Data { kind, data } => match (kind, data) {
                (RECORD_ROUTE, _) => Ipv4Option::RecordRoute(data),
                (LOOSE_SOURCE_ROUTE, _) => Ipv4Option::LooseSourceRoute(data),
                (STRICT_SOURCE_ROUTE, _) => Ipv4Option::StrictSourceRoute(data),
                (TIMESTAMP, _) => Ipv4Option::Timestamp(data),
                (ROUTER_ALERT, &[a, b]) => Ipv4Option::RouterAlert(u16::from_be_bytes([a, b])),
                _ => Ipv4Option::Unknown { kind, data },
            },
        })
    }
}

/// Options to emit, in the order they were pushed; at most 40 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options(OptionBytes<MAX>);

impl Options {
    /// No option.
    pub const EMPTY: Self = Self(OptionBytes::EMPTY);

    /// Options as they stand in a header; what is behind the 40th byte is cut.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(OptionBytes::from_bytes(bytes))
    }

    /// Adds an option; `false`, and nothing is added, when there is no room for it.
    #[must_use]
    pub fn push(&mut self, option: Ipv4Option<'_>) -> bool {
        match option {
            Ipv4Option::EndOfList => self.0.push_raw(&[END_OF_LIST]),
            Ipv4Option::Nop => self.0.push_raw(&[NOP]),
            Ipv4Option::RecordRoute(data) => self.0.push(RECORD_ROUTE, &[data]),
            Ipv4Option::LooseSourceRoute(data) => self.0.push(LOOSE_SOURCE_ROUTE, &[data]),
            Ipv4Option::StrictSourceRoute(data) => self.0.push(STRICT_SOURCE_ROUTE, &[data]),
            Ipv4Option::Timestamp(data) => self.0.push(TIMESTAMP, &[data]),
            Ipv4Option::RouterAlert(value) => self.0.push(ROUTER_ALERT, &[&value.to_be_bytes()]),
            Ipv4Option::Unknown { kind, data } => self.0.push(kind, &[data]),
        }
    }

    /// With one more option, as [`push`](Self::push) adds it.
    #[must_use]
    pub fn with(mut self, option: Ipv4Option<'_>) -> Option<Self> {
        self.push(option).then_some(self)
    }

    /// The options, one after the other.
    #[must_use]
    pub fn iter(&self) -> OptionsIter<'_> {
        OptionsIter::new(self.0.as_slice())
    }

    /// Those that stand in every fragment of a datagram; the others are in the first one only (RFC 791,
    /// section 3.1).
    #[must_use]
    pub fn copied(&self) -> Self {
        const COPIED: u8 = 0x80;
        let mut rest = self.0.as_slice();
        let mut copied = Self::EMPTY;
        while let Some(option) = next_option(&mut rest) {
            if let RawOption::Data { kind, data } = option
                && kind & COPIED != 0
            {
                // There is room: they are some of those that are here.
                let _ = copied.0.push(kind, &[data]);
            }
        }
        copied
    }

    /// The bytes, without the padding to a multiple of four.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    pub(super) fn padded_len(&self) -> usize {
        self.0.padded_len()
    }

    pub(super) fn emit_padded(&self, out: &mut [u8]) {
        self.0.emit_padded(out);
    }
}
