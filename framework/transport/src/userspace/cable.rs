//! A cable in memory between two stacks of this process.
//!
//! ```text
//!   loop A: CableDevice --batch--> [ queue ] --notify--> CableDevice :loop B
//!                       <--notify- [ queue ] <--batch---
//! ```
//! Frames are collected while a turn lasts and handed over by one lock. A queue that is full makes
//! the sender wait, so nothing is lost.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fyke_core::LoopHandle;
use fyke_core::driver::TransportId;
use fyke_core::transport::TransportSeat;
use fyke_stack::{Offload, RxChecksum, RxMeta, TxChecksum, TxFrame, TxSink};

use super::device::{Device, Frame};

/// Frames that are on their way in one direction unless asked otherwise.
pub const CABLE_FRAMES_DEFAULT: usize = 1024;

/// The longest payload that goes over a cable with offload in one piece.
const SUPER_SEGMENT_BYTES: u32 = 61_440;

/// A cable between two stacks: each of its ends is a [`Device`] on some loop.
///
/// ```
/// use fyke_transport::userspace::{Cable, StackOptions, Userspace};
///
/// let cable = Cable::new();
/// let host = |address: &str| StackOptions::new().address(address.parse().unwrap());
/// let server = Userspace::over(host("10.0.0.1/24"), cable.left());
/// let client = Userspace::over(host("10.0.0.2/24"), cable.right());
/// # let _ = (server, client);
/// ```
#[derive(Debug, Clone)]
pub struct Cable {
    wire: Arc<Wire>,
}

/// One end of a [`Cable`], before it is plugged into a loop.
#[derive(Debug, Clone)]
pub struct CableEnd {
    wire: Arc<Wire>,
    side: usize,
}

/// How a cable is made.
#[derive(Debug, Clone)]
#[must_use]
pub struct CableOptions {
    frames: usize,
    offload: bool,
    queues: [usize; 2],
    name: String,
}

struct Wire {
    sides: [Mutex<Side>; 2],
    /// How many frames wait for each side.
    waiting: [AtomicUsize; 2],
    options: CableOptions,
}

/// What belongs to one end.
#[derive(Debug, Default)]
struct Side {
    queues: Vec<Queue>,
    /// The other end waits until there is room in these queues.
    other_waits: bool,
    /// The cable is cut.
    cut: bool,
}

/// Frames for one loop of this end.
#[derive(Debug, Default)]
struct Queue {
    inbox: VecDeque<Frame>,
    seat: Option<(LoopHandle, TransportId, u64)>,
    /// The loop knows that it has frames.
    told: bool,
    plugged: bool,
    /// Its device is gone: frames for it are lost.
    unplugged: bool,
}

impl Queue {
    /// Wakes the queue's loop.
    fn wake(&self) {
        if let Some((handle, transport, key)) = &self.seat {
            // A loop that has ended hears nothing, and needs to hear nothing.
            let _ = handle.notify(*transport, *key);
        }
    }
}

impl Side {
    fn wake(&self) {
        self.queues.iter().for_each(Queue::wake);
    }

    /// Who takes what is for `queue`: that one, or another when its loop has ended, as the kernel
    /// spreads flows over the queues that a device has left. Loops that end later still hear of their
    /// peers; nobody is there when all have ended.
    fn taker(&mut self, queue: usize) -> Option<&mut Queue> {
        let (before, from) = self.queues.split_at_mut(queue);
        from.iter_mut().chain(before).find(|queue| !queue.unplugged)
    }

    fn waiting(&self) -> usize {
        self.queues.iter().map(|queue| queue.inbox.len()).sum()
    }
}

