//! How a stage runs: a message is delivered, the method returns, and then what it fired leaves.
//!
//! The rules that hold here (see `pipeline.md` in words, `tests/rules.rs` in code):
//! a stage is never re-entered; what reaches it while it runs, or while something it fired has
//! not left yet, waits in its one inbox; and once anything waits there, everything goes there.

use std::any::Any;
use std::collections::VecDeque;

use crate::channel::LocalChannel;
use crate::error::Result;
use crate::event::Notice;
use crate::event_loop::state::LoopState;
use crate::pipeline::context::Ctx;
use crate::pipeline::edit::Plan;
use crate::pipeline::link::{
    DeliverRead, DeliverWrite, END, Neighbours, ReadLink, TypeRow, Vtable, WriteLink, fill,
};
use crate::pipeline::slot::{BUSY, INBOX, OFFLOADED, PULLING, REST};
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
    Edit(Box<Plan>),
    /// From here on the stage waits for offloaded work.
    Wait,
}

/// What one method fired: the first operation here, on the stack, further ones in the stage's
/// spill. A first message lies by itself, so that it goes on from here without another copy.
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
    #[inline]
    pub(crate) fn nothing() -> Self {
        Self {
            kind: FiredKind::Nothing,
            read: None,
            write: None,
            promise: Promise::NONE,
            other: None,
        }
    }

    /// The first operation in the form of the others.
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
    next_read: Option<ReadLink<H::Out>>,
    next_write: Option<WriteLink<H::WriteOut>>,
    spill: Spill<H::Out, H::WriteOut>,
    inbox: Inbox<H>,
    last_puller: bool,
}

/// How deep duplex stages may bounce messages before one waits in an inbox instead.
const DEPTH_MAX: u16 = 32;

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
    fn is_next_to_head(&self) -> bool {
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

fn cell_of<H: Runs>(cell: &mut dyn Any) -> Option<&mut Cell<H>> {
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

fn deliver_read<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    msg: &mut Option<H::In>,
) {
    if !ch.pipeline.slots[slot as usize].takes_reads() {
        if let Some(msg) = msg.take() {
            enqueue::<H>(ch, slot, Item::Read(msg));
        }
        return;
    }
    run::<H>(ch, lp, slot, H::PULLS, |stage, cx| match msg.take() {
        Some(msg) => stage.read(cx, msg),
        None => Ok(()),
    });
}

fn deliver_write<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    msg: &mut Option<H::WriteIn>,
    promise: Promise,
) {
    // Every cycle of messages turns around in a duplex stage, so bounding the depth here bounds
    // the stack.
    let too_deep = H::READS && ch.core.depth >= DEPTH_MAX;
    if too_deep || !ch.pipeline.slots[slot as usize].takes_writes() {
        if let Some(msg) = msg.take() {
            enqueue::<H>(ch, slot, Item::Write(msg, promise));
            ch.core.backlog |= too_deep;
        }
        return;
    }
    ch.core.depth += u16::from(H::READS);
    run::<H>(ch, lp, slot, false, |stage, cx| match msg.take() {
        Some(msg) => stage.write(cx, msg, promise),
        None => Ok(()),
    });
    ch.core.depth -= u16::from(H::READS);
}

fn deliver_notice<H: Runs>(ch: &mut LocalChannel, lp: &mut LoopState, slot: u16, notice: Notice) {
    // What goes outwards keeps its place among the writes, which pass a stage that is pulled.
    let s = &ch.pipeline.slots[slot as usize];
    let takes = if notice.is_outbound() { s.takes_writes() } else { s.takes_reads() };
    if !takes {
        enqueue::<H>(ch, slot, Item::Notice(notice));
        return;
    }
    run::<H>(ch, lp, slot, H::PULLS, |stage, cx| stage.notice(cx, notice));
}

#[cold]
fn enqueue<H: Runs>(ch: &mut LocalChannel, slot: u16, item: Item<H::In, H::WriteIn>) {
    let s = &mut ch.pipeline.slots[slot as usize];
    if s.is_dead() {
        return;
    }
    if let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) {
        cell.inbox.get_or_insert_default().push_back(item);
        s.flags |= INBOX;
    }
}

/// What a stage's method left behind.
struct Left<H: Runs> {
    fired: Fired<H::Out, H::WriteOut>,
    result: Result<()>,
}

