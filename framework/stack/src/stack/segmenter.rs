//! What a device without offload needs in front of it: super-segments are cut, checksums completed.

use alloc::vec::Vec;

use super::frame::{Gso, GsoKind, TxChecksum, TxFrame, TxSink};
use crate::wire::tcp::{CHECKSUM_OFFSET, CWR, FIN, PSH};
use crate::wire::{IpProtocol, PseudoHeader, Sum, ipv4, ipv6};

/// A sink that hands frames on as a device without offload can send them.
///
/// Every frame that comes out is complete and no longer than the segment size says. It can be put
/// in front of a device for good, or used when a device refuses a super-segment.
///
/// ```
/// use bytes::Bytes;
/// use fyke_stack::{Segmenter, TxChecksum, TxFrame, TxSink};
///
/// let mut device: Vec<Bytes> = Vec::new();
/// let frame = TxFrame {
///     header: &[0x45, 0, 0, 21],
///     payload: &[b"x"],
///     network_offset: 0,
///     transport_offset: 4,
///     gso: None,
///     checksum: TxChecksum::Complete,
/// };
/// Segmenter::new(&mut device).transmit(frame);
/// assert_eq!(device[0], [0x45, 0, 0, 21, b'x'][..]);
/// ```
#[derive(Debug)]
pub struct Segmenter<'a, S: TxSink> {
    device: &'a mut S,
    header: Vec<u8>,
}

impl<'a, S: TxSink> Segmenter<'a, S> {
    /// In front of `device`.
    #[must_use]
    pub const fn new(device: &'a mut S) -> Self {
        Self { device, header: Vec::new() }
    }

    /// Sends one piece of a super-segment: `offset` bytes of payload were before it.
    fn send_piece(&mut self, frame: &TxFrame<'_>, piece: &[&[u8]], at: Position) {
        self.header.clear();
        self.header.extend_from_slice(frame.header);
        let network = usize::from(frame.network_offset);
        let transport = usize::from(frame.transport_offset);
        let payload: usize = piece.iter().map(|part| part.len()).sum();
        let length = self.header.len() - network + payload;
        fix_network(&mut self.header[network..transport], length, at.number);
        fix_transport(&mut self.header[transport..], &at);
        let pseudo = pseudo_of(&self.header[network..transport]);
        complete(&mut self.header, transport, CHECKSUM_OFFSET, piece, pseudo);
        self.device.transmit(TxFrame {
            header: &self.header,
            payload: piece,
            gso: None,
            checksum: TxChecksum::Complete,
            ..*frame
        });
    }

    fn cut(&mut self, frame: &TxFrame<'_>, gso: Gso) {
        let size = usize::from(gso.size).max(1);
        let total: usize = frame.payload.iter().map(|part| part.len()).sum();
        let (mut offset, mut number) = (0, 0);
        while offset < total || number == 0 {
            let end = total.min(offset + size);
            let piece = range(frame.payload, offset, end);
            let at = Position { offset: offset as u32, number, last: end == total };
            self.send_piece(frame, &piece, at);
            (offset, number) = (end, number.wrapping_add(1));
        }
    }
}

impl<S: TxSink> TxSink for Segmenter<'_, S> {
    fn ready(&self) -> bool {
        self.device.ready()
    }

    fn transmit(&mut self, frame: TxFrame<'_>) {
        match (frame.gso, frame.checksum) {
            (Some(gso), _) if is_whole(&frame, gso.kind) => self.cut(&frame, gso),
            (_, TxChecksum::Partial { start, offset }) => {
                self.header.clear();
                self.header.extend_from_slice(frame.header);
                complete(&mut self.header, start.into(), offset.into(), frame.payload, None);
                let header = &self.header;
                let checksum = TxChecksum::Complete;
                self.device.transmit(TxFrame { header, checksum, gso: None, ..frame });
            }
            _ => self.device.transmit(frame),
        }
    }
}

/// Where a piece stands in its super-segment.
struct Position {
    offset: u32,
    number: u16,
    last: bool,
}

/// Whether the headers are where the frame says, so that they can be changed.
fn is_whole(frame: &TxFrame<'_>, kind: GsoKind) -> bool {
    let network = match kind {
        GsoKind::Tcp4 => ipv4::HEADER_LEN,
        GsoKind::Tcp6 => ipv6::HEADER_LEN,
    };
    usize::from(frame.network_offset) + network <= usize::from(frame.transport_offset)
        && usize::from(frame.transport_offset) + crate::wire::tcp::HEADER_LEN <= frame.header.len()
}

/// The part of a payload from `start` to `end`.
fn range<'a>(payload: &[&'a [u8]], start: usize, end: usize) -> Vec<&'a [u8]> {
    let (mut before, mut parts) = (0, Vec::new());
    for part in payload {
        let from = start.saturating_sub(before).min(part.len());
        let to = end.saturating_sub(before).min(part.len());
        if from < to {
            parts.push(&part[from..to]);
        }
        before += part.len();
    }
    parts
}

/// Length, identification and checksum of the IP header.
fn fix_network(header: &mut [u8], length: usize, number: u16) {
    if header[0] >> 4 == 4 {
        header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        let first = u16::from_be_bytes([header[4], header[5]]);
        header[4..6].copy_from_slice(&first.wrapping_add(number).to_be_bytes());
        header[10..12].fill(0);
        let checksum = Sum::new().with([&*header]).checksum();
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
    } else {
        let payload = length - ipv6::HEADER_LEN;
        header[4..6].copy_from_slice(&(payload as u16).to_be_bytes());
    }
}

/// Sequence number and flags: PSH and FIN belong to the last piece, CWR to the first.
fn fix_transport(header: &mut [u8], at: &Position) {
    let seq = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    header[4..8].copy_from_slice(&seq.wrapping_add(at.offset).to_be_bytes());
    let mut word = u16::from_be_bytes([header[12], header[13]]);
    if !at.last {
        word &= !(FIN | PSH);
    }
    if at.number > 0 {
        word &= !CWR;
    }
    header[12..14].copy_from_slice(&word.to_be_bytes());
}

/// The addresses of an IP header.
fn pseudo_of(header: &[u8]) -> Option<PseudoHeader> {
    if header[0] >> 4 == 4 {
        let packet = ipv4::Packet::parse_quoted(header).ok()?;
        return PseudoHeader::new(packet.source().into(), packet.destination().into());
    }
    let packet = ipv6::Packet::parse_quoted(header).ok()?;
    PseudoHeader::new(packet.source().into(), packet.destination().into())
}

/// Completes a checksum: with addresses from the beginning, without from the sum that stands there.
fn complete(
    header: &mut [u8],
    start: usize,
    offset: usize,
    payload: &[&[u8]],
    addresses: Option<PseudoHeader>,
) {
    let Some(transport) = header.get_mut(start..) else { return };
    let length = transport.len() + payload.iter().map(|part| part.len()).sum::<usize>();
    let begin = match addresses {
        Some(addresses) => {
            if let Some(field) = transport.get_mut(offset..offset + 2) {
                field.fill(0);
            }
            addresses.sum(IpProtocol::TCP, length)
        }
        None => Sum::new(),
    };
    let sum = begin.with([&*transport]).with(payload.iter().copied()).checksum();
    // All ones is a zero that says that there is a checksum; for TCP the two are the same.
    let sum = if sum == 0 { 0xffff } else { sum };
    if let Some(field) = transport.get_mut(offset..offset + 2) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}
