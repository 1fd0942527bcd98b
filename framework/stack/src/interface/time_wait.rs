//! Connections in TIME-WAIT whose socket is gone: what they still have to answer with, in 96 bytes.
//!
//! All wait equally long, so a queue in the order of arrival is one in the order of expiry, and the
//! oldest is at its front when room is needed.

use alloc::vec::Vec;

use fyke_clock::Instant;

use super::grow;
use super::tuple::FourTuple;
use crate::tcp::{Flags, Options, Segment, SeqNum, Timestamp};

/// "No entry" in a link.
const NIL: u32 = u32::MAX;

/// The low bits of the time in milliseconds.
pub(crate) const fn millis(now: Instant) -> u32 {
    (now.as_nanos() / 1_000_000) as u32
}

/// What is left of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remains {
    pub(crate) tuple: FourTuple,
    /// The next number we would send, and the next we expect.
    pub(crate) snd_nxt: SeqNum,
    pub(crate) rcv_nxt: SeqNum,
    /// The window as it stood in the last header, and its scale.
    pub(crate) window: u16,
    pub(crate) window_shift: u8,
    pub(crate) traffic_class: u8,
    /// The peer's last timestamp, when timestamps are agreed, and our offset.
    pub(crate) timestamp: Option<u32>,
    pub(crate) timestamp_offset: u32,
    /// When a segment without data was last answered, in milliseconds.
    pub(crate) answered_ms: u32,
}

/// What a segment for a connection in TIME-WAIT asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Nothing.
    Ignore,
    /// An acknowledgement of where we stand.
    Acknowledge,
    /// That, and the wait begins anew: the peer did not see our last acknowledgement.
    Restart,
    /// It is a new connection's SYN and certainly no old one (RFC 6191).
    Reopen,
}

impl Remains {
    /// Decides about a segment (RFC 9293, section 3.10.7.4, and RFC 6191).
    ///
    /// A reset does not end the wait: it may be an old duplicate (RFC 1337).
    pub(crate) fn judge(&self, segment: &Segment) -> Verdict {
        if segment.flags.contains(Flags::RST) {
            return Verdict::Ignore;
        }
        let stamp = segment.options.timestamp;
        let age = stamp.zip(self.timestamp);
        let age = age.map(|(new, last)| new.value.wrapping_sub(last).cast_signed());
        if segment.flags.contains(Flags::SYN) && !segment.flags.contains(Flags::ACK) {
            let newer = segment.seq.is_after(self.rcv_nxt);
            let reopens = match age {
                Some(age) => age > 0 || (age == 0 && newer),
                None => newer,
            };
            return if reopens { Verdict::Reopen } else { Verdict::Acknowledge };
        }
        if age.is_some_and(|age| age < 0) {
            return Verdict::Acknowledge;
        }
        let length = segment.sequence_length();
        let window = u32::from(self.window) << self.window_shift.min(14);
        let last = segment.seq + length.saturating_sub(1);
        let acceptable = segment.seq.is_within(self.rcv_nxt, window.max(1))
            || (length > 0 && last.is_within(self.rcv_nxt, window.max(1)));
        if segment.flags.contains(Flags::FIN) && segment.seq + length == self.rcv_nxt {
            return Verdict::Restart;
        }
        if length > 0 || !acceptable { Verdict::Acknowledge } else { Verdict::Ignore }
    }

    /// Whether one more acknowledgement may go out: two ends that disagree about where they stand
    /// must not answer each other for ever (RFC 5961, section 7).
    pub(crate) fn may_answer(&mut self, segment: &Segment, now_ms: u32, interval_ms: u32) -> bool {
        if segment.sequence_length() > 0 {
            return true;
        }
        let free = now_ms.wrapping_sub(self.answered_ms) >= interval_ms;
        if free {
            self.answered_ms = now_ms;
        }
        free
    }

    /// The acknowledgement of where we stand.
    pub(crate) fn acknowledgement(&self, clock: u32) -> Segment {
        let stamp = |echo| Timestamp { value: clock.wrapping_add(self.timestamp_offset), echo };
        Segment {
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
            flags: Flags::ACK,
            window: self.window,
            options: Options { timestamp: self.timestamp.map(stamp), ..Options::default() },
            ..Segment::default()
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    remains: Remains,
    expires: Instant,
    next: u32,
    previous: u32,
    used: bool,
}

const _: () = assert!(size_of::<Entry>() <= 96);

/// The table.
pub(crate) struct TimeWaits {
    entries: Vec<Entry>,
    free: u32,
    head: u32,
    tail: u32,
    len: usize,
    capacity: usize,
}

impl TimeWaits {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, 1 << 28);
        Self { entries: Vec::new(), free: NIL, head: NIL, tail: NIL, len: 0, capacity }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that the entries take.
    pub(crate) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }

    /// The entry that makes room for the next, when there is none.
    pub(crate) fn displaced(&self) -> Option<u32> {
        (self.len >= self.capacity).then_some(self.head)
    }

