//! Passive opens between SYN and the ACK of the SYN-ACK: 64 bytes each, in a table with a cap
//! (RFC 4987, section 3.3).
//!
//! ```text
//!  SYN ──> level 0 ──(time-out: SYN-ACK again)──> level 1 ──> ... ──(time-out)──> given up
//!               └── ACK, RST: leaves from anywhere
//! ```
//! All entries of a level wait equally long, so each level is a queue in the order of expiry and no
//! entry needs a timer of its own.

use alloc::vec::Vec;
use core::time::Duration;

use fyke_clock::Instant;

use super::grow;
use super::isn::{TICK_NANOS, Ticks};
use super::tuple::FourTuple;
use crate::tcp::{Handshake, SeqNum};

/// "No entry" in a link.
const NIL: u32 = u32::MAX;
/// The most times a SYN-ACK is sent again, whatever the configuration says.
const LEVELS_MAX: usize = 12;
/// By how many ticks the clock of a number may be ahead: behind whatever was sent before, and less
/// than half the circle ahead of it.
const AHEAD: [u32; 4] = [0, 1 << 24, 1 << 28, 1 << 31];
/// Longest sum of waits, in ticks: half the clock would be 2.4 hours.
const WAIT_TICKS_MAX: u64 = 1 << 30;

/// What of the options is agreed, in one byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Agreed(u8);

impl Agreed {
    const NO_SCALE: u8 = 0xf;
    const SACK: u8 = 1 << 4;
    const TIMESTAMPS: u8 = 1 << 5;
    const ECN: u8 = 1 << 6;
    /// In lists: the entry is in use.
    const USED: u8 = 1 << 7;
}

/// How often the SYN-ACK was sent again by time-outs, how far the clock of its number is ahead, and
/// whether its acknowledgement tells no round trip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Level(u8);

impl Level {
    const NUMBER: u8 = 0xf;
    /// Which of [`AHEAD`].
    const AHEAD_SHIFT: u8 = 4;
    const AHEAD: u8 = 3 << Self::AHEAD_SHIFT;
    /// The peer asked for a Fast Open cookie.
    const ASKED: u8 = 1 << 6;
    const UNCLEAR: u8 = 1 << 7;

    fn number(self) -> usize {
        usize::from(self.0 & Self::NUMBER)
    }
}

/// An embryonic connection. What can be computed from the tuple and the time is not stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Embryo {
    pub(crate) tuple: FourTuple,
    irs: u32,
    timestamp: u32,
    created: u32,
    pub(crate) listener: u32,
    next: u32,
    previous: u32,
    peer_mss: u16,
    agreed: Agreed,
    level: Level,
}

const _: () = assert!(size_of::<Embryo>() <= 64);

impl Embryo {
    pub(crate) fn new(
        tuple: FourTuple,
        handshake: &Handshake,
        created: Ticks,
        listener: u32,
    ) -> Self {
        let mut agreed = handshake.window_scale.unwrap_or(Agreed::NO_SCALE);
        for (set, bit) in [
            (handshake.sack, Agreed::SACK),
            (handshake.timestamp.is_some(), Agreed::TIMESTAMPS),
            (handshake.ecn, Agreed::ECN),
        ] {
            agreed |= if set { bit } else { 0 };
        }
        Self {
            tuple,
            irs: handshake.irs.value(),
            timestamp: handshake.timestamp.unwrap_or_default(),
            created: created.0,
            listener,
            next: NIL,
            previous: NIL,
            peer_mss: handshake.peer_mss,
            agreed: Agreed(agreed | Agreed::USED),
            level: Level(0),
        }
    }

    /// The acknowledgement will tell no round trip: the SYN-ACK went out more than once (Karn's
    /// rule), or the acknowledgement was there before it counted.
    pub(crate) fn blur(&mut self) {
        self.level.0 |= Level::UNCLEAR;
    }

