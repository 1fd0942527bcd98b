//! What can be shaped: messages that know how many bytes they are, and can be cut.

use std::sync::Arc;

use fyke_buffer::ByteBuf;

use crate::outgoing::{Datagram, FileRegion, Outgoing};

/// A message that comes in, for [`TrafficShapingHandler`](super::TrafficShapingHandler).
pub trait ShapedRead: 'static {
    /// How many bytes it is.
    fn bytes(&self) -> u64;
}

/// A message that goes out, for [`TrafficShapingHandler`](super::TrafficShapingHandler).
pub trait ShapedWrite: Sized + 'static {
    /// How many bytes it is.
    fn bytes(&self) -> u64;

    /// How many of them take memory while it waits.
    fn bytes_in_memory(&self) -> u64 {
        self.bytes()
    }

    /// Whether it means the same in pieces.
    fn can_be_cut(&self) -> bool {
        false
    }

    /// Cuts the first `n` bytes off, fewer than it has; `None` when it cannot be cut.
    fn cut(&mut self, n: u64) -> Option<Self> {
        let _ = n;
        None
    }
}

impl ShapedRead for ByteBuf {
    fn bytes(&self) -> u64 {
        self.readable() as u64
    }
}

impl ShapedRead for Datagram {
    fn bytes(&self) -> u64 {
        self.payload.readable() as u64
    }
}

impl ShapedWrite for Datagram {
    fn bytes(&self) -> u64 {
        self.payload.readable() as u64
    }
}

impl ShapedWrite for ByteBuf {
    fn bytes(&self) -> u64 {
        self.readable() as u64
    }
}

impl ShapedWrite for Outgoing {
    fn bytes(&self) -> u64 {
        self.len()
    }

    fn bytes_in_memory(&self) -> u64 {
        Outgoing::bytes_in_memory(self)
    }

    fn can_be_cut(&self) -> bool {
        true
    }

    fn cut(&mut self, n: u64) -> Option<Self> {
        let short = usize::try_from(n).ok()?;
        Some(match self {
            Self::Buf(buf) => Self::Buf(buf.split_to(short)),
            Self::Bytes(bytes) => Self::Bytes(bytes.split_to(short)),
            Self::Composite(rope) => Self::Composite(Box::new(rope.split_to(short))),
            Self::File(region) => {
                let front = FileRegion::new(Arc::clone(region.source()), region.offset(), n);
                region.advance(n);
                Self::File(front)
            }
        })
    }
}
