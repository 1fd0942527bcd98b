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
    pub(crate) inflate_ratio_max: u32,
}

impl Limits {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            message_bytes_max: 16 * 1024 * 1024,
            fragments_max: 128 * 1024,
            inflate_ratio_max: 256,
        }
    }

    /// Largest message, all fragments together; checked against the length a frame declares before
    /// any of it is held, and counted after inflating. 16 MiB.
    pub const fn message_bytes_max(mut self, bytes: u64) -> Self {
        self.message_bytes_max = bytes;
        self
    }

    /// Most fragments of a message: each may be empty, and each costs work. 131 072.
    pub const fn fragments_max(mut self, fragments: u32) -> Self {
        self.fragments_max = fragments;
        self
    }

    /// How many times its size a compressed message may become, looked at beyond 1 MiB. 256; deflate
    /// itself ends at 1032, so that a larger number is no limit.
    pub const fn inflate_ratio_max(mut self, times: u32) -> Self {
        self.inflate_ratio_max = times;
        self
    }

    /// What a compressed message may take on the wire. Compressing the incompressible adds an eighth
    /// at worst, and each fragment may be flushed.
    pub(crate) const fn deflated_bytes_max(&self, fragments: u32) -> u64 {
        const FLUSH_BYTES: u64 = 64;
        let content = self.message_bytes_max.saturating_add(self.message_bytes_max / 4);
        content.saturating_add(FLUSH_BYTES.saturating_mul(fragments as u64 + 1))
    }

    /// Whether `inflated` bytes are too many to have come out of `deflated` ones.
    #[inline]
    pub(crate) const fn is_bomb(&self, deflated: u64, inflated: u64) -> bool {
        const LOOKED_AT_BYTES_MIN: u64 = 1024 * 1024;
        inflated > LOOKED_AT_BYTES_MIN
            && inflated > deflated.saturating_mul(self.inflate_ratio_max as u64)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
