//! Runs each test as a process in a namespace of its own, and counts like the usual harness.

use std::panic::catch_unwind;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What a test needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// A network namespace in which it is root.
    Namespace,
    /// Nothing.
    Nothing,
}

/// A test: its name, what it needs, and the test.
pub(crate) type Test = (&'static str, Needs, fn());

/// Names the test that a child shall run.
const CHILD: &str = "FYKE_TAP_TEST";

/// A test that takes longer is stuck.
const TIME_LIMIT: Duration = Duration::from_secs(120);

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
    let missing = missing_namespace();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, needs, _) in tests.iter().filter(|test| wanted(test.0)) {
        if let (Needs::Namespace, Some(why)) = (needs, &missing) {
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

/// Why there can be no device here.
fn missing_namespace() -> Option<String> {
    if !Path::new("/dev/net/tun").exists() {
        return Some("there is no /dev/net/tun".into());
    }
    match Command::new("unshare").args(["-Urn", "true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            Some(format!("no namespace of its own is permitted ({})", text.trim()))
        }
        Err(error) => Some(format!("unshare cannot be run ({error})")),
    }
}

fn run_child(name: &str, needs: Needs) -> Result<(), String> {
    let exe = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = match needs {
        Needs::Namespace => {
            let mut command = Command::new("unshare");
            // Killed with its parent, so that the limit below reaches the test itself.
            command.args(["-Urn", "--kill-child", "--fork", "--"]).arg(exe);
            command
        }
        Needs::Nothing => Command::new(exe),
    };
    command.env(CHILD, name).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| error.to_string())?;
    let output = wait(child)?;
    if output.status.success() {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Err(format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr)))
}

fn wait(child: Child) -> Result<Output, String> {
    let id = rustix::process::Pid::from_child(&child);
    let (done, wait) = mpsc::channel();
    let waiter = thread::spawn(move || {
        let output = child.wait_with_output();
        // The one who waits may have given up.
        let _ = done.send(());
        output
    });
    let late = wait.recv_timeout(TIME_LIMIT).is_err();
    if late {
        // It may have ended by itself meanwhile.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
    }
    let output = waiter.join().expect("the waiter does not panic");
    let output = output.map_err(|error| error.to_string())?;
    if late {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("stuck: it did not end in {TIME_LIMIT:?}\n{text}"));
    }
    Ok(output)
}
