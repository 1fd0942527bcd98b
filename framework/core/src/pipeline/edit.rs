//! Changing a pipeline at run time: a transaction of edits, checked where it is asked for and
//! applied at a safe point. What a removed decoder had not read is handed on before any new byte.

use std::fmt;

use fyke_buffer::ByteBuf;

use crate::channel::LocalChannel;
use crate::channel::core::ChannelCore;
use crate::error::LinkError;
use crate::event::{Notice, Signal};
use crate::event_loop::state::LoopState;
use crate::pipeline::builder::Stage;
use crate::pipeline::link::{END, Neighbours, ReadLink, Vtable};
use crate::pipeline::shape::{Row, Shapes};
use crate::pipeline::slot::{INBOX, REST};

enum Change {
    /// Behind the stage of that name; `None`: in front of all.
    Insert {
        after: Option<&'static str>,
        name: &'static str,
        stage: Stage,
    },
    Remove {
        name: &'static str,
    },
}

/// The edits of one transaction, in the order in which they are named.
pub struct Edit {
    rows: Vec<Row>,
    changes: Vec<Change>,
    error: Option<LinkError>,
}

/// Edits that have been found to fit.
pub(crate) struct Plan(Vec<Change>);

impl Edit {
    pub(crate) fn plan(
        core: &mut ChannelCore,
        shapes: &mut Shapes,
        edit: impl FnOnce(&mut Self),
    ) -> Result<Plan, LinkError> {
        let rows = core.shape.as_ref().map_or_else(Vec::new, |shape| shape.rows.to_vec());
        let mut this = Self { rows, changes: Vec::new(), error: None };
        edit(&mut this);
        if let Some(error) = this.error {
            return Err(error);
        }
        let shape = shapes.of(core.head, &this.rows)?;
        core.set_shape(shape)?;
        Ok(Plan(this.changes))
    }

    /// The names of the stages as the edits so far leave them, from the head to the tail.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.rows.iter().map(|row| row.name)
    }

    fn position(&mut self, name: &str) -> Option<usize> {
        let found = self.rows.iter().position(|row| row.name == name);
        if found.is_none() {
            self.error.get_or_insert_with(|| LinkError::NoSuchStage(name.to_owned()));
        }
        found
    }

    fn insert(&mut self, at: usize, name: &'static str, stage: Stage) {
        if self.rows.iter().any(|row| row.name == name) {
            self.error.get_or_insert(LinkError::DuplicateName(name));
            return;
        }
        let after = at.checked_sub(1).map(|before| self.rows[before].name);
        self.rows.insert(at, Row { name, vtable: stage.vtable });
        self.changes.push(Change::Insert { after, name, stage });
    }

    /// Puts a stage next to the transport.
    pub fn add_first(&mut self, name: &'static str, stage: Stage) -> &mut Self {
        self.insert(0, name, stage);
        self
    }

    /// Puts a stage at the end.
    pub fn add_last(&mut self, name: &'static str, stage: Stage) -> &mut Self {
        self.insert(self.rows.len(), name, stage);
        self
    }

    /// Puts a stage in front of (nearer to the transport than) `reference`.
    pub fn add_before(&mut self, reference: &str, name: &'static str, stage: Stage) -> &mut Self {
        if let Some(at) = self.position(reference) {
            self.insert(at, name, stage);
        }
        self
    }

    /// Puts a stage behind `reference`.
    pub fn add_after(&mut self, reference: &str, name: &'static str, stage: Stage) -> &mut Self {
        if let Some(at) = self.position(reference) {
            self.insert(at + 1, name, stage);
        }
        self
    }

    /// Takes a stage out. Bytes it has not used go to what stands behind it.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        if let Some(at) = self.position(name) {
            let row = self.rows.remove(at);
            self.changes.push(Change::Remove { name: row.name });
        }
        self
    }

    /// Puts a stage in the place of another, which hands over the bytes it has not used.
    pub fn replace(&mut self, old: &str, name: &'static str, stage: Stage) -> &mut Self {
        if let Some(at) = self.position(old) {
            let row = self.rows.remove(at);
            self.changes.push(Change::Remove { name: row.name });
            self.insert(at, name, stage);
        }
        self
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rows.iter().map(|row| row.name)).finish()
    }
}

/// What a removed stage had not read, and the place where it stood.
struct Leftover {
    behind: u16,
    bytes: ByteBuf,
}

