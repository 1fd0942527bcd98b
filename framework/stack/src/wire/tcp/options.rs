//! Options of TCP: MSS (RFC 9293), window scale and timestamps (7323), SACK (2018), fast open (7413).

use core::fmt;

use super::OPTIONS_LEN_MAX;
use crate::wire::option_bytes::{END_OF_LIST, NOP, OptionBytes, RawOption, next_option};

const MAXIMUM_SEGMENT_SIZE: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
const FAST_OPEN: u8 = 34;
const EXPERIMENT: u8 = 254;

/// What tells fast open from other experiments (RFC 7413, section 4.1.1).
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

/// One option of a segment.
///
/// A known option with a length that it cannot have is an [`Unknown`](Self::Unknown) one: it is
/// kept as it stands and means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TcpOption<'a> {
    /// No option follows; the iterator ends behind it.
    EndOfList,
    /// One byte that says nothing.
    Nop,
    /// The largest segment the sender can receive.
    MaximumSegmentSize(u16),
    /// By how many bits the sender's windows are shifted, as it was sent.
    WindowScale(u8),
    /// The sender understands SACK.
    SackPermitted,
    /// What was received out of order.
    Sack(SackBlocks),
    /// Timestamps.
    Timestamps {
        /// TSval: the sender's clock.
        value: u32,
        /// TSecr: the clock value that is echoed.
        echo: u32,
    },
    /// A fast open cookie; an empty one asks for a cookie.
    FastOpen(&'a [u8]),
    /// The same under the shared number for experiments, with its magic number.
    FastOpenExperiment(&'a [u8]),
    /// Any other option.
    Unknown {
        /// Its kind.
        kind: u8,
        /// What stands behind its length.
        data: &'a [u8],
    },
}

impl<'a> TcpOption<'a> {
    /// An option with a length, from what stands behind it.
    fn from_data(kind: u8, data: &'a [u8]) -> Self {
        match (kind, data) {
            (MAXIMUM_SEGMENT_SIZE, &[a, b]) => Self::MaximumSegmentSize(u16::from_be_bytes([a, b])),
            (WINDOW_SCALE, &[shift]) => Self::WindowScale(shift),
            (SACK_PERMITTED, []) => Self::SackPermitted,
            (SACK, _) => match SackBlocks::from_bytes(data) {
                Some(blocks) => Self::Sack(blocks),
                None => Self::Unknown { kind, data },
            },
            (TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => Self::Timestamps {
                value: u32::from_be_bytes([a, b, c, d]),
                echo: u32::from_be_bytes([e, f, g, h]),
            },
            (FAST_OPEN, _) => Self::FastOpen(data),
            (EXPERIMENT, [a, b, cookie @ ..]) if [*a, *b] == FAST_OPEN_MAGIC => {
                Self::FastOpenExperiment(cookie)
            }
            _ => Self::Unknown { kind, data },
        }
    }
}

/// Up to four blocks, each from its left edge to just before its right edge, in the header's order.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct SackBlocks {
    blocks: [(u32, u32); 4],
    len: u8,
}

impl SackBlocks {
    /// The most that fit into the option space.
    pub const MAX: usize = 4;

    /// No block.
    pub const EMPTY: Self = Self { blocks: [(0, 0); 4], len: 0 };

    /// From the first four of `blocks`.
    #[must_use]
    pub fn new(blocks: &[(u32, u32)]) -> Self {
        let mut these = Self::EMPTY;
        for block in blocks.iter().take(Self::MAX) {
            these.blocks[usize::from(these.len)] = *block;
            these.len += 1;
        }
        these
    }

    /// The data of an option: at least one block, whole blocks only.
    fn from_bytes(data: &[u8]) -> Option<Self> {
        let (blocks, rest) = data.as_chunks::<8>();
        if !rest.is_empty() || blocks.is_empty() || blocks.len() > Self::MAX {
            return None;
        }
        let mut these = Self { blocks: [(0, 0); 4], len: blocks.len() as u8 };
        for (at, &[a, b, c, d, e, f, g, h]) in blocks.iter().enumerate() {
            let edges = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
            these.blocks[at] = edges;
        }
        Some(these)
    }

    /// The blocks.
    #[must_use]
    pub fn as_slice(&self) -> &[(u32, u32)] {
        &self.blocks[..usize::from(self.len)]
    }
}

impl fmt::Debug for SackBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// The options of a segment. Ends at the end of the list, and at the first option whose length is
/// less than its own two bytes or more than what is left.
#[derive(Debug, Clone)]
pub struct OptionsIter<'a> {
    rest: &'a [u8],
}

