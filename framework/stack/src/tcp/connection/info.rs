//! What can be seen of a connection, as `tcp_info` has it.

use core::ops::Deref;
use core::time::Duration;

use fyke_clock::Instant;

use super::counted::Counted;
use super::mtu_probe::MtuSearch;
use super::stats::Limit;
use super::timers::Purpose;
use super::{Connection, State};
use crate::tcp::SeqNum;
use crate::tcp::congestion::{Algorithm, Controller, Phase};
use crate::tcp::scoreboard::Scoreboard;

/// A connection at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The state.
    pub state: State,
    /// Where the congestion window is in its life.
    pub phase: Phase,
    /// The congestion window in bytes.
    pub congestion_window: u32,
    /// The slow start threshold in bytes; `u32::MAX` until there was congestion.
    pub slow_start_threshold: u32,
    /// The smoothed round-trip time, once measured.
    pub rtt: Option<Duration>,
    /// Its variation.
    pub rtt_variation: Option<Duration>,
    /// The smallest of the last minutes.
    pub rtt_min: Option<Duration>,
    /// The retransmission time-out, with back-off.
    pub rto: Duration,
    /// Time-outs in a row.
    pub back_offs: u8,
    /// The payload of a full segment we send.
    pub send_mss: u32,
    /// The search for what the path carries, once there was reason for one (RFC 4821).
    pub mtu_search: Option<MtuSearch>,
    /// The payload of a full segment the peer sends, as observed.
    pub receive_mss: u32,
    /// SND.UNA.
    pub snd_una: SeqNum,
    /// SND.NXT.
    pub snd_nxt: SeqNum,
    /// SND.WND.
    pub snd_wnd: u32,
    /// RCV.NXT.
    pub rcv_nxt: SeqNum,
    /// RCV.WND, as offered.
    pub rcv_wnd: u32,
    /// The shift of the peer's windows and of ours, when agreed.
    pub window_scales: Option<(u8, u8)>,
    /// Whether selective acknowledgements are agreed.
    pub sack: bool,
    /// Whether timestamps are agreed.
    pub timestamps: bool,
    /// Whether ECN is agreed.
    pub ecn: bool,
    /// Bytes written and not sent.
    pub unsent: u32,
    /// Bytes sent and not acknowledged.
    pub unacknowledged: u32,
    /// Bytes of these that the peer has out of order.
    pub sacked: u32,
    /// Bytes of these that are given up and not sent again yet.
    pub lost: u32,
    /// Bytes of these that were sent again and are in flight.
    pub resent: u32,
    /// Bytes believed to be in the network.
    pub pipe: u32,
    /// The rate at which text leaves, in bytes a second, when something limits it.
    pub pacing_rate: Option<u64>,
    /// The rate of delivery in bytes a second, when it is measured ([`rate_samples`]).
    ///
    /// [`rate_samples`]: crate::tcp::congestion::CongestionConfig::rate_samples
    pub delivery_rate: Option<u64>,
    /// Whether the path may be faster than that, because there was not enough to send.
    pub delivery_rate_app_limited: bool,
    /// Whether reordering was seen on the path.
    pub reordering_seen: bool,
    /// By how many bytes a segment was overtaken at most.
    pub reordering_bytes: u32,
    /// Bytes received and not read.
    pub unread: usize,
    /// Bytes received out of order.
    pub out_of_order: u32,
    /// The receive buffer's size.
    pub receive_buffer: u32,
    /// The send buffer's size.
    pub send_buffer: usize,
    /// Probes of a closed window or a silent peer that were not answered yet.
    pub probes_unanswered: u8,
    /// What keeps it from sending more, and since when.
    pub limit: (Limit, Instant),
    /// When payload was last sent.
    pub data_sent_at: Instant,
    /// When payload was last received, or the connection began.
    pub data_received_at: Instant,
    /// When anything was last received.
    pub heard_at: Instant,
    /// A round trip as the peer's segments show it.
    pub receive_rtt: Option<Duration>,
    /// The network said that the peer cannot be reached, and nothing was acknowledged since.
    pub unreachable: bool,
    /// Data went with the SYN, and all of it was taken (RFC 7413).
    pub syn_data: bool,
    /// What was counted since it began; its fields are read as if they were here.
    pub counted: Counted,
}

impl Deref for Info {
    type Target = Counted;

    fn deref(&self) -> &Counted {
        &self.counted
    }
}

impl Info {
    /// The same with the times counted on until `now`.
    #[must_use]
    pub fn until(mut self, now: Instant) -> Self {
        let (limit, since) = self.limit;
        let spent = now.saturating_duration_since(since);
        match limit {
            Limit::Idle => return self,
            Limit::Network => {}
            Limit::Window => self.counted.window_limited += spent,
            Limit::Buffer => self.counted.buffer_limited += spent,
        }
        self.counted.busy += spent;
        self.limit.1 = since.max(now);
        self
    }
}

