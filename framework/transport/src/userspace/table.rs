//! What the transport keeps of each socket of the stack, at the stack's own index.
//!
//! The stack names a socket by a dense index and a generation. An event finds its entry by the
//! index alone: no hash, no search. Pages never move, so that the table of a million connections
//! is not copied when the next one comes.

use fyke_core::transport::Handle;

/// Entries in a page.
const PAGE: usize = 256;

/// What a [`Handle`] stands for: its upper two bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Stream,
    Listener,
    Datagram,
    /// The device, and others that are no socket.
    Other,
}

const KIND_SHIFT: u32 = 62;
const INDEX_MASK: u64 = u32::MAX as u64;

impl Kind {
    /// The handle of a socket: all but two bits of its generation.
    pub(super) const fn handle(self, id: u64) -> Handle {
        Handle((self as u64) << KIND_SHIFT | id & (u64::MAX >> 2))
    }

    pub(super) const fn of(handle: Handle) -> Self {
        match handle.0 >> KIND_SHIFT {
            0 => Self::Stream,
            1 => Self::Listener,
            2 => Self::Datagram,
            _ => Self::Other,
        }
    }
}

/// A socket that knows its name in the stack.
pub(super) trait Named {
    /// Which of the handles it has.
    const KIND: Kind;
    /// Its index and generation.
    fn id(&self) -> u64;
}

/// Entries by the stack's index.
pub(super) struct Table<T> {
    pages: Vec<Box<[Option<T>]>>,
    len: usize,
}

impl<T: Named> Table<T> {
    pub(super) const fn new() -> Self {
        Self { pages: Vec::new(), len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Stores an entry; what was at its index is the stack's no more.
    pub(super) fn insert(&mut self, value: T) -> Handle {
        let (handle, index) = (T::KIND.handle(value.id()), index(value.id()));
        while self.pages.len() <= index / PAGE {
            self.pages.push((0..PAGE).map(|_| None).collect());
        }
        let old = self.pages[index / PAGE][index % PAGE].replace(value);
        self.len += usize::from(old.is_none());
        handle
    }

    fn slot(&self, id: u64) -> Option<&Option<T>> {
        let index = index(id);
        self.pages.get(index / PAGE).map(|page| &page[index % PAGE])
    }

    fn slot_mut(&mut self, id: u64) -> Option<&mut Option<T>> {
        let index = index(id);
        self.pages.get_mut(index / PAGE).map(|page| &mut page[index % PAGE])
    }

    /// The entry of the socket that the stack names so.
    #[inline]
    pub(super) fn by_id(&mut self, id: u64) -> Option<&mut T> {
        self.slot_mut(id)?.as_mut().filter(|value| value.id() == id)
    }

    /// The entry at an index, whatever its generation.
    pub(super) fn at(&self, index: u64) -> Option<&T> {
        self.slot(index)?.as_ref()
    }

    #[inline]
    pub(super) fn get(&self, handle: Handle) -> Option<&T> {
        let entry = self.slot(handle.0)?.as_ref();
        entry.filter(|value| T::KIND.handle(value.id()) == handle)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let entry = self.slot_mut(handle.0)?.as_mut();
        entry.filter(|value| T::KIND.handle(value.id()) == handle)
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<T> {
        self.get(handle)?;
        let removed = self.slot_mut(handle.0)?.take();
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// All entries: for the end of the device, which concerns all of them, and for nothing else.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter().flatten())
    }
}

const fn index(id: u64) -> usize {
    (id & INDEX_MASK) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Thing(u64);

    impl Named for Thing {
        const KIND: Kind = Kind::Datagram;
        fn id(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn an_old_handle_does_not_reach_the_new_tenant() {
        let mut table = Table::new();
        let old = table.insert(Thing(1 << 32 | 700));
        assert_eq!(Kind::of(old), Kind::Datagram);
        assert_eq!(table.by_id(1 << 32 | 700), Some(&mut Thing(1 << 32 | 700)));
        assert_eq!(table.remove(old), Some(Thing(1 << 32 | 700)));
        let new = table.insert(Thing(2 << 32 | 700));
        assert_eq!(table.get(old), None);
        assert_eq!(table.remove(old), None);
        assert_eq!(table.by_id(1 << 32 | 700), None);
        assert!(table.get(new).is_some());
        assert_eq!(table.len(), 1);
    }
}