impl Wire {
    fn lock(&self, side: usize) -> MutexGuard<'_, Side> {
        self.sides[side].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl CableOptions {
    /// A cable that carries super-segments and needs no checksums, as memory does not err.
    pub fn new() -> Self {
        let name = "cable".to_owned();
        Self { frames: CABLE_FRAMES_DEFAULT, offload: true, queues: [1, 1], name }
    }

    /// Frames that are on their way in one direction at most (1024; at least 1).
    pub fn frames(mut self, frames: usize) -> Self {
        self.frames = frames.max(1);
        self
    }

    /// Without offload every frame is one that a real wire would carry.
    pub fn offload(mut self, on: bool) -> Self {
        self.offload = on;
        self
    }

    /// How many loops each end is for (1 and 1). The frames of a flow go to one of them, though not
    /// to the one that owns it, as with the queues of a network card.
    pub fn queues(mut self, left: u16, right: u16) -> Self {
        self.queues = [left, right].map(|queues| usize::from(queues.max(1)));
        self
    }

    /// Its name in messages.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Makes it.
    #[must_use]
    pub fn build(self) -> Cable {
        let side = |queues| {
            let queues = std::iter::repeat_with(Queue::default).take(queues).collect();
            Mutex::new(Side { queues, other_waits: false, cut: false })
        };
        Cable {
            wire: Arc::new(Wire {
                sides: self.queues.map(side),
                waiting: <[AtomicUsize; 2]>::default(),
                options: self,
            }),
        }
    }
}

impl Default for CableOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Cable {
    fn default() -> Self {
        Self::new()
    }
}

impl Cable {
    /// A cable with the usual options.
    #[must_use]
    pub fn new() -> Self {
        CableOptions::new().build()
    }

    /// How it is made otherwise.
    pub fn options() -> CableOptions {
        CableOptions::new()
    }

    /// One end.
    #[must_use]
    pub fn left(&self) -> CableEnd {
        CableEnd { wire: Arc::clone(&self.wire), side: 0 }
    }

    /// The other end.
    #[must_use]
    pub fn right(&self) -> CableEnd {
        CableEnd { wire: Arc::clone(&self.wire), side: 1 }
    }

    /// Cuts it: both devices are gone for their loops.
    pub fn cut(&self) {
        for side in 0..2 {
            let mut state = self.wire.lock(side);
            state.cut = true;
            state.wake();
        }
    }
}

impl CableEnd {
    /// Makes it the device of a loop. When that loop has ended another one can have it.
    ///
    /// # Errors
    /// When it is plugged in elsewhere, at as many loops as it has queues.
    pub fn plug_in(&self) -> io::Result<CableDevice> {
        let mut side = self.wire.lock(self.side);
        let Some(queue) = side.queues.iter().position(|queue| !queue.plugged) else {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "this end of the cable is plugged in already, at as many loops as it is for",
            ));
        };
        (side.queues[queue].plugged, side.queues[queue].unplugged) = (true, false);
        Ok(CableDevice { wire: Arc::clone(&self.wire), side: self.side, queue, batch: Vec::new() })
    }
}

/// One end of a [`Cable`] as the device of a loop's stack.
#[derive(Debug)]
pub struct CableDevice {
    wire: Arc<Wire>,
    side: usize,
    queue: usize,
    /// Frames of this turn, and for which queue of the other end.
    batch: Vec<(usize, Frame)>,
}

impl CableDevice {
    fn other(&self) -> usize {
        1 - self.side
    }
}

impl TxSink for CableDevice {
    fn ready(&self) -> bool {
        let waiting = self.wire.waiting[self.other()].load(Ordering::Acquire);
        waiting + self.batch.len() < self.wire.options.frames
    }

    fn transmit(&mut self, frame: TxFrame<'_>) {
        let checksum = match frame.checksum {
            TxChecksum::Partial { .. } => RxChecksum::Partial,
            _ => RxChecksum::None,
        };
        let gso_size = frame.gso.map_or(0, |gso| gso.size);
        let queues = self.wire.options.queues[self.other()];
        let queue = if queues == 1 { 0 } else { flow(&frame) % queues };
        let meta = RxMeta { checksum, gso_size };
        self.batch.push((queue, Frame { bytes: frame.to_bytes(), meta }));
    }
}