impl Connection {
    /// Probes that were sent since the peer was last heard.
    fn probes_unanswered(&self) -> u8 {
        let persists = self.timers.purpose == Purpose::Persist && self.timers.retransmit.is_set();
        if persists { self.send.attempts } else { self.probes }
    }

    /// Bytes acknowledged in order, without SYN and FIN.
    pub(super) fn bytes_acknowledged(&self) -> u64 {
        let fin = self.send.fin_sent && self.send.has_unacknowledged();
        let text = self.outstanding().saturating_sub(u32::from(fin));
        self.stats.bytes_sent.saturating_sub(u64::from(text))
    }

    /// Whether what it believes of itself agrees: for tests, which ask after every step.
    #[must_use]
    pub fn check(&self) -> bool {
        let send = &self.send;
        let board = send.outgoing.as_ref().is_none_or(|outgoing| {
            let board = &outgoing.board;
            let opening = matches!(self.state, State::SynSent | State::SynReceived);
            let same = board.una() == send.una && board.nxt() == send.nxt;
            board.check() && (opening || same)
        });
        board && self.receive.assembler.check()
    }

    /// The phase that goes on when something is sent.
    fn phase_at_rest(&self) -> Phase {
        match self.config.congestion.algorithm {
            Algorithm::Bbr => Phase::Startup,
            _ => self.rest.phase(),
        }
    }

    /// The connection at this moment.
    #[must_use]
    pub fn info(&self) -> Info {
        let (send, receive) = (&self.send, &self.receive);
        let limit = send.outgoing.as_ref().map(|outgoing| outgoing.limited);
        let congestion = send.outgoing.as_ref().map(|outgoing| &outgoing.congestion);
        let board = send.outgoing.as_ref().map(|outgoing| &outgoing.board);
        let delivery = board.and_then(Scoreboard::delivery_rate);
        Info {
            state: self.state,
            phase: congestion.map_or_else(|| self.phase_at_rest(), Controller::phase),
            congestion_window: self.congestion_window(),
            slow_start_threshold: congestion.map_or(self.rest.ssthresh(), Controller::ssthresh),
            rtt: self.rtt.srtt(),
            rtt_variation: self.rtt.rttvar(),
            rtt_min: self.rtt.min_rtt(),
            rto: self.rto(),
            back_offs: send.attempts,
            send_mss: self.plain_mss(),
            mtu_search: self.mtu_search(),
            receive_mss: u32::from(receive.segment),
            snd_una: send.una,
            snd_nxt: send.nxt,
            snd_wnd: send.wnd,
            rcv_nxt: receive.assembler.next(),
            rcv_wnd: receive.window(),
            window_scales: self.agreed.scaling.then_some((send.scale, receive.scale)),
            sack: self.agreed.sack,
            timestamps: self.agreed.timestamps,
            ecn: self.agreed.ecn,
            unsent: self.unsent(),
            unacknowledged: self.outstanding(),
            sacked: board.map_or(0, Scoreboard::sacked),
            lost: board.map_or(0, Scoreboard::lost),
            resent: board.map_or(0, Scoreboard::resent),
            pipe: board.map_or(0, Scoreboard::pipe),
            pacing_rate: self.pacing_rate(),
            delivery_rate: delivery.map(|(rate, _)| rate),
            delivery_rate_app_limited: delivery.is_some_and(|(_, limited)| limited),
            reordering_seen: board.is_some_and(Scoreboard::reordering_seen),
            reordering_bytes: board.map_or(0, |board| board.reordering().0),
            unread: receive.inbox.len(),
            out_of_order: receive.assembler.queued(),
            receive_buffer: receive.buffer,
            send_buffer: send.capacity as usize,
            probes_unanswered: self.probes_unanswered(),
            limit: limit.unwrap_or((Limit::Idle, send.last)),
            data_sent_at: send.last,
            data_received_at: self.stats.text_at(receive.heard),
            heard_at: receive.heard,
            receive_rtt: (receive.round_ms > 0)
                .then(|| Duration::from_millis(receive.round_ms.into())),
            unreachable: self.soft_error,
            syn_data: self.syn_data,
            counted: self.counted(),
        }
    }

    /// The peer's last timestamp (TS.Recent of RFC 7323), when timestamps are agreed.
    #[must_use]
    pub fn recent_timestamp(&self) -> Option<u32> {
        self.agreed.timestamps.then_some(self.times.recent)
    }
}
