//! BBR's cells: what one flow makes of a path, by rate, round trip, loss and buffer, and how flows share
//! one. Kept in `bbr_cells.txt`, as the others are in `cells.txt`: a small set by default, all of them
//! when more is asked for.

use std::fmt::Write as _;
use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::Config;

use crate::bbr::bbr;
use crate::sim::{Path, Sim};
use crate::{config, model, seeds, thorough};

/// How far a cell may be from the file. The same seed gives the same; what a change does is to be seen.
const DRIFT: f64 = 0.03;

/// How long is looked at, after how long.
const LOOK: Duration = Duration::from_secs(30);
const FIRST: Duration = Duration::from_secs(10);

/// One flow alone.
struct Alone {
    mbit: u64,
    rtt_ms: u64,
    loss: f64,
    buffer: f64,
    /// In the small set.
    small: bool,
}

fn path(mbit: u64, rtt_ms: u64, loss: f64, buffer: f64) -> Path {
    let (rtt, rate) = (Duration::from_millis(rtt_ms), mbit * 125_000);
    let queue = (rate as f64 * rtt.as_secs_f64() * buffer) as u64;
    Path { rtt, rate, queue_bytes: queue.max(10_000), loss }
}

fn alone() -> Vec<Alone> {
    let mut cells = Vec::new();
    for mbit in [10, 100] {
        for rtt_ms in [10, 50, 200] {
            for (loss, buffers) in
                [(0.0, &[0.25, 1.0, 4.0][..]), (0.01, &[1.0]), (0.02, &[1.0]), (0.03, &[1.0])]
            {
                for &buffer in buffers {
                    let small = mbit == 10 && rtt_ms == 50;
                    cells.push(Alone { mbit, rtt_ms, loss, buffer, small });
                }
            }
        }
    }
    cells
}

impl Alone {
    fn name(&self) -> String {
        format!(
            "{:>3} Mbit/s, rtt {:>3} ms, loss {} %, buffer {:>4} BDP",
            self.mbit,
            self.rtt_ms,
            self.loss * 100.0,
            self.buffer
        )
    }

    /// The share of the link, the mean wait in round trips, and the share that was lost.
    fn measure(&self) -> [f64; 3] {
        let path = path(self.mbit, self.rtt_ms, self.loss, self.buffer);
        let count = seeds(1);
        let mut mean = [0.0; 3];
        for seed in 0..count {
            let mut sim = Sim::new(path.clone(), bbr(), 1, seed);
            sim.run_until(Instant::ZERO + FIRST);
            let before = (sim.read()[0], sim.lost, sim.carried, sim.queued);
            sim.run_until(Instant::ZERO + FIRST + LOOK);
            let read = (sim.read()[0] - before.0) as f64;
            let carried = (sim.carried - before.2) as f64;
            let waited = (sim.queued - before.3).as_secs_f64() / carried;
            mean[0] += read / LOOK.as_secs_f64() / model::capacity(&path);
            mean[1] += waited / path.rtt.as_secs_f64();
            mean[2] += (sim.lost - before.1) as f64 / carried;
        }
        mean.map(|sum| sum / count as f64)
    }
}

/// Flows that share 10 Mbit/s, 40 ms.
struct Together {
    name: &'static str,
    buffer: f64,
    flows: Vec<Config>,
    /// CUBIC is among them.
    is_mixed: bool,
    /// The last one begins so much later.
    late: Duration,
    small: bool,
}

fn together() -> Vec<Together> {
    let (bbr, cubic) = (bbr, config);
    let mut cells = Vec::new();
    for buffer in [0.5, 1.0, 2.0, 4.0] {
        let small = buffer == 1.0;
        let mut add = |name: &'static str, flows, late| {
            let late = Duration::from_secs(late);
            let is_mixed = name.contains("CUBIC");
            cells.push(Together { name, buffer, flows, is_mixed, late, small });
        };
        add("2 BBR", vec![bbr(), bbr()], 0);
        add("4 BBR", vec![bbr(), bbr(), bbr(), bbr()], 0);
        add("1 CUBIC, 1 BBR", vec![cubic(), bbr()], 0);
        add("2 CUBIC, 2 BBR", vec![cubic(), cubic(), bbr(), bbr()], 0);
        add("BBR, BBR 20 s later", vec![bbr(), bbr()], 20);
        add("CUBIC, BBR 20 s later", vec![cubic(), bbr()], 20);
        add("BBR, CUBIC 20 s later", vec![bbr(), cubic()], 20);
    }
    cells
}

