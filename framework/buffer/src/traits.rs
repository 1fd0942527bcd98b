//! What a `ByteBuf` is to other code: a slice, a `bytes::Buf`, a `fmt::Write`.

use alloc::string::String;
use alloc::vec::Vec;
use core::borrow::{Borrow, BorrowMut};
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Deref, DerefMut};

use bytes::{Buf, Bytes};

use crate::ByteBuf;

/// How many bytes `Debug` shows.
const DEBUG_BYTES_MAX: usize = 16;

impl Default for ByteBuf {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

/// Copies the readable bytes (as `BytesMut` does); the maximum capacity stays the same. To
/// share instead, [`freeze`](ByteBuf::freeze) and clone the `Bytes`.
impl Clone for ByteBuf {
    fn clone(&self) -> Self {
        let mut copy = Self::copy_from_slice(self);
        copy.set_max_capacity(self.max_capacity());
        copy
    }
}

impl fmt::Debug for ByteBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Prefix<'a>(&'a [u8]);
        impl fmt::Debug for Prefix<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for byte in self.0.iter().take(DEBUG_BYTES_MAX) {
                    write!(f, "{byte:02x}")?;
                }
                if self.0.len() > DEBUG_BYTES_MAX { f.write_str("..") } else { Ok(()) }
            }
        }
        f.debug_struct("ByteBuf")
            .field("reader", &self.reader_index())
            .field("writer", &self.writer_index())
            .field("capacity", &self.capacity())
            .field("bytes", &Prefix(self))
            .finish()
    }
}

impl Deref for ByteBuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl DerefMut for ByteBuf {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

impl AsRef<[u8]> for ByteBuf {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsMut<[u8]> for ByteBuf {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

impl Borrow<[u8]> for ByteBuf {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl BorrowMut<[u8]> for ByteBuf {
    #[inline]
    fn borrow_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

impl From<&[u8]> for ByteBuf {
    fn from(bytes: &[u8]) -> Self {
        Self::copy_from_slice(bytes)
    }
}

impl<const N: usize> From<&[u8; N]> for ByteBuf {
    fn from(bytes: &[u8; N]) -> Self {
        Self::copy_from_slice(bytes)
    }
}

impl From<&str> for ByteBuf {
    fn from(text: &str) -> Self {
        Self::copy_from_slice(text.as_bytes())
    }
}

/// Copies: header and data of a buffer are one allocation.
impl From<Vec<u8>> for ByteBuf {
    fn from(bytes: Vec<u8>) -> Self {
        Self::copy_from_slice(&bytes)
    }
}

/// Copies: header and data of a buffer are one allocation.
impl From<String> for ByteBuf {
    fn from(text: String) -> Self {
        Self::copy_from_slice(text.as_bytes())
    }
}

/// The same as [`ByteBuf::freeze`]: copies nothing.
impl From<ByteBuf> for Bytes {
    fn from(buf: ByteBuf) -> Self {
        buf.freeze()
    }
}

impl Eq for ByteBuf {}

impl PartialEq for ByteBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Ord for ByteBuf {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl PartialOrd for ByteBuf {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for ByteBuf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

/// Comparing the readable bytes with whatever is bytes, from both sides.
macro_rules! equal {
    ($($(#[const $n:ident])? $other:ty;)*) => {$(
        impl$(<const $n: usize>)? PartialEq<$other> for ByteBuf {
            fn eq(&self, other: &$other) -> bool {
                self.as_slice() == <$other as AsRef<[u8]>>::as_ref(other)
            }
        }

        impl$(<const $n: usize>)? PartialEq<ByteBuf> for $other {
            fn eq(&self, other: &ByteBuf) -> bool {
                other == self
            }
        }
    )*};
}

equal! {
    [u8];
    &[u8];
    #[const N] [u8; N];
    #[const N] &[u8; N];
    str;
    &str;
    Vec<u8>;
    Bytes;
}

impl Extend<u8> for ByteBuf {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        let bytes = bytes.into_iter();
        self.reserve(bytes.size_hint().0);
        for byte in bytes {
            self.write_u8(byte);
        }
    }
}

impl<'a> Extend<&'a u8> for ByteBuf {
    fn extend<I: IntoIterator<Item = &'a u8>>(&mut self, bytes: I) {
        self.extend(bytes.into_iter().copied());
    }
}

/// Fails, instead of panicking, when the maximum capacity is reached.
impl fmt::Write for ByteBuf {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.try_write_slice(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

impl Buf for ByteBuf {
    #[inline]
    fn remaining(&self) -> usize {
        self.readable()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.as_slice()
    }

    /// # Panics
    /// When fewer than `cnt` bytes are readable.
    #[inline]
    #[track_caller]
    fn advance(&mut self, cnt: usize) {
        if let Err(error) = self.skip(cnt) {
            panic!("cannot advance: {error}");
        }
    }

    /// Shares instead of copying.
    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        self.split_to(len).freeze()
    }
}
