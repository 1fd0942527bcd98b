//! The link addresses of a router's neighbours, on one port: asked for, remembered, bounded.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::wire::MacAddress;

use crate::frame::Frame;

/// How often a neighbour is asked, and how long each answer is waited for.
const TRIES_MAX: u8 = 3;
const RETRY: Duration = Duration::from_secs(1);
/// Packets that wait for one neighbour.
const QUEUE_PACKETS_MAX: usize = 16;
/// How long an answer holds before it is asked for again.
const REACHABLE: Duration = Duration::from_secs(60);
/// Neighbours that are known or asked for, on one port.
const NEIGHBORS_MAX: usize = 4096;

#[derive(Debug)]
enum State {
    Asked { tries: u8, again: Instant, queue: VecDeque<Frame> },
    Known { mac: MacAddress, until: Instant },
}

/// What to do with a packet for a neighbour.
#[derive(Debug)]
pub(super) enum Resolved {
    /// Send it there.
    To(MacAddress, Frame),
    /// It waits; `true` when the neighbour is to be asked now.
    Waits { ask: bool },
    /// There is no room for it.
    Full(Frame),
}

#[derive(Debug, Default)]
pub(super) struct Neighbors {
    table: BTreeMap<IpAddr, State>,
    /// Those that were asked.
    pending: usize,
}

impl Neighbors {
    pub(super) fn resolve(&mut self, now: Instant, address: IpAddr, frame: Frame) -> Resolved {
        let known = match self.table.get_mut(&address) {
            Some(State::Known { mac, until }) if *until > now => {
                return Resolved::To(*mac, frame);
            }
            Some(State::Asked { queue, .. }) => {
                if queue.len() >= QUEUE_PACKETS_MAX {
                    return Resolved::Full(frame);
                }
                queue.push_back(frame);
                return Resolved::Waits { ask: false };
            }
            known => known.is_some(),
        };
        if !known && self.table.len() >= NEIGHBORS_MAX && !self.make_room(now) {
            return Resolved::Full(frame);
        }
        let asked = State::Asked { tries: 1, again: now + RETRY, queue: VecDeque::from([frame]) };
        self.table.insert(address, asked);
        self.pending += 1;
        Resolved::Waits { ask: true }
    }

    /// Forgets those that would be asked again anyway, or else any one that is known.
    fn make_room(&mut self, now: Instant) -> bool {
        let known = |state: &State| match state {
            State::Known { until, .. } => Some(*until),
            State::Asked { .. } => None,
        };
        self.table.retain(|_, state| known(state).is_none_or(|until| until > now));
        if self.table.len() < NEIGHBORS_MAX {
            return true;
        }
        let oldest =
            self.table.iter().filter_map(|(address, state)| Some((known(state)?, *address)));
        let Some((_, oldest)) = oldest.min() else { return false };
        self.table.remove(&oldest).is_some()
    }

    /// A neighbour said where it is; answers what waited for that. What nobody asked about is taken
    /// only when `take_new` says so.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        address: IpAddr,
        mac: MacAddress,
        take_new: bool,
    ) -> VecDeque<Frame> {
        let known = State::Known { mac, until: now + REACHABLE };
        match self.table.get_mut(&address) {
            Some(state) => match std::mem::replace(state, known) {
                State::Asked { queue, .. } => {
                    self.pending -= 1;
                    queue
                }
                State::Known { .. } => VecDeque::new(),
            },
            None => {
                if take_new && self.table.len() < NEIGHBORS_MAX {
                    self.table.insert(address, known);
                }
                VecDeque::new()
            }
        }
    }

    /// Those to be asked again now, and what waited in vain.
    pub(super) fn on_time(&mut self, now: Instant) -> (Vec<IpAddr>, Vec<(IpAddr, Frame)>) {
        let (mut ask, mut failed, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        if self.pending == 0 {
            return (ask, failed);
        }
        for (address, state) in &mut self.table {
            let State::Asked { tries, again, queue } = state else { continue };
            if *again > now {
                continue;
            }
            if *tries < TRIES_MAX {
                *tries += 1;
                *again = now + RETRY;
                ask.push(*address);
            } else {
                failed.extend(queue.drain(..).map(|frame| (*address, frame)));
                gone.push(*address);
            }
        }
        self.pending -= gone.len();
        gone.iter().for_each(|address| _ = self.table.remove(address));
        (ask, failed)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        if self.pending == 0 {
            return None;
        }
        let asked = self.table.values().filter_map(|state| match state {
            State::Asked { again, .. } => Some(*again),
            State::Known { .. } => None,
        });
        asked.min()
    }
}
