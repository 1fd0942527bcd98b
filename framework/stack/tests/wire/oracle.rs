//! The same bytes to `etherparse`: both must read the same out of them, and take and refuse the same.

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TcpOptionElement, TransportSlice};
use fyke_stack::wire::ethernet::{EtherType, Frame};
use fyke_stack::wire::tcp::TcpOption;
use fyke_stack::wire::{Emit, IpProtocol, PseudoHeader, arp, icmpv4, icmpv6, ipv4, ipv6, tcp, udp};
use proptest::collection::vec;
use proptest::prelude::*;

use super::samples;

/// What they read out of a frame.
struct Theirs<'a> {
    sliced: SlicedPacket<'a>,
}

impl<'a> Theirs<'a> {
    fn of(frame: &'a [u8]) -> Self {
        Self { sliced: SlicedPacket::from_ethernet(frame).unwrap() }
    }

    fn transport(&self) -> &TransportSlice<'a> {
        self.sliced.transport.as_ref().unwrap()
    }
}

fn compare(frame: &[u8]) {
    let theirs = Theirs::of(frame);
    let ours = Frame::parse(frame).unwrap();
    let ethernet = theirs
        .sliced
        .link
        .as_ref()
        .unwrap()
        .to_header()
        .and_then(etherparse::LinkHeader::ethernet2)
        .unwrap();
    assert_eq!(ours.source().octets(), ethernet.source);
    assert_eq!(ours.destination().octets(), ethernet.destination);
    match theirs.sliced.net.as_ref().unwrap() {
        NetSlice::Arp(slice) => {
            let slice = slice.to_packet().try_eth_ipv4().unwrap();
            let message = arp::Message::parse(ours.payload()).unwrap();
            assert_eq!(u16::from(message.operation), slice.operation.0);
            assert_eq!(message.sender_mac.octets(), slice.sender_mac);
            assert_eq!(message.sender_ip.octets(), slice.sender_ipv4);
            assert_eq!(message.target_mac.octets(), slice.target_mac);
            assert_eq!(message.target_ip.octets(), slice.target_ipv4);
        }
        NetSlice::Ipv4(slice) => {
            assert_eq!(ours.ethertype(), Some(EtherType::IPV4));
            let packet = ipv4::Packet::parse(ours.payload()).unwrap();
            datagram(&packet, slice);
            if !packet.is_fragment() {
                let (source, destination) = (packet.source(), packet.destination());
                let addresses = PseudoHeader::V4 { source, destination };
                transport(packet.protocol(), packet.payload(), &addresses, theirs.transport());
            }
        }
        NetSlice::Ipv6(slice) => {
            assert_eq!(ours.ethertype(), Some(EtherType::IPV6));
            let packet = ipv6::Packet::parse(ours.payload()).unwrap();
            let header = slice.header().to_header();
            assert_eq!(packet.header().to_vec(), header.to_bytes());
            assert_eq!(packet.traffic_class(), header.traffic_class);
            assert_eq!(packet.flow_label(), header.flow_label.value());
            assert_eq!(packet.source().octets(), header.source);
            assert_eq!(packet.destination().octets(), header.destination);
            let upper = packet.upper_layer().unwrap();
            assert_eq!(upper.protocol.0, slice.payload().ip_number.0);
            assert_eq!(upper.payload, slice.payload().payload);
            let fragmented = upper.fragment.is_some_and(|fragment| !fragment.header.is_atomic());
            assert_eq!(fragmented, slice.is_payload_fragmented());
            if !fragmented {
                let (source, destination) = (packet.source(), packet.destination());
                let addresses = PseudoHeader::V6 { source, destination };
                transport(upper.protocol, upper.payload, &addresses, theirs.transport());
            }
        }
    }
}

fn datagram(ours: &ipv4::Packet<'_>, theirs: &etherparse::Ipv4Slice<'_>) {
    let header = theirs.header().to_header();
    assert_eq!(ours.header_len(), header.header_len());
    assert_eq!(ours.total_len(), header.total_len);
    assert_eq!((ours.dscp(), ours.ecn()), (header.dscp.value(), header.ecn.value()));
    assert_eq!(ours.identification(), header.identification);
    assert_eq!(ours.dont_fragment(), header.dont_fragment);
    assert_eq!(ours.more_fragments(), header.more_fragments);
    assert_eq!(ours.fragment_offset(), header.fragment_offset.byte_offset());
    assert_eq!((ours.ttl(), ours.protocol().0), (header.time_to_live, header.protocol.0));
    assert_eq!(ours.checksum(), header.header_checksum);
    assert_eq!(ours.checksum_is_valid(), header.calc_header_checksum() == header.header_checksum);
    assert_eq!(ours.source().octets(), header.source);
    assert_eq!(ours.destination().octets(), header.destination);
    assert_eq!(ours.header().options.as_bytes(), header.options.as_slice());
    assert_eq!(ours.payload(), theirs.payload().payload);
}

