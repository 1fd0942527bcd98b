//! What is emitted parses to what it was, whatever it was.

use std::net::{Ipv4Addr, Ipv6Addr};

use fyke_stack::wire::ipv4::Ipv4Option;
use fyke_stack::wire::ipv6::Ipv6Option;
use fyke_stack::wire::tcp::{SackBlocks, TcpOption};
use fyke_stack::wire::{
    ChecksumIntent, Emit, IpProtocol, MacAddress, PseudoHeader, arp, ethernet, icmpv4, icmpv6,
    igmp, ipv4, ipv6, mld, tcp, udp, virtio_net,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::case::bytes_of;

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    any::<[u8; 4]>().prop_map(Ipv4Addr::from)
}

fn v6() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 16]>().prop_map(Ipv6Addr::from)
}

fn mac() -> impl Strategy<Value = MacAddress> {
    any::<[u8; 6]>().prop_map(MacAddress)
}

fn protocol() -> impl Strategy<Value = IpProtocol> {
    any::<u8>().prop_map(IpProtocol)
}

/// An option of TCP that owns its data.
#[derive(Debug, Clone)]
enum Owned {
    Plain(TcpOption<'static>),
    FastOpen(Vec<u8>),
    Experiment(Vec<u8>),
    Unknown(u8, Vec<u8>),
}

impl Owned {
    fn borrow(&self) -> TcpOption<'_> {
        match self {
            Self::Plain(option) => *option,
            Self::FastOpen(cookie) => TcpOption::FastOpen(cookie),
            Self::Experiment(cookie) => TcpOption::FastOpenExperiment(cookie),
            Self::Unknown(kind, data) => TcpOption::Unknown { kind: *kind, data },
        }
    }
}

fn tcp_option() -> impl Strategy<Value = Owned> {
    let blocks = vec(any::<(u32, u32)>(), 1..=4).prop_map(|blocks| SackBlocks::new(&blocks));
    prop_oneof![
        Just(Owned::Plain(TcpOption::Nop)),
        any::<u16>().prop_map(|size| Owned::Plain(TcpOption::MaximumSegmentSize(size))),
        any::<u8>().prop_map(|shift| Owned::Plain(TcpOption::WindowScale(shift))),
        Just(Owned::Plain(TcpOption::SackPermitted)),
        blocks.prop_map(|blocks| Owned::Plain(TcpOption::Sack(blocks))),
        any::<(u32, u32)>()
            .prop_map(|(value, echo)| Owned::Plain(TcpOption::Timestamps { value, echo })),
        vec(any::<u8>(), 0..16).prop_map(Owned::FastOpen),
        vec(any::<u8>(), 0..16).prop_map(Owned::Experiment),
        (100u8..200, vec(any::<u8>(), 0..20)).prop_map(|(kind, data)| Owned::Unknown(kind, data)),
    ]
}

prop_compose! {
    fn tcp_header()(
        source_port: u16,
        destination_port: u16,
        seq: u32,
        ack: u32,
        flags in 0u16..0x1000,
        window: u16,
        urgent: u16,
        options in vec(tcp_option(), 0..6),
    ) -> (tcp::Header, Vec<Owned>) {
        let (mut list, mut kept) = (tcp::Options::EMPTY, Vec::new());
        for option in options {
            if list.push(option.borrow()) {
                kept.push(option);
            }
        }
        let options = list;
        let header = tcp::Header {
            source_port, destination_port, seq, ack, flags, window, urgent, options,
        };
        (header, kept)
    }
}

prop_compose! {
    fn ipv4_header()(
        traffic_class: u8,
        identification: u16,
        dont_fragment: bool,
        more_fragments: bool,
        offset in 0u16..0x2000,
        ttl: u8,
        protocol in protocol(),
        source in v4(),
        destination in v4(),
        options in vec(any::<u16>(), 0..8),
    ) -> ipv4::Header {
        let mut list = ipv4::Options::EMPTY;
        for value in options {
            let data = value.to_be_bytes();
            let option = match value % 4 {
                0 => Ipv4Option::Nop,
                1 => Ipv4Option::RouterAlert(value),
                2 => Ipv4Option::RecordRoute(&data),
                _ => Ipv4Option::Unknown { kind: 0x9e, data: &data },
            };
            let _ = list.push(option);
        }
        while !list.as_bytes().len().is_multiple_of(4) {
            assert!(list.push(Ipv4Option::Nop));
        }
        ipv4::Header {
            traffic_class, identification, dont_fragment, more_fragments,
            fragment_offset: offset * 8,
            ttl, protocol, source, destination,
            options: list,
            payload_len: 0,
        }
    }
}

