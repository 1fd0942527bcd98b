//! A stage in its slot: the stage itself, its links, what it has fired, and its one inbox.

use std::any::Any;
use std::collections::VecDeque;

use crate::event::Notice;
use crate::pipeline::deliver::{deliver_notice, deliver_read, deliver_write};
use crate::pipeline::link::{
    DeliverRead, DeliverWrite, END, Neighbours, ReadLink, TypeRow, Vtable, WriteLink, fill,
};
use crate::pipeline::run::resume;
use crate::pipeline::stage::Runs;
use crate::promise::Promise;

/// Something that a stage fired or wrote, on its way to the neighbour.
pub(crate) enum Op<O, W> {
    Read(O),
    Write(W, Promise),
    /// To the next stage in the notice's own direction; `true` is outwards.
    Notice(Notice, bool),
    /// First what handles wrote before this point.
    Drain(u64),
    /// The edit of that number is due.
    Edit(u64),
    /// From here on the stage waits for offloaded work.
    Wait,
}

/// What one method fired first; it lies on the stack, and what follows in the stage's spill. A
/// message goes on from here without another copy: each kind has a place of its own, because moving
/// an enum around a message copies it at an odd offset.
pub(crate) struct Fired<O, W> {
    pub(crate) kind: FiredKind,
    pub(crate) read: Option<O>,
    pub(crate) write: Option<W>,
    pub(crate) promise: Promise,
    pub(crate) other: Option<Op<O, W>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FiredKind {
    Nothing,
    Read,
    Write,
    Other,
}

impl<O, W> Fired<O, W> {
    #[inline(always)]
    pub(crate) fn nothing() -> Self {
        Self {
            kind: FiredKind::Nothing,
            read: None,
            write: None,
            promise: Promise::NONE,
            other: None,
        }
    }

    /// The first operation in the form of those that follow it.
    pub(crate) fn take(&mut self) -> Option<Op<O, W>> {
        match std::mem::replace(&mut self.kind, FiredKind::Nothing) {
            FiredKind::Nothing => None,
            FiredKind::Read => self.read.take().map(Op::Read),
            FiredKind::Write => {
                let promise = std::mem::take(&mut self.promise);
                self.write.take().map(|msg| Op::Write(msg, promise))
            }
            FiredKind::Other => self.other.take(),
        }
    }
}

/// Where a method runs.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) slot: u16,
    /// The stage's id.
    pub(crate) stage: u32,
    /// What it writes goes straight to the channel's outbound queue.
    pub(crate) direct: bool,
    /// It is a `write`: what it writes is a message on its way, issued before.
    pub(crate) passing: bool,
}

impl Place {
    /// Behind the last stage.
    pub(crate) const TAIL: Self = Self { slot: END, stage: 0, direct: false, passing: false };
}

/// Something that waits for a busy stage.
pub(crate) enum Item<I, W> {
    Read(I),
    Write(W, Promise),
    Notice(Notice),
}

/// Spilled operations: all but the first that one method fired.
pub(crate) type Spill<O, W> = Option<Box<VecDeque<Op<O, W>>>>;
type Inbox<H> = Option<Box<VecDeque<Item<<H as Runs>::In, <H as Runs>::WriteIn>>>>;

/// A stage in its slot.
pub(crate) struct Cell<H: Runs> {
    pub(crate) stage: H,
    pub(super) next_read: Option<ReadLink<H::Out>>,
    pub(super) next_write: Option<WriteLink<H::WriteOut>>,
    pub(super) spill: Spill<H::Out, H::WriteOut>,
    pub(super) inbox: Inbox<H>,
    pub(super) last_puller: bool,
}

impl<H: Runs> Cell<H> {
    pub(crate) fn new(stage: H) -> Self {
        Self {
            stage,
            next_read: None,
            next_write: None,
            spill: None,
            inbox: None,
            last_puller: false,
        }
    }

    /// What it writes goes straight to the channel's outbound queue.
    #[inline]
    pub(super) fn is_next_to_head(&self) -> bool {
        matches!(self.next_write, Some(link) if link.slot == END)
    }

    pub(crate) const VTABLE: Vtable = Vtable {
        reads: H::READS,
        writes: H::WRITES,
        pulls: H::PULLS,
        read_in: TypeRow::of::<H::In>,
        read_out: TypeRow::of::<H::Out>,
        write_in: TypeRow::of::<H::WriteIn>,
        write_out: TypeRow::of::<H::WriteOut>,
        offer_read: |slot, into| {
            fill(into, ReadLink { deliver: deliver_read::<H> as DeliverRead<H::In>, slot });
        },
        offer_write: |slot, into| {
            fill(into, WriteLink { deliver: deliver_write::<H> as DeliverWrite<H::WriteIn>, slot });
        },
        link: link::<H>,
        notice: deliver_notice::<H>,
        resume: resume::<H>,
        take_rest: |cell| cell_of::<H>(cell).and_then(|c| c.stage.take_rest()),
        removed: |cell| {
            if let Some(cell) = cell_of::<H>(cell) {
                cell.stage.removed();
            }
        },
        filter: |cell| match cell.downcast_ref::<Self>() {
            Some(cell) => cell.stage.filter(),
            None => crate::event::EventFilter::NONE,
        },
    };
}

pub(super) fn cell_of<H: Runs>(cell: &mut dyn Any) -> Option<&mut Cell<H>> {
    cell.downcast_mut()
}

fn link<H: Runs>(cell: &mut dyn Any, neighbours: &Neighbours) {
    let Some(cell) = cell_of::<H>(cell) else { return };
    cell.next_read = None;
    cell.next_write = None;
    cell.last_puller = neighbours.last_puller;
    if let Some((vtable, slot)) = neighbours.next_in {
        (vtable.offer_read)(slot, &mut cell.next_read);
    }
    match neighbours.next_out {
        Some((vtable, slot)) => (vtable.offer_write)(slot, &mut cell.next_write),
        None => neighbours.head.offer_write(&mut cell.next_write),
    }
}
