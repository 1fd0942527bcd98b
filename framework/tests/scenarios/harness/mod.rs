//! The harness: every scenario on every transport, with the same outcome everywhere.
//!
//! It counts a scenario on a transport as one test. It tells where a scenario does not hold, and why
//! (`n/a`, which is no test), and which are ignored as this machine lacks what they need.
//! The last line is like that of the usual harness, and so are the arguments that it takes: words
//! that are part of names, `--exact`, `--skip WORD`, `--list`, `--test-threads N`.

mod arguments;
#[cfg(target_os = "linux")]
#[path = "../../../transport/tests/tap/namespace.rs"]
mod namespace;
mod report;
mod rows;
mod scenario;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use arguments::Arguments;
use report::Report;
pub(crate) use scenario::{List, Scenario, everywhere, list};

/// Devices are Linux's.
#[cfg(not(target_os = "linux"))]
mod namespace {
    use std::path::Path;
    use std::process::Command;

    pub(crate) fn missing() -> Option<String> {
        Some("TAP devices are Linux's".to_owned())
    }

    pub(crate) fn command(program: &Path) -> Command {
        Command::new(program)
    }

    pub(crate) fn run(_: &mut Command) -> Result<String, String> {
        Err("TAP devices are Linux's".to_owned())
    }
}

/// A scenario with its full name.
pub(crate) struct Case {
    name: String,
    make: fn() -> Scenario,
}

/// What handlers that shall panic say.
pub(crate) const WANTED_PANIC: &str = "as the scenario asks";

/// Runs what the arguments ask for.
pub(crate) fn run(lists: &[(&str, List)]) -> ExitCode {
    let cases = lists.iter().flat_map(|(file, list)| {
        list.iter().map(move |(name, make)| Case { name: format!("{file}::{name}"), make: *make })
    });
    let cases: Vec<Case> = cases.collect();
    let rows = crate::rows::rows();
    silence_wanted_panics();
    if let Some(code) = rows::as_child(&cases, &rows) {
        return code;
    }
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::FAILURE;
        }
    };
    let wanted: Vec<&Case> = cases.iter().filter(|case| arguments.wants(&case.name)).collect();
    if arguments.list {
        wanted.iter().for_each(|case| println!("{}: test", case.name));
        return ExitCode::SUCCESS;
    }
    let no_devices = match rows.iter().any(|row| row.kind.is_tap()) {
        true => namespace::missing(),
        false => None,
    };
    let mut report = Report::new(&rows);
    let next = AtomicUsize::new(0);
    let (sender, verdicts) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            let sender = sender.clone();
            let (wanted, rows, no_devices, next) = (&wanted, &rows, &no_devices, &next);
            scope.spawn(move || {
                while let Some(case) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdicts = rows::run(case, rows, no_devices.as_deref());
                    if sender.send((*case, verdicts)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        verdicts.iter().for_each(|(case, verdicts)| report.add(&case.name, verdicts));
    });
    report.end(cases.len() - wanted.len())
}

/// Panics that scenarios ask for are not worth a line.
fn silence_wanted_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&WANTED_PANIC) {
            usual(info);
        }
    }));
}
