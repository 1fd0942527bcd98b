//! A frame under way, and what there is to look up in it.

use bytes::Bytes;
use fyke_stack::wire::ethernet;

use crate::ids::NodeId;

/// An Ethernet frame under way, with the host it began at: partitions are between hosts, however
/// many boxes are between them.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    pub(crate) origin: NodeId,
}

impl Frame {
    pub(crate) fn new(bytes: impl Into<Bytes>, origin: NodeId) -> Self {
        Self { bytes: bytes.into(), origin }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of the packet in the frame.
    pub(crate) fn packet_len(&self) -> usize {
        self.bytes.len().saturating_sub(ethernet::HEADER_LEN)
    }
}
