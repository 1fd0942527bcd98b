//! What is longer than the path carries leaves in pieces (RFC 791, RFC 8200 section 4.5).

use alloc::vec::Vec;

use fyke_clock::Instant;

use super::ip::{Headers, Outgoing, Transport, push_ip_header};
use super::link::FrameRest;
use super::queue::{Queued, Waiting};
use crate::interface::net::{Net, Path};
use crate::stack::counters::DropReason;
use crate::stack::frame::{TxChecksum, TxFrame, TxSink};
use crate::wire::IpProtocol;
use crate::wire::ipv6::{FRAGMENT_HEADER_LEN, FragmentHeader};

/// Collects frames that are to be queued.
#[derive(Default)]
pub(super) struct Pieces(pub(super) Vec<Waiting>);

impl TxSink for Pieces {
    fn transmit(&mut self, frame: TxFrame<'_>) {
        self.0.push(Waiting::copy(&frame));
    }
}

impl Net {
    /// Queues a packet in pieces of at most `longest` bytes.
    pub(super) fn send_in_fragments(
        &mut self,
        now: Instant,
        path: Path,
        packet: &Outgoing,
        transport: &Transport<'_>,
        longest: u16,
    ) {
        // A checksum that the device should complete would be completed in the first piece only.
        if packet.dont_fragment || transport.partial_checksum.is_some() {
            return self.drop_out(now, DropReason::TooLong);
        }
        let mut whole = Vec::with_capacity(transport.len());
        whole.extend_from_slice(transport.header);
        transport.payload.iter().for_each(|piece| whole.extend_from_slice(piece));
        let ipv4 = packet.destination.is_ipv4();
        let extension = if ipv4 { 0 } else { FRAGMENT_HEADER_LEN };
        let room = usize::from(longest).saturating_sub(packet.header_len() + extension) & !7;
        // IPv4 counts its header in the length, IPv6 does not.
        let most = usize::from(u16::MAX) - if ipv4 { packet.header_len() } else { 0 };
        if room == 0 || whole.len() > most {
            return self.drop_out(now, DropReason::TooLong);
        }
        let identification = self.identification(packet);
        let mut pieces = Pieces::default();
        for (at, piece) in whole.chunks(room).enumerate() {
            let offset = at * room;
            let more = offset + piece.len() < whole.len();
            let fragment = Fragment { offset: offset as u16, more, identification, payload: piece };
            self.send_fragment(now, path, packet, &fragment, &mut pieces);
        }
        for piece in pieces.0 {
            self.enqueue(now, Queued::Frame(piece));
        }
    }

    fn send_fragment(
        &mut self,
        now: Instant,
        path: Path,
        packet: &Outgoing,
        fragment: &Fragment<'_>,
        pieces: &mut Pieces,
    ) {
        let mut headers = Headers::new(self.link_len(path));
        let Fragment { offset, more, identification, payload } = *fragment;
        let complete = if packet.destination.is_ipv4() {
            let word = offset | u16::from(more);
            let low = (identification & 0xffff) as u16;
            push_ip_header(&mut headers, packet, payload.len(), low, word)
        } else {
            let outer = Outgoing { protocol: IpProtocol::FRAGMENT, ..packet.clone() };
            let length = FRAGMENT_HEADER_LEN + payload.len();
            let complete = push_ip_header(&mut headers, &outer, length, 0, 0);
            let next_header = packet.protocol;
            headers.push(&FragmentHeader { next_header, offset, more, identification });
            complete
        };
        if !complete {
            return self.drop_out(now, DropReason::TooLong);
        }
        headers.end_of_network();
        self.counters.fragments_out += 1;
        let rest = FrameRest { payload: &[payload], gso: None, checksum: TxChecksum::Complete };
        self.uncounted(|net| {
            net.send_by(now, path, packet.destination, &mut headers, &rest, pieces);
        });
    }

    /// For what does not leave yet: the counters of frames and the capture wait until it does.
    pub(super) fn uncounted(&mut self, send: impl FnOnce(&mut Self)) {
        let capture = self.capture.take();
        let counted = (self.counters.frames_out, self.counters.bytes_out);
        send(self);
        (self.counters.frames_out, self.counters.bytes_out) = counted;
        self.capture = capture;
    }

    /// An identification that is not used again soon towards this destination, and that tells
    /// others nothing (RFC 7739, section 5.1).
    fn identification(&mut self, packet: &Outgoing) -> u32 {
        self.fragmented = self.fragmented.wrapping_add(1);
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&crate::interface::tuple::octets(packet.source));
        bytes[16..].copy_from_slice(&crate::interface::tuple::octets(packet.destination));
        // Stacks that are one host have the same key, and numbers of their own.
        let shard = self.config.shard.as_ref();
        let (index, count) = shard.map_or((0, 1), |shard| (shard.index(), shard.shards().count()));
        let number = self.fragmented.wrapping_mul(count.into()).wrapping_add(index.into());
        (self.secrets.ident.hash(&bytes) as u32).wrapping_add(number)
    }
}

/// A piece and where it belongs.
struct Fragment<'a> {
    offset: u16,
    more: bool,
    identification: u32,
    payload: &'a [u8],
}
