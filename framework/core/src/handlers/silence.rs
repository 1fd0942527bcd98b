//! Since when a peer has been silent.

use fyke_clock::Instant;

use crate::pipeline::Ctx;

/// When the peer was last heard, or could first have been: while the channel does not read, now.
pub(super) fn last_heard<O, W>(cx: &mut Ctx<'_, O, W>, last_read: Instant) -> Instant {
    match cx.reading_since() {
        Some(since) => last_read.max(since),
        None => cx.env().now(),
    }
}
