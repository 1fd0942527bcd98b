//! How this end compresses, and what it wants of the other.

use std::fmt;
use std::sync::Arc;

use super::params::{WINDOW_BITS_MAX, WINDOW_BITS_MIN};
use super::pool::Pool;

/// Options of permessage-deflate, for either end, and the pool of compressors that all connections
/// with these options share: a clone shares it too.
///
/// A connection whose window lives on from message to message (context takeover, the default) keeps
/// a compressor of about 270 KiB from its first long message to its end, and an inflater of some
/// 45 KiB; one without borrows them for each message. Whoever serves very many connections at once
/// asks for [`server_no_context_takeover`](Self::server_no_context_takeover) and
/// [`client_no_context_takeover`](Self::client_no_context_takeover).
///
/// How much may come out of what a peer sends is bounded by [`Limits`](crate::websocket::Limits).
#[derive(Clone)]
#[must_use]
pub struct DeflateConfig {
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_window_bits: u8,
    pub(super) client_window_bits: u8,
    pub(crate) threshold_bytes: usize,
    pub(super) pool: Arc<Pool>,
}

impl DeflateConfig {
    /// The default level of compression: twice as fast as 6, for a few percent more bytes.
    const LEVEL: u32 = 2;
    /// How many idle compressors and inflaters of each kind are kept.
    const IDLE_MAX: usize = 64;

    /// The defaults.
    pub fn new() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_window_bits: WINDOW_BITS_MAX,
            client_window_bits: WINDOW_BITS_MAX,
            threshold_bytes: 256,
            pool: Arc::new(Pool::new(Self::LEVEL, Self::IDLE_MAX)),
        }
    }

    /// Whether the server is to begin each message with an empty window: less memory on the server,
    /// larger messages. Off by default; a client that asks for it gets it.
    pub fn server_no_context_takeover(mut self, on: bool) -> Self {
        self.server_no_context_takeover = on;
        self
    }

    /// Whether the client is to begin each message with an empty window. Off by default.
    pub fn client_no_context_takeover(mut self, on: bool) -> Self {
        self.client_no_context_takeover = on;
        self
    }

    /// The server's largest window, as a power of two: 9 to 15 (15); what is beyond counts as the
    /// nearest.
    pub fn server_max_window_bits(mut self, bits: u8) -> Self {
        self.server_window_bits = bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX);
        self
    }

    /// The client's largest window, as a power of two: 9 to 15 (15); what is beyond counts as the
    /// nearest. A server can ask it only of a client that offers to be asked.
    pub fn client_max_window_bits(mut self, bits: u8) -> Self {
        self.client_window_bits = bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX);
        self
    }

    /// Shorter messages are sent as they are (256 bytes): compressing them costs more than it saves.
    pub fn threshold_bytes(mut self, bytes: usize) -> Self {
        self.threshold_bytes = bytes;
        self
    }

    /// How hard to try, 1 to 9 (2). Makes a new pool.
    pub fn level(mut self, level: u32) -> Self {
        self.pool = Arc::new(Pool::new(level.clamp(1, 9), self.pool.idle_max()));
        self
    }

    /// How many idle compressors, and inflaters, of each window size are kept for others (64).
    /// Makes a new pool.
    pub fn idle_max(mut self, count: usize) -> Self {
        self.pool = Arc::new(Pool::new(self.pool.level(), count));
        self
    }
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DeflateConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeflateConfig")
            .field("server_no_context_takeover", &self.server_no_context_takeover)
            .field("client_no_context_takeover", &self.client_no_context_takeover)
            .field("server_max_window_bits", &self.server_window_bits)
            .field("client_max_window_bits", &self.client_window_bits)
            .field("threshold_bytes", &self.threshold_bytes)
            .field("level", &self.pool.level())
            .finish_non_exhaustive()
    }
}
