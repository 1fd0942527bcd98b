//! Connections: the kernel connects first, and only then the stack accepts.
//!
//! ```text
//! SYN to 203.0.113.5:80 -> Offer -> kernel connects to 203.0.113.5:80
//!                                     done:    the upstream waits under (peer, destination); accept
//!                                     refused: reset                     no answer: say nothing
//! handshake done -> channel of the stack, whose addresses find the upstream -> one relay
//! ```

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use fyke::transport::userspace::Offer;
use fyke::{Address, Bootstrap, Channel, ErrorKind, EventLoopGroup, Handler};
use fyke_examples::relay::{self, Place, Places, Relay};

/// A peer that was accepted has so long to finish its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Who wants to go where.
type Flow = (SocketAddr, SocketAddr);

/// The connections of a gateway.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Shared>);

struct Shared {
    upstream: OnceLock<Bootstrap<Handler>>,
    places: Places,
    /// Connected by the kernel, not by the peer yet.
    waiting: Mutex<HashMap<Flow, (Channel, Place)>>,
}

impl Streams {
    pub(crate) fn new(connections_max: usize) -> Self {
        let places = Places::new(connections_max);
        Self(Arc::new(Shared { upstream: OnceLock::new(), places, waiting: Mutex::default() }))
    }

    /// The loops are there.
    pub(crate) fn start(&self, group: EventLoopGroup) {
        let upstream = Bootstrap::new(group)
            .options(relay::options())
            .handler(|ch| ch.pipeline().inbound("relay", Relay::new(false)));
        self.0.upstream.get_or_init(|| upstream);
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Flow, (Channel, Place)>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody wants to connect to somewhere: the kernel is asked to.
    pub(crate) fn offer(&self, offer: Offer) {
        let Some(upstream) = self.0.upstream.get() else { return offer.ignore() };
        let Some(place) = self.0.places.take() else {
            tracing::warn!(?offer, "too many connections: refusing one");
            return offer.reset();
        };
        let event_loop = offer.event_loop().clone();
        let target = Address::from(offer.local());
        // On the same loop, so that nothing crosses threads.
        let connecting = upstream.clone().on(&event_loop).connect(&target);
        let streams = self.clone();
        let asked = event_loop.execute(move |core| {
            core.spawn(async move {
                match connecting.await {
                    Ok(channel) => streams.connected(offer, channel, place),
                    Err(error) => {
                        tracing::info!(%error, ?offer, "cannot connect");
                        refuse(offer, error.kind());
                    }
                }
            });
        });
        // A loop that has ended has dropped the offer.
        let _ = asked;
    }

    /// The kernel is connected: now the peer may be.
    fn connected(&self, offer: Offer, channel: Channel, place: Place) {
        let flow = (offer.remote(), offer.local());
        let (streams, event_loop) = (self.clone(), offer.event_loop().clone());
        // One that waits there already belongs to a peer that has given up and asks anew.
        if let Some((old, _)) = self.waiting().insert(flow, (channel.clone(), place)) {
            old.close();
        }
        offer.accept();
        let asked = event_loop.execute(move |core| {
            core.schedule(HANDSHAKE_TIMEOUT, move |_| streams.expire(flow, &channel));
        });
        // A loop that has ended has closed the connection.
        let _ = asked;
    }

    /// The peer has had its time.
    fn expire(&self, flow: Flow, channel: &Channel) {
        let mut waiting = self.waiting();
        if waiting.get(&flow).is_some_and(|(other, _)| other.id() == channel.id()) {
            waiting.remove(&flow);
            drop(waiting);
            tracing::info!(peer = %flow.0, "did not finish its handshake");
            channel.close();
        }
    }

    /// The relay of a connection that was accepted.
    pub(crate) fn front(&self) -> Relay {
        let streams = self.clone();
        Relay::new(false).begin(move |cx| {
            let here = cx.channel();
            let peer = cx.peer_address().and_then(Address::as_inet);
            let local = cx.local_address().as_ref().and_then(Address::as_inet);
            let flow = peer.zip(local);
            match flow.and_then(|flow| streams.waiting().remove(&flow)) {
                Some((there, place)) => {
                    relay::join(&here, &there);
                    cx.spawn(async move {
                        there.closed().await;
                        drop(place);
                    });
                }
                None => here.abort(),
            }
            Ok(())
        })
    }
}

/// Tells the peer what the kernel was told, as far as a SYN can be answered.
fn refuse(offer: Offer, kind: &ErrorKind) {
    let silent = match kind {
        ErrorKind::TimedOut(_) => true,
        ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::TimedOut,
        _ => false,
    };
    if silent { offer.ignore() } else { offer.reset() }
}
