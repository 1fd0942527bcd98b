//! The steps of a client that are still to come, wherever they wait.

use std::io;
use std::sync::Arc;

use fyke_core::Address;

use super::{Inner, ReconnectEvent, ReconnectState};
use crate::resolve::ToAddresses;

/// The next step of a client. Dropped with a loop that has ended, it ends the client: whoever waits
/// for a message that was kept must not wait for ever.
pub(super) struct Next<M: Send + 'static>(Option<Arc<Inner<M>>>);

impl<M: Send + 'static> Next<M> {
    pub(super) fn of(inner: &Arc<Inner<M>>) -> Self {
        Self(Some(Arc::clone(inner)))
    }

    pub(super) fn take_up(mut self) -> Arc<Inner<M>> {
        self.0.take().expect("it is taken once, as that takes this")
    }
}

impl<M: Send + 'static> Drop for Next<M> {
    fn drop(&mut self) {
        if let Some(inner) = self.0.take() {
            inner.end(ReconnectState::Closed, &ReconnectEvent::Closed);
        }
    }
}

/// An attempt on its way to a thread that may block: dropped on the way it has failed.
pub(super) struct Attempting<M: Send + 'static>(Option<Arc<Inner<M>>>);

impl<M: Send + 'static> Attempting<M> {
    pub(super) fn of(inner: &Arc<Inner<M>>) -> Self {
        Self(Some(Arc::clone(inner)))
    }

    pub(super) fn connect(mut self) {
        let Some(inner) = self.0.take() else { return };
        let connect = match inner.target.to_addresses() {
            Ok(addresses) => inner.bootstrap.connect(Known(addresses)),
            Err(error) => return fail(&inner, error),
        };
        inner.on_loop(move |inner, core| {
            let next = Next::of(inner);
            core.spawn(async move {
                let result = connect.await;
                next.take_up().on_loop(move |inner, core| inner.ended(core, result));
            });
        });
    }
}

impl<M: Send + 'static> Drop for Attempting<M> {
    fn drop(&mut self) {
        if let Some(inner) = self.0.take() {
            fail(&inner, io::Error::other("no thread is left to look up the name"));
        }
    }
}

fn fail<M: Send + 'static>(inner: &Arc<Inner<M>>, error: io::Error) {
    inner.on_loop(move |inner, core| inner.failed(core, &error.into()));
}

/// Addresses that were looked up.
struct Known(Vec<Address>);

impl ToAddresses for Known {
    fn to_addresses(&self) -> io::Result<Vec<Address>> {
        Ok(self.0.clone())
    }
}
