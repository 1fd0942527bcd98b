//! A loop on a thread of its own.

use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use fyke_core::{EventLoop, LoopHandle, LoopOptions};
use fyke_poller::{Backend, SystemClock, pin_to_cpu};
use fyke_transport::PollerDriver;

/// Starts the loop of number `id` in its group, on a thread of its own.
pub(crate) fn start_loop(
    name: &str,
    backend: Backend,
    pin: bool,
    id: usize,
    options: LoopOptions,
) -> io::Result<(LoopHandle, JoinHandle<()>)> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name(format!("{name}-{id}")).spawn(move || {
        if pin {
            let cpus = thread::available_parallelism().map_or(1, usize::from);
            if let Err(error) = pin_to_cpu(id % cpus) {
                tracing::warn!(%error, cpu = id % cpus, "the loop's thread cannot be pinned");
            }
        }
        let driver = match PollerDriver::new(backend) {
            Ok(driver) => driver,
            Err(error) => {
                // Nobody listens any more only when the group's maker is gone.
                let _ = sender.send(Err(error));
                return;
            }
        };
        let mut event_loop = EventLoop::new(driver, SystemClock::new(), options);
        let _ = sender.send(Ok(event_loop.handle()));
        if let Err(error) = event_loop.run() {
            tracing::error!(%error, id, "an event loop cannot wait any more and ends");
        }
    })?;
    let handle = receiver.recv().map_err(|_| io::Error::other("a loop's thread died"))??;
    Ok((handle, thread))
}
