//! Errors the network reports about our segments. Anybody can send them, so they count only when
//! they quote what is in flight, and seldom end anything (RFC 5927; RFC 1122, section 4.2.3.9).

use fyke_clock::Instant;

use super::{Connection, State};
use crate::tcp::{CloseReason, SeqNum};

/// What an error says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IcmpKind {
    /// Net or host unreachable, time exceeded: it may pass.
    Unreachable,
    /// Nobody listens there, or TCP is not spoken there: a hard error.
    PortUnreachable,
    /// Administratively prohibited: a hard error.
    Prohibited,
    /// The packet was too large; what the next hop's MTU leaves for a segment without options.
    PacketTooBig {
        /// Path MTU less the fixed headers of IP and TCP.
        mss: u16,
    },
}

/// An error, and the sequence number of the segment it quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpError {
    /// What it says.
    pub kind: IcmpKind,
    /// SEG.SEQ of the quoted header.
    pub seq: SeqNum,
}

impl Connection {
    /// Takes an error the network reports about a segment of ours.
    pub fn on_icmp(&mut self, now: Instant, error: IcmpError) {
        // Not in flight: forged, or too old to mean anything (RFC 5927, section 4.1).
        if !error.seq.is_within(self.send.una, self.outstanding()) {
            return;
        }
        match error.kind {
            IcmpKind::PacketTooBig { mss } => self.on_packet_too_big(now, mss, error.seq),
            IcmpKind::Unreachable => self.soft_error = true,
            IcmpKind::PortUnreachable | IcmpKind::Prohibited => self.on_hard_error(error.kind),
        }
    }

    /// Hard errors end an open, but no connection that works (RFC 5927, section 5.2).
    fn on_hard_error(&mut self, kind: IcmpKind) {
        let opening = matches!(self.state, State::SynSent | State::SynReceived);
        if !opening {
            self.soft_error = true;
            return;
        }
        let reason = match kind {
            IcmpKind::PortUnreachable => CloseReason::PortUnreachable,
            _ => CloseReason::Unreachable,
        };
        self.finish(reason);
    }

    /// The path carries less: it never carries more because a packet says so.
    fn on_packet_too_big(&mut self, now: Instant, mss: u16, seq: SeqNum) {
        let mss = mss.max(self.config.mss_min);
        if self.state.is_synchronized() && self.mtu_probe_too_big(now, mss, seq) {
            return;
        }
        if mss >= self.send.path_mss {
            return;
        }
        if self.state.is_synchronized() {
            self.note_told_mtu(now, mss);
            self.change_path_mss(now, mss);
        } else if self.state == State::SynSent && self.syn_data_len() > 0 {
            // What went with the SYN was too large: it goes alone, and at once. A SYN without data is
            // too large for nothing.
            self.send.path_mss = mss;
            self.on_syn_data_refused();
        }
    }

    /// The segments that the path carries, without options.
    pub(crate) fn path_mss(&self) -> u16 {
        self.send.path_mss
    }

    /// The path carries segments of `mss` bytes without options from now on, as the owner of the
    /// route knows. What is in flight and larger goes again in pieces.
    pub fn set_path_mss(&mut self, now: Instant, mss: u16) {
        let wider = mss > self.send.path_mss;
        if let Some(search) = &mut self.send.search {
            search.owner_says(now, mss);
            if wider {
                // What is behind the first link is for probes to find out.
                return;
            }
        }
        self.change_path_mss(now, mss);
    }

    /// The link takes in segments of `mss` bytes from now on: what a SYN that is still to come, or goes
    /// again, tells.
    pub fn set_link_mss(&mut self, mss: u16) {
        self.receive.link_mss = mss;
    }

    /// Segments are of this size from now on.
    pub(super) fn change_path_mss(&mut self, now: Instant, mss: u16) {
        let before = self.plain_mss();
        self.send.path_mss = mss.max(self.config.mss_min);
        self.mss_changed();
        if self.plain_mss() < before && self.state.is_synchronized() {
            self.resegment(now);
        }
    }
}
