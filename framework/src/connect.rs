//! A connect under way: the addresses still to try, and who is told of the end.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use fyke_core::event_loop::ChannelSpec;
use fyke_core::transport::TransportFactory;
use fyke_core::turner;
use fyke_core::{Address, Channel, Error, ErrorKind, LoopHandle, Result};

use crate::threads::ChannelThreads;

/// Where the channel shall live.
pub(crate) enum Place {
    Loop(LoopHandle),
    Threads(ChannelThreads),
}

/// Tries one address after the other.
pub(crate) struct Attempt {
    addresses: std::vec::IntoIter<Address>,
    factory: Arc<dyn TransportFactory>,
    spec: ChannelSpec,
    place: Place,
    told: Teller,
}

impl Attempt {
    pub(crate) fn begin(
        addresses: io::Result<Vec<Address>>,
        factory: Arc<dyn TransportFactory>,
        spec: ChannelSpec,
        place: Place,
    ) -> Connect {
        let connect = Connect(Arc::default());
        let told = Teller(Some(Arc::clone(&connect.0)));
        match addresses {
            Ok(addresses) => {
                let addresses = addresses.into_iter();
                let none = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                Self { addresses, factory, spec, place, told }.next(none.into());
            }
            Err(error) => told.finish(Err(error.into())),
        }
        connect
    }

    /// Tries the next address, or tells the error of the last one.
    fn next(mut self, last: Error) {
        let Some(address) = self.addresses.next() else {
            self.told.finish(Err(last));
            return;
        };
        let (factory, spec) = (Arc::clone(&self.factory), self.spec.clone());
        match &self.place {
            Place::Threads(threads) => {
                let threads = threads.clone();
                threads.connect(&factory, &address, &spec, move |result| self.ended(result));
            }
            Place::Loop(home) => {
                let home = home.clone();
                // A loop that has ended drops the task, and with it the teller, which says so.
                let _ = home.execute(move |core| {
                    core.with_transport(factory, move |core, transport| match transport {
                        Ok(transport) => {
                            core.connect(transport, &address, &spec, move |r| self.ended(r));
                        }
                        Err(error) => self.told.finish(Err(error.into())),
                    });
                });
            }
        }
    }

    fn ended(self, result: Result<Channel>) {
        match result {
            Err(error) if self.addresses.len() > 0 => {
                tracing::debug!(%error, "the next address is tried");
                self.next(error);
            }
            result => self.told.finish(result),
        }
    }
}

/// A connect under way. Await it once, on any executor, or [`wait`](Self::wait).
#[must_use = "a connect that nobody waits for may fail unseen"]
pub struct Connect(Arc<Outcome>);

#[derive(Default)]
struct Outcome {
    state: Mutex<(Option<Result<Channel>>, Option<Waker>)>,
    done: Condvar,
}

/// Tells what became of a connect: dropped without a word, that it can come to nothing any more.
struct Teller(Option<Arc<Outcome>>);

impl Teller {
    fn finish(mut self, result: Result<Channel>) {
        if let Some(outcome) = self.0.take() {
            outcome.finish(result);
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(outcome) = self.0.take() {
            outcome.finish(Err(ErrorKind::Closed.into()));
        }
    }
}

impl Outcome {
    fn finish(&self, result: Result<Channel>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = Some(result);
        let waker = state.1.take();
        drop(state);
        self.done.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Connect {
    /// Blocks this thread until it is connected, or cannot be. Never call it on a loop.
    ///
    /// # Errors
    /// Why it cannot be connected.
    pub fn wait(self) -> Result<Channel> {
        let lock = || self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turned) = turner::wait_for(|| lock().0.take()) {
            return turned?;
        }
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = state.0.take() {
                return result;
            }
            state = self.0.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for Connect {
    type Output = Result<Channel>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.0.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connect")
    }
}