/// Calls a method of the stage and lets what it fired leave; then pulls, if it is to.
#[inline]
fn run<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    pull: bool,
    call: impl FnOnce(&mut H, &mut Ctx<'_, H::Out, H::WriteOut>) -> Result<()>,
) {
    let s = &mut ch.pipeline.slots[slot as usize];
    let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else { return };
    ch.core.running = slot;
    let direct = cell.is_next_to_head();
    let mut fired = Fired::nothing();
    let mut cx = Ctx::new(&mut fired, &mut cell.spill, &mut ch.core, lp, slot, s.id, direct);
    let result = call(&mut cell.stage, &mut cx);
    lp.stall.check(s.name);
    if pull || result.is_err() || cell.spill.as_ref().is_some_and(|spill| !spill.is_empty()) {
        settle::<H>(ch, lp, slot, Left { fired, result });
        return;
    }
    // The common case: at most one operation, and it is the last thing this stage does, so the
    // stage is free again before the operation runs.
    match fired.kind {
        FiredKind::Nothing => {}
        FiredKind::Read => match cell.next_read {
            Some(link) => (link.deliver)(ch, lp, link.slot, &mut fired.read),
            None => ch.tail_read(fired.read.take()),
        },
        FiredKind::Write => {
            let promise = std::mem::take(&mut fired.promise);
            match cell.next_write {
                Some(link) => (link.deliver)(ch, lp, link.slot, &mut fired.write, promise),
                None => drop(promise),
            }
        }
        FiredKind::Other => {
            let (next_read, next_write) = (cell.next_read, cell.next_write);
            if let Some(op) = fired.other.take() {
                perform::<H>(ch, lp, slot, op, next_read, next_write);
            }
        }
    }
}

/// Lets one operation leave.
fn perform<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    op: Op<H::Out, H::WriteOut>,
    next_read: Option<ReadLink<H::Out>>,
    next_write: Option<WriteLink<H::WriteOut>>,
) {
    match op {
        Op::Read(msg) => match next_read {
            Some(link) => (link.deliver)(ch, lp, link.slot, &mut Some(msg)),
            None => ch.tail_read(Some(msg)),
        },
        Op::Write(msg, promise) => match next_write {
            Some(link) => (link.deliver)(ch, lp, link.slot, &mut Some(msg), promise),
            None => drop(promise),
        },
        Op::Notice(notice, outbound) => ch.notify_from(lp, slot, notice, outbound),
        Op::Drain(up_to) => ch.drain_mailbox(lp, up_to),
        Op::Edit(plan) => plan.apply(ch, lp),
        Op::Wait => ch.pipeline.slots[slot as usize].flags |= OFFLOADED,
    }
}

/// The long way: several operations, an error, messages to pull, or an inbox.
fn settle<H: Runs>(ch: &mut LocalChannel, lp: &mut LoopState, slot: u16, mut left: Left<H>) {
    let id = ch.pipeline.slots[slot as usize].id;
    loop {
        if !leave::<H>(ch, lp, slot, id, left.fired.take()) {
            return;
        }
        if let Err(error) = std::mem::replace(&mut left.result, Ok(())) {
            // Own errors come to the stage's own `error` first; an error of that goes on.
            left = call::<H>(ch, lp, slot, |stage, cx| {
                stage.notice(cx, Notice::Error(error)).or_else(|error| {
                    cx.fire_error(error);
                    Ok(())
                })
            });
            continue;
        }
        if H::PULLS && !pull_all::<H>(ch, lp, slot, id, &mut left) {
            return;
        }
        if left.result.is_err() {
            continue;
        }
        let Some(item) = next_item::<H>(ch, slot) else { return };
        left = run_item::<H>(ch, lp, slot, item);
    }
}

fn run_item<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    item: Item<H::In, H::WriteIn>,
) -> Left<H> {
    call::<H>(ch, lp, slot, |stage, cx| match item {
        Item::Read(msg) => stage.read(cx, msg),
        Item::Write(msg, promise) => stage.write(cx, msg, promise),
        Item::Notice(notice) => stage.notice(cx, notice),
    })
}

