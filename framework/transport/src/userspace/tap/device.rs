//! One queue of a TAP device as the [`Device`] of a stack.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};

use bytes::{Bytes, BytesMut};
use fyke_core::driver::{Readiness, Token};
use fyke_core::transport::TransportSeat;
use fyke_poller::Interest;
use fyke_poller::sys::{read_frame, recv_vectored};
use fyke_stack::Offload;
use fyke_stack::wire::virtio_net;

use super::acks::Row;
use super::blocks::Blocks;
use super::counters::TapCounters;
use super::header::Span;
use super::merge::{Chain, FLAGS, HEADERS_MAX, PSH};
use super::queue::TapQueue;
use crate::driver::PollerRegistry;
use crate::userspace::device::{Device, Frame};

/// The longest TCP payload that is given to the kernel in one frame: what an IP packet of 65,535
/// bytes has room for behind the longest headers of IPv6 and TCP.
const GSO_BYTES_MAX: u32 = 65_535 - 40 - 60;

/// Room for one frame that may stand for many: the longest IP packet, its link header with tags, and
/// what tells a frame that fits from one that was cut.
const SUPER_FRAME_ROOM: usize = 66 * 1024;
/// Two of these.
const SUPER_BLOCK_BYTES: usize = 2 * SUPER_FRAME_ROOM + 4096;

/// Ethernet's header with two VLAN tags, and one byte more than a frame needs.
const LINK_ROOM: usize = 14 + 8 + 1;
/// A block of plain frames: the longest chain of them, and some more.
const PLAIN_BLOCK_BYTES: usize = 80 * 1024;

/// Frames that are read at a time at most, however few of them are handed over.
const READS_MAX: usize = 512;

/// A queue of a TAP device, on its loop.
///
/// Frames that the kernel has no room for wait here, and [`ready`](fyke_stack::TxSink::ready) says no until it has.
/// Those sent while the interface is down are lost, as on a wire without the other end; what the kernel
/// refuses is counted and dropped, except a super-segment: that is cut here, and so are all after it.
///
/// Without offload the same happens here: the stack makes super-segments as if the device cut them,
/// and plain segments that follow each other are put together before it sees them; of acknowledgements
/// in a row it sees the first and the last.
pub struct Tap {
    pub(super) queue: TapQueue,
    pub(super) watch: Option<(PollerRegistry, Token)>,
    blocks: Blocks,
    frame_room: usize,
    /// Where the frames of the batch being read are in its block.
    spans: Vec<Span>,
    /// Headers of the frame that was just read, while a chain grows.
    beside: [u8; HEADERS_MAX],
    /// A frame in the making.
    pub(super) scratch: Vec<u8>,
    /// Frames that the kernel had no room for, with their virtio headers.
    pub(super) waiting: VecDeque<Vec<u8>>,
    /// The driver was asked when there is room again.
    pub(super) asked_for_room: bool,
    /// The kernel cuts super-segments.
    pub(super) gso: bool,
    gone: bool,
    /// The last frame was lost because the interface is down.
    pub(super) down: bool,
    pub(super) counters: TapCounters,
}

impl Tap {
    pub(super) fn new(queue: TapQueue) -> Self {
        let (frame_room, block) = if queue.vnet_hdr {
            (SUPER_FRAME_ROOM, SUPER_BLOCK_BYTES)
        } else {
            let room = queue.mtu as usize + LINK_ROOM;
            (room, PLAIN_BLOCK_BYTES.max(room + HEADERS_MAX))
        };
        Self {
            watch: None,
            blocks: Blocks::new(block),
            frame_room,
            spans: Vec::new(),
            beside: [0; HEADERS_MAX],
            scratch: Vec::new(),
            waiting: VecDeque::new(),
            asked_for_room: false,
            gso: queue.offload,
            gone: false,
            down: false,
            counters: TapCounters::default(),
            queue,
        }
    }

    /// What went through it, and what did not.
    #[must_use]
    pub fn counters(&self) -> TapCounters {
        self.counters
    }

    /// The longest packet that fits into a frame: what the stack's MTU should be.
    #[must_use]
    pub fn mtu(&self) -> u32 {
        self.queue.mtu
    }