fn transport(
    protocol: IpProtocol,
    bytes: &[u8],
    addresses: &PseudoHeader,
    theirs: &TransportSlice<'_>,
) {
    match theirs {
        TransportSlice::Tcp(theirs) => {
            assert_eq!(protocol, IpProtocol::TCP);
            segment(&tcp::Packet::parse(bytes).unwrap(), addresses, theirs);
        }
        TransportSlice::Udp(theirs) => {
            assert_eq!(protocol, IpProtocol::UDP);
            let ours = udp::Packet::parse(bytes).unwrap();
            assert_eq!(ours.source_port(), theirs.source_port());
            assert_eq!(ours.destination_port(), theirs.destination_port());
            assert_eq!(ours.checksum(), theirs.checksum());
            assert_eq!(ours.payload(), theirs.payload());
            let header = theirs.to_header();
            let checksum = match *addresses {
                PseudoHeader::V4 { source, destination } => header.calc_checksum_ipv4_raw(
                    source.octets(),
                    destination.octets(),
                    theirs.payload(),
                ),
                PseudoHeader::V6 { source, destination } => header.calc_checksum_ipv6_raw(
                    source.octets(),
                    destination.octets(),
                    theirs.payload(),
                ),
            };
            let valid = ours.checksum() == 0 || checksum.unwrap() == ours.checksum();
            assert_eq!(ours.checksum_is_valid(addresses), valid);
        }
        TransportSlice::Icmpv4(theirs) => {
            let ours = icmpv4::Packet::parse(bytes).unwrap();
            assert_eq!((ours.kind(), ours.code()), (theirs.type_u8(), theirs.code_u8()));
            let header = theirs.header();
            let checksum = header.icmp_type.calc_checksum(theirs.payload());
            assert_eq!(ours.checksum_is_valid(), checksum == ours.checksum());
            let emitted = ours.message().to_vec();
            assert_eq!(emitted[4..], theirs.bytes5to8());
        }
        TransportSlice::Icmpv6(theirs) => {
            let ours = icmpv6::Packet::parse(bytes).unwrap();
            assert_eq!((ours.kind(), ours.code()), (theirs.type_u8(), theirs.code_u8()));
            assert_eq!(ours.payload(), theirs.payload());
            assert_eq!(ours.message().to_vec()[4..], theirs.bytes5to8());
            let PseudoHeader::V6 { source, destination } = *addresses else { panic!("{ours:?}") };
            let valid = theirs.is_checksum_valid(source.octets(), destination.octets());
            assert_eq!(ours.checksum_is_valid(addresses), valid);
        }
        TransportSlice::Igmp(_) => assert_eq!(protocol, IpProtocol::IGMP),
    }
}

fn segment(ours: &tcp::Packet<'_>, addresses: &PseudoHeader, theirs: &etherparse::TcpSlice<'_>) {
    assert_eq!(ours.source_port(), theirs.source_port());
    assert_eq!(ours.destination_port(), theirs.destination_port());
    assert_eq!(ours.seq(), theirs.sequence_number());
    assert_eq!(ours.ack(), theirs.acknowledgment_number());
    let flags = [
        (tcp::FIN, theirs.fin()),
        (tcp::SYN, theirs.syn()),
        (tcp::RST, theirs.rst()),
        (tcp::PSH, theirs.psh()),
        (tcp::ACK, theirs.ack()),
        (tcp::URG, theirs.urg()),
        (tcp::ECE, theirs.ece()),
        (tcp::CWR, theirs.cwr()),
        (tcp::AE, theirs.ns()),
    ];
    for (flag, set) in flags {
        assert_eq!(ours.flags() & flag != 0, set, "{flag:#x}");
    }
    assert_eq!(ours.window(), theirs.window_size());
    assert_eq!(ours.urgent(), theirs.urgent_pointer());
    assert_eq!(ours.payload(), theirs.payload());
    let checksum = match *addresses {
        PseudoHeader::V4 { source, destination } => {
            theirs.calc_checksum_ipv4(source.octets(), destination.octets())
        }
        PseudoHeader::V6 { source, destination } => {
            theirs.calc_checksum_ipv6(source.octets(), destination.octets())
        }
    };
    assert_eq!(ours.checksum_is_valid(addresses), checksum.unwrap() == ours.checksum());
    // They stop at options they do not know, so the options are the same up to there.
    for (ours, theirs) in ours.options().zip(theirs.options_iterator()) {
        let Ok(theirs) = theirs else { break };
        let same = match theirs {
            TcpOptionElement::Noop => ours == TcpOption::Nop,
            TcpOptionElement::MaximumSegmentSize(size) => {
                ours == TcpOption::MaximumSegmentSize(size)
            }
            TcpOptionElement::WindowScale(shift) => ours == TcpOption::WindowScale(shift),
            TcpOptionElement::SelectiveAcknowledgementPermitted => ours == TcpOption::SackPermitted,
            TcpOptionElement::SelectiveAcknowledgement(first, more) => {
                let blocks: Vec<_> = [Some(first)].into_iter().chain(more).flatten().collect();
                ours == TcpOption::Sack(tcp::SackBlocks::new(&blocks))
            }
            TcpOptionElement::Timestamp(value, echo) => {
                ours == TcpOption::Timestamps { value, echo }
            }
        };
        assert!(same, "{ours:?} is {theirs:?} to them");
    }
}

