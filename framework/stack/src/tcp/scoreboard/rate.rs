//! Delivery rate samples (draft-ietf-ccwg-bbr, section 4.1): how fast the network took what was sent,
//! told by each ACK that delivers something.
//!
//! ```text
//!   sent      |---- a flight leaves ----|          send interval
//!   acked                |---- and its ACKs come ----|   ack interval
//! ```
//! A sample is what was delivered between the ACK before something left and its own ACK, over the
//! longer of the two intervals: neither a burst out nor a burst of ACKs makes the path look faster
//! than it is. What has to be remembered for it is the same for all that left at one moment, so it is
//! kept by moment and not by range: entries stay as small as they are, and a connection that asks for
//! no samples has nothing of this.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::time::Duration;

use fyke_clock::Instant;

use super::entries::{Entry, State};
use super::{Ack, Acked, Detection, Scoreboard};
use crate::tcp::SeqNum;

/// Losses above this share of what was in flight are more than chance, in percent (LossThresh of
/// the draft, section 2.7).
pub const LOSS_PERCENT_MAX: u64 = 2;

/// Whether so much lost of what was in flight is too much. One segment is not counted: whoever looks
/// when something was lost finds that in any case, and what says something of the rate are the others.
/// (The draft counts it; then a path that loses 1 % by chance is not filled by a window of some dozen
/// segments, because each probe ends with its first loss.)
pub(crate) fn is_excess(lost: u64, in_flight: u32, mss: u32) -> bool {
    lost.saturating_sub(u64::from(mss)) * 100 > u64::from(in_flight) * LOSS_PERCENT_MAX
}

/// What one ACK says of the delivery rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateSample {
    /// Bytes in a second, 0 when the interval was too short to be believed.
    pub rate: u64,
    /// Bytes delivered over the interval (RS.delivered).
    pub delivered: u64,
    /// The interval.
    pub interval: Duration,
    /// What had been delivered in all when the newest segment that this ACK acknowledges left.
    pub prior_delivered: u64,
    /// What has been delivered in all (C.delivered).
    pub delivered_total: u64,
    /// Bytes that this ACK newly delivered.
    pub newly_acked: u32,
    /// Bytes in flight when that segment had left (RS.tx_in_flight).
    pub in_flight: u32,
    /// Bytes given up since then (RS.lost).
    pub lost: u64,
    /// The sender ran out of data meanwhile: the network might have taken more.
    pub app_limited: bool,
    /// The time since the newest segment left of those that left once (RS.rtt).
    pub rtt: Option<Duration>,
}

/// What was given up since it was asked for last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LossSample {
    /// Bytes.
    pub bytes: u32,
    /// What has been delivered in all.
    pub delivered: u64,
    /// Ranges that do not touch.
    pub ranges: u32,
    /// The first loss with which more was lost than [`LOSS_PERCENT_MAX`] of what was in flight when
    /// it left; without SACK the first.
    pub excess: Option<Excess>,
}

/// A loss too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Excess {
    /// Bytes in flight when it had left.
    pub in_flight: u32,
    /// Bytes given up since then, its own included.
    pub lost: u64,
    /// Its bytes.
    pub bytes: u32,
    /// It left after the sender had run out of data.
    pub app_limited: bool,
}

/// What was known when something left.
#[derive(Debug, Clone, Copy)]
struct Departure {
    sent: Instant,
    /// The end of the highest range that left then.
    end: SeqNum,
    delivered: u64,
    delivered_at: Instant,
    first_sent: Instant,
    lost: u64,
    in_flight: u32,
    app_limited: bool,
}

/// The state of the estimator.
#[derive(Debug)]
pub(super) struct Rates {
    /// By time. What is wholly acknowledged is dropped when it comes to the front.
    departures: VecDeque<Departure>,
    delivered: u64,
    delivered_at: Instant,
    /// When the newest segment left that is known to have arrived (C.first_send_time).
    first_sent: Instant,
    lost: u64,
    /// The bubble is out of the pipe when this has been delivered; 0 when there is none.
    app_limited: u64,
    /// When the newest segment of this ACK left.
    newest: Option<Instant>,
    /// The same of those that left once: of what left again the ACK may be for the first time.
    newest_once: Option<Instant>,
    sample: Option<RateSample>,
    /// The last rate that says something of the path, and whether it may be too low.
    last: Option<(u64, bool)>,
    losses: LossSample,
    /// The end of the last range that was given up.
    lost_end: Option<SeqNum>,
}

