//! When to ask, and when to give up.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fyke_clock::Instant;

use super::config::HeartbeatIdle;
use super::late::{Answers, Learning};
use super::{AdaptiveInterval, Beat, HeartbeatCodec, HeartbeatConfig};
use crate::error::{Error, Result};
use crate::handler::{Context, InboundHandler};
use crate::handlers::silence::Watch;
use crate::handlers::timeout::end;

/// Keeps a connection alive, and finds out when its peer is gone.
///
/// After an interval of silence it sends a ping. Whatever the peer sends is an answer. When nothing
/// comes in time it asks again, and when so many answers were missed it ends the channel at once:
/// handlers behind are told by an error that [is a time-out](crate::Error::is_timeout), and the
/// reason is [`CloseReason::TimedOut`](crate::CloseReason::TimedOut). So a peer that falls silent is
/// found out within `(misses + 1) x interval`.
///
/// Silence is only what is heard: while the channel does not read (above its water marks, say),
/// while the ping still waits to be sent, and while the peer acknowledges what is on its way, no
/// answer is missed. A peer that takes nothing at all any more is
/// [`WriteTimeoutHandler`](super::super::WriteTimeoutHandler)'s.
///
/// Over datagrams an adaptive interval is learned from answers that the peer gives late (see
/// [`DatagramHeartbeat`](super::DatagramHeartbeat)); when one is missing, the peer is asked once
/// more, and found out one time-out later.
///
/// What a ping is the [`HeartbeatCodec`] says; see [`PayloadHeartbeat`](super::PayloadHeartbeat) and
/// [`DatagramHeartbeat`](super::DatagramHeartbeat). The handler stands behind the protocol's codec
/// and costs a message no timer and no allocation.
///
/// ```
/// use std::time::Duration;
///
/// use fyke_core::CloseReason;
/// use fyke_core::embedded::MessageChannel;
/// use fyke_core::handlers::{HeartbeatConfig, HeartbeatHandler, PayloadHeartbeat};
/// use fyke_buffer::ByteBuf;
///
/// let config = HeartbeatConfig::new(Duration::from_secs(30)).misses(2).jitter_percent(0);
/// let mut channel = MessageChannel::<ByteBuf, ByteBuf>::new(move |frames| {
///     let codec = PayloadHeartbeat::new("ping", "pong");
///     frames.inbound("heartbeat", HeartbeatHandler::new(codec, &config))
/// });
/// channel.advance(Duration::from_secs(30));
/// assert_eq!(channel.written().as_deref(), Some(&b"ping"[..]));
/// channel.feed("pong".into());
/// channel.advance(Duration::from_secs(30));
/// assert_eq!(channel.written().as_deref(), Some(&b"ping"[..]));
/// channel.advance(Duration::from_secs(60)); // and no answer
/// assert_eq!(channel.close_reason(), Some(CloseReason::TimedOut));
/// ```
#[must_use = "put it into a pipeline"]
pub struct HeartbeatHandler<C: HeartbeatCodec> {
    pub(super) codec: C,
    pub(super) config: HeartbeatConfig,
    pub(super) watch: Watch,
    /// The present interval, made shorter by chance.
    pub(super) interval: Duration,
    pub(super) learning: Option<Box<Learning>>,
    asked: Option<Asked>,
    pub(super) number: u64,
    /// An answer that waits until the peer reads.
    owed: Option<C::Write>,
    seen_as: Option<u64>,
    /// Those that peers want later.
    pub(super) answers: Option<Box<Answers<C::Write>>>,
}

/// A ping that has not been answered.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    /// When so many bytes have gone, so has the ping.
    bytes_before: u64,
    /// It had to wait until it was sent.
    waited: bool,
    misses: u32,
    /// How long nothing had passed in either direction when it was asked first.
    gap: Duration,
    /// It was asked as a late answer did not come.
    late_missing: bool,
}

impl<C: HeartbeatCodec> HeartbeatHandler<C> {
    /// Heartbeats in the protocol of `codec`.
    pub fn new(codec: C, config: &HeartbeatConfig) -> Self {
        Self {
            codec,
            config: config.clone(),
            watch: Watch::new(),
            interval: Duration::ZERO,
            learning: None,
            asked: None,
            number: 0,
            owed: None,
            seen_as: None,
            answers: None,
        }
    }

    fn start(&mut self, cx: &mut Context<'_, Self>) {
        if !self.watch.begin(cx) {
            return;
        }
        if let Some(adaptive) = &self.config.options().adaptive {
            let learned = adaptive.memory.get(&adaptive.network);
            let interval = AdaptiveInterval::new(adaptive.config, learned);
            self.learning = Some(Box::new(Learning::new(interval)));
        }
        self.new_interval(cx);
        self.look(cx);
    }

