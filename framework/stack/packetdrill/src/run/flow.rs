//! A connection in the script's numbers and in live ones.
//!
//! Scripts count sequence numbers from the initial ones, which differ in every run; so do ports and
//! timestamps. A SYN carries its script's initial number as it is; in every other segment the script's
//! numbers are relative to the initial number of their side.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::packet::{Packet, Payload, Segment, flag};
use crate::script::{OptionSpec, SeqSpec};

/// Where a connection is in its script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A SYN is to come from the stack.
    Connecting,
    /// The other side speaks first.
    Passive,
    /// Both initial numbers are known, or one of them and more packets.
    Known,
}

/// A connection in both kinds of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    pub(crate) stage: Stage,
    /// The stack's end.
    pub(crate) local: SocketAddr,
    /// The script's end.
    pub(crate) remote: SocketAddr,
    /// The stack's initial number: the script's, and the live one.
    local_isn: Option<(u32, u32)>,
    /// The other side's initial number, which is the same in both.
    remote_isn: Option<u32>,
    timestamps: BTreeMap<u32, u32>,
    first_timestamp: Option<(u32, u32)>,
}

/// A timestamp a script echoes that the stack has not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownTimestamp(pub(crate) u32);

impl Flow {
    pub(crate) fn new(stage: Stage, local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            stage,
            local,
            remote,
            local_isn: None,
            remote_isn: None,
            timestamps: BTreeMap::new(),
            first_timestamp: None,
        }
    }

    /// Whether the stack sent this packet on this connection.
    pub(crate) fn sends(&self, packet: &Packet) -> bool {
        let Payload::Tcp(segment) = &packet.payload else { return false };
        let towards = SocketAddr::new(packet.ip.destination, segment.destination_port);
        let from = SocketAddr::new(packet.ip.source, segment.source_port);
        match self.stage {
            Stage::Connecting => towards == self.remote && segment.has(flag::SYN),
            _ => towards == self.remote && from == self.local,
        }
    }

    /// Learns from a packet the stack sent; `script` is what stood in the script for it.
    pub(crate) fn learn_sent(&mut self, packet: &Packet, segment: &Segment, script: SeqSpec) {
        if !segment.has(flag::SYN) {
            return;
        }
        if self.stage == Stage::Connecting {
            self.local = SocketAddr::new(packet.ip.source, segment.source_port);
            self.stage = Stage::Known;
        }
        if self.local_isn.is_none_or(|(_, live)| live != segment.seq) {
            self.local_isn = Some((script.start.unwrap_or(0), segment.seq));
        }
    }

    /// Learns from a packet the script sends.
    pub(crate) fn learn_received(&mut self, flags: u8, seq: u32) {
        let syn = flags & flag::SYN != 0;
        if self.remote_isn.is_none() && (syn || self.stage == Stage::Passive) {
            self.remote_isn = Some(seq);
        }
        // An ACK of a SYN that the stack has answered is no news; before, the SYN may be another.
        if syn && self.local_isn.is_none() {
            self.remote_isn = Some(seq);
        }
    }

    fn local_offset(&self, syn: bool) -> u32 {
        match self.local_isn {
            Some((script, live)) if syn => live.wrapping_sub(script),
            Some((_, live)) => live,
            None => 0,
        }
    }

    fn remote_offset(&self, syn: bool) -> u32 {
        if syn { 0 } else { self.remote_isn.unwrap_or(0) }
    }

    /// The live initial number of the stack.
    pub(crate) fn live_local_isn(&self) -> Option<u32> {
        self.local_isn.map(|(_, live)| live)
    }

    /// The initial number of the script's side.
    pub(crate) fn live_remote_isn(&self) -> Option<u32> {
        self.remote_isn
    }

    /// A sequence number of the stack's side, as an ICMP message quotes it.
    pub(crate) fn quoted_live(&self, seq: u32) -> u32 {
        seq.wrapping_add(self.local_offset(false))
    }

    /// A segment of the script, ready to be sent to the stack.
    pub(crate) fn live(
        &self,
        mut segment: Segment,
        seq_absolute: bool,
    ) -> Result<Segment, UnknownTimestamp> {
        let syn = segment.has(flag::SYN);
        if !seq_absolute {
            segment.seq = segment.seq.wrapping_add(self.remote_offset(syn));
        }
        let offset = self.local_offset(syn);
        if segment.has(flag::ACK) {
            segment.ack = segment.ack.wrapping_add(offset);
        }
        for option in &mut segment.options {
            match option {
                OptionSpec::Sack(blocks) => shift(blocks, offset),
                OptionSpec::Timestamp { echo, echo_absolute: false, .. }
                    if segment.flags & flag::ACK != 0 =>
                {
                    *echo = *self.timestamps.get(echo).ok_or(UnknownTimestamp(*echo))?;
                }
                _ => {}
            }
        }
        segment.source_port = self.remote.port();
        segment.destination_port = self.local.port();
        Ok(segment)
    }

    /// A segment of the stack, in the script's numbers; `script_timestamp` is the one expected.
    pub(crate) fn in_script(
        &mut self,
        mut segment: Segment,
        seq_absolute: bool,
        script_timestamp: Option<u32>,
    ) -> Segment {
        let syn = segment.has(flag::SYN);
        if !seq_absolute {
            segment.seq = segment.seq.wrapping_sub(self.local_offset(syn));
        }
        let offset = self.remote_offset(syn);
        if segment.has(flag::ACK) {
            segment.ack = segment.ack.wrapping_sub(offset);
        }
        for option in &mut segment.options {
            match option {
                OptionSpec::Sack(blocks) => shift(blocks, offset.wrapping_neg()),
                OptionSpec::Timestamp { value: Some(value), .. } => {
                    if let Some(script) = script_timestamp {
                        self.timestamps.insert(script, *value);
                        self.first_timestamp.get_or_insert((script, *value));
                    }
                    if let Some((script, live)) = self.first_timestamp {
                        *value = value.wrapping_sub(live).wrapping_add(script);
                    }
                }
                _ => {}
            }
        }
        segment
    }
}

