//! Runs fyke and the others under the same load, in turns, and prints how they compare.
//!
//! `cargo run --release --bin rivals`, and `-- --help` for its options.
//!
//! Every server runs on processor 0 with one thread that serves, the generator on processor 1. All
//! servers of a suite are up at once (one that nobody talks to costs nothing), and each round visits all
//! of them, so that the machine's moods hit all alike. Ratios are taken inside a round, against the
//! suite's reference (the C loop where there is one); then their median. Processor time is read first:
//! where both processors are busy, throughput says as much about the generator. Never compare the
//! absolute numbers of two runs.

#[path = "../../../../load/mod.rs"]
mod load;

mod contestants;
mod options;
mod places;
mod progress;
mod suites;
mod table;
mod wire;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use contestants::{Contestant, Running};
use load::remote::Generator;
use load::{Outcome, Until, Work};
use options::{Options, USAGE};
use places::Places;
use progress::Progress;
use suites::{Row, Suite, suites};
use table::Rounds;

fn main() -> ExitCode {
    if load::remote::is_generator_over::<wire::AnyWire>() {
        return ExitCode::SUCCESS;
    }
    let result = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            print!("{USAGE}");
            Ok(())
        }
        Err(text) => Err(io::Error::other(text)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    let places = Places::find()?;
    // It is this program, which building may replace.
    let mut generator = Generator::start(1)?;
    if options.build {
        places.build()?;
    }
    let suites = chosen(options, suites(&places))?;
    let visits = |suite: &Suite| suite.rows.len() * suite.contestants.len();
    let visits: usize = suites.iter().map(visits).sum();
    let mut progress = Progress::new(visits * options.rounds, options.time);
    let mut text = String::new();
    for suite in &suites {
        text.push_str(&compete(suite, options, &mut generator, &mut progress));
    }
    places.keep(&text)
}

/// The suites that were asked for, with those contestants that were, and that are there.
fn chosen(options: &Options, mut suites: Vec<Suite>) -> io::Result<Vec<Suite>> {
    let wanted = |list: &[String], name: &str| list.is_empty() || list.iter().any(|n| n == name);
    let known = suites.iter().map(|suite| suite.name).collect::<Vec<_>>();
    if let Some(name) = options.suites.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(io::Error::other(format!("no such suite: {name}\n{USAGE}")));
    }
    suites.retain(|suite| wanted(&options.suites, suite.name));
    for suite in &mut suites {
        suite.contestants.retain(|c| wanted(&options.only, c.name) && c.exists());
    }
    Ok(suites)
}

/// All rows of a suite; answers their tables. Who fails is left out, and named.
fn compete(
    suite: &Suite,
    options: &Options,
    generator: &mut Generator,
    progress: &mut Progress,
) -> String {
    let mut text = String::new();
    // One that spins would take the processor from the others.
    let up: Vec<_> = if suite.alone {
        suite.contestants.iter().map(|contestant| (contestant, None)).collect()
    } else {
        let started = suite.contestants.iter().map(|contestant| (contestant, contestant.start()));
        started.filter_map(|(c, running)| Some((c, Some(told(c, running)?)))).collect()
    };
    for row in &suite.rows {
        progress.row(suite.name, row);
        let mut rounds = Rounds::new();
        for round in 0..options.rounds {
            for (contestant, running) in &up {
                progress.visit(suite.name, row, contestant.name);
                let outcome = match running {
                    Some(running) => measure(generator, running, row, options.time),
                    None => contestant
                        .start()
                        .and_then(|running| measure(generator, &running, row, options.time)),
                };
                if let Some(outcome) = told(contestant, outcome) {
                    rounds.entry(contestant.name).or_default().insert(round, outcome);
                }
            }
        }
        progress.clear();
        let names: Vec<_> = up.iter().map(|(contestant, _)| contestant.name).collect();
        let table = table::of_row(suite, row, &names, &rounds);
        print!("{table}");
        text.push_str(&table);
    }
    text
}

/// What came of it, or a line that says why nothing did.
fn told<T>(contestant: &Contestant, result: io::Result<T>) -> Option<T> {
    result.inspect_err(|error| eprintln!("{}: {error}", contestant.name)).ok()
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
