//! Ending a program in order when it is asked to.

use std::io;
use std::thread;

use fyke_core::event_loop::ShutdownReport;
use fyke_poller::{Signal, Signals};

/// Exit status of a program that was asked to end a second time, as shells report it for Ctrl-C.
const EXIT_INTERRUPTED: i32 = 130;

/// Ctrl-C and SIGTERM, caught from [`catch`](Self::catch) on: for programs that say that they are ready
/// before they wait, so that no signal falls in between.
///
/// ```no_run
/// # fn serve(bootstrap: fyke::ServerBootstrap<fyke::Child>) -> std::io::Result<()> {
/// let ending = fyke::EndSignals::catch()?;
/// let server = bootstrap.bind("127.0.0.1:7000")?;
/// println!("listening on {}", server.local_address());
/// ending.run(|| server.shutdown(std::time::Duration::from_secs(5)))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EndSignals(Signals);

impl EndSignals {
    /// Catches them from now on.
    ///
    /// # Errors
    /// When signals cannot be caught.
    pub fn catch() -> io::Result<Self> {
        Signals::new(&[Signal::Interrupt, Signal::Terminate]).map(Self)
    }

    /// Blocks until one has come, then runs `shutdown`. A second one meanwhile ends the program at
    /// once.
    ///
    /// # Errors
    /// When it cannot be waited for them.
    pub fn run(self, shutdown: impl FnOnce() -> ShutdownReport) -> io::Result<ShutdownReport> {
        let Self(signals) = self;
        let signal = signals.wait()?;
        tracing::info!(?signal, "ending in order; once more ends at once");
        thread::Builder::new().name("second-signal".to_owned()).spawn(move || {
            if signals.wait().is_ok() {
                std::process::exit(EXIT_INTERRUPTED);
            }
        })?;
        Ok(shutdown())
    }
}

/// Blocks until Ctrl-C or SIGTERM, then runs `shutdown`. A second one meanwhile ends the program at
/// once.
///
/// # Errors
/// When signals cannot be caught.
pub fn run_until_signal(shutdown: impl FnOnce() -> ShutdownReport) -> io::Result<ShutdownReport> {
    EndSignals::catch()?.run(shutdown)
}
