//! ICMP of both kinds and the packets they quote, from the capture; and UDP's checksums.

use std::net::IpAddr;

use fyke_stack::wire::{
    ChecksumIntent, Emit, Error, IpProtocol, PseudoHeader, Quoted, icmpv4, icmpv6, ipv4, ipv6, udp,
};

use super::samples::capture;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// All messages of the capture that are `wanted`, and what they quote.
fn quotes_v4(wanted: icmpv4::Message) -> Vec<(IpAddr, IpProtocol, Vec<u8>)> {
    let mut found = Vec::new();
    for frame in capture() {
        let Ok(packet) = ipv4::Packet::parse(&frame.bytes[14..]) else { continue };
        if packet.protocol() != IpProtocol::ICMPV4 || packet.is_fragment() {
            continue;
        }
        let message = icmpv4::Packet::parse(packet.payload()).unwrap();
        assert!(message.checksum_is_valid() && packet.checksum_is_valid());
        if message.message() == wanted {
            assert!(wanted.is_error());
            let quoted = Quoted::parse_v4(message.payload()).unwrap();
            assert_eq!(quoted.source, address("10.0.0.1"));
            found.push((quoted.destination, quoted.protocol, quoted.transport.to_vec()));
        }
    }
    found
}

#[test]
fn errors_of_the_capture() {
    use icmpv4::{Message, time_exceeded, unreachable};
    let icmp = IpProtocol::ICMPV4;
    let found = quotes_v4(Message::TimeExceeded { code: time_exceeded::TRANSIT });
    assert_eq!((found[0].0, found[0].1), (address("10.9.0.9"), icmp));
    let found = quotes_v4(Message::FragmentationNeeded { mtu: 1280 });
    assert_eq!((found[0].0, found[0].2.len()), (address("10.9.0.9"), 528));
    let gateway = [10, 0, 0, 77].into();
    assert_eq!(quotes_v4(Message::Redirect { code: 1, gateway })[0].0, address("10.0.0.77"));
    assert_eq!(quotes_v4(Message::Unreachable { code: unreachable::HOST }).len(), 1);
    let found = quotes_v4(Message::Unreachable { code: unreachable::PORT });
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|(_, protocol, _)| *protocol == IpProtocol::UDP));
}

#[test]
fn errors_of_the_capture_in_version_six() {
    let mut seen = Vec::new();
    for frame in capture() {
        let Ok(packet) = ipv6::Packet::parse(&frame.bytes[14..]) else { continue };
        let upper = packet.upper_layer().unwrap();
        if upper.protocol != IpProtocol::ICMPV6 || upper.fragment.is_some() {
            continue;
        }
        let message = icmpv6::Packet::parse(upper.payload).unwrap();
        let (source, destination) = (packet.source(), packet.destination());
        assert!(message.checksum_is_valid(&PseudoHeader::V6 { source, destination }));
        if message.message().is_error() {
            let quoted = Quoted::parse_v6(message.payload()).unwrap();
            assert_eq!(quoted.source, address("2001:db8::1"));
            seen.push((message.message(), quoted.protocol, quoted.ports().map(|(_, to)| to)));
        }
    }
    use icmpv6::Message;
    let (icmp, udp) = (IpProtocol::ICMPV6, IpProtocol::UDP);
    let port = Message::Unreachable { code: icmpv6::unreachable::PORT };
    let expected = [
        (Message::TimeExceeded { code: 0 }, icmp, None),
        (Message::PacketTooBig { mtu: 1280 }, icmp, None),
        // The option of type 0x9e in the destination options behind 40 and 2 bytes.
        (Message::ParameterProblem { code: 2, pointer: 42 }, icmp, None),
        (port, udp, Some(9)),
        (port, udp, Some(9)),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn what_a_quoted_segment_tells() {
    let header =
        ipv4::Header::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), IpProtocol::TCP, 1000);
    let mut bytes = header.to_vec();
    bytes.extend([0x12, 0x34, 0, 80, 0xde, 0xad, 0xbe, 0xef]);
    let quoted = Quoted::parse_v4(&bytes).unwrap();
    assert_eq!(quoted.ports(), Some((0x1234, 80)));
    assert_eq!(quoted.tcp_seq(), Some(0xdead_beef));
    assert_eq!(quoted.echo(), None);
    for length in 20..28 {
        let cut = Quoted::parse_v4(&bytes[..length]).unwrap();
        assert_eq!(cut.ports().is_some(), length >= 24, "{length} bytes");
        assert_eq!(cut.tcp_seq(), None, "{length} bytes");
    }
    let later = ipv4::Header { fragment_offset: 8, ..header };
    let later = [later.to_vec(), bytes[20..].to_vec()].concat();
    let later = Quoted::parse_v4(&later).unwrap();
    assert!(later.is_later_fragment);
    assert_eq!((later.ports(), later.tcp_seq()), (None, None), "those are bytes of data");
}

#[test]
fn codes_make_other_messages() {
    // An echo with another code than zero is none that we know.
    let bytes = [8, 1, 0, 0, 1, 2, 3, 4];
    let other = icmpv4::Message::Other { kind: 8, code: 1, rest: [1, 2, 3, 4] };
    assert_eq!(icmpv4::Packet::parse(&bytes).unwrap().message(), other);
    assert!(!other.is_error());
    assert_eq!(other.to_vec(), bytes);
    // Too big with a code: the receiver ignores the code (RFC 4443, section 3.2).
    let bytes = [2, 9, 0, 0, 0, 0, 5, 0];
    let message = icmpv6::Packet::parse(&bytes).unwrap().message();
    assert_eq!(message, icmpv6::Message::PacketTooBig { mtu: 1280 });
}

#[test]
fn a_udp_checksum_of_zero_is_sent_as_ones() {
    let addresses = PseudoHeader::V4 { source: [0; 4].into(), destination: [0; 4].into() };
    let header = udp::Header { source_port: 0, destination_port: 0, payload_len: 2 };
    // Pseudo-header 17 + 10, length 10: the payload that makes it all ones.
    let payload = (0xffffu16 - 37).to_be_bytes();
    let mut bytes = header.to_vec();
    udp::Header::fill_checksum(&mut bytes, &addresses, &[&payload], ChecksumIntent::Full);
    assert_eq!(bytes[6..], [0xff, 0xff]);
    bytes.extend(payload);
    assert!(udp::Packet::parse(&bytes).unwrap().checksum_is_valid(&addresses));

    bytes[6..8].fill(0);
    let none = udp::Packet::parse(&bytes).unwrap();
    assert!(none.checksum_is_valid(&addresses), "none is allowed over IPv4");
    let six = PseudoHeader::V6 { source: [0; 16].into(), destination: [0; 16].into() };
    assert!(!none.checksum_is_valid(&six), "and not over IPv6");
}

#[test]
fn udp_lengths() {
    let length = |length: u16| {
        let mut bytes = [1; 16];
        bytes[4..6].copy_from_slice(&length.to_be_bytes());
        udp::Packet::parse(&bytes).map(|packet| packet.payload().len())
    };
    assert_eq!(length(8), Ok(0));
    assert_eq!(length(12), Ok(4), "what is behind it is not the datagram's");
    assert_eq!(length(17), Err(Error::Truncated));
    assert_eq!(length(7), Err(Error::Length));
    assert_eq!(length(0), Err(Error::Length), "no jumbograms");
}
