//! What a device counts.

/// What went through a [`Tap`](super::Tap), and what did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TapCounters {
    /// Frames that were read; one that stands for many counts once.
    pub frames_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Frames that were read and dropped: cut off, or behind a virtio header that makes no sense.
    pub frames_unusable: u64,
    /// Frames that were copied out of their block, because too many blocks were held by those who had
    /// frames before.
    pub frames_copied: u64,
    /// Frames that the kernel took.
    pub frames_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Frames that had to wait because the kernel had no room.
    pub frames_delayed: u64,
    /// Frames that the kernel refused, and those sent while the interface was down.
    pub frames_refused: u64,
    /// Acknowledgements that were left out, since the next one said all that they said.
    pub acknowledgements_merged: u64,
    /// Super-segments that were cut here because the kernel does not.
    pub super_segments_cut: u64,
}
