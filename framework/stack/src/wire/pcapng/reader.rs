//! Reading a capture back: interfaces and packets, in both byte orders, with any time resolution.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{
    BYTE_ORDER, COMMENT, Direction, END_OF_OPTIONS, ENHANCED_PACKET, INTERFACE_DESCRIPTION,
    INTERFACE_NAME, InterfaceId, LinkType, PACKET_FLAGS, SECTION_HEADER, TIME_RESOLUTION,
};

/// Most interfaces of one section that are kept.
pub const INTERFACES_MAX: usize = 4096;

/// Why a capture cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// It ends in the middle of a block.
    Truncated,
    /// A length contradicts the block it stands in.
    Length,
    /// It does not begin with a section header, or one has no byte order.
    NotPcapng,
    /// A packet of an interface that was not described.
    UnknownInterface,
    /// More interfaces than [`INTERFACES_MAX`].
    TooManyInterfaces,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the capture ends in the middle of a block",
            Self::Length => "a length contradicts its block",
            Self::NotPcapng => "not a pcapng capture",
            Self::UnknownInterface => "a packet of an interface that was not described",
            Self::TooManyInterfaces => "too many interfaces",
        })
    }
}

impl core::error::Error for ReadError {}

/// One block.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Block<'a> {
    /// A section begins, and its interfaces are numbered from zero again.
    Section,
    /// An interface.
    Interface(Interface),
    /// A packet.
    Packet(Packet<'a>),
    /// A block of another kind, which was skipped.
    Other(u32),
}

/// An interface of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// What its packets begin with.
    pub link: LinkType,
    /// Its name, when it has one.
    pub name: String,
    /// Most bytes of a packet that were written; zero when there is no limit.
    pub snap_len: u32,
    resolution: u8,
}

/// A packet of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// On which interface.
    pub interface: InterfaceId,
    /// What it begins with.
    pub link: LinkType,
    /// When, in nanoseconds.
    pub time_ns: u64,
    /// Which way.
    pub direction: Direction,
    /// What was written of it.
    pub bytes: &'a [u8],
    /// How long it was.
    pub original_len: u32,
    /// What there is to say about it.
    pub comments: Vec<String>,
}

/// Reads a capture in memory, block by block. It ends behind the first error.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    big_endian: bool,
    in_section: bool,
    interfaces: Vec<(LinkType, u8)>,
}

