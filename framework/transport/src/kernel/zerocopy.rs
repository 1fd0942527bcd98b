//! Writes that leave from where the bytes lie (`MSG_ZEROCOPY`).
//!
//! The kernel reads the memory until the peer has acknowledged it, so the buffers of each such write are
//! kept until the socket's error queue says that it is done. The queue makes the descriptor report an
//! error, which is none.
//!
//! A connection that closes in order stays open, for nobody, until all its writes are done: a buffer that
//! was used for something else meanwhile would reach the peer with that in it. After half a minute it is
//! reset.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_core::channel::outbound::Share;
use fyke_core::{Gather, SocketOptions, ZeroCopy};
use fyke_poller::sys::{self, Completion, ZERO_COPY_SLICES_MAX};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use socket2::SockRef;

/// How long a closed connection may take until the kernel is done with its buffers.
const FINISH_MAX: Duration = Duration::from_secs(30);

/// How often closed connections are looked at.
const FINISH_TICK: Duration = Duration::from_millis(10);

/// Pieces below this are copied together instead of becoming a slice of their own.
const COPY_BYTES_MAX: usize = 512;

/// What became of writes without a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ZeroCopyStats {
    /// Writes that were asked to leave without a copy.
    pub writes: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Writes that the kernel is done with.
    pub done: u64,
    /// Of those, the ones that it copied after all.
    pub copied: u64,
}

static WRITES: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static DONE: AtomicU64 = AtomicU64::new(0);
static COPIED: AtomicU64 = AtomicU64::new(0);

impl ZeroCopyStats {
    /// Of all kernel transports of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            writes: WRITES.load(Ordering::Relaxed),
            bytes: BYTES.load(Ordering::Relaxed),
            done: DONE.load(Ordering::Relaxed),
            copied: COPIED.load(Ordering::Relaxed),
        }
    }

    /// The share of writes that the kernel copied after all, of those that are done.
    #[must_use]
    pub fn copied_share(&self) -> f64 {
        if self.done == 0 { 0.0 } else { self.copied as f64 / self.done as f64 }
    }

    fn wrote(&mut self, bytes: usize) {
        self.writes += 1;
        self.bytes += bytes as u64;
        WRITES.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn finished(&mut self, writes: u64, copied: bool) {
        let copies = if copied { writes } else { 0 };
        self.done += writes;
        self.copied += copies;
        DONE.fetch_add(writes, Ordering::Relaxed);
        COPIED.fetch_add(copies, Ordering::Relaxed);
    }
}

/// What one connection sends without a copy.
#[derive(Debug)]
pub(super) struct ZeroSends {
    wish: ZeroCopy,
    /// The kernel has said that it copies.
    given_up: bool,
    /// The connection is reset: nothing is sent any more.
    reset: bool,
    /// The number of the oldest write in `kept`.
    oldest: u32,
    /// The buffers of the writes from there on; `None` is done.
    kept: VecDeque<Option<Vec<Bytes>>>,
}

impl ZeroSends {
    /// Prepares a socket whose options ask for it.
    pub(super) fn prepare(
        socket: impl AsFd,
        options: &SocketOptions,
    ) -> io::Result<Option<Box<Self>>> {
        let Some(wish) = options.zero_copy else { return Ok(None) };
        sys::set_zero_copy(socket)?;
        Ok(Some(Box::new(Self {
            wish,
            given_up: false,
            reset: false,
            oldest: 0,
            kept: VecDeque::new(),
        })))
    }

    /// Whether a write of so many bytes is to leave without a copy.
    pub(super) fn wants(&self, bytes: u64) -> bool {
        !self.given_up && bytes >= self.wish.bytes_min as u64
    }

    /// The socket is about to be reset, so the buffers are free when it is closed.
    pub(super) fn note_reset(&mut self) {
        self.reset = true;
    }

    /// Whether the kernel is done with everything.
    pub(super) fn is_done(&self) -> bool {
        self.kept.is_empty()
    }

    /// Sends the front of `out`; answers how much went, which is 0 when the socket is full, or `None`
    /// when this write has to be copied.
    pub(super) fn send(
        &mut self,
        socket: &OwnedFd,
        out: &mut Gather<'_>,
        stats: &mut ZeroCopyStats,
    ) -> io::Result<Option<usize>> {
        let pieces = take_pieces(out);
        let mut slices = [IoSlice::new(&[]); ZERO_COPY_SLICES_MAX];
        for (slice, piece) in slices.iter_mut().zip(&pieces) {
            *slice = IoSlice::new(piece);
        }
        let sent = match sys::send_zero_copy(socket, &slices[..pieces.len()]) {
            Ok(sent) => sent,
            Err(error) => {
                return match Errno::from_io_error(&error) {
                    Some(Errno::AGAIN) => Ok(Some(0)),
                    // Too many reports wait, or too much memory is pinned.
                    Some(Errno::NOBUFS) => Ok(None),
                    _ => Err(error),
                };
            }
        };
        stats.wrote(sent);
        let mut left = sent;
        let gone = |piece: &Bytes| {
            let begins = left > 0;
            left = left.saturating_sub(piece.len());
            begins
        };
        self.kept.push_back(Some(pieces.into_iter().take_while(gone).collect()));
        Ok(Some(sent))
    }