fn call<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    call: impl FnOnce(&mut H, &mut Ctx<'_, H::Out, H::WriteOut>) -> Result<()>,
) -> Left<H> {
    let s = &mut ch.pipeline.slots[slot as usize];
    let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else {
        return Left { fired: Fired::nothing(), result: Ok(()) };
    };
    ch.core.running = slot;
    let direct = cell.is_next_to_head();
    let mut fired = Fired::nothing();
    let mut cx = Ctx::new(&mut fired, &mut cell.spill, &mut ch.core, lp, slot, s.id, direct);
    let result = call(&mut cell.stage, &mut cx);
    lp.stall.check(s.name);
    Left { fired, result }
}

/// Lets everything that was fired leave, in order. The stage counts as busy until then.
/// `false` when the stage itself is gone afterwards.
fn leave<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    id: u32,
    first: Option<Op<H::Out, H::WriteOut>>,
) -> bool {
    let Some(mut op) = first else { return true };
    ch.pipeline.slots[slot as usize].flags |= BUSY;
    loop {
        let s = &mut ch.pipeline.slots[slot as usize];
        let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else { return false };
        let links = (cell.next_read, cell.next_write);
        perform::<H>(ch, lp, slot, op, links.0, links.1);
        let s = &mut ch.pipeline.slots[slot as usize];
        if s.id != id {
            return false;
        }
        let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else { return false };
        match cell.spill.as_mut().and_then(|spill| spill.pop_front()) {
            Some(next) => op = next,
            None => {
                s.flags &= !BUSY;
                return true;
            }
        }
    }
}

/// Pulls messages until there are none, or the channel is paused. `false` when the stage is gone.
fn pull_all<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    id: u32,
    left: &mut Left<H>,
) -> bool {
    if ch.pipeline.slots[slot as usize].flags & PULLING != 0 {
        // This is a write that came back while a pull is further up the stack.
        return true;
    }
    ch.pipeline.slots[slot as usize].flags |= PULLING;
    loop {
        let s = &mut ch.pipeline.slots[slot as usize];
        let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else { return false };
        if !ch.core.may_pull() {
            cell.stage.settle();
            if cell.stage.has_rest() {
                s.flags |= REST;
                ch.core.has_rests = true;
            }
            break;
        }
        ch.core.running = slot;
        let direct = cell.is_next_to_head();
        let mut fired = Fired::nothing();
        let mut cx = Ctx::new(&mut fired, &mut cell.spill, &mut ch.core, lp, slot, s.id, direct);
        let pulled = cell.stage.pull(&mut cx);
        lp.stall.check(s.name);
        match pulled {
            Ok(mut msg @ Some(_)) => {
                if cell.last_puller {
                    ch.core.demand_met();
                }
                match cell.next_read {
                    Some(link) => (link.deliver)(ch, lp, link.slot, &mut msg),
                    None => ch.tail_read(msg),
                }
                if ch.pipeline.slots[slot as usize].id != id {
                    return false;
                }
            }
            Ok(None) => {
                cell.stage.settle();
                s.flags &= !REST;
                if let Some(first) = fired.take()
                    && !leave::<H>(ch, lp, slot, id, Some(first))
                {
                    return false;
                }
                break;
            }
            Err(error) => {
                left.fired = fired;
                left.result = Err(error);
                break;
            }
        }
    }
    ch.pipeline.slots[slot as usize].flags &= !PULLING;
    true
}

/// The next thing that waits for this stage, if it may run now.
fn next_item<H: Runs>(ch: &mut LocalChannel, slot: u16) -> Option<Item<H::In, H::WriteIn>> {
    let s = &mut ch.pipeline.slots[slot as usize];
    if s.flags & INBOX == 0 || s.is_waiting() || s.flags & (BUSY | PULLING) != 0 {
        return None;
    }
    let cell = s.stage.as_deref_mut().and_then(cell_of::<H>)?;
    let inbox = cell.inbox.as_mut()?;
    let item = inbox.pop_front();
    if inbox.is_empty() {
        cell.inbox = None;
        s.flags &= !INBOX;
    }
    item
}

/// Goes on with what a stage holds: its inbox, and bytes that were not decoded while paused.
fn resume<H: Runs>(ch: &mut LocalChannel, lp: &mut LoopState, slot: u16) {
    let s = &ch.pipeline.slots[slot as usize];
    if s.flags & (BUSY | PULLING) != 0 || s.is_waiting() || slot == END {
        return;
    }
    settle::<H>(ch, lp, slot, Left { fired: Fired::nothing(), result: Ok(()) });
}
