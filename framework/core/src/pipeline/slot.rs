//! A place in a pipeline: a stage without its type, its name, its order and its state.

use std::any::Any;
use std::fmt;

use crate::pipeline::link::{END, Vtable};

/// Something that the stage fired has not left yet.
pub(crate) const BUSY: u8 = 1;
/// Messages are being pulled out of it, or what handles wrote passes it before its own next write:
/// reads wait, writes pass.
pub(crate) const PULLING: u8 = 2;
/// Its inbox is not empty, so everything goes through the inbox.
pub(crate) const INBOX: u8 = 4;
/// It holds bytes that were not decoded because the channel is paused.
pub(crate) const REST: u8 = 8;
/// It waits for offloaded work.
pub(crate) const OFFLOADED: u8 = 16;
/// It panicked: nothing runs in it any more.
pub(crate) const DEAD: u8 = 32;
/// It passes `read_complete` on and does nothing else about it, as it has shown at the first.
pub(crate) const PASSES_READ_COMPLETE: u8 = 64;

pub(crate) struct Slot {
    /// `None`: the slot is free.
    pub(crate) stage: Option<Box<dyn Any>>,
    pub(crate) vtable: &'static Vtable,
    pub(crate) name: &'static str,
    /// Never the same twice in one pipeline.
    pub(crate) id: u32,
    pub(crate) prev: u16,
    pub(crate) next: u16,
    /// The next stage inwards that takes part in that direction.
    pub(crate) next_in: u16,
    /// The next stage outwards that takes part in that direction.
    pub(crate) next_out: u16,
    /// Offloaded work that it waits for.
    pub(crate) offloads: u16,
    pub(crate) flags: u8,
}

impl Slot {
    #[inline]
    pub(crate) fn takes_reads(&self) -> bool {
        self.flags & (BUSY | PULLING | INBOX | OFFLOADED | DEAD) == 0
    }

    #[inline]
    pub(crate) fn takes_writes(&self) -> bool {
        self.flags & (BUSY | INBOX | OFFLOADED | DEAD) == 0
    }

    /// Whether `read_complete` may go past it: it would pass it on, and nothing waits in it that has to
    /// go first.
    #[inline]
    pub(crate) fn lets_read_complete_past(&self) -> bool {
        const WAITS: u8 = BUSY | PULLING | INBOX | REST | OFFLOADED;
        self.flags & (PASSES_READ_COMPLETE | WAITS) == PASSES_READ_COMPLETE
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.flags & DEAD != 0
    }
}

/// The stages of one channel, in order.
pub(crate) struct Pipeline {
    pub(crate) slots: Vec<Slot>,
    pub(crate) first: u16,
    pub(crate) last: u16,
    pub(crate) next_id: u32,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self { slots: Vec::new(), first: END, last: END, next_id: 1 }
    }
}

impl Pipeline {
    pub(crate) fn get(&self, slot: u16) -> Option<&Slot> {
        self.slots.get(slot as usize).filter(|s| s.stage.is_some())
    }

    /// The slots from the head to the tail.
    pub(crate) fn order(&self) -> Order<'_> {
        Order { pipeline: self, at: self.first }
    }

    pub(crate) fn find(&self, name: &str) -> Option<u16> {
        self.order().find(|&slot| self.slots[slot as usize].name == name)
    }

    /// Whether `slot` (`END`: the head) stands in front of `other`.
    pub(crate) fn stands_in_front(&self, slot: u16, other: u16) -> bool {
        let mut at = other;
        while let Some(s) = self.slots.get(at as usize) {
            at = s.prev;
            if at == slot {
                return true;
            }
        }
        false
    }

    /// Puts a stage behind `after` (`END`: in front of all).
    pub(crate) fn insert(
        &mut self,
        after: u16,
        name: &'static str,
        vtable: &'static Vtable,
        stage: Box<dyn Any>,
    ) -> u16 {
        let next = if after == END { self.first } else { self.slots[after as usize].next };
        let id = self.next_id;
        self.next_id += 1;
        let slot = Slot {
            stage: Some(stage),
            vtable,
            name,
            id,
            prev: after,
            next,
            next_in: END,
            next_out: END,
            offloads: 0,
            flags: 0,
        };
        let free = self.slots.iter().position(|s| s.stage.is_none());
        let index = match free {
            Some(index) => {
                self.slots[index] = slot;
                index as u16
            }
            None => {
                assert!(self.slots.len() < END as usize, "a pipeline has at most 65534 stages");
                self.slots.push(slot);
                (self.slots.len() - 1) as u16
            }
        };
        match self.slots.get_mut(after as usize) {
            Some(before) => before.next = index,
            None => self.first = index,
        }
        match self.slots.get_mut(next as usize) {
            Some(behind) => behind.prev = index,
            None => self.last = index,
        }
        index
    }

    /// Takes a stage out.
    pub(crate) fn remove(&mut self, slot: u16) -> Option<Box<dyn Any>> {
        let s = self.slots.get_mut(slot as usize)?;
        let stage = s.stage.take();
        let (prev, next) = (s.prev, s.next);
        s.id = 0;
        s.flags = 0;
        match self.slots.get_mut(prev as usize) {
            Some(before) => before.next = next,
            None => self.first = next,
        }
        match self.slots.get_mut(next as usize) {
            Some(behind) => behind.prev = prev,
            None => self.last = prev,
        }
        stage
    }
}

impl fmt::Debug for Pipeline {
    /// The names, from the head to the tail.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.order().map(|s| self.slots[s as usize].name)).finish()
    }
}

pub(crate) struct Order<'a> {
    pipeline: &'a Pipeline,
    at: u16,
}

impl Iterator for Order<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let slot = self.pipeline.slots.get(self.at as usize)?;
        let at = self.at;
        self.at = slot.next;
        Some(at)
    }
}
