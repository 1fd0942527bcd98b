//! Runs each test as a process in a namespace of its own, and counts like the usual harness.

use std::panic::catch_unwind;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::namespace;

/// What a test needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// A network namespace in which it is root.
    Namespace,
    /// That it has no right to make devices, even if root runs it.
    NoRights,
    /// Nothing.
    Nothing,
}

/// A test: its name, what it needs, and the test.
pub(crate) type Test = (&'static str, Needs, fn());

/// Names the test that a child shall run.
const CHILD: &str = "FYKE_TAP_TEST";

pub(crate) fn run(tests: &[Test]) -> ExitCode {
    if let Ok(name) = std::env::var(CHILD) {
        let test = tests.iter().find(|test| test.0 == name).expect("a test of this name");
        return match catch_unwind(test.2) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let (no_namespace, no_stranger) = (namespace::missing(), missing_stranger());
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, needs, _) in tests.iter().filter(|test| wanted(test.0)) {
        let missing = match needs {
            Needs::Namespace => &no_namespace,
            Needs::NoRights => &no_stranger,
            Needs::Nothing => &None,
        };
        if let Some(why) = missing {
            println!("skipped: test {name}: {why}");
            skipped += 1;
            continue;
        }
        match run_child(name, *needs) {
            Ok(()) => {
                println!("test {name} ... ok");
                passed += 1;
            }
            Err(text) => {
                println!("test {name} ... FAILED\n{text}");
                failed += 1;
            }
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_child(name: &str, needs: Needs) -> Result<(), String> {
    let exe = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = match needs {
        Needs::Namespace => namespace::command(&exe),
        Needs::NoRights => stranger(&exe),
        Needs::Nothing => Command::new(exe),
    };
    namespace::run(command.env(CHILD, name)).map(drop)
}

/// What runs `program` without any right, whoever runs this: in a namespace of users that knows none,
/// so that it loses its capabilities, and in the network of its parent.
fn stranger(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-U", "--kill-child", "--fork", "--"]).arg(program);
    command
}

fn missing_stranger() -> Option<String> {
    if !Path::new("/dev/net/tun").exists() {
        return Some("there is no /dev/net/tun".into());
    }
    namespace::run(&mut stranger(Path::new("true"))).err()
}
