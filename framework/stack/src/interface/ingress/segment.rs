//! Bytes to segments: the one place where TCP's wire format becomes TCP's behaviour.

use bytes::Bytes;

use super::Inbound;
use crate::interface::tuple::FourTuple;
use crate::stack::counters::DropReason;
use crate::tcp::{Ecn, Flags, Options, SackBlocks, Segment, SeqNum, Timestamp};
use crate::wire::PseudoHeader;
use crate::wire::tcp::{OptionsIter, Packet, TcpOption};

/// What a peer takes over IPv6 that does not tell (RFC 9293, section 3.7.1): the smallest MTU less the
/// headers. TCP's own default is that of IPv4.
const IPV6_MSS_DEFAULT: u16 = 1220;

/// Whose the segment in a packet is, when it is one and its checksum is right.
pub(super) fn tuple_of(inbound: &Inbound) -> Result<FourTuple, DropReason> {
    let packet = Packet::parse(inbound.payload()).map_err(|_| DropReason::Malformed)?;
    let pseudo = PseudoHeader::new(inbound.source, inbound.destination);
    let pseudo = pseudo.ok_or(DropReason::Malformed)?;
    if inbound.checksum_is_open() && !packet.checksum_is_valid(&pseudo) {
        return Err(DropReason::TransportChecksum);
    }
    let (ours, theirs) = (packet.destination_port(), packet.source_port());
    Ok(FourTuple::of(inbound.destination, ours, inbound.source, theirs))
}

/// The segment in a packet that has one.
pub(super) fn of(inbound: Inbound) -> Option<Segment> {
    let packet = Packet::parse(inbound.payload()).ok()?;
    let flags = Flags::from_bits(packet.flags());
    let mut options = options(&packet);
    if flags.contains(Flags::SYN) && inbound.source.is_ipv6() {
        options.mss.get_or_insert(IPV6_MSS_DEFAULT);
    }
    let (seq, ack) = (SeqNum::new(packet.seq()), SeqNum::new(packet.ack()));
    let (window, urgent) = (packet.window(), packet.urgent());
    let (ecn, gso_size) = (Ecn::from_bits(inbound.traffic_class), inbound.meta.gso_size);
    let header_len = packet.header_len();
    let payload = inbound.into_payload(header_len);
    Some(Segment { seq, ack, flags, window, urgent, options, ecn, payload, gso_size })
}

/// The options that mean something. Of two of a kind the first counts, as with a kernel's parser
/// only the order decides; the header bounds how many there are.
fn options(packet: &Packet<'_>) -> Options {
    let mut options = Options::default();
    if let Some((value, echo)) = OptionsIter::only_timestamps(packet.options_bytes()) {
        options.timestamp = Some(Timestamp { value, echo });
        return options;
    }
    for option in packet.options() {
        match option {
            TcpOption::EndOfList => break,
            TcpOption::MaximumSegmentSize(size) => {
                options.mss.get_or_insert(size);
            }
            TcpOption::WindowScale(shift) => {
                options.window_scale.get_or_insert(shift);
            }
            TcpOption::SackPermitted => options.sack_permitted = true,
            TcpOption::Timestamps { value, echo } => {
                options.timestamp.get_or_insert(Timestamp { value, echo });
            }
            TcpOption::Sack(blocks) if options.sack.is_empty() => {
                let mut to = SackBlocks::EMPTY;
                for (left, right) in blocks.as_slice() {
                    to.push(SeqNum::new(*left), SeqNum::new(*right));
                }
                options.sack = to;
            }
            TcpOption::FastOpen(cookie) | TcpOption::FastOpenExperiment(cookie) => {
                options.fast_open.get_or_insert_with(|| Bytes::copy_from_slice(cookie));
            }
            _ => {}
        }
    }
    options
}
