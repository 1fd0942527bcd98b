//! Changing a pipeline at run time: a transaction of edits, checked where it is asked for and
//! applied at a safe point, in the order of asking. What a removed decoder had not read is handed
//! on before any new byte.

use std::collections::VecDeque;
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
use crate::pipeline::slot::{BUSY, INBOX, REST};
use crate::pipeline::stage::Rest;

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

/// The edits of one transaction, in the order in which they are named. See [`Ctx::edit`].
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::handlers::read_fn;
/// use fyke_core::{Ctx, Never, Outgoing, Result, Stage};
///
/// fn echo(cx: &mut Ctx<'_, Never, Outgoing>, msg: ByteBuf) -> Result<()> {
///     cx.write(msg.into());
///     Ok(())
/// }
/// fn login(cx: &mut Ctx<'_, Never, Outgoing>, _password: ByteBuf) -> Result<()> {
///     cx.write("welcome, ".into());
///     cx.edit(|e| {
///         e.replace("login", "echo", Stage::inbound(read_fn(echo)));
///     })?;
///     Ok(())
/// }
/// let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().inbound("login", read_fn(login)));
/// channel.write_inbound(b"secret");
/// channel.write_inbound(b"Ada");
/// assert_eq!(channel.read_outbound(), b"welcome, Ada");
/// ```
///
/// [`Ctx::edit`]: crate::Ctx::edit
pub struct Edit {
    rows: Vec<Row>,
    changes: Vec<Change>,
    error: Option<LinkError>,
}

/// Edits that have been found to fit.
pub(crate) struct Plan {
    ticket: u64,
    changes: Vec<Change>,
    /// It was due, but one in front of it was not.
    due: bool,
    /// The stage that waits for it (slot and id).
    holder: Option<(u16, u32)>,
}

/// Plans that are not applied yet, in the order of asking. The channel's shape is the one that they
/// lead to.
#[derive(Default)]
pub(crate) struct Plans {
    waiting: VecDeque<Plan>,
    issued: u64,
}

impl Plans {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn add(&mut self, changes: Vec<Change>) -> u64 {
        self.issued += 1;
        let ticket = self.issued;
        self.waiting.push_back(Plan { ticket, changes, due: false, holder: None });
        ticket
    }
}

