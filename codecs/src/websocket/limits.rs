//! How much of each thing a peer may send.

/// Which end of the connection a codec serves: a client's frames are masked, a server's are not
/// (RFC 6455 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Reads masked frames, writes plain ones.
    Server,
    /// Reads plain frames, writes masked ones.
    Client,
}

/// The limits of a decoder, each with a safe default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Limits {
    pub(crate) message_bytes_max: u64,
    pub(crate) fragments_max: u32,
}

impl Limits {
    /// The defaults.
    pub const fn new() -> Self {
        Self { message_bytes_max: 16 * 1024 * 1024, fragments_max: 128 * 1024 }
    }

    /// Largest message, all fragments together; checked against the length a frame declares before
    /// any of it is held. 16 MiB.
    pub const fn message_bytes_max(mut self, bytes: u64) -> Self {
        self.message_bytes_max = bytes;
        self
    }

    /// Most fragments of a message: each may be empty, and each costs work. 131 072.
    pub const fn fragments_max(mut self, fragments: u32) -> Self {
        self.fragments_max = fragments;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
