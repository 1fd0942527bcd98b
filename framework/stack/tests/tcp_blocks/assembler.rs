//! The out-of-order queue against a vector with a byte or nothing for each number.

use bytes::Bytes;
use fyke_stack::tcp::assembler::{Assembler, Inserted};
use proptest::prelude::*;

use super::{CORNERS, Random, seq};

fn pattern(from: u32, len: u32, salt: u8) -> Bytes {
    (from..from + len).map(|n| (n * 31 % 251) as u8 ^ salt).collect()
}

fn blocks(assembler: &mut Assembler, start: u32) -> Vec<(u32, u32)> {
    let base = seq(start);
    let blocks = assembler.sack_blocks(4);
    let relative = |at: fyke_stack::tcp::SeqNum| at.value().wrapping_sub(base.value());
    blocks.as_slice().iter().map(|&(left, right)| (relative(left), relative(right))).collect()
}

/// A queue that waits for number 0, with a window of 100 000.
struct Rig {
    assembler: Assembler,
    start: u32,
}

impl Rig {
    fn new(start: u32) -> Self {
        Self { assembler: Assembler::new(seq(start), 64), start }
    }

    fn at(&self, n: u32) -> fyke_stack::tcp::SeqNum {
        seq(self.start.wrapping_add(n))
    }

    fn insert(&mut self, from: u32, to: u32) -> Inserted {
        let edge = self.assembler.next() + 100_000;
        let at = self.at(from);
        let done = self.assembler.insert(at, pattern(from, to - from, 0), edge);
        assert!(self.assembler.check());
        done
    }

    fn sack(&mut self) -> Vec<(u32, u32)> {
        blocks(&mut self.assembler, self.start)
    }

    fn drain(&mut self) -> u32 {
        let mut len = 0;
        while let Some(piece) = self.assembler.pop() {
            len += piece.len() as u32;
        }
        assert!(self.assembler.check());
        len
    }
}

#[test]
fn in_order_passes_through() {
    for corner in CORNERS {
        let mut rig = Rig::new(corner);
        let payload = pattern(0, 1460, 0);
        let done = rig.assembler.insert(rig.at(0), payload.clone(), rig.at(100_000));
        assert_eq!(done.in_order.as_ptr(), payload.as_ptr(), "shared, not copied");
        assert_eq!((done.new, done.duplicate, done.dropped), (1460, 0, 0));
        assert_eq!(rig.assembler.next(), rig.at(1460));
        assert!(rig.assembler.is_empty() && rig.sack().is_empty());
    }
}

/// RFC 2018, section 4, the examples: segments of 500 bytes, SND.UNA 5000.
#[test]
fn sack_blocks_of_rfc_2018() {
    // Case 2: the first is lost, the next seven arrive: one block that grows.
    let mut rig = Rig::new(5000);
    for n in 1..8 {
        rig.insert(n * 500, (n + 1) * 500);
        assert_eq!(rig.sack(), [(500, (n + 1) * 500)]);
    }
    assert_eq!(rig.assembler.ranges(), 1);
    // Case 3: the 2nd, 4th, 6th and 8th are lost: the newest block first.
    let mut rig = Rig::new(5000);
    assert_eq!(rig.insert(0, 500).new, 500);
    rig.insert(1000, 1500);
    assert_eq!(rig.sack(), [(1000, 1500)]);
    rig.insert(2000, 2500);
    assert_eq!(rig.sack(), [(2000, 2500), (1000, 1500)]);
    rig.insert(3000, 3500);
    assert_eq!(rig.sack(), [(3000, 3500), (2000, 2500), (1000, 1500)]);
    // The fourth segment arrives late and joins two; then the second.
    rig.insert(1500, 2000);
    assert_eq!(rig.sack(), [(1000, 2500), (3000, 3500)]);
    assert_eq!(rig.insert(500, 1000).in_order.len(), 500);
    assert_eq!(rig.drain(), 1500);
    assert_eq!(rig.assembler.next(), rig.at(2500));
    assert_eq!(rig.sack(), [(3000, 3500)]);
}