impl Together {
    fn name(&self) -> String {
        format!("{:<22}, buffer {:>3} BDP", self.name, self.buffer)
    }

    /// How much of the link is used, and the share of the second half of the flows in that.
    fn measure(&self) -> [f64; 2] {
        let path = path(10, 40, 0.0, self.buffer);
        let count = seeds(1);
        let mut mean = [0.0; 2];
        for seed in 0..count {
            let mut sim = Sim::new(path.clone(), config(), self.flows.len(), seed);
            for (flow, config) in self.flows.iter().enumerate() {
                sim.configure(flow, config.clone());
            }
            sim.delay_last(self.late);
            let first = FIRST + self.late;
            sim.run_until(Instant::ZERO + first);
            let before = sim.read();
            sim.run_until(Instant::ZERO + first + LOOK);
            let read: Vec<_> =
                sim.read().iter().zip(before).map(|(now, then)| (now - then) as f64).collect();
            let total: f64 = read.iter().sum();
            let half: f64 = read[read.len() / 2..].iter().sum();
            mean[0] += total / LOOK.as_secs_f64() / model::capacity(&path);
            mean[1] += half / total;
        }
        mean.map(|sum| sum / count as f64)
    }
}

/// What the kept table says of a cell: the first number of its line.
fn known(name: &str) -> Option<f64> {
    let line = include_str!("bbr_cells.txt").lines().find(|line| line.starts_with(name))?;
    line[name.len() + 1..].trim().split(' ').next()?.parse().ok()
}

/// A table in the making, and what is wrong with it.
#[derive(Default)]
struct Table {
    text: String,
    wrong: String,
}

impl Table {
    /// Takes a line in: its first number is compared with the kept table, and `fine` is what is to be
    /// said of the cell in any case.
    fn add(&mut self, name: &str, first: f64, rest: &str, fine: bool) {
        writeln!(self.text, "{name}: {first:.3} {rest}").unwrap();
        if !fine {
            writeln!(self.wrong, "{name}: {first:.3} {rest}").unwrap();
        }
        let drift = if seeds(1) == 1 { DRIFT } else { 5.0 * DRIFT };
        if is_blessing() || known(name).is_some_and(|known| (known - first).abs() <= drift) {
            return;
        }
        writeln!(self.wrong, "{name}: {first:.3}, was {:?}", known(name)).unwrap();
    }
}

fn is_blessing() -> bool {
    std::env::var("FYKE_BLESS").is_ok()
}

/// The table: against what the draft lets one expect, and against the file. With `FYKE_BLESS` the file
/// is written anew, of one seed.
#[test]
fn bbr_cells_are_as_they_were() {
    let all = thorough() || is_blessing();
    let mut table = Table::default();
    for cell in alone().into_iter().filter(|cell| all || cell.small) {
        let [share, wait, lost] = cell.measure();
        // Up to half of the loss threshold the link is used, and alone a flow makes no long queue.
        let fine = (cell.loss > 0.01 || share >= 0.89) && wait <= 1.5 * cell.buffer.min(1.0);
        let rest = format!("of the link, waits {wait:.2} RTT, {:.2} % lost", lost * 100.0);
        table.add(&cell.name(), share, &rest, fine);
    }
    for cell in together().into_iter().filter(|cell| all || cell.small) {
        let [used, latter] = cell.measure();
        // Its own kind has about the half, whenever it came; others are not starved.
        let starved = if cell.is_mixed { 0.15 } else { 0.38 };
        let fine = used >= 0.95 && (starved..=1.0 - starved).contains(&latter);
        let rest = format!("for the latter half, {used:.3} used");
        table.add(&cell.name(), latter, &rest, fine);
    }
    eprintln!("{}", table.text);
    if is_blessing() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goodput/bbr_cells.txt");
        std::fs::write(path, &table.text).unwrap();
    }
    assert!(table.wrong.is_empty(), "{}", table.wrong);
}
