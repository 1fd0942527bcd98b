//! What goes over the edge between the stack and a device: frames, and what the device did or shall
//! do about checksums and segmentation.

use bytes::Bytes;

/// What the device knows about the transport checksum of a received frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RxChecksum {
    /// Nothing: the stack verifies it.
    #[default]
    None,
    /// The sender is local and left it to the device (virtio NEEDS_CSUM): it is not there yet, and
    /// the bytes never left the machine.
    Partial,
    /// The device verified it (virtio DATA_VALID).
    Valid,
}

/// What comes with a received frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RxMeta {
    /// About the transport checksum.
    pub checksum: RxChecksum,
    /// The payload size of each segment on the wire when the frame is a super-segment; 0 otherwise.
    pub gso_size: u16,
}

/// What is left to do for the transport checksum of a frame to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TxChecksum {
    /// Nothing.
    #[default]
    Complete,
    /// The sum from `start` to the end of the frame belongs at `start + offset`, where the sum of
    /// the pseudo-header stands now (virtio's `csum_start` and `csum_offset`).
    Partial {
        /// Where the transport header begins, from the start of the frame.
        start: u16,
        /// Where the checksum is, from `start`.
        offset: u16,
    },
}

/// How a device shall cut a super-segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gso {
    /// The payload size of each segment but the last.
    pub size: u16,
    /// Which headers are to be repeated.
    pub kind: GsoKind,
}

/// The protocols of a super-segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GsoKind {
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
}

/// A frame to be sent: `header` and then `payload`, in pieces for a gathering write.
#[derive(Debug, Clone, Copy)]
pub struct TxFrame<'a> {
    /// The headers from the link's to the transport's, and whatever is small.
    pub header: &'a [u8],
    /// The rest, in as many pieces as it happens to be in.
    pub payload: &'a [&'a [u8]],
    /// Where the IP header begins in `header`: behind the link header.
    pub network_offset: u16,
    /// Where the transport header begins in `header`.
    pub transport_offset: u16,
    /// Set when the device shall cut the payload.
    pub gso: Option<Gso>,
    /// What is left to do for the checksum.
    pub checksum: TxChecksum,
}

impl TxFrame<'_> {
    /// The bytes of the frame.
    #[must_use]
    pub fn len(&self) -> usize {
        self.header.len() + self.payload.iter().map(|piece| piece.len()).sum::<usize>()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frame in one piece.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut all = alloc::vec::Vec::with_capacity(self.len());
        all.extend_from_slice(self.header);
        for piece in self.payload {
            all.extend_from_slice(piece);
        }
        Bytes::from(all)
    }
}

/// Where frames go: a device, a link of the simulation, a test's list.
pub trait TxSink {
    /// Whether there is room for one more frame. While there is none, data stays in the stack.
    fn ready(&self) -> bool {
        true
    }

    /// Takes a frame; called only when [`ready`](Self::ready) said so.
    fn transmit(&mut self, frame: TxFrame<'_>);
}

impl TxSink for alloc::vec::Vec<Bytes> {
    /// Appends the frame in one piece.
    fn transmit(&mut self, frame: TxFrame<'_>) {
        self.push(frame.to_bytes());
    }
}

/// What a device can do by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offload {
    /// It fills in transport checksums ([`TxChecksum::Partial`]).
    pub checksum: bool,
    /// The longest TCP payload it cuts into segments; 0 when it cuts none.
    pub gso_bytes_max: u32,
}