    /// Reads until the kernel has no more, the budget is used or the block is full. Answers how much of
    /// the block is used, and whether there may be more.
    fn fill(&mut self, block: &mut BytesMut, budget: usize) -> (usize, bool) {
        let mut used = 0;
        while self.spans.len() < budget && block.len() - used >= self.frame_room {
            let room = &mut block[used..];
            let (whole, read) = (room.len(), read_frame(&self.queue.descriptor, room));
            let Some(len) = self.came(read) else { return (used, self.gone) };
            if self.note_frame(&block[..used + len], used, len == whole) {
                used += len;
            }
        }
        (used, true)
    }

    /// As [`fill`](Self::fill), putting together what follows each other.
    fn fill_merging(&mut self, block: &mut BytesMut, budget: usize) -> (usize, bool) {
        let mut chain: Option<Chain> = None;
        let mut row: Option<Row> = None;
        let mut pushed = false;
        let mut used = 0;
        let mut left = READS_MAX;
        let more = loop {
            let full = block.len() - used < self.frame_room + HEADERS_MAX;
            if self.spans.len() >= budget || full || left == 0 {
                break true;
            }
            left -= 1;
            // The headers beside, the rest where it belongs if the chain goes on.
            let headers = chain.as_ref().map_or(0, Chain::headers);
            let (beside, room) = (&mut self.beside[..headers], &mut block[used..]);
            let whole = headers + room.len();
            let read = if headers == 0 {
                // One piece costs the kernel less than two of which one is empty.
                read_frame(&self.queue.descriptor, room)
            } else {
                let mut parts = [IoSliceMut::new(beside), IoSliceMut::new(room)];
                recv_vectored(&self.queue.descriptor, &mut parts)
            };
            let Some(len) = self.came(read) else { break self.gone };
            let (front, rest) = (headers.min(len), len.saturating_sub(headers));
            if let Some(open) = &mut chain {
                let (follows, goes_on) = open.push(block, &self.beside[..front], rest);
                if follows {
                    self.counters.frames_received += 1;
                    self.counters.bytes_received += len as u64;
                    pushed = !goes_on && self.beside[FLAGS] & PSH != 0;
                    used = open.end();
                }
                if !goes_on {
                    Self::finish(&mut self.spans, block, chain.take(), pushed);
                }
                if follows {
                    continue;
                }
                block.copy_within(used..used + rest, used + front);
                block[used..used + front].copy_from_slice(&self.beside[..front]);
            }
            if self.note_frame(&block[..used + len], used, len == whole) {
                chain = Chain::begin(block, used, used + len);
                (used, pushed) = (used + len, false);
                if chain.is_some() {
                    row = None;
                } else if Self::said_again(&mut row, block, used - len, used) {
                    self.spans.pop();
                    used -= len;
                    self.counters.acknowledgements_merged += 1;
                }
            }
        };
        Self::finish(&mut self.spans, block, chain, false);
        (used, more)
    }

    /// Whether the frame at `start..end` of `block` took the place of the one before it.
    fn said_again(row: &mut Option<Row>, block: &mut [u8], start: usize, end: usize) -> bool {
        let again = row.as_mut().map(|row| row.push(block, start, end));
        match again {
            Some(Some(again)) => again,
            _ => {
                *row = Row::begin(block, start, end);
                false
            }
        }
    }

    fn finish(spans: &mut [Span], block: &mut [u8], chain: Option<Chain>, pushed: bool) {
        if let (Some(chain), Some(span)) = (chain, spans.last_mut()) {
            chain.finish(block, span, pushed);
        }
    }

    /// How long the frame is that came; `None` when there is none now, or never again.
    fn came(&mut self, read: io::Result<usize>) -> Option<usize> {
        match read {
            // The other end of a pair of sockets was closed.
            Ok(0) => self.lose(None),
            Ok(len) => return Some(len),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.lose(Some(&error)),
        }
        None
    }

