//! What was written and what of it is in flight: exists while there is any.

use alloc::boxed::Box;

use fyke_clock::Instant;

use super::pacing::is_paced;
use super::rates::samples_rates;
use super::stats::Limit;
use super::transmit::Text;
use super::{Connection, Send};
use crate::tcp::SeqNum;
use crate::tcp::config::Config;
use crate::tcp::congestion::{Controller, Rest};
use crate::tcp::scoreboard::{Detection, Probe, Scoreboard, ScoreboardConfig};
use crate::tcp::send_buffer::{Chunks, SendBuffer};

/// The sending half while it has something to do.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) buffer: SendBuffer,
    pub(super) board: Scoreboard,
    pub(super) congestion: Controller,
    /// The end of the last segment that was not full (RFC 9293, section 3.7.4, as Minshall has it).
    pub(super) small: SeqNum,
    /// A tail loss probe that goes out next.
    pub(super) probe: Option<Probe>,
    /// The most that was in flight in the window of data that was probed last.
    pub(super) probe_flight: u32,
    /// After a time-out one segment goes again whatever the window says.
    pub(super) force: bool,
    /// When the retransmission timer was restarted last.
    pub(super) restarted: Instant,
    /// The congestion window was full when SND.NXT was here.
    pub(super) limited_until: SeqNum,
    /// The most that was in flight in the current window of data, and where that window ends.
    pub(super) flight_max: u32,
    pub(super) flight_max_until: SeqNum,
    /// When to look for losses again.
    pub(super) reorder: Option<Instant>,
    /// What kept more from leaving, and since when.
    pub(super) limited: (Limit, Instant),
    /// Whether text leaves at a rate, and what may leave before the gate shuts.
    pub(super) paced: bool,
    pub(super) burst: u32,
}

impl Outgoing {
    /// Something is about to leave: after silence BBR wants to know.
    #[inline]
    fn note_restart(&mut self, now: Instant) {
        if self.board.is_app_limited() && self.board.pipe() == 0 {
            self.congestion.on_restart(now);
        }
    }

    /// SND.UNA is `una` now. What was noted of numbers before it is of the past, and must not come
    /// back as the future when it is half the circle behind.
    pub(super) fn pass(&mut self, una: SeqNum) {
        self.small = self.small.max(una);
        self.limited_until = self.limited_until.max(una);
        self.flight_max_until = self.flight_max_until.max(una);
    }
}

impl Send {
    /// The number after the last byte that was written.
    pub(super) fn data_end(&self) -> SeqNum {
        match &self.outgoing {
            Some(outgoing) => outgoing.buffer.end(),
            None => self.nxt,
        }
    }

    /// Bytes that are kept for the peer.
    pub(super) fn kept(&self) -> usize {
        self.outgoing.as_ref().map_or(0, |outgoing| outgoing.buffer.len())
    }

    /// What that costs, with what is remembered of how it was sent.
    pub(super) fn cost(&self) -> usize {
        self.outgoing.as_ref().map_or(0, |outgoing| outgoing.buffer.len() + outgoing.board.cost())
    }

    /// Room in the send buffer.
    pub(super) fn free(&self) -> usize {
        (self.limit() as usize).saturating_sub(self.kept())
    }

    /// What was sent and may be in the network.
    pub(super) fn pipe(&self) -> u32 {
        self.outgoing.as_ref().map_or(0, |outgoing| outgoing.board.pipe())
    }

    /// The bytes of a segment, where the application's buffers are.
    pub(super) fn chunks(&self, text: Text) -> Option<Chunks<'_>> {
        let outgoing = self.outgoing.as_ref()?;
        Some(outgoing.buffer.chunks(text.seq, text.len as usize))
    }
}

impl Connection {
    /// The sending half, made when the first byte (or the FIN) comes.
    pub(super) fn outgoing(&mut self) -> &mut Outgoing {
        let start = self.send.nxt;
        let capacity = self.send.capacity as usize;
        let (config, mss, sack) = (&self.config, self.plain_mss(), self.agreed.sack);
        let rest = &self.rest;
        self.send.outgoing.get_or_insert_with(|| {
            let congestion = Controller::resume(&config.congestion, mss, start, rest);
            let ends = congestion.ends_with_partial_ack();
            let mut board = Scoreboard::new(&board_config(config, sack, ends), start, mss);
            board.sample_rates(samples_rates(config));
            let paced = is_paced(config);
            Box::new(Outgoing {
                congestion,
                small: start,
                buffer: SendBuffer::new(start, capacity),
                board,
                probe: None,
                probe_flight: 0,
                force: false,
                restarted: Instant::ZERO,
                limited_until: start,
                flight_max: 0,
                flight_max_until: start,
                reorder: None,
                limited: (Limit::Idle, Instant::ZERO),
                paced,
                burst: if paced { 0 } else { u32::MAX },
            })
        })
    }

