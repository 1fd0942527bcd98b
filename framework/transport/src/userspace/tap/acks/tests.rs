//! Which acknowledgements are left out, and which are not.

use fyke_stack::wire::{IpProtocol, PseudoHeader, Sum};

use super::*;

const NETWORK: usize = 14;

/// An acknowledgement of `ack`, with timestamps unless `value` is `None`.
fn acknowledgement(ack: u32, value: Option<u32>) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let options = if value.is_some() { 12 } else { 0 };
    frame.extend([0x45, 0, 0, 40 + options, ack as u8, 7, 0x40, 0, 64, 6, 0, 0]);
    frame.extend([10, 7, 0, 1, 10, 7, 0, 2, 0xc0, 0, 0x1b, 0x58, 0, 0, 0, 9]);
    frame.extend(ack.to_be_bytes());
    frame.extend([(5 + options / 4) << 4, ACK, 1, 0, 0, 0, 0, 0]);
    if let Some(value) = value {
        frame.extend(STAMPS);
        frame.extend(value.to_be_bytes());
        frame.extend([0, 0, 0, 6]);
    }
    seal(&mut frame);
    frame
}

/// Makes the checksums right.
fn seal(frame: &mut [u8]) {
    frame[NETWORK + 10..NETWORK + 12].fill(0);
    let sum = Sum::new().with([&frame[NETWORK..TRANSPORT]]).checksum();
    frame[NETWORK + 10..NETWORK + 12].copy_from_slice(&sum.to_be_bytes());
    frame[TRANSPORT + 16..TRANSPORT + 18].fill(0);
    let pseudo = PseudoHeader::new([10, 7, 0, 1].into(), [10, 7, 0, 2].into()).unwrap();
    let transport = &frame[TRANSPORT..];
    let sum = pseudo.sum(IpProtocol::TCP, transport.len()).with([transport]).checksum();
    frame[TRANSPORT + 16..TRANSPORT + 18].copy_from_slice(&sum.to_be_bytes());
}

/// What is left of frames that come one behind the other, as the device reads them.
fn left(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut block = vec![0; 4096];
    let (mut row, mut used, mut spans) = (None::<Row>, 0, Vec::new());
    for frame in frames {
        let end = used + frame.len();
        block[used..end].copy_from_slice(frame);
        let again = row.as_mut().map(|row| row.push(&mut block, used, end));
        if again == Some(Some(true)) {
            continue;
        }
        if !matches!(again, Some(Some(_))) {
            row = Row::begin(&block, used, end);
        }
        spans.push(used..end);
        used = end;
    }
    spans.into_iter().map(|span| block[span].to_vec()).collect()
}

#[test]
fn of_a_row_the_first_and_the_last_are_left() {
    for value in [None, Some(u32::MAX)] {
        // Numbers and clocks go round.
        let frame = |n: u32| {
            let value = value.map(|value: u32| value.wrapping_add(n / 2));
            acknowledgement((u32::MAX - 3000).wrapping_add(n * 1448), value)
        };
        let row: Vec<_> = (0..6).map(frame).collect();
        assert_eq!(left(&row), [frame(0), frame(5)]);
        assert_eq!(left(&row[..2]), row[..2]);
        assert_eq!(left(&row[..1]), row[..1]);
    }
}

#[test]
fn the_latest_window_counts() {
    let mut row = [1, 2, 3].map(|ack| acknowledgement(ack, Some(5))).to_vec();
    row[2][TRANSPORT + 14] = 0;
    seal(&mut row[2]);
    assert_eq!(left(&row), [row[0].clone(), row[2].clone()]);
}

#[test]
fn duplicates_and_whatever_says_more_are_left() {
    let plain = |ack| acknowledgement(ack, Some(100));
    let stays = |what: &str, other: Vec<u8>| {
        let row = [plain(1), plain(2), other, plain(4)];
        assert_eq!(left(&row), row, "{what}");
        let row = [plain(1), plain(2), row[2].clone()];
        assert_eq!(left(&row), row, "{what}");
    };
    stays("a duplicate", plain(2));
    stays("an old one", plain(1));
    stays("an old clock", acknowledgement(3, Some(99)));
    stays("no timestamps", acknowledgement(3, None));
    let changed = |at: usize, bits: u8| {
        let mut other = plain(3);
        other[at] ^= bits;
        seal(&mut other);
        other
    };
    for bits in [1, 2, 4, 8, 0x20, 0x40, 0x80] {
        stays("another flag", changed(FLAGS, bits));
    }
    // Another host, port, number, traffic class, fragment; another option.
    for at in [3, 15, 20, 26, 30, 35, 37, 41, STAMPS_AT + 1, STAMPS_AT + 2] {
        stays(&format!("byte {at}"), changed(at, 1));
    }
    let mut longer = plain(3);
    longer.push(0);
    stays("padding", longer);
    let mut wrong = plain(3);
    wrong[TRANSPORT + 16] ^= 1;
    stays("a wrong checksum", wrong);
    for cut in [0, 13, 53, 60, 65] {
        stays("cut off", plain(3)[..cut].to_vec());
    }
}
