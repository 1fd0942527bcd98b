//! A network in virtual time: scenarios, plots and captures from one seed.
//!
//! `cargo run --release --example sim -- --seed 7 --loss 1% --rtt 50ms --plot out.svg --pcap out.pcapng`
//!
//! | file | idea |
//! |---|---|
//! | `scenarios` | what happens, a file each; `--list` names them |
//! | `bulk` | servers and clients: ordinary fyke pipelines |
//! | `trace` | what a connection was like over time |
//! | `plot` | from there to an SVG |
//! | `units` | `1%`, `50ms`, `10mbit` |
#![forbid(unsafe_code)]

mod bulk;
mod plot;
mod scenarios;
mod trace;
mod units;

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use fyke::sim::World;
use fyke::sim::stack::tcp::congestion::Algorithm;

use crate::plot::Figure;

/// A network in virtual time.
#[derive(Parser, Clone, Debug)]
#[command(name = "sim", version)]
pub(crate) struct Flags {
    /// What happens: --list names all
    #[arg(long, value_name = "NAME", default_value = "bottleneck")]
    scenario: String,

    /// Name the scenarios
    #[arg(long)]
    list: bool,

    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 7)]
    seed: u64,

    /// How likely the path loses a packet: 1% or 0.01
    #[arg(long, value_parser = units::probability)]
    loss: Option<f64>,

    /// The path's round-trip time without queues: 50ms
    #[arg(long, value_parser = units::duration)]
    rtt: Option<Duration>,

    /// The path's narrowest rate: 10mbit
    #[arg(long, value_parser = units::rate)]
    rate: Option<u64>,

    /// Packets that wait at the narrowest place at most
    #[arg(long)]
    queue: Option<usize>,

    /// How much each flow sends: 4MB
    #[arg(long, value_parser = units::size)]
    size: Option<u64>,

    /// Flows at once
    #[arg(long)]
    flows: Option<usize>,

    /// How senders find their rate
    #[arg(long, value_enum, default_value = "cubic")]
    congestion: Congestion,

    /// How much virtual time passes, in scenarios that have no end of their own: 1h
    #[arg(long, value_parser = units::duration)]
    time: Option<Duration>,

    /// Hosts or connections, in scenarios that have many
    #[arg(long)]
    many: Option<usize>,

    /// Draw what happened
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,

    /// Capture every frame, with comments
    #[arg(long, value_name = "FILE.pcapng")]
    pcap: Option<PathBuf>,
}

/// How senders find their rate.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Congestion {
    /// CUBIC (RFC 9438)
    Cubic,
    /// A recovery lasts until all is repaired (RFC 6582)
    Newreno,
    /// The first ACK of new data ends a recovery (RFC 5681)
    Reno,
    /// BBR, version 3: paced, by rate and round trip (draft-ietf-ccwg-bbr)
    Bbr,
}

impl Congestion {
    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::Cubic => Algorithm::Cubic,
            Self::Newreno => Algorithm::NewReno,
            Self::Reno => Algorithm::Reno,
            Self::Bbr => Algorithm::Bbr,
        }
    }

    /// Its name in a title.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cubic => "CUBIC",
            Self::Newreno => "NewReno",
            Self::Reno => "Reno",
            Self::Bbr => "BBR",
        }
    }
}

/// What a scenario hands back.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) figure: Figure,
    /// Lines of the summary: what, and how much.
    pub(crate) facts: Vec<(String, String)>,
}

/// Anything that keeps a scenario from its end.
pub(crate) type Failure = Box<dyn std::error::Error>;

impl Flags {
    /// A world of the seed, whose frames are captured when that is wanted.
    fn world(&self) -> Result<World, Failure> {
        let world = World::new(self.seed);
        if let Some(path) = &self.pcap {
            let file = File::create(path).map_err(|e| format!("{}: {e}", path.display()))?;
            world.capture_to(BufWriter::new(file))?;
        }
        Ok(world)
    }
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    if flags.list {
        for scenario in scenarios::ALL {
            println!("{:<14} {}", scenario.name, scenario.about);
        }
        return ExitCode::SUCCESS;
    }
    fyke_examples::exit(run(&flags).map_err(|error| error.to_string()))
}

fn run(flags: &Flags) -> Result<(), Failure> {
    let scenario = scenarios::ALL.iter().find(|scenario| scenario.name == flags.scenario);
    let scenario = scenario.ok_or_else(|| {
        format!("there is no scenario {:?}; --list names those that there are", flags.scenario)
    })?;
    let world = flags.world()?;
    let began = Instant::now();
    let outcome = (scenario.run)(flags, &world)?;
    let took = began.elapsed().as_secs_f64();
    world.end_capture()?;
    summary(flags, &world, scenario.name, &outcome, took);
    if let Some(path) = &flags.plot {
        let svg = plot::draw(&outcome.figure);
        std::fs::write(path, svg).map_err(|e| format!("{}: {e}", path.display()))?;
        println!("{:<24} {}", "plot", path.display());
    }
    if let Some(path) = &flags.pcap {
        println!("{:<24} {}", "capture", path.display());
    }
    Ok(())
}

fn summary(flags: &Flags, world: &World, name: &str, outcome: &Outcome, took: f64) {
    println!("{:<24} {name}", "scenario");
    println!("{:<24} {}", "seed", flags.seed);
    for (what, how_much) in &outcome.facts {
        println!("{what:<24} {how_much}");
    }
    let drops = world.drops();
    println!("{:<24} {}", "frames dropped", drops.total());
    for (reason, count) in drops.iter() {
        println!("  {:<22} {count}", reason.text());
    }
    let virtual_time = trace::seconds(world.now());
    println!(
        "{:<24} {virtual_time:.3} s of virtual time, {} events in {took:.2} s ({:.1} M/s)",
        "simulated",
        world.happened(),
        world.happened() as f64 / took.max(1e-9) / 1e6
    );
}
