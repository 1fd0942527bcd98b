//! A hashed hierarchical timer wheel.
//!
//! Purpose: tens of timers a connection, set and moved at every message, hardly ever expiring.
//! Setting, moving and cancelling are therefore the cheap operations, and order is made late, for
//! the few that are about to expire:
//!
//! ```text
//!  schedule ──> levels: slots of unordered lists ──(their tick has come)──> due: a small heap ──> poll
//!                  │          ▲
//!                  └─cascade──┘   a slot of a high level is spread over the lower ones
//! ```
//!
//! The present tick only moves in [`TimerWheel::poll`], which argues why nothing is skipped.
//!
//! Reading list: G. Varghese, A. Lauck, "Hashed and hierarchical timing wheels", SOSP 1987,
//! schemes 6 and 7.

mod due;
mod levels;
mod slab;

use core::fmt;
use core::time::Duration;

use crate::Instant;
use crate::instant::saturating_nanos;

use due::Due;
use levels::{Levels, Position};
use slab::{NIL, Place, Slab};

pub use slab::TimerKey;

/// The default width of a slot at the lowest level.
const TICK_DEFAULT: Duration = Duration::from_millis(1);

/// Many pending deadlines, each with a value of type `T`.
///
/// # What holds
/// - **Resolution**: deadlines keep their nanoseconds. A timer is never given out before its
///   deadline, and the first [`poll`](Self::poll) whose `now` has reached the deadline gives it
///   out. What lateness there is comes from when the caller polls. The tick is the width of a slot
///   at the lowest level and influences cost only: order is made within one tick at a time.
/// - **Order**: exactly by deadline, and for equal deadlines by order of scheduling. Moving a timer
///   counts as scheduling it anew.
/// - **Drift**: none. Deadlines are absolute and `poll` returns the one that was asked for, so a
///   periodic timer that schedules `deadline + period` keeps its rate however late it is served.
/// - **Range**: every [`Instant`]; years ahead are as good as milliseconds.
///
/// # What it costs
/// | operation | time |
/// |---|---|
/// | `schedule`, `cancel`, `reschedule` | O(1); O(log k) for a timer of the present tick or the past, of which there are k |
/// | `next_deadline` | O(1): a look into at most five words of bitmaps |
/// | `poll` | O(log k) for what it returns. Over its life each timer is moved at most once per level below the one it began at; empty slots cost nothing, however far `now` jumps |
///
/// With the default tick of 1 ms a time-out below 256 ms is as a rule moved once and one below a
/// minute twice; one that reaches into the next stretch of a higher level begins there. A slot is
/// spread as a whole, in one `poll`; one of the second level holds 256 ticks.
///
/// A timer takes 32 bytes and its value. A level takes 3 KiB and is made when first used; there are
/// at most eight, and with the default tick time itself brings the third into use after a minute
/// and the fourth after 4.7 hours. Apart from that, memory grows to the largest number of timers
/// pending at one time, is reused without allocating, and is given back when the wheel is dropped.
///
/// # Example
/// ```
/// use core::time::Duration;
/// use fyke_clock::{Instant, TimerWheel};
///
/// let start = Instant::ZERO;
/// let mut wheel = TimerWheel::new(start);
/// let idle = wheel.schedule(start + Duration::from_secs(30), "idle");
/// wheel.schedule(start + Duration::from_secs(5), "heartbeat");
///
/// // Something was read: the idle time-out begins anew.
/// wheel.reschedule(idle, start + Duration::from_secs(40));
///
/// let wake = wheel.next_deadline().unwrap();
/// assert_eq!(wake, start + Duration::from_secs(5));
/// assert_eq!(wheel.poll(wake), Some((wake, "heartbeat")));
/// assert_eq!(wheel.poll(wake), None);
/// assert_eq!(wheel.cancel(idle), Some("idle"));
/// assert!(wheel.is_empty());
/// ```
pub struct TimerWheel<T> {
    tick_nanos: u64,
    /// Timers of this tick and earlier are in `due`, all later ones are in `levels`.
    present: u64,
    scheduled: u64,
    slab: Slab<T>,
    levels: Levels,
    due: Due,
}

