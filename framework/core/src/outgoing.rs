//! Messages of the byte level: what a stream channel sends, and what datagram channels exchange.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use fyke_buffer::{ByteBuf, CompositeBuf};

use crate::address::Address;

/// What leaves a stream channel's pipeline. A clone of `Bytes` or of a file's piece is cheap; one of
/// `Buf` copies the bytes, also inside a rope.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outgoing {
    /// Bytes in a buffer of ours.
    Buf(ByteBuf),
    /// Shared bytes, sent without a copy.
    Bytes(Bytes),
    /// Several buffers as one message, sent by one gathering write without being copied together.
    Composite(Box<CompositeBuf>),
    /// A piece of a file, sent by the kernel where the transport can.
    File(FileRegion),
}

impl Outgoing {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Buf(buf) => buf.readable() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Composite(rope) => rope.len() as u64,
            Self::File(region) => region.len(),
        }
    }

    /// How many of its bytes take memory: none of a file's.
    #[must_use]
    pub fn bytes_in_memory(&self) -> u64 {
        match self {
            Self::File(_) => 0,
            other => other.len(),
        }
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<ByteBuf> for Outgoing {
    fn from(buf: ByteBuf) -> Self {
        Self::Buf(buf)
    }
}

impl From<Bytes> for Outgoing {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<CompositeBuf> for Outgoing {
    fn from(rope: CompositeBuf) -> Self {
        Self::Composite(Box::new(rope))
    }
}

impl From<FileRegion> for Outgoing {
    fn from(region: FileRegion) -> Self {
        Self::File(region)
    }
}

impl From<&'static [u8]> for Outgoing {
    fn from(bytes: &'static [u8]) -> Self {
        Self::Bytes(Bytes::from_static(bytes))
    }
}

impl From<&'static str> for Outgoing {
    fn from(text: &'static str) -> Self {
        Self::Bytes(Bytes::from_static(text.as_bytes()))
    }
}

impl From<Vec<u8>> for Outgoing {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Bytes::from(bytes))
    }
}

/// Where a [`FileRegion`]'s bytes come from. Implemented for files by the kernel transport.
pub trait RegionSource: Send + Sync + 'static {
    /// Reads at `offset`; fewer bytes than asked only at the end.
    ///
    /// # Errors
    /// Those of the file.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// The thing itself, so that a transport that knows it may send it without a copy.
    fn as_any(&self) -> &dyn std::any::Any;
}

/// A piece of a file as a message.
#[derive(Clone)]
pub struct FileRegion {
    source: Arc<dyn RegionSource>,
    offset: u64,
    len: u64,
}

impl FileRegion {
    /// `len` bytes from `offset`.
    #[must_use]
    pub fn new(source: Arc<dyn RegionSource>, offset: u64, len: u64) -> Self {
        Self { source, offset, len }
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &Arc<dyn RegionSource> {
        &self.source
    }

    /// Where the rest begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes that are left.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes `n` bytes off the front.
    ///
    /// # Panics
    /// When fewer are left.
    pub fn advance(&mut self, n: u64) {
        assert!(n <= self.len, "a file region of {} bytes cannot advance by {n}", self.len);
        self.offset += n;
        self.len -= n;
    }
}

impl fmt::Debug for FileRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileRegion")
            .field("offset", &self.offset)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// One datagram: whom it is from, or for whom, and its bytes.
#[derive(Debug)]
pub struct Datagram {
    /// Inbound: the sender. Outbound: the receiver; `None` is the connected peer.
    pub peer: Option<Address>,
    /// Inbound, where the transport tells it: the address of ours that it was sent to. An answer that
    /// has the same leaves from there; `None` leaves from the endpoint's own. Transports that do not
    /// tell it pay no heed to it.
    pub local: Option<SocketAddr>,
    /// The bytes.
    pub payload: ByteBuf,
    /// Inbound: the datagram was longer than the receive buffer and was cut.
    pub truncated: bool,
}

impl Datagram {
    /// A datagram for `peer`.
    #[must_use]
    pub fn to(peer: Address, payload: impl Into<ByteBuf>) -> Self {
        Self { peer: Some(peer), local: None, payload: payload.into(), truncated: false }
    }

    /// A datagram for the connected peer.
    #[must_use]
    pub fn connected(payload: impl Into<ByteBuf>) -> Self {
        Self { peer: None, local: None, payload: payload.into(), truncated: false }
    }
}
