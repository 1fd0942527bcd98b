//! Lets bytes through as fast as the limits allow: pauses reading, delays writing.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_clock::{Instant, TimerKey};

use super::{RateLimit, ShapedRead, ShapedWrite};
use crate::error::{CloseReason, ErrorKind, Result};
use crate::handler::{DuplexContext, DuplexHandler};
use crate::outgoing::Outgoing;
use crate::promise::Promise;

/// Longer messages are let through in pieces of this size, so that channels that share a limit take
/// turns.
const PIECE_BYTES: u64 = 16 * 1024;

/// Limits of a [`TrafficShapingHandler`]. A clone shares them.
///
/// Limits of one channel are made for each channel anew; shared ones count what all channels do that
/// were given them: those of a tenant and those of the whole server can stand side by side.
#[derive(Clone, Debug)]
#[must_use]
pub struct TrafficShapingConfig {
    channel_read: Option<u64>,
    channel_write: Option<u64>,
    shared_read: Vec<Arc<RateLimit>>,
    shared_write: Vec<Arc<RateLimit>>,
    held_bytes_max: u64,
    counters: Option<Arc<TrafficCounters>>,
}

/// What went through all channels that share them.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct TrafficCounters {
    /// Bytes that came in.
    pub read_bytes: AtomicU64,
    /// Bytes that were let out.
    pub written_bytes: AtomicU64,
    /// How often reading was paused.
    pub pauses: AtomicU64,
    /// How often a message, or a piece of one, had to wait.
    pub delays: AtomicU64,
}

impl Default for TrafficShapingConfig {
    fn default() -> Self {
        Self {
            channel_read: None,
            channel_write: None,
            shared_read: Vec::new(),
            shared_write: Vec::new(),
            held_bytes_max: 64 * 1024 * 1024,
            counters: None,
        }
    }
}

impl TrafficShapingConfig {
    /// No limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Each channel reads so many bytes a second at most.
    pub fn channel_read(mut self, bytes_per_second: u64) -> Self {
        self.channel_read = Some(bytes_per_second);
        self
    }

    /// Each channel writes so many bytes a second at most.
    pub fn channel_write(mut self, bytes_per_second: u64) -> Self {
        self.channel_write = Some(bytes_per_second);
        self
    }

    /// All channels that share `limit` together read so much at most.
    pub fn shared_read(mut self, limit: &Arc<RateLimit>) -> Self {
        self.shared_read.push(Arc::clone(limit));
        self
    }

    /// All channels that share `limit` together write so much at most.
    pub fn shared_write(mut self, limit: &Arc<RateLimit>) -> Self {
        self.shared_write.push(Arc::clone(limit));
        self
    }

    /// A write that would make a channel hold more bytes of memory than this (64 MiB) fails and
    /// closes it. Far below, the water marks stop whoever heeds them.
    pub fn held_bytes_max(mut self, bytes: u64) -> Self {
        self.held_bytes_max = bytes;
        self
    }

    /// Counts what goes through.
    pub fn counters(mut self, counters: &Arc<TrafficCounters>) -> Self {
        self.counters = Some(Arc::clone(counters));
        self
    }

    fn count(&self, which: impl FnOnce(&TrafficCounters) -> &AtomicU64, n: u64) {
        if let Some(counters) = &self.counters {
            which(counters).fetch_add(n, Ordering::Relaxed);
        }
    }
}

/// Lets bytes through as fast as its limits allow. Netty's `ChannelTrafficShapingHandler` and
/// `GlobalTrafficShapingHandler` in one.
///
/// What comes in too fast is passed on, and then the channel reads nothing until that is paid, so
/// the peer is slowed down by its own flow control. What goes out too fast waits here, in order, and
/// counts towards the channel's water marks. Each wait is one timer of the length that is known in
/// advance. A close waits until what was written before has left.
///
/// It stands next to the transport, and shapes datagrams as well. It does not shape what an encoder
/// would write straight into the channel's buffer: behind it encoders make messages.
///
/// ```
/// use std::time::Duration;
///
/// use fyke_core::Outgoing;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::handlers::{TrafficShapingConfig, TrafficShapingHandler};
///
/// let config = TrafficShapingConfig::new().channel_write(100_000);
/// let mut channel = EmbeddedChannel::new(move |ch| {
///     ch.pipeline().duplex("shaping", TrafficShapingHandler::new(&config))
/// });
/// drop(channel.write_outbound(Outgoing::from(vec![0; 1_000_000]))?);
/// channel.advance(Duration::from_secs(5));
/// let sent = channel.read_outbound().readable();
/// assert!((500_000..530_000).contains(&sent), "{sent}");
/// # Ok::<(), fyke_core::LinkError>(())
/// ```
#[must_use = "put it into a pipeline"]
pub struct TrafficShapingHandler<R = ByteBuf, W = Outgoing> {
    config: TrafficShapingConfig,
    read: Option<RateLimit>,
    write: Option<RateLimit>,
    held: VecDeque<(W, Promise)>,
    /// Of these, bytes in memory.
    held_bytes: u64,
    /// When the first piece of what is held may leave, and how long it is.
    next: Option<(Instant, u64)>,
    timer: Option<TimerKey>,
    then: Then,
    types: PhantomData<fn(R)>,
}

/// What is to be done when all that is held has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    Nothing,
    Close,
    Shutdown,
}

