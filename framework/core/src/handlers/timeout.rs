//! Closes channels whose peer sends nothing, or takes nothing. Netty's `ReadTimeoutHandler` and
//! `WriteTimeoutHandler`.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::silence::Watch;
use crate::error::{CloseReason, ErrorKind, Result};
use crate::handler::{Context, InboundHandler, OutboundContext, OutboundHandler};
use crate::pipeline::Ctx;
use crate::promise::Promise;

/// A shorter time is taken for this one.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);

/// How often a time-out has closed a channel: one counter for all channels that are given it.
pub type TimeoutCounter = Arc<AtomicU64>;

/// Closes the channel when no message has come for so long: an error that
/// [is a time-out](crate::Error::is_timeout) goes to the handlers behind, and the channel closes
/// for [`CloseReason::TimedOut`], after what was written has been sent.
///
/// Put behind a decoder it is what stops a peer that sends a byte now and then: only whole messages
/// count. While the channel does not read (see [`Ctx::is_reading`]), the time stands still.
///
/// ```
/// use std::time::Duration;
///
/// use fyke_core::CloseReason;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::handlers::ReadTimeoutHandler;
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     ch.pipeline().inbound("timeout", ReadTimeoutHandler::new(Duration::from_secs(30)))
/// });
/// channel.advance(Duration::from_secs(29));
/// channel.write_inbound(b"x");
/// channel.advance(Duration::from_secs(29));
/// assert!(channel.is_open());
/// channel.advance(Duration::from_secs(1));
/// assert!(!channel.is_open());
/// # channel.advance(Duration::from_secs(10));
/// assert_eq!(channel.close_reason(), Some(CloseReason::TimedOut));
/// ```
#[must_use = "put it into a pipeline"]
pub struct ReadTimeoutHandler<R, W> {
    time: Duration,
    watch: Watch,
    counter: Option<TimeoutCounter>,
    types: PhantomData<fn(R) -> W>,
}

impl<R, W> ReadTimeoutHandler<R, W> {
    /// A peer may be silent for less than `time`.
    pub fn new(time: Duration) -> Self {
        Self { time: time.max(TIMEOUT_MIN), watch: Watch::new(), counter: None, types: PhantomData }
    }

    /// Counts the channels that were closed.
    pub fn counter(mut self, counter: TimeoutCounter) -> Self {
        self.counter = Some(counter);
        self
    }
}

impl<R: 'static, W: 'static> ReadTimeoutHandler<R, W> {
    fn start(&mut self, cx: &mut Context<'_, Self>) {
        if self.watch.begin(cx) {
            self.look(cx);
        }
    }

    fn look(&mut self, cx: &mut Context<'_, Self>) {
        let due = self.watch.heard(cx) + self.time;
        if due > cx.env().now() {
            self.watch.look_at(cx, due);
            return;
        }
        count(self.counter.as_ref());
        cx.fire_error(ErrorKind::TimedOut("reading from the peer").into());
        cx.close_with(CloseReason::TimedOut);
    }
}

impl<R: 'static, W: 'static> InboundHandler for ReadTimeoutHandler<R, W> {
    type In = R;
    type Out = R;
    type Write = W;

    fn added(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        if cx.is_active() {
            self.start(cx);
        }
        Ok(())
    }

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.start(cx);
        cx.fire_active();
        Ok(())
    }

    #[inline]
    fn read(&mut self, cx: &mut Context<'_, Self>, msg: R) -> Result<()> {
        self.watch.read(cx);
        cx.fire_read(msg);
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, _: u64) -> Result<()> {
        if self.watch.rang(cx) {
            self.look(cx);
        }
        Ok(())
    }
}

/// Closes the channel when a write is stuck: bytes wait, and for so long not one of them has moved
/// on. A slow write never times out, however long it takes.
///
/// Moved on means taken by the transport, or, where the transport knows (see
/// [`Transport::reports_acks`]), acknowledged by the peer. An error that
/// [is a time-out](crate::Error::is_timeout) goes to the handlers behind, and the channel ends at
/// once for [`CloseReason::TimedOut`]: a peer that takes nothing would not take the rest either.
///
/// ```
/// use std::time::Duration;
///
/// use fyke_core::Outgoing;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::handlers::WriteTimeoutHandler;
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     ch.pipeline().outbound("timeout", WriteTimeoutHandler::new(Duration::from_secs(30)))
/// });
/// channel.set_room(Some(1));
/// channel.write_outbound(Outgoing::from("hello"))?;
/// channel.advance(Duration::from_secs(29));
/// channel.set_room(Some(1)); // slow
/// channel.advance(Duration::from_secs(29));
/// assert!(channel.is_open());
/// channel.advance(Duration::from_secs(1)); // stuck
/// assert!(!channel.is_open());
/// # Ok::<(), fyke_core::LinkError>(())
/// ```
///
/// [`Transport::reports_acks`]: crate::transport::Transport::reports_acks
#[must_use = "put it into a pipeline"]
pub struct WriteTimeoutHandler<W> {
    time: Duration,
    counter: Option<TimeoutCounter>,
    types: PhantomData<fn(W)>,
}

impl<W> WriteTimeoutHandler<W> {
    /// A write may stand still for less than `time`.
    pub fn new(time: Duration) -> Self {
        Self { time: time.max(TIMEOUT_MIN), counter: None, types: PhantomData }
    }

    /// Counts the channels that were closed.
    pub fn counter(mut self, counter: TimeoutCounter) -> Self {
        self.counter = Some(counter);
        self
    }
}

impl<W: 'static> OutboundHandler for WriteTimeoutHandler<W> {
    type In = W;
    type Out = W;

    fn added(&mut self, cx: &mut OutboundContext<'_, Self>) -> Result<()> {
        cx.schedule(self.time, 0);
        Ok(())
    }

    #[inline]
    fn write(
        &mut self,
        cx: &mut OutboundContext<'_, Self>,
        msg: W,
        promise: Promise,
    ) -> Result<()> {
        cx.write_with(msg, promise);
        Ok(())
    }

    fn timer(&mut self, cx: &mut OutboundContext<'_, Self>, _: u64) -> Result<()> {
        let now = cx.env().now();
        // What begins to wait later than now is not stuck before this time has passed again.
        let due = cx.write_progress().waiting_since.unwrap_or(now) + self.time;
        if due > now || !cx.is_active() {
            let rest = due.saturating_duration_since(now);
            cx.schedule(if rest.is_zero() { self.time } else { rest }, 0);
            return Ok(());
        }
        count(self.counter.as_ref());
        end(cx, "writing to the peer");
        Ok(())
    }
}

/// Ends a channel whose peer is gone.
pub(super) fn end<O, W>(cx: &mut Ctx<'_, O, W>, what: &'static str) {
    cx.fire_error(ErrorKind::TimedOut(what).into());
    cx.close_with(CloseReason::TimedOut);
    cx.abort();
}

fn count(counter: Option<&TimeoutCounter>) {
    if let Some(counter) = counter {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl<R, W> fmt::Debug for ReadTimeoutHandler<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadTimeoutHandler").field("time", &self.time).finish_non_exhaustive()
    }
}

impl<W> fmt::Debug for WriteTimeoutHandler<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTimeoutHandler").field("time", &self.time).finish_non_exhaustive()
    }
}
