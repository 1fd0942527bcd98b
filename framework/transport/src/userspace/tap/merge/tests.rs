//! What is put together, and what is not.

use super::*;
use crate::userspace::tap::header::Span;

fn segment(seq: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let length = (20 + 32 + payload.len()) as u16;
    frame.extend([0x45, 0]);
    frame.extend(length.to_be_bytes());
    frame.extend([seq as u8, 7, 0x40, 0, 64, 6, 0, 0, 10, 7, 0, 1, 10, 7, 0, 2]);
    frame.extend([0xc0, 0, 0x1b, 0x58]);
    frame.extend(seq.to_be_bytes());
    frame.extend([0, 0, 0, 9, 0x80, flags, 1, 0, 0, 0, 0, 0]);
    frame.extend([1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6]);
    frame.extend(payload);
    seal(&mut frame);
    frame
}

/// Makes the checksums right.
fn seal(frame: &mut [u8]) {
    frame[NETWORK_CHECKSUM..NETWORK_CHECKSUM + 2].fill(0);
    let sum = Sum::new().with([&frame[NETWORK..TRANSPORT]]).checksum();
    frame[NETWORK_CHECKSUM..NETWORK_CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
    frame[TRANSPORT + 16..TRANSPORT + 18].fill(0);
    let pseudo = PseudoHeader::new([10, 7, 0, 1].into(), [10, 7, 0, 2].into()).unwrap();
    let transport = &frame[TRANSPORT..];
    let sum = pseudo.sum(IpProtocol::TCP, transport.len()).with([transport]).checksum();
    frame[TRANSPORT + 16..TRANSPORT + 18].copy_from_slice(&sum.to_be_bytes());
}

/// Puts `second` behind `first` as the reader does; answers what [`Chain::push`] does, and the frame
/// that is there then.
fn join(first: &[u8], second: &[u8]) -> Option<((bool, bool), Vec<u8>, Span)> {
    let mut block = vec![0; 70_000];
    block[..first.len()].copy_from_slice(first);
    let mut chain = Chain::begin(&block, 0, first.len())?;
    let headers = chain.headers().min(second.len());
    let rest = &second[headers..];
    block[first.len()..first.len() + rest.len()].copy_from_slice(rest);
    let result = chain.push(&block, &second[..headers], rest.len());
    let mut span = Span { start: 0, end: first.len(), header: virtio_net::Header::default() };
    let pushed = result.0 && second[FLAGS] & PSH != 0;
    chain.finish(&mut block, &mut span, pushed);
    let frame = block[..span.end].to_vec();
    Some((result, frame, span))
}

#[test]
fn what_follows_is_one_segment_with_it() {
    let (first, second) = (segment(u32::MAX - 1, ACK, b"aaaa"), segment(2, ACK, b"bbbb"));
    let (result, frame, span) = join(&first, &second).unwrap();
    assert_eq!(result, (true, true));
    assert_eq!(&frame[TRANSPORT + 32..], b"aaaabbbb");
    assert_eq!(frame[LENGTH..LENGTH + 2], [0, 20 + 32 + 8]);
    assert_eq!(Sum::new().with([&frame[NETWORK..TRANSPORT]]).checksum(), 0);
    assert_eq!(span.meta().map(|meta| meta.gso_size), Some(4));
    // Shorter, or pushed: nothing follows.
    assert_eq!(join(&first, &segment(2, ACK, b"bbb")).unwrap().0, (true, false));
    let (result, frame, _) = join(&first, &segment(2, ACK | PSH, b"bbbb")).unwrap();
    assert_eq!((result, frame[FLAGS]), ((true, false), ACK | PSH));
}

#[test]
fn what_does_not_follow_stays_alone() {
    let first = segment(100, ACK, b"aaaa");
    let alone = |what: &str, second: &[u8]| {
        let (result, frame, span) = join(&first, second).unwrap();
        assert_eq!((result, &frame), ((false, false), &first), "{what}");
        assert_eq!(span.header, virtio_net::Header::default(), "{what}");
    };
    alone("a hole", &segment(105, ACK, b"bbbb"));
    alone("again", &segment(100, ACK, b"aaaa"));
    alone("longer", &segment(104, ACK, b"bbbbb"));
    alone("no payload", &segment(104, ACK, b""));
    for flags in [ACK | 1, ACK | 2, ACK | 4, ACK | 0x20, ACK | 0x40, ACK | 0x80, 0] {
        alone("other flags", &segment(104, flags, b"bbbb"));
    }
    // Another host, hop limit, traffic class, port, acknowledgement, window, urgent pointer, time stamp.
    for at in [3, 9, 15, 22, 26, 30, 35, 37, 45, 48, 52, 59, 65] {
        let mut other = segment(104, ACK, b"bbbb");
        other[at] ^= 1;
        seal(&mut other);
        alone(&format!("byte {at}"), &other);
    }
    // A fragment, options before TCP, a length that is another, reserved bits.
    for (at, bits) in [(20, 0x20), (21, 1), (14, 3), (17, 1), (46, 1)] {
        let mut other = segment(104, ACK, b"bbbb");
        other[at] ^= bits;
        seal(&mut other);
        alone(&format!("bits of byte {at}"), &other);
    }
    let second = segment(104, ACK, b"bbbb");
    for at in [24, 50, TRANSPORT + 33] {
        let mut wrong = second.clone();
        wrong[at] ^= 0x40;
        alone("a wrong checksum", &wrong);
    }
    for cut in [0, 13, 53, 60, 65] {
        alone("cut off", &second[..cut]);
    }
    let mut wrong = first.clone();
    wrong[TRANSPORT + 32] ^= 1;
    let (result, frame, _) = join(&wrong, &second).unwrap();
    assert_eq!((result, frame), ((false, false), wrong), "a wrong checksum before it");
}

#[test]
fn what_cannot_begin_a_chain() {
    let begins = |frame: &[u8]| Chain::begin(frame, 0, frame.len()).is_some();
    assert!(begins(&segment(1, ACK, b"x")));
    assert!(!begins(&segment(1, ACK, b"")));
    assert!(!begins(&segment(1, ACK | PSH, b"x")), "it is to be delivered at once");
    for cut in 0..66 {
        assert!(!begins(&segment(1, ACK, b"x")[..cut]));
    }
    let mut padded = segment(1, ACK, b"x");
    padded.push(0);
    assert!(!begins(&padded));
}

#[test]
fn no_chain_is_longer_than_an_ip_packet() {
    let mut block = vec![0; 140_000];
    let payload = [7; 1448];
    let first = segment(0, ACK, &payload);
    block[..first.len()].copy_from_slice(&first);
    let mut chain = Chain::begin(&block, 0, first.len()).unwrap();
    let mut count = 1;
    loop {
        let next = segment(count * 1448, ACK, &payload);
        let at = chain.end();
        block[at..at + 1448].copy_from_slice(&payload);
        match chain.push(&block, &next[..66], 1448) {
            (true, true) => count += 1,
            result => break assert_eq!(result, (false, false)),
        }
    }
    assert_eq!(count, 45);
    assert!(chain.end() - NETWORK <= PACKET_MAX);
}
