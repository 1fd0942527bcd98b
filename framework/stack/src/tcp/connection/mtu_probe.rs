//! Probing for what the path carries, with segments of the connection's own data (RFC 4821,
//! section 10.1): new data in order, longer than others. When it is lost, and nothing else is, that
//! tells of its size and not of congestion.
//!
//! ```text
//!          +-- acknowledged: segments are of that size from now on ---------------+
//!  probe --+-- lost alone: its bytes go again in pieces, the window stays as it is +-- next probe
//!          '-- lost among others, sent again, timed out: no answer ---------------'
//! ```
//! Time-outs in a row throw the size back, and the search begins below (`black_hole`).

use alloc::boxed::Box;
use core::time::Duration;

use fyke_clock::Instant;

use super::mtu_search::{Probe, Search, Trial};
use super::transmit::Text;
use super::{Connection, State};
use crate::tcp::congestion::Phase;
use crate::tcp::scoreboard::Losses;
use crate::tcp::{MtuProbing, SegmentSink, SeqNum};

/// Full segments behind a probe, at least: those that tell of its loss, and one more (RFC 4821,
/// section 7.4).
pub(super) const SEGMENTS_BEHIND: u32 = 4;

/// Round trips to wait after the loss of a probe, and as many times more after a time-out (RFC 4821,
/// sections 7.6.2 and 7.6.3).
const PAUSE_ROUND_TRIPS: u32 = 2;
const PAUSE_AFTER_TIMEOUT: u32 = 5;

/// What is to be done about probing now.
pub(super) enum Chance {
    /// Nothing.
    No,
    /// Nothing new goes out until there is room for a probe.
    Wait,
    /// A probe of this payload.
    Probe(u32),
}

/// What is known of the search, to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MtuSearch {
    /// The size that is known to pass, or believed to: as for the others, what a packet has behind
    /// the fixed headers of IP and TCP.
    pub low: u16,
    /// The largest that may pass.
    pub high: u16,
    /// The probe that is in flight.
    pub probe: Option<u16>,
    /// Probes sent.
    pub probes: u32,
    /// Probes that arrived.
    pub passed: u32,
    /// Probes that were lost alone.
    pub lost: u32,
    /// Black holes that were fallen into.
    pub black_holes: u32,
}

impl Connection {
    /// The path MSS that counts: the least of what the path, the peer and we ourselves allow.
    pub(super) fn whole_mss(&self) -> u16 {
        let whole = self.send.peer_mss.min(self.send.path_mss).min(self.config.mss_max);
        whole.max(self.config.mss_min)
    }

    /// The connection is open: a search from the beginning starts low. Where less is believed of the
    /// path than the link carries, because of what another connection found out or was told, that is
    /// for the interval, and then larger sizes are tried (RFC 1191, section 6.3; RFC 8201, section 4).
    pub(super) fn begin_mtu_search(&mut self, now: Instant) {
        let (mtu, link) = (self.config.mtu, self.receive.link_mss);
        match mtu.probing {
            MtuProbing::Off => return,
            MtuProbing::AfterBlackHole => {
                if self.send.path_mss < link {
                    self.send.search =
                        Some(Box::new(Search::resting(now, self.send.path_mss, link)));
                }
                return;
            }
            MtuProbing::Always => {}
        }
        let limit = self.send.path_mss;
        let first = mtu.initial_mss.max(self.config.mss_min).min(limit);
        let search = Search::new(now, mtu.base_mss.min(first), limit);
        self.send.search = Some(Box::new(search));
        self.send.path_mss = first;
        self.mss_changed();
    }

    /// What goes out next of data and FIN.
    #[inline]
    pub(super) fn next_text_or_mtu_probe(
        &mut self,
        now: Instant,
        out: &impl SegmentSink,
    ) -> Option<Text> {
        if self.send.search.is_some() {
            match self.mtu_chance(now, out) {
                Chance::No => {}
                Chance::Wait => return None,
                Chance::Probe(len) => return Some(self.probe_text(len)),
            }
        }
        self.next_text()
    }

    fn probe_text(&self, len: u32) -> Text {
        Text { seq: self.send.nxt, len, fin: false, again: false, probe: true }
    }

    /// A probe leaves.
    #[inline(never)]
    pub(super) fn mtu_probe_leaves(&mut self, text: Text) {
        if let Some(search) = &mut self.send.search {
            let size = search.candidate;
            search.probe = Some(Probe { start: text.seq, end: text.end(), size });
            search.counts.probes = search.counts.probes.saturating_add(1);
        }
    }

