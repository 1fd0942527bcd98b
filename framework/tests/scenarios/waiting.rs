//! How a script waits: on a thread that turns a simulated network it lets virtual time pass, on any
//! other one it blocks.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use fyke::core::turner;

use crate::support::HANG;

thread_local! {
    /// Helpers of this thread that have not been joined.
    static HELPERS: Cell<usize> = const { Cell::new(0) };
}

/// The next value; an error when there will be none.
pub(crate) fn hear<T>(receiver: &Receiver<T>) -> Result<T, RecvTimeoutError> {
    let began = Instant::now();
    loop {
        let turned = turner::wait_for(|| match receiver.try_recv() {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Disconnected) => Some(Err(RecvTimeoutError::Disconnected)),
            Err(TryRecvError::Empty) => None,
        });
        match turned {
            None => return receiver.recv_timeout(HANG),
            Some(Ok(answer)) => return answer,
            // Nothing will happen in the network by itself, but a helper may do something there.
            Some(Err(_)) if HELPERS.get() > 0 && began.elapsed() < HANG => thread::yield_now(),
            Some(Err(error)) => {
                eprintln!("{error}");
                return Err(RecvTimeoutError::Timeout);
            }
        }
    }
}

/// A thread that does a part of a script.
#[derive(Debug)]
pub(crate) struct Helper<T>(JoinHandle<T>);

impl<T: Send + 'static> Helper<T> {
    /// Starts it. What blocks there blocks: it turns no network.
    pub(crate) fn start(work: impl FnOnce() -> T + Send + 'static) -> Self {
        HELPERS.set(HELPERS.get() + 1);
        Self(thread::spawn(work))
    }

    /// Its result.
    pub(crate) fn join(self) -> T {
        while let Some(Err(_)) = turner::wait_for(|| self.0.is_finished().then_some(())) {
            // Whatever it waits for in the network has happened.
            thread::yield_now();
        }
        HELPERS.set(HELPERS.get() - 1);
        self.0.join().unwrap()
    }
}
