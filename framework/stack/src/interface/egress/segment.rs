//! Segments to bytes: the header, and the options in the order of the system one looks like.

use core::net::IpAddr;

use fyke_clock::Instant;

use super::ip::{Outgoing, Transport};
use super::prepared::Prepared;
use crate::interface::net::Net;
use crate::interface::tuple::FourTuple;
use crate::stack::capture::Direction;
use crate::stack::config::Personality;
use crate::stack::frame::{Gso, GsoKind, TxSink};
use crate::stack::mtu_calls::tcp_headers;
use crate::tcp::{self, Flags, Payload, Segment, SegmentSink};
use crate::wire::tcp::{Header, Options, SackBlocks, TcpOption};
use crate::wire::{ChecksumIntent, Emit, IpProtocol, PseudoHeader};

/// A segment of the stack's own that waits to be sent: a reset, a SYN-ACK, an answer in TIME-WAIT.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) tuple: FourTuple,
    pub(crate) segment: Segment,
    pub(crate) look: Look,
}

/// What of an IP header is a socket's to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
}

/// Pieces of a payload that are gathered without an allocation. A super-segment of small writes has
/// more; the device gets them as they are, too.
const PIECES_FEW: usize = 16;

/// What takes a connection's segments during its turn.
pub(super) struct SegmentOut<'a> {
    pub(super) net: &'a mut Net,
    pub(super) out: &'a mut dyn TxSink,
    pub(super) now: Instant,
    pub(super) tuple: FourTuple,
    pub(super) hop_limit: u8,
    pub(super) traffic_class: u8,
    /// Segments it may still send before it is the next one's turn.
    pub(super) left: usize,
    /// What its segments have in common, from the first one on.
    pub(super) shared: Shared,
}

/// Whether the headers that segments have in common were worked out.
#[expect(clippy::large_enum_variant, reason = "it lives on the stack, for one turn")]
pub(super) enum Shared {
    /// Not yet.
    Unknown,
    /// They were.
    Known(Prepared),
    /// They cannot be, or it is not worth it: each segment goes its own way.
    None,
}

impl SegmentSink for SegmentOut<'_> {
    fn has_room(&self) -> bool {
        self.left > 0 && self.out.ready()
    }

    fn send(&mut self, segment: &Segment, payload: Payload<'_>) {
        self.left = self.left.saturating_sub(1);
        let mut rest = payload;
        let first = rest.next().unwrap_or_default();
        if rest.is_empty() {
            let one = &[first];
            return self.emit(segment, &one[usize::from(first.is_empty())..]);
        }
        let mut pieces: [&[u8]; PIECES_FEW] = [&[]; PIECES_FEW];
        pieces[0] = first;
        let mut count = 1;
        for (slot, piece) in pieces[1..].iter_mut().zip(rest.by_ref()) {
            *slot = piece;
            count += 1;
        }
        if rest.is_empty() {
            return self.emit(segment, &pieces[..count]);
        }
        let mut all = pieces.to_vec();
        all.extend(rest);
        self.emit(segment, &all);
    }

    fn mss_max(&self) -> Option<u16> {
        let remote = self.tuple.remote().ip();
        let local = self.net.addresses.is_local(remote);
        (!local).then(|| self.net.link_mtu(remote).saturating_sub(tcp_headers(remote)))
    }

    fn note_mtu_probe(&mut self) {
        self.net.counters.mtu_probes_out += 1;
        if let Some(capture) = &mut self.net.capture {
            capture.remark(self.now, Direction::Out, "MTU probe");
        }
    }
}

