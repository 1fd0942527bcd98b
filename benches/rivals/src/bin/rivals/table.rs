//! A table of Markdown for each row.

use std::fmt::Write as _;
use std::time::Duration;

use crate::load::Outcome;
use crate::{REFERENCE, Rounds, Row};

/// How the contestants did, the fastest not first: the order is always the same.
pub(crate) fn of_row(suite: &str, row: &Row, names: &[&'static str], rounds: &Rounds) -> String {
    let Row { size, depth, connections, .. } = row;
    let mut text = String::new();
    let what = if *size > 0 { format!("{size} B, ") } else { String::new() };
    let _ = writeln!(
        text,
        "\n### {suite}: {what}{connections} connections, {depth} in flight\n\n\
         | | a second | of {REFERENCE} | CPU ns each | of {REFERENCE} | p50 us | p99 us | p99.9 us | \
         server busy | others | rounds |\n|---|---|---|---|---|---|---|---|---|---|---|"
    );
    let none = Default::default();
    let reference = rounds.get(REFERENCE).unwrap_or(&none);
    for name in names {
        let Some(own) = rounds.get(name) else { continue };
        let of = |value: fn(&Outcome) -> f64| median(own.values().map(value));
        let ratio = |value: fn(&Outcome) -> f64| {
            let pairs = own
                .iter()
                .filter_map(|(round, outcome)| Some(value(outcome) / value(reference.get(round)?)));
            median(pairs)
        };
        let _ = writeln!(
            text,
            "| {name} | {:.0} | {:.2} | {:.0} | {:.2} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {} |",
            of(rate),
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

/// The server's nanoseconds for a message.
fn cost(outcome: &Outcome) -> f64 {
    outcome.server_cpu.as_nanos() as f64 / outcome.messages as f64
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The middle one; not a number when there is none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