    pub(super) fn new_interval(&mut self, cx: &mut Context<'_, Self>) {
        let options = self.config.options();
        let learned = self.learning.as_ref().map(|learning| learning.interval.interval());
        let Some(interval) = learned.or(options.interval) else { return };
        self.interval = options.jittered(interval, cx.env().rng().f64());
    }

    /// Asks, misses an answer, or comes back when one of it can be due.
    fn look(&mut self, cx: &mut Context<'_, Self>) {
        if self.interval.is_zero() {
            return;
        }
        let now = cx.env().now();
        let mut due = self.due(cx, now);
        if due <= now {
            let last_passed = self.last_passed(cx);
            let (mut gap, mut misses) = (now.saturating_duration_since(last_passed), 0);
            let mut late_missing = false;
            if let Some(asked) = self.asked {
                self.config.options().count(|counters| &counters.missed);
                (gap, misses, late_missing) = (asked.gap, asked.misses + 1, asked.late_missing);
                if misses >= self.config.options().misses {
                    return self.give_up(cx, gap);
                }
            } else if let Some(silent) = self.late_is_missing(last_passed) {
                (gap, late_missing) = (silent, true);
            }
            self.ask(cx, gap, misses, late_missing);
            due = now + self.answer_timeout();
        }
        self.watch.look_at(cx, due);
    }

    fn due(&mut self, cx: &mut Context<'_, Self>, now: Instant) -> Instant {
        if let (Some(asked), Some(received_at)) = (self.asked, cx.received_at())
            && received_at > asked.at
        {
            // What came need not be a whole message yet: a large one may take its time.
            self.heard(cx, Beat::Data);
        }
        match self.asked {
            Some(asked) => self.answer_due(cx, now, asked),
            None => self.ping_due(cx, now),
        }
    }

    pub(super) fn ping_due(&mut self, cx: &mut Context<'_, Self>, now: Instant) -> Instant {
        if let Some(due) = self.late_due(cx) {
            return due;
        }
        if cx.pending_bytes() > 0 {
            // There is something to send already.
            return now + self.interval;
        }
        let (sent, read) = (self.watch.sent(cx), self.watch.heard_bytes(cx));
        let active = match self.config.options().idle {
            HeartbeatIdle::Either => sent.min(read),
            HeartbeatIdle::Writer => sent,
            HeartbeatIdle::Reader => read,
        };
        active + self.interval
    }

    fn answer_due(&mut self, cx: &mut Context<'_, Self>, now: Instant, asked: Asked) -> Instant {
        let (progress, timeout) = (cx.write_progress(), self.answer_timeout());
        let Some(reading_since) = cx.reading_since() else { return now + timeout };
        let waits = |gone: u64, all_gone: bool| gone <= asked.bytes_before && !all_gone;
        if waits(progress.taken_bytes, cx.pending_bytes() == 0) {
            self.asked = Some(Asked { waited: true, ..asked });
            return now + timeout;
        }
        let mut since = asked.at;
        if asked.waited {
            since = progress.taken_at.unwrap_or(now).max(since);
            self.asked = Some(Asked { waited: false, at: since, ..asked });
        }
        if let Some(acked) = progress.acked_bytes
            && waits(acked, acked >= progress.taken_bytes)
        {
            since = progress.moved_at.unwrap_or(since).max(since);
        }
        since.max(reading_since) + timeout
    }

    pub(super) fn answer_timeout(&self) -> Duration {
        self.config.options().answer_timeout(self.interval)
    }

    /// When something last passed, in either direction.
    fn last_passed(&self, cx: &Context<'_, Self>) -> Instant {
        let received = cx.received_at().unwrap_or(self.watch.begun());
        self.watch.sent(cx).max(received).max(self.watch.last_read())
    }

    fn ask(&mut self, cx: &mut Context<'_, Self>, gap: Duration, misses: u32, late_missing: bool) {
        let at = cx.env().now();
        let bytes_before = cx.write_progress().taken_bytes + cx.pending_bytes();
        self.asked = Some(Asked { at, bytes_before, waited: false, misses, gap, late_missing });
        self.number += 1;
        self.config.options().count(|counters| &counters.pings);
        cx.write(self.codec.ping(self.number));
    }

