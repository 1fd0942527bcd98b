//! Goodput against the models: a table of loss, round trip and buffer, and flows that share.
//!
//! Each cell is the mean of some seeds, held between 0.85 and 1.2 of the larger of Mathis' model and
//! that of RFC 9438 (or of the bottleneck), and near what `cells.txt` says it was. More seeds, and
//! writing the file anew, are asked for like this:
//!
//! ```text
//! FYKE_SEEDS=50 cargo test --release -p fyke-stack --test goodput
//! FYKE_BLESS=1 cargo test -p fyke-stack --test goodput cells
//! ```
//!
//! BBR has cells of its own: `bbr_cells`.
#![forbid(unsafe_code)]
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod bbr;
mod bbr_cells;
mod model;
mod rival;
mod sim;

use std::fmt::Write as _;
use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::Config;
use sim::{Path, Sim};

/// What a cell may be of its model.
const LOW: f64 = 0.85;
const HIGH: f64 = 1.2;

/// How far a cell may be from the file: what a change of the stack does is to be seen.
const DRIFT: f64 = 0.05;

/// Random losses in one run of a cell.
const LOSSES: f64 = 40.0;

/// Segments in one run of a cell without random loss; the second when more seeds are asked for. A
/// hole at the end of the time holds back up to a window, which is a second with the longest queue:
/// the longer the run, the less it is of it.
const SEGMENTS: [f64; 2] = [10_000.0, 30_000.0];

/// Runs of a cell, unless more are asked for.
const SEEDS: u64 = 3;

/// Whether more was asked for than a test usually does.
fn thorough() -> bool {
    std::env::var("FYKE_SEEDS").is_ok()
}

fn seeds(usual: u64) -> u64 {
    std::env::var("FYKE_SEEDS").map_or(usual, |text| text.parse().expect("FYKE_SEEDS: a number"))
}

/// Buffers that never limit, and segments one by one.
fn config() -> Config {
    let mut config = Config::linux();
    config.gso_bytes_max = 0;
    config.receive_buffer_bytes = 8 << 20;
    config.receive_buffer_bytes_max = 8 << 20;
    config.send_buffer_bytes = 8 << 20;
    config.send_buffer_bytes_max = 8 << 20;
    config
}

struct Cell {
    path: Path,
    /// The buffer in bandwidth-delay products.
    buffer: f64,
}

impl Cell {
    fn new(loss: f64, rtt_ms: u64, buffer: f64) -> Self {
        let rtt = Duration::from_millis(rtt_ms);
        // With random loss the bottleneck must not be one; without, it is all there is.
        let rate: u64 = if loss > 0.0 { 100_000_000 } else { 1_250_000 };
        let queue = rate as f64 * rtt.as_secs_f64() * buffer;
        let path = Path { rtt, rate, queue_bytes: (queue as u64).max(20_000), loss };
        Self { path, buffer }
    }

    fn name(&self) -> String {
        let rtt = self.path.rtt.as_millis();
        format!(
            "loss {:>3} % rtt {rtt:>3} ms buffer {:>4} BDP",
            self.path.loss * 100.0,
            self.buffer
        )
    }

    /// How long to look, after how long.
    fn times(&self) -> (Duration, Duration) {
        let rate = model::goodput(&self.path) / model::SEGMENT_BYTES;
        let segments = if self.path.loss > 0.0 {
            LOSSES / self.path.loss
        } else {
            SEGMENTS[usize::from(thorough())]
        };
        let look = Duration::from_secs_f64(segments / rate);
        // Until the first losses have brought the window to where it stays.
        let first = look / 4 + self.path.rtt * 50;
        (first + Duration::from_secs(2), look)
    }

    /// Few segments: what a test without optimisation can afford of the rival.
    fn is_quick(&self) -> bool {
        self.path.loss >= 0.03 && self.path.rtt.as_millis() == 50
    }

    fn measure(&self, seed: u64) -> f64 {
        self.measure_with(&config(), seed)
    }

    fn measure_with(&self, config: &Config, seed: u64) -> f64 {
        let (first, look) = self.times();
        let mut sim = Sim::new(self.path.clone(), config.clone(), 1, seed);
        sim.run_until(Instant::ZERO + first);
        let before: u64 = sim.read().iter().sum();
        sim.run_until(Instant::ZERO + first + look);
        let read: u64 = sim.read().iter().sum();
        (read - before) as f64 / look.as_secs_f64()
    }
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for loss in [0.0, 0.001, 0.01, 0.03] {
        for rtt_ms in [10, 50, 200] {
            let buffers: &[f64] = if loss > 0.0 { &[1.0] } else { &[0.25, 1.0, 4.0] };
            cells.extend(buffers.iter().map(|buffer| Cell::new(loss, rtt_ms, *buffer)));
        }
    }
    cells
}

