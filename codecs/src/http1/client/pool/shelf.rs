//! Who gets which connection: the pool's decisions, without any I/O.
//!
//! ```text
//!   take -> Idle(connection) | Connect | Wait(ticket) | Full
//!   put_back, lost -> grants for those who wait: a connection, or the right to make one
//! ```

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The limits of an [`HttpPool`](super::HttpPool), each with a safe default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct PoolLimits {
    pub(super) per_origin_max: usize,
    pub(super) connections_max: usize,
    pub(super) waiting_max: usize,
}

impl PoolLimits {
    /// The defaults.
    pub const fn new() -> Self {
        Self { per_origin_max: 6, connections_max: 256, waiting_max: 1024 }
    }

    /// Connections to one origin. 6.
    pub const fn per_origin_max(mut self, connections: usize) -> Self {
        self.per_origin_max = connections;
        self
    }

    /// Connections in all; an idle one to another origin makes room. 256.
    pub const fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// Calls that may wait for a connection; a further one fails. 1024.
    pub const fn waiting_max(mut self, calls: usize) -> Self {
        self.waiting_max = calls;
        self
    }
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// What one who needs a connection is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<C> {
    /// This one is free.
    Idle(C),
    /// There is room for a new one: make it, then [`Shelf::put_back`] or [`Shelf::lost`].
    Connect,
    /// All are in use. A [`Grant`] of this ticket follows, unless it is given up.
    Wait(u64),
    /// Too many wait already.
    Full,
}

/// What one who waits gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Grant<C> {
    pub(super) ticket: u64,
    /// `None`: make a new one.
    pub(super) connection: Option<C>,
}

#[derive(Debug)]
struct Lane<C> {
    /// Those in use, those being made, and those that lie here.
    connections: usize,
    /// Most recently used last, with the number of their use.
    idle: Vec<(u64, C)>,
}

/// The connections of a pool.
#[derive(Debug)]
pub(super) struct Shelf<K, C> {
    limits: PoolLimits,
    lanes: HashMap<K, Lane<C>>,
    connections: usize,
    waiting: VecDeque<(u64, K)>,
    /// Counts tickets and uses.
    count: u64,
    /// Connections to close that have made room for others.
    evicted: Vec<C>,
}