/// RFC 2883, section 4: the duplicate first, the block around it behind.
#[test]
fn duplicates_of_rfc_2883() {
    // 4.1, a full duplicate below the acknowledgement number; told once.
    let mut rig = Rig::new(0xffff_fe00);
    rig.insert(0, 1000);
    let done = rig.insert(0, 500);
    assert_eq!((done.new, done.duplicate, done.in_order.len()), (0, 500, 0));
    assert!(rig.assembler.has_duplicate());
    assert_eq!(rig.sack(), [(0, 500)]);
    assert!(rig.sack().is_empty());
    // 4.1, with data out of order.
    rig.insert(1500, 2000);
    rig.insert(500, 1000);
    assert_eq!(rig.sack(), [(500, 1000), (1500, 2000)]);
    // 4.2, a duplicate within a block.
    rig.insert(1500, 2000);
    assert_eq!(rig.sack(), [(1500, 2000), (1500, 2000)]);
    // 4.2, a part of a segment is a duplicate.
    rig.insert(1800, 2300);
    assert_eq!(rig.sack(), [(1800, 2000), (1500, 2300)]);
    // 4.2, two runs of one segment: the first is reported.
    rig.insert(2500, 3000);
    rig.sack();
    let done = rig.insert(2000, 3000);
    assert_eq!((done.new, done.duplicate), (200, 800));
    assert_eq!(rig.sack(), [(2000, 2300), (1500, 3000)]);
    // The front is new, the end is not.
    rig.insert(5000, 5500);
    rig.sack();
    rig.insert(4900, 5100);
    assert_eq!(rig.sack(), [(5000, 5100), (4900, 5500), (1500, 3000)]);
    // One run below the acknowledgement number, one within a block.
    let done = rig.insert(900, 2000);
    assert_eq!((done.new, done.duplicate), (500, 600));
    assert_eq!(rig.sack()[0], (900, 1000));
}

/// RFC 2018, section 4: a range that keeps growing does not push the others out of memory.
#[test]
fn the_order_of_change_is_kept() {
    let mut rig = Rig::new(9);
    for left in [10, 20, 30] {
        rig.insert(left, left + 1);
    }
    (40..60).for_each(|left| assert_eq!(rig.insert(left, left + 1).new, 1));
    assert_eq!(rig.sack(), [(40, 60), (30, 31), (20, 21), (10, 11)]);
    rig.insert(11, 12);
    assert_eq!(rig.sack(), [(10, 12), (40, 60), (30, 31), (20, 21)]);
}

#[test]
fn the_first_received_wins() {
    let mut rig = Rig::new(CORNERS[2]);
    rig.insert(10, 20);
    rig.insert(30, 40);
    let done = rig.assembler.insert(rig.at(0), pattern(0, 50, 0xff), rig.at(1000));
    assert_eq!((done.new, done.duplicate), (30, 20));
    let mut bytes = done.in_order.to_vec();
    while let Some(piece) = rig.assembler.pop() {
        bytes.extend(&piece[..]);
    }
    let expected: Vec<u8> = (0..50_u32)
        .map(|n| {
            pattern(n, 1, if (10..20).contains(&n) || (30..40).contains(&n) { 0 } else { 0xff })[0]
        })
        .collect();
    assert_eq!(bytes, expected);
}

#[test]
fn keeps_to_the_window() {
    let mut rig = Rig::new(7);
    let edge = rig.at(1000);
    let done = rig.assembler.insert(rig.at(900), pattern(900, 300, 0), edge);
    assert_eq!((done.new, done.dropped), (100, 200));
    let done = rig.assembler.insert(rig.at(1000), pattern(1000, 300, 0), edge);
    assert_eq!((done.new, done.dropped), (0, 300));
    let done = rig.assembler.insert(rig.at(0), pattern(0, 2000, 0), edge);
    assert_eq!((done.new, done.dropped, done.duplicate), (900, 1000, 100));
    assert_eq!(rig.drain(), 100);
    assert_eq!(rig.assembler.next(), edge);
}

