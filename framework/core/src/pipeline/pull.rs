//! How messages are pulled out of a decoder: one at a time, and only while the channel is not paused.

use crate::channel::LocalChannel;
use crate::event_loop::state::LoopState;
use crate::pipeline::cell::cell_of;
use crate::pipeline::run::{Left, call, leave};
use crate::pipeline::slot::{PULLING, REST};
use crate::pipeline::stage::Runs;

/// Pulls messages until there are none, or the channel is paused. `false` when the stage is gone.
#[inline(never)]
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
    // Counted here and added up once: a store for each message is felt.
    let mut messages = 0;
    let there = loop {
        let s = &mut ch.pipeline.slots[slot as usize];
        let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else { break false };
        if !ch.core.may_pull() {
            cell.stage.settle(&lp.pool);
            if cell.stage.has_rest() {
                s.flags |= REST;
                ch.core.has_rests = true;
            }
            break true;
        }
        ch.core.running = slot;
        let mut pulled = cell.stage.pull(&mut ch.core, lp);
        lp.stall.check(&s.name);
        match &mut pulled {
            Ok(msg) if msg.is_some() => {
                if cell.last_puller {
                    ch.core.demand_met();
                    messages += 1;
                }
                match cell.next_read {
                    Some(link) => (link.deliver)(ch, lp, link.slot, msg),
                    None => ch.tail_read(msg.take()),
                }
                if ch.pipeline.slots[slot as usize].id != id {
                    break false;
                }
            }
            Ok(_) => {
                let ended = cell.stage.take_ended();
                cell.stage.settle(&lp.pool);
                s.flags &= !REST;
                if !ended {
                    break true;
                }
                let mut last = call::<H>(ch, lp, slot, false, |stage, cx| stage.ended(cx));
                if last.result.is_err() {
                    *left = last;
                    break true;
                }
                break leave::<H>(ch, lp, slot, id, last.fired.take());
            }
            Err(_) => {
                left.result = pulled.map(drop);
                break true;
            }
        }
    };
    lp.stats.messages += messages;
    if there {
        ch.pipeline.slots[slot as usize].flags &= !PULLING;
    }
    there
}
