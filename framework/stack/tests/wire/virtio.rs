//! The header of a TAP device, and partial checksums made whole.

use fyke_stack::wire::virtio_net::{Checksum, Gso, GsoKind, Header, complete_checksum};
use fyke_stack::wire::{ChecksumIntent, Emit, Error, IpProtocol, PseudoHeader, ipv6, tcp, udp};

/// Flags, kind, and four words in the machine's order.
fn bytes(flags: u8, kind: u8, words: [u16; 4]) -> Vec<u8> {
    let words = words.iter().flat_map(|word| word.to_ne_bytes());
    [flags, kind].into_iter().chain(words).collect()
}

#[test]
fn a_super_segment() {
    let mut sent = bytes(1, 0x81, [66, 1448, 34, 16]);
    sent.extend([0; 66]);
    let (header, frame) = Header::parse(&sent, false).unwrap();
    let expected = Header {
        checksum: Checksum::Partial { start: 34, offset: 16 },
        gso: Some(Gso { kind: GsoKind::TcpV4, ecn: true, size: 1448 }),
        header_len: 66,
        buffers: None,
    };
    assert_eq!((header, frame.len()), (expected, 66));
    assert_eq!(header.to_vec(), sent[..10]);
    let with_buffers = Header { buffers: Some(1), ..header };
    assert_eq!(with_buffers.to_vec()[10..], 1u16.to_ne_bytes());
}

#[test]
fn what_a_device_must_not_say() {
    let parse = |bytes: &[u8]| Header::parse(bytes, false).map(|(header, _)| header);
    assert_eq!(parse(&bytes(0, 2, [0; 4])), Err(Error::Unsupported));
    assert_eq!(parse(&bytes(0, 1, [0; 4])), Err(Error::Length), "pieces of no size");
    let frame = [0; 20];
    for (start, offset, fits) in [(2, 16, true), (3, 16, false), (0xffff, 0xffff, false)] {
        let sent = [bytes(1, 0, [0, 0, start, offset]), frame.to_vec()].concat();
        assert_eq!(parse(&sent).is_ok(), fits, "{start} + {offset} in 20 bytes");
        assert_eq!(complete_checksum(&mut frame.clone(), start, offset), fits);
    }
    assert_eq!(parse(&bytes(2, 0, [0; 4])).unwrap().checksum, Checksum::Valid);
}

#[test]
fn partial_checksums_are_completed() {
    let (source, destination) = ([1; 16].into(), [2; 16].into());
    let addresses = PseudoHeader::V6 { source, destination };
    let payload = b"an odd number of bytes!";
    let mut segment = tcp::Header { seq: 1, flags: tcp::ACK, ..Default::default() }.to_vec();
    tcp::Header::fill_checksum(&mut segment, &addresses, &[payload], ChecksumIntent::Partial);
    segment.extend(payload);
    assert!(!tcp::Packet::parse(&segment).unwrap().checksum_is_valid(&addresses));
    let header = ipv6::Header::new(source, destination, IpProtocol::TCP, segment.len() as u16);
    let mut packet = [header.to_vec(), segment].concat();
    assert!(complete_checksum(&mut packet, 40, 16));
    assert!(tcp::Packet::parse(&packet[40..]).unwrap().checksum_is_valid(&addresses));

    // A sum that would be no checksum to UDP.
    let addresses = PseudoHeader::V4 { source: [0; 4].into(), destination: [0; 4].into() };
    let payload = (0xffffu16 - 37).to_be_bytes();
    let header = udp::Header { source_port: 0, destination_port: 0, payload_len: 2 };
    let mut datagram = header.to_vec();
    udp::Header::fill_checksum(&mut datagram, &addresses, &[&payload], ChecksumIntent::Partial);
    datagram.extend(payload);
    assert!(complete_checksum(&mut datagram, 0, 6));
    assert_eq!(datagram[6..8], [0xff, 0xff]);
}
