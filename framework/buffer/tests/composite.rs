//! The rope against a model of one `Vec<u8>`, and its cursor over every segment edge.

use bytes::{Buf, Bytes};
use fyke_buffer::{ByteBuf, CompositeBuf, OutOfBounds, Segment};
use proptest::collection::vec;
use proptest::prelude::*;

fn rope(segments: &[&[u8]]) -> CompositeBuf {
    segments
        .iter()
        .enumerate()
        .map(|(at, bytes)| match at % 2 {
            0 => Segment::Buf(ByteBuf::from(*bytes)),
            _ => Segment::Bytes(Bytes::copy_from_slice(bytes)),
        })
        .collect()
}

#[derive(Clone, Debug)]
enum Op {
    Push(Vec<u8>, bool),
    Prepend(Vec<u8>, bool),
    Append(Vec<Vec<u8>>),
    Advance(usize),
    SplitOff(usize),
    KeepFront(usize),
    PopFront,
    CopyToBytes(usize),
    Contiguous,
}

fn op() -> impl Strategy<Value = Op> {
    let bytes = || vec(0..4_u8, 0..6);
    prop_oneof![
        4 => (bytes(), any::<bool>()).prop_map(|(bytes, own)| Op::Push(bytes, own)),
        2 => (bytes(), any::<bool>()).prop_map(|(bytes, own)| Op::Prepend(bytes, own)),
        2 => vec(bytes(), 0..4).prop_map(Op::Append),
        3 => (0..20_usize).prop_map(Op::Advance),
        2 => (0..20_usize).prop_map(Op::SplitOff),
        1 => (0..40_usize).prop_map(Op::KeepFront),
        1 => Just(Op::PopFront),
        2 => (0..12_usize).prop_map(Op::CopyToBytes),
        1 => Just(Op::Contiguous),
    ]
}

fn segment(bytes: &[u8], own: bool) -> Segment {
    if own { ByteBuf::from(bytes).into() } else { Bytes::copy_from_slice(bytes).into() }
}

fn apply(rope: &mut CompositeBuf, model: &mut Vec<u8>, op: Op) {
    match op {
        Op::Push(bytes, own) => {
            rope.push(segment(&bytes, own));
            model.extend(bytes);
        }
        Op::Prepend(bytes, own) => {
            rope.prepend(segment(&bytes, own));
            model.splice(0..0, bytes);
        }
        Op::Append(parts) => {
            model.extend(parts.concat());
            rope.append(parts.into_iter().collect());
        }
        Op::Advance(n) => {
            let fits = n <= model.len();
            assert_eq!(rope.skip(n).is_ok(), fits);
            model.drain(..if fits { n } else { 0 });
        }
        Op::SplitOff(n) => match rope.try_split_to(n) {
            Ok(front) => {
                assert_eq!(front.len(), n);
                assert_eq!(front, model.drain(..n).collect::<Vec<_>>());
            }
            Err(error) => {
                assert_eq!(error, OutOfBounds { needed: n, available: model.len() });
                assert!(n > model.len());
            }
        },
        Op::KeepFront(n) => {
            let n = n.min(model.len());
            *rope = rope.split_to(n);
            model.truncate(n);
        }
        Op::PopFront => {
            let first = rope.pop_front();
            assert_eq!(first.is_none(), model.is_empty());
            let n = first.as_ref().map_or(0, Segment::len);
            assert_eq!(first.as_ref().map_or(&[][..], Segment::as_slice), &model[..n]);
            model.drain(..n);
        }
        Op::CopyToBytes(n) => {
            let n = n.min(model.len());
            assert_eq!(rope.copy_to_bytes(n), model.drain(..n).collect::<Vec<_>>());
        }
        Op::Contiguous => {
            let buf = std::mem::take(rope).into_contiguous();
            assert_eq!(buf, *model);
            rope.push(buf);
        }
    }
}

