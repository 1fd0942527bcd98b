//! The link addresses of a router's neighbours, on one port: asked for, remembered, bounded.
//!
//! One whose time is over is used on while it is asked again: what is forwarded does not wait for
//! somebody who is there.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use fyke_clock::Instant;

use super::config::RouterConfig;
use super::packet::Packet;
use crate::wire::MacAddress;

/// How often a neighbour is asked, and how long each answer is waited for.
const TRIES_MAX: u8 = 3;
const RETRY: Duration = Duration::from_secs(1);
/// How long an answer holds before it is asked for again.
const REACHABLE: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Neighbor {
    mac: Option<MacAddress>,
    /// Until when the address holds.
    until: Instant,
    /// Questions so far, and when the next is due; none while nobody asks.
    asked: Option<(u8, Instant)>,
    queue: VecDeque<Packet>,
}

/// What to do with a packet for a neighbour.
#[derive(Debug)]
pub(super) enum Resolved {
    /// Send it there; `true` when the neighbour is to be asked whether it is still there.
    To(MacAddress, Packet, bool),
    /// It waits; `true` when the neighbour is to be asked now.
    Waits { ask: bool },
    /// There is no room for it.
    Full(Packet),
}

#[derive(Debug, Default)]
pub(super) struct Neighbors {
    table: BTreeMap<IpAddr, Neighbor>,
    /// Those that are asked, by when they are to be asked again.
    due: BTreeSet<(Instant, IpAddr)>,
    /// Those of them whose address was never known.
    unknown: usize,
    /// Packets that wait.
    waiting: usize,
}

impl Neighbors {
    pub(super) fn resolve(
        &mut self,
        now: Instant,
        address: IpAddr,
        packet: Packet,
        config: &RouterConfig,
    ) -> Resolved {
        if let Some(known) = self.table.get_mut(&address)
            && let Some(mac) = known.mac
        {
            let ask = known.until <= now && known.asked.is_none();
            if ask {
                known.asked = Some((1, now + RETRY));
                self.due.insert((now + RETRY, address));
            }
            return Resolved::To(mac, packet, ask);
        }
        if self.waiting >= config.waiting_packets_max {
            return Resolved::Full(packet);
        }
        if let Some(asked) = self.table.get_mut(&address) {
            if asked.queue.len() >= config.neighbor_queue_packets_max {
                return Resolved::Full(packet);
            }
            asked.queue.push_back(packet);
            self.waiting += 1;
            return Resolved::Waits { ask: false };
        }
        // Who is looked for does not displace who is there: a scan fills its own half.
        let asked_max = config.neighbors_max.div_ceil(2);
        let full = || self.table.len() >= config.neighbors_max;
        if self.unknown >= asked_max || (full() && !self.make_room()) {
            return Resolved::Full(packet);
        }
        let asked = Some((1, now + RETRY));
        let queue = VecDeque::from([packet]);
        self.table.insert(address, Neighbor { mac: None, until: now, asked, queue });
        self.due.insert((now + RETRY, address));
        self.unknown += 1;
        self.waiting += 1;
        Resolved::Waits { ask: true }
    }

    /// Forgets the one that is known and was heard of the longest ago.
    fn make_room(&mut self) -> bool {
        let known = self.table.iter().filter(|(_, it)| it.mac.is_some());
        let Some((_, oldest)) = known.map(|(address, it)| (it.until, *address)).min() else {
            return false;
        };
        self.forget(&oldest).is_some()
    }

    fn forget(&mut self, address: &IpAddr) -> Option<Neighbor> {
        let gone = self.table.remove(address)?;
        if let Some((_, again)) = gone.asked {
            self.due.remove(&(again, *address));
        }
        self.unknown -= usize::from(gone.mac.is_none());
        self.waiting -= gone.queue.len();
        Some(gone)
    }

    /// A neighbour said where it is; gives what waited for that. What nobody asked about is taken
    /// only when `take_new` says so.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        address: IpAddr,
        mac: MacAddress,
        take_new: bool,
        config: &RouterConfig,
    ) -> VecDeque<Packet> {
        let until = now + REACHABLE;
        let Some(known) = self.table.get_mut(&address) else {
            if take_new && self.table.len() < config.neighbors_max {
                let queue = VecDeque::new();
                let new = Neighbor { mac: Some(mac), until, asked: None, queue };
                self.table.insert(address, new);
            }
            return VecDeque::new();
        };
        self.unknown -= usize::from(known.mac.replace(mac).is_none());
        known.until = until;
        if let Some((_, again)) = known.asked.take() {
            self.due.remove(&(again, address));
        }
        let queue = core::mem::take(&mut known.queue);
        self.waiting -= queue.len();
        queue
    }

    /// Whether a neighbour is known at no other link address.
    pub(super) fn may_be(&self, address: IpAddr, mac: MacAddress) -> bool {
        let known = self.table.get(&address).and_then(|known| known.mac);
        known.is_none_or(|known| known == mac)
    }

    /// Those to be asked again now, and what waited in vain.
    pub(super) fn on_time(&mut self, now: Instant) -> (Vec<IpAddr>, Vec<Packet>) {
        let (mut ask, mut failed) = (Vec::new(), Vec::new());
        while let Some(&(again, address)) = self.due.first()
            && again <= now
        {
            self.due.remove(&(again, address));
            let asked = self.table.get_mut(&address).and_then(|it| it.asked.as_mut());
            match asked {
                Some((tries, again)) if *tries < TRIES_MAX => {
                    *tries += 1;
                    *again = now + RETRY;
                    self.due.insert((*again, address));
                    ask.push(address);
                }
                _ => failed.extend(self.forget(&address).into_iter().flat_map(|it| it.queue)),
            }
        }
        (ask, failed)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.due.first().map(|(again, _)| *again)
    }

    /// Neighbours, and packets that wait.
    pub(super) fn usage(&self) -> (usize, usize) {
        (self.table.len(), self.waiting)
    }
}
