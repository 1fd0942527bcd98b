//! The end of a relay that a client has connected to: it connects to the server.

use std::sync::Arc;

use fyke::prelude::*;
use fyke::{Address, Handler};
use fyke_examples::relay::{self, Place, Places, Relay};

/// What a relay may use up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections_max: usize,
    pub(crate) pipes_max: usize,
}

/// Makes the relays of the connections that come.
#[derive(Clone)]
pub(crate) struct Front {
    shared: Arc<Shared>,
    places: Places,
}

struct Shared {
    upstream: Bootstrap<Handler>,
    target: Address,
    splice: bool,
}

impl Front {
    pub(crate) fn new(
        upstream: Bootstrap<Handler>,
        target: Address,
        splice: bool,
        connections_max: usize,
    ) -> Self {
        let shared = Arc::new(Shared { upstream, target, splice });
        Self { shared, places: Places::new(connections_max) }
    }

    /// The relay of one connection.
    pub(crate) fn relay(&self) -> Relay {
        let (shared, place) = (Arc::clone(&self.shared), self.places.take());
        Relay::new(shared.splice).begin(move |cx| {
            match place {
                Some(place) => connect(&shared, place, cx),
                None => {
                    tracing::warn!("too many connections: closing one");
                    cx.close();
                }
            }
            Ok(())
        })
    }
}

/// Connects to the server, and to each other what is one connection then.
fn connect(shared: &Shared, place: Place, cx: &mut Context<'_, Relay>) {
    let here = cx.channel();
    // On the same loop, so that nothing crosses threads.
    let connecting = shared.upstream.clone().on(here.event_loop()).connect(&shared.target);
    let target = shared.target.clone();
    cx.spawn(async move {
        match connecting.await {
            Ok(there) => {
                relay::join(&here, &there);
                here.closed().await;
            }
            Err(error) => {
                tracing::warn!(%error, %target, "cannot connect");
                here.close();
            }
        }
        drop(place);
    });
}
