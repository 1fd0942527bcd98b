//! Since when a peer has been silent, and the one timer of a handler that looks at it.

use fyke_clock::{Instant, TimerKey};

use crate::pipeline::Ctx;

/// What a handler that watches a channel keeps: when it began, when a message last came, and its
/// timer. A message costs no timer; whoever is called by the one that there is looks, and asks for
/// the next call.
#[derive(Debug)]
pub(super) struct Watch {
    begun: Instant,
    last_read: Instant,
    timer: Option<TimerKey>,
}

impl Watch {
    pub(super) const fn new() -> Self {
        Self { begun: Instant::ZERO, last_read: Instant::ZERO, timer: None }
    }

    /// The channel is there: time begins. Whether it is to be looked at, as no timer is set.
    pub(super) fn begin<O, W>(&mut self, cx: &mut Ctx<'_, O, W>) -> bool {
        self.begun = cx.env().now();
        self.timer.is_none()
    }

    /// A message has come.
    #[inline]
    pub(super) fn read<O, W>(&mut self, cx: &mut Ctx<'_, O, W>) {
        self.last_read = cx.env().now();
    }

    /// Calls the handler's timer at `at`, and not at the time that was said before.
    pub(super) fn look_at<O, W>(&mut self, cx: &mut Ctx<'_, O, W>, at: Instant) {
        let delay = at.saturating_duration_since(cx.env().now());
        if !self.timer.is_some_and(|timer| cx.reschedule(timer, delay)) {
            self.timer = Some(cx.schedule(delay, 0));
        }
    }

    /// That timer has rung. Whether there is a channel to look at.
    pub(super) fn rang<O, W>(&mut self, cx: &mut Ctx<'_, O, W>) -> bool {
        self.timer = None;
        cx.is_active()
    }

    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// When a message last came, if one has.
    pub(super) fn last_read(&self) -> Instant {
        self.last_read
    }

    /// When the peer was last heard, or could first have been: while the channel does not read, now.
    pub(super) fn heard<O, W>(&self, cx: &mut Ctx<'_, O, W>) -> Instant {
        self.or_reading_since(cx, self.last_read)
    }

    /// The same when not only whole messages count.
    pub(super) fn heard_bytes<O, W>(&self, cx: &mut Ctx<'_, O, W>) -> Instant {
        let read = self.last_read.max(cx.received_at().unwrap_or(self.begun));
        self.or_reading_since(cx, read)
    }

    fn or_reading_since<O, W>(&self, cx: &mut Ctx<'_, O, W>, last_read: Instant) -> Instant {
        let heard = match cx.reading_since() {
            Some(since) => last_read.max(since),
            None => cx.env().now(),
        };
        heard.max(self.begun)
    }

    /// When the transport last took something.
    pub(super) fn sent<O, W>(&self, cx: &Ctx<'_, O, W>) -> Instant {
        cx.write_progress().taken_at.map_or(self.begun, |at| at.max(self.begun))
    }
}