    /// The SYN-ACK brings a Fast Open cookie, each time it is sent.
    pub(crate) fn ask_cookie(&mut self) {
        self.level.0 |= Level::ASKED;
    }

    /// The initial sequence number is that of a later time, by so many ticks at least: behind those of
    /// a connection before.
    pub(crate) fn hurry(&mut self, ticks: u32) {
        let step = AHEAD.iter().position(|ahead| *ahead >= ticks).unwrap_or(AHEAD.len() - 1);
        self.level.0 = self.level.0 & !Level::AHEAD | (step as u8) << Level::AHEAD_SHIFT;
    }

    /// The clock of the initial sequence number.
    pub(crate) fn clock(&self) -> Ticks {
        let step = (self.level.0 & Level::AHEAD) >> Level::AHEAD_SHIFT;
        self.created().plus(AHEAD[usize::from(step)])
    }

    pub(crate) fn asks_cookie(&self) -> bool {
        self.level.0 & Level::ASKED != 0
    }

    /// When the SYN-ACK left, when that can be told.
    pub(crate) fn sent(&self, now: Instant) -> Option<Instant> {
        let ticks = Ticks::of(now).since(self.created());
        let clear = self.level.0 & (Level::NUMBER | Level::UNCLEAR) == 0;
        u64::try_from(ticks).ok().filter(|_| clear).map(|ticks| {
            // A tick that has begun is none: a round trip is not measured too short.
            Instant::from_nanos(now.as_nanos().saturating_sub((ticks + 1) * TICK_NANOS))
        })
    }

    /// How often the SYN-ACK was sent again because nobody had answered it.
    pub(crate) fn resent(&self) -> u8 {
        self.level.0 & Level::NUMBER
    }

    /// When the SYN came.
    pub(crate) fn created(&self) -> Ticks {
        Ticks(self.created)
    }

    /// The peer's initial sequence number.
    pub(crate) fn irs(&self) -> SeqNum {
        SeqNum::new(self.irs)
    }

    /// A later timestamp of the peer, from a SYN that came again.
    pub(crate) fn set_timestamp(&mut self, value: u32) {
        self.timestamp = value;
    }

    /// The handshake again, with what the caller computes.
    pub(crate) fn handshake(
        &self,
        iss: SeqNum,
        timestamp_offset: u32,
        window: u16,
        now: Instant,
    ) -> Handshake {
        let Agreed(agreed) = self.agreed;
        let scale = agreed & 0xf;
        Handshake {
            iss,
            irs: self.irs(),
            window,
            peer_mss: self.peer_mss,
            window_scale: (scale != Agreed::NO_SCALE).then_some(scale),
            sack: agreed & Agreed::SACK != 0,
            timestamp: (agreed & Agreed::TIMESTAMPS != 0).then_some(self.timestamp),
            timestamp_offset,
            ecn: agreed & Agreed::ECN != 0,
            sent: self.sent(now),
        }
    }
}

/// An entry whose time has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// Send its SYN-ACK again.
    Resend(u32),
    /// Nobody answered; it is still there to be looked at and removed.
    GiveUp(u32),
}

#[derive(Clone, Copy)]
struct Queue {
    head: u32,
    tail: u32,
}

/// The cache.
pub(crate) struct SynCache {
    entries: Vec<Embryo>,
    free: u32,
    len: usize,
    capacity: usize,
    queues: [Queue; LEVELS_MAX + 1],
    /// Ticks from the SYN to the end of each level.
    waits: [u32; LEVELS_MAX + 1],
    levels: usize,
}