impl Rates {
    fn new() -> Self {
        Self {
            departures: VecDeque::new(),
            delivered: 0,
            delivered_at: Instant::ZERO,
            first_sent: Instant::ZERO,
            lost: 0,
            app_limited: 0,
            newest: None,
            newest_once: None,
            sample: None,
            last: None,
            losses: LossSample::default(),
            lost_end: None,
        }
    }

    /// Something left; `idle` when nothing was in flight before.
    fn depart(&mut self, now: Instant, end: SeqNum, idle: bool, in_flight: u32, most: usize) {
        if idle {
            (self.first_sent, self.delivered_at) = (now, now);
        }
        let departure = Departure {
            sent: now,
            end,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent: self.first_sent,
            lost: self.lost,
            in_flight,
            app_limited: self.app_limited != 0,
        };
        let full = self.departures.len() >= most;
        match self.departures.back_mut() {
            Some(last) if last.sent == now => {
                *last = Departure { end: last.end.max(end), ..departure };
            }
            // Too many: this one's sample will begin where that of the one before it does, and is as
            // good, over a longer time.
            Some(last) if full => last.end = last.end.max(end),
            _ => self.departures.push_back(departure),
        }
    }

    /// What was known at `sent`, or at the last time before it that is remembered.
    fn find(&self, sent: Instant) -> Option<&Departure> {
        let after = self.departures.partition_point(|departure| departure.sent <= sent);
        self.departures.get(after.checked_sub(1)?)
    }

    /// A range is known to have arrived.
    pub(super) fn note(&mut self, entry: &Entry) {
        self.newest = self.newest.max(Some(entry.sent));
        if entry.transmissions == 1 {
            self.newest_once = self.newest_once.max(Some(entry.sent));
        }
    }

    /// All that an ACK delivered was noted: the sample. One that was `overtaken` had a longer way than
    /// the data, and tells of no round trip.
    pub(super) fn conclude(&mut self, ack: &Ack<'_>, acked: &Acked, overtaken: bool) {
        if acked.delivered > 0 {
            self.delivered += u64::from(acked.delivered);
            self.delivered_at = ack.now;
        }
        if self.delivered > self.app_limited {
            self.app_limited = 0;
        }
        let (newest, once) = (self.newest.take(), self.newest_once.take());
        let rtt = once.filter(|_| !overtaken).map(|sent| ack.now.saturating_duration_since(sent));
        let sample = newest.and_then(|sent| self.sample(sent, ack, acked));
        self.sample = sample.map(|sample| RateSample { rtt, ..sample });
        self.first_sent = newest.unwrap_or(self.first_sent);
        if let Some(sample) = self.sample.filter(|sample| sample.rate > 0)
            && (!sample.app_limited || self.last.is_none_or(|(rate, _)| sample.rate >= rate))
        {
            self.last = Some((sample.rate, sample.app_limited));
        }
        while self.departures.front().is_some_and(|departure| departure.end.is_at_most(ack.ack)) {
            self.departures.pop_front();
        }
    }

    fn sample(&self, sent: Instant, ack: &Ack<'_>, acked: &Acked) -> Option<RateSample> {
        let departure = self.find(sent)?;
        let send_elapsed = sent.saturating_duration_since(departure.first_sent);
        let ack_elapsed = ack.now.saturating_duration_since(departure.delivered_at);
        let interval = send_elapsed.max(ack_elapsed);
        let delivered = self.delivered - departure.delivered;
        // Of what went again the ACK may be for the first time it went: no network is so fast.
        let believed = ack.min_rtt.is_none_or(|min_rtt| interval >= min_rtt);
        Some(RateSample {
            rate: if believed { rate(delivered, interval) } else { 0 },
            delivered,
            interval,
            prior_delivered: departure.delivered,
            delivered_total: self.delivered,
            newly_acked: acked.delivered,
            in_flight: departure.in_flight,
            lost: self.lost - departure.lost,
            app_limited: departure.app_limited,
            rtt: None,
        })
    }

