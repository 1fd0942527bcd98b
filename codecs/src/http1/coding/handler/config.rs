//! What is compressed, and how.

use std::time::Duration;

use crate::http1::coding::ContentCoding;

/// How an [`HttpContentCompressor`](super::HttpContentCompressor) behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct CompressionConfig {
    pub(super) codings: Vec<ContentCoding>,
    pub(super) content_bytes_min: u64,
    pub(super) inline_bytes_max: usize,
    pub(super) flush_after: Duration,
    pub(super) level: Option<u32>,
}

impl CompressionConfig {
    /// The defaults: every supported coding, content from 512 bytes on.
    pub fn new() -> Self {
        Self {
            codings: ContentCoding::SUPPORTED.to_vec(),
            content_bytes_min: 512,
            inline_bytes_max: 256 * 1024,
            flush_after: Duration::from_millis(5),
            level: None,
        }
    }

    /// The codings offered; the order decides between those a client likes equally. Those that are not
    /// supported are left out.
    pub fn codings(mut self, codings: &[ContentCoding]) -> Self {
        self.codings = codings.iter().copied().filter(|coding| coding.is_supported()).collect();
        self
    }

    /// Shorter content is sent as it is, if its length is known. 512 bytes.
    pub fn content_bytes_min(mut self, bytes: u64) -> Self {
        self.content_bytes_min = bytes;
        self
    }

    /// Longer content is compressed on another thread, so that it does not hold up the loop. 256 KiB.
    pub fn inline_bytes_max(mut self, bytes: usize) -> Self {
        self.inline_bytes_max = bytes;
        self
    }

    /// What the producer of a stream has written is sent after so long in a form that can be read, also
    /// when nothing follows it. 5 ms. A flush of the channel does so at once.
    pub fn flush_after(mut self, delay: Duration) -> Self {
        self.flush_after = delay;
        self
    }

    /// The library's level, for every coding; `None` suits answers made on the fly.
    pub fn level(mut self, level: Option<u32>) -> Self {
        self.level = level;
        self
    }
}

impl Default for CompressionConfig {
    fn default() -> Self {
        Self::new()
    }
}
