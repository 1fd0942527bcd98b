//! Searching the readable bytes.

use memchr::{memchr, memmem};

use crate::ByteBuf;

impl ByteBuf {
    /// Where `byte` first occurs, counted from the reader index.
    #[inline]
    #[must_use]
    pub fn find_byte(&self, byte: u8) -> Option<usize> {
        memchr(byte, self.as_slice())
    }

    /// Where `pattern` first occurs, counted from the reader index. An empty pattern is found
    /// at once.
    ///
    /// ```
    /// use fyke_buffer::ByteBuf;
    ///
    /// let buf = ByteBuf::from("GET / HTTP/1.1\r\n\r\n");
    /// assert_eq!(buf.find(b"\r\n\r\n"), Some(14));
    /// assert_eq!(buf.find_byte(b' '), Some(3));
    /// ```
    #[inline]
    #[must_use]
    pub fn find(&self, pattern: &[u8]) -> Option<usize> {
        memmem::find(self.as_slice(), pattern)
    }
}