    /// A range is given up.
    pub(super) fn lose(&mut self, entry: &Entry, detection: Detection, mss: u32) {
        let bytes = entry.len();
        self.lost += u64::from(bytes);
        self.losses.bytes = self.losses.bytes.saturating_add(bytes);
        // One range that is found lost by and by is one.
        if self.lost_end != Some(entry.start) {
            self.losses.ranges = self.losses.ranges.saturating_add(1);
        }
        self.lost_end = Some(entry.end);
        if self.losses.excess.is_some() {
            return;
        }
        let Some(departure) = self.find(entry.sent) else { return };
        let lost = self.lost - departure.lost;
        if is_excess(lost, departure.in_flight, mss) || detection == Detection::NewReno {
            self.losses.excess = Some(Excess {
                in_flight: departure.in_flight,
                lost,
                bytes,
                app_limited: departure.app_limited,
            });
        }
    }
}

/// Bytes in a second.
fn rate(bytes: u64, interval: Duration) -> u64 {
    let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    bytes.saturating_mul(1_000_000_000).checked_div(nanos).unwrap_or(0)
}

impl Scoreboard {
    /// Begins, or ends, to take rate samples of what is sent from now on.
    pub fn sample_rates(&mut self, on: bool) {
        match (on, &self.rates) {
            (true, None) => self.rates = Some(Box::new(Rates::new())),
            (false, Some(_)) => self.rates = None,
            _ => {}
        }
    }

    /// Whether rate samples are taken.
    #[must_use]
    #[inline]
    pub fn samples_rates(&self) -> bool {
        self.rates.is_some()
    }

    /// The sample of the last ACK, when it delivered something that left since samples are taken.
    #[must_use]
    pub fn rate_sample(&self) -> Option<&RateSample> {
        self.rates.as_ref()?.sample.as_ref()
    }

    /// The last rate in bytes a second that says something of the path, and whether the sender, and
    /// not the path, may have been what limited it.
    #[must_use]
    pub fn delivery_rate(&self) -> Option<(u64, bool)> {
        self.rates.as_ref()?.last
    }

    /// What was given up since this was called last.
    pub fn take_losses(&mut self) -> LossSample {
        let Some(rates) = &mut self.rates else { return LossSample::default() };
        LossSample { delivered: rates.delivered, ..core::mem::take(&mut rates.losses) }
    }

    /// The sender has nothing to send although it might: samples are too low until what is in
    /// flight now has been delivered.
    pub fn mark_app_limited(&mut self) {
        let pipe = self.pipe();
        if let Some(rates) = &mut self.rates {
            rates.app_limited = (rates.delivered + u64::from(pipe)).max(1);
        }
    }

    /// Whether the sender ran out of data and samples still suffer from it.
    #[must_use]
    pub fn is_app_limited(&self) -> bool {
        self.rates.as_ref().is_some_and(|rates| rates.app_limited != 0)
    }

    /// Departures that are remembered. For tests and figures.
    #[must_use]
    pub fn departures(&self) -> usize {
        self.rates.as_ref().map_or(0, |rates| rates.departures.len())
    }

    /// A time-out is about to give up all that is in flight, and with `sacked` what was SACKed.
    pub(super) fn note_all_lost(&mut self, sacked: bool) {
        let Some(rates) = &mut self.rates else { return };
        for entry in self.entries.iter() {
            let given_up = match entry.state {
                State::Lost => false,
                State::Sacked => sacked,
                State::InFlight | State::Resent => true,
            };
            if given_up {
                rates.lose(entry, self.detection, self.mss);
            }
        }
    }

    /// Numbers up to `end` left; `idle` when nothing was in flight before.
    #[inline]
    pub(super) fn note_departure(&mut self, now: Instant, end: SeqNum, idle: bool) {
        if self.rates.is_none() {
            return;
        }
        let (pipe, most) = (self.pipe(), self.entries_max as usize);
        if let Some(rates) = &mut self.rates {
            rates.depart(now, end, idle, pipe, most);
        }
    }
}