impl Plan {
    /// Applies the edits, relinks once, hands over leftovers, and greets the new stages.
    pub(crate) fn apply(self, ch: &mut LocalChannel, lp: &mut LoopState) {
        let mut leftovers: Vec<Leftover> = Vec::new();
        let mut added: Vec<(u16, u32)> = Vec::new();
        for change in self.0 {
            match change {
                Change::Insert { after, name, stage } => {
                    let after = after.and_then(|name| ch.pipeline.find(name)).unwrap_or(END);
                    let slot = ch.pipeline.insert(after, name, stage.vtable, stage.cell);
                    added.push((slot, ch.pipeline.slots[slot as usize].id));
                }
                Change::Remove { name } => {
                    if let Some(slot) = ch.pipeline.find(name) {
                        remove(ch, slot, &mut leftovers);
                        added.retain(|(other, _)| *other != slot);
                    }
                }
            }
        }
        relink(ch);
        for (slot, id) in added {
            if ch.pipeline.slots[slot as usize].id == id {
                let vtable = ch.pipeline.slots[slot as usize].vtable;
                (vtable.notice)(ch, lp, slot, Notice::Signal(Signal::Added));
            }
        }
        // What was in front comes first: it is the older input of what stands there now.
        for leftover in leftovers {
            let at = first_reader(ch, leftover.behind);
            let mut link: Option<ReadLink<ByteBuf>> = None;
            if let Some((vtable, slot)) = at {
                (vtable.offer_read)(slot, &mut link);
            }
            match link {
                Some(link) => (link.deliver)(ch, lp, link.slot, &mut Some(leftover.bytes)),
                None => ch.tail_read(Some(leftover.bytes)),
            }
        }
    }
}

fn remove(ch: &mut LocalChannel, slot: u16, leftovers: &mut Vec<Leftover>) {
    let s = &mut ch.pipeline.slots[slot as usize];
    let (vtable, behind, name, flags) = (s.vtable, s.prev, s.name, s.flags);
    // Leftovers that were to go behind this stage now go behind the one in front of it.
    for leftover in leftovers.iter_mut().filter(|l| l.behind == slot) {
        leftover.behind = behind;
    }
    let Some(mut cell) = ch.pipeline.remove(slot) else { return };
    if flags & INBOX != 0 {
        tracing::warn!(stage = name, "a stage was removed while messages waited for it");
    }
    if let Some(bytes) = (vtable.take_rest)(&mut *cell) {
        leftovers.push(Leftover { behind, bytes });
    }
    (vtable.removed)(&mut *cell);
}

/// The first stage behind `slot` (`END`: the head) that reads.
fn first_reader(ch: &LocalChannel, slot: u16) -> Option<(&'static Vtable, u16)> {
    let mut at =
        if slot == END { ch.pipeline.first } else { ch.pipeline.slots[slot as usize].next };
    while let Some(s) = ch.pipeline.get(at) {
        if s.vtable.reads {
            return Some((s.vtable, at));
        }
        at = s.next;
    }
    None
}

/// Finds every stage's neighbours anew.
pub(crate) fn relink(ch: &mut LocalChannel) {
    let head = ch.core.head;
    let mut next_in = None;
    let mut last_puller = true;
    let mut at = ch.pipeline.last;
    while let Some(s) = ch.pipeline.slots.get(at as usize) {
        let (vtable, prev) = (s.vtable, s.prev);
        let mut before = prev;
        while let Some(b) = ch.pipeline.slots.get(before as usize) {
            if b.vtable.writes {
                break;
            }
            before = b.prev;
        }
        let next_out = ch.pipeline.slots.get(before as usize).map(|b| (b.vtable, before));
        let s = &mut ch.pipeline.slots[at as usize];
        s.next_in = next_in.map_or(END, |(_, slot)| slot);
        s.next_out = before;
        let neighbours = Neighbours { next_in, next_out, head, last_puller };
        if let Some(cell) = s.stage.as_deref_mut() {
            (vtable.link)(cell, &neighbours);
        }
        if vtable.pulls {
            last_puller = false;
        }
        if vtable.reads {
            next_in = Some((vtable, at));
        }
        at = prev;
    }
    ch.core.pulls = !last_puller;
    ch.first_in = next_in.map_or(END, |(_, slot)| slot);
    ch.link_head();
    if ch.pipeline.slots.iter().any(|s| s.flags & REST != 0) {
        ch.core.has_rests = true;
    }
}
