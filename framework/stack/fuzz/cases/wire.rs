//! One case of the wire module, for the fuzzer and for tests: any bytes to every parser.
//!
//! Nothing may panic; what parses and is emitted again must parse to the same; every walk over
//! options, headers and records ends within the bytes it was given.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use fyke_stack::wire::{
    ChecksumIntent, Emit, IpProtocol, PseudoHeader, Quoted, Sum, arp, checksum, ethernet, icmpv4,
    icmpv6, igmp, ipv4, ipv6, mld, ndp, pcapng, pretty, tcp, udp, virtio_net,
};

/// Hands `input` to every parser.
///
/// # Panics
/// When a property does not hold.
pub(crate) fn check(input: &[u8]) {
    checksums(input);
    link(input);
    internet(input, 0);
    for protocol in [IpProtocol::ICMPV4, IpProtocol::IGMP, IpProtocol::TCP, IpProtocol::UDP] {
        let (source, destination) = (Ipv4Addr::LOCALHOST, Ipv4Addr::BROADCAST);
        transport(protocol, input, &PseudoHeader::V4 { source, destination }, 0);
    }
    let (source, destination) = (Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED);
    transport(IpProtocol::ICMPV6, input, &PseudoHeader::V6 { source, destination }, 0);
    for with_buffers in [false, true] {
        if let Ok((header, frame)) = virtio_net::Header::parse(input, with_buffers) {
            let emitted = bytes_of(&header);
            assert_eq!(
                virtio_net::Header::parse(&[&emitted, frame].concat(), with_buffers).unwrap().0,
                header
            );
        }
    }
    print(input);
    capture(input);
}

/// What a value emits, which must not depend on what was in the buffer, and must leave alone what is
/// behind it.
pub(crate) fn bytes_of(value: &impl Emit) -> Vec<u8> {
    let length = value.wire_len();
    let mut dirty = vec![0xa5; length + 3];
    value.emit(&mut dirty);
    assert_eq!(dirty.split_off(length), [0xa5; 3]);
    let mut behind = vec![7];
    value.append(&mut behind);
    assert_eq!((&behind[1..], behind[0]), (&*dirty, 7));
    dirty
}

