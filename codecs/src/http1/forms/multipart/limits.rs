//! How much of each thing a form may have.

/// The limits of a [`MultipartDecoder`](super::MultipartDecoder), each with a safe default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct MultipartLimits {
    pub(super) parts_max: u32,
    pub(super) part_head_bytes_max: u32,
    pub(super) part_fields_max: u16,
    pub(super) part_bytes_max: u64,
    pub(super) form_bytes_max: u64,
    pub(super) outside_bytes_max: u32,
}

impl MultipartLimits {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            parts_max: 128,
            part_head_bytes_max: 8 * 1024,
            part_fields_max: 16,
            part_bytes_max: 16 * 1024 * 1024,
            form_bytes_max: 64 * 1024 * 1024,
            outside_bytes_max: 1024,
        }
    }

    /// Most parts. 128.
    pub const fn parts_max(mut self, parts: u32) -> Self {
        self.parts_max = parts;
        self
    }

    /// Largest head of a part. 8 KiB.
    pub const fn part_head_bytes_max(mut self, bytes: u32) -> Self {
        self.part_head_bytes_max = bytes;
        self
    }

    /// Most header fields of a part. 16.
    pub const fn part_fields_max(mut self, fields: u16) -> Self {
        self.part_fields_max = fields;
        self
    }

    /// Largest content of a part. 16 MiB.
    pub const fn part_bytes_max(mut self, bytes: u64) -> Self {
        self.part_bytes_max = bytes;
        self
    }

    /// Largest content of all parts together. 64 MiB.
    pub const fn form_bytes_max(mut self, bytes: u64) -> Self {
        self.form_bytes_max = bytes;
        self
    }

    /// Bytes in front of the first boundary, and bytes behind the last one, all of which are dropped.
    /// 1 KiB each.
    pub const fn outside_bytes_max(mut self, bytes: u32) -> Self {
        self.outside_bytes_max = bytes;
        self
    }
}

impl Default for MultipartLimits {
    fn default() -> Self {
        Self::new()
    }
}
