//! Waiting for a loop's answer.

use std::io;
use std::sync::mpsc;

use fyke_core::{LoopCore, LoopHandle, turner};

/// Waits for what a loop sends; `None` when it will never send. On a thread that turns its loops
/// itself, they are turned.
pub(crate) fn receive<T>(receiver: &mpsc::Receiver<T>) -> Option<io::Result<T>> {
    let turned = turner::wait_for(|| match receiver.try_recv() {
        Ok(value) => Some(Some(value)),
        Err(mpsc::TryRecvError::Disconnected) => Some(None),
        Err(mpsc::TryRecvError::Empty) => None,
    });
    match turned {
        Some(Ok(value)) => value.map(Ok),
        Some(Err(error)) => Some(Err(error)),
        None => receiver.recv().ok().map(Ok),
    }
}

/// Runs something on a loop and waits for its answer.
pub(crate) fn on_loop<T: Send + 'static>(
    event_loop: &LoopHandle,
    work: impl FnOnce(&mut LoopCore, mpsc::SyncSender<io::Result<T>>) + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    event_loop.execute(move |core| work(core, sender)).map_err(io::Error::other)?;
    receive(&receiver).ok_or_else(|| io::Error::other("the event loop has ended"))??
}

/// Waits until a loop has done what it was asked for before, if it still does anything.
pub(crate) fn wait_for(event_loop: &LoopHandle) {
    // A loop that has ended has nothing left to do.
    let _ = on_loop(event_loop, |_, answer| {
        let _ = answer.send(Ok(()));
    });
}
