//! What MLD and IGMP have in common: lists of sources and group records, with addresses of either
//! length (RFC 3376, section 4.2; RFC 3810, section 5.2).

use core::fmt;
use core::marker::PhantomData;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::Error;
use super::emit::Emit;

mod sealed {
    pub trait Sealed: Copy {
        /// Octets of an address.
        const LEN: usize;
        /// From exactly so many bytes.
        fn read(bytes: &[u8]) -> Option<Self>;
        /// Into exactly so many bytes.
        fn write(&self, out: &mut [u8]);
    }

    impl Sealed for super::Ipv4Addr {
        const LEN: usize = 4;

        fn read(bytes: &[u8]) -> Option<Self> {
            bytes.first_chunk().copied().map(Self::from_octets)
        }

        fn write(&self, out: &mut [u8]) {
            out.copy_from_slice(&self.octets());
        }
    }

    impl Sealed for super::Ipv6Addr {
        const LEN: usize = 16;

        fn read(bytes: &[u8]) -> Option<Self> {
            bytes.first_chunk().copied().map(Self::from_octets)
        }

        fn write(&self, out: &mut [u8]) {
            out.copy_from_slice(&self.octets());
        }
    }
}

/// An address of IPv4 or IPv6.
pub trait Address: sealed::Sealed {}

impl Address for Ipv4Addr {}
impl Address for Ipv6Addr {}

/// Addresses that stand one after the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Addresses<'a, A> {
    bytes: &'a [u8],
    address: PhantomData<A>,
}

impl<'a, A: Address> Addresses<'a, A> {
    /// The first `count` addresses and what is behind them.
    pub(super) fn split(bytes: &'a [u8], count: u16) -> Result<(Self, &'a [u8]), Error> {
        let length = usize::from(count) * A::LEN;
        let (bytes, rest) = bytes.split_at_checked(length).ok_or(Error::Truncated)?;
        Ok((Self { bytes, address: PhantomData }, rest))
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len() / A::LEN
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The addresses.
    pub fn iter(&self) -> impl Iterator<Item = A> + use<'a, A> {
        self.bytes.chunks_exact(A::LEN).filter_map(A::read)
    }
}

impl<A: Address + fmt::Debug> fmt::Debug for Addresses<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What a group record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// The present state: only these sources.
    ModeIsInclude,
    /// The present state: all but these sources; with none of them, the whole group.
    ModeIsExclude,
    /// From now on only these sources; with none of them, the group is left.
    ChangeToInclude,
    /// From now on all but these sources; with none of them, the whole group is joined.
    ChangeToExclude,
    /// These sources too.
    AllowNewSources,
    /// These sources no more.
    BlockOldSources,
    /// A kind that must be ignored.
    Other(u8),
}

impl From<u8> for RecordKind {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::ModeIsInclude,
            2 => Self::ModeIsExclude,
            3 => Self::ChangeToInclude,
            4 => Self::ChangeToExclude,
            5 => Self::AllowNewSources,
            6 => Self::BlockOldSources,
            other => Self::Other(other),
        }
    }
}

impl From<RecordKind> for u8 {
    fn from(kind: RecordKind) -> Self {
        match kind {
            RecordKind::ModeIsInclude => 1,
            RecordKind::ModeIsExclude => 2,
            RecordKind::ChangeToInclude => 3,
            RecordKind::ChangeToExclude => 4,
            RecordKind::AllowNewSources => 5,
            RecordKind::BlockOldSources => 6,
            RecordKind::Other(other) => other,
        }
    }
}

/// A record of a report that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordView<'a, A: Address> {
    /// What it says.
    pub kind: RecordKind,
    /// About which group.
    pub group: A,
    /// About which sources.
    pub sources: Addresses<'a, A>,
}

