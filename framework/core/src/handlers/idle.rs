//! Tells when nothing has come or gone for a while. Netty's `IdleStateHandler`.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use fyke_clock::Instant;

use super::silence::Watch;
use crate::error::Result;
use crate::handler::{Context, InboundHandler};

/// A shorter time is taken for this one, so that no channel fires without end.
const IDLE_TIME_MIN: Duration = Duration::from_millis(1);

/// What was idle.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IdleState {
    /// Nothing has been read.
    Reader,
    /// Nothing has been sent.
    Writer,
    /// Neither.
    All,
}

/// The user event of an [`IdleStateHandler`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdleStateEvent {
    /// What was idle.
    pub state: IdleState,
    /// Whether it is the first one since something was read, sent, or either.
    pub first: bool,
}

/// Fires an [`IdleStateEvent`] when nothing was read, nothing was sent, or neither, for so long, and
/// again each time that long passes. A time that is not set, or is zero, is not watched.
///
/// * *Read* is a message that reaches this handler: behind a decoder, bytes that make no whole
///   message do not count. While the channel does not read (see [`Ctx::is_reading`]) nobody is
///   called silent; the time begins when it reads on.
/// * *Sent* is a byte that the transport has taken, whoever wrote it. A long message that leaves
///   slowly is no idleness, nor is it activity that one waits to be taken; [`WriteTimeoutHandler`]
///   is for those.
///
/// The events come exactly at their time (to the tick of the loop's clock). A message costs no
/// timer: one timer a channel is armed for the earliest time at which something can be idle, and
/// looks then whether it is.
///
/// ```
/// use std::time::Duration;
///
/// use fyke_buffer::ByteBuf;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::handlers::{IdleStateEvent, IdleStateHandler};
/// use fyke_core::{Context, Event, EventFilter, InboundHandler, Never, Outgoing, Result};
///
/// /// Asks a silent peer whether it is there.
/// struct Ask;
/// impl InboundHandler for Ask {
///     type In = ByteBuf;
///     type Out = Never;
///     type Write = Outgoing;
///     fn read(&mut self, _: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
///         Ok(())
///     }
///     fn events(&self) -> EventFilter {
///         EventFilter::of::<IdleStateEvent>()
///     }
///     fn event(&mut self, cx: &mut Context<'_, Self>, event: Event) -> Result<()> {
///         match event.get::<IdleStateEvent>() {
///             Some(idle) if idle.first => cx.write("are you there?".into()),
///             _ => cx.close(),
///         }
///         Ok(())
///     }
/// }
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     let idle = IdleStateHandler::new().reader(Duration::from_secs(30));
///     ch.pipeline().inbound("idle", idle).inbound("ask", Ask)
/// });
/// channel.advance(Duration::from_secs(30));
/// assert_eq!(channel.read_outbound(), b"are you there?");
/// channel.advance(Duration::from_secs(30));
/// assert!(!channel.is_open());
/// ```
///
/// [`Ctx::is_reading`]: crate::Ctx::is_reading
/// [`WriteTimeoutHandler`]: super::WriteTimeoutHandler
#[must_use = "put it into a pipeline"]
pub struct IdleStateHandler<R, W> {
    watched: [Watched; 3],
    watch: Watch,
    types: PhantomData<fn(R) -> W>,
}

/// One of the three times.
#[derive(Clone, Copy, Debug)]
struct Watched {
    state: IdleState,
    time: Duration,
    /// When its last event was fired.
    fired_at: Option<Instant>,
}

impl<R, W> IdleStateHandler<R, W> {
    /// Watches nothing yet.
    pub fn new() -> Self {
        let watched = [IdleState::Reader, IdleState::Writer, IdleState::All].map(|state| Watched {
            state,
            time: Duration::ZERO,
            fired_at: None,
        });
        Self { watched, watch: Watch::new(), types: PhantomData }
    }

    /// Tells when nothing was read for so long.
    pub fn reader(self, time: Duration) -> Self {
        self.watch(IdleState::Reader, time)
    }

    /// Tells when nothing was sent for so long.
    pub fn writer(self, time: Duration) -> Self {
        self.watch(IdleState::Writer, time)
    }

    /// Tells when nothing was read and nothing was sent for so long.
    pub fn all(self, time: Duration) -> Self {
        self.watch(IdleState::All, time)
    }

    fn watch(mut self, state: IdleState, time: Duration) -> Self {
        self.watched[state as usize].time =
            if time.is_zero() { time } else { time.max(IDLE_TIME_MIN) };
        self
    }
}

impl<R, W> Default for IdleStateHandler<R, W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: 'static, W: 'static> IdleStateHandler<R, W> {
    fn start(&mut self, cx: &mut Context<'_, Self>) {
        if self.watch.begin(cx) {
            self.look(cx);
        }
    }

    /// Fires what is due, and comes back when the next one can be.
    fn look(&mut self, cx: &mut Context<'_, Self>) {
        let now = cx.env().now();
        let (read, sent) = (self.watch.heard(cx), self.watch.sent(cx));
        let mut next = None;
        for watched in self.watched.iter_mut().filter(|watched| !watched.time.is_zero()) {
            let active = match watched.state {
                IdleState::Reader => read,
                IdleState::Writer => sent,
                IdleState::All => read.max(sent),
            };
            let due = active.max(watched.fired_at.unwrap_or(Instant::ZERO)) + watched.time;
            let due = if due > now {
                due
            } else {
                // What happened at the very time of the last event came behind it.
                let first = watched.fired_at.is_none_or(|fired| active >= fired);
                watched.fired_at = Some(now);
                cx.fire_event(IdleStateEvent { state: watched.state, first });
                now + watched.time
            };
            next = Some(next.map_or(due, |next: Instant| next.min(due)));
        }
        if let Some(next) = next {
            self.watch.look_at(cx, next);
        }
    }
}

impl<R: 'static, W: 'static> InboundHandler for IdleStateHandler<R, W> {
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

impl<R, W> fmt::Debug for IdleStateHandler<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdleStateHandler").field("watched", &self.watched).finish_non_exhaustive()
    }
}
