//! Limits and times of one TLS connection.

use std::time::Duration;

/// Limits and times of a TLS connection. The defaults are safe on the open internet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TlsOptions {
    /// A handshake that takes longer ends the connection (10 s).
    pub handshake_timeout: Duration,
    /// Bytes that the peer may send for its handshake (64 KiB): its certificates are the largest
    /// part of it.
    pub handshake_bytes_max: usize,
    /// Whether a stream that ends without a `close_notify` is taken for complete. Off by default:
    /// such an end is an error, as somebody on the way may have cut the stream (RFC 8446 section
    /// 6.1). On, for protocols that say themselves where a message ends.
    pub ignore_truncation: bool,
    /// Bytes of a file that are read, encrypted and given to the transport at a time (64 KiB).
    pub file_bytes_per_write: usize,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            handshake_bytes_max: 64 * 1024,
            ignore_truncation: false,
            file_bytes_per_write: 64 * 1024,
        }
    }
}

impl TlsOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Self::handshake_timeout`].
    #[must_use]
    pub fn handshake_timeout(mut self, value: Duration) -> Self {
        self.handshake_timeout = value;
        self
    }

    /// Sets [`Self::handshake_bytes_max`].
    #[must_use]
    pub fn handshake_bytes_max(mut self, value: usize) -> Self {
        self.handshake_bytes_max = value;
        self
    }

    /// Sets [`Self::ignore_truncation`].
    #[must_use]
    pub fn ignore_truncation(mut self, value: bool) -> Self {
        self.ignore_truncation = value;
        self
    }

    /// Sets [`Self::file_bytes_per_write`].
    ///
    /// # Panics
    /// When it is zero.
    #[must_use]
    pub fn file_bytes_per_write(mut self, value: usize) -> Self {
        assert!(value > 0, "a file cannot be read in pieces of nothing");
        self.file_bytes_per_write = value;
        self
    }
}
