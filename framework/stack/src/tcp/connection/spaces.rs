//! The sequence spaces of both directions, and what stands behind them.

use alloc::boxed::Box;

use fyke_clock::Instant;

use super::inbox::Inbox;
use super::mtu_search::Search;
use super::outgoing::Outgoing;
use super::window::Tuning;
use crate::tcp::SeqNum;
use crate::tcp::assembler::Assembler;
use crate::tcp::config::Config;
use crate::tcp::handshake::{Initial, first_window, own_mss, own_window_scale};

/// The send sequence space (RFC 9293, section 3.3.1), and what stands behind it.
#[derive(Debug)]
pub(super) struct Send {
    pub(super) iss: SeqNum,
    pub(super) una: SeqNum,
    pub(super) nxt: SeqNum,
    pub(super) wl1: SeqNum,
    pub(super) wl2: SeqNum,
    pub(super) wnd: u32,
    /// The largest window the peer ever offered.
    pub(super) wnd_max: u32,
    pub(super) peer_mss: u16,
    pub(super) path_mss: u16,
    /// The shift of the peer's windows.
    pub(super) scale: u8,
    /// Time-outs in a row: of the SYN, of data, of window probes.
    pub(super) attempts: u8,
    /// The application writes no more: a FIN follows what is queued.
    pub(super) fin: bool,
    /// It was sent.
    pub(super) fin_sent: bool,
    /// A write was refused.
    pub(super) blocked: bool,
    /// Memory is short.
    pub(super) tight: bool,
    pub(super) syn_resent: bool,
    /// When SND.UNA last moved, or the first of what is outstanding was sent.
    pub(super) progress: Instant,
    /// When data was last sent.
    pub(super) last: Instant,
    /// The send buffer's size.
    pub(super) capacity: u32,
    pub(super) outgoing: Option<Box<Outgoing>>,
    /// The search for what the path carries, once there was reason for one.
    pub(super) search: Option<Box<Search>>,
}

/// The receive sequence space, and what stands behind it. RCV.NXT is the assembler's.
#[derive(Debug)]
pub(super) struct Receive {
    pub(super) irs: SeqNum,
    pub(super) assembler: Assembler,
    /// The right edge of the window that was offered: RCV.NXT + RCV.WND.
    pub(super) edge: SeqNum,
    /// Last.ACK.sent.
    pub(super) acked: SeqNum,
    pub(super) inbox: Inbox,
    /// The buffer's size.
    pub(super) buffer: u32,
    pub(super) tuning: Tuning,
    /// What the link takes in.
    pub(super) link_mss: u16,
    /// The peer's full segment, as observed.
    pub(super) segment: u16,
    /// A round trip as the peer's data shows it, in milliseconds, smoothed; 0 while unknown.
    pub(super) round_ms: u16,
    /// The shift of our windows.
    pub(super) scale: u8,
    /// Acknowledgements to send at once.
    pub(super) quick: u8,
    pub(super) unacked_segments: u8,
    /// The size was set by the application: it does not grow.
    pub(super) fixed: bool,
    /// Memory is short.
    pub(super) tight: bool,
    /// The window says how much room there is ([`Config::window_tells_room`]).
    pub(super) tells_room: bool,
    /// Where the peer's FIN stands, while something before it is missing.
    pub(super) fin: Option<SeqNum>,
    /// The FIN was taken.
    pub(super) finished: bool,
    /// A router marked congestion and the peer has not answered yet (RFC 3168).
    pub(super) congestion_seen: bool,
    /// When the peer was last heard.
    pub(super) heard: Instant,
    /// When a segment that means nothing was last answered.
    pub(super) invalid_answered: Instant,
}

impl Send {
    pub(super) fn new(config: &Config, initial: Initial, now: Instant) -> Self {
        Self {
            iss: initial.iss,
            una: initial.iss,
            // The SYN has its number from the beginning: SND.NXT never needs to be told from ISS,
            // which is nothing to compare with once two gibibytes were sent.
            nxt: initial.iss + 1,
            wl1: SeqNum::default(),
            wl2: SeqNum::default(),
            wnd: 0,
            wnd_max: 0,
            peer_mss: config.mss_default,
            path_mss: initial.mss.send,
            scale: 0,
            attempts: 0,
            fin: false,
            fin_sent: false,
            blocked: false,
            tight: false,
            syn_resent: false,
            progress: now,
            last: now,
            capacity: config.send_buffer_bytes,
            outgoing: None,
            search: None,
        }
    }

    /// Whether something was sent that the peer has not acknowledged.
    pub(super) fn has_unacknowledged(&self) -> bool {
        self.una != self.nxt
    }
}

impl Receive {
    pub(super) fn new(config: &Config, initial: Initial, now: Instant) -> Self {
        let ranges = u16::try_from(config.out_of_order_ranges_max).unwrap_or(u16::MAX);
        Self {
            irs: SeqNum::default(),
            assembler: Assembler::new(SeqNum::default(), ranges),
            edge: SeqNum::default(),
            acked: SeqNum::default(),
            inbox: Inbox::default(),
            buffer: config.receive_buffer_bytes,
            tuning: Tuning::default(),
            link_mss: initial.mss.receive,
            segment: config.mss_default.min(own_mss(config, initial.mss.receive)),
            round_ms: 0,
            scale: if config.window_scaling { own_window_scale(config) } else { 0 },
            quick: config.quick_acks,
            unacked_segments: 0,
            fixed: false,
            tight: false,
            tells_room: config.window_tells_room,
            fin: None,
            finished: false,
            congestion_seen: false,
            heard: now,
            invalid_answered: Instant::ZERO,
        }
    }

    /// The peer's SYN came: numbers have a beginning.
    pub(super) fn begin(&mut self, irs: SeqNum, config: &Config) {
        let ranges = u16::try_from(config.out_of_order_ranges_max).unwrap_or(u16::MAX);
        self.irs = irs;
        self.assembler = Assembler::new(irs + 1, ranges);
        self.acked = irs + 1;
        // What our SYN says, or said.
        self.edge = irs + 1 + u32::from(first_window(config));
    }
}
