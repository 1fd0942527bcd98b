//! Replays the fuzzer's corpus, so that what it once found stays found; damages each sample.

use std::fs;
use std::path::Path;

use super::case;
use super::samples::frames;

#[test]
fn every_case_of_the_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/wire");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus") {
        let path = entry.expect("a file of the corpus").path();
        println!("{}", path.display()); // shown when the case panics
        case::check(&fs::read(&path).expect("a readable file"));
        count += 1;
    }
    assert!(count >= 60, "only {count} cases in {}", folder.display());
}

#[test]
fn no_cut_makes_a_frame_panic() {
    let mut cuts = 0;
    for frame in frames() {
        for length in 0..=frame.len().min(200) {
            case::check(&frame[..length]);
            cuts += 1;
        }
    }
    assert!(cuts > 5000, "{cuts} cuts");
}

#[test]
fn no_flip_makes_a_frame_panic() {
    let mut flips = 0;
    for frame in frames() {
        for at in 0..frame.len().min(160) {
            for mask in [0x01, 0x80, 0xff] {
                let mut damaged = frame.clone();
                damaged[at] ^= mask;
                case::check(&damaged);
                flips += 1;
            }
        }
    }
    assert!(flips > 10_000, "{flips} flips");
}

#[test]
fn no_single_bit_of_a_header_makes_a_packet_panic() {
    // Without the link's header, so that all of it are bits that a router forwards.
    for frame in frames().into_iter().filter(|frame| frame.len() <= 100) {
        let packet = &frame[14..];
        for bit in 0..packet.len() * 8 {
            let mut damaged = packet.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            case::check(&damaged);
        }
    }
}
