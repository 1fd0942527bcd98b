//! Processes in a user and network namespace of their own, where they may make devices whoever runs
//! them.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A process that takes longer is stuck.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// Why there can be no device here.
pub(crate) fn missing() -> Option<String> {
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

/// What runs `program` in a namespace.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    // Killed with its parent, so that the limit reaches the program itself.
    command.args(["-Urn", "--kill-child", "--fork", "--"]).arg(program);
    command
}

/// What `command` writes to its standard output; if it fails, how, and all that it wrote.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| error.to_string())?;
    let output = wait(child)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
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
