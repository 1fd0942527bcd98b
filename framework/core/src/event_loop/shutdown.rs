//! Ending a loop in order: stop accepting, tell the handlers, let them finish, and cut what is
//! left at the deadline.

use std::time::Duration;

use fyke_clock::{Clock, TimerKey};

use crate::channel::ChannelKey;
use crate::channel::turn::Work;
use crate::driver::Driver;
use crate::error::CloseReason;
use crate::event_loop::timers::Timer;
use crate::event_loop::{EventLoop, LoopCore};
use crate::transport::TransportEvent;

/// What became of the channels when a loop was shut down.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ShutdownReport {
    /// Channels that lived when it began.
    pub channels: u64,
    /// Channels that had not ended by the deadline and were cut.
    pub cut: u64,
}

type Told = Box<dyn FnOnce(ShutdownReport) + Send>;

/// A shutdown under way.
pub(super) struct Shutdown {
    channels: u64,
    told: Vec<Told>,
    timer: Option<TimerKey>,
    /// The deadline has passed.
    expired: bool,
    ended: bool,
}

impl LoopCore {
    /// Begins to shut the loop down. It ends when the last channel has ended and what it wrote was
    /// delivered, at once when there is none, and at `deadline` in any case. A second call can only shorten the time.
    pub fn shutdown(
        &mut self,
        deadline: Duration,
        told: impl FnOnce(ShutdownReport) + Send + 'static,
    ) {
        let at = self.state.env.now() + deadline;
        let timer = Some(self.state.timers.schedule(at, Timer::ShutdownDeadline));
        if let Some(shutdown) = &mut self.shutdown {
            match shutdown.ended {
                true => told(ShutdownReport { channels: shutdown.channels, cut: self.state.cut }),
                false => shutdown.told.push(Box::new(told)),
            }
            return;
        }
        self.state.shutting_down = true;
        // Who is accepted by the closing of the listeners hears of it as he comes.
        let keys = self.channel_keys();
        self.close_listeners();
        let channels = keys.len() as u64;
        let told: Vec<Told> = vec![Box::new(told)];
        self.shutdown = Some(Shutdown { channels, told, timer, expired: false, ended: false });
        for key in keys {
            self.tell_shutting_down(key);
        }
    }

    /// A channel hears that it is to end. What has come for it by now is read before: whoever sent it
    /// did so to a server that had not said goodbye.
    pub(super) fn tell_shutting_down(&mut self, key: ChannelKey) {
        self.turn_of(key, Work::Event(TransportEvent::Readable(key)));
        self.turn_of(key, Work::ShuttingDown);
    }

    pub(super) fn shutdown_deadline(&mut self) {
        for key in self.channel_keys() {
            self.turn_of(key, Work::Abort(CloseReason::ShutdownDeadline));
        }
        if let Some(shutdown) = &mut self.shutdown {
            shutdown.expired = true;
        }
    }

    pub(super) fn progress_shutdown(&mut self) {
        let Some(shutdown) = &mut self.shutdown else { return };
        if self.state.handle.channels() > 0 || shutdown.ended {
            return;
        }
        if !shutdown.expired && self.state.transports_mut().any(|it| it.is_delivering()) {
            return;
        }
        shutdown.ended = true;
        if let Some(timer) = shutdown.timer.take() {
            self.state.timers.cancel(timer);
        }
        let report = ShutdownReport { channels: shutdown.channels, cut: self.state.cut };
        for told in std::mem::take(&mut shutdown.told) {
            told(report);
        }
        self.state.handle.end();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.shutdown.as_ref().is_some_and(|shutdown| shutdown.ended)
    }
}

impl Drop for LoopCore {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl<D: Driver, C: Clock> EventLoop<D, C> {
    /// Whether the loop has been shut down and takes no more work.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.core.has_ended()
    }
}
