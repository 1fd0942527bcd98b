//! What waits for a busy stage: one queue for everything, so that nothing overtakes.

use crate::channel::LocalChannel;
use crate::error::CloseReason;
use crate::event::Notice;
use crate::pipeline::cell::{Item, cell_of};
use crate::pipeline::slot::{BUSY, DEAD, INBOX, OFFLOADED, PULLING};
use crate::pipeline::stage::Runs;

/// So many things may wait for one stage; the channel is cut beyond that. Input is paused while a
/// stage waits for offloaded work, so this is for writers that do not look at the water marks.
const INBOX_ITEMS_MAX: usize = 65_536;

#[cold]
pub(super) fn enqueue<H: Runs>(ch: &mut LocalChannel, slot: u16, item: Item<H::In, H::WriteIn>) {
    let s = &mut ch.pipeline.slots[slot as usize];
    if s.is_dead() {
        return;
    }
    let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) else { return };
    let inbox = cell.inbox.get_or_insert_default();
    if inbox.len() < INBOX_ITEMS_MAX {
        inbox.push_back(item);
        s.flags |= INBOX;
    } else if !ch.core.abort_requested {
        tracing::warn!(stage = s.name, limit = INBOX_ITEMS_MAX, "too much waits for a stage");
        ch.core.abort_with(CloseReason::Limit);
    }
}

/// Lets something wait in front of what waits already.
#[cold]
pub(super) fn enqueue_first<H: Runs>(
    ch: &mut LocalChannel,
    slot: u16,
    item: Item<H::In, H::WriteIn>,
) {
    let s = &mut ch.pipeline.slots[slot as usize];
    if s.is_dead() {
        return;
    }
    if let Some(cell) = s.stage.as_deref_mut().and_then(cell_of::<H>) {
        cell.inbox.get_or_insert_default().push_front(item);
        s.flags |= INBOX;
    }
}

/// The next thing that waits for this stage, if it may run now.
pub(super) fn next_item<H: Runs>(
    ch: &mut LocalChannel,
    slot: u16,
) -> Option<Item<H::In, H::WriteIn>> {
    let s = &mut ch.pipeline.slots[slot as usize];
    if s.flags & INBOX == 0 || s.flags & (BUSY | PULLING | DEAD) != 0 {
        return None;
    }
    let cell = s.stage.as_deref_mut().and_then(cell_of::<H>)?;
    let inbox = cell.inbox.as_mut()?;
    let is_result = matches!(inbox.front(), Some(Item::Notice(Notice::Offloaded(_))));
    if s.flags & OFFLOADED != 0 && !is_result {
        return None;
    }
    let item = inbox.pop_front();
    if inbox.is_empty() {
        cell.inbox = None;
        s.flags &= !INBOX;
    }
    item
}