    /// Looks at the header of the frame from `start` to the end of `block`; answers whether it can be
    /// used.
    fn note_frame(&mut self, block: &[u8], start: usize, cut_off: bool) -> bool {
        let end = block.len();
        let parsed = if self.queue.vnet_hdr {
            virtio_net::Header::parse(&block[start..], false).ok()
        } else {
            Some((virtio_net::Header::default(), &block[start..]))
        };
        match parsed {
            Some((header, frame)) if !cut_off && !frame.is_empty() => {
                let start = end - frame.len();
                self.counters.frames_received += 1;
                self.counters.bytes_received += frame.len() as u64;
                self.spans.push(Span { start, end, header });
                true
            }
            _ => {
                self.counters.frames_unusable += 1;
                false
            }
        }
    }

    /// Hands the batch over.
    fn deliver(&mut self, block: BytesMut, used: usize, frames: &mut Vec<Frame>) {
        if self.spans.is_empty() {
            return self.blocks.put_back(block);
        }
        match self.blocks.lend(block, used) {
            Ok(block) => self.cut(&block, frames, |start, end| block.slice(start..end)),
            Err(block) => {
                self.counters.frames_copied += self.spans.len() as u64;
                self.cut(&block, frames, |start, end| Bytes::copy_from_slice(&block[start..end]));
                self.blocks.give_back(block);
            }
        }
    }

    /// The frames of a batch; `piece` makes one of what is between two places of the block.
    fn cut(
        &mut self,
        block: &[u8],
        frames: &mut Vec<Frame>,
        piece: impl Fn(usize, usize) -> Bytes,
    ) {
        for span in self.spans.drain(..) {
            match span.meta() {
                Some(meta) => frames.push(Frame { bytes: piece(span.start, span.end), meta }),
                None if span.cut_datagrams(block, frames) => {}
                None => self.counters.frames_unusable += 1,
            }
        }
    }

    /// The device is gone for good.
    pub(super) fn lose(&mut self, error: Option<&io::Error>) {
        if self.gone {
            return;
        }
        self.gone = true;
        self.waiting.clear();
        let error = error.map_or_else(|| "its other end was closed".into(), io::Error::to_string);
        // Who receives from it is told, and says so.
        tracing::debug!(device = %self.queue.name, error, "the device is gone");
        self.detach();
    }

    /// A descriptor that is over is reported for ever.
    fn detach(&mut self) {
        if let Some((registry, _)) = self.watch.take() {
            // What is not watched any more need not be taken back.
            let _ = registry.deregister(self.queue.as_fd());
        }
    }

    fn check_alive(&self) -> io::Result<()> {
        if self.gone {
            let text = format!("the TAP device {} is gone", self.queue.name);
            return Err(io::Error::new(io::ErrorKind::NetworkDown, text));
        }
        Ok(())
    }
}

impl Device for Tap {
    fn name(&self) -> &str {
        &self.queue.name
    }

    fn attach(&mut self, seat: &TransportSeat<'_>, key: u64) -> io::Result<()> {
        let Some(registry) = seat.driver.registry().downcast_ref::<PollerRegistry>() else {
            let text = "a TAP device needs a loop that waits with a poller";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        };
        let token = Token::new(seat.id, key);
        registry.register(self.queue.as_fd(), token, Interest::READ)?;
        self.watch = Some((registry.clone(), token));
        if !self.waiting.is_empty() {
            self.ask_for_room(true);
        }
        Ok(())
    }

    fn offload(&self) -> Offload {
        Offload {
            // What the kernel does not do is done here.
            checksum: true,
            gso_bytes_max: GSO_BYTES_MAX,
        }
    }

    fn ready(&mut self, readiness: Readiness) {
        if readiness.writable || readiness.hangup {
            self.send_waiting();
        }
    }

    fn receive(&mut self, frames: &mut Vec<Frame>, budget: usize) -> io::Result<bool> {
        self.check_alive()?;
        let mut block = self.blocks.take();
        let (used, more) = match self.queue.merge && !self.queue.vnet_hdr {
            true => self.fill_merging(&mut block, budget),
            false => self.fill(&mut block, budget),
        };
        let some = !self.spans.is_empty();
        self.deliver(block, used, frames);
        // What came before the end is handed over first.
        if !some {
            self.check_alive()?;
        }
        Ok(more)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.check_alive()
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.detach();
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap")
            .field("queue", &self.queue)
            .field("waiting", &self.waiting.len())
            .field("gso", &self.gso)
            .field("gone", &self.gone)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}
