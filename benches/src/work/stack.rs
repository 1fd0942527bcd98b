//! The userspace stack with scripted peers: segments in and out, exchanges, whole connections.
//!
//! The peers are those of the stack's `scale` tests: a figure has the making of their frames in it.

use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::Flags;
use fyke_stack::{Offload, RxChecksum, RxMeta, TxFrame, TxSink};

#[allow(missing_docs, reason = "shared with the stack's tests")]
#[path = "../../../framework/stack/tests/scale/crowd.rs"]
pub mod crowd;

pub use crowd::Crowd;

/// Segments of one batch, as a device that was read until it had no more would give them.
pub const BATCH: u32 = 64;
/// Bytes of text in a full segment.
pub const MSS: u32 = 1460;
/// What is said.
pub static BYTES: [u8; 65_536] = [7; 65_536];

/// Takes frames and looks at nothing.
#[derive(Debug, Default)]
pub struct Device(u64);

impl TxSink for Device {
    fn transmit(&mut self, frame: TxFrame<'_>) {
        std::hint::black_box(&frame);
        self.0 += 1;
    }
}

/// A frame whose checksum the device has found right, of segments of that size (zero: one segment).
#[must_use]
pub fn checked(gso_size: u16) -> RxMeta {
    RxMeta { checksum: RxChecksum::Valid, gso_size }
}

/// A peer that sends in order, and an application that reads.
#[derive(Debug)]
pub struct Incoming {
    crowd: Crowd,
    device: Device,
    peer: u32,
    size: u32,
    next: u32,
    ack: u32,
}

impl Incoming {
    /// Frames with so many bytes of text.
    #[must_use]
    pub fn new(size: u32) -> Self {
        let mut crowd = Crowd::new(1, |config| config.tcp.receive_buffer_bytes = 4 << 20);
        let peer = crowd.open();
        // The window of a SYN is not scaled; the first answer opens it.
        crowd.exchange(peer, b"hello");
        let (next, ack) = crowd.numbers(peer);
        Self { crowd, device: Device::default(), peer, size, next, ack }
    }

    /// The frames of the next batch.
    pub fn frames(&mut self) -> Vec<Bytes> {
        let frame = |_| {
            let seq = self.next;
            self.next = seq.wrapping_add(self.size);
            Crowd::frame(self.peer, Flags::ACK, seq, self.ack, &BYTES[..self.size as usize])
        };
        (0..frames(self.size)).map(frame).collect()
    }

    /// Takes a batch, reads all of it, and acknowledges.
    pub fn take(&mut self, batch: Vec<Bytes>, meta: RxMeta) {
        let crowd = &mut self.crowd;
        for frame in batch {
            crowd.stack.input(crowd.now, frame, meta);
        }
        let mut left = frames(self.size) * self.size;
        while left > 0 {
            let bytes = crowd.stack.read(crowd.now, crowd.ids[0], 1 << 20);
            left -= bytes.unwrap().map_or(0, |bytes| bytes.len() as u32);
        }
        crowd.stack.poll_transmit(crowd.now, &mut self.device, usize::MAX);
        crowd.forget_events();
    }
}

/// Frames of a batch.
fn frames(size: u32) -> u32 {
    (BATCH * MSS).div_ceil(size)
}

/// An application that writes, and a peer that acknowledges each batch once.
#[derive(Debug)]
pub struct Outgoing {
    crowd: Crowd,
    peer: u32,
}

impl Outgoing {
    /// In segments, or in super-segments that a device would cut.
    #[must_use]
    pub fn new(offload: bool) -> Self {
        let mut crowd = Crowd::new(1, |config| {
            if offload {
                config.offload = Offload { checksum: true, gso_bytes_max: 65_535 };
            }
        });
        let peer = crowd.open();
        Self { crowd, peer }
    }

    /// Writes a batch.
    pub fn give(&mut self) {
        let crowd = &mut self.crowd;
        let id = crowd.ids[self.peer as usize];
        let mut left = (BATCH * MSS) as usize;
        while left > 0 {
            let piece = Bytes::from_static(&BYTES[..left.min(BYTES.len())]);
            left -= crowd.stack.write(crowd.now, id, piece).unwrap();
            crowd.hear();
            // The window opens by what the peer acknowledges, a little later.
            crowd.now += Duration::from_micros(50);
            crowd.stack.handle_timeout(crowd.now);
            crowd.give(self.peer, Flags::ACK, b"");
            crowd.forget_events();
        }
    }
}

/// Handshake, close by us, TIME-WAIT: eight segments, the peer's frames included.
pub fn open_close(crowd: &mut Crowd) {
    let peer = crowd.open();
    crowd.close(peer);
}