impl SegmentOut<'_> {
    pub(super) fn emit(&mut self, segment: &Segment, payload: &[&[u8]]) {
        let header = Header {
            source_port: self.tuple.local_port(),
            destination_port: self.tuple.remote_port(),
            seq: segment.seq.value(),
            ack: segment.ack.value(),
            flags: segment.flags.bits(),
            window: segment.window,
            urgent: segment.urgent,
            options: options(self.net.config.personality, segment),
        };
        let kind = if self.tuple.is_ipv4() { GsoKind::Tcp4 } else { GsoKind::Tcp6 };
        let gso = (segment.gso_size > 0).then_some(Gso { size: segment.gso_size, kind });
        self.net.counters.segments_out += 1;
        let ecn = segment.ecn as u8;
        if matches!(self.shared, Shared::Unknown) {
            let packet = self.packet(0);
            self.shared = self.net.prepare(self.now, &packet).map_or(Shared::None, Shared::Known);
        }
        if let Shared::Known(shared) = &mut self.shared
            && let Some(frame) = shared.frame(&header, ecn, payload, gso)
        {
            return self.net.transmit(self.now, &frame, self.out);
        }
        self.emit_alone(&header, ecn, payload, gso);
    }

    /// The IP header's part.
    fn packet(&self, ecn: u8) -> Outgoing {
        let (local, remote) = (self.tuple.local().ip(), self.tuple.remote().ip());
        Outgoing {
            traffic_class: self.traffic_class & !3 | ecn,
            dont_fragment: true,
            ..Outgoing::new(local, remote, IpProtocol::TCP, self.hop_limit)
        }
    }

    /// A segment that shares nothing with others.
    fn emit_alone(&mut self, header: &Header, ecn: u8, payload: &[&[u8]], gso: Option<Gso>) {
        let packet = self.packet(ecn);
        let mut bytes = [0; 60];
        let bytes = &mut bytes[..header.wire_len()];
        header.emit(bytes);
        let intent = self.net.checksum_intent(packet.destination);
        if let Some(pseudo) = PseudoHeader::new(packet.source, packet.destination) {
            Header::fill_checksum(bytes, &pseudo, payload, intent);
        }
        let partial = intent == ChecksumIntent::Partial;
        let transport = Transport {
            header: bytes,
            payload,
            partial_checksum: partial.then_some(crate::wire::tcp::CHECKSUM_OFFSET as u16),
            gso,
        };
        self.net.send(self.now, &packet, &transport, self.out);
    }
}

impl Net {
    /// What is done about a transport checksum towards a destination.
    pub(crate) fn checksum_intent(&self, destination: IpAddr) -> ChecksumIntent {
        if self.addresses.is_local(destination) {
            ChecksumIntent::None
        } else if self.config.offload.checksum {
            ChecksumIntent::Partial
        } else {
            ChecksumIntent::Full
        }
    }

    /// Sends a segment of the stack's own.
    pub(super) fn send_reply(&mut self, now: Instant, reply: &Reply, out: &mut dyn TxSink) {
        if reply.segment.flags.contains(Flags::RST) {
            self.counters.resets_out += 1;
        }
        let Reply { tuple, segment, look: Look { hop_limit, traffic_class } } = reply;
        let (hop_limit, traffic_class, tuple) = (*hop_limit, *traffic_class, *tuple);
        let (left, shared) = (1, Shared::None);
        let net = self;
        let mut to = SegmentOut { net, out, now, tuple, hop_limit, traffic_class, left, shared };
        to.emit(segment, &[&segment.payload]);
    }
}

/// The options as the named system orders and pads them.
fn options(personality: Personality, segment: &Segment) -> Options {
    let mut to = Options::EMPTY;
    match personality {
        Personality::Linux => linux(&mut to, &segment.options),
        Personality::FreeBsd => freebsd(&mut to, &segment.options),
    }
    to
}

/// Adds an option; what does not fit is left out, which the order makes the least important.
fn add(to: &mut Options, option: TcpOption<'_>) -> bool {
    to.push(option)
}

/// NOPs until the length is `remainder` modulo four.
fn align(to: &mut Options, remainder: usize) {
    while to.as_bytes().len() % 4 != remainder && add(to, TcpOption::Nop) {}
}

fn sack(segment: &tcp::Options, to: &Options) -> Option<TcpOption<'static>> {
    // Two NOPs, kind and length come before the blocks.
    let fit = to.room().saturating_sub(4) / 8;
    let mut blocks = [(0, 0); 4];
    let mut count = 0;
    for (block, (left, right)) in blocks.iter_mut().zip(segment.sack.as_slice()).take(fit) {
        *block = (left.value(), right.value());
        count += 1;
    }
    (count > 0).then(|| TcpOption::Sack(SackBlocks::new(&blocks[..count])))
}

