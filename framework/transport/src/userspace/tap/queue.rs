//! One queue of an open device: what crosses from the thread that opens to the loop that uses.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use fyke_poller::sys::set_tap_persistent;

use super::device::Tap;

/// One queue of a TAP device: a descriptor whose reads and writes are frames.
pub struct TapQueue {
    pub(super) descriptor: OwnedFd,
    pub(super) name: String,
    pub(super) mtu: u32,
    /// A virtio header is in front of each frame.
    pub(super) vnet_hdr: bool,
    /// The kernel completes checksums, and cuts super-segments when they are given.
    pub(super) offload: bool,
    /// Plain segments that follow each other are put together.
    pub(super) merge: bool,
}

impl TapQueue {
    /// The queue behind `descriptor`, which does not block and moves one frame a call: of a TAP device
    /// that somebody else has opened, or of a pair of datagram or sequenced-packet sockets.
    #[must_use]
    pub fn from_fd(descriptor: OwnedFd, name: &str) -> Self {
        Self {
            descriptor,
            name: name.to_owned(),
            mtu: 1500,
            vnet_hdr: false,
            offload: false,
            merge: true,
        }
    }

    /// Whether frames have a virtio header of ten bytes in front, with offload in both directions.
    #[must_use]
    pub fn vnet_hdr(mut self, on: bool) -> Self {
        (self.vnet_hdr, self.offload) = (on, on);
        self
    }

    /// Whether plain TCP segments that follow each other are put together, and acknowledgements that the
    /// next one says again are left out, when there is no virtio header (they are).
    #[must_use]
    pub fn merge(mut self, on: bool) -> Self {
        self.merge = on;
        self
    }

    /// The longest packet that fits into a frame, for queues [from a descriptor](Self::from_fd).
    #[must_use]
    pub fn with_mtu(mut self, bytes: u32) -> Self {
        self.mtu = bytes;
        self
    }

    /// The name of the device.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The longest packet that fits into a frame: what the stack's MTU should be.
    #[must_use]
    pub fn mtu(&self) -> u32 {
        self.mtu
    }

    /// Whether the device stays when its last queue is closed, as one made by `ip tuntap add` does.
    ///
    /// # Errors
    /// What the system says; always for a queue that is no TAP device's.
    pub fn set_persistent(&self, on: bool) -> io::Result<()> {
        set_tap_persistent(self, on)
    }

    /// The device, on the loop that it shall live on.
    #[must_use]
    pub fn into_device(self) -> Tap {
        Tap::new(self)
    }
}

impl AsFd for TapQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl fmt::Debug for TapQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TapQueue")
            .field("name", &self.name)
            .field("mtu", &self.mtu)
            .field("vnet_hdr", &self.vnet_hdr)
            .field("offload", &self.offload)
            .finish_non_exhaustive()
    }
}
