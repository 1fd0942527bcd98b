//! How a stage runs: a message is delivered, the method returns, and then what it fired leaves.
//!
//! The rules that hold here (see `pipeline.md` in words, `tests/rules` in code):
//! a stage is never re-entered; what reaches it while it runs, or while something it fired has
//! not left yet, waits in its one inbox; and once anything waits there, everything goes there.

use std::mem::ManuallyDrop;

use crate::channel::LocalChannel;
use crate::error::{Error, Result};
use crate::event::Notice;
use crate::event_loop::state::LoopState;
use crate::pipeline::cell::{Fired, FiredKind, Item, Op, Place, cell_of};
use crate::pipeline::context::Ctx;

use crate::pipeline::inbox::{enqueue_first, next_item};
use crate::pipeline::link::{END, ReadLink, WriteLink};
use crate::pipeline::pull::pull_all;
use crate::pipeline::slot::{BUSY, DEAD, OFFLOADED, PULLING};
use crate::pipeline::stage::Runs;

/// What a stage's method left behind.
pub(super) struct Left<H: Runs> {
    pub(super) fired: Fired<H::Out, H::WriteOut>,
    pub(super) result: Result<()>,
}

/// A context that is dropped only when its method panics: what was fired is dropped with it, so that
/// nobody waits for its promise.
struct Unwinding<'a, O, W>(Ctx<'a, O, W>);

impl<O, W> Drop for Unwinding<'_, O, W> {
    #[cold]
    fn drop(&mut self) {
        *self.0.fired = Fired::nothing();
    }
}

/// What is run of a stage.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Something came in, after which there may be messages to pull.
    Read,
    /// A message passes the other way.
    Write,
    Notice,
}

/// Calls a method of the stage and lets what it fired leave; then pulls, if this may have brought
/// something.
#[inline(always)]
pub(super) fn run<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    why: Why,
    call: impl FnOnce(&mut H, &mut Ctx<'_, H::Out, H::WriteOut>) -> Result<()>,
) {
    let s = &mut ch.pipeline.slots[slot as usize];
    let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else { return };
    ch.core.running = slot;
    let passing = why == Why::Write;
    let place = Place { slot, stage: s.id, direct: cell.is_next_to_head(), passing };
    // Whoever a message goes on to takes it out of here, so nothing is left to drop in the end.
    let mut fired = ManuallyDrop::new(Fired::nothing());
    let mut cx = Unwinding(Ctx::new(&mut fired, &mut cell.spill, &mut ch.core, lp, place));
    let result = call(&mut cell.stage, &mut cx.0);
    std::mem::forget(cx);
    lp.stall.check(&s.name);
    let pull = H::PULLS && why == Why::Read;
    if pull || result.is_err() || cell.spill.as_ref().is_some_and(|spill| !spill.is_empty()) {
        settle::<H>(ch, lp, slot, Left { fired: ManuallyDrop::into_inner(fired), result });
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
                None => drop((fired.write.take(), promise)),
            }
        }
        FiredKind::Other => {
            let (next_read, next_write) = (cell.next_read, cell.next_write);
            perform_last::<H>(ch, lp, slot, &mut fired, next_read, next_write);
        }
    }
}

#[inline(never)]
fn perform_last<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    fired: &mut Fired<H::Out, H::WriteOut>,
    next_read: Option<ReadLink<H::Out>>,
    next_write: Option<WriteLink<H::WriteOut>>,
) {
    if let Some(op) = fired.take() {
        // An edit that must wait keeps the stage busy by itself.
        let _ = perform::<H>(ch, lp, slot, op, next_read, next_write);
    }
}

/// Lets one operation leave. `false` when what follows must wait, with the stage, for an edit.
fn perform<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    op: Op<H::Out, H::WriteOut>,
    next_read: Option<ReadLink<H::Out>>,
    next_write: Option<WriteLink<H::WriteOut>>,
) -> bool {
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
        Op::Drain(up_to) => drain::<H>(ch, lp, slot, up_to),
        Op::Edit(ticket) => return ch.edit_is_due(lp, ticket, Some(slot)),
        Op::Wait => {
            let s = &mut ch.pipeline.slots[slot as usize];
            s.flags |= OFFLOADED;
            s.offloads += 1;
        }
    }
    true
}