fn icmpv4_message() -> impl Strategy<Value = icmpv4::Message> {
    use icmpv4::Message;
    prop_oneof![
        any::<(u16, u16)>()
            .prop_map(|(identifier, sequence)| Message::EchoRequest { identifier, sequence }),
        any::<(u16, u16)>()
            .prop_map(|(identifier, sequence)| Message::EchoReply { identifier, sequence }),
        (5u8..16).prop_map(|code| Message::Unreachable { code }),
        any::<u16>().prop_map(|mtu| Message::FragmentationNeeded { mtu }),
        (0u8..4, v4()).prop_map(|(code, gateway)| Message::Redirect { code, gateway }),
        any::<u8>().prop_map(|code| Message::TimeExceeded { code }),
        any::<(u8, u8)>().prop_map(|(code, pointer)| Message::ParameterProblem { code, pointer }),
        (13u8.., any::<u8>(), any::<[u8; 4]>()).prop_map(|(kind, code, rest)| Message::Other {
            kind,
            code,
            rest
        }),
    ]
}

fn icmpv6_message() -> impl Strategy<Value = icmpv6::Message> {
    use icmpv6::Message;
    prop_oneof![
        any::<(u16, u16)>()
            .prop_map(|(identifier, sequence)| Message::EchoRequest { identifier, sequence }),
        any::<(u16, u16)>()
            .prop_map(|(identifier, sequence)| Message::EchoReply { identifier, sequence }),
        any::<u8>().prop_map(|code| Message::Unreachable { code }),
        any::<u32>().prop_map(|mtu| Message::PacketTooBig { mtu }),
        any::<u8>().prop_map(|code| Message::TimeExceeded { code }),
        any::<(u8, u32)>().prop_map(|(code, pointer)| Message::ParameterProblem { code, pointer }),
        (130u8.., any::<u8>(), any::<[u8; 4]>()).prop_map(|(kind, code, rest)| Message::Other {
            kind,
            code,
            rest
        }),
    ]
}

fn virtio_header() -> impl Strategy<Value = virtio_net::Header> {
    use virtio_net::{Checksum, Gso, GsoKind};
    let checksum = prop_oneof![
        Just(Checksum::Unchecked),
        Just(Checksum::Valid),
        (0u16..100, 0u16..60).prop_map(|(start, offset)| Checksum::Partial { start, offset }),
    ];
    let kind = prop_oneof![
        Just(GsoKind::TcpV4),
        Just(GsoKind::TcpV6),
        Just(GsoKind::Udp),
        Just(GsoKind::UdpFragments),
    ];
    let gso = (kind, any::<bool>(), 1u16..).prop_map(|(kind, ecn, size)| Gso { kind, ecn, size });
    (checksum, prop::option::of(gso), any::<u16>(), any::<Option<u16>>()).prop_map(
        |(checksum, gso, header_len, buffers)| virtio_net::Header {
            checksum,
            gso,
            header_len,
            buffers,
        },
    )
}

