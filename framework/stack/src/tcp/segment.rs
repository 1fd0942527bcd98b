//! A TCP segment as a value: what the state machine reads and writes, without addresses.

use core::fmt;
use core::ops::{BitOr, BitOrAssign};

use bytes::Bytes;

use super::SeqNum;

/// The control bits of a segment, as they stand in the header (RFC 9293, section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u16);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// No more data from the sender.
    pub const FIN: Self = Self(1);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(1 << 1);
    /// Reset the connection.
    pub const RST: Self = Self(1 << 2);
    /// Push: deliver at once.
    pub const PSH: Self = Self(1 << 3);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(1 << 4);
    /// The urgent pointer counts.
    pub const URG: Self = Self(1 << 5);
    /// ECN echo (RFC 3168).
    pub const ECE: Self = Self(1 << 6);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(1 << 7);
    /// The former nonce sum; accurate ECN (RFC 9768) uses it.
    pub const AE: Self = Self(1 << 8);

    /// The low nine bits of the header's flags field.
    #[must_use]
    #[inline]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & 0x1ff)
    }

    /// The bits for a header.
    #[must_use]
    #[inline]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether every flag of `other` is set.
    #[must_use]
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether one of the flags of `other` is set.
    #[must_use]
    #[inline]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// `self` and `other` together.
    #[must_use]
    #[inline]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// `self` without the flags of `other`.
    #[must_use]
    #[inline]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.with(other);
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LETTERS: [(Flags, &str); 9] = [
            (Flags::SYN, "S"),
            (Flags::FIN, "F"),
            (Flags::RST, "R"),
            (Flags::PSH, "P"),
            (Flags::URG, "U"),
            (Flags::ECE, "E"),
            (Flags::CWR, "W"),
            (Flags::AE, "A"),
            (Flags::ACK, "."),
        ];
        if *self == Self::NONE {
            return f.write_str("-");
        }
        LETTERS
            .iter()
            .filter(|(flag, _)| self.contains(*flag))
            .try_for_each(|(_, l)| f.write_str(l))
    }
}

/// The two ECN bits of the IP header that carries a segment (RFC 3168, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Ecn {
    /// The transport does not do ECN.
    #[default]
    NotCapable = 0,
    /// ECN-capable, ECT(1).
    Capable1 = 1,
    /// ECN-capable, ECT(0).
    Capable0 = 2,
    /// Congestion experienced.
    Congestion = 3,
}

impl Ecn {
    /// From the low two bits of the traffic class.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            1 => Self::Capable1,
            2 => Self::Capable0,
            3 => Self::Congestion,
            _ => Self::NotCapable,
        }
    }
}

/// The timestamps option (RFC 7323, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Timestamp {
    /// TSval: the sender's clock.
    pub value: u32,
    /// TSecr: the clock value that is echoed; means nothing without ACK.
    pub echo: u32,
}

/// Up to four SACK blocks, each from its left edge to just before its right edge (RFC 2018).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct SackBlocks {
    blocks: [(SeqNum, SeqNum); 4],
    len: u8,
}

impl SackBlocks {
    /// The most that fit into the option space.
    pub const MAX: usize = 4;

    /// No block.
    pub const EMPTY: Self = Self { blocks: [(SeqNum::new(0), SeqNum::new(0)); 4], len: 0 };

    /// Adds a block unless there are four; tells whether it was added.
    pub const fn push(&mut self, left: SeqNum, right: SeqNum) -> bool {
        let at = self.len as usize;
        if at == Self::MAX {
            return false;
        }
        self.blocks[at] = (left, right);
        self.len += 1;
        true
    }

    /// The blocks in the order of the header: the first is the most recent, or a D-SACK (RFC 2883).
    #[must_use]
    pub fn as_slice(&self) -> &[(SeqNum, SeqNum)] {
        &self.blocks[..usize::from(self.len)]
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Debug for SackBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// The options of a segment that mean something to TCP's behaviour.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Maximum segment size; counts on SYN only.
    pub mss: Option<u16>,
    /// Window scale, as it was sent (values above 14 mean 14); counts on SYN only.
    pub window_scale: Option<u8>,
    /// SACK permitted; counts on SYN only.
    pub sack_permitted: bool,
    /// Timestamps.
    pub timestamp: Option<Timestamp>,
    /// SACK blocks.
    pub sack: SackBlocks,
    /// Fast Open cookie; an empty one asks for a cookie (RFC 7413).
    pub fast_open: Option<Bytes>,
}

/// A segment: header fields that mean something to TCP's behaviour, and the payload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Segment {
    /// The sequence number of the first byte, or of the SYN.
    pub seq: SeqNum,
    /// The acknowledgement number; counts when `flags` contain ACK.
    pub ack: SeqNum,
    /// The control bits.
    pub flags: Flags,
    /// The window as it stands in the header, not scaled.
    pub window: u16,
    /// The urgent pointer; counts when `flags` contain URG.
    pub urgent: u16,
    /// The options.
    pub options: Options,
    /// The ECN bits of the IP header.
    pub ecn: Ecn,
    /// The payload, sharing the frame it came in or the buffer it was written into.
    pub payload: Bytes,
    /// With segmentation offload, the payload size of each segment on the wire (in: as the device
    /// told; out: as the device shall cut); 0 when the payload is one segment.
    pub gso_size: u16,
}

impl Segment {
    /// The sequence numbers it takes: payload, SYN and FIN (SEG.LEN of RFC 9293).
    #[must_use]
    pub fn sequence_length(&self) -> u32 {
        let payload = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        let control =
            u32::from(self.flags.contains(Flags::SYN)) + u32::from(self.flags.contains(Flags::FIN));
        payload.wrapping_add(control)
    }

    /// How many segments of the wire it stands for, at least one.
    #[must_use]
    pub fn segments(&self) -> usize {
        match usize::from(self.gso_size) {
            0 => 1,
            size => self.payload.len().div_ceil(size).max(1),
        }
    }
}
