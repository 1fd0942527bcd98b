//! Content on its way out or in: bytes of one owner, or bytes many share.

use bytes::Bytes;
use core::fmt;
use fyke_buffer::ByteBuf;

/// The content of a message: a buffer of its own, or shared bytes.
///
/// What a decoder produces is a `Buf`, split off the read buffer without a copy. To send the same
/// content to many, call [`share`](Self::share) once and clone the result.
pub enum Payload {
    /// Bytes with one owner.
    Buf(ByteBuf),
    /// Bytes that may have many owners; cloning them copies nothing.
    Bytes(Bytes),
}

impl Payload {
    /// No bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self::Bytes(Bytes::new())
    }

    /// Number of bytes.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Buf(buf) => buf,
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Turns it into shared bytes, without copying them.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Buf(buf) => buf.freeze(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// The same content in a form that is cheap to clone.
    #[must_use]
    pub fn share(self) -> Self {
        Self::Bytes(self.into_bytes())
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::new()
    }
}

/// Shared bytes are shared once more; a buffer of its own is copied.
impl Clone for Payload {
    fn clone(&self) -> Self {
        match self {
            Self::Buf(buf) => Self::Bytes(Bytes::copy_from_slice(buf)),
            Self::Bytes(bytes) => Self::Bytes(bytes.clone()),
        }
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl core::ops::Deref for Payload {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Payload {}

/// The length and the first bytes.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_BYTES_MAX: usize = 32;
        let bytes = self.as_slice();
        let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
        let more = if shown.len() < bytes.len() { ".." } else { "" };
        write!(f, "Payload({} bytes: \"{}\"{more})", bytes.len(), shown.escape_ascii())
    }
}

#[cfg(feature = "pipeline")]
impl From<Payload> for fyke_core::Outgoing {
    #[inline]
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Buf(buf) => Self::Buf(buf),
            Payload::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

impl From<ByteBuf> for Payload {
    fn from(buf: ByteBuf) -> Self {
        Self::Buf(buf)
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&'static str> for Payload {
    fn from(text: &'static str) -> Self {
        Self::Bytes(Bytes::from_static(text.as_bytes()))
    }
}

impl From<&'static [u8]> for Payload {
    fn from(bytes: &'static [u8]) -> Self {
        Self::Bytes(Bytes::from_static(bytes))
    }
}

impl<const N: usize> From<&'static [u8; N]> for Payload {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::Bytes(Bytes::from_static(bytes))
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}
