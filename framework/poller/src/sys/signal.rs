//! From a signal handler to a descriptor that a thread can read.

use signal_hook::SigId;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// From now on each `signal` writes its number to `pipe`, one byte.
///
/// `pipe` should be non-blocking: a byte that finds no room is dropped, which with thousands unread
/// tells nobody anything new.
pub(crate) fn forward(signal: u8, pipe: Arc<OwnedFd>) -> io::Result<SigId> {
    let handler = move || {
        // `write` itself, which rustix does without touching errno or taking a lock.
        let _ = rustix::io::write(pipe.as_fd(), &[signal]);
    };
    // SAFETY: the handler makes one system call that is async-signal-safe, neither allocates nor locks
    // nor panics, and owns the descriptor it writes to.
    unsafe { signal_hook::low_level::register(signal.into(), handler) }
}