impl SynCache {
    pub(crate) fn new(capacity: usize, rto: Duration, rto_max: Duration, retries: u8) -> Self {
        let (mut sum, mut waits) = (0_u64, [0; LEVELS_MAX + 1]);
        for (level, wait) in waits.iter_mut().enumerate() {
            let backoff = rto.saturating_mul(1 << level).min(rto_max.max(rto));
            let ticks = u64::try_from(backoff.as_nanos()).unwrap_or(u64::MAX) / TICK_NANOS;
            sum = sum.saturating_add(ticks.max(1)).min(WAIT_TICKS_MAX);
            *wait = sum as u32;
        }
        Self {
            entries: Vec::new(),
            free: NIL,
            len: 0,
            capacity: capacity.min(1 << 28),
            queues: [Queue { head: NIL, tail: NIL }; LEVELS_MAX + 1],
            waits,
            levels: usize::from(retries).min(LEVELS_MAX),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len >= self.capacity
    }

    /// Bytes that the entries take.
    pub(crate) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Embryo>()
    }

    /// Adds an entry; `None` when the cache is full.
    pub(crate) fn insert(&mut self, embryo: Embryo) -> Option<u32> {
        if self.is_full() {
            return None;
        }
        let index = if self.free == NIL {
            grow(&mut self.entries);
            self.entries.push(embryo);
            (self.entries.len() - 1) as u32
        } else {
            let index = self.free;
            self.free = self.entries[index as usize].next;
            self.entries[index as usize] = embryo;
            index
        };
        self.len += 1;
        self.link(index, 0);
        Some(index)
    }

    pub(crate) fn at(&self, index: u32) -> Option<&Embryo> {
        self.entries.get(index as usize).filter(|e| e.agreed.0 & Agreed::USED != 0)
    }

    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut Embryo> {
        self.entries.get_mut(index as usize).filter(|e| e.agreed.0 & Agreed::USED != 0)
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<Embryo> {
        let embryo = *self.at(index)?;
        self.unlink(index);
        let entry = &mut self.entries[index as usize];
        entry.agreed = Agreed(0);
        entry.next = self.free;
        self.free = index;
        self.len -= 1;
        Some(embryo)
    }

    /// When the next entry is due.
    pub(crate) fn next_deadline(&self, now: Ticks) -> Option<Ticks> {
        let heads = self.queues[..=self.levels].iter().map(|queue| queue.head);
        let due = heads.filter(|head| *head != NIL).map(|head| self.due_at(head));
        due.min_by_key(|due| due.since(now))
    }

    /// The next entry whose time has come; one to be sent again moves to the next level.
    pub(crate) fn pop_due(&mut self, now: Ticks) -> Option<Due> {
        for level in 0..=self.levels {
            let head = self.queues[level].head;
            if head == NIL || now.since(self.due_at(head)) < 0 {
                continue;
            }
            if level == self.levels {
                return Some(Due::GiveUp(head));
            }
            self.unlink(head);
            self.link(head, level + 1);
            return Some(Due::Resend(head));
        }
        None
    }

    /// All entries; for introspection only.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Embryo> {
        self.entries.iter().filter(|e| e.agreed.0 & Agreed::USED != 0)
    }

    fn due_at(&self, index: u32) -> Ticks {
        let entry = &self.entries[index as usize];
        entry.created().plus(self.waits[entry.level.number()])
    }

    fn link(&mut self, index: u32, level: usize) {
        let tail = self.queues[level].tail;
        let entry = &mut self.entries[index as usize];
        let level_now = Level(entry.level.0 & !Level::NUMBER | level as u8);
        (entry.level, entry.next, entry.previous) = (level_now, NIL, tail);
        match tail {
            NIL => self.queues[level].head = index,
            tail => self.entries[tail as usize].next = index,
        }
        self.queues[level].tail = index;
    }

    fn unlink(&mut self, index: u32) {
        let Embryo { level, next, previous, .. } = self.entries[index as usize];
        let queue = &mut self.queues[level.number()];
        match previous {
            NIL => queue.head = next,
            previous => self.entries[previous as usize].next = next,
        }
        match next {
            NIL => queue.tail = previous,
            next => self.entries[next as usize].previous = previous,
        }
    }
}

#[cfg(test)]
mod tests;