    /// Whether this is the time (RFC 4821, section 7.4): nothing is missing, and enough goes out
    /// behind the probe to tell of its loss at once.
    #[inline(never)]
    fn mtu_chance(&mut self, now: Instant, out: &impl SegmentSink) -> Chance {
        let current = self.whole_mss();
        let Some(search) = &mut self.send.search else { return Chance::No };
        if search.probe.is_some() || now < search.pause {
            return Chance::No;
        }
        let ceiling = out.mss_max().unwrap_or(search.limit);
        let ceiling = ceiling.min(self.send.peer_mss).min(self.config.mss_max);
        match search.size_in_doubt(current, ceiling) {
            Some(size) => self.doubt_chance(now, size),
            None => self.search_chance(now, ceiling),
        }
    }

    /// With nothing in flight no acknowledgement would come to make room.
    pub(super) fn probe_or_wait(&self, len: u32, room: bool) -> Chance {
        match room {
            true => Chance::Probe(len),
            false if self.send.has_unacknowledged() => Chance::Wait,
            false => Chance::No,
        }
    }

    /// The payload of a probe. Options take their part, also those that report what the peer's
    /// direction lacks.
    pub(super) fn probe_len(&self, size: u16) -> u32 {
        let options = u32::from(self.whole_mss()).saturating_sub(self.mss());
        u32::from(size).saturating_sub(options).max(1)
    }

    fn search_chance(&mut self, now: Instant, ceiling: u16) -> Chance {
        let (mss, current) = (self.mss(), self.whole_mss());
        let (unsent, config) = (self.unsent(), self.config.mtu);
        let least = mss.saturating_mul(SEGMENTS_BEHIND + 1);
        let open = self.is_open_for_probe();
        let kept = self.send.kept() as u32;
        let Some(search) = self.send.search.as_mut().filter(|_| open && kept > least) else {
            return Chance::No;
        };
        let Some(size) = search.next_size(now, current, ceiling, &config) else {
            return Chance::No;
        };
        search.candidate = size;
        let len = self.probe_len(size);
        let needed = len + mss.saturating_mul(SEGMENTS_BEHIND);
        let window = self.congestion_window();
        let wide = window >= mss.saturating_mul(config.window_segments_min.into());
        // More than the buffer holds is to be sent: what is in flight makes room for it.
        let comes = if self.send.blocked { self.send.capacity / 2 } else { unsent };
        if !wide || unsent.max(comes).min(window).min(self.send.wnd) < needed {
            return Chance::No;
        }
        let whole = unsent >= needed && self.window_left() >= needed;
        self.probe_or_wait(len, whole && self.congestion_room() >= len)
    }

    fn is_open_for_probe(&self) -> bool {
        let Some(outgoing) = &self.send.outgoing else { return false };
        let board = &outgoing.board;
        let whole = board.lost() == 0 && board.sacked() == 0 && board.recovery().is_none();
        // BBR, too, has times at which nothing is to be tried beside what it tries itself.
        let phase = outgoing.congestion.phase();
        let calm = !matches!(phase, Phase::Recovery | Phase::Loss | Phase::ProbeRtt);
        self.state.is_synchronized()
            && self.send.attempts == 0
            && whole
            && calm
            && outgoing.probe.is_none()
            && !outgoing.force
    }

    /// What an acknowledgement, or time, says of the probe. What it lost alone is no congestion:
    /// the losses that remain are.
    #[inline]
    pub(super) fn judge_mtu_probe(&mut self, now: Instant, losses: Losses) -> Losses {
        if self.send.search.is_none() { losses } else { self.judge(now, losses) }
    }

    #[inline(never)]
    fn judge(&mut self, now: Instant, losses: Losses) -> Losses {
        let una = self.send.una;
        let (pause, config) = (self.mtu_pause(), self.config.mtu);
        let Some(search) = &mut self.send.search else { return losses };
        if search.trial.is_some_and(|trial| una.is_at_least(trial.until)) {
            search.trial = None;
        }
        let Some(probe) = search.probe else { return losses };
        if una.is_at_least(probe.end) {
            search.probe = None;
            let confirmed = search.was_chance(probe.size);
            search.passed(now, probe.size);
            self.use_probed(probe.size, confirmed);
            return losses;
        }
        let Some(outgoing) = &mut self.send.outgoing else { return losses };
        let board = &mut outgoing.board;
        let inside = board.lost_within(probe.start, probe.end);
        if losses.bytes == 0 || inside == 0 {
            return losses;
        }
        if inside != board.lost() || board.in_recovery() {
            search.lost_among_others(now, pause, &config);
            return losses;
        }
        board.give_up(probe.start, probe.end);
        // Nor does the rate hear of it.
        board.take_losses();
        search.lost(now, probe.size, pause, &config);
        Losses { bytes: 0, ..losses }
    }

