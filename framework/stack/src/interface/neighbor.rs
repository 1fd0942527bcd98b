//! Link addresses of neighbours, for ARP and neighbour discovery (RFC 826, RFC 4861 section 7.3).
//!
//! ```text
//!  lookup ──> Incomplete ──answer──> Reachable ──30 s──> Stale ──used──> Delay ──5 s──> Probe
//!                 │ 3 requests           ^──────── answer, or progress of TCP ───────────┘ │ 3
//!                 v                                                                        v
//!              Failed (1 s of silence)                                                  forgotten
//! ```
//! Entries that are asked about and entries that are known have limits of their own: a scan over a
//! network fills the first and touches nothing of the second. One dead neighbour costs a request a
//! second and its own packets.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use alloc::collections::BTreeMap;

use fyke_clock::Instant;

mod by_hand;
mod outcome;
mod pace;
mod waiting;

use super::bounded::Weight;
use super::lru::Lru;
use super::timer::Lazy;
use crate::stack::arena::Arena;
use crate::wire::MacAddress;

pub(crate) use outcome::{Alarm, Ask, Effects, Lookup};
pub use outcome::{Neighbor, NeighborState};
pub(crate) use pace::Pace;
use waiting::weight;

/// How long one that does not answer is not asked about again.
const FAILED: Duration = Duration::from_secs(1);
/// Requests without an answer after which a neighbour does not exist (MAX_MULTICAST_SOLICIT).
const REQUESTS_MAX: u8 = 3;
/// How long upper layers have to vouch for one before it is probed (DELAY_FIRST_PROBE_TIME).
const DELAY: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Entry<F> {
    address: IpAddr,
    mac: Option<MacAddress>,
    state: NeighborState,
    attempts: u8,
    /// When the state changes by itself.
    deadline: Option<Instant>,
    reachable_until: Instant,
    /// The one entry on the wheel that it may have.
    timer: Lazy,
    waiting: Vec<F>,
}

/// The cache; `F` is what waits for an address.
#[derive(Debug)]
pub(crate) struct Neighbors<F> {
    entries: Arena<Entry<F>>,
    table: BTreeMap<IpAddr, u32>,
    known: Lru,
    pending: Lru,
    known_max: usize,
    pending_max: usize,
    queue_max: usize,
    /// Bytes that wait, for all of them.
    bytes: usize,
    bytes_max: usize,
    /// What the link's routers tell of times.
    pub(crate) pace: Pace,
}

impl<F: Weight> Neighbors<F> {
    /// Packets wait up to a number each, and up to so many bytes altogether.
    pub(crate) fn new(
        known_max: usize,
        pending_max: usize,
        (queue_max, bytes_max): (usize, usize),
    ) -> Self {
        Self {
            entries: Arena::new(),
            table: BTreeMap::new(),
            known: Lru::default(),
            pending: Lru::default(),
            known_max: known_max.max(1),
            pending_max: pending_max.max(1),
            queue_max: queue_max.max(1),
            bytes: 0,
            bytes_max,
            pace: Pace::default(),
        }
    }

    fn alarm(&self, index: u32) -> Option<Alarm> {
        let at = self.entries.at(index)?.deadline?;
        Some(Alarm { index, generation: self.entries.generation(index), at })
    }

    /// The timer of a slot.
    pub(crate) fn timer_mut(&mut self, index: u32) -> Option<&mut Lazy> {
        self.entries.at_mut(index).map(|entry| &mut entry.timer)
    }

    fn forget(&mut self, index: u32, effects: &mut Effects<F>) {
        self.known.remove(index);
        self.pending.remove(index);
        let Some(entry) = self.entries.remove(index) else { return };
        self.table.remove(&entry.address);
        self.bytes = self.bytes.saturating_sub(weight(&entry.waiting));
        effects.lost.extend(entry.waiting);
        effects.dead.push(entry.timer);
    }

    fn insert(
        &mut self,
        address: IpAddr,
        mac: Option<MacAddress>,
        effects: &mut Effects<F>,
    ) -> u32 {
        let (order, most) = match mac {
            Some(_) => (&self.known, self.known_max),
            None => (&self.pending, self.pending_max),
        };
        if order.len() >= most
            && let Some(oldest) = order.oldest()
        {
            self.forget(oldest, effects);
        }
        let (index, _) = self.entries.insert(Entry {
            address,
            mac,
            state: if mac.is_some() { NeighborState::Stale } else { NeighborState::Incomplete },
            attempts: 0,
            deadline: None,
            reachable_until: Instant::ZERO,
            timer: Lazy::default(),
            waiting: Vec::new(),
        });
        self.table.insert(address, index);
        if mac.is_some() {
            self.known.touch(index)
        } else {
            self.pending.touch(index)
        }
        index
    }

