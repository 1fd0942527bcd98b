//! What carries the frames of a stack: a TAP device, a port of the simulated network, a test's list.

use std::io;

use bytes::Bytes;
use fyke_core::driver::Readiness;
use fyke_core::transport::TransportSeat;
use fyke_stack::{Offload, RxMeta, TxSink};

/// A received frame, and what the device knows about it.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The frame from its first byte.
    pub bytes: Bytes,
    /// About its checksum, and about segments that were put together.
    pub meta: RxMeta,
}

/// What carries frames between a stack and the world. It lives on one loop.
///
/// Sending is [`TxSink`]: a frame given to [`transmit`](TxSink::transmit) is the device's; while
/// [`ready`](TxSink::ready) says no, data stays in the stack. A device that has become ready again
/// lets the loop know by its driver or by [`LoopHandle::notify`](fyke_core::LoopHandle::notify)
/// with its key, and so does one that has frames to receive.
pub trait Device: TxSink + 'static {
    /// Its name in messages.
    fn name(&self) -> &str;

    /// Begins to report to the loop: readiness comes back with `key` in its token.
    ///
    /// # Errors
    /// When the loop's driver is none that it works with, or the system refuses.
    fn attach(&mut self, seat: &TransportSeat<'_>, key: u64) -> io::Result<()>;

    /// What it does by itself; asked for once, when the stack is made. A device that finds out later
    /// that it cannot do something cuts and completes frames itself.
    fn offload(&self) -> Offload;

    /// Its driver, or somebody by its key, reported something.
    fn ready(&mut self, readiness: Readiness) {
        let _ = readiness;
    }

    /// Receives up to `budget` frames into `frames`; `false` when there are no more now, and the
    /// next one will be reported.
    ///
    /// # Errors
    /// When the device is gone: the transport's channels end with this error, nothing else does.
    fn receive(&mut self, frames: &mut Vec<Frame>, budget: usize) -> io::Result<bool>;

    /// The turn's last frame has been given: devices that collect them send them now.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