#[test]
fn the_capture_reads_the_same() {
    let capture = samples::capture();
    assert!(capture.len() > 100);
    for (number, packet) in capture.iter().enumerate() {
        println!("packet {}", number + 1); // shown when one differs
        compare(packet.bytes);
    }
}

proptest! {
    #[test]
    fn what_they_build_reads_the_same(
        macs: ([u8; 6], [u8; 6]), addresses: ([u8; 4], [u8; 4]), ports: (u16, u16), seq: u32,
        ack: u32, window: u16, bits: u8, size: u16, shift: u8, times: (u32, u32),
        payload in vec(any::<u8>(), 0..200), six: bool,
    ) {
        let link = PacketBuilder::ethernet2(macs.0, macs.1);
        let net = if six {
            let wide = |[a, b, c, d]: [u8; 4]| {
                [0x20, 1, 0xd, 0xb8, a, b, c, d, d, c, b, a, 0, 0, a, 1]
            };
            link.ipv6(wide(addresses.0), wide(addresses.1), 64)
        } else {
            link.ipv4(addresses.0, addresses.1, 64)
        };
        let mut frame = Vec::new();
        if bits & 0x40 == 0 {
            let mut tcp = net.tcp(ports.0, ports.1, seq, window).ack(ack).options(&[
                TcpOptionElement::MaximumSegmentSize(size),
                TcpOptionElement::Noop,
                TcpOptionElement::WindowScale(shift),
                TcpOptionElement::SelectiveAcknowledgementPermitted,
                TcpOptionElement::Timestamp(times.0, times.1),
                TcpOptionElement::SelectiveAcknowledgement(times, [None, None, None]),
            ]).unwrap();
            tcp = if bits & 1 != 0 { tcp.syn() } else { tcp.psh() };
            tcp = if bits & 2 != 0 { tcp.fin() } else { tcp.ece() };
            tcp = if bits & 4 != 0 { tcp.rst() } else { tcp.cwr() };
            tcp = if bits & 8 != 0 { tcp.urg(size) } else { tcp.ns() };
            tcp.write_to_vec(&mut frame, &payload).unwrap();
        } else if bits & 0x80 == 0 {
            net.udp(ports.0, ports.1).write_to_vec(&mut frame, &payload).unwrap();
        } else if six {
            net.icmpv6_echo_request(ports.0, ports.1).write_to_vec(&mut frame, &payload).unwrap();
        } else {
            net.icmpv4_echo_request(ports.0, ports.1).write_to_vec(&mut frame, &payload).unwrap();
        }
        compare(&frame);
    }

    #[test]
    fn ipv4_and_tcp_are_taken_and_refused_alike(bytes in vec(any::<u8>(), 0..80), first in 0x40u8..0x50, total in 0u16..90) {
        let mut bytes = bytes;
        if let Some(front) = bytes.first_chunk_mut::<4>() {
            front[0] = first;
            front[2..].copy_from_slice(&total.to_be_bytes());
        }
        let theirs = etherparse::Ipv4Header::from_slice(&bytes).map(|(header, _)| header);
        let ours = ipv4::Packet::parse_quoted(&bytes);
        // Theirs looks at the total length later than ours.
        let theirs = theirs.ok().filter(|header| usize::from(header.total_len) >= header.header_len());
        prop_assert_eq!(ours.is_ok(), theirs.is_some());
        let theirs = etherparse::TcpSlice::from_slice(&bytes);
        prop_assert_eq!(tcp::Packet::parse(&bytes).is_ok(), theirs.is_ok());
    }
}
