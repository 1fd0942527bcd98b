//! Streams of events that nothing happens on, and those that nobody reads.

use std::fmt;
use std::time::Duration;

use fyke_core::{CloseReason, DuplexContext, DuplexHandler, Event, EventFilter, Promise, Result};

use crate::http1::request::find;
use crate::http1::{NoMoreRequests, RequestPart, ResponseHead, ResponsePart};

/// Looks after responses of the type `text/event-stream`; everything else passes.
///
/// * A stream on which nothing was sent for a while gets a comment, so that nothing on the way takes
///   the connection for dead, and a client that is gone is noticed.
/// * A stream whose channel stays above its high-water mark for too long is closed: its client does not
///   read, and what producers are held back for never comes.
/// * A stream ends when the loop shuts down.
pub struct SseKeepAlive {
    interval: Duration,
    stalled_max: Duration,
    /// A stream is being sent.
    streaming: bool,
    /// Something was sent since the timer was set.
    sent: bool,
    /// For how long the channel has not been writable, as far as the timer has seen.
    stalled: Duration,
    timing: bool,
}

type Cx<'a> = DuplexContext<'a, SseKeepAlive>;

impl SseKeepAlive {
    /// A comment after each `interval` without an event; a stream that stands still for a minute is
    /// closed.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self {
            // A timer without a delay would never let go of the loop.
            interval: interval.max(Duration::from_millis(1)),
            stalled_max: Duration::from_secs(60),
            streaming: false,
            sent: false,
            stalled: Duration::ZERO,
            timing: false,
        }
    }

    /// Closes a stream that stands still for so long. A minute; it is looked at once each interval.
    #[must_use]
    pub fn stalled_max(mut self, time: Duration) -> Self {
        self.stalled_max = time;
        self
    }

    fn begin(&mut self, cx: &mut Cx<'_>, head: &ResponseHead) {
        self.streaming = is_event_stream(head);
        self.sent = true;
        self.stalled = Duration::ZERO;
        if self.streaming && !self.timing {
            self.timing = true;
            cx.schedule(self.interval, 0);
        }
    }
}

fn is_event_stream(head: &ResponseHead) -> bool {
    let found = head.lines().into_iter().find_map(|lines| find(lines, b"content-type"));
    found.is_some_and(|(value, _)| {
        value
            .split(|&b| b == b';')
            .next()
            .is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
    })
}

impl DuplexHandler for SseKeepAlive {
    type In = RequestPart;
    type Out = RequestPart;
    type WriteIn = ResponsePart;
    type WriteOut = ResponsePart;

    fn read(&mut self, cx: &mut Cx<'_>, part: RequestPart) -> Result<()> {
        cx.fire_read(part);
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_>, part: ResponsePart, promise: Promise) -> Result<()> {
        match &part {
            ResponsePart::Head(head) if !head.status().is_informational() => self.begin(cx, head),
            ResponsePart::Body(_) => self.sent = true,
            ResponsePart::End => self.streaming = false,
            _ => {}
        }
        cx.write_with(part, promise);
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<NoMoreRequests>()
    }

    /// A stream has no end of its own: this is it.
    fn event(&mut self, cx: &mut Cx<'_>, event: Event) -> Result<()> {
        if self.streaming && event.is::<NoMoreRequests>() {
            self.streaming = false;
            cx.write(ResponsePart::End);
            cx.close();
        }
        cx.pass_event(event);
        Ok(())
    }

    fn timer(&mut self, cx: &mut Cx<'_>, _tag: u64) -> Result<()> {
        self.timing = self.streaming;
        if !self.streaming {
            return Ok(());
        }
        if cx.is_writable() {
            self.stalled = Duration::ZERO;
            if !std::mem::take(&mut self.sent) {
                cx.write(ResponsePart::Body(":\n\n".into()));
            }
        } else {
            self.stalled += self.interval;
            if self.stalled >= self.stalled_max {
                tracing::info!("a stream of events is closed: its client does not read");
                cx.close_with(CloseReason::TimedOut);
                cx.abort();
                return Ok(());
            }
        }
        cx.schedule(self.interval, 0);
        Ok(())
    }
}

impl fmt::Debug for SseKeepAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseKeepAlive")
            .field("interval", &self.interval)
            .field("streaming", &self.streaming)
            .finish_non_exhaustive()
    }
}
