//! Replays what the fuzz targets have collected, and lets a small generator of its own make more, so
//! that the cases are run where there is no fuzzer. See `fuzz/README.md`.
//!
//! ```text
//! FYKE_SECONDS=600 cargo test --release -p fyke-stack --test fuzz_corpus ingress
//! ```
#![allow(missing_docs, reason = "a test")]

#[path = "../../fuzz/cases/host.rs"]
mod host;
#[path = "../../fuzz/cases/ingress.rs"]
mod ingress;
#[path = "../../fuzz/cases/router.rs"]
mod router;
#[path = "../../fuzz/cases/two_peers.rs"]
mod two_peers;
#[path = "../../fuzz/cases/wire.rs"]
mod wire;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut paths: Vec<_> =
        fs::read_dir(&folder).expect("the corpus").map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a readable file")).collect()
}

fn replay(name: &str, check: fn(&[u8])) {
    let cases = corpus(name);
    assert!(cases.len() >= 20, "only {} cases of {name}", cases.len());
    for (at, case) in cases.iter().enumerate() {
        println!("{name} {at}"); // shown when the case panics
        check(case);
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Bytes of an old case and new ones.
    fn mutate(&mut self, cases: &[Vec<u8>]) -> Vec<u8> {
        let mut input = cases[self.below(cases.len())].clone();
        for _ in 0..1 + self.below(8) {
            let at = self.below(input.len() + 1);
            match self.below(6) {
                0 => input.truncate(at),
                1 => input.insert(at, self.next() as u8),
                2 => {
                    let other = &cases[self.below(cases.len())];
                    let from = self.below(other.len() + 1);
                    input.truncate(at);
                    input.extend_from_slice(&other[from..]);
                }
                3 => input.extend(self.next().to_le_bytes()),
                _ => {
                    if let Some(byte) = input.get_mut(at) {
                        *byte = self.next() as u8;
                    }
                }
            }
        }
        input.truncate(2000);
        input
    }
}

/// A fixed number of cases, or as many as a time allows that somebody asks for.
fn mutations(name: &str, usual: u32, check: fn(&[u8])) {
    let cases = corpus(name);
    let seconds = std::env::var("FYKE_SECONDS").ok().map(|text| text.parse().expect("a number"));
    let seed = std::env::var("FYKE_SEED").map_or(1, |text| text.parse().expect("a number"));
    let mut random = Random(seed | 1 << 40);
    let (begin, mut run) = (Instant::now(), 0);
    let more = |run| match seconds {
        Some(seconds) => begin.elapsed() < Duration::from_secs(seconds),
        None => run < usual,
    };
    while more(run) {
        let input = random.mutate(&cases);
        let outcome = std::panic::catch_unwind(|| check(&input));
        if outcome.is_err() {
            let path = std::env::temp_dir().join(format!("{name}-failed"));
            let _ = fs::write(&path, &input);
            panic!("case {run} of {name}, see {}: {input:?}", path.display());
        }
        run += 1;
    }
    println!("{run} cases of {name}");
}

#[test]
fn ingress_corpus() {
    replay("ingress", ingress::check);
}

#[test]
fn two_peers_corpus() {
    replay("two_peers", two_peers::check);
}

#[test]
fn router_corpus() {
    replay("router", router::check);
}

#[test]
fn router_mutations() {
    mutations("router", 1000, router::check);
}

#[test]
fn ingress_mutations() {
    mutations("ingress", 300, ingress::check);
}

#[test]
fn two_peers_mutations() {
    mutations("two_peers", 300, two_peers::check);
}

#[test]
fn wire_mutations() {
    mutations("wire", 2000, wire::check);
}

#[test]
fn host_mutations() {
    mutations("host", 300, host::check);
}
