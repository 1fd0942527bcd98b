//! What is remembered about hosts nobody vouches for: a table of a fixed size in which a keyed hash
//! decides who displaces whom. It cannot grow, and nobody can aim at an entry.

use alloc::vec::Vec;
use core::net::IpAddr;

use siphasher::sip::SipHasher13;

use super::tuple::octets;

/// One value for each of so many addresses; later ones displace earlier ones.
#[derive(Debug)]
pub(crate) struct Hashed<V> {
    slots: Vec<Option<(IpAddr, V)>>,
    capacity: usize,
    key: SipHasher13,
}

impl<V> Hashed<V> {
    /// Allocates nothing until the first value comes.
    pub(crate) fn new(capacity: usize, key: SipHasher13) -> Self {
        Self { slots: Vec::new(), capacity: capacity.max(1), key }
    }

    fn slot(&self, address: IpAddr) -> usize {
        (self.key.hash(&octets(address)) % self.capacity as u64) as usize
    }

    pub(crate) fn get(&self, address: IpAddr) -> Option<&V> {
        if self.slots.is_empty() {
            return None;
        }
        let entry = self.slots[self.slot(address)].as_ref()?;
        (entry.0 == address).then_some(&entry.1)
    }

    /// The value of an address, made by `new` when there is none.
    pub(crate) fn entry(&mut self, address: IpAddr, new: impl FnOnce() -> V) -> &mut V {
        if self.slots.is_empty() {
            self.slots.resize_with(self.capacity, || None);
        }
        let at = self.slot(address);
        let slot = &mut self.slots[at];
        if slot.as_ref().is_none_or(|(there, _)| *there != address) {
            *slot = None;
        }
        &mut slot.get_or_insert_with(|| (address, new())).1
    }

    pub(crate) fn insert(&mut self, address: IpAddr, value: V) {
        if self.slots.is_empty() {
            self.slots.resize_with(self.capacity, || None);
        }
        let at = self.slot(address);
        self.slots[at] = Some((address, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_addresses_displace_earlier_ones_and_none_is_mistaken() {
        let mut table = Hashed::new(16, SipHasher13::new_with_keys(1, 2));
        let host = |n: u8| IpAddr::from([10, 0, 0, n]);
        assert_eq!(table.get(host(1)), None);
        for n in 0..=255 {
            table.insert(host(n), n);
            assert_eq!(table.get(host(n)), Some(&n));
        }
        let kept = (0..=255).filter(|n| table.get(host(*n)) == Some(n)).count();
        assert!((1..=16).contains(&kept));
        *table.entry(host(9), || 0) = 77;
        assert_eq!(*table.entry(host(9), || 0), 77);
        assert_eq!(table.slots.len(), 16);
    }
}
