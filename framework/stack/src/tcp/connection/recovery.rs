//! What acknowledgements say of the network: what arrived, what is lost, how much may be out.

use core::time::Duration;

use fyke_clock::Instant;

use super::Connection;
use super::timers::Purpose;
use super::transmit::Text;
use crate::tcp::congestion::{AckSample, Phase};
use crate::tcp::handshake::timestamp_clock;
use crate::tcp::rtt::expected_samples;
use crate::tcp::scoreboard::{Ack, Acked, Losses, NextSegment, Probe, ProbeResult, RecoveryKind};
use crate::tcp::{Flags, Segment, SeqNum};

impl Connection {
    /// SND.NXT - SND.UNA.
    pub(super) fn outstanding(&self) -> u32 {
        self.send.nxt.saturating_distance_from(self.send.una)
    }

    /// How much the congestion window leaves. What duplicates say has left the network makes room
    /// (RFC 3042, RFC 6675).
    pub(super) fn congestion_room(&self) -> u32 {
        let Some(outgoing) = &self.send.outgoing else { return self.rest.window() };
        let board = &outgoing.board;
        let out = if self.config.limited_transmit || board.in_recovery() {
            board.pipe()
        } else {
            board.outstanding()
        };
        outgoing.congestion.window().saturating_sub(out)
    }

    /// The congestion window in bytes.
    pub(super) fn congestion_window(&self) -> u32 {
        let outgoing = self.send.outgoing.as_ref();
        outgoing.map_or(self.rest.window(), |outgoing| outgoing.congestion.window())
    }

    /// Takes in an acknowledgement at or after SND.UNA; `same_window` when it told no other.
    pub(super) fn recover_with(&mut self, now: Instant, segment: &Segment, same_window: bool) {
        let limited_by = self.send.una;
        let min_rtt = self.rtt.min_rtt();
        let echo = self.echoed_at(now, segment);
        let duplicate = self.is_duplicate(segment, same_window);
        self.check_app_limited();
        let Some(outgoing) = &mut self.send.outgoing else { return };
        // Slow start doubles what was in flight, and not more, however often it is acknowledged.
        let doubled = outgoing.congestion.phase() == Phase::SlowStart
            && outgoing.congestion.window() >= outgoing.flight_max.saturating_mul(2);
        let limited = limited_by.is_before(outgoing.limited_until) && !doubled;
        let acked = outgoing.board.on_ack(&Ack {
            now,
            ack: segment.ack,
            blocks: segment.options.sack.as_slice(),
            duplicate,
            echo,
            min_rtt,
        });
        self.count_delivered(segment, &acked);
        self.measure(now, segment, &acked);
        let Some(outgoing) = &mut self.send.outgoing else { return };
        let losses = outgoing.board.detect_losses(now, &self.rtt);
        if acked.advanced > 0 {
            self.advance(now, segment);
        }
        let losses = self.judge_mtu_probe(now, losses);
        self.react(&acked, losses);
        self.take_echo(segment, &acked);
        let Some(outgoing) = &mut self.send.outgoing else { return };
        // Recovery counts what arrived; growth counts what was acknowledged in order, because
        // duplicates must not open the window (RFC 3042, RFC 3465); the ACK that ends a recovery
        // acknowledges much that recovery has counted.
        let recovering =
            outgoing.congestion.phase() == Phase::Recovery || acked.recovered.is_some();
        outgoing.congestion.on_ack(&AckSample {
            now,
            una: self.send.una,
            nxt: self.send.nxt,
            delivered: if recovering { acked.delivered } else { acked.advanced },
            pipe: outgoing.board.pipe(),
            safe: acked.advanced > 0 && losses.bytes == 0,
            rtt: acked.rtt_latest,
            srtt: self.rtt.srtt().unwrap_or_default(),
            limited,
        });
        outgoing.force |= losses.first;
        self.note_rate(now, limited);
        self.note_reorder(losses);
        self.after_acknowledgement(now, &acked);
    }

    fn count_delivered(&mut self, segment: &Segment, acked: &Acked) {
        self.stats.delivered = self.stats.delivered.wrapping_add(acked.segments);
        if acked.segments > 0 && self.agreed.ecn && segment.flags.contains(Flags::ECE) {
            let marked = &mut self.stats.rare().delivered_marked;
            *marked = marked.wrapping_add(acked.segments);
        }
        if acked.duplicate.is_some() {
            let count = &mut self.stats.rare().duplicates;
            *count = count.saturating_add(1);
        }
    }

