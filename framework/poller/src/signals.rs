//! The signals that ask a program to end, as something a thread can wait for.

use crate::sys;
use signal_hook::SigId;
use std::fmt;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// A signal that a program may want to handle itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: what service managers send.
    Terminate,
}

impl Signal {
    const ALL: [Signal; 2] = [Signal::Interrupt, Signal::Terminate];

    /// Its number on this system.
    const fn number(self) -> u8 {
        match self {
            Signal::Interrupt => libc::SIGINT as u8,
            Signal::Terminate => libc::SIGTERM as u8,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
        })
    }
}

/// Catches signals for as long as it lives. Each one that arrives ends one [`Signals::wait`], so a
/// program can treat the second Ctrl-C differently from the first.
///
/// Once it is dropped, the signals it caught are ignored: their default action is not put back.
///
/// ```no_run
/// use fyke_poller::{Signal, Signals};
///
/// let signals = Signals::new(&[Signal::Interrupt, Signal::Terminate])?;
/// std::thread::spawn(move || {
///     let signal = signals.wait();
///     println!("{signal:?}: finishing what is under way");
///     signals.wait().expect("reading a pipe of our own");
///     std::process::exit(1);
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Signals {
    pipe: UnixStream,
    handlers: Vec<SigId>,
}

impl Signals {
    /// Starts catching `signals`.
    ///
    /// # Errors
    /// What the system says; mostly that there are too many open descriptors.
    pub fn new(signals: &[Signal]) -> io::Result<Signals> {
        let (pipe, writer) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        let writer = Arc::new(OwnedFd::from(writer));
        let mut caught = Signals { pipe, handlers: Vec::with_capacity(signals.len()) };
        for signal in signals {
            let handler = sys::signal::forward(signal.number(), Arc::clone(&writer))?;
            caught.handlers.push(handler);
        }
        Ok(caught)
    }

    /// Blocks until one of the signals arrives, or returns at once when one has.
    ///
    /// # Errors
    /// `UnexpectedEof` when no signals are being caught, as none could ever come.
    pub fn wait(&self) -> io::Result<Signal> {
        loop {
            let mut number = [0];
            (&self.pipe).read_exact(&mut number)?;
            let known = Signal::ALL.into_iter().find(|signal| signal.number() == number[0]);
            if let Some(signal) = known {
                return Ok(signal);
            }
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            signal_hook::low_level::unregister(handler);
        }
    }
}