impl<'a> OptionsIter<'a> {
    /// The value and the echo when there are timestamps behind two NOPs and nothing else.
    #[must_use]
    #[inline]
    pub const fn only_timestamps(bytes: &[u8]) -> Option<(u32, u32)> {
        match *bytes {
            [NOP, NOP, TIMESTAMPS, 10, a, b, c, d, e, f, g, h] => {
                Some((u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])))
            }
            _ => None,
        }
    }

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
    type Item = TcpOption<'a>;

    fn next(&mut self) -> Option<TcpOption<'a>> {
        Some(match next_option(&mut self.rest)? {
            RawOption::EndOfList => TcpOption::EndOfList,
            RawOption::Nop => TcpOption::Nop,
            RawOption::Data { kind, data } => TcpOption::from_data(kind, data),
        })
    }
}

/// Options to emit, in the order they were pushed; at most 40 bytes.
///
/// The order and the NOPs between them are the caller's, because they tell one system from another.
/// What is missing to a multiple of four is filled with zeros, which end the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options(OptionBytes<OPTIONS_LEN_MAX>);

impl Options {
    /// No option.
    pub const EMPTY: Self = Self(OptionBytes::EMPTY);

    /// Options as they stand in a header; what is behind the 40th byte is cut.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(OptionBytes::from_bytes(bytes))
    }

    /// Timestamps alone, behind two NOPs: what stands in nearly every segment (RFC 7323, appendix A).
    #[must_use]
    pub fn timestamps(value: u32, echo: u32) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (value.to_be_bytes(), echo.to_be_bytes());
        Self::from_bytes(&[NOP, NOP, TIMESTAMPS, 10, a, b, c, d, e, f, g, h])
    }

    /// Adds an option; `false`, and nothing is added, when there is no room for it.
    #[must_use]
    pub fn push(&mut self, option: TcpOption<'_>) -> bool {
        match option {
            TcpOption::EndOfList => self.0.push_raw(&[END_OF_LIST]),
            TcpOption::Nop => self.0.push_raw(&[NOP]),
            TcpOption::MaximumSegmentSize(size) => {
                let [a, b] = size.to_be_bytes();
                self.0.push_raw(&[MAXIMUM_SEGMENT_SIZE, 4, a, b])
            }
            TcpOption::WindowScale(shift) => self.0.push_raw(&[WINDOW_SCALE, 3, shift]),
            TcpOption::SackPermitted => self.0.push_raw(&[SACK_PERMITTED, 2]),
            TcpOption::Sack(blocks) => {
                let mut data = [0; SackBlocks::MAX * 8];
                let (chunks, _) = data.as_chunks_mut::<8>();
                for (chunk, (left, right)) in chunks.iter_mut().zip(blocks.as_slice()) {
                    chunk[..4].copy_from_slice(&left.to_be_bytes());
                    chunk[4..].copy_from_slice(&right.to_be_bytes());
                }
                self.0.push(SACK, &[&data[..blocks.as_slice().len() * 8]])
            }
            TcpOption::Timestamps { value, echo } => {
                let ([a, b, c, d], [e, f, g, h]) = (value.to_be_bytes(), echo.to_be_bytes());
                self.0.push_raw(&[TIMESTAMPS, 10, a, b, c, d, e, f, g, h])
            }
            TcpOption::FastOpen(cookie) => self.0.push(FAST_OPEN, &[cookie]),
            TcpOption::FastOpenExperiment(cookie) => {
                self.0.push(EXPERIMENT, &[&FAST_OPEN_MAGIC, cookie])
            }
            TcpOption::Unknown { kind, data } => self.0.push(kind, &[data]),
        }
    }

    /// All of `options` in their order; `None` when they do not fit.
    #[must_use]
    pub fn new(options: &[TcpOption<'_>]) -> Option<Self> {
        let mut these = Self::EMPTY;
        options.iter().all(|option| these.push(*option)).then_some(these)
    }

    /// How many more bytes fit.
    #[must_use]
    pub fn room(&self) -> usize {
        OPTIONS_LEN_MAX - self.0.as_slice().len()
    }

    /// The options, one after the other.
    #[must_use]
    pub fn iter(&self) -> OptionsIter<'_> {
        OptionsIter::new(self.0.as_slice())
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

    /// Bytes with the padding to a multiple of four.
    #[must_use]
    pub fn padded_len(&self) -> usize {
        self.0.padded_len()
    }

    pub(super) fn emit_padded(&self, out: &mut [u8]) {
        self.0.emit_padded(out);
    }
}
