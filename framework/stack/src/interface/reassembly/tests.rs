use alloc::vec;

use super::*;

fn key(identification: u32) -> Key {
    Key {
        source: IpAddr::from([10, 0, 0, 1]),
        destination: IpAddr::from([10, 0, 0, 2]),
        identification,
        protocol: 17,
    }
}

fn piece(offset: usize, more: bool, payload: &[u8]) -> Piece {
    Piece {
        offset,
        more,
        payload: Bytes::copy_from_slice(payload),
        protocol: IpProtocol::UDP,
        packet: Bytes::new(),
        traffic_class: 0,
    }
}

fn reassembly() -> Reassembly {
    Reassembly::new(100_000, 64, (Duration::from_secs(30), Duration::from_secs(60)))
}

fn add(to: &mut Reassembly, id: u32, piece: Piece) -> Outcome {
    to.add(Instant::ZERO, key(id), piece, &mut 0)
}

#[test]
fn any_order_and_copies_make_the_same_datagram() {
    let all: Vec<u8> = (0..50).collect();
    let pieces =
        [piece(0, true, &all[..16]), piece(16, true, &all[16..40]), piece(40, false, &all[40..])];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        let mut this = reassembly();
        assert!(matches!(add(&mut this, 1, pieces[order[0]].clone()), Outcome::Waiting));
        assert!(matches!(add(&mut this, 1, pieces[order[0]].clone()), Outcome::Waiting));
        assert!(matches!(add(&mut this, 1, pieces[order[1]].clone()), Outcome::Waiting));
        let Outcome::Whole(whole) = add(&mut this, 1, pieces[order[2]].clone()) else {
            panic!("{order:?}")
        };
        assert_eq!((&whole.payload[..], this.bytes(), this.len()), (&all[..], 0, 0));
    }
}

#[test]
fn overlaps_drop_the_datagram_and_what_follows() {
    for overlap in [piece(8, true, &[9; 8]), piece(8, false, &[9; 4]), piece(0, true, &[9; 16])] {
        let mut this = reassembly();
        assert!(matches!(add(&mut this, 1, piece(0, true, &[0; 16])), Outcome::Waiting));
        assert!(matches!(add(&mut this, 1, overlap), Outcome::Dropped(_)));
        let rest = add(&mut this, 1, piece(16, false, &[1; 4]));
        assert!(matches!(rest, Outcome::Dropped(DropReason::FragmentOverlap)));
        assert_eq!(this.bytes(), DATAGRAM_BYTES);
        assert_eq!(this.expire(Instant::ZERO + Duration::from_secs(30)), Some(None));
        assert_eq!(this.bytes(), 0);
    }
}

#[test]
fn nothing_goes_beyond_the_end_or_65535_bytes() {
    let mut this = reassembly();
    let beyond = add(&mut this, 1, piece(65_528, false, &[0; 8]));
    assert!(matches!(beyond, Outcome::Dropped(DropReason::FragmentBounds)), "ping of death");
    assert!(matches!(add(&mut this, 2, piece(8, false, &[0; 8])), Outcome::Waiting));
    let behind = add(&mut this, 2, piece(16, true, &[0; 8]));
    assert!(matches!(behind, Outcome::Dropped(DropReason::FragmentBounds)));
    let ragged = add(&mut this, 3, piece(0, true, &[0; 9]));
    assert!(matches!(ragged, Outcome::Dropped(DropReason::FragmentBounds)));
}

#[test]
fn pieces_and_bytes_are_limited() {
    let mut this = reassembly();
    for n in 0..64 {
        assert!(matches!(add(&mut this, 1, piece(n * 16, true, &[0; 8])), Outcome::Waiting));
    }
    let one_more = add(&mut this, 1, piece(64 * 16, true, &[0; 8]));
    assert!(matches!(one_more, Outcome::Dropped(DropReason::FragmentCount)));
    let mut evicted = 0;
    for id in 2..1000 {
        this.add(Instant::ZERO, key(id), piece(8, true, &vec![0; 1000]), &mut evicted);
        assert!(this.bytes() <= 100_000);
    }
    assert!(evicted > 800);
    let newest = add(&mut this, 999, piece(0, true, &[0; 8]));
    assert!(matches!(newest, Outcome::Waiting), "the oldest went, not the newest");
    let last = add(&mut this, 999, piece(1008, false, &[0; 8]));
    assert!(matches!(last, Outcome::Whole(_)), "the oldest went, not the newest");
}

#[test]
fn time_runs_out_for_the_oldest_first() {
    let mut this = reassembly();
    let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
    let mut first = piece(0, true, &[0; 8]);
    first.packet = Bytes::from_static(b"quoted");
    this.add(at(0), key(1), first, &mut 0);
    this.add(at(5), key(2), piece(8, true, &[0; 8]), &mut 0);
    assert_eq!((this.next_deadline(), this.expire(at(29))), (Some(at(30)), None));
    assert_eq!(this.expire(at(35)), Some(Some(Bytes::from_static(b"quoted"))));
    assert_eq!(this.expire(at(35)), Some(None));
    assert_eq!((this.expire(at(99)), this.next_deadline()), (None, None));
}

/// A fragment is small and what it lies in may be large: nothing of that is kept.
#[test]
fn a_fragment_keeps_no_frame_alive() {
    let mut this = reassembly();
    let frame = Bytes::from(vec![7; 60_000]);
    let first =
        Piece { payload: frame.slice(40..48), packet: frame.slice(..48), ..piece(0, true, &[]) };
    let second = Piece { payload: frame.slice(100..108), ..piece(16, true, &[]) };
    assert!(matches!(add(&mut this, 1, first), Outcome::Waiting));
    assert!(matches!(add(&mut this, 1, second), Outcome::Waiting));
    assert!(frame.is_unique());
    assert_eq!(this.bytes(), DATAGRAM_BYTES + 2 * PIECE_BYTES + 8 + 8 + 48);
}
