//! Embedded channels whose peer acknowledges what it has got.

use super::EmbeddedChannel;
use crate::channel::progress::WriteProgress;
use crate::channel::turn::Work;
use crate::transport::TransportEvent;

impl EmbeddedChannel {
    /// From now on the transport counts as one that reports what the peer acknowledges: by
    /// [`acknowledge`](Self::acknowledge).
    pub fn expect_acks(&mut self) {
        if let Some(channel) = self.event_loop.core().channel_mut(self.key) {
            channel.core.progress.expect_acks();
        }
    }

    /// The peer acknowledges so many bytes more.
    pub fn acknowledge(&mut self, bytes: usize) {
        let event = TransportEvent::Acked(self.key, bytes);
        self.event_loop.core().turn_of(self.key, Work::Event(event));
        self.run_pending();
    }

    /// What became of the bytes that were written.
    #[must_use]
    pub fn write_progress(&mut self) -> Option<WriteProgress> {
        self.channel_core().map(|core| core.progress.get())
    }
}