    /// Takes the reports that wait, and lets go of the buffers they name.
    pub(super) fn collect(&mut self, socket: &OwnedFd, stats: &mut ZeroCopyStats) {
        // An error of the socket is told by its next read or write.
        while let Ok(Some(completion)) = sys::zero_copy_completion(socket) {
            let done = self.complete(completion);
            stats.finished(done, completion.copied);
            self.given_up |= completion.copied && !self.wish.forced;
        }
    }

    /// Answers how many writes were done by it.
    fn complete(&mut self, completion: Completion) -> u64 {
        let from = completion.first.wrapping_sub(self.oldest) as usize;
        let count = completion.last.wrapping_sub(completion.first) as usize + 1;
        let range = self.kept.iter_mut().skip(from).take(count);
        let done = range.filter_map(Option::take).count() as u64;
        while let Some(None) = self.kept.front() {
            self.kept.pop_front();
            self.oldest = self.oldest.wrapping_add(1);
        }
        done
    }
}

impl Drop for ZeroSends {
    fn drop(&mut self) {
        if self.reset {
            return;
        }
        // The kernel may still send from them. Memory that is never used again does no harm; there is
        // as much of it as fits into the socket's buffer.
        for buffers in self.kept.drain(..).flatten() {
            std::mem::forget(buffers);
        }
    }
}

/// The pieces at the front, shared. Short ones are copied, neighbours of them together.
fn take_pieces(out: &mut Gather<'_>) -> Vec<Bytes> {
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut short: Vec<u8> = Vec::new();
    out.share(COPY_BYTES_MAX, |share| {
        if pieces.len() + usize::from(!short.is_empty()) >= ZERO_COPY_SLICES_MAX - 1 {
            return 0;
        }
        match share {
            Share::Slice(slice) => {
                short.extend_from_slice(slice);
                slice.len()
            }
            Share::Bytes(bytes) => {
                let len = bytes.len();
                if !short.is_empty() {
                    pieces.push(std::mem::take(&mut short).into());
                }
                pieces.push(bytes);
                len
            }
        }
    });
    if !short.is_empty() {
        pieces.push(short.into());
    }
    pieces
}

/// Whether a hang-up or an error is more than a report in the error queue.
pub(super) fn is_hung_up(socket: &OwnedFd) -> bool {
    let mut asked = [PollFd::new(socket, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    !matches!(rustix::event::poll(&mut asked, Some(&now)), Ok(0))
}

/// Connections that are closed and whose buffers the kernel still reads.
#[derive(Debug, Default)]
pub(super) struct Finishing {
    sockets: Vec<Last>,
    /// When they are to be looked at.
    next: Option<Instant>,
}

#[derive(Debug)]
struct Last {
    socket: OwnedFd,
    sends: Box<ZeroSends>,
    until: Option<Instant>,
}

impl Finishing {
    /// A connection that was closed in order.
    pub(super) fn add(&mut self, socket: OwnedFd, sends: Box<ZeroSends>) {
        // The peer sees the end now. One that is gone needs none.
        let _ = sys::shutdown(&socket, Shutdown::Write);
        self.sockets.push(Last { socket, sends, until: None });
        self.next = Some(Instant::ZERO);
    }

    pub(super) fn len(&self) -> usize {
        self.sockets.len()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Lets go of those that are done, and resets those that take too long.
    pub(super) fn poll(&mut self, now: Instant, stats: &mut ZeroCopyStats) {
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.sockets.retain_mut(|last| {
            last.sends.collect(&last.socket, stats);
            let late = now >= *last.until.get_or_insert(now + FINISH_MAX);
            if late {
                tracing::debug!("a closed peer does not take what was sent: resetting");
                // Else it would go on sending from memory that has another use by then.
                let _ = SockRef::from(&last.socket).set_linger(Some(Duration::ZERO));
                last.sends.note_reset();
            }
            !late && !last.sends.is_done()
        });
        self.next = (!self.sockets.is_empty()).then(|| now + FINISH_TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sends(writes: usize) -> ZeroSends {
        let wish = ZeroCopy::default();
        let kept = (0..writes).map(|_| Some(Vec::new())).collect();
        ZeroSends { wish, given_up: false, reset: false, oldest: u32::MAX - 1, kept }
    }

    fn range(first: u32, last: u32) -> Completion {
        Completion { first, last, copied: false }
    }

    #[test]
    fn reports_come_in_any_order_and_the_count_wraps() {
        let mut sends = sends(5);
        assert_eq!(sends.complete(range(u32::MAX, 0)), 2);
        assert_eq!(sends.kept.len(), 5, "the oldest is not done");
        assert_eq!(sends.complete(range(u32::MAX - 1, u32::MAX - 1)), 1);
        assert_eq!((sends.kept.len(), sends.oldest), (2, 1));
        assert_eq!(sends.complete(range(1, 2)), 2);
        assert!(sends.is_done());
    }

    #[test]
    fn a_report_of_nothing_known_does_nothing() {
        let mut sends = sends(1);
        assert_eq!(sends.complete(range(7, 9)), 0);
        assert_eq!(sends.complete(range(u32::MAX - 1, u32::MAX - 1)), 1);
        assert_eq!(sends.complete(range(u32::MAX - 1, u32::MAX - 1)), 0);
    }

    #[test]
    fn the_share_of_copies_is_of_what_is_done() {
        let mut stats = ZeroCopyStats::default();
        assert_eq!(stats.copied_share(), 0.0);
        stats.wrote(10);
        stats.finished(3, false);
        stats.finished(1, true);
        assert_eq!((stats.writes, stats.bytes, stats.copied_share()), (1, 10, 0.25));
    }
}