/// The same number for the frames of a flow: of addresses and ports.
fn flow(frame: &TxFrame<'_>) -> usize {
    let (network, transport) =
        (usize::from(frame.network_offset), usize::from(frame.transport_offset));
    let addresses = frame.header.get(network + 12..transport).unwrap_or_default();
    let ports = frame.header.get(transport..transport + 4).unwrap_or_default();
    let mix = |hash: usize, byte: &u8| (hash ^ usize::from(*byte)).wrapping_mul(0x0100_0193);
    addresses.iter().chain(ports).fold(0x811c_9dc5, mix) >> 7
}

impl Device for CableDevice {
    fn name(&self) -> &str {
        &self.wire.options.name
    }

    fn attach(&mut self, seat: &TransportSeat<'_>, key: u64) -> io::Result<()> {
        let seat = (seat.handle.clone(), seat.id, key);
        self.wire.lock(self.side).queues[self.queue].seat = Some(seat);
        Ok(())
    }

    fn offload(&self) -> Offload {
        match self.wire.options.offload {
            true => Offload { checksum: true, gso_bytes_max: SUPER_SEGMENT_BYTES },
            false => Offload::default(),
        }
    }

    fn receive(&mut self, frames: &mut Vec<Frame>, budget: usize) -> io::Result<bool> {
        let mut mine = self.wire.lock(self.side);
        if mine.cut {
            return Err(io::Error::new(io::ErrorKind::NetworkDown, "the cable is cut"));
        }
        let queue = &mut mine.queues[self.queue];
        let taken = queue.inbox.len().min(budget);
        frames.extend(queue.inbox.drain(..taken));
        let more = !queue.inbox.is_empty();
        queue.told = more;
        let left = mine.waiting();
        self.wire.waiting[self.side].store(left, Ordering::Release);
        let wake = mine.other_waits && left <= self.wire.options.frames / 2;
        mine.other_waits &= !wake;
        drop(mine);
        if wake {
            self.wire.lock(self.other()).wake();
        }
        Ok(more)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.batch.is_empty() && TxSink::ready(self) {
            return Ok(());
        }
        let mut other = self.wire.lock(self.other());
        if other.cut {
            return Err(io::Error::new(io::ErrorKind::NetworkDown, "the cable is cut"));
        }
        for (queue, frame) in self.batch.drain(..) {
            if let Some(queue) = other.taker(queue) {
                queue.inbox.push_back(frame);
            }
        }
        let waiting = other.waiting();
        self.wire.waiting[self.other()].store(waiting, Ordering::Release);
        other.other_waits = waiting >= self.wire.options.frames;
        for queue in &mut other.queues {
            if !queue.inbox.is_empty() && !std::mem::replace(&mut queue.told, true) {
                queue.wake();
            }
        }
        Ok(())
    }
}

impl Drop for CableDevice {
    fn drop(&mut self) {
        let mut mine = self.wire.lock(self.side);
        mine.queues[self.queue] = Queue { unplugged: true, ..Queue::default() };
        self.wire.waiting[self.side].store(mine.waiting(), Ordering::Release);
        let wake = std::mem::take(&mut mine.other_waits);
        drop(mine);
        if wake {
            self.wire.lock(self.other()).wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_for_a_loop_that_has_ended_come_to_one_that_has_not() {
        let queues = std::iter::repeat_with(Queue::default).take(3).collect();
        let mut side = Side { queues, other_waits: false, cut: false };
        let mut taker = |gone: &[usize], wanted| {
            (0..3).for_each(|n| side.queues[n].unplugged = gone.contains(&n));
            side.taker(wanted)?.told = true;
            side.queues.iter_mut().position(|queue| std::mem::take(&mut queue.told))
        };
        assert_eq!(taker(&[], 1), Some(1));
        assert_eq!(taker(&[1], 1), Some(2));
        assert_eq!(taker(&[1, 2], 1), Some(0));
        assert_eq!(taker(&[0, 1, 2], 1), None);
    }
}
