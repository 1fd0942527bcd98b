//! How a message, a write or a notice comes to a stage: at once, or into its inbox.
//!
//! These are what links point to; what a method fires is the business of [`run`](super::run).

use std::any::Any;

use crate::channel::LocalChannel;
use crate::error::Error;
use crate::event::{Notice, Signal};
use crate::event_loop::state::LoopState;
use crate::pipeline::cell::{Fired, Item, cell_of};
use crate::pipeline::inbox::{enqueue, enqueue_first};
use crate::pipeline::link::ReadLink;
use crate::pipeline::run::{Left, Why, resume, run, settle};
use crate::pipeline::slot::PASSES_READ_COMPLETE;
use crate::pipeline::stage::Runs;
use crate::promise::Promise;

/// How deep stages may bounce messages and events before one waits in an inbox instead.
pub(super) const DEPTH_MAX: u16 = 32;

pub(super) fn deliver_read<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    msg: &mut Option<H::In>,
) {
    // A peer could nest edits by handing each new decoder the bytes that replace it again.
    let too_deep = H::PULLS && ch.core.depth >= DEPTH_MAX;
    if too_deep || !ch.pipeline.slots[slot as usize].takes_reads() {
        if let Some(msg) = msg.take() {
            enqueue::<H>(ch, slot, Item::Read(msg));
            ch.core.backlog |= too_deep;
        }
        return;
    }
    if H::PASSES
        && let Some(next) = way_past::<H>(ch, slot, msg)
        && let Some(msg) = (msg as &mut dyn Any).downcast_mut()
    {
        match next {
            Some(link) => (link.deliver)(ch, lp, link.slot, msg),
            None => ch.tail_read(msg.take()),
        }
        return;
    }
    run::<H>(ch, lp, slot, Why::Read, |stage, cx| match msg.take() {
        Some(msg) => stage.read(cx, msg),
        None => Ok(()),
    });
}

/// Where a message goes that the stage would pass on as it is.
#[inline(always)]
fn way_past<H: Runs>(
    ch: &mut LocalChannel,
    slot: u16,
    msg: &Option<H::In>,
) -> Option<Option<ReadLink<H::Out>>> {
    let s = &mut ch.pipeline.slots[slot as usize];
    let cell = s.stage.as_deref_mut().and_then(cell_of::<H>)?;
    cell.stage.passes(msg.as_ref()?).then_some(cell.next_read)
}

pub(super) fn deliver_write<H: Runs>(
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
    if !H::ENCODES {
        write::<H>(ch, lp, slot, msg, promise);
    } else if promise.is_observed() || !encode_directly::<H>(ch, lp, slot, msg) {
        write_the_long_way::<H>(ch, lp, slot, msg, promise);
    }
}

#[inline(always)]
fn write<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    msg: &mut Option<H::WriteIn>,
    promise: Promise,
) {
    ch.core.depth += u16::from(H::READS);
    run::<H>(ch, lp, slot, Why::Write, |stage, cx| match msg.take() {
        Some(msg) => stage.write(cx, msg, promise),
        None => Ok(()),
    });
    ch.core.depth -= u16::from(H::READS);
}

/// An encoder whose message has a promise, or that is not next to the transport.
#[inline(never)]
fn write_the_long_way<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    msg: &mut Option<H::WriteIn>,
    promise: Promise,
) {
    write::<H>(ch, lp, slot, msg, promise);
}

/// Lets a stage next to the transport append its bytes to what is to be sent, without a context.
/// `false` when it is not next to it, when there is more to do than that, or when the long way has to
/// say why nothing can be written.
#[inline(always)]
fn encode_directly<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    msg: &mut Option<H::WriteIn>,
) -> bool {
    let s = &mut ch.pipeline.slots[slot as usize];
    let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else { return false };
    if !cell.is_next_to_head() || !ch.core.takes_direct_writes() {
        return false;
    }
    ch.core.running = slot;
    let tail = ch.core.outbound.open_tail(&lp.pool);
    let before = tail.readable();
    let result = cell.stage.encode(&lp.env, msg, tail);
    ch.core.encoded(before, result.is_err());
    lp.stall.check(&s.name);
    match result {
        Ok(taken) => taken,
        Err(error) => {
            failed::<H>(ch, lp, slot, error);
            true
        }
    }
}

/// A stage that has fired nothing has failed.
#[cold]
#[inline(never)]
fn failed<H: Runs>(ch: &mut LocalChannel, lp: &mut LoopState, slot: u16, error: Error) {
    ch.core.depth += u16::from(H::READS);
    settle::<H>(ch, lp, slot, Left { fired: Fired::nothing(), result: Err(error) });
    ch.core.depth -= u16::from(H::READS);
}

pub(super) fn deliver_notice<H: Runs>(
    ch: &mut LocalChannel,
    lp: &mut LoopState,
    slot: u16,
    notice: Notice,
) {
    // Events can be bounced to and fro, unlike signals and errors.
    let bounces = matches!(notice, Notice::Event(_));
    let too_deep = bounces && ch.core.depth >= DEPTH_MAX;
    // What goes outwards keeps its place among the writes, which pass a stage that is pulled.
    let s = &ch.pipeline.slots[slot as usize];
    let takes = if notice.is_outbound() { s.takes_writes() } else { s.takes_reads() };
    match notice {
        // It is what the stage waits for, so it comes in front of what waits.
        Notice::Offloaded(_) if !takes => {
            enqueue_first::<H>(ch, slot, Item::Notice(notice));
            resume::<H>(ch, lp, slot);
        }
        notice if too_deep || !takes => {
            enqueue::<H>(ch, slot, Item::Notice(notice));
            ch.core.backlog |= too_deep;
        }
        notice => {
            let (id, mut passes) = (s.id, false);
            // The end of what comes in is decoded, too.
            let ends = matches!(notice, Notice::Signal(Signal::ReadClosed));
            let why = if ends { Why::Read } else { Why::Notice };
            ch.core.depth += u16::from(bounces);
            run::<H>(ch, lp, slot, why, |stage, cx| {
                cx.state.passed_by = None;
                let result = stage.notice(cx, notice);
                passes = cx.state.passed_by == Some(H::handler());
                result
            });
            ch.core.depth -= u16::from(bounces);
            if passes {
                let s = &mut ch.pipeline.slots[slot as usize];
                // What it passed on may have been told to somebody who took it out.
                s.flags |= if s.id == id { PASSES_READ_COMPLETE } else { 0 };
            }
        }
    }
}