    /// A duplicate acknowledgement in the sense of RFC 5681, section 2. The answer to a probe that
    /// was not needed is one, too, although nothing is outstanding any more.
    fn is_duplicate(&self, segment: &Segment, same_window: bool) -> bool {
        let probing = || self.send.outgoing.as_ref().is_some_and(|out| out.board.is_probing());
        segment.ack == self.send.una
            && (self.send.has_unacknowledged() || probing())
            && same_window
            && segment.sequence_length() == 0
    }

    /// Round-trip samples: of what was sent once (Karn), else by the echoed timestamp.
    fn measure(&mut self, now: Instant, segment: &Segment, acked: &Acked) {
        let sample = match acked.rtt {
            Some(rtt) => Some(rtt),
            None if acked.advanced > 0 => self.echoed_rtt(now, segment),
            None => None,
        };
        if let Some(rtt) = sample {
            let flight = self.outstanding();
            self.rtt.sample(now, rtt, expected_samples(flight, self.plain_mss()));
        }
    }

    /// SND.UNA goes on.
    fn advance(&mut self, now: Instant, segment: &Segment) {
        self.send.una = segment.ack;
        self.send.attempts = 0;
        self.send.progress = now;
        self.soft_error = false;
        if let Some(outgoing) = &mut self.send.outgoing {
            outgoing.buffer.advance(segment.ack);
            outgoing.pass(segment.ack);
            outgoing.restarted = now;
            outgoing.force = false;
        }
    }

    /// Recoveries end, were for nothing, or begin.
    fn react(&mut self, acked: &Acked, losses: Losses) {
        let flight = self.outstanding();
        let Some(outgoing) = &mut self.send.outgoing else { return };
        if acked.spurious.is_some() {
            outgoing.congestion.undo();
            let count = &mut self.stats.rare().undone;
            *count = count.saturating_add(1);
            if acked.recovered == Some(RecoveryKind::Timeout) {
                self.rtt.reset_back_off();
            }
        } else if acked.recovered.is_some() {
            outgoing.congestion.on_recovered();
        }
        if acked.is_final {
            outgoing.congestion.forget_undo();
        }
        if acked.probe == Some(ProbeResult::Repaired) {
            // By now little may be in flight: what was when it was lost is what counts.
            outgoing.congestion.on_probe_repaired(flight.max(outgoing.probe_flight));
            self.due.cwr = true;
        }
        self.begin_recovery(losses, acked.recover_fs);
    }

    /// Losses were found: unless one runs, a recovery begins.
    #[inline]
    pub(super) fn begin_recovery(&mut self, losses: Losses, recover_fs: u32) {
        if losses.bytes > 0 {
            self.begin_recovery_for_losses(recover_fs);
        }
    }

    #[inline(never)]
    fn begin_recovery_for_losses(&mut self, recover_fs: u32) {
        let flight = self.outstanding();
        let Some(outgoing) = &mut self.send.outgoing else { return };
        if outgoing.board.in_recovery() {
            return;
        }
        outgoing.board.enter_recovery();
        outgoing.congestion.on_loss(flight, recover_fs);
        self.due.cwr = true;
        let count = &mut self.stats.rare().recoveries;
        *count = count.saturating_add(1);
    }

    /// The peer echoes a router's mark (RFC 3168, section 6.1.2).
    fn take_echo(&mut self, segment: &Segment, acked: &Acked) {
        let echoes = self.agreed.ecn
            && segment.flags.contains(Flags::ECE)
            && !segment.flags.contains(Flags::SYN);
        let (flight, una, nxt) = (self.outstanding(), self.send.una, self.send.nxt);
        if let Some(outgoing) = &mut self.send.outgoing
            && echoes
            && acked.delivered > 0
        {
            self.due.cwr |= outgoing.congestion.on_ecn(flight, una, nxt);
        }
    }

    fn note_reorder(&mut self, losses: Losses) {
        if let Some(outgoing) = &mut self.send.outgoing {
            outgoing.reorder = losses.timer;
        }
    }

    fn after_acknowledgement(&mut self, now: Instant, acked: &Acked) {
        if !self.send.has_unacknowledged() {
            // A closed window goes on being probed, and a cork being held.
            if !matches!(self.timers.purpose, Purpose::Persist | Purpose::Cork) {
                self.timers.retransmit.clear();
            }
            self.grow_send_buffer();
            self.note_limit(now);
            self.release_outgoing();
        } else if acked.advanced > 0 || acked.delivered > 0 || self.reorder_is_waited_for() {
            self.grow_send_buffer();
            self.arm_recovery(now);
        }
    }