impl<T> TimerWheel<T> {
    /// An empty wheel with the default tick of 1 ms. Allocates nothing yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self::with_tick(now, TICK_DEFAULT)
    }

    /// An empty wheel with slots of `tick` at the lowest level. A tick of zero counts as 1 ns.
    ///
    /// A longer tick moves timers less often and sorts more of them at a time.
    #[must_use]
    pub fn with_tick(now: Instant, tick: Duration) -> Self {
        let tick_nanos = saturating_nanos(tick).max(1);
        Self {
            tick_nanos,
            present: now.as_nanos() / tick_nanos,
            scheduled: 0,
            slab: Slab::new(),
            levels: Levels::new(),
            due: Due::new(),
        }
    }

    /// The width of a slot at the lowest level.
    #[must_use]
    pub fn tick(&self) -> Duration {
        Duration::from_nanos(self.tick_nanos)
    }

    /// How many timers are pending, those that are due and not yet polled included.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether no timer is pending.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for `additional` more timers, so that scheduling them does not allocate for them.
    pub fn reserve(&mut self, additional: usize) {
        self.slab.reserve(additional);
    }

    /// Adds a timer. One whose deadline has passed is given out by the next [`poll`](Self::poll).
    ///
    /// # Panics
    /// When 2^32 - 1 timers are pending already.
    pub fn schedule(&mut self, deadline: Instant, value: T) -> TimerKey {
        let order = self.next_order();
        let (index, key) = self.slab.insert(deadline.as_nanos(), order, value);
        self.place(index);
        key
    }

    /// Takes a pending timer out and returns its value; `None` when it has expired or was cancelled.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let index = self.slab.find(key)?;
        self.displace(index);
        self.slab.remove(index)
    }

    /// Moves a pending timer to another deadline, earlier or later; it keeps its key and value.
    ///
    /// `false` when the timer has expired or was cancelled.
    pub fn reschedule(&mut self, key: TimerKey, deadline: Instant) -> bool {
        let Some(index) = self.slab.find(key) else { return false };
        self.displace(index);
        let order = self.next_order();
        let entry = self.slab.entry_mut(index);
        entry.deadline_nanos = deadline.as_nanos();
        entry.order = order;
        self.place(index);
        true
    }

    /// The value of a pending timer.
    #[must_use]
    pub fn get(&self, key: TimerKey) -> Option<&T> {
        self.slab.entry(self.slab.find(key)?).value()
    }

    /// The value of a pending timer, to change it.
    pub fn get_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        let index = self.slab.find(key)?;
        self.slab.entry_mut(index).value_mut()
    }

    /// The deadline of a pending timer.
    #[must_use]
    pub fn deadline(&self, key: TimerKey) -> Option<Instant> {
        let entry = self.slab.entry(self.slab.find(key)?);
        Some(Instant::from_nanos(entry.deadline_nanos))
    }

    /// When to poll next; `None` without timers. O(1).
    ///
    /// No pending timer has an earlier deadline. As a rule it is the deadline of the earliest
    /// timer; when that one was cancelled or moved and shared its slot with others it can be the
    /// deadline it had. A caller that sleeps until then finds nothing due, once: polling at that
    /// time splits the slot, and after a `poll(now)` without result the answer is always later
    /// than `now`.
    #[must_use]
    #[inline]
    pub fn next_deadline(&self) -> Option<Instant> {
        if let Some((deadline_nanos, _)) = self.due.first() {
            return Some(Instant::from_nanos(deadline_nanos));
        }
        let first = self.levels.first()?;
        Some(Instant::from_nanos(self.levels.earliest_nanos(first)))
    }

    /// Takes out the earliest timer whose deadline is not later than `now`, with its deadline.
    ///
    /// Call it until it returns `None`; timers scheduled meanwhile take part, so a caller whose
    /// timers schedule due timers needs a budget of its own. A `now` before that of an earlier
    /// call is fine, and gives out what is due by then.
    pub fn poll(&mut self, now: Instant) -> Option<(Instant, T)> {
        if self.due.first().is_none_or(|(deadline_nanos, _)| deadline_nanos > now.as_nanos()) {
            self.turn(now);
        }
        let (deadline_nanos, index) = self.due.first()?;
        if deadline_nanos > now.as_nanos() {
            return None;
        }
        self.due.remove(&mut self.slab, index);
        let value = self.slab.remove(index)?;
        Some((Instant::from_nanos(deadline_nanos), value))
    }

    /// Moves the present tick towards `now` until a timer is due or `now` is reached.
    ///
    /// Nothing is skipped: the present tick never passes the first tick of a slot in use without
    /// emptying that slot, and never passes the tick of a timer.
    fn turn(&mut self, now: Instant) {
        let target = now.as_nanos() / self.tick_nanos;
        while let Some(at) = self.levels.first() {
            if at.first_tick(self.present) > target {
                break;
            }
            self.spread(at, target);
            if self.due.first().is_some_and(|(deadline_nanos, _)| deadline_nanos <= now.as_nanos())
            {
                return;
            }
        }
        self.present = target.max(self.present);
    }

    /// Moves the present tick into the earliest slot, and the slot's timers to where they are seen
    /// from there: lower levels or the heap. The present tick goes as far as it can at once, up to
    /// the earliest timer, so a lonely timer is moved a single time however far away it was.
    fn spread(&mut self, at: Position, target: u64) {
        let earliest = self.levels.earliest_nanos(at) / self.tick_nanos;
        debug_assert!(at.first_tick(self.present) <= earliest, "a slot holds its own ticks only");
        self.present = earliest.min(target);
        let mut index = self.levels.take(at);
        while index != NIL {
            let next = self.slab.entry(index).next;
            self.place(index);
            index = next;
        }
    }

    #[inline]
    fn place(&mut self, index: u32) {
        let tick = self.slab.entry(index).deadline_nanos / self.tick_nanos;
        if tick <= self.present {
            self.due.push(&mut self.slab, index);
        } else {
            self.levels.link(&mut self.slab, index, Position::of(tick, self.present));
        }
    }

    #[inline]
    fn displace(&mut self, index: u32) {
        match self.slab.entry(index).place {
            Place::Slot { level, slot } => {
                self.levels.unlink(&mut self.slab, index, Position { level, slot });
            }
            Place::Due => self.due.remove(&mut self.slab, index),
            Place::Nowhere => {}
        }
    }

    #[inline]
    fn next_order(&mut self) -> u64 {
        // One a nanosecond would last for 584 years.
        self.scheduled += 1;
        self.scheduled
    }
}

impl<T> fmt::Debug for TimerWheel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerWheel")
            .field("len", &self.len())
            .field("tick", &self.tick())
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
