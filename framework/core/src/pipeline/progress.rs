//! What handlers learn of the progress of reading and writing.

use std::time::Duration;

use fyke_clock::Instant;

use crate::channel::core::State;
use crate::channel::progress::WriteProgress;
use crate::pipeline::context::Ctx;

impl<O, W> Ctx<'_, O, W> {
    /// Whether the channel is connected and not about to close.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.core.state == State::Open
    }

    /// Whether bytes lie in the channel's decoders because reading was paused: they have come, and
    /// nobody has looked at them yet. False while nothing is paused, whatever is half decoded.
    #[must_use]
    pub fn has_undecoded(&self) -> bool {
        self.core.has_rests
    }

    /// Takes no message in for so long, whatever the other reasons to read or not: the pause is over
    /// by itself, also when this handler has left. Several pauses end each at its time.
    pub fn pause_reading(&mut self, time: Duration) {
        self.core.pause_reading(self.state, time);
    }

    /// What became of the bytes that were written so far: a write that makes slow progress is told
    /// from one that is stuck by this. Costs nothing per message; made to be asked by timers.
    #[must_use]
    pub fn write_progress(&self) -> WriteProgress {
        self.core.progress.get()
    }

    /// When bytes last came from the transport, whether they made a message by now or not.
    #[must_use]
    pub fn received_at(&self) -> Option<Instant> {
        self.core.progress.received_at()
    }

    /// Since when this channel has been reading without a pause (the loop's start for one that
    /// never paused); `None` while [`is_reading`](Self::is_reading) says no. Silence that was heard
    /// by nobody is none: count it from here at the earliest.
    #[must_use]
    pub fn reading_since(&self) -> Option<Instant> {
        let reads = self.core.may_pull() && self.core.reading;
        reads.then_some(self.core.progress.reading_since)
    }
}