impl Edit {
    /// Checks an edit and puts it in line; the answer is its ticket.
    pub(crate) fn plan<R>(
        core: &mut ChannelCore,
        shapes: &mut Shapes,
        edit: impl FnOnce(&mut Self) -> R,
    ) -> Result<u64, LinkError> {
        let rows = core.shape.as_ref().map_or_else(Vec::new, |shape| shape.rows.to_vec());
        let mut this = Self { rows, changes: Vec::new(), error: None };
        edit(&mut this);
        if let Some(error) = this.error {
            return Err(error);
        }
        let shape = shapes.of(core.head, &this.rows)?;
        core.set_shape(shape)?;
        Ok(core.plans.add(this.changes))
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

impl LocalChannel {
    /// The edit of this ticket is due: applies it, and those behind it that have been waiting for
    /// it. `false` when there is one in front of it; the stage in `slot` is then busy until that
    /// one is done.
    pub(crate) fn edit_is_due(
        &mut self,
        lp: &mut LoopState,
        ticket: u64,
        slot: Option<u16>,
    ) -> bool {
        let waiting = &mut self.core.plans.waiting;
        match waiting.iter().position(|plan| plan.ticket == ticket) {
            // It was applied at the end of a turn.
            None => return true,
            Some(0) => waiting[0].due = true,
            Some(at) => {
                waiting[at].due = true;
                if let Some(slot) = slot {
                    let s = &mut self.pipeline.slots[slot as usize];
                    s.flags |= BUSY;
                    waiting[at].holder = Some((slot, s.id));
                }
                return false;
            }
        }
        self.apply_edits(lp, |plan| plan.due);
        true
    }

    /// At the end of a turn: applies edits whose stages have gone before they were due.
    #[cold]
    pub(crate) fn apply_all_edits(&mut self, lp: &mut LoopState) {
        self.apply_edits(lp, |_| true);
    }

    fn apply_edits(&mut self, lp: &mut LoopState, next: impl Fn(&Plan) -> bool) {
        while self.core.plans.waiting.front().is_some_and(&next) {
            let Some(plan) = self.core.plans.waiting.pop_front() else { return };
            let holder = plan.holder;
            apply(plan.changes, self, lp);
            if let Some((slot, id)) = holder
                && self.pipeline.slots[slot as usize].id == id
            {
                let s = &mut self.pipeline.slots[slot as usize];
                s.flags &= !BUSY;
                (s.vtable.resume)(self, lp, slot);
            }
        }
    }
}

/// What a removed stage had not read, and the stage in front of the place where it stood.
struct Leftover {
    front: u16,
    rest: Rest,
}

/// The stages that an edit has added, by slot and id.
type Added = Vec<(u16, u32)>;

/// Makes the changes, relinks once, greets the new stages, and hands over leftovers.
fn apply(changes: Vec<Change>, ch: &mut LocalChannel, lp: &mut LoopState) {
    let mut leftovers: Vec<Leftover> = Vec::new();
    let mut added: Added = Vec::new();
    for change in changes {
        match change {
            Change::Insert { after, name, stage } => {
                let after = after.and_then(|name| ch.pipeline.find(name)).unwrap_or(END);
                let slot = ch.pipeline.insert(after, name, stage.vtable, stage.cell);
                added.push((slot, ch.pipeline.slots[slot as usize].id));
            }
            Change::Remove { name } => {
                if let Some(slot) = ch.pipeline.find(name) {
                    added.retain(|(other, _)| *other != slot);
                    remove(ch, slot, &mut leftovers);
                }
            }
        }
    }
    relink(ch);
    for &(slot, id) in &added {
        if ch.pipeline.slots[slot as usize].id == id {
            let vtable = ch.pipeline.slots[slot as usize].vtable;
            (vtable.notice)(ch, lp, slot, Notice::Signal(Signal::Added));
        }
    }
    ch.core.depth += 1;
    for leftover in leftovers {
        hand_over(ch, lp, leftover, &added);
    }
    ch.core.depth -= 1;
}

/// Takes a stage out. Leftovers are kept in the order in which they are to be handed over: what
/// stood further behind is older.
fn remove(ch: &mut LocalChannel, slot: u16, leftovers: &mut Vec<Leftover>) {
    let s = &ch.pipeline.slots[slot as usize];
    let (vtable, front, name, flags) = (s.vtable, s.prev, s.name, s.flags);
    let older = leftovers.iter().position(|l| ch.pipeline.stands_in_front(l.front, slot));
    // What stood behind this stage stands now behind the one in front of it.
    for leftover in leftovers.iter_mut().filter(|l| l.front == slot) {
        leftover.front = front;
    }
    let Some(mut cell) = ch.pipeline.remove(slot) else { return };
    if flags & INBOX != 0 {
        tracing::warn!(stage = name, "a stage was removed while messages waited for it");
    }
    if let Some(rest) = (vtable.take_rest)(&mut *cell) {
        leftovers.insert(older.unwrap_or(leftovers.len()), Leftover { front, rest });
    }
    ch.core.running = END;
    (vtable.removed)(&mut *cell);
}

/// Gives what a removed stage had not read to the one that stands there now.
fn hand_over(ch: &mut LocalChannel, lp: &mut LoopState, leftover: Leftover, added: &Added) {
    let Leftover { front, rest } = leftover;
    let mut target = first_reader(ch, front);
    let mut link = target.and_then(byte_link);
    // Or in front of there, if the replacement was put in before the old one was taken out.
    let mut at = front;
    while let Some(s) = ch.pipeline.get(at)
        && target.is_some()
        && link.is_none()
        && added.contains(&(at, s.id))
    {
        if s.vtable.reads {
            target = Some((s.vtable, at));
            link = byte_link((s.vtable, at));
        }
        at = s.prev;
    }
    let id = target.map(|(_, slot)| ch.pipeline.slots[slot as usize].id);
    match link {
        _ if rest.bytes.is_empty() => {}
        Some(link) => (link.deliver)(ch, lp, link.slot, &mut Some(rest.bytes)),
        None => ch.tail_read(Some(rest.bytes)),
    }
    if rest.ended {
        let slot = match target {
            Some((_, slot)) if Some(ch.pipeline.slots[slot as usize].id) == id => slot,
            // It has been replaced in its turn.
            _ => first_reader(ch, front).map_or(END, |(_, slot)| slot),
        };
        ch.notify(lp, slot, Notice::Signal(Signal::ReadClosed), false);
    }
}

fn byte_link((vtable, slot): (&'static Vtable, u16)) -> Option<ReadLink<ByteBuf>> {
    let mut link = None;
    (vtable.offer_read)(slot, &mut link);
    link
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
