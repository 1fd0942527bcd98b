//! The send buffer against a vector of bytes.

use bytes::Bytes;
use fyke_stack::tcp::send_buffer::SendBuffer;
use proptest::prelude::*;

use super::{CORNERS, Random, seq};

fn pattern(from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(|n| (n * 31 % 251) as u8).collect()
}

fn collect(buffer: &SendBuffer, at: u32, len: usize) -> Vec<u8> {
    buffer.chunks(seq(at), len).flatten().copied().collect()
}

#[test]
fn a_large_write_is_not_copied() {
    let data = Bytes::from(pattern(0, 10_000));
    let mut buffer = SendBuffer::new(seq(100), 20_000);
    assert_eq!(buffer.write(data.clone()), 10_000);
    let segment = buffer.slice(seq(1560), 1460);
    assert_eq!(segment.as_ptr(), data[1460..].as_ptr());
    assert_eq!(&segment[..], &data[1460..2920]);
    assert_eq!(buffer.contiguous(seq(1560)), 8540);
}

#[test]
fn small_writes_share_blocks() {
    let mut buffer = SendBuffer::new(seq(0), 100_000);
    for n in 0..20_000 {
        assert_eq!(buffer.write(Bytes::from(pattern(n, 1))), 1);
    }
    let blocks = buffer.chunks(seq(0), usize::MAX).count();
    assert!(blocks <= 8, "20000 writes of one byte in {blocks} blocks");
    assert_eq!(collect(&buffer, 0, usize::MAX), pattern(0, 20_000));
    // A segment within a block is shared with it.
    let segment = buffer.slice(seq(16_000), 1000);
    assert_eq!(&segment[..], &pattern(16_000, 1000));
    assert!(!segment.is_unique());
}

#[test]
fn takes_no_more_than_it_is_for() {
    let mut buffer = SendBuffer::new(seq(0), 1000);
    assert_eq!(buffer.write(Bytes::from(pattern(0, 900))), 900);
    assert_eq!(buffer.write(Bytes::from(pattern(900, 900))), 100);
    assert_eq!(buffer.write_slice(&[1]), 0);
    assert_eq!((buffer.len(), buffer.free()), (1000, 0));
    buffer.set_capacity(500);
    assert_eq!((buffer.len(), buffer.free()), (1000, 0), "what is kept stays");
    assert_eq!(buffer.advance(seq(600)), 600);
    assert_eq!(buffer.free(), 100);
    assert_eq!(collect(&buffer, 600, 1000), pattern(600, 400));
    assert_eq!(SendBuffer::new(seq(0), usize::MAX).capacity(), 1 << 30);
}

#[test]
fn outside_there_is_nothing() {
    let mut buffer = SendBuffer::new(seq(1000), 1000);
    buffer.write_slice(&pattern(0, 100));
    for at in [0, 999, 1100, 1101, 0x8000_0000, 1000_u32.wrapping_sub(1)] {
        assert_eq!(buffer.available(seq(at)), 0, "{at}");
        assert_eq!(buffer.slice(seq(at), 10), Bytes::new(), "{at}");
        assert_eq!(buffer.contiguous(seq(at)), 0, "{at}");
    }
    assert_eq!(buffer.slice(seq(1090), 100).len(), 10);
    assert_eq!(buffer.slice(seq(1090), 0).len(), 0);
}

/// The acknowledgement of a FIN is one beyond the last byte; an old one is before the first.
#[test]
fn advances_within_what_there_is() {
    let mut buffer = SendBuffer::new(seq(1000), 1000);
    buffer.write_slice(&pattern(0, 100));
    assert_eq!(buffer.advance(seq(900)), 0);
    assert_eq!(buffer.advance(seq(1101)), 100);
    assert_eq!((buffer.start(), buffer.end(), buffer.is_empty()), (seq(1100), seq(1100), true));
    buffer.reset(seq(7));
    buffer.write_slice(&pattern(0, 3));
    assert_eq!(collect(&buffer, 7, 9), pattern(0, 3));
}

/// One history: writes of all sizes, segments from anywhere, acknowledgements.
fn history(random: &mut Random, start: u32, steps: usize) {
    let mut buffer = SendBuffer::new(seq(start), 50_000);
    let (mut model, mut una, mut written) = (Vec::<u8>::new(), start, 0);
    let mut next = start;
    for _ in 0..steps {
        match random.below(8) {
            0..=2 => {
                let size = [1, 3, 100, 1024, 1025, 5000][random.below(6) as usize];
                let data = pattern(written, random.below(size) as usize + 1);
                let taken = if random.one_in(2) {
                    buffer.write_slice(&data)
                } else {
                    buffer.write(Bytes::from(data.clone()))
                };
                assert_eq!(taken, data.len().min(50_000 - model.len()));
                model.extend(&data[..taken]);
                written += taken;
            }
            3..=4 => {
                // In order, as a sender does, and across the end.
                let len = random.below(3000) as usize;
                let from = next.wrapping_sub(una) as usize;
                let expected = &model[from.min(model.len())..(from + len).min(model.len())];
                let segment = buffer.slice(seq(next), len);
                assert_eq!(&segment[..], expected);
                next = next.wrapping_add(expected.len() as u32);
            }
            5..=6 => {
                let from = random.below(model.len() as u32 + 1) as usize;
                let len = random.below(4000) as usize;
                let expected = &model[from..(from + len).min(model.len())];
                let at = una.wrapping_add(from as u32);
                assert_eq!(collect(&buffer, at, len), expected);
                assert_eq!(&buffer.slice(seq(at), len)[..], expected);
                assert_eq!(buffer.available(seq(at)), model.len() - from);
            }
            _ => {
                let by = random.below(next.wrapping_sub(una) + 1);
                una = una.wrapping_add(by);
                assert_eq!(buffer.advance(seq(una)), by as usize);
                model.drain(..by as usize);
            }
        }
        assert_eq!(buffer.len(), model.len());
        assert_eq!(buffer.start(), seq(una));
        assert_eq!(buffer.end(), seq(una.wrapping_add(model.len() as u32)));
    }
    assert_eq!(collect(&buffer, una, usize::MAX), model);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn agrees_with_a_vector(seed: u64, corner in 0..CORNERS.len()) {
        history(&mut Random(seed), CORNERS[corner], 400);
    }
}

#[test]
fn agrees_with_a_vector_for_long() {
    history(&mut Random(1), 0xffff_0000, 20_000);
}
