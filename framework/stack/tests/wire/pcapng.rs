//! Captures: their bytes, reading them back, and captures that others made or broke.

use fyke_stack::wire::pcapng::{
    Block, Capture, Direction, LinkType, Packet, ReadError, Reader, Writer,
};

fn packets(bytes: &[u8]) -> Result<Vec<Packet<'_>>, ReadError> {
    Reader::new(bytes).packets().collect()
}

/// A capture with two interfaces and two packets, one with comments.
fn capture() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let tap = writer.interface(LinkType::ETHERNET, "tap0").unwrap();
    let tun = writer.interface(LinkType::RAW, "tun0").unwrap();
    let first = Capture {
        interface: tun,
        time_ns: 1_700_000_000_123_456_789,
        direction: Direction::Outbound,
        bytes: &[b"head", b"er"],
        comments: &["retransmitted: three duplicate ACKs", "and a second line"],
    };
    writer.packet(&first).unwrap();
    let second = Capture {
        interface: tap,
        time_ns: 5,
        direction: Direction::Unknown,
        bytes: &[],
        comments: &[],
    };
    writer.packet(&second).unwrap();
    writer.into_inner()
}

#[test]
fn the_bytes_of_the_draft() {
    let bytes = capture();
    let section = [
        0x0a, 0x0d, 0x0d, 0x0a, 40, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 4, 0, 4, 0, b'f', b'y', b'k', b'e', 0, 0, 0, 0, 40, 0, 0, 0,
    ];
    assert_eq!(bytes[..40], section);
    let interface = [
        1, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0, 2, 0, 4, 0, b't', b'a', b'p', b'0', 9, 0,
        1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0,
    ];
    assert_eq!(bytes[40..80], interface);
    let empty = [
        6, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0,
        0, 0,
    ];
    assert_eq!(bytes[bytes.len() - 32..], empty);
}

#[test]
fn what_is_written_is_read() {
    let bytes = capture();
    let packets = packets(&bytes).unwrap();
    let [first, second] = packets.as_slice() else { panic!("{packets:?}") };
    assert_eq!((first.link, first.interface.number()), (LinkType::RAW, 1));
    assert_eq!(first.time_ns, 1_700_000_000_123_456_789);
    assert_eq!(
        (first.direction, first.bytes, first.original_len),
        (Direction::Outbound, &b"header"[..], 6)
    );
    assert_eq!(first.comments, ["retransmitted: three duplicate ACKs", "and a second line"]);
    assert_eq!((second.link, second.time_ns, second.bytes), (LinkType::ETHERNET, 5, &[][..]));
    let names: Vec<_> = Reader::new(&bytes)
        .filter_map(|block| match block {
            Ok(Block::Interface(interface)) => Some(interface.name),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["tap0", "tun0"]);
}

#[test]
fn a_capture_that_is_cut_off_ends_with_its_last_whole_packet() {
    let bytes = capture();
    for length in 1..bytes.len() {
        let read: Vec<_> = Reader::new(&bytes[..length]).packets().collect();
        let whole = read.iter().filter(|packet| packet.is_ok()).count();
        assert!(whole < 2, "{length} bytes");
        assert!(read.len() - whole <= 1, "one error ends it");
        if ![40, 80, 120, bytes.len() - 32].contains(&length) {
            assert!(read.last().is_some_and(Result::is_err), "{length} bytes: {read:?}");
        }
    }
}

#[test]
fn snap_length_cuts_packets_and_counts_them() {
    let mut writer = Writer::new(Vec::new()).unwrap().snap_len(5);
    let interface = writer.interface(LinkType::RAW, "").unwrap();
    let bytes: &[&[u8]] = &[b"abc", b"def", b"ghi"];
    let (direction, comments) = (Direction::Inbound, &[][..]);
    writer.packet(&Capture { interface, time_ns: 0, direction, bytes, comments }).unwrap();
    let written = writer.into_inner();
    let packets = packets(&written).unwrap();
    assert_eq!((packets[0].bytes, packets[0].original_len), (&b"abcde"[..], 9));
}

#[test]
fn a_comment_that_is_too_long_is_cut_between_characters() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let interface = writer.interface(LinkType::RAW, "").unwrap();
    // 90 000 bytes, three a character; by one of the lengths in front the limit cuts a character.
    let comments: Vec<_> = ["", "x", "xy"]
        .iter()
        .map(|front| format!("{front}{}", "\u{20ac}".repeat(30_000)))
        .collect();
    let comments: Vec<_> = comments.iter().map(String::as_str).collect();
    let (direction, bytes) = (Direction::Inbound, &[][..]);
    writer
        .packet(&Capture { interface, time_ns: 0, direction, bytes, comments: &comments })
        .unwrap();
    let written = writer.into_inner();
    let read = &packets(&written).unwrap()[0].comments;
    assert_eq!(read.len(), 3);
    for (read, comment) in read.iter().zip(comments) {
        assert!(read.len() > 65_000 && comment.starts_with(read.as_str()), "{} bytes", read.len());
    }
}