    /// A probe found that larger segments pass; whole flights have to confirm what none has yet.
    fn use_probed(&mut self, size: u16, confirmed: bool) {
        let previous = self.send.path_mss;
        if size <= previous {
            return;
        }
        let until = self.send.nxt + u32::from(size);
        if let Some(search) = self.send.search.as_mut().filter(|_| !confirmed) {
            search.trial = Some(Trial { previous, until });
        }
        self.send.path_mss = size;
        self.mss_changed();
    }

    /// How long to wait for the next probe after one was lost.
    fn mtu_pause(&self) -> Duration {
        self.rtt.srtt().unwrap_or(self.config.rto_initial) * PAUSE_ROUND_TRIPS
    }

    /// Something is sent again: if it is of the probe, an acknowledgement does not tell any more
    /// what arrived.
    #[inline(never)]
    pub(super) fn mtu_probe_goes_again(&mut self, now: Instant, text: Text) {
        let pause = self.mtu_pause();
        if let Some(search) = &mut self.send.search
            && let Some(probe) = search.probe
            && text.seq.is_before(probe.end)
            && text.end().is_after(probe.start)
        {
            search.forget_probe(now, pause);
        }
    }

    /// The retransmission timer ran out: the window is reduced as always, and the probe counts as
    /// lost when it is what nothing came back for (RFC 4821, section 7.6.3).
    pub(super) fn mtu_probe_timed_out(&mut self, now: Instant) {
        let pause = self.mtu_pause() * PAUSE_AFTER_TIMEOUT;
        let (una, config) = (self.send.una, self.config.mtu);
        let Some(search) = &mut self.send.search else { return };
        match search.probe {
            Some(probe) if una.is_at_least(probe.start) => {
                search.lost(now, probe.size, pause, &config);
            }
            _ => search.forget_probe(now, pause),
        }
    }

    /// A router complains about the probe: what it says bounds the search, and segments stay as they
    /// are (RFC 8899, section 4.6.2). `false` when it is not about the probe alone.
    pub(super) fn mtu_probe_too_big(&mut self, now: Instant, mss: u16, seq: SeqNum) -> bool {
        let current = self.whole_mss();
        let Some(search) = &mut self.send.search else { return false };
        let about = |probe: &Probe| {
            let quoted = seq.is_at_least(probe.start) && seq.is_before(probe.end);
            quoted && mss < probe.size && mss >= current
        };
        let Some(probe) = search.probe.filter(about) else { return false };
        search.probe = None;
        search.told(now, mss);
        search.counts.lost = search.counts.lost.saturating_add(1);
        if let Some(outgoing) = &mut self.send.outgoing {
            outgoing.board.give_up(probe.start, probe.end);
            outgoing.restarted = now;
        }
        self.arm_recovery(now);
        true
    }

    /// A router says that the path carries less: larger sizes are tried again after the interval.
    pub(super) fn note_told_mtu(&mut self, now: Instant, mss: u16) {
        if self.config.mtu.probing == MtuProbing::Off {
            return;
        }
        let limit = self.whole_mss();
        let search = self.send.search.get_or_insert_with(|| Box::new(Search::new(now, mss, limit)));
        search.forget_probe(now, Duration::ZERO);
        search.told(now, mss);
    }

    /// What a search has found out about the path, without fixed headers: for the owner to tell
    /// other connections to the same host, once.
    #[inline]
    pub fn take_found_mss(&mut self) -> Option<u16> {
        self.send.search.as_mut()?.take_found().filter(|_| self.state != State::Closed)
    }

    /// The search, once there was reason for one.
    pub(super) fn mtu_search(&self) -> Option<MtuSearch> {
        let search = self.send.search.as_ref()?;
        let counts = search.counts;
        Some(MtuSearch {
            low: search.low,
            high: search.high,
            probe: search.probe.map(|probe| probe.size),
            probes: counts.probes,
            passed: counts.passed,
            lost: counts.lost,
            black_holes: counts.black_holes,
        })
    }
}