impl<'a, A: Address> RecordView<'a, A> {
    /// The first record and what is behind it; auxiliary data is skipped.
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Error> {
        let (&[kind, auxiliary, a, b], rest) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
        let (group, rest) = rest.split_at_checked(A::LEN).ok_or(Error::Truncated)?;
        let group = A::read(group).ok_or(Error::Truncated)?;
        let (sources, rest) = Addresses::split(rest, u16::from_be_bytes([a, b]))?;
        let rest = rest.get(usize::from(auxiliary) * 4..).ok_or(Error::Truncated)?;
        Ok((Self { kind: RecordKind::from(kind), group, sources }, rest))
    }
}

/// The records of a report.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Records<'a, A> {
    bytes: &'a [u8],
    count: u16,
    address: PhantomData<A>,
}

impl<'a, A: Address> Records<'a, A> {
    /// So many records; each length is checked. What is behind the last one is ignored.
    pub(super) fn parse(bytes: &'a [u8], count: u16) -> Result<Self, Error> {
        let mut rest = bytes;
        for _ in 0..count {
            (_, rest) = RecordView::<A>::split(rest)?;
        }
        let bytes = &bytes[..bytes.len() - rest.len()];
        Ok(Self { bytes, count, address: PhantomData })
    }

    /// The records, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = RecordView<'a, A>> + use<'a, A> {
        let mut rest = self.bytes;
        (0..self.count).map_while(move |_| {
            let (record, behind) = RecordView::split(rest).ok()?;
            rest = behind;
            Some(record)
        })
    }
}

impl<A: Address + fmt::Debug> fmt::Debug for Records<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A record to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a, A: Address> {
    /// What it says.
    pub kind: RecordKind,
    /// About which group.
    pub group: A,
    /// About which sources; at most 65535.
    pub sources: &'a [A],
}

impl<A: Address> Emit for Record<'_, A> {
    fn wire_len(&self) -> usize {
        4 + A::LEN * (1 + self.sources.len())
    }

    fn emit(&self, out: &mut [u8]) {
        let [a, b] = count(self.sources.len());
        out[..4].copy_from_slice(&[u8::from(self.kind), 0, a, b]);
        self.group.write(&mut out[4..4 + A::LEN]);
        emit_addresses(self.sources, &mut out[4 + A::LEN..]);
    }
}

/// A number of records or addresses for a field of 16 bits.
pub(super) fn count(length: usize) -> [u8; 2] {
    debug_assert!(length <= usize::from(u16::MAX), "{length} records or addresses");
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// Writes addresses one after the other.
pub(super) fn emit_addresses<A: Address>(addresses: &[A], out: &mut [u8]) {
    for (address, out) in addresses.iter().zip(out.chunks_exact_mut(A::LEN)) {
        address.write(out);
    }
}

/// Writes records one after the other.
pub(super) fn emit_records<A: Address>(records: &[Record<'_, A>], mut out: &mut [u8]) {
    for record in records {
        record.emit(out);
        out = &mut out[record.wire_len()..];
    }
}

/// The number behind a code with `bits` bits: as it is, or with an exponent of three bits when the
/// highest bit is set (RFC 3376, section 4.1.1; RFC 3810, section 5.1.3).
pub(super) const fn decode(code: u32, bits: u32) -> u32 {
    let mantissa_bits = bits - 4;
    if code >> (bits - 1) == 0 {
        return code;
    }
    let mantissa = code & ((1 << mantissa_bits) - 1);
    let exponent = code >> mantissa_bits & 7;
    (mantissa | 1 << mantissa_bits) << (exponent + 3)
}

/// The code for a number: the largest that stands for no more than it.
pub(super) const fn encode(number: u32, bits: u32) -> u32 {
    let mantissa_bits = bits - 4;
    if number < 1 << (bits - 1) {
        return number;
    }
    let mut exponent = 0;
    while exponent < 7 && number >> (exponent + 3) >= 2 << mantissa_bits {
        exponent += 1;
    }
    let shifted = number >> (exponent + 3);
    let limit = (2 << mantissa_bits) - 1;
    let mantissa = (if shifted > limit { limit } else { shifted }) & ((1 << mantissa_bits) - 1);
    1 << (bits - 1) | exponent << mantissa_bits | mantissa
}