/// A block of a big-endian machine.
fn big(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 12).to_be_bytes();
    [&kind.to_be_bytes()[..], &length, body, &length].concat()
}

#[test]
fn captures_of_big_endian_machines_with_their_own_clocks() {
    let section = big(
        0x0a0d_0d0a,
        &[0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    );
    let interface = |options: &[u8]| big(1, &[&[0, 1, 0, 0, 0, 0, 0, 0][..], options].concat());
    let packet = |interface: u8, high: u32, low: u32| {
        let mut body = vec![0, 0, 0, interface];
        body.extend(high.to_be_bytes());
        body.extend(low.to_be_bytes());
        body.extend([0, 0, 0, 2, 0, 0, 0, 60, 0xaa, 0xbb, 0, 0]);
        big(6, &body)
    };
    let bytes = [
        section,
        interface(&[]),                          // microseconds
        interface(&[0, 9, 0, 1, 0x8a, 0, 0, 0]), // 2^-10 s
        interface(&[0, 9, 0, 1, 12, 0, 0, 0]),   // picoseconds
        big(0x0bad, &[1, 2, 3, 4]),              // a block nobody knows
        packet(0, 0, 7),
        packet(1, 1, 0),
        packet(2, 0, 5000),
    ]
    .concat();
    let packets = packets(&bytes).unwrap();
    let times: Vec<_> = packets.iter().map(|packet| packet.time_ns).collect();
    assert_eq!(times, [7_000, (1 << 22) * 1_000_000_000, 5]);
    assert!(packets.iter().all(|packet| packet.bytes == [0xaa, 0xbb] && packet.original_len == 60));
}

#[test]
fn broken_captures() {
    assert_eq!(packets(b"hello, I am no capture at all"), Err(ReadError::NotPcapng));
    let bytes = capture();
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        packets(&bytes).map(|packets| packets.len())
    };
    assert_eq!(with(8, 0), Err(ReadError::NotPcapng), "no byte order");
    assert_eq!(with(4, 41), Err(ReadError::Length), "not a multiple of four");
    assert_eq!(with(4, 8), Err(ReadError::Length), "shorter than a block");
    assert_eq!(with(36, 44), Err(ReadError::Length), "two lengths");
    assert_eq!(with(128, 2), Err(ReadError::UnknownInterface));
    assert_eq!(with(140, 200), Err(ReadError::Length), "more bytes than the block has");
}

#[test]
fn a_section_begins_with_no_interfaces() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let interface = writer.interface(LinkType::RAW, "tun1").unwrap();
    let (direction, bytes, comments) = (Direction::Inbound, &[][..], &[][..]);
    writer.packet(&Capture { interface, time_ns: 9, direction, bytes, comments }).unwrap();
    let second = writer.into_inner();
    let both = [capture(), second.clone()].concat();
    let packets = packets(&both).unwrap();
    assert_eq!((packets.len(), packets[2].link), (3, LinkType::RAW));
    assert_eq!((packets[2].interface.number(), packets[2].direction), (0, Direction::Inbound));
    // An interface of the first section is none of the second.
    let mut broken = both;
    let at = broken.len() - second.len() + 80 + 8;
    assert_eq!(broken[at], 0);
    broken[at] = 1;
    let read: Vec<_> = Reader::new(&broken).packets().collect();
    assert_eq!(read[2], Err(ReadError::UnknownInterface));
}
