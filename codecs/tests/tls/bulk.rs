//! Many bytes, in all sizes of messages and reads.

use bytes::Bytes;
use fyke_buffer::{ByteBuf, CompositeBuf};
use proptest::prelude::*;

use crate::support::{carry_in_pieces, open_pair, pattern, received, write};

#[test]
fn a_mebibyte_both_ways() {
    let data = pattern(1 << 20);
    for size in [1000, 4096, 16 * 1024, 16_406, 65_536, usize::MAX] {
        let (mut client, mut server) = open_pair();
        drop(write(&mut client, data.clone()));
        drop(write(&mut server, data.clone()));
        carry_in_pieces(&mut client, &mut server, size);
        assert!(received(&mut server) == data, "reads of {size}");
        assert!(received(&mut client) == data, "reads of {size}");
    }
}

#[test]
fn messages_of_every_kind() {
    let data = pattern(100_000);
    let rope = |sizes: &[usize]| {
        let (mut rope, mut at) = (CompositeBuf::default(), 0);
        for &size in sizes {
            rope.push(ByteBuf::from(&data[at..at + size]));
            at += size;
        }
        (rope, at)
    };
    let (mut client, mut server) = open_pair();
    for sizes in [&[1, 2, 3][..], &[100, 16_000], &[200, 50_000, 49_800], &[0, 5]] {
        let (rope, len) = rope(sizes);
        let sent = write(&mut client, rope);
        carry_in_pieces(&mut client, &mut server, 4096);
        assert!(received(&mut server) == data[..len], "{sizes:?}");
        assert!(sent.wait().is_ok());
    }
    let sent = write(&mut client, Bytes::copy_from_slice(&data));
    carry_in_pieces(&mut client, &mut server, 4096);
    assert!(received(&mut server) == data);
    assert!(sent.wait().is_ok());
    let sent = write(&mut client, ByteBuf::new());
    assert!(sent.wait().is_ok(), "nothing is sent at once");
    assert!(client.read_outbound().is_empty());
}

#[test]
fn one_write_is_one_message_for_small_ones() {
    let (mut client, mut server) = open_pair();
    drop(write(&mut client, "a"));
    drop(write(&mut client, "b"));
    server.write_inbound(client.read_outbound());
    // Two records that arrive together are handed on together.
    assert_eq!(server.drain_inbound::<ByteBuf>().len(), 1);
}

/// How many records lie in a row (RFC 8446 section 5.1).
fn records(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let [_, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        bytes = &rest[length..];
        count += 1;
    }
    count
}

#[test]
fn large_messages_make_full_records() {
    for (len, expected) in [(1, 1), (16_384, 1), (16_385, 2), (65_536, 4), (1 << 20, 64)] {
        let (mut client, _server) = open_pair();
        drop(write(&mut client, vec![0; len]));
        assert_eq!(records(&client.read_outbound()), expected, "{len}");
    }
}

#[test]
fn what_arrives_is_handed_on_in_buffers_that_need_not_grow() {
    let data = pattern(1 << 20);
    let (mut client, mut server) = open_pair();
    drop(write(&mut client, data.clone()));
    // Reads that end within records: each begins with the rest of one.
    carry_in_pieces(&mut client, &mut server, 64 * 1024);
    let buffers = server.drain_inbound::<ByteBuf>();
    assert!(buffers.iter().all(|buffer| buffer.capacity() <= 64 * 1024));
    assert!(buffers.concat() == data);
}

#[test]
fn a_full_record_needs_no_larger_block() {
    let (mut client, mut server) = open_pair();
    drop(write(&mut client, pattern(16 * 1024)));
    server.write_inbound(client.read_outbound());
    let buffers = server.drain_inbound::<ByteBuf>();
    let capacities: Vec<_> = buffers.iter().map(ByteBuf::capacity).collect();
    assert!(capacities.iter().all(|&capacity| capacity <= 16 * 1024), "{capacities:?}");
    assert!(buffers.concat() == pattern(16 * 1024));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_messages_in_any_pieces(
        messages in prop::collection::vec(0_usize..40_000, 1..6),
        pieces in prop::collection::vec(1_usize..20_000, 1..8),
    ) {
        let (mut client, mut server) = open_pair();
        let data = pattern(messages.iter().sum());
        let mut at = 0;
        for len in messages {
            drop(write(&mut client, data[at..at + len].to_vec()));
            at += len;
        }
        let mut bytes = client.read_outbound();
        let mut pieces = pieces.into_iter().cycle();
        while !bytes.is_empty() {
            let n = pieces.next().unwrap_or(1).min(bytes.readable());
            let piece = bytes.split_to(n);
            server.write_inbound(ByteBuf::from(&piece[..]));
        }
        prop_assert!(received(&mut server) == data);
        prop_assert!(server.take_error().is_none());
    }
}
