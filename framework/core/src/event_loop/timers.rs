//! What the loop's timers are for.

use crate::channel::ChannelKey;
use crate::event_loop::LoopCore;

pub(crate) enum Timer {
    /// A handler's `timer` is called.
    Stage { channel: ChannelKey, slot: u16, stage: u32, tag: u64 },
    /// A connect, close or lingering has taken long enough.
    Close(ChannelKey),
    /// A listener tries to accept again.
    Accept(ChannelKey),
    /// A task of the loop.
    Task(Box<dyn FnOnce(&mut LoopCore)>),
    /// The loop's shutdown ends.
    ShutdownDeadline,
}
