//! Where a connection puts the segments it sends.

use super::Segment;
use super::send_buffer::Chunks;

/// Takes the segments of a [`Connection`](super::Connection) while it is polled.
pub trait SegmentSink {
    /// Whether one more segment can be taken. While not, the connection keeps what it has to send:
    /// a device that is busy costs time, not segments.
    fn has_room(&self) -> bool;

    /// The largest segment, without options, that the first link of the way takes: the most that is
    /// worth trying. `None` when that is not known; then it is what the connection began with.
    fn mss_max(&self) -> Option<u16> {
        None
    }

    /// Takes a segment. Its own `payload` field is empty: the bytes are in `payload`, where the
    /// application's buffers are, to be copied (or gathered) into a frame before this returns.
    ///
    /// When `segment.gso_size` is not 0 the payload is a super-segment, to be cut into segments of
    /// that size; PSH and FIN belong to the last, CWR to the first.
    fn send(&mut self, segment: &Segment, payload: Payload<'_>);

    /// What was taken last is a probe of the path MTU (RFC 4821): for captures and counters.
    fn note_mtu_probe(&mut self) {}
}

/// The payload of an outgoing segment: an iterator over the pieces of the send buffer.
#[derive(Debug, Clone, Default)]
pub struct Payload<'a> {
    slices: Option<Chunks<'a>>,
    len: usize,
}

impl<'a> Payload<'a> {
    pub(super) fn new(slices: Chunks<'a>, len: usize) -> Self {
        Self { slices: Some(slices), len }
    }

    /// How many bytes are left in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<'a> Iterator for Payload<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let slice = self.slices.as_mut()?.next()?;
        self.len -= slice.len();
        Some(slice)
    }
}
