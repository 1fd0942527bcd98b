//! TCP headers.

use fyke_stack::wire::tcp::{ACK, Header, Options, Packet, SYN, SackBlocks, TcpOption};
use fyke_stack::wire::{ChecksumIntent, Emit, Error, PseudoHeader};

/// A SYN as Linux sends it on loopback, 127.0.0.1 to itself, checksum whole.
const LINUX_SYN: &[TcpOption<'static>] = &[
    TcpOption::MaximumSegmentSize(65495),
    TcpOption::SackPermitted,
    TcpOption::Timestamps { value: 0x1234_5678, echo: 0 },
    TcpOption::Nop,
    TcpOption::WindowScale(7),
];

#[test]
fn options_stand_in_the_order_of_the_caller() {
    let options = Options::new(LINUX_SYN).unwrap();
    let bytes = [2, 4, 0xff, 0xd7, 4, 2, 8, 10, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0, 1, 3, 3, 7];
    assert_eq!(options.as_bytes(), bytes);
    assert!(options.iter().eq(LINUX_SYN.iter().copied()));
}

#[test]
fn checksum_intents() {
    let addresses =
        PseudoHeader::V4 { source: [192, 0, 2, 1].into(), destination: [192, 0, 2, 2].into() };
    let header = Header { seq: 7, flags: ACK | SYN, window: 1000, ..Header::default() };
    let payload: [&[u8]; 2] = [b"odd", b"even"];
    let sent = |intent| {
        let mut bytes = header.to_vec();
        Header::fill_checksum(&mut bytes, &addresses, &payload, intent);
        bytes.extend(payload.concat());
        bytes
    };
    let full = sent(ChecksumIntent::Full);
    assert!(Packet::parse(&full).unwrap().checksum_is_valid(&addresses));
    assert_eq!(Packet::parse(&sent(ChecksumIntent::None)).unwrap().checksum(), 0);
    // What a device does with a partial one: sum from the header's start over all, field included.
    let partial = sent(ChecksumIntent::Partial);
    let completed = fyke_stack::wire::checksum::checksum(&partial);
    assert_eq!(Packet::parse(&full).unwrap().checksum(), completed);
}

#[test]
fn lengths_that_contradict() {
    let mut bytes =
        Header { options: Options::new(LINUX_SYN).unwrap(), ..Header::default() }.to_vec();
    for length in 0..bytes.len() {
        assert_eq!(Packet::parse(&bytes[..length]).err(), Some(Error::Truncated), "{length} bytes");
    }
    bytes[12] = 0x40;
    assert_eq!(Packet::parse(&bytes).err(), Some(Error::Length));
}

#[test]
fn malformed_options_are_kept_or_end_the_list() {
    let all = |bytes: &[u8]| -> Vec<String> {
        Options::from_bytes(bytes).iter().map(|option| format!("{option:?}")).collect()
    };
    assert_eq!(all(&[1, 8, 0, 1]), ["Nop"], "a length of zero");
    assert_eq!(all(&[1, 8, 1, 1]), ["Nop"], "a length of one");
    assert_eq!(all(&[1, 2, 4, 5]), ["Nop"], "longer than the space");
    assert_eq!(all(&[1, 2]), ["Nop"], "no length");
    assert_eq!(all(&[2, 3, 5, 1]), ["Unknown { kind: 2, data: [5] }", "Nop"]);
    assert_eq!(all(&[5, 2, 1, 1]), ["Unknown { kind: 5, data: [] }", "Nop", "Nop"]);
    assert_eq!(all(&[0, 2, 4, 5]), ["EndOfList"]);
    let one_block_and_a_byte = [5, 11, 1, 1, 1, 1, 2, 2, 2, 2, 9];
    assert_eq!(
        all(&one_block_and_a_byte),
        ["Unknown { kind: 5, data: [1, 1, 1, 1, 2, 2, 2, 2, 9] }"]
    );
    // Kind 254 is shared by experiments; only the magic number makes it fast open.
    assert_eq!(all(&[254, 4, 0xf9, 0x89]), ["FastOpenExperiment([])"]);
    assert_eq!(all(&[254, 4, 0xf9, 0x88]), ["Unknown { kind: 254, data: [249, 136] }"]);
}

#[test]
fn the_option_space_is_never_exceeded() {
    let mut options = Options::EMPTY;
    assert!(options.push(TcpOption::Timestamps { value: 1, echo: 2 }));
    let four = SackBlocks::new(&[(1, 2), (3, 4), (5, 6), (7, 8)]);
    assert!(!options.push(TcpOption::Sack(four)));
    assert_eq!(options.as_bytes().len(), 10, "nothing of it was added");
    assert!(options.push(TcpOption::Sack(SackBlocks::new(&four.as_slice()[..3]))));
    assert!(!options.push(TcpOption::Unknown { kind: 99, data: &[0; 300] }));
    assert_eq!(options.room(), 4);
}
