//! The order in which slots were last used, as links beside whatever holds the slots. O(1).

use alloc::vec::Vec;

const NIL: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Link {
    older: u32,
    newer: u32,
    linked: bool,
}

/// Slots by last use.
#[derive(Debug)]
pub(crate) struct Lru {
    links: Vec<Link>,
    oldest: u32,
    newest: u32,
    len: usize,
}

impl Default for Lru {
    fn default() -> Self {
        Self { links: Vec::new(), oldest: NIL, newest: NIL, len: 0 }
    }
}

impl Lru {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The slot that was not used for longest.
    pub(crate) fn oldest(&self) -> Option<u32> {
        (self.oldest != NIL).then_some(self.oldest)
    }

    /// Makes a slot the one used last; adds it when it is new.
    pub(crate) fn touch(&mut self, slot: u32) {
        if self.newest == slot {
            return;
        }
        self.remove(slot);
        let at = slot as usize;
        if at >= self.links.len() {
            self.links.resize(at + 1, Link { older: NIL, newer: NIL, linked: false });
        }
        self.links[at] = Link { older: self.newest, newer: NIL, linked: true };
        match self.newest {
            NIL => self.oldest = slot,
            newest => self.links[newest as usize].newer = slot,
        }
        self.newest = slot;
        self.len += 1;
    }

    /// Forgets a slot; one that is not there is none.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(link) = self.links.get_mut(slot as usize).filter(|link| link.linked) else {
            return;
        };
        link.linked = false;
        let Link { older, newer, .. } = *link;
        match older {
            NIL => self.oldest = newer,
            older => self.links[older as usize].newer = newer,
        }
        match newer {
            NIL => self.newest = older,
            newer => self.links[newer as usize].older = older,
        }
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_comes_first() {
        let mut lru = Lru::default();
        for slot in [3, 1, 2, 3, 1] {
            lru.touch(slot);
        }
        lru.remove(7);
        assert_eq!((lru.len(), lru.oldest()), (3, Some(2)));
        lru.remove(2);
        lru.remove(2);
        assert_eq!((lru.len(), lru.oldest()), (2, Some(3)));
        lru.touch(3);
        assert_eq!(lru.oldest(), Some(1));
        lru.remove(1);
        lru.remove(3);
        assert_eq!((lru.len(), lru.oldest()), (0, None));
    }
}