    fn reorder_is_waited_for(&self) -> bool {
        self.send.outgoing.as_ref().is_some_and(|outgoing| outgoing.reorder.is_some())
    }

    /// Twice the window, so that the next flight is there when this one is acknowledged.
    fn grow_send_buffer(&mut self) {
        let wanted = self.congestion_window().saturating_mul(2);
        let wanted = wanted.min(self.config.send_buffer_bytes_max);
        if wanted > self.send.capacity && !self.send.tight {
            self.send.capacity = wanted;
            if let Some(outgoing) = &mut self.send.outgoing {
                outgoing.buffer.set_capacity(wanted as usize);
            }
        }
    }

    /// What goes out next of data and FIN: a probe, what is lost, what is new.
    pub(super) fn next_text(&mut self) -> Option<Text> {
        let mss = self.mss();
        let room = self.congestion_room();
        let outgoing = self.send.outgoing.as_mut()?;
        if let Some(probe) = outgoing.probe {
            let text = match probe {
                Probe::New => self.next_new(mss),
                Probe::Again(seq, len) => Some(self.again(seq, len.min(mss))),
            };
            if text.is_none()
                && let Some(outgoing) = &mut self.send.outgoing
            {
                outgoing.probe = None;
            }
            return text;
        }
        if outgoing.force
            && let Some((seq, len)) = outgoing.board.next_lost(mss)
        {
            return Some(self.again(seq, len));
        }
        // Whole segments only: what is left of the window is for the next acknowledgement.
        let whole = self.super_segment(mss, room);
        let unsent = self.unsent() > 0 || (self.send.fin && !self.send.fin_sent);
        let new = unsent && self.window_left() > 0;
        let next = self.send.outgoing.as_mut()?.board.next_segment(new, whole)?;
        match next {
            NextSegment::New => self.next_new(room).or_else(|| self.next_again(whole, room)),
            NextSegment::Lost(seq, len) | NextSegment::Unsure(seq, len) => {
                self.fits(len, room).then(|| self.again(seq, len))
            }
        }
    }

    /// What goes again when nothing new can go.
    fn next_again(&mut self, whole: u32, room: u32) -> Option<Text> {
        match self.send.outgoing.as_mut()?.board.next_segment(false, whole)? {
            NextSegment::New => None,
            NextSegment::Lost(seq, len) | NextSegment::Unsure(seq, len) => {
                self.fits(len, room).then(|| self.again(seq, len))
            }
        }
    }

    /// A retransmission waits until the window has room for all of it, unless nothing is in flight
    /// whose acknowledgement could make room.
    fn fits(&self, len: u32, room: u32) -> bool {
        room >= len || self.send.pipe() == 0
    }

    /// A range that was sent before, which may end in the FIN.
    fn again(&self, seq: SeqNum, len: u32) -> Text {
        let data = self.send.data_end().saturating_distance_from(seq).min(len);
        Text { seq, len: data, fin: len > data, again: true, probe: false }
    }

    /// How long ago our clock showed what the segment echoes, in its milliseconds.
    fn echoed_ticks(&self, now: Instant, segment: &Segment) -> Option<u32> {
        let echo = segment.options.timestamp.filter(|_| self.agreed.timestamps)?.echo;
        let elapsed = timestamp_clock(now, self.times.offset).wrapping_sub(echo);
        // Half the clock's circle is no round trip but a peer that echoes nonsense.
        (elapsed < 1 << 31).then_some(elapsed)
    }

    /// The last moment at which our timestamp clock showed what the segment echoes.
    fn echoed_at(&self, now: Instant, segment: &Segment) -> Option<Instant> {
        let elapsed = self.echoed_ticks(now, segment)?;
        let tick = now.as_nanos() / 1_000_000;
        let end = (tick.saturating_sub(u64::from(elapsed)) + 1) * 1_000_000;
        Some(Instant::from_nanos(end - 1))
    }

    /// The round trip that an echoed timestamp tells.
    pub(super) fn echoed_rtt(&self, now: Instant, segment: &Segment) -> Option<Duration> {
        let ticks = self.echoed_ticks(now, segment)?;
        Some(Duration::from_millis(u64::from(ticks.max(1))))
    }
}