/// RFC 1071 word by word.
fn naive(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u64 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn checksums(input: &[u8]) {
    assert_eq!(checksum::checksum(input), naive(input));
    let (front, back) = input.split_at(input.len() / 3);
    assert_eq!(Sum::new().with([front, back]).checksum(), naive(input));
    if let Some((&[start, offset], frame)) = input.split_first_chunk() {
        let mut frame = frame.to_vec();
        let _ = virtio_net::complete_checksum(&mut frame, u16::from(start), u16::from(offset));
    }
}

fn link(input: &[u8]) {
    if let Ok(frame) = ethernet::Frame::parse(input) {
        assert!(frame.payload().len() <= input.len() - ethernet::HEADER_LEN);
        if let Some(header) = frame.header() {
            assert!(input.starts_with(&bytes_of(&header)));
        }
        match frame.ethertype() {
            Some(ethernet::EtherType::ARP) => address_resolution(frame.payload()),
            _ => internet(frame.payload(), 0),
        }
    }
    address_resolution(input);
}

fn address_resolution(input: &[u8]) {
    if let Ok(message) = arp::Message::parse(input) {
        assert!(input.starts_with(&bytes_of(&message)));
        let _ = (message.is_probe(), message.is_gratuitous());
    }
}

fn internet(input: &[u8], depth: u8) {
    if let Ok(packet) = ipv4::Packet::parse(input) {
        datagram(&packet);
        let addresses =
            PseudoHeader::V4 { source: packet.source(), destination: packet.destination() };
        transport(packet.protocol(), packet.payload(), &addresses, depth);
    }
    if let Ok(packet) = ipv6::Packet::parse(input) {
        assert!(input.starts_with(&bytes_of(&packet.header())));
        extensions(&packet);
        let addresses =
            PseudoHeader::V6 { source: packet.source(), destination: packet.destination() };
        if let Ok(upper) = packet.upper_layer() {
            transport(upper.protocol, upper.payload, &addresses, depth);
        }
    }
    for quoted in [Quoted::parse_v4(input), Quoted::parse_v6(input)].into_iter().flatten() {
        assert!(quoted.transport.len() <= input.len());
        let _ = (quoted.ports(), quoted.tcp_seq(), quoted.echo());
    }
}

fn datagram(packet: &ipv4::Packet<'_>) {
    let bytes = packet.as_bytes();
    assert_eq!(bytes.len(), usize::from(packet.total_len()));
    let mut emitted = bytes_of(&packet.header());
    assert!(
        ipv4::Packet::parse(&[&emitted, packet.payload()].concat()).unwrap().checksum_is_valid()
    );
    // All but the reserved bit and the checksum stands where it stood.
    emitted[6] |= bytes[6] & 0x80;
    emitted[10..12].copy_from_slice(&bytes[10..12]);
    assert_eq!(emitted, bytes[..packet.header_len()]);

    let mut options = ipv4::Options::EMPTY;
    for option in packet.options() {
        assert!(options.push(option));
    }
    assert!(bytes[ipv4::HEADER_LEN..].starts_with(options.as_bytes()));
    let _ = packet.has_source_route();
}

fn extensions(packet: &ipv6::Packet<'_>) {
    let mut walk = packet.extensions();
    let mut headers = 0;
    for extension in walk.by_ref() {
        headers += 1;
        match extension {
            Ok(ipv6::Extension::HopByHop(options) | ipv6::Extension::Destination(options)) => {
                assert!(options.iter().count() <= ipv6::OPTIONS_MAX + 1);
                let well_formed = options.iter().all(|option| option.is_ok());
                assert!(well_formed || options.check().is_err());
                if let Ok(options) = options.iter().collect::<Result<Vec<_>, _>>() {
                    let emitted: usize = options.iter().map(Emit::wire_len).sum();
                    assert_eq!((emitted + 2) % 8, 0, "as long as they were");
                }
            }
            Ok(ipv6::Extension::Fragment(fragment)) => {
                let emitted = bytes_of(&fragment.header);
                assert_eq!(ipv6::FragmentHeader::from_bytes(&emitted), Ok(fragment.header));
            }
            Ok(_) | Err(_) => {}
        }
    }
    assert!(headers <= ipv6::EXTENSION_HEADERS_MAX + 1);
    assert_eq!(walk.payload_at() + walk.payload().len(), packet.as_bytes().len());
    assert_eq!(packet.as_bytes()[walk.protocol_at()], walk.protocol().0);
}

fn transport(protocol: IpProtocol, input: &[u8], addresses: &PseudoHeader, depth: u8) {
    match protocol {
        IpProtocol::TCP => segment(input, addresses),
        IpProtocol::UDP => user_datagram(input, addresses),
        IpProtocol::ICMPV4 => {
            if let Ok(packet) = icmpv4::Packet::parse(input) {
                let mut emitted = bytes_of(&packet.message());
                icmpv4::Message::fill_checksum(&mut emitted, &[packet.payload()]);
                emitted.extend(packet.payload());
                let again = icmpv4::Packet::parse(&emitted).unwrap();
                assert!(again.checksum_is_valid());
                assert_eq!(again.message(), packet.message());
                if depth < 2 {
                    internet(packet.payload(), depth + 1);
                }
            }
        }
        IpProtocol::ICMPV6 => {
            if let Ok(packet) = icmpv6::Packet::parse(input) {
                control(&packet, addresses);
                if depth < 2 {
                    internet(packet.payload(), depth + 1);
                }
            }
        }
        IpProtocol::IGMP => groups_v4(input),
        IpProtocol::IPV4 | IpProtocol::IPV6 if depth < 2 => internet(input, depth + 1),
        _ => {}
    }
}

fn segment(input: &[u8], addresses: &PseudoHeader) {
    let Ok(packet) = tcp::Packet::parse(input) else { return };
    let mut emitted = bytes_of(&packet.header());
    tcp::Header::fill_checksum(&mut emitted, addresses, &[packet.payload()], ChecksumIntent::Full);
    let whole = [&emitted, packet.payload()].concat();
    assert!(tcp::Packet::parse(&whole).unwrap().checksum_is_valid(addresses));
    emitted[16..18].copy_from_slice(&input[16..18]);
    assert!(input.starts_with(&emitted));

    let mut options = tcp::Options::EMPTY;
    let mut walk = packet.options();
    for option in walk.by_ref() {
        assert!(options.push(option));
    }
    assert!(packet.options_bytes().starts_with(options.as_bytes()));
    assert!(options.iter().eq(packet.options()));
}

fn user_datagram(input: &[u8], addresses: &PseudoHeader) {
    let Ok(packet) = udp::Packet::parse(input) else { return };
    let mut emitted = bytes_of(&packet.header());
    assert_eq!(emitted[..6], input[..6]);
    udp::Header::fill_checksum(&mut emitted, addresses, &[packet.payload()], ChecksumIntent::Full);
    emitted.extend(packet.payload());
    let again = udp::Packet::parse(&emitted).unwrap();
    assert!(again.checksum() != 0 && again.checksum_is_valid(addresses));
}

fn control(packet: &icmpv6::Packet<'_>, addresses: &PseudoHeader) {
    let mut emitted = bytes_of(&packet.message());
    let full = ChecksumIntent::Full;
    icmpv6::fill_checksum(&mut emitted, addresses, &[packet.payload()], full);
    emitted.extend(packet.payload());
    let again = icmpv6::Packet::parse(&emitted).unwrap();
    assert!(again.checksum_is_valid(addresses));
    assert_eq!(again.message(), packet.message());

    if let Ok(discovery) = ndp::Packet::parse(packet) {
        let mut emitted = bytes_of(&discovery.message);
        for option in discovery.options() {
            option.append(&mut emitted);
        }
        assert_eq!(emitted.len(), packet.as_bytes().len());
        let again = icmpv6::Packet::parse(&emitted).unwrap();
        let again = ndp::Packet::parse(&again).unwrap();
        assert_eq!(again.message, discovery.message);
        assert!(again.options().eq(discovery.options()));
    }
    if let Ok(listener) = mld::Packet::parse(packet) {
        groups_v6(&listener);
    }
}

fn groups_v6(packet: &mld::Packet<'_>) {
    let emitted = match packet {
        mld::Packet::Query(query, sources) => {
            bytes_of(&mld::Message::Query(*query, &sources.iter().collect::<Vec<_>>()))
        }
        mld::Packet::ReportV1(group) => bytes_of(&mld::Message::ReportV1(*group)),
        mld::Packet::Done(group) => bytes_of(&mld::Message::Done(*group)),
        mld::Packet::ReportV2(records) => {
            let sources: Vec<Vec<Ipv6Addr>> =
                records.iter().map(|record| record.sources.iter().collect()).collect();
            let records: Vec<_> = records
                .iter()
                .zip(&sources)
                .map(|(record, sources)| mld::Record {
                    kind: record.kind,
                    group: record.group,
                    sources,
                })
                .collect();
            bytes_of(&mld::Message::ReportV2(&records))
        }
        _ => return,
    };
    let again = icmpv6::Packet::parse(&emitted).unwrap();
    assert_eq!(format!("{:?}", mld::Packet::parse(&again).unwrap()), format!("{packet:?}"));
}

fn groups_v4(input: &[u8]) {
    let Ok(packet) = igmp::Packet::parse(input) else { return };
    let emitted = match &packet {
        igmp::Packet::Query(query, sources) => {
            bytes_of(&igmp::Message::Query(*query, &sources.iter().collect::<Vec<_>>()))
        }
        igmp::Packet::ReportV1(group) => bytes_of(&igmp::Message::ReportV1(*group)),
        igmp::Packet::ReportV2(group) => bytes_of(&igmp::Message::ReportV2(*group)),
        igmp::Packet::Leave(group) => bytes_of(&igmp::Message::Leave(*group)),
        igmp::Packet::ReportV3(records) => {
            let sources: Vec<Vec<Ipv4Addr>> =
                records.iter().map(|record| record.sources.iter().collect()).collect();
            let records: Vec<_> = records
                .iter()
                .zip(&sources)
                .map(|(record, sources)| igmp::Record {
                    kind: record.kind,
                    group: record.group,
                    sources,
                })
                .collect();
            bytes_of(&igmp::Message::ReportV3(&records))
        }
        _ => return,
    };
    assert!(igmp::checksum_is_valid(&emitted));
    assert_eq!(format!("{:?}", igmp::Packet::parse(&emitted).unwrap()), format!("{packet:?}"));
}

/// The printers say something, on one line.
fn print(input: &[u8]) {
    let mut line = String::new();
    write!(line, "{:#} {}", pretty::frame(input), pretty::packet(input)).unwrap();
    assert!(line.len() > 3 && !line.contains('\n'), "{line}");
}

/// A capture read and written again is the same capture.
fn capture(input: &[u8]) {
    let mut blocks = 0;
    for packet in pcapng::Reader::new(input) {
        blocks += 1;
        if let Ok(pcapng::Block::Packet(packet)) = packet {
            assert!(packet.bytes.len() <= input.len());
        }
    }
    assert!(blocks <= input.len() / 12 + 1);

    let Ok(mut writer) = pcapng::Writer::new(Vec::new());
    let Ok(interface) = writer.interface(pcapng::LinkType::RAW, "fuzz");
    let comment = String::from_utf8_lossy(input);
    let (front, back) = input.split_at(input.len() / 2);
    let Ok(()) = writer.packet(&pcapng::Capture {
        interface,
        time_ns: u64::MAX - input.len() as u64,
        direction: pcapng::Direction::Inbound,
        bytes: &[front, back],
        comments: &[&comment, ""],
    });
    let written = writer.into_inner();
    let packets: Vec<_> = pcapng::Reader::new(&written).packets().collect();
    let [Ok(packet)] = packets.as_slice() else { panic!("{packets:?}") };
    assert_eq!((packet.bytes, packet.time_ns), (input, u64::MAX - input.len() as u64));
    assert!(comment.starts_with(packet.comments[0].as_str()) && packet.comments[1].is_empty());
}