    /// The peer has sent something.
    fn heard(&mut self, cx: &mut Context<'_, Self>, beat: Beat) {
        let Some(asked) = self.asked.take() else {
            self.saw(beat);
            return;
        };
        self.config.options().count(|counters| &counters.answered);
        // Of several pings nobody knows which one was answered (Karn's rule), and data need not be
        // an answer at all.
        if asked.misses == 0 && matches!(beat, Beat::Pong | Beat::PongSeenAs(_)) {
            let rtt = self.watch.last_read().saturating_duration_since(asked.at);
            if let Some(counters) = &self.config.options().counters {
                counters.last_rtt_micros.store(rtt.as_micros() as u64, Ordering::Relaxed);
            }
            let same = self.saw(beat);
            if asked.late_missing {
                self.missed_late(asked.gap);
            } else if same == Some(false) || !self.learns_late() {
                self.learn(same.unwrap_or(true), asked.gap);
            }
        }
        self.new_interval(cx);
        self.ask_late(cx);
    }

    /// Whether the peer sees us where it saw us before; `None` when that is not known. Before the
    /// first time there may have been no mapping that could survive.
    pub(super) fn saw(&mut self, beat: Beat) -> Option<bool> {
        let Beat::PongSeenAs(seen_as) = beat else { return None };
        self.seen_as.replace(seen_as).map(|before| before == seen_as)
    }

    /// A mapping has survived a silence, or has not.
    pub(super) fn learn(&mut self, survived: bool, gap: Duration) {
        let options = self.config.options();
        let (Some(learning), Some(adaptive)) = (&mut self.learning, &options.adaptive) else {
            return;
        };
        if survived {
            learning.interval.survived(gap);
        } else {
            options.count(|counters| &counters.lost_mappings);
            learning.interval.lost(gap);
        }
        adaptive.memory.set(&adaptive.network, learning.interval.learned());
    }

    fn give_up(&mut self, cx: &mut Context<'_, Self>, gap: Duration) {
        self.asked = None;
        self.config.options().count(|counters| &counters.silent_peers);
        if !self.learns_late() {
            self.learn(false, gap);
        }
        let heard = cx.received_at().unwrap_or(self.watch.begun()).max(self.watch.last_read());
        let silent = cx.env().now().saturating_duration_since(heard.max(self.watch.begun()));
        tracing::info!(?silent, "the peer does not answer heartbeats: closing");
        end(cx, "the answer to a heartbeat");
    }

    pub(super) fn on_ping(&mut self, cx: &mut Context<'_, Self>, ping: C::Read) {
        let Some(pong) = self.codec.pong(ping) else { return };
        if cx.is_writable() {
            self.config.options().count(|counters| &counters.pongs);
            cx.write(pong);
        } else {
            // One answer for all pings of a peer that does not read.
            self.owed = Some(pong);
        }
    }
}

impl<C: HeartbeatCodec> InboundHandler for HeartbeatHandler<C> {
    type In = C::Read;
    type Out = C::Read;
    type Write = C::Write;

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
    fn read(&mut self, cx: &mut Context<'_, Self>, msg: C::Read) -> Result<()> {
        let before = self.watch.last_read();
        self.watch.read(cx);
        let beat = self.codec.beat(&msg);
        if self.awaits_late() && matches!(beat, Beat::Pong | Beat::PongSeenAs(_)) {
            let last_passed = before.max(self.watch.sent(cx));
            self.heard_late(cx, beat, last_passed);
        } else if self.asked.is_some() || beat != Beat::Data {
            self.heard(cx, beat);
        }
        match beat {
            Beat::Data => cx.fire_read(msg),
            Beat::Ping => self.on_ping(cx, msg),
            Beat::PingLater(after) => self.on_late_ping(cx, msg, after),
            Beat::Pong | Beat::PongSeenAs(_) => {}
        }
        Ok(())
    }

    fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        if cx.is_writable()
            && let Some(pong) = self.owed.take()
        {
            self.config.options().count(|counters| &counters.pongs);
            cx.write(pong);
        }
        cx.fire_writability_changed();
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, tag: u64) -> Result<()> {
        if tag > 0 {
            self.answer_late(cx, tag);
        } else if self.watch.rang(cx) {
            self.look(cx);
        }
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        // Whoever stands where the mapping led answers what it does not know with a reset.
        if (error.is_reset() || error.is_timeout())
            && !self.learns_late()
            && let Some(asked) = self.asked.take()
        {
            self.learn(false, asked.gap);
        }
        cx.fire_error(error);
        Ok(())
    }
}

impl<C: HeartbeatCodec> fmt::Debug for HeartbeatHandler<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeartbeatHandler")
            .field("config", &self.config)
            .field("interval", &self.interval)
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}