impl<K: Clone + Eq + Hash, C> Shelf<K, C> {
    pub(super) fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            lanes: HashMap::new(),
            connections: 0,
            waiting: VecDeque::new(),
            count: 0,
            evicted: Vec::new(),
        }
    }

    /// Asks for a connection; those for which `is_alive` says no are forgotten on the way.
    pub(super) fn take(&mut self, key: &K, is_alive: impl Fn(&C) -> bool) -> Taken<C> {
        while let Some((_, connection)) = self.lanes.get_mut(key).and_then(|lane| lane.idle.pop()) {
            if is_alive(&connection) {
                return Taken::Idle(connection);
            }
            self.forget(key);
        }
        if self.may_connect(key, &is_alive) {
            self.count_new(key);
            return Taken::Connect;
        }
        if self.waiting.len() >= self.limits.waiting_max {
            return Taken::Full;
        }
        self.count += 1;
        self.waiting.push_back((self.count, key.clone()));
        Taken::Wait(self.count)
    }

    /// A connection is free again, or has just been made.
    pub(super) fn put_back(&mut self, key: &K, connection: C) -> Option<Grant<C>> {
        if let Some(at) = self.waiting.iter().position(|(_, other)| other == key)
            && let Some((ticket, _)) = self.waiting.remove(at)
        {
            return Some(Grant { ticket, connection: Some(connection) });
        }
        self.count += 1;
        let used = self.count;
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.idle.push((used, connection));
        }
        // One who waits for another origin may have its room.
        self.grant()
    }

    /// A connection that was handed out is gone, or was not to be made.
    pub(super) fn lost(&mut self, key: &K) -> Option<Grant<C>> {
        self.forget(key);
        self.grant()
    }

    /// Nobody waits with this ticket any more; `false` when it has been granted already.
    pub(super) fn give_up(&mut self, ticket: u64) -> bool {
        let at = self.waiting.iter().position(|(other, _)| *other == ticket);
        at.is_some_and(|at| self.waiting.remove(at).is_some())
    }

    /// Connections that are to be closed.
    pub(super) fn evicted(&mut self) -> Vec<C> {
        std::mem::take(&mut self.evicted)
    }

    /// Connections in all, and those of them that are idle.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.connections, self.lanes.values().map(|lane| lane.idle.len()).sum())
    }

    /// The first of those who wait that there is room for.
    fn grant(&mut self) -> Option<Grant<C>> {
        let mut at = 0;
        while let Some((ticket, key)) = self.waiting.get(at).cloned() {
            if self.may_connect(&key, &|_| true) {
                self.waiting.remove(at);
                self.count_new(&key);
                return Some(Grant { ticket, connection: None });
            }
            at += 1;
        }
        None
    }

    fn may_connect(&mut self, key: &K, is_alive: &impl Fn(&C) -> bool) -> bool {
        let of_key = self.lanes.get(key).map_or(0, |lane| lane.connections);
        if of_key >= self.limits.per_origin_max.max(1) {
            return false;
        }
        if self.connections < self.limits.connections_max.max(1) {
            return true;
        }
        self.make_room(is_alive)
    }

    /// Forgets what is dead, or the connection that has not been used for the longest time.
    fn make_room(&mut self, is_alive: &impl Fn(&C) -> bool) -> bool {
        let idle = self.lanes.iter().flat_map(|(key, lane)| {
            lane.idle.iter().map(move |(used, connection)| (is_alive(connection), *used, key))
        });
        let Some((_, used, key)) = idle.min_by_key(|(alive, used, _)| (*alive, *used)) else {
            return false;
        };
        let key = key.clone();
        if let Some(lane) = self.lanes.get_mut(&key)
            && let Some(at) = lane.idle.iter().position(|(other, _)| *other == used)
        {
            self.evicted.push(lane.idle.remove(at).1);
        }
        self.forget(&key);
        true
    }

    fn count_new(&mut self, key: &K) {
        self.connections += 1;
        let lane = self.lanes.entry(key.clone());
        lane.or_insert_with(|| Lane { connections: 0, idle: Vec::new() }).connections += 1;
    }

    fn forget(&mut self, key: &K) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        lane.connections = lane.connections.saturating_sub(1);
        self.connections = self.connections.saturating_sub(1);
        if lane.connections == 0 && lane.idle.is_empty() {
            self.lanes.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(per_origin: usize, all: usize, waiting: usize) -> Shelf<&'static str, u32> {
        let limits = PoolLimits::new().per_origin_max(per_origin);
        Shelf::new(limits.connections_max(all).waiting_max(waiting))
    }

    #[test]
    fn the_most_recently_used_comes_first_and_the_dead_are_passed_over() {
        let mut shelf = shelf(3, 9, 9);
        for connection in 1..=3 {
            assert_eq!(shelf.take(&"a", |_| true), Taken::Connect, "{connection}");
        }
        for connection in 1..=3 {
            assert_eq!(shelf.put_back(&"a", connection), None);
        }
        assert_eq!(shelf.counts(), (3, 3));
        assert_eq!(shelf.take(&"a", |_| true), Taken::Idle(3));
        assert_eq!(shelf.take(&"a", |c| *c != 2), Taken::Idle(1));
        assert_eq!(shelf.counts(), (2, 0));
        assert_eq!(shelf.take(&"a", |_| true), Taken::Connect);
        assert_eq!(shelf.take(&"a", |_| true), Taken::Wait(4));
    }

    #[test]
    fn who_waits_gets_what_comes_back_in_order() {
        let mut shelf = shelf(1, 9, 2);
        assert_eq!(shelf.take(&"a", |_| true), Taken::Connect);
        let (Taken::Wait(first), Taken::Wait(second)) =
            (shelf.take(&"a", |_| true), shelf.take(&"a", |_| true))
        else {
            panic!("the only connection is in use");
        };
        assert_eq!(shelf.take(&"a", |_| true), Taken::Full);
        assert_eq!(shelf.put_back(&"a", 7), Some(Grant { ticket: first, connection: Some(7) }));
        assert_eq!(shelf.lost(&"a"), Some(Grant { ticket: second, connection: None }));
        assert_eq!(shelf.lost(&"a"), None);
        assert_eq!(shelf.counts(), (0, 0));
    }

    #[test]
    fn a_ticket_given_up_is_not_granted() {
        let mut shelf = shelf(1, 9, 2);
        assert_eq!(shelf.take(&"a", |_| true), Taken::Connect);
        let Taken::Wait(ticket) = shelf.take(&"a", |_| true) else { panic!("it is in use") };
        assert!(shelf.give_up(ticket));
        assert!(!shelf.give_up(ticket));
        assert_eq!(shelf.put_back(&"a", 1), None);
        assert_eq!(shelf.counts(), (1, 1));
    }

    #[test]
    fn an_idle_connection_makes_room_for_another_origin() {
        let mut shelf = shelf(2, 2, 2);
        for key in ["a", "b"] {
            assert_eq!(shelf.take(&key, |_| true), Taken::Connect);
        }
        assert_eq!(shelf.take(&"c", |_| true), Taken::Wait(1));
        assert_eq!(shelf.put_back(&"a", 1), Some(Grant { ticket: 1, connection: None }));
        assert_eq!(shelf.evicted(), [1]);
        assert_eq!(shelf.put_back(&"c", 3), None);
        assert_eq!(shelf.put_back(&"b", 2), None);
        assert_eq!(shelf.take(&"d", |_| true), Taken::Connect);
        assert_eq!(shelf.evicted(), [3], "the one used longest ago");
        assert_eq!(shelf.counts(), (2, 1));
    }
}
