//! Runs fyke and the others under the same load, in turns, and prints how they compare.
//!
//! `cargo run --release --bin rivals -- [--suites echo,http,ws,spin] [--rounds 9] [--millis 800]
//! [--only c,fyke,hyper] [--no-build]`
//!
//! Every server runs on processor 0 with one thread that serves, the generator on processor 1. All
//! servers of a suite are up at once (one that nobody talks to costs nothing), and each round visits all
//! of them, so that the machine's moods hit all alike. Ratios are taken inside a round, against the C
//! loop; then their median. Processor time is read first: where both processors are busy, throughput says
//! as much about the generator. Never compare the absolute numbers of two runs.

#[path = "../../../../load/mod.rs"]
mod load;

mod contestants;
mod table;

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use contestants::{Contestant, Running, suites};
use load::remote::Generator;
use load::{Outcome, Until, Work};

/// Against whom ratios are taken.
pub(crate) const REFERENCE: &str = "c";

/// One row of a suite: what is sent over how many connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) protocol: &'static str,
    pub(crate) size: usize,
    pub(crate) depth: usize,
    pub(crate) connections: usize,
}

/// What was measured in a row: of each contestant an outcome for each round that it survived.
pub(crate) type Rounds = BTreeMap<&'static str, BTreeMap<usize, Outcome>>;

struct Options {
    suites: Vec<String>,
    only: Vec<String>,
    rounds: usize,
    time: Duration,
    build: bool,
}

impl Options {
    fn parse() -> Result<Self, String> {
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let mut options = Self {
            suites: list("echo,http,ws,spin"),
            only: Vec::new(),
            rounds: 9,
            time: Duration::from_millis(800),
            build: true,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            if word == "--no-build" {
                options.build = false;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            let number =
                || value.parse::<u64>().map_err(|error| format!("{word} {value}: {error}"));
            match word.as_str() {
                "--suites" => options.suites = list(&value),
                "--only" => options.only = list(&value),
                "--rounds" => options.rounds = number()? as usize,
                "--millis" => options.time = Duration::from_millis(number()?),
                _ => return Err(format!("no such option: {word}")),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    if load::remote::is_generator() {
        return ExitCode::SUCCESS;
    }
    let result = Options::parse().map_err(io::Error::other).and_then(|options| run(&options));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    let places = contestants::Places::find()?;
    if options.build {
        places.build()?;
    }
    let mut generator = Generator::start(1)?;
    let mut text = String::new();
    for suite in suites(&places) {
        if !options.suites.iter().any(|name| name == suite.name) {
            continue;
        }
        let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|n| n == name);
        let chosen: Vec<Contestant> =
            suite.contestants.into_iter().filter(|c| c.exists() && wanted(c.name)).collect();
        // One that spins would take the processor from the others.
        let mut up = Vec::new();
        if !suite.alone {
            for contestant in &chosen {
                up.push(contestant.start()?);
            }
        }
        for row in &suite.rows {
            let mut rounds = Rounds::new();
            for round in 0..options.rounds {
                for (n, contestant) in chosen.iter().enumerate() {
                    let outcome = match up.get(n) {
                        Some(running) => measure(&mut generator, running, row, options.time),
                        None => contestant
                            .start()
                            .and_then(|up| measure(&mut generator, &up, row, options.time)),
                    };
                    match outcome {
                        Ok(outcome) => {
                            _ = rounds.entry(contestant.name).or_default().insert(round, outcome)
                        }
                        Err(error) => eprintln!("{} {row:?}: {error}", contestant.name),
                    }
                }
            }
            let names: Vec<_> = chosen.iter().map(|contestant| contestant.name).collect();
            let table = table::of_row(suite.name, row, &names, &rounds);
            print!("{table}");
            text.push_str(&table);
        }
    }
    places.keep(&text)
}

/// Connects, warms up, measures.
fn measure(
    generator: &mut Generator,
    server: &Running,
    row: &Row,
    time: Duration,
) -> io::Result<Outcome> {
    let work = Work::new(row.protocol, row.size, row.depth)?;
    generator.open(server.address, row.connections, 0, &work)?;
    generator.run(Until::Time(time / 5), server.pid())?;
    let outcome = generator.run(Until::Time(time), server.pid());
    generator.close()?;
    outcome
}
