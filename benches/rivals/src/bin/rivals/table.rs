//! A table of Markdown for each row.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::load::Outcome;
use crate::suites::{Row, Suite};

/// What was measured in a row: of each contestant an outcome for each round that it survived.
pub(crate) type Rounds = BTreeMap<&'static str, BTreeMap<usize, Outcome>>;

/// How the contestants did, the fastest not first: the order is always the same.
pub(crate) fn of_row(suite: &Suite, row: &Row, names: &[&'static str], rounds: &Rounds) -> String {
    let (name, reference) = (suite.name, suite.reference);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "\n### {name}: {row}\n\n\
         | | a second | MiB/s | of {reference} | CPU ns each | of {reference} | p50 us | p99 us | \
         p99.9 us | server busy | others | rounds |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    let none = BTreeMap::default();
    let compared = rounds.get(reference).unwrap_or(&none);
    for name in names {
        let Some(own) = rounds.get(name) else { continue };
        let of = |value: fn(&Outcome) -> f64| median(own.values().map(value)).unwrap_or(f64::NAN);
        let ratio = |value: fn(&Outcome) -> f64| {
            let pairs = own
                .iter()
                .filter_map(|(round, outcome)| Some(value(outcome) / value(compared.get(round)?)));
            median(pairs).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
        };
        let _ = writeln!(
            text,
            "| {name} | {:.0} | {:.0} | {} | {:.0} | {} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {} |",
            of(rate),
            of(|o| o.bytes as f64 / o.elapsed.as_secs_f64() / f64::from(1 << 20)),
            ratio(rate),
            of(cost),
            ratio(cost),
            of(|o| micros(o.p50)),
            of(|o| micros(o.p99)),
            of(|o| micros(o.p999)),
            of(|o| o.server_cpu.as_secs_f64() / o.elapsed.as_secs_f64()),
            of(|o| o.foreign_cpu.as_secs_f64() / o.elapsed.as_secs_f64()),
            own.len()
        );
    }
    text
}

/// Messages a second.
fn rate(outcome: &Outcome) -> f64 {
    outcome.messages as f64 / outcome.elapsed.as_secs_f64()
}

/// The server's nanoseconds for a message; messages of a row are all of one size.
fn cost(outcome: &Outcome) -> f64 {
    outcome.server_cpu.as_nanos() as f64 / outcome.messages as f64
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The middle one.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