/// More holes than any network makes: the farthest ranges go, the nearest stay.
#[test]
fn drops_the_farthest_of_too_many_ranges() {
    let mut rig = Rig::new(CORNERS[4]);
    for n in (1..=64).rev() {
        assert_eq!(rig.insert(n * 10, n * 10 + 1).dropped, 0);
    }
    assert_eq!(rig.insert(5, 6).dropped, 1);
    assert_eq!((rig.assembler.ranges(), rig.assembler.queued()), (64, 64));
    assert_eq!(rig.insert(9_000, 9_001).dropped, 1, "the new one is the farthest");
    assert_eq!(rig.assembler.highest(), rig.at(631));
    assert_eq!(rig.assembler.clear(), 64);
    assert!(rig.assembler.is_empty() && rig.sack().is_empty());
}

/// A FIN in order, with data that a broken peer sent beyond it.
#[test]
fn skips_a_fin() {
    let mut rig = Rig::new(CORNERS[3]);
    rig.insert(10, 20);
    rig.insert(0, 9);
    rig.assembler.skip(1);
    assert_eq!(rig.drain(), 10);
    rig.insert(30, 32);
    rig.assembler.skip(11);
    assert_eq!(rig.drain(), 1);
    rig.insert(40, 50);
    rig.assembler.skip(100);
    assert!(rig.assembler.is_empty());
    assert_eq!(rig.assembler.queued(), 0);
}

#[test]
fn an_old_segment_is_told_as_a_duplicate() {
    let mut rig = Rig::new(1000);
    rig.insert(0, 100);
    rig.assembler.note_duplicate(seq(500), seq(600));
    let told = rig.assembler.sack_blocks(3);
    assert_eq!(told.as_slice(), [(seq(500), seq(600))]);
    rig.assembler.note_duplicate(seq(5), seq(5));
    assert!(!rig.assembler.has_duplicate());
    rig.insert(0, 100);
    assert!(rig.assembler.sack_blocks(0).is_empty(), "no room for options");
    assert!(rig.assembler.has_duplicate(), "it waits for an ACK with room");
}

/// Pieces of one byte, in an order that merges as often as possible, do not pin memory.
#[test]
fn many_small_pieces_become_few() {
    for order in [0, 1, 2] {
        let mut rig = Rig::new(3);
        for n in 0..4096_u32 {
            let at = match order {
                0 => n + 1,
                1 => 4096 - n,
                _ => 1 + (n % 64) * 64 + n / 64,
            };
            let edge = rig.at(100_000);
            rig.assembler.insert(rig.at(at), pattern(at, 1, 0), edge);
        }
        assert_eq!(rig.assembler.ranges(), 1, "order {order}");
        assert_eq!(rig.insert(0, 1).new, 1);
        let (mut pieces, mut at) = (0, 1);
        while let Some(piece) = rig.assembler.pop() {
            assert_eq!(piece, pattern(at, piece.len() as u32, 0));
            at += piece.len() as u32;
            pieces += 1;
        }
        assert_eq!(at, 4097);
        assert!(pieces <= 8 + 4096 / 256, "order {order}: {pieces} pieces");
    }
}

/// A peer that merges and overlaps as cleverly as it can: still a few steps a segment.
#[test]
fn no_order_of_arrival_is_expensive() {
    let segments = 8_192_u32;
    let reversed = |n: u32| n.reverse_bits() >> (32 - 13);
    let orders: [(&str, &dyn Fn(u32) -> u32); 4] = [
        ("from the far end", &|n| segments - 1 - n),
        ("every second, then the others", &|n| (n * 2) % segments + n * 2 / segments),
        ("merging halves", &reversed),
        ("by chance", &|n| n.wrapping_mul(0x9e37_79b1) % segments),
    ];
    for (name, order) in orders {
        for size in [1, 600] {
            let mut assembler = Assembler::new(seq(0xffff_0000), Assembler::RANGES_MAX);
            let edge = assembler.next() + (segments + 1) * size;
            let payload = pattern(0, size * 3, 0);
            for n in 0..segments {
                // Each overlaps its neighbours.
                let at = assembler.next() + 1 + order(n) * size;
                assembler.insert(at, payload.slice(..(size * (1 + n % 3)) as usize), edge);
            }
            let per_segment = assembler.steps() as f64 / f64::from(segments);
            assert!(per_segment < 16.0, "{name}, {size}: {per_segment} steps a segment");
            assert!(assembler.check());
        }
    }
}