/// The table, against the models and against the file.
#[test]
fn cells_are_as_the_models_say() {
    let count = seeds(SEEDS);
    let (mut table, mut wrong) = (String::new(), String::new());
    let known = include_str!("cells.txt");
    for cell in cells() {
        let mean = (0..count).map(|seed| cell.measure(seed)).sum::<f64>() / count as f64;
        let ratio = mean / model::goodput(&cell.path);
        let (name, kilobytes) = (cell.name(), mean / 1000.0);
        writeln!(table, "{name}: {kilobytes:>9.1} kB/s, {ratio:.2} of the model").unwrap();
        if !(LOW..=HIGH).contains(&ratio) {
            writeln!(wrong, "{name}: {ratio:.2} of the model").unwrap();
        }
        let before = known.lines().find(|line| line.starts_with(&name));
        let before = before.and_then(|line| line[name.len() + 1..].trim().split(' ').next());
        let before: f64 = before.and_then(|number| number.parse().ok()).unwrap_or(0.0);
        // Other seeds have other means.
        let drift = if count == SEEDS { DRIFT } else { 4.0 * DRIFT };
        if (kilobytes / before - 1.0).abs() > drift && std::env::var("FYKE_BLESS").is_err() {
            writeln!(wrong, "{name}: {kilobytes:.1} kB/s, was {before:.1}").unwrap();
        }
    }
    eprintln!("{table}");
    if std::env::var("FYKE_BLESS").is_ok() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goodput/cells.txt");
        std::fs::write(path, &table).unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// In each cell we are at least as good as smoltcp with its Reno; by default in some cells, with
/// `FYKE_SEEDS` in all. It has no timestamps, so here we have none either.
#[test]
fn cells_are_no_worse_than_the_rival() {
    let (count, mut wrong) = (seeds(1), String::new());
    let mut config = config();
    config.timestamps = false;
    let quick = !thorough();
    for cell in cells().into_iter().filter(|cell| !quick || cell.is_quick()) {
        let (first, look) = cell.times();
        let mean = |goodput: &dyn Fn(u64) -> f64| {
            (0..count).map(goodput).sum::<f64>() / count as f64 / model::goodput(&cell.path)
        };
        let ours = mean(&|seed| cell.measure_with(&config, seed));
        let theirs = mean(&|seed| rival::goodput(&cell.path, seed, first, look));
        eprintln!("{}: {ours:.3} of the model, smoltcp {theirs:.3}", cell.name());
        // Both can fill a link; the rest of that hole is forgiven.
        if ours < theirs - 0.01 {
            writeln!(wrong, "{}: {ours:.3}, smoltcp {theirs:.3}", cell.name()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Flows through one bottleneck use it, and share it.
#[test]
fn flows_use_and_share_a_bottleneck() {
    for flows in [2, 4, 8] {
        for seed in 0..seeds(1) {
            let rtt = Duration::from_millis(40);
            let rate = 1_250_000;
            let path = Path { rtt, rate, queue_bytes: rate * 40 / 1000, loss: 0.0 };
            let capacity = model::capacity(&path);
            let mut sim = Sim::new(path, config(), flows, seed);
            sim.run_until(Instant::ZERO + Duration::from_secs(10));
            let before = sim.read();
            sim.run_until(Instant::ZERO + Duration::from_secs(50));
            let shares: Vec<f64> = sim
                .read()
                .iter()
                .zip(before)
                .map(|(read, before)| (read - before) as f64)
                .collect();
            let total: f64 = shares.iter().sum();
            let used = total / 40.0 / capacity;
            let squares: f64 = shares.iter().map(|share| share * share).sum();
            let jain = total * total / (flows as f64 * squares);
            eprintln!("{flows} flows, seed {seed}: {used:.3} used, Jain {jain:.3}");
            assert!(used >= 0.9, "{flows} flows, seed {seed}: {used:.3} of the bottleneck");
            assert!(jain >= 0.9, "{flows} flows, seed {seed}: {jain:.3}, {shares:?}");
        }
    }
}

/// The same seed gives the same, to the byte.
#[test]
fn a_seed_replays() {
    let run = || {
        let mut sim = Sim::new(Cell::new(0.01, 50, 1.0).path, config(), 3, 5);
        sim.run_until(Instant::ZERO + Duration::from_secs(10));
        (sim.read(), sim.lost, sim.carried)
    };
    assert_eq!(run(), run());
}