fn check(rope: &CompositeBuf, model: &[u8]) {
    assert_eq!(rope.len(), model.len());
    assert_eq!(rope.is_empty(), model.is_empty());
    assert!(rope.chunks().all(|chunk| !chunk.is_empty()));
    assert_eq!(rope.chunks().len(), rope.segment_count());
    assert_eq!(rope.to_vec(), model);
    assert!(rope == model);
    for byte in 0..5 {
        assert_eq!(rope.find_byte(byte), model.iter().position(|&b| b == byte));
    }
    for room in [0, 1, 3, model.len(), model.len() + 2] {
        let mut copy = vec![9; room];
        let n = rope.copy_to(&mut copy);
        assert_eq!(n, room.min(model.len()));
        assert_eq!(copy[..n], model[..n]);
    }
    let mut cursor = rope.cursor();
    for (at, &byte) in model.iter().enumerate() {
        assert_eq!((cursor.position(), cursor.remaining()), (at, model.len() - at));
        assert_eq!(cursor.get_u8(), byte);
    }
    assert!(!cursor.has_remaining() && cursor.chunk().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_vec(ops in vec(op(), 1..50)) {
        let mut rope = CompositeBuf::new();
        let mut model = vec![];
        for op in ops {
            apply(&mut rope, &mut model, op);
            check(&rope, &model);
        }
    }
}

/// Cuts eight bytes in two or three at every pair of places and reads numbers at every offset.
#[test]
fn the_cursor_reads_numbers_over_every_edge() {
    let bytes: Vec<u8> = (1..=8).collect();
    for a in 0..=8 {
        for b in a..=8 {
            let rope = rope(&[&bytes[..a], &bytes[a..b], &bytes[b..]]);
            for at in 0..=8 {
                let mut cursor = rope.cursor();
                cursor.skip(at).unwrap();
                let mut flat = &bytes[at..];
                assert_eq!(cursor.clone().try_get_u16().ok(), flat.try_get_u16().ok());
                flat = &bytes[at..];
                assert_eq!(cursor.clone().try_get_u32_le().ok(), flat.try_get_u32_le().ok());
                flat = &bytes[at..];
                assert_eq!(cursor.clone().try_get_u64().ok(), flat.try_get_u64().ok());
                let error = OutOfBounds { needed: 9, available: 8 - at };
                assert_eq!(cursor.skip(9), Err(error));
                assert_eq!(cursor.position(), at, "a refused skip moves nothing");
                let mut rest = vec![0; 8 - at];
                cursor.copy_to_slice(&mut rest);
                assert_eq!(rest, bytes[at..]);
            }
        }
    }
}

#[test]
fn a_consumed_rope_reads_like_the_cursor() {
    let mut rope = rope(&[&[0], &[1, 2], &[3, 4, 5, 6]]);
    assert_eq!(rope.get_u32(), 0x0001_0203);
    assert_eq!(rope.segment_count(), 1);
    assert_eq!(rope.get_u16(), 0x0405);
    assert!(rope.try_get_u16().is_err());
    assert_eq!(rope, [6]);
}

#[test]
fn splitting_and_joining_shares_memory() {
    let buf = ByteBuf::from("hello world");
    let address = buf.as_ptr();
    let mut rope = CompositeBuf::from(buf);
    let front = rope.split_to(5);
    assert_eq!(front.chunks().next().unwrap().as_ptr(), address);
    assert_eq!(rope.into_contiguous().as_ptr(), address.wrapping_add(5));
    assert_eq!(front.into_contiguous().as_ptr(), address, "a single buffer is not copied");
}

#[test]
fn bytes_inside_one_segment_are_shared_not_copied() {
    let mut rope = rope(&[b"abc", b"defg"]);
    let address = rope.chunks().next().unwrap().as_ptr();
    assert_eq!(rope.copy_to_bytes(2).as_ptr(), address);
    assert_eq!(rope.copy_to_bytes(3), "cde");
    assert_eq!(rope, b"fg");
}

#[test]
#[should_panic(expected = "cannot advance: out of bounds: 4 needed, 3 available")]
fn advancing_too_far_panics() {
    rope(&[b"ab", b"c"]).advance(4);
}
