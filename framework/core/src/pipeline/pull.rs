//! How messages are pulled out of a decoder: one at a time, and only while the channel is not paused.

use std::mem::ManuallyDrop;

use crate::channel::LocalChannel;
use crate::event_loop::state::LoopState;
use crate::pipeline::cell::{Fired, Place, cell_of};
use crate::pipeline::context::Ctx;
use crate::pipeline::run::{Left, leave};
use crate::pipeline::slot::{PULLING, REST};
use crate::pipeline::stage::Runs;

/// Pulls messages until there are none, or the channel is paused. `false` when the stage is gone.
pub(super) fn pull_all<H: Runs>(
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
        let place = Place { slot, stage: s.id, direct: cell.is_next_to_head(), passing: false };
        // With a message nothing else is fired, so there is nothing to drop either.
        let mut fired = ManuallyDrop::new(Fired::nothing());
        let mut cx = Ctx::new(&mut fired, &mut cell.spill, &mut ch.core, lp, place);
        let mut pulled = cell.stage.pull(&mut cx);
        lp.stall.check(s.name);
        match &mut pulled {
            Ok(msg) if msg.is_some() => {
                if cell.last_puller {
                    ch.core.demand_met();
                }
                match cell.next_read {
                    Some(link) => (link.deliver)(ch, lp, link.slot, msg),
                    None => ch.tail_read(msg.take()),
                }
                if ch.pipeline.slots[slot as usize].id != id {
                    return false;
                }
            }
            Ok(_) => {
                cell.stage.settle();
                s.flags &= !REST;
                let last = fired.take();
                if !leave::<H>(ch, lp, slot, id, last) {
                    return false;
                }
                break;
            }
            Err(_) => {
                left.fired = ManuallyDrop::into_inner(fired);
                left.result = pulled.map(drop);
                break;
            }
        }
    }
    ch.pipeline.slots[slot as usize].flags &= !PULLING;
    true
}
