//! Black holes and chance (RFC 4821, section 7.7; RFC 8899, section 4.3): on a path that loses much,
//! time-outs in a row say little, and a real black hole is to be found there, too.
//!
//! More seeds, and the figures: `FYKE_TRANSFERS=50 cargo test --release -p fyke-stack --test tcp
//! mtu_chance -- --nocapture`.

use fyke_stack::tcp::MtuProbing;

use crate::mtu_path::{Path, searching};

fn seeds(usual: u64) -> u64 {
    std::env::var("FYKE_TRANSFERS").map_or(usual, |n| n.parse().expect("FYKE_TRANSFERS: a number"))
}

/// Loses so many of a thousand.
fn dice(seed: u64, per_mille: u64) -> impl FnMut() -> bool {
    let mut state = seed.wrapping_mul(2) + 1;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % 1000 < per_mille
    }
}

/// A path that carries all sizes and loses so many of a thousand, there and back.
fn lossy(probing: MtuProbing, seed: u64, (there, back): (u64, u64)) -> Path {
    let mut path = Path::new(searching(probing), 1460);
    let (mut forth, mut back) = (dice(seed, there), dice(!seed, back));
    path.loses = Box::new(move |_, _| forth());
    path.loses_back = Box::new(move |_, _| back());
    path
}

const LOSSES: [(u64, u64); 6] = [(50, 0), (100, 0), (200, 0), (300, 0), (100, 100), (200, 200)];

/// Losses by chance cost no more than they do without any search, whatever time-outs they bring.
#[test]
fn rfc_8899_4_3_chance_is_no_black_hole() {
    let (count, mut wrong) = (seeds(8), String::new());
    for loss in LOSSES {
        let (mut took, mut small, mut holes) = ([0.0, 0.0], 0, 0);
        for seed in 0..count {
            for (n, probing) in
                [MtuProbing::Off, MtuProbing::AfterBlackHole].into_iter().enumerate()
            {
                let mut path = lossy(probing, seed, loss);
                took[n] += path.transfer(300_000).as_secs_f64() / count as f64;
                small += u64::from(path.mss() < 1460);
                holes += path.info().mtu_search.map_or(0, |search| u64::from(search.black_holes));
            }
        }
        let [off, on] = took;
        eprintln!(
            "lost of 1000 {loss:?}: {off:.2} s without a search, {on:.2} s with it, {holes} \
             suspicions, {small} of {count} ended with small segments"
        );
        if on > off * 1.15 || small * 20 > count {
            wrong += &format!("{loss:?}: {on:.2} instead of {off:.2} s, {small} small\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A path that carries less from some moment on; how long it takes, and what size is found.
fn narrowing(seed: u64, loss: (u64, u64), carries: usize, before: u64) -> (f64, usize) {
    let mut path = lossy(MtuProbing::AfterBlackHole, seed, loss);
    if before > 0 {
        path.transfer(before);
    }
    path.carries = carries;
    let took = path.transfer(300_000).as_secs_f64();
    (took, path.mss())
}

/// A real one is found, whenever it begins and however much is lost besides.
#[test]
fn rfc_8899_4_3_a_black_hole_is_found_among_other_losses() {
    let count = seeds(4);
    for loss in [(0, 0), (50, 0), (100, 0), (200, 0), (300, 0)] {
        for carries in [1400, 1100, 600] {
            for before in [0, 200_000] {
                let all: Vec<_> =
                    (0..count).map(|seed| narrowing(seed, loss, carries, before)).collect();
                let mean = all.iter().map(|(took, _)| took).sum::<f64>() / count as f64;
                let most = all.iter().map(|(took, _)| *took).fold(0.0, f64::max);
                let size = all.iter().map(|(_, mss)| *mss as f64).sum::<f64>() / count as f64;
                eprintln!(
                    "carries {carries}, lost of 1000 {loss:?}, after {before} bytes: {mean:.2} s, \
                     at most {most:.2} s, size {size:.0}"
                );
                assert!(all.iter().all(|(_, mss)| *mss <= carries), "{all:?}");
            }
        }
    }
}
