//! The table as its owner sees and sets it.

use core::net::IpAddr;

use fyke_clock::Instant;

use super::{Effects, Neighbor, NeighborState, Neighbors};
use crate::interface::bounded::Weight;
use crate::wire::MacAddress;

impl<F: Weight> Neighbors<F> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Neighbor> {
        let all = self.table.values().filter_map(|index| self.entries.at(*index));
        all.map(|entry| Neighbor { address: entry.address, mac: entry.mac, state: entry.state })
    }

    /// Sets an address by hand.
    pub(crate) fn set(&mut self, now: Instant, address: IpAddr, mac: MacAddress) -> Effects<F> {
        let mut effects = Effects::default();
        let index = match self.table.get(&address) {
            Some(index) => *index,
            None => self.insert(address, Some(mac), &mut effects),
        };
        self.confirm(now, index, mac, &mut effects);
        if let Some(entry) = self.entries.at_mut(index) {
            entry.state = NeighborState::Permanent;
        }
        // It leaves only when it is taken away.
        self.known.remove(index);
        effects
    }

    /// Forgets a neighbour, when it was there.
    pub(crate) fn remove(&mut self, address: IpAddr) -> Option<Effects<F>> {
        let index = *self.table.get(&address)?;
        let mut effects = Effects::default();
        self.forget(index, &mut effects);
        Some(effects)
    }
}