    /// The link address for a packet that is to be sent now.
    pub(crate) fn lookup(&mut self, now: Instant, address: IpAddr) -> (Lookup, Effects<F>) {
        let mut effects = Effects::default();
        let index = match self.table.get(&address) {
            Some(index) => *index,
            None => {
                let index = self.insert(address, None, &mut effects);
                self.ask(now, index, &mut effects);
                return (Lookup::Unknown(index), effects);
            }
        };
        let Some(entry) = self.entries.at_mut(index) else { return (Lookup::Failed, effects) };
        let Some(mac) = entry.mac else {
            let failed = entry.state == NeighborState::Failed;
            return (if failed { Lookup::Failed } else { Lookup::Unknown(index) }, effects);
        };
        let by_hand = entry.state == NeighborState::Permanent;
        if entry.state == NeighborState::Reachable && now >= entry.reachable_until {
            entry.state = NeighborState::Stale;
        }
        if entry.state == NeighborState::Stale {
            entry.state = NeighborState::Delay;
            entry.deadline = Some(now + DELAY);
            effects.alarm = self.alarm(index);
        }
        // One that was set by hand has no place in the order in which they go.
        if !by_hand {
            self.known.touch(index);
        }
        (Lookup::Known(mac), effects)
    }

    fn ask(&mut self, now: Instant, index: u32, effects: &mut Effects<F>) {
        let Some(entry) = self.entries.at_mut(index) else { return };
        entry.attempts += 1;
        entry.deadline = Some(now + self.pace.request_interval(entry.address));
        effects.ask = Some(Ask { address: entry.address, mac: entry.mac });
        effects.alarm = self.alarm(index);
    }

    /// The deadline of an entry has come.
    pub(crate) fn on_timer(&mut self, now: Instant, index: u32, generation: u32) -> Effects<F> {
        let mut effects = Effects::default();
        let Some(entry) = self.entries.get_mut(index, generation) else { return effects };
        entry.timer.expired();
        let Some(deadline) = entry.deadline else { return effects };
        if deadline > now {
            effects.alarm = self.alarm(index);
            return effects;
        }
        match entry.state {
            NeighborState::Incomplete if entry.attempts >= REQUESTS_MAX => {
                effects.unreachable = Some(entry.address);
                entry.state = NeighborState::Failed;
                entry.deadline = Some(now + FAILED);
                effects.lost = core::mem::take(&mut entry.waiting);
                self.bytes = self.bytes.saturating_sub(weight(&effects.lost));
                effects.alarm = self.alarm(index);
            }
            NeighborState::Probe if entry.attempts >= REQUESTS_MAX => {
                effects.unreachable = Some(entry.address);
                self.forget(index, &mut effects);
            }
            NeighborState::Incomplete | NeighborState::Probe => {
                self.ask(now, index, &mut effects);
            }
            NeighborState::Delay => {
                entry.state = NeighborState::Probe;
                entry.attempts = 0;
                self.ask(now, index, &mut effects);
            }
            NeighborState::Failed => self.forget(index, &mut effects),
            _ => entry.deadline = None,
        }
        effects
    }

    /// The link address that is known.
    pub(crate) fn mac_of(&self, address: IpAddr) -> Option<MacAddress> {
        self.entries.at(*self.table.get(&address)?)?.mac
    }

    /// Whether a neighbour is there, or probably: it was heard of, and did not leave questions
    /// unanswered since (RFC 4861, section 6.3.6).
    pub(crate) fn is_probably_reachable(&self, address: IpAddr) -> bool {
        let entry = self.table.get(&address).and_then(|index| self.entries.at(*index));
        entry.is_some_and(|entry| {
            !matches!(entry.state, NeighborState::Incomplete | NeighborState::Failed)
        })
    }