    /// Gives the sending half back when nothing is left in it and it has learned nothing worth
    /// keeping.
    pub(super) fn release_outgoing(&mut self) {
        let Some(outgoing) = &self.send.outgoing else { return };
        let board = &outgoing.board;
        let idle = outgoing.buffer.is_empty()
            && board.outstanding() == 0
            && !board.reordering_seen()
            && !board.samples_rates()
            && board.recovery().is_none()
            && !board.is_probing()
            && !outgoing.congestion.can_undo();
        if idle && (!self.send.fin || self.send.fin_sent) {
            self.rest = outgoing.congestion.rest();
            self.send.outgoing = None;
        }
    }

    pub(super) fn forget_outgoing(&mut self) {
        self.send.outgoing = None;
    }

    /// The handshake is complete, after so many lost SYNs: what it agreed upon decides the first
    /// window, and how losses are found.
    pub(super) fn begin_congestion(&mut self, lost: u8) {
        let (mss, nxt) = (self.plain_mss(), self.send.nxt);
        // One lost SYN may be chance (RFC 6928, section 3); more are congestion.
        self.rest = if lost > 1 {
            Rest::after_lost_syn(mss)
        } else {
            Rest::initial(&self.config.congestion, mss)
        };
        let detection = detection(&self.config, self.agreed.sack);
        if let Some(outgoing) = &mut self.send.outgoing {
            outgoing.board.negotiated(detection, mss);
            outgoing.congestion = Controller::resume(&self.config.congestion, mss, nxt, &self.rest);
            outgoing.board.sample_rates(samples_rates(&self.config));
            outgoing.paced = is_paced(&self.config);
        }
    }

    /// Segments are of another size.
    pub(super) fn mss_changed(&mut self) {
        let mss = self.plain_mss();
        let detection = detection(&self.config, self.agreed.sack);
        if let Some(outgoing) = &mut self.send.outgoing {
            outgoing.board.negotiated(detection, mss);
            outgoing.congestion.set_mss(mss, &self.config.congestion, false);
        }
    }

    /// What is in flight was cut for a path that carries less now: it goes again, in pieces, and
    /// that is no sign of congestion (RFC 1191, section 6.5).
    pub(super) fn resegment(&mut self, now: Instant) {
        if let Some(outgoing) = &mut self.send.outgoing
            && outgoing.board.outstanding() > 0
        {
            outgoing.board.mark_all_lost(false);
            outgoing.restarted = now;
            self.arm_recovery(now);
        }
    }

    /// A segment with text goes out.
    pub(super) fn note_sent(&mut self, now: Instant, text: Text, segments: u32) {
        let taken = text.end().saturating_distance_from(text.seq);
        let was_quiet = !self.send.has_unacknowledged();
        // Of a super-segment the last may be.
        let small = text.len > 0 && text.len < segments.saturating_mul(self.plain_mss());
        if !text.again {
            self.send.nxt = text.end();
            self.send.fin_sent |= text.fin;
        }
        if was_quiet {
            self.send.progress = now;
            // What was tried before, probes of a closed window, is not held against it.
            self.send.attempts = 0;
        }
        self.due.push = false;
        self.send.last = now;
        if text.probe {
            self.mtu_probe_leaves(text);
        } else if text.again && self.send.search.is_some() {
            self.mtu_probe_goes_again(now, text);
        }
        let nxt = self.send.nxt;
        let Some(outgoing) = &mut self.send.outgoing else { return };
        let paced = outgoing.paced;
        outgoing.note_restart(now);
        outgoing.congestion.on_sent(text.len);
        if small && !text.again {
            outgoing.small = text.end();
        }
        if text.again {
            outgoing.board.on_resent(now, text.seq, taken);
            // The time-out is about the first segment, and that has just left again: a recovery
            // that lasts longer than the time-out is none (RFC 6675, section 6).
            if text.seq == self.send.una {
                outgoing.restarted = now;
            }
        } else {
            if text.probe {
                outgoing.board.keep_apart();
            }
            outgoing.board.on_sent(now, taken, segments);
            if text.probe {
                outgoing.board.keep_apart();
            }
        }
        outgoing.force = false;
        if let Some(probe) = outgoing.probe.take() {
            outgoing.board.on_probe_sent(probe);
            outgoing.probe_flight = outgoing.flight_max;
            outgoing.restarted = now;
        }
        if was_quiet {
            outgoing.restarted = now;
        }
        let flight = outgoing.board.outstanding();
        if flight > outgoing.flight_max || self.send.una.is_at_least(outgoing.flight_max_until) {
            outgoing.flight_max = flight;
            outgoing.flight_max_until = nxt;
        }
        if outgoing.congestion.is_limiting(outgoing.board.pipe()) {
            outgoing.limited_until = nxt;
        }
        if paced {
            self.shut_gate(now, text.len);
        }
        // Before that the timer is the SYN-ACK's.
        self.due.timer |= self.state.is_synchronized();
    }
}

fn detection(config: &Config, sack: bool) -> Detection {
    match (sack, config.rack) {
        (true, true) => Detection::Rack,
        (true, false) => Detection::Sack,
        (false, _) => Detection::NewReno,
    }
}

fn board_config(config: &Config, sack: bool, partial_ack_ends: bool) -> ScoreboardConfig {
    ScoreboardConfig {
        detection: detection(config, sack),
        entries_max: config.scoreboard_entries_max,
        partial_ack_ends,
        forward: config.f_rto,
        ..ScoreboardConfig::default()
    }
}
