//! One scenario on its rows, one after the other: in this process, or in one of its own.

use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};

use super::{Case, Scenario, namespace};
use crate::rows::{Kind, Row};
use crate::support::HANG;

/// Names the scenario, and the row, that a child shall run.
const CHILD: &str = "FYKE_SCENARIO";
const CHILD_ROW: &str = "FYKE_SCENARIO_ROW";
/// Before the outcome in what a child writes.
const OUTCOME: &str = "outcome: ";

/// What came of a row.
#[derive(Debug)]
pub(super) enum Verdict {
    Passed,
    Failed(String),
    /// This machine lacks what it needs.
    Ignored(String),
    /// It does not hold there.
    NotApplicable(String),
}

/// Runs `case` on each of `rows`. `no_devices` says why there can be no TAP device.
pub(super) fn run(case: &Case, rows: &[Row], no_devices: Option<&str>) -> Vec<Verdict> {
    let mut first: Option<(&str, String)> = None;
    let mut verdicts = Vec::with_capacity(rows.len());
    for row in rows {
        let scenario = (case.make)();
        if let Some(why) = scenario.exception(row.kind) {
            verdicts.push(Verdict::NotApplicable(why.to_owned()));
            continue;
        }
        let outcome = match (row.kind, no_devices) {
            (Kind::Tap(_), Some(why)) => {
                verdicts.push(Verdict::Ignored(why.to_owned()));
                continue;
            }
            (Kind::Tap(_), None) => in_namespace(case, row),
            _ => within(case, row, scenario),
        };
        verdicts.push(match (outcome, &first) {
            (Err(text), _) => Verdict::Failed(text),
            (Ok(outcome), Some((other, expected))) if outcome != *expected => Verdict::Failed(
                format!("its outcome is\n{outcome}\nand on {other} it is\n{expected}"),
            ),
            (Ok(outcome), _) => {
                first.get_or_insert((&row.name, outcome));
                Verdict::Passed
            }
        });
    }
    verdicts
}

/// On a thread of its own, so that a hang is a failure with a name.
fn within(case: &Case, row: &Row, scenario: Scenario) -> Result<String, String> {
    let (sender, receiver) = mpsc::channel();
    let (kind, name) = (row.kind, format!("{} on {}", case.name, row.name));
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        // The one who waits has given up only after a hang.
        let _ = sender.send(scenario.run(kind));
    });
    let thread = thread.map_err(|error| error.to_string())?;
    match receiver.recv_timeout(HANG) {
        Ok(outcome) => Ok(outcome),
        Err(RecvTimeoutError::Timeout) => Err(format!("it hangs: no end after {HANG:?}")),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(()) => Err("it ended without an outcome".to_owned()),
            Err(panic) => Err(message(&*panic)),
        },
    }
}

/// What a panic said.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}

/// As a process in a network namespace of its own.
fn in_namespace(case: &Case, row: &Row) -> Result<String, String> {
    let exe = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = namespace::command(&exe);
    let said = namespace::run(command.env(CHILD, &case.name).env(CHILD_ROW, &row.name))?;
    let outcome = said.lines().find_map(|line| line.strip_prefix(OUTCOME));
    outcome.map(str::to_owned).ok_or_else(|| format!("it ended without an outcome\n{said}"))
}

/// When this process is a child: runs its row.
pub(super) fn as_child(cases: &[Case], rows: &[Row]) -> Option<ExitCode> {
    let name = std::env::var(CHILD).ok()?;
    let row = std::env::var(CHILD_ROW).ok()?;
    let case = cases.iter().find(|case| case.name == name);
    let row = rows.iter().find(|known| known.name == row);
    let (Some(case), Some(row)) = (case, row) else {
        eprintln!("there is no scenario {name}, or no such row");
        return Some(ExitCode::FAILURE);
    };
    Some(match within(case, row, (case.make)()) {
        Ok(outcome) => {
            println!("{OUTCOME}{outcome}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    })
}
