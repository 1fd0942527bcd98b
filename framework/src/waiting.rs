//! Waiting for a loop's answer.

use std::io;
use std::sync::mpsc;

use fyke_core::turner;

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
