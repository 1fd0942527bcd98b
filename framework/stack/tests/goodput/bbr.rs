//! BBR beside the models of loss-based control: it fills paths that lose by chance, keeps queues short
//! where buffers are deep and losses few where they are shallow, and shares with its own kind and with
//! CUBIC. And pacing alone, under CUBIC.

use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::congestion::Algorithm;
use fyke_stack::tcp::{Config, Pacing};

use crate::sim::{Path, Sim};
use crate::{config, model, seeds};

pub fn bbr() -> Config {
    let mut config = config();
    config.congestion.algorithm = Algorithm::Bbr;
    config
}

/// A bottleneck of 10 Mbit/s: bandwidth-delay products of some dozen segments.
fn path(loss: f64, rtt_ms: u64, buffer: f64) -> Path {
    let (rtt, rate) = (Duration::from_millis(rtt_ms), 1_250_000);
    let queue_bytes = (rate as f64 * rtt.as_secs_f64() * buffer) as u64;
    Path { rtt, rate, queue_bytes, loss }
}

/// What one flow makes of a path.
#[derive(Debug, Default, Clone, Copy)]
struct Cell {
    /// Of the bottleneck's payload.
    goodput: f64,
    /// The mean wait in the queue.
    queue: Duration,
    /// Segments lost of a thousand.
    lost: f64,
}

/// Over a minute, after ten seconds; the mean of some seeds.
fn measure(name: &str, path: &Path, config: &Config) -> Cell {
    let (count, mut mean) = (seeds(1), Cell::default());
    let time = Duration::from_secs(60);
    for seed in 0..count {
        let mut sim = Sim::new(path.clone(), config.clone(), 1, seed);
        let begin = Instant::ZERO + Duration::from_secs(10);
        sim.run_until(begin);
        let before = (sim.read()[0], sim.lost, sim.carried, sim.queued);
        sim.run_until(begin + time);
        let carried = sim.carried - before.2;
        let share = 1.0 / count as f64;
        let read = (sim.read()[0] - before.0) as f64;
        mean.goodput += share * read / time.as_secs_f64() / model::capacity(path);
        mean.queue += (sim.queued - before.3) / carried as u32 / count as u32;
        mean.lost += share * (sim.lost - before.1) as f64 * 1000.0 / carried as f64;
    }
    eprintln!(
        "loss {:>3} % rtt {:>3} ms queue {:>6} B {name:<11} {:.3} of the bottleneck, waits {:>6.2} ms, \
         lost {:.2} of 1000",
        path.loss * 100.0,
        path.rtt.as_millis(),
        path.queue_bytes,
        mean.goodput,
        mean.queue.as_secs_f64() * 1000.0,
        mean.lost
    );
    mean
}

/// Loss by chance is no congestion, below the loss threshold of 2 %; above it less is left of it.
#[test]
fn paths_that_lose_by_chance_are_filled() {
    for (loss, least) in [(0.01, 0.9), (0.03, 0.7)] {
        let path = path(loss, 50, 1.0);
        let (bbr, cubic) = (measure("BBR", &path, &bbr()), measure("CUBIC", &path, &config()));
        assert!(bbr.goodput >= least, "{bbr:?}");
        assert!(bbr.goodput >= 2.5 * cubic.goodput, "{bbr:?} and {cubic:?}");
    }
}

/// A deep buffer is not filled: the wait is a fraction of CUBIC's.
#[test]
fn queues_stay_short() {
    for (rtt, buffer, most) in [(50, 4.0, 0.2), (50, 1.0, 0.5), (10, 4.0, 0.6)] {
        let path = path(0.0, rtt, buffer);
        let (bbr, cubic) = (measure("BBR", &path, &bbr()), measure("CUBIC", &path, &config()));
        assert!(bbr.goodput >= 0.95, "{bbr:?}");
        assert!(bbr.queue < cubic.queue.mul_f64(most), "{bbr:?} and {cubic:?}");
    }
}

/// A shallow one is enough.
#[test]
fn shallow_buffers_are_enough() {
    for rtt in [50, 200] {
        let path = path(0.0, rtt, 0.25);
        let (bbr, _) = (measure("BBR", &path, &bbr()), measure("CUBIC", &path, &config()));
        assert!(bbr.goodput >= 0.92, "{bbr:?}");
        assert!(bbr.lost <= 10.0, "{bbr:?}");
    }
}

/// Shares of the bottleneck over a minute, after some time to find them.
fn shares(path: &Path, configs: &[Config], seed: u64) -> Vec<f64> {
    let mut sim = Sim::new(path.clone(), configs[0].clone(), configs.len(), seed);
    for (flow, config) in configs.iter().enumerate() {
        sim.configure(flow, config.clone());
    }
    sim.run_until(Instant::ZERO + Duration::from_secs(15));
    let before = sim.read();
    sim.run_until(Instant::ZERO + Duration::from_secs(75));
    let read = sim.read().into_iter().zip(before).map(|(read, before)| (read - before) as f64);
    read.map(|read| read / 60.0 / model::capacity(path)).collect()
}

/// Flows of BBR share as fairly as any.
#[test]
fn its_own_kind_gets_its_share() {
    for flows in [2, 4] {
        for seed in 0..seeds(1) {
            let shares = shares(&path(0.0, 40, 1.0), &vec![bbr(); flows], seed);
            let total: f64 = shares.iter().sum();
            let squares: f64 = shares.iter().map(|share| share * share).sum();
            let jain = total * total / (flows as f64 * squares);
            eprintln!("{flows} flows, seed {seed}: {total:.3} used, Jain {jain:.3}, {shares:.3?}");
            assert!(total >= 0.93 && jain >= 0.9, "{shares:?}");
        }
    }
}

/// Beside CUBIC each lives: a fair share is a half, and neither has less than half of that.
#[test]
fn neither_it_nor_cubic_starves() {
    for buffer in [1.0, 2.0, 4.0] {
        for seed in 0..seeds(1) {
            let shares = shares(&path(0.0, 40, buffer), &[bbr(), config()], seed);
            eprintln!("buffer {buffer} BDP, seed {seed}: BBR and CUBIC have {shares:.3?}");
            assert!(shares.iter().sum::<f64>() >= 0.95, "{shares:?}");
            assert!(shares.iter().all(|share| *share >= 0.25), "{shares:?}");
        }
    }
}

/// Pacing by the window costs no goodput where the buffer is shallow.
#[test]
fn pacing_costs_nothing() {
    let mut paced = config();
    paced.pacing = Pacing::USUAL;
    for (rtt, buffer) in [(50, 0.25), (50, 1.0)] {
        let path = path(0.0, rtt, buffer);
        let (with, without) =
            (measure("CUBIC paced", &path, &paced), measure("CUBIC", &path, &config()));
        assert!(with.goodput >= without.goodput - 0.01, "{with:?} and {without:?}");
    }
}

/// A cap is a rate that the receiver sees; BBR looks for a shorter round trip now and then as ever.
#[test]
fn a_cap_is_kept() {
    for algorithm in [Algorithm::Cubic, Algorithm::Bbr] {
        let mut config = config();
        config.congestion.algorithm = algorithm;
        config.pacing_rate_max = Some(500_000);
        let path = path(0.0, 50, 1.0);
        let cell = measure("capped", &path, &config);
        let rate = cell.goodput * model::capacity(&path);
        assert!((470_000.0..=500_500.0).contains(&rate), "{algorithm:?}: {rate}");
        assert!(cell.queue < Duration::from_millis(3), "{cell:?}");
    }
}