fn shift(blocks: &mut [(u32, u32)], offset: u32) {
    for (left, right) in blocks {
        *left = left.wrapping_add(offset);
        *right = right.wrapping_add(offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        let at = |text: &str| text.parse().unwrap();
        Flow::new(Stage::Passive, at("192.168.0.1:8080"), at("192.0.2.1:5000"))
    }

    fn segment(flags: u8, seq: u32, ack: u32) -> Segment {
        Segment { flags, seq, ack, ..Segment::default() }
    }

    fn sent(flow: &mut Flow, live: &Segment, script: u32) {
        let ip = crate::packet::IpHeader {
            source: flow.local.ip(),
            destination: flow.remote.ip(),
            tos: 0,
            ttl: 64,
            flow_label: 0,
        };
        let packet = Packet { ip, payload: Payload::Tcp(live.clone()) };
        let script = SeqSpec { start: Some(script), length: 0, absolute: false };
        flow.learn_sent(&packet, live, script);
    }

    #[test]
    fn numbers_are_relative_but_in_a_syn() {
        let mut flow = flow();
        flow.learn_received(flag::SYN, 10);
        let live = flow.live(segment(flag::SYN, 10, 0), false).unwrap();
        assert_eq!((live.seq, live.source_port, live.destination_port), (10, 5000, 8080));
        let answer = segment(flag::SYN | flag::ACK, 7_000_000, 11);
        sent(&mut flow, &answer, 0);
        let answer = flow.in_script(answer, false, None);
        assert_eq!((answer.seq, answer.ack), (0, 11));
        let live = flow.live(segment(flag::ACK, 1, 1), false).unwrap();
        assert_eq!((live.seq, live.ack), (11, 7_000_001));
        let data = flow.in_script(segment(flag::ACK, 7_000_001, 12), false, None);
        assert_eq!((data.seq, data.ack), (1, 2));
        assert_eq!(flow.live(segment(flag::RST, 5, 0), true).unwrap().seq, 5);
    }

    #[test]
    fn numbers_wrap_around() {
        let mut flow = flow();
        flow.learn_received(flag::SYN, u32::MAX);
        sent(&mut flow, &segment(flag::SYN | flag::ACK, u32::MAX - 1, 0), 0);
        let live = flow.live(segment(flag::ACK, 3, 3), false).unwrap();
        assert_eq!((live.seq, live.ack), (2, 1));
        let back = flow.in_script(segment(flag::ACK, 1, 2), false, None);
        assert_eq!((back.seq, back.ack), (3, 3));
    }

    #[test]
    fn sack_edges_and_timestamps_are_mapped() {
        let mut flow = flow();
        flow.learn_received(flag::SYN, 100);
        sent(&mut flow, &segment(flag::SYN | flag::ACK, 1000, 101), 0);
        let stamp =
            |value, echo| OptionSpec::Timestamp { value: Some(value), echo, echo_absolute: false };
        let mut live = segment(flag::ACK, 1001, 101);
        live.options = vec![stamp(77_000, 5), OptionSpec::Sack(vec![(201, 301)])];
        let script = flow.in_script(live, false, Some(200));
        assert_eq!(script.options, [stamp(200, 5), OptionSpec::Sack(vec![(101, 201)])]);
        let mut next = segment(flag::ACK, 1001, 101);
        next.options = vec![stamp(77_010, 5)];
        assert_eq!(flow.in_script(next, false, Some(211)).options, [stamp(210, 5)]);

        let mut reply = segment(flag::ACK, 1, 1);
        reply.options = vec![stamp(6, 211), OptionSpec::Sack(vec![(1, 2)])];
        let reply = flow.live(reply, false).unwrap();
        assert_eq!(reply.options, [stamp(6, 77_010), OptionSpec::Sack(vec![(1001, 1002)])]);
        let mut unknown = segment(flag::ACK, 1, 1);
        unknown.options = vec![stamp(6, 9)];
        assert_eq!(flow.live(unknown, false), Err(UnknownTimestamp(9)));
    }
}