    /// Adds an entry; the caller has made room.
    pub(crate) fn insert(&mut self, remains: Remains, expires: Instant) -> u32 {
        let entry = Entry { remains, expires, next: NIL, previous: NIL, used: true };
        let index = if self.free == NIL {
            grow(&mut self.entries);
            self.entries.push(entry);
            (self.entries.len() - 1) as u32
        } else {
            let index = self.free;
            self.free = self.entries[index as usize].next;
            self.entries[index as usize] = entry;
            index
        };
        self.len += 1;
        self.append(index, expires);
        index
    }

    pub(crate) fn at(&self, index: u32) -> Option<&Remains> {
        self.entries.get(index as usize).filter(|entry| entry.used).map(|entry| &entry.remains)
    }

    /// When an entry's time is over.
    pub(crate) fn expires(&self, index: u32) -> Option<Instant> {
        self.entries.get(index as usize).filter(|entry| entry.used).map(|entry| entry.expires)
    }

    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut Remains> {
        let entry = self.entries.get_mut(index as usize).filter(|entry| entry.used);
        entry.map(|entry| &mut entry.remains)
    }

    /// Lets an entry wait anew.
    pub(crate) fn restart(&mut self, index: u32, expires: Instant) {
        if self.at(index).is_some() {
            self.unlink(index);
            self.append(index, expires);
        }
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<Remains> {
        let remains = *self.at(index)?;
        self.unlink(index);
        let entry = &mut self.entries[index as usize];
        entry.used = false;
        entry.next = self.free;
        self.free = index;
        self.len -= 1;
        Some(remains)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.entries.get(self.head as usize).map(|entry| entry.expires)
    }

    /// The oldest entry, when its time is over.
    pub(crate) fn expired(&self, now: Instant) -> Option<u32> {
        self.next_deadline().filter(|at| *at <= now).map(|_| self.head)
    }

    /// All entries; for introspection only.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Remains> {
        self.entries.iter().filter(|entry| entry.used).map(|entry| &entry.remains)
    }

    fn append(&mut self, index: u32, expires: Instant) {
        let tail = self.tail;
        // A shorter wait than that of an earlier entry would break the order: it waits as long.
        let last = self.entries.get(tail as usize).map_or(expires, |tail| tail.expires);
        let entry = &mut self.entries[index as usize];
        (entry.next, entry.previous, entry.expires) = (NIL, tail, expires.max(last));
        match tail {
            NIL => self.head = index,
            tail => self.entries[tail as usize].next = index,
        }
        self.tail = index;
    }

    fn unlink(&mut self, index: u32) {
        let Entry { next, previous, .. } = self.entries[index as usize];
        match previous {
            NIL => self.head = next,
            previous => self.entries[previous as usize].next = next,
        }
        match next {
            NIL => self.tail = previous,
            next => self.entries[next as usize].previous = previous,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remains(timestamp: Option<u32>) -> Remains {
        Remains {
            tuple: FourTuple::new(([10, 0, 0, 1], 80).into(), ([10, 0, 0, 2], 9).into()),
            snd_nxt: SeqNum::new(1000),
            rcv_nxt: SeqNum::new(5000),
            window: 100,
            window_shift: 0,
            traffic_class: 0,
            timestamp,
            timestamp_offset: 0,
            answered_ms: 0,
        }
    }

    fn segment(flags: Flags, seq: u32, stamp: Option<u32>) -> Segment {
        let timestamp = stamp.map(|value| Timestamp { value, echo: 0 });
        let options = Options { timestamp, ..Options::default() };
        Segment { seq: SeqNum::new(seq), flags, options, ..Segment::default() }
    }

    #[test]
    fn verdicts() {
        let (fin, ack, syn) = (Flags::FIN | Flags::ACK, Flags::ACK, Flags::SYN);
        for (recent, flags, seq, stamp, verdict) in [
            (None, Flags::RST, 5000, None, Verdict::Ignore),
            (None, fin, 4999, None, Verdict::Restart),
            (None, ack, 5000, None, Verdict::Ignore),
            (None, ack, 6000, None, Verdict::Acknowledge),
            (None, syn, 5001, None, Verdict::Reopen),
            (None, syn, 4000, None, Verdict::Acknowledge),
            (Some(50), syn, 4000, Some(51), Verdict::Reopen),
            (Some(50), syn, 6000, Some(49), Verdict::Acknowledge),
            (Some(50), syn, 6000, Some(50), Verdict::Reopen),
            (Some(50), ack, 5000, Some(49), Verdict::Acknowledge),
        ] {
            let found = remains(recent).judge(&segment(flags, seq, stamp));
            assert_eq!(found, verdict, "{flags:?} {seq} {stamp:?}");
        }
    }

    #[test]
    fn the_oldest_expires_first_and_makes_room() {
        let at = Instant::from_nanos;
        let mut waits = TimeWaits::new(2);
        let first = waits.insert(remains(None), at(10));
        let second = waits.insert(remains(None), at(20));
        assert_eq!(waits.displaced(), Some(first));
        waits.restart(first, at(30));
        assert_eq!((waits.next_deadline(), waits.expired(at(19))), (Some(at(20)), None));
        assert_eq!(waits.expired(at(20)), Some(second));
        assert!(waits.remove(second).is_some() && waits.remove(second).is_none());
        assert_eq!((waits.expired(at(30)), waits.len()), (Some(first), 1));
    }
}
