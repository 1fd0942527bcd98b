//! Captures in the pcapng format (draft-ietf-opsawg-pcapng), written to whatever takes bytes, and
//! a reader for tests and replays.
//!
//! ```text
//!   section header          little-endian, length not given
//!   interface description   one for each interface: link type, name, nanosecond time stamps
//!   enhanced packet         interface, time, bytes, direction, comments
//! ```
//! A block is handed to the sink in one piece, so that a capture that is cut off ends between two
//! blocks as a rule.

mod reader;

use alloc::vec::Vec;
use core::convert::Infallible;

pub use reader::{Block, INTERFACES_MAX, Interface, Packet, ReadError, Reader};

/// Blocks that are written and read.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// Tells the byte order of a section.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// Options of blocks.
const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const USER_APPLICATION: u16 = 4;
const TIME_RESOLUTION: u16 = 9;
const PACKET_FLAGS: u16 = 2;

/// Where a capture goes. `Vec<u8>` is one; one over a file belongs to a crate that knows files.
pub trait Sink {
    /// Why bytes could not be taken.
    type Error;

    /// Takes all of `bytes`.
    ///
    /// # Errors
    /// When it cannot; the capture is of no use behind that point.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

impl Sink for Vec<u8> {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    type Error = S::Error;

    fn write(&mut self, bytes: &[u8]) -> Result<(), S::Error> {
        (**self).write(bytes)
    }
}

/// What the packets of an interface begin with, by the numbers of tcpdump.org.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// An Ethernet header.
    pub const ETHERNET: Self = Self(1);
    /// An IP header of either version.
    pub const RAW: Self = Self(101);
}

/// Which way a packet went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Nobody said.
    #[default]
    Unknown,
    /// To us.
    Inbound,
    /// From us.
    Outbound,
}

/// Names one of a capture's interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfaceId(u32);

impl InterfaceId {
    /// Its number in the section.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// A packet to write.
#[derive(Debug, Clone, Copy)]
pub struct Capture<'a> {
    /// On which interface.
    pub interface: InterfaceId,
    /// When: nanoseconds since 1970, or since the start of a simulation.
    pub time_ns: u64,
    /// Which way.
    pub direction: Direction,
    /// Its bytes, in as many slices as they happen to be in.
    pub bytes: &'a [&'a [u8]],
    /// What there is to say about it.
    pub comments: &'a [&'a str],
}

/// Writes a capture: one section, any number of interfaces and packets.
#[derive(Debug)]
pub struct Writer<S> {
    sink: S,
    interfaces: u32,
    snap_len: u32,
    block: Vec<u8>,
}

/// Most bytes of one packet that are written, unless told otherwise: those of the largest one.
const SNAP_LEN: u32 = 262_144;
/// Most bytes of one comment; an option's length has 16 bits.
const COMMENT_LEN_MAX: usize = 0xfff0;

impl<S: Sink> Writer<S> {
    /// Begins a capture.
    ///
    /// # Errors
    /// When the sink has one.
    pub fn new(sink: S) -> Result<Self, S::Error> {
        let mut this = Self { sink, interfaces: 0, snap_len: SNAP_LEN, block: Vec::new() };
        this.begin(SECTION_HEADER);
        this.word(BYTE_ORDER);
        this.block.extend([1, 0, 0, 0]); // version 1.0
        this.block.extend([0xff; 8]); // the section's length is not known yet
        this.option(USER_APPLICATION, b"fyke");
        this.end_options();
        this.end()?;
        Ok(this)
    }

    /// How many bytes of a packet are written at most; the rest is counted only. At least one.
    #[must_use]
    pub const fn snap_len(mut self, bytes: u32) -> Self {
        self.snap_len = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// Adds an interface, whose packets may follow.
    ///
    /// # Errors
    /// When the sink has one.
    pub fn interface(&mut self, link: LinkType, name: &str) -> Result<InterfaceId, S::Error> {
        let id = InterfaceId(self.interfaces);
        self.interfaces += 1;
        self.begin(INTERFACE_DESCRIPTION);
        self.word(u32::from(link.0));
        self.word(self.snap_len);
        self.option(INTERFACE_NAME, name.as_bytes());
        self.option(TIME_RESOLUTION, &[9]); // 10^-9 s
        self.end_options();
        self.end()?;
        Ok(id)
    }

    /// Adds a packet.
    ///
    /// # Errors
    /// When the sink has one.
    pub fn packet(&mut self, packet: &Capture<'_>) -> Result<(), S::Error> {
        let original: usize = packet.bytes.iter().map(|slice| slice.len()).sum();
        let original = u32::try_from(original).unwrap_or(u32::MAX);
        let captured = original.min(self.snap_len);
        self.begin(ENHANCED_PACKET);
        self.word(packet.interface.0);
        self.word((packet.time_ns >> 32) as u32);
        self.word(packet.time_ns as u32);
        self.word(captured);
        self.word(original);
        let mut left = captured as usize;
        for slice in packet.bytes {
            let kept = slice.len().min(left);
            self.block.extend_from_slice(&slice[..kept]);
            left -= kept;
        }
        self.pad();
        let flags: u32 = match packet.direction {
            Direction::Unknown => 0,
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        };
        if flags != 0 {
            self.option(PACKET_FLAGS, &flags.to_le_bytes());
        }
        for comment in packet.comments {
            self.option(COMMENT, comment.as_bytes());
        }
        if flags != 0 || !packet.comments.is_empty() {
            self.end_options();
        }
        self.end()
    }

    /// The sink.
    pub const fn get_ref(&self) -> &S {
        &self.sink
    }

    /// The sink, for flushing it.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Ends the capture.
    pub fn into_inner(self) -> S {
        self.sink
    }

    /// A new block, whose length is not known yet.
    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.word(kind);
        self.word(0);
    }

    fn word(&mut self, word: u32) {
        self.block.extend(word.to_le_bytes());
    }

    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    /// An option; a value that is too long is cut, where a character of text begins.
    fn option(&mut self, code: u16, value: &[u8]) {
        let mut length = value.len().min(COMMENT_LEN_MAX);
        while length < value.len() && length > 0 && value[length] & 0xc0 == 0x80 {
            length -= 1;
        }
        self.block.extend(code.to_le_bytes());
        self.block.extend((length as u16).to_le_bytes());
        self.block.extend_from_slice(&value[..length]);
        self.pad();
    }

    fn end_options(&mut self) {
        self.option(END_OF_OPTIONS, &[]);
    }

    /// Completes the block and hands it over.
    fn end(&mut self) -> Result<(), S::Error> {
        let length = u32::try_from(self.block.len() + 4).unwrap_or(u32::MAX);
        self.word(length);
        self.block[4..8].copy_from_slice(&length.to_le_bytes());
        self.sink.write(&self.block)
    }
}
