//! Ending a program in order when it is asked to.

use std::io;
use std::thread;

use fyke_core::event_loop::ShutdownReport;
use fyke_poller::{Signal, Signals};

/// Exit status of a program that was asked to end a second time, as shells report it for Ctrl-C.
const EXIT_INTERRUPTED: i32 = 130;

/// Blocks until Ctrl-C or SIGTERM, then runs `shutdown`. A second one meanwhile ends the program at
/// once.
///
/// # Errors
/// When signals cannot be caught.
pub fn run_until_signal(shutdown: impl FnOnce() -> ShutdownReport) -> io::Result<ShutdownReport> {
    let signals = Signals::new(&[Signal::Interrupt, Signal::Terminate])?;
    let signal = signals.wait()?;
    tracing::info!(?signal, "ending in order; once more ends at once");
    thread::Builder::new().name("second-signal".to_owned()).spawn(move || {
        if signals.wait().is_ok() {
            std::process::exit(EXIT_INTERRUPTED);
        }
    })?;
    Ok(shutdown())
}
