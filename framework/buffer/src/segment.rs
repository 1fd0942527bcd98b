//! One part of a rope.

use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use crate::ByteBuf;
use crate::error::OutOfBounds;

/// One part of a [`CompositeBuf`](crate::CompositeBuf): bytes of one's own, or shared ones.
///
/// A clone of a `Buf` copies the bytes, a clone of `Bytes` shares them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Segment {
    /// The readable bytes of a buffer.
    Buf(ByteBuf),
    /// Bytes that cannot change: static ones, or ones sent to many.
    Bytes(Bytes),
}

impl Segment {
    /// How many bytes it has.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// True when it has no bytes.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Buf(buf) => buf,
            Self::Bytes(bytes) => bytes,
        }
    }

    /// The segment as [`Bytes`], without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Buf(buf) => buf.freeze(),
            Self::Bytes(bytes) => bytes,
        }
    }

    pub(crate) fn skip(&mut self, n: usize) -> Result<(), OutOfBounds> {
        match self {
            Self::Buf(buf) => buf.skip(n),
            Self::Bytes(bytes) => {
                check(bytes, n)?;
                bytes.advance(n);
                Ok(())
            }
        }
    }

    pub(crate) fn try_split_to(&mut self, n: usize) -> Result<Self, OutOfBounds> {
        match self {
            Self::Buf(buf) => buf.try_split_to(n).map(Self::Buf),
            Self::Bytes(bytes) => {
                check(bytes, n)?;
                Ok(Self::Bytes(bytes.split_to(n)))
            }
        }
    }
}

fn check(bytes: &Bytes, n: usize) -> Result<(), OutOfBounds> {
    if n > bytes.len() {
        return Err(OutOfBounds { needed: n, available: bytes.len() });
    }
    Ok(())
}

impl AsRef<[u8]> for Segment {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl From<ByteBuf> for Segment {
    fn from(buf: ByteBuf) -> Self {
        Self::Buf(buf)
    }
}

impl From<Bytes> for Segment {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Segment {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<&'static [u8]> for Segment {
    fn from(bytes: &'static [u8]) -> Self {
        Self::Bytes(Bytes::from_static(bytes))
    }
}

impl From<&'static str> for Segment {
    fn from(text: &'static str) -> Self {
        Self::Bytes(Bytes::from_static(text.as_bytes()))
    }
}
