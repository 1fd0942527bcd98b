//! Limits against bombs: small messages that become large ones.

/// How much content may come out of compressed content, with safe defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct DecompressionLimits {
    pub(super) bytes_max: u64,
    pub(super) ratio_max: u32,
}

/// Up to so much output the ratio is not looked at: short texts may well be all zeros.
pub(super) const RATIO_FROM_BYTES: u64 = 1024 * 1024;

impl DecompressionLimits {
    /// The defaults.
    pub const fn new() -> Self {
        Self { bytes_max: 16 * 1024 * 1024, ratio_max: 100 }
    }

    /// Most bytes that may come out of one message. 16 MiB.
    pub const fn bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// Most bytes out for each byte in, once more than 1 MiB has come out. 100.
    pub const fn ratio_max(mut self, ratio: u32) -> Self {
        self.ratio_max = ratio;
        self
    }
}

impl Default for DecompressionLimits {
    fn default() -> Self {
        Self::new()
    }
}