    /// A neighbour answered our question.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        address: IpAddr,
        mac: MacAddress,
    ) -> Effects<F> {
        let mut effects = Effects::default();
        let Some(&index) = self.table.get(&address) else { return effects };
        let Some(entry) = self.entries.at_mut(index) else { return effects };
        let asked = matches!(
            entry.state,
            NeighborState::Incomplete | NeighborState::Probe | NeighborState::Failed
        );
        if entry.state == NeighborState::Permanent || (!asked && entry.mac != Some(mac)) {
            // Nobody asked: it is no reason to send our packets elsewhere.
            return effects;
        }
        self.confirm(now, index, mac, &mut effects);
        effects
    }

    fn confirm(&mut self, now: Instant, index: u32, mac: MacAddress, effects: &mut Effects<F>) {
        let Some(entry) = self.entries.at_mut(index) else { return };
        let fresh = entry.mac.is_none();
        entry.mac = Some(mac);
        entry.state = NeighborState::Reachable;
        entry.reachable_until = now + self.pace.reachable(entry.address);
        entry.deadline = None;
        entry.attempts = 0;
        self.bytes = self.bytes.saturating_sub(weight(&entry.waiting));
        effects.ready = Some((mac, core::mem::take(&mut entry.waiting)));
        if fresh {
            self.pending.remove(index);
            if self.known.len() >= self.known_max
                && let Some(oldest) = self.known.oldest()
            {
                self.forget(oldest, effects);
            }
        }
        self.known.touch(index);
    }

    /// A neighbour told its address unasked: in a question of its own, or to everybody. When it
    /// asked us something (`create`) we shall soon want to answer.
    ///
    /// An address that contradicts what is known is verified, not believed: the neighbour that was
    /// known is asked whether it is still there, and only if not everybody is.
    pub(crate) fn overheard(
        &mut self,
        now: Instant,
        address: IpAddr,
        mac: MacAddress,
        create: bool,
    ) -> Effects<F> {
        let mut effects = Effects::default();
        let Some(&index) = self.table.get(&address) else {
            if create && self.has_room_for_strangers(now) {
                self.insert(address, Some(mac), &mut effects);
            }
            return effects;
        };
        let Some(entry) = self.entries.at_mut(index) else { return effects };
        match entry.state {
            NeighborState::Incomplete | NeighborState::Failed => {
                self.confirm(now, index, mac, &mut effects);
                if let Some(entry) = self.entries.at_mut(index) {
                    entry.state = NeighborState::Stale;
                }
            }
            NeighborState::Stale => entry.mac = Some(mac),
            NeighborState::Reachable | NeighborState::Delay if entry.mac != Some(mac) => {
                entry.state = NeighborState::Probe;
                entry.attempts = 0;
                self.ask(now, index, &mut effects);
            }
            _ => {}
        }
        effects
    }

    /// Another address was told for a neighbour that does not take the place of the known one: whether
    /// that still holds is found out when it is used (RFC 4861, section 7.2.5, I).
    pub(crate) fn contradicted(&mut self, address: IpAddr) {
        let index = self.table.get(&address);
        let entry = index.and_then(|index| self.entries.at_mut(*index));
        if let Some(entry) = entry.filter(|entry| entry.state == NeighborState::Reachable) {
            entry.state = NeighborState::Stale;
        }
    }

    /// Whether one more neighbour that nobody here asked for may be known: it takes the place of none
    /// that is known to be there. Whoever makes up neighbours by the thousand displaces his own.
    fn has_room_for_strangers(&self, now: Instant) -> bool {
        if self.known.len() < self.known_max {
            return true;
        }
        let oldest = self.known.oldest().and_then(|index| self.entries.at(index));
        oldest.is_none_or(|entry| match entry.state {
            NeighborState::Reachable => now >= entry.reachable_until,
            NeighborState::Delay | NeighborState::Probe => false,
            _ => true,
        })
    }

    /// An upper layer made progress with a neighbour: it is there (RFC 4861, section 7.3.1).
    pub(crate) fn vouch(&mut self, now: Instant, address: IpAddr) {
        if let Some(&index) = self.table.get(&address)
            && let Some(entry) = self.entries.at_mut(index)
            && matches!(
                entry.state,
                NeighborState::Reachable
                    | NeighborState::Stale
                    | NeighborState::Delay
                    | NeighborState::Probe
            )
        {
            entry.state = NeighborState::Reachable;
            entry.reachable_until = now + self.pace.reachable(entry.address);
            entry.deadline = None;
        }
    }

    /// An upper layer has heard nothing through a neighbour for a while: it is asked at once whether
    /// it is still there (RFC 1122, section 3.3.1.4).
    pub(crate) fn doubt(&mut self, now: Instant, address: IpAddr) -> Effects<F> {
        let mut effects = Effects::default();
        if let Some(&index) = self.table.get(&address)
            && let Some(entry) = self.entries.at_mut(index)
            && matches!(
                entry.state,
                NeighborState::Reachable | NeighborState::Stale | NeighborState::Delay
            )
        {
            entry.state = NeighborState::Probe;
            entry.attempts = 0;
            self.ask(now, index, &mut effects);
        }
        effects
    }
}

#[cfg(test)]
mod tests;
