//! Several loops, each with a stack, that are one host: frames that arrive at the wrong loop go to
//! the one that owns their flow.
//!
//! ```text
//!   queue 0 -> loop 0 --sort--> own stack
//!                      \--batch--> desk of loop 1 --notify--> loop 1 -> its stack
//!   queue 1 -> loop 1 ...
//! ```
//! A desk is a list of frames under a lock that is held for as long as it takes to append a batch. It
//! is bounded: what comes beyond is lost and counted, as on any wire.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fyke_core::LoopHandle;
use fyke_core::driver::TransportId;
use fyke_stack::{Medium, Shard, Shards, Steer};

use super::device::Frame;
use super::transport::DESK_KEY;

/// Frames that wait for a loop at most.
pub(super) const DESK_FRAMES_MAX: usize = 4096;

/// What the loops of one host share: who makes a [`StackTransport`](super::StackTransport) on each of
/// several loops himself gives each a [`Place`]. [`Userspace::loops`](super::Userspace::loops) does
/// that by itself.
pub struct Hub {
    shards: Shards,
    desks: Vec<Mutex<Desk>>,
    handed: AtomicU64,
    lost: AtomicU64,
}

/// Where frames for a loop are left.
#[derive(Default)]
struct Desk {
    frames: Vec<Frame>,
    seat: Option<(LoopHandle, TransportId)>,
    taken: bool,
}

impl Hub {
    /// That of as many loops as there are `shards`.
    #[must_use]
    pub fn new(shards: Shards) -> Arc<Self> {
        let desks = (0..shards.count()).map(|_| Mutex::default()).collect();
        Arc::new(Self { shards, desks, handed: AtomicU64::new(0), lost: AtomicU64::new(0) })
    }

    fn desk(&self, index: usize) -> MutexGuard<'_, Desk> {
        self.desks[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more loop.
    ///
    /// # Errors
    /// When each of the loops that it is for has one.
    pub fn join(self: &Arc<Self>) -> io::Result<Place> {
        for index in 0..self.shards.count() {
            if !std::mem::replace(&mut self.desk(usize::from(index)).taken, true) {
                return Ok(Place { hub: Arc::clone(self), index });
            }
        }
        Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!("the stack is made for {} loops, and each of them has it", self.desks.len()),
        ))
    }

    /// Frames that went from one loop to another, and those of them that were lost.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.handed.load(Ordering::Relaxed), self.lost.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("loops", &self.desks.len()).finish_non_exhaustive()
    }
}

/// A loop's place among those of its host, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    hub: Arc<Hub>,
    index: u16,
}

impl Place {
    /// For the configuration of the loop's stack.
    #[must_use]
    pub fn shard(&self) -> Option<Shard> {
        self.hub.shards.shard(self.index)
    }

    /// Begins to take part.
    pub(super) fn sit(self, handle: LoopHandle, transport: TransportId, medium: Medium) -> Crew {
        self.hub.desk(usize::from(self.index)).seat = Some((handle, transport));
        let out = (0..self.hub.desks.len()).map(|_| Vec::new()).collect();
        Crew { place: self, medium, out }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.hub.desk(usize::from(self.index)) = Desk::default();
    }
}

/// One loop's part.
#[derive(Debug)]
pub(super) struct Crew {
    place: Place,
    medium: Medium,
    /// What is to be handed over when this batch was sorted.
    out: Vec<Vec<Frame>>,
}

impl Crew {
    /// Keeps in `frames` what is this loop's.
    pub(super) fn sort(&mut self, frames: &mut Vec<Frame>) {
        let own = usize::from(self.place.index);
        let (shards, medium, out) = (&self.place.hub.shards, self.medium, &mut self.out);
        frames.retain_mut(|frame| {
            let to = match shards.steer(medium, &frame.bytes) {
                Steer::Owner(index) => usize::from(index),
                Steer::Everyone => {
                    for (index, batch) in out.iter_mut().enumerate() {
                        if index != own {
                            batch.push(Frame { bytes: frame.bytes.clone(), meta: frame.meta });
                        }
                    }
                    own
                }
                _ => 0,
            };
            if to != own {
                let bytes = std::mem::take(&mut frame.bytes);
                out[to].push(Frame { bytes, meta: frame.meta });
            }
            to == own
        });
        self.hand_over();
    }

    fn hand_over(&mut self) {
        let hub = &self.place.hub;
        for (index, batch) in self.out.iter_mut().enumerate().filter(|(_, b)| !b.is_empty()) {
            let mut desk = hub.desk(index);
            // A loop that has not come yet, or has gone, takes nothing.
            let room = match desk.seat {
                Some(_) => DESK_FRAMES_MAX - desk.frames.len().min(DESK_FRAMES_MAX),
                None => 0,
            };
            let first = desk.frames.is_empty();
            let lost = batch.len().saturating_sub(room);
            batch.truncate(room);
            hub.handed.fetch_add(batch.len() as u64, Ordering::Relaxed);
            hub.lost.fetch_add(lost as u64, Ordering::Relaxed);
            desk.frames.append(batch);
            let wake = first && !desk.frames.is_empty();
            if let Some((handle, transport)) = desk.seat.as_ref().filter(|_| wake) {
                // A loop that has ended needs no frames.
                let _ = handle.notify(*transport, DESK_KEY);
            }
        }
    }

    /// Swaps what others have left for this loop into `frames`, which is empty.
    pub(super) fn take(&self, frames: &mut Vec<Frame>) {
        let mut desk = self.place.hub.desk(usize::from(self.place.index));
        std::mem::swap(&mut desk.frames, frames);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_once_and_come_back() {
        let hub = Hub::new(Shards::new(2, 1.into()));
        let first = hub.join().unwrap();
        let second = hub.join().unwrap();
        assert_eq!((first.index, second.index), (0, 1));
        assert_eq!(hub.join().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(first);
        assert_eq!(hub.join().unwrap().index, 0);
    }
}