/// What handles wrote first goes first, through this very stage if it stands in the way: so writes
/// pass it for that time, and what it has fired itself is kept aside. What comes inwards (an event
/// of a handle) waits: what the stage would fire in answer must not overtake what is kept.
#[cold]
fn drain<H: Runs>(ch: &mut LocalChannel, lp: &mut LoopState, slot: u16, up_to: u64) {
    let s = &mut ch.pipeline.slots[slot as usize];
    let (id, state) = (s.id, s.flags & (BUSY | PULLING));
    let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else { return };
    let kept = cell.spill.take();
    s.flags = (s.flags & !BUSY) | PULLING;
    ch.drain_mailbox(lp, up_to);
    let s = &mut ch.pipeline.slots[slot as usize];
    if s.id == id
        && let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>)
    {
        cell.spill = match (kept, cell.spill.take()) {
            (Some(mut kept), Some(mut behind)) => {
                kept.append(&mut behind);
                Some(kept)
            }
            (kept, behind) => kept.or(behind),
        };
        s.flags = (s.flags & !(BUSY | PULLING)) | state;
    }
}

/// The long way: several operations, an error, messages to pull, or an inbox.
pub(super) fn settle<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    mut left: Left<H>,
) {
    let id = ch.pipeline.slots[slot as usize].id;
    loop {
        let result = std::mem::replace(&mut left.result, Ok(()));
        let behind = if result.is_err() { ch.stage_behind(slot) } else { (END, 0) };
        if !leave::<H>(ch, lp, slot, id, left.fired.take()) {
            if let Err(error) = result {
                interrupted::<H>(ch, lp, (slot, id), behind, error);
            }
            return;
        }
        if let Err(error) = result {
            // Own errors come to the stage's own `error` first; an error of that goes on.
            left = call::<H>(ch, lp, slot, false, |stage, cx| {
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

/// A method failed, and before its error could be told an edit took the stage away, or made it
/// wait: the error goes to the stage that stood behind it, or waits with the stage.
#[cold]
fn interrupted<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    (slot, id): (u16, u32),
    behind: (u16, u32),
    error: Error,
) {
    if ch.pipeline.slots[slot as usize].id == id {
        enqueue_first::<H>(ch, slot, Item::Notice(Notice::Error(error)));
        return;
    }
    let still_there = ch.pipeline.get(behind.0).is_some_and(|s| s.id == behind.1);
    let next = if still_there { behind.0 } else { END };
    ch.notify(lp, next, Notice::Error(error), false);
}

fn run_item<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    item: Item<H::In, H::WriteIn>,
) -> Left<H> {
    let passing = matches!(item, Item::Write(..));
    call::<H>(ch, lp, slot, passing, |stage, cx| match item {
        Item::Read(msg) => stage.read(cx, msg),
        Item::Write(msg, promise) => stage.write(cx, msg, promise),
        Item::Notice(notice) => stage.notice(cx, notice),
    })
}

pub(super) fn call<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    passing: bool,
    call: impl FnOnce(&mut H, &mut Ctx<'_, H::Out, H::WriteOut>) -> Result<()>,
) -> Left<H> {
    let s = &mut ch.pipeline.slots[slot as usize];
    let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else {
        return Left { fired: Fired::nothing(), result: Ok(()) };
    };
    ch.core.running = slot;
    let place = Place { slot, stage: s.id, direct: cell.is_next_to_head(), passing };
    let mut fired = Fired::nothing();
    let mut cx = Ctx::new(&mut fired, &mut cell.spill, &mut ch.core, lp, place);
    let result = call(&mut cell.stage, &mut cx);
    lp.stall.check(&s.name);
    Left { fired, result }
}

/// Lets everything that was fired leave, in order. The stage counts as busy until then.
/// `false` when the stage itself is gone afterwards, or must wait for an edit.
pub(super) fn leave<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    id: u32,
    last: Option<Op<H::Out, H::WriteOut>>,
) -> bool {
    let s = &mut ch.pipeline.slots[slot as usize];
    let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else { return false };
    // What was spilled was fired earlier.
    let spilled = cell.spill.as_mut().and_then(|spill| {
        let first = spill.pop_front()?;
        Some((first, spill))
    });
    let mut op = match (spilled, last) {
        (Some((first, spill)), last) => {
            spill.extend(last);
            first
        }
        (None, Some(last)) => last,
        (None, None) => return true,
    };
    s.flags |= BUSY;
    loop {
        let s = &mut ch.pipeline.slots[slot as usize];
        let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else { return false };
        let links = (cell.next_read, cell.next_write);
        if !perform::<H>(ch, lp, slot, op, links.0, links.1) {
            return false;
        }
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

/// Goes on with what a stage holds: what it fired behind an edit that had to wait, its inbox, and
/// bytes that were not decoded while paused.
pub(super) fn resume<H: Runs>(ch: &mut LocalChannel, lp: &mut LoopState, slot: u16) {
    let Some(s) = ch.pipeline.slots.get_mut(slot as usize) else { return };
    if s.flags & (BUSY | PULLING | DEAD) != 0 {
        return;
    }
    settle::<H>(ch, lp, slot, Left { fired: Fired::nothing(), result: Ok(()) });
}