impl<'a> Reader<'a> {
    /// Over a whole capture.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, big_endian: false, in_section: false, interfaces: Vec::new() }
    }

    /// The packets alone.
    pub fn packets(self) -> impl Iterator<Item = Result<Packet<'a>, ReadError>> {
        self.filter_map(|block| match block {
            Ok(Block::Packet(packet)) => Some(Ok(packet)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    fn word(&self, bytes: &[u8], at: usize) -> Result<u32, ReadError> {
        let word = *bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or(ReadError::Length)?;
        Ok(if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
    }

    fn half(&self, bytes: &[u8], at: usize) -> Result<u16, ReadError> {
        let half = *bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or(ReadError::Length)?;
        Ok(if self.big_endian { u16::from_be_bytes(half) } else { u16::from_le_bytes(half) })
    }

    /// Kind and body of the next block.
    fn split(&mut self) -> Result<(u32, &'a [u8]), ReadError> {
        let bytes = self.rest;
        // A section header's type reads the same in both byte orders; the order stands behind it.
        if self.word(bytes, 0) == Ok(SECTION_HEADER) {
            let magic = bytes.get(8..12).ok_or(ReadError::Truncated)?;
            self.big_endian = match magic {
                _ if magic == BYTE_ORDER.to_le_bytes() => false,
                _ if magic == BYTE_ORDER.to_be_bytes() => true,
                _ => return Err(ReadError::NotPcapng),
            };
            self.in_section = true;
            self.interfaces.clear();
        } else if !self.in_section {
            return Err(ReadError::NotPcapng);
        }
        let kind = self.word(bytes, 0).map_err(|_| ReadError::Truncated)?;
        let length = self.word(bytes, 4).map_err(|_| ReadError::Truncated)? as usize;
        if length < 12 || !length.is_multiple_of(4) {
            return Err(ReadError::Length);
        }
        let (block, rest) = bytes.split_at_checked(length).ok_or(ReadError::Truncated)?;
        if self.word(block, length - 4)? as usize != length {
            return Err(ReadError::Length);
        }
        self.rest = rest;
        Ok((kind, &block[8..length - 4]))
    }

    fn block(&mut self) -> Result<Block<'a>, ReadError> {
        let (kind, body) = self.split()?;
        match kind {
            SECTION_HEADER => Ok(Block::Section),
            INTERFACE_DESCRIPTION => self.interface(body).map(Block::Interface),
            ENHANCED_PACKET => self.packet(body).map(Block::Packet),
            other => Ok(Block::Other(other)),
        }
    }

    fn interface(&mut self, body: &'a [u8]) -> Result<Interface, ReadError> {
        if self.interfaces.len() == INTERFACES_MAX {
            return Err(ReadError::TooManyInterfaces);
        }
        let link = LinkType(self.half(body, 0)?);
        let snap_len = self.word(body, 4)?;
        let mut interface = Interface { link, name: String::new(), snap_len, resolution: 6 };
        self.options(body.get(8..).unwrap_or_default(), |code, value| match (code, value) {
            (INTERFACE_NAME, name) => interface.name = String::from_utf8_lossy(name).into_owned(),
            (TIME_RESOLUTION, &[resolution]) => interface.resolution = resolution,
            _ => {}
        })?;
        self.interfaces.push((link, interface.resolution));
        Ok(interface)
    }

    fn packet(&mut self, body: &'a [u8]) -> Result<Packet<'a>, ReadError> {
        let number = self.word(body, 0)?;
        let &(link, resolution) =
            self.interfaces.get(number as usize).ok_or(ReadError::UnknownInterface)?;
        let ticks = u64::from(self.word(body, 4)?) << 32 | u64::from(self.word(body, 8)?);
        let captured = self.word(body, 12)? as usize;
        let original_len = self.word(body, 16)?;
        let (bytes, rest) = body[20..].split_at_checked(captured).ok_or(ReadError::Length)?;
        let padding = captured.next_multiple_of(4) - captured;
        let mut packet = Packet {
            interface: InterfaceId(number),
            link,
            time_ns: nanoseconds(ticks, resolution),
            direction: Direction::Unknown,
            bytes,
            original_len,
            comments: Vec::new(),
        };
        let mut flags = 0;
        let this = &*self;
        this.options(rest.get(padding..).unwrap_or_default(), |code, value| match code {
            COMMENT => packet.comments.push(String::from_utf8_lossy(value).into_owned()),
            PACKET_FLAGS => flags = this.word(value, 0).unwrap_or(0),
            _ => {}
        })?;
        packet.direction = match flags & 3 {
            1 => Direction::Inbound,
            2 => Direction::Outbound,
            _ => Direction::Unknown,
        };
        Ok(packet)
    }

    fn options(
        &self,
        mut bytes: &'a [u8],
        mut each: impl FnMut(u16, &'a [u8]),
    ) -> Result<(), ReadError> {
        while bytes.len() >= 4 {
            let (code, length) = (self.half(bytes, 0)?, usize::from(self.half(bytes, 2)?));
            if code == END_OF_OPTIONS {
                break;
            }
            each(code, bytes.get(4..4 + length).ok_or(ReadError::Length)?);
            bytes = bytes.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(())
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Block<'a>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let block = self.block();
        if block.is_err() {
            self.rest = &[];
        }
        Some(block)
    }
}

/// Ticks as nanoseconds. The resolution is a negative power of ten, or of two with the highest bit.
fn nanoseconds(ticks: u64, resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let ticks = u128::from(ticks);
    let value = if resolution & 0x80 != 0 {
        ticks.checked_mul(1_000_000_000).map_or(0, |value| value.checked_shr(exponent).unwrap_or(0))
    } else if exponent <= 9 {
        ticks * 10u128.pow(9 - exponent)
    } else {
        10u128.checked_pow(exponent - 9).map_or(0, |divisor| ticks / divisor)
    };
    u64::try_from(value).unwrap_or(u64::MAX)
}
