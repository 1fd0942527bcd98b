//! TCP data that is sent again, and what became of it the last time.
//!
//! It looks at what hosts send and at what the network drops. What it remembers is bounded: beyond
//! that, comments are missing and nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use fyke_clock::Instant;
use fyke_stack::wire::ethernet;
use fyke_stack::wire::{IpProtocol, ipv4, ipv6, tcp};

/// Directions of connections, and dropped segments, that are remembered.
const FLOWS_MAX: usize = 4096;
const DROPPED_MAX: usize = 4096;

type Flow = (IpAddr, IpAddr, u16, u16);

#[derive(Debug)]
struct Segment {
    flow: Flow,
    seq: u32,
    /// SYN and FIN count, too.
    length: u32,
    is_syn: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Again {
    /// The sequence number behind the last byte sent.
    next: BTreeMap<Flow, u32>,
    dropped: BTreeMap<(Flow, u32), (Instant, &'static str)>,
    order: VecDeque<(Flow, u32)>,
}

impl Again {
    /// A host sends a frame: what there is to say about it.
    pub(crate) fn sent(&mut self, frame: &[u8]) -> Option<String> {
        let segment = segment_of(frame)?;
        let end = segment.seq.wrapping_add(segment.length);
        let known = self.next.get(&segment.flow).copied();
        let is_old = known.is_some_and(|next| (end.wrapping_sub(next) as i32) <= 0);
        // A SYN may begin another connection of the same pair of ports.
        if !is_old || (segment.is_syn && known != Some(end)) {
            if known.is_some() || self.next.len() < FLOWS_MAX {
                self.next.insert(segment.flow, end);
            }
            return None;
        }
        Some(match self.dropped.get(&(segment.flow, segment.seq)) {
            Some((at, why)) => format!("sent again: it was dropped at {at} ({why})"),
            None => "sent again: it was not dropped here".to_owned(),
        })
    }

    /// The network drops a frame.
    pub(crate) fn dropped(&mut self, now: Instant, frame: &[u8], why: &'static str) {
        let Some(segment) = segment_of(frame) else { return };
        let key = (segment.flow, segment.seq);
        if self.dropped.insert(key, (now, why)).is_none() {
            self.order.push_back(key);
            if self.order.len() > DROPPED_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.dropped.remove(&oldest);
            }
        }
    }
}

/// The TCP segment in a frame, when it occupies sequence numbers.
fn segment_of(frame: &[u8]) -> Option<Segment> {
    let frame = ethernet::Frame::parse(frame).ok()?;
    let (from, to, protocol, payload) = match frame.payload().first()? >> 4 {
        4 => {
            let packet = ipv4::Packet::parse(frame.payload()).ok()?;
            let ends = (IpAddr::V4(packet.source()), IpAddr::V4(packet.destination()));
            (ends.0, ends.1, packet.protocol(), packet.payload())
        }
        _ => {
            let packet = ipv6::Packet::parse(frame.payload()).ok()?;
            let ends = (IpAddr::V6(packet.source()), IpAddr::V6(packet.destination()));
            (ends.0, ends.1, packet.next_header(), packet.payload())
        }
    };
    if protocol != IpProtocol::TCP {
        return None;
    }
    let segment = tcp::Packet::parse(payload).ok()?;
    let control = |bit: u16| u32::from(segment.flags() & bit != 0);
    let length = segment.payload().len() as u32 + control(tcp::SYN) + control(tcp::FIN);
    (length > 0).then_some(Segment {
        flow: (from, to, segment.source_port(), segment.destination_port()),
        seq: segment.seq(),
        length,
        is_syn: segment.flags() & tcp::SYN != 0,
    })
}