/// The model: what was received first for each number from `start` on.
struct Model {
    bytes: Vec<Option<u8>>,
    next: usize,
}

impl Model {
    fn insert(&mut self, from: usize, payload: &[u8], edge: usize) -> (u32, u32, u32) {
        let (mut new, mut duplicate, mut dropped) = (0, 0, 0);
        for (index, byte) in payload.iter().enumerate() {
            let at = from + index;
            if at >= edge {
                dropped += 1;
            } else if self.bytes[at].is_some() {
                duplicate += 1;
            } else {
                self.bytes[at] = Some(*byte);
                new += 1;
            }
        }
        (new, duplicate, dropped)
    }

    /// Ranges beyond the next number.
    fn ranges(&self, edge: usize) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for at in self.next..edge {
            if self.bytes[at].is_some() {
                match ranges.last_mut() {
                    Some(last) if last.1 as usize == at => last.1 += 1,
                    _ => ranges.push((at as u32, at as u32 + 1)),
                }
            }
        }
        ranges
    }
}

fn history(random: &mut Random, start: u32, steps: usize, window: u32) {
    let mut assembler = Assembler::new(seq(start), Assembler::RANGES_MAX);
    let mut model = Model { bytes: vec![None; steps * 40 + 20 * window as usize], next: 0 };
    for step in 0..steps {
        let near = model.next.saturating_sub(random.below(20) as usize);
        let reach = if random.one_in(3) { 30 } else { window + 20 };
        let from = near + random.below(reach) as usize;
        let longest = if random.one_in(8) { 600 } else { 40 };
        let len = random.below(longest) as usize;
        let payload: Bytes = (0..len).map(|n| (n * 7 + step) as u8).collect();
        let edge = model.next + window as usize;
        let at = |n: usize| seq(start.wrapping_add(n as u32));
        let done = assembler.insert(at(from), payload.clone(), at(edge));
        let expected = model.insert(from, &payload, edge);
        assert_eq!((done.new, done.duplicate, done.dropped), expected, "step {step}");
        let mut arrived = vec![done.in_order];
        arrived.extend(std::iter::from_fn(|| assembler.pop()));
        for byte in arrived.iter().flatten() {
            assert_eq!(Some(*byte), model.bytes[model.next], "step {step}");
            model.next += 1;
        }
        assert_eq!(model.bytes[model.next], None, "step {step}: not all was handed over");
        assert_eq!(assembler.next(), at(model.next));
        let ranges = model.ranges(edge);
        let queued: u32 = ranges.iter().map(|(left, right)| right - left).sum();
        assert_eq!((assembler.ranges(), assembler.queued()), (ranges.len(), queued));
        let told = assembler.has_duplicate();
        let blocks = blocks(&mut assembler, start);
        let blocks = &blocks[usize::from(told)..];
        assert_eq!(blocks.len(), ranges.len().min(4 - usize::from(told)));
        assert!(blocks.iter().all(|block| ranges.contains(block)), "{blocks:?} of {ranges:?}");
        let touched = |block: &(u32, u32)| (block.0..block.1).contains(&(from as u32));
        if from > model.next && from < edge && len > 0 {
            assert!(touched(&blocks[0]), "the last one touched comes first");
        }
        assert!(assembler.check(), "step {step}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn agrees_with_a_vector(seed: u64, corner in 0..CORNERS.len(), window in 50_u32..2000) {
        history(&mut Random(seed), CORNERS[corner], 300, window);
    }
}

#[test]
fn agrees_with_a_vector_for_long() {
    history(&mut Random(7), 0xffff_8000, 4_000, 1000);
}

#[test]
fn the_rest_of_a_long_segment_keeps_no_frame_alive() {
    let frame = Bytes::from(vec![7; 60_000]);
    let mut this = Assembler::new(seq(0), 100);
    this.insert(seq(1000), frame.clone(), seq(2000));
    assert_eq!(this.queued(), 1000);
    assert!(frame.is_unique());
}