type Cx<'a, R, W> = DuplexContext<'a, TrafficShapingHandler<R, W>>;

impl<R: ShapedRead, W: ShapedWrite> TrafficShapingHandler<R, W> {
    /// With these limits.
    pub fn new(config: &TrafficShapingConfig) -> Self {
        Self {
            read: config.channel_read.map(RateLimit::new),
            write: config.channel_write.map(RateLimit::new),
            config: config.clone(),
            held: VecDeque::new(),
            held_bytes: 0,
            next: None,
            timer: None,
            then: Then::Nothing,
            types: PhantomData,
        }
    }

    /// Lets out what may leave, and comes back for the rest.
    fn let_out(&mut self, cx: &mut Cx<'_, R, W>) {
        let now = cx.env().now();
        while let Some((message, _)) = self.held.front() {
            let whole = message.bytes();
            let piece = if message.can_be_cut() { whole.min(PIECE_BYTES) } else { whole };
            let (at, piece) = *self.next.get_or_insert_with(|| {
                let limits = self.config.shared_write.iter().map(|limit| &**limit);
                let waits = limits.chain(&self.write).map(|limit| limit.take(now, piece));
                (now + waits.max().unwrap_or_default(), piece)
            });
            if at > now {
                if self.timer.is_none() {
                    self.config.count(|counters| &counters.delays, 1);
                    self.timer = Some(cx.schedule(at.saturating_duration_since(now), 0));
                }
                return;
            }
            self.next = None;
            self.let_piece_out(cx, piece);
        }
        match std::mem::replace(&mut self.then, Then::Nothing) {
            Then::Nothing => {}
            Then::Close => cx.close(),
            Then::Shutdown => cx.shutdown(),
        }
    }

    fn let_piece_out(&mut self, cx: &mut Cx<'_, R, W>, piece: u64) {
        let Some((message, promise)) = self.held.front_mut() else { return };
        let (mut promise, before) = (std::mem::replace(promise, Promise::NONE), message.bytes());
        let front = if piece < before { message.cut(piece) } else { None };
        let out = match front {
            Some(front) => {
                // The promise is kept with the last piece.
                if let Some((_, left)) = self.held.front_mut() {
                    *left = std::mem::replace(&mut promise, Promise::NONE);
                }
                front
            }
            None => match self.held.pop_front() {
                Some((message, _)) => message,
                None => return,
            },
        };
        let bytes = out.bytes_in_memory();
        self.held_bytes -= bytes;
        cx.account(-(bytes as i64));
        self.config.count(|counters| &counters.written_bytes, out.bytes());
        cx.write_with(out, promise);
    }

    fn let_go(&mut self) {
        self.held_bytes = 0;
        self.next = None;
        for (_, promise) in self.held.drain(..) {
            promise.fail(ErrorKind::Closed.into());
        }
    }
}

impl<R: ShapedRead, W: ShapedWrite> DuplexHandler for TrafficShapingHandler<R, W> {
    type In = R;
    type Out = R;
    type WriteIn = W;
    type WriteOut = W;

    fn read(&mut self, cx: &mut Cx<'_, R, W>, message: R) -> Result<()> {
        let (now, bytes) = (cx.env().now(), message.bytes());
        self.config.count(|counters| &counters.read_bytes, bytes);
        cx.fire_read(message);
        let limits = self.config.shared_read.iter().map(|limit| &**limit).chain(&self.read);
        let debts = limits.map(|limit| {
            limit.take(now, bytes);
            limit.debt(now)
        });
        let debt: Duration = debts.max().unwrap_or_default();
        if !debt.is_zero() {
            self.config.count(|counters| &counters.pauses, 1);
            cx.pause_reading(debt);
        }
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_, R, W>, message: W, promise: Promise) -> Result<()> {
        if self.then != Then::Nothing {
            promise.fail(ErrorKind::Closed.into());
            return Ok(());
        }
        let bytes = message.bytes_in_memory();
        let limit = self.config.held_bytes_max;
        if self.held_bytes > 0 && self.held_bytes.saturating_add(bytes) > limit {
            let (pending, limit) = (self.held_bytes as usize, limit as usize);
            promise.fail(ErrorKind::OutboundFull { pending, limit }.into());
            // What follows would have a hole in front of it.
            self.let_go();
            cx.close_with(CloseReason::Limit);
            cx.abort();
            return Ok(());
        }
        self.held_bytes += bytes;
        cx.account(bytes as i64);
        self.held.push_back((message, promise));
        self.let_out(cx);
        Ok(())
    }

    fn timer(&mut self, cx: &mut Cx<'_, R, W>, _: u64) -> Result<()> {
        self.timer = None;
        self.let_out(cx);
        Ok(())
    }

    fn close(&mut self, cx: &mut Cx<'_, R, W>) -> Result<()> {
        self.then = Then::Close;
        self.let_out(cx);
        Ok(())
    }

    fn shutdown(&mut self, cx: &mut Cx<'_, R, W>) -> Result<()> {
        if self.then == Then::Nothing {
            self.then = Then::Shutdown;
        }
        self.let_out(cx);
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Cx<'_, R, W>) -> Result<()> {
        self.let_go();
        cx.fire_inactive();
        Ok(())
    }
}

impl<R, W> fmt::Debug for TrafficShapingHandler<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrafficShapingHandler")
            .field("config", &self.config)
            .field("held_bytes", &self.held_bytes)
            .finish_non_exhaustive()
    }
}