fn linux(to: &mut Options, from: &tcp::Options) {
    // What nearly every segment has, and nothing else.
    let plain = from.sack.is_empty() && from.mss.is_none() && from.fast_open.is_none();
    if let Some(stamp) = from.timestamp.filter(|_| plain && !from.sack_permitted)
        && from.window_scale.is_none()
    {
        *to = Options::timestamps(stamp.value, stamp.echo);
        return;
    }
    if let Some(mss) = from.mss {
        add(to, TcpOption::MaximumSegmentSize(mss));
    }
    if let Some(stamp) = from.timestamp {
        if from.sack_permitted {
            add(to, TcpOption::SackPermitted);
        } else {
            align(to, 2);
        }
        add(to, TcpOption::Timestamps { value: stamp.value, echo: stamp.echo });
    } else if from.sack_permitted {
        align(to, 2);
        add(to, TcpOption::SackPermitted);
    }
    if let Some(shift) = from.window_scale {
        align(to, 1);
        add(to, TcpOption::WindowScale(shift));
    }
    if let Some(sack) = sack(from, to) {
        align(to, 2);
        add(to, sack);
    }
    if let Some(cookie) = &from.fast_open {
        add(to, TcpOption::FastOpen(cookie));
        align(to, 0);
    }
}

fn freebsd(to: &mut Options, from: &tcp::Options) {
    if let Some(mss) = from.mss {
        add(to, TcpOption::MaximumSegmentSize(mss));
    }
    if let Some(shift) = from.window_scale {
        align(to, 1);
        add(to, TcpOption::WindowScale(shift));
    }
    if from.sack_permitted {
        if !to.as_bytes().len().is_multiple_of(2) {
            add(to, TcpOption::Nop);
        }
        add(to, TcpOption::SackPermitted);
    }
    if let Some(stamp) = from.timestamp {
        align(to, 2);
        add(to, TcpOption::Timestamps { value: stamp.value, echo: stamp.echo });
    }
    if let Some(cookie) = &from.fast_open {
        add(to, TcpOption::FastOpen(cookie));
    }
    if let Some(sack) = sack(from, to) {
        align(to, 2);
        add(to, sack);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::tcp::{SackBlocks, SeqNum, Timestamp};

    const NOP: u8 = 1;

    fn kinds(personality: Personality, options: &tcp::Options) -> Vec<u8> {
        let segment = Segment { options: options.clone(), ..Segment::default() };
        let wire = super::options(personality, &segment);
        let (mut kinds, mut at) = (Vec::new(), 0);
        let bytes = wire.as_bytes();
        while at < bytes.len() {
            kinds.push(bytes[at]);
            at += if bytes[at] == NOP { 1 } else { usize::from(bytes[at + 1]) };
        }
        kinds
    }

    #[test]
    fn a_syn_looks_like_that_of_its_system() {
        let mut options = tcp::Options {
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
            timestamp: Some(Timestamp::default()),
            ..tcp::Options::default()
        };
        assert_eq!(kinds(Personality::Linux, &options), [2, 4, 8, NOP, 3]);
        assert_eq!(kinds(Personality::FreeBsd, &options), [2, NOP, 3, 4, 8]);
        options.timestamp = None;
        assert_eq!(kinds(Personality::Linux, &options), [2, NOP, NOP, 4, NOP, 3]);
        assert_eq!(kinds(Personality::FreeBsd, &options), [2, NOP, 3, 4]);
    }

    #[test]
    fn timestamps_alone_stand_behind_two_nops() {
        let stamp = Timestamp { value: 0x0102_0304, echo: 0xf1f2_f3f4 };
        let options = tcp::Options { timestamp: Some(stamp), ..tcp::Options::default() };
        let segment = Segment { options, ..Segment::default() };
        let bytes = [1, 1, 8, 10, 1, 2, 3, 4, 0xf1, 0xf2, 0xf3, 0xf4];
        for personality in [Personality::Linux, Personality::FreeBsd] {
            assert_eq!(super::options(personality, &segment).as_bytes(), bytes);
        }
        let read = crate::wire::tcp::OptionsIter::only_timestamps;
        assert_eq!(read(&bytes), Some((stamp.value, stamp.echo)));
        for other in [&bytes[..11], &bytes[2..], &[&bytes[..], &[0; 4]].concat()] {
            assert_eq!(read(other), None);
        }
    }

    #[test]
    fn blocks_that_do_not_fit_are_left_out() {
        let mut options =
            tcp::Options { timestamp: Some(Timestamp::default()), ..tcp::Options::default() };
        let mut sack = SackBlocks::EMPTY;
        for n in 0..4 {
            sack.push(SeqNum::new(n * 10), SeqNum::new(n * 10 + 5));
        }
        options.sack = sack;
        let segment = Segment { options, ..Segment::default() };
        for personality in [Personality::Linux, Personality::FreeBsd] {
            let wire = super::options(personality, &segment);
            assert_eq!(wire.as_bytes().len(), 12 + 2 + 2 + 3 * 8);
        }
    }
}