proptest! {
    #[test]
    fn ethernet_frames(
        destination in mac(), source in mac(), control: Option<u16>, ethertype in 0x0600u16..,
        payload in vec(any::<u8>(), 0..80),
    ) {
        let ethertype = ethernet::EtherType(ethertype);
        prop_assume!(!matches!(ethertype, ethernet::EtherType::VLAN | ethernet::EtherType::SERVICE_VLAN));
        let tag = |control| ethernet::VlanTag { ethertype: ethernet::EtherType::VLAN, control };
        let header = ethernet::Header { destination, source, vlan: control.map(tag), ethertype };
        let bytes = [bytes_of(&header), payload.clone()].concat();
        let frame = ethernet::Frame::parse(&bytes).unwrap();
        prop_assert_eq!(frame.header(), Some(header));
        prop_assert_eq!(frame.payload(), payload);
    }

    #[test]
    fn arp_messages(
        operation: u16, sender_mac in mac(), sender_ip in v4(), target_mac in mac(),
        target_ip in v4(), padding in vec(any::<u8>(), 0..20),
    ) {
        let operation = arp::Operation::from(operation);
        let message = arp::Message { operation, sender_mac, sender_ip, target_mac, target_ip };
        let bytes = [bytes_of(&message), padding].concat();
        prop_assert_eq!(arp::Message::parse(&bytes), Ok(message));
    }

    #[test]
    fn ipv4_datagrams(
        header in ipv4_header(), payload in vec(any::<u8>(), 0..200),
        padding in vec(any::<u8>(), 0..30),
    ) {
        let header = ipv4::Header { payload_len: payload.len() as u16, ..header };
        let bytes = [bytes_of(&header), payload.clone(), padding].concat();
        let packet = ipv4::Packet::parse(&bytes).unwrap();
        prop_assert_eq!(packet.header(), header);
        prop_assert_eq!(packet.payload(), payload);
        prop_assert!(packet.checksum_is_valid());
    }

    #[test]
    fn ipv6_packets_with_extension_headers(
        traffic_class: u8, flow_label in 0u32..1 << 20, hop_limit: u8, source in v6(),
        destination in v6(), alert: u16, unknown in vec(any::<u8>(), 0..255), offset in 0u16..0x2000,
        more: bool, identification: u32, payload in vec(any::<u8>(), 0..100),
        padding in vec(any::<u8>(), 0..30),
    ) {
        let options = [
            Ipv6Option::RouterAlert(alert),
            Ipv6Option::Unknown { kind: 0x3e, data: &unknown },
        ];
        let hops = ipv6::OptionsHeader { next_header: IpProtocol::FRAGMENT, options: &options };
        let piece = ipv6::FragmentHeader {
            next_header: IpProtocol::UDP, offset: offset * 8, more, identification,
        };
        let mut body = bytes_of(&hops);
        piece.append(&mut body);
        body.extend(&payload);
        let header = ipv6::Header {
            traffic_class, flow_label, payload_len: body.len() as u16,
            next_header: IpProtocol::HOP_BY_HOP, hop_limit, source, destination,
        };
        let bytes = [bytes_of(&header), body, padding].concat();
        let packet = ipv6::Packet::parse(&bytes).unwrap();
        prop_assert_eq!(packet.header(), header);
        let upper = packet.upper_layer().unwrap();
        prop_assert_eq!((upper.protocol, upper.payload), (IpProtocol::UDP, &payload[..]));
        prop_assert_eq!(upper.fragment.map(|fragment| fragment.header), Some(piece));
        let Some(Ok(ipv6::Extension::HopByHop(read))) = packet.extensions().next() else {
            panic!("no hop-by-hop options");
        };
        let read: Vec<_> = read.iter().map(Result::unwrap).collect();
        prop_assert_eq!(&read[..2], &options);
    }

    #[test]
    fn tcp_segments(
        (header, options) in tcp_header(), source in v4(), destination in v4(),
        payload in vec(any::<u8>(), 0..100), cut: prop::sample::Index,
    ) {
        let addresses = PseudoHeader::V4 { source, destination };
        let (front, back) = payload.split_at(cut.index(payload.len() + 1));
        let mut bytes = bytes_of(&header);
        tcp::Header::fill_checksum(&mut bytes, &addresses, &[front, back], ChecksumIntent::Full);
        bytes.extend(&payload);
        let packet = tcp::Packet::parse(&bytes).unwrap();
        prop_assert!(packet.checksum_is_valid(&addresses));
        prop_assert_eq!(packet.payload(), payload);
        let read = packet.header();
        prop_assert_eq!(tcp::Header { options: header.options, ..read }, header);
        let mut walked = packet.options();
        for option in &options {
            prop_assert_eq!(walked.next(), Some(option.borrow()));
        }
        prop_assert!(walked.all(|option| option == TcpOption::EndOfList), "only padding follows");
    }

    #[test]
    fn udp_datagrams(
        source_port: u16, destination_port: u16, source in v6(), destination in v6(),
        payload in vec(any::<u8>(), 0..100), padding in vec(any::<u8>(), 0..9),
    ) {
        let addresses = PseudoHeader::V6 { source, destination };
        let payload_len = payload.len() as u16;
        let header = udp::Header { source_port, destination_port, payload_len };
        let mut bytes = bytes_of(&header);
        udp::Header::fill_checksum(&mut bytes, &addresses, &[&payload], ChecksumIntent::Full);
        bytes.extend(&payload);
        bytes.extend(padding);
        let packet = udp::Packet::parse(&bytes).unwrap();
        prop_assert_eq!(packet.header(), header);
        prop_assert_eq!(packet.payload(), payload);
        prop_assert!(packet.checksum_is_valid(&addresses));
    }

    #[test]
    fn icmp_messages(
        four in icmpv4_message(), six in icmpv6_message(), source in v6(), destination in v6(),
        payload in vec(any::<u8>(), 0..100),
    ) {
        let mut bytes = bytes_of(&four);
        icmpv4::Message::fill_checksum(&mut bytes, &[&payload]);
        bytes.extend(&payload);
        let packet = icmpv4::Packet::parse(&bytes).unwrap();
        prop_assert_eq!((packet.message(), packet.payload()), (four, &payload[..]));
        prop_assert!(packet.checksum_is_valid());

        let addresses = PseudoHeader::V6 { source, destination };
        let mut bytes = bytes_of(&six);
        icmpv6::fill_checksum(&mut bytes, &addresses, &[&payload], ChecksumIntent::Full);
        bytes.extend(&payload);
        let packet = icmpv6::Packet::parse(&bytes).unwrap();
        prop_assert_eq!((packet.message(), packet.payload()), (six, &payload[..]));
        prop_assert!(packet.checksum_is_valid(&addresses));
    }

    #[test]
    fn reports(
        records in vec((any::<u8>(), v4(), vec(v4(), 0..5), v6(), vec(v6(), 0..5)), 0..6),
    ) {
        let four: Vec<_> = records
            .iter()
            .map(|(kind, group, sources, ..)| igmp::Record { kind: (*kind).into(), group: *group, sources })
            .collect();
        let bytes = bytes_of(&igmp::Message::ReportV3(&four));
        prop_assert!(igmp::checksum_is_valid(&bytes));
        let Ok(igmp::Packet::ReportV3(read)) = igmp::Packet::parse(&bytes) else {
            panic!("{:?}", igmp::Packet::parse(&bytes));
        };
        prop_assert_eq!(read.iter().count(), four.len());
        for (read, sent) in read.iter().zip(&four) {
            prop_assert_eq!((read.kind, read.group), (sent.kind, sent.group));
            prop_assert!(read.sources.iter().eq(sent.sources.iter().copied()));
        }

        let six: Vec<_> = records
            .iter()
            .map(|(kind, .., group, sources)| mld::Record { kind: (*kind).into(), group: *group, sources })
            .collect();
        let bytes = bytes_of(&mld::Message::ReportV2(&six));
        let packet = icmpv6::Packet::parse(&bytes).unwrap();
        let Ok(mld::Packet::ReportV2(read)) = mld::Packet::parse(&packet) else {
            panic!("{:?}", mld::Packet::parse(&packet));
        };
        prop_assert_eq!(read.iter().count(), six.len());
        for (read, sent) in read.iter().zip(&six) {
            prop_assert_eq!((read.kind, read.group), (sent.kind, sent.group));
            prop_assert!(read.sources.iter().eq(sent.sources.iter().copied()));
        }
    }

    #[test]
    fn virtio_headers(header in virtio_header(), frame in vec(any::<u8>(), 170..200)) {
        let bytes = [bytes_of(&header), frame.clone()].concat();
        let (read, behind) = virtio_net::Header::parse(&bytes, header.buffers.is_some()).unwrap();
        prop_assert_eq!(read, header);
        prop_assert_eq!(behind, frame);
    }
}
