//! How much of each thing a peer may send.

/// The limits of a [`RequestDecoder`](super::RequestDecoder), each with a safe default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Limits {
    pub(crate) request_line_bytes_max: u32,
    pub(crate) head_bytes_max: u32,
    pub(crate) head_fields_max: u16,
    pub(crate) trailer_fields_max: u16,
    pub(crate) trailer_bytes_max: u32,
    pub(crate) chunk_line_bytes_max: u32,
    pub(crate) body_bytes_max: u64,
    pub(crate) declared_bytes_max: u64,
}

/// RFC 9112 section 3 asks every server for at least 8000 octets of request line.
const REQUEST_LINE_BYTES_MIN: u32 = 8000;

impl Limits {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            request_line_bytes_max: 16 * 1024,
            head_bytes_max: 64 * 1024,
            head_fields_max: 100,
            trailer_fields_max: 32,
            trailer_bytes_max: 8 * 1024,
            chunk_line_bytes_max: 1024,
            body_bytes_max: 16 * 1024 * 1024,
            declared_bytes_max: 16 << 40,
        }
    }

    /// Longest request line, without its CRLF; 414 beyond. 16 KiB, never less than 8000.
    pub const fn request_line_bytes_max(mut self, bytes: u32) -> Self {
        self.request_line_bytes_max =
            if bytes < REQUEST_LINE_BYTES_MIN { REQUEST_LINE_BYTES_MIN } else { bytes };
        self
    }

    /// Largest head, request line and the closing empty line included; 431 beyond. 64 KiB.
    pub const fn head_bytes_max(mut self, bytes: u32) -> Self {
        self.head_bytes_max = bytes;
        self
    }

    /// Most header fields of a head; 431 beyond. 100.
    pub const fn head_fields_max(mut self, fields: u16) -> Self {
        self.head_fields_max = fields;
        self
    }

    /// Most trailer fields behind a chunked body; 431 beyond. 32.
    pub const fn trailer_fields_max(mut self, fields: u16) -> Self {
        self.trailer_fields_max = fields;
        self
    }

    /// Largest trailer section; 431 beyond. 8 KiB.
    pub const fn trailer_bytes_max(mut self, bytes: u32) -> Self {
        self.trailer_bytes_max = bytes;
        self
    }

    /// Longest line before a chunk, its extensions included, without its CRLF; 400 beyond. 1 KiB.
    pub const fn chunk_line_bytes_max(mut self, bytes: u32) -> Self {
        self.chunk_line_bytes_max = bytes;
        self
    }

    /// Largest body, counted as it arrives and not by a declared length; 413 beyond. 16 MiB.
    pub const fn body_bytes_max(mut self, bytes: u64) -> Self {
        self.body_bytes_max = bytes;
        self
    }

    /// Longest body or chunk that may be declared; 400 beyond, at once: nobody means that, and waiting
    /// for it would hold the connection. What is declared below it may come as far as
    /// [`body_bytes_max`](Self::body_bytes_max). A client looks at chunks alone. 16 TiB.
    pub const fn declared_bytes_max(mut self, bytes: u64) -> Self {
        self.declared_bytes_max = bytes;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
