//! Forwarding: connections to any address are offered to the program, which accepts, resets or
//! ignores them, at once or when it knows more.
//!
//! ```text
//!   SYN --> stack --offer--> the program connects to the real destination
//!                                 |  accept: the handshake goes on, the connection comes to the listener
//!                                 |  reset:  the peer is refused
//!                                 |  ignore: the peer waits, and asks again
//! ```

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use fyke_core::driver::TransportId;
use fyke_core::{Address, LoopHandle, SocketOptions};
use fyke_stack::{ForwardDecision, ForwardRequest, ListenerId};

use super::error::io_error;
use super::handle::Find;
use super::options::Habits;
use super::sockets::Sockets;

/// The name that stands for everything that nobody listens on.
const ADDRESS: &str = "forward";

/// Offers of one loop that wait for a decision at most; more SYNs are ignored.
const OFFERS_MAX: usize = 4096;

/// What is done with an offer.
pub(super) type Policy = Arc<dyn Fn(Offer) + Send + Sync>;

/// A connection that somebody wants to make to an address nobody here listens on. See
/// [`StackOptions::forward`](super::StackOptions::forward).
///
/// It can be decided about on any thread and at any time. While it waits, the peer's repeated SYNs
/// make no second offer. Dropping it ignores the SYN.
pub struct Offer {
    request: Option<ForwardRequest>,
    local: SocketAddr,
    remote: SocketAddr,
    desk: Arc<Desk>,
}

/// Where decisions are brought.
pub(super) struct Desk {
    handle: LoopHandle,
    transport: TransportId,
    find: Find,
}

impl Offer {
    /// The address to listen on for the connections that are accepted.
    #[must_use]
    pub fn address() -> Address {
        Address::local(ADDRESS)
    }

    /// Where the peer wants to go: the local address of the channel, when there will be one.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The peer.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// The loop that the connection will live on.
    #[must_use]
    pub fn event_loop(&self) -> &LoopHandle {
        &self.desk.handle
    }

    /// Opens the connection: it comes to who listens on [`address`](Self::address).
    pub fn accept(mut self) {
        self.decide(ForwardDecision::Accept);
    }

    /// Refuses it by a reset.
    pub fn reset(mut self) {
        self.decide(ForwardDecision::Reset);
    }

    /// Says nothing: the peer asks again, and that is a new offer, or gives up.
    pub fn ignore(mut self) {
        self.decide(ForwardDecision::Ignore);
    }

    fn decide(&mut self, decision: ForwardDecision) {
        let Some(request) = self.request.take() else { return };
        let Desk { handle, transport, find } = &*self.desk;
        let (find, transport, mut request) = (*find, *transport, Some(request));
        // A loop that has ended has no peers any more.
        let _ = handle.execute(move |core| {
            find(core, transport, &mut |sockets| {
                if let Some(request) = request.take() {
                    sockets.decide(request, decision);
                }
            });
        });
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.decide(ForwardDecision::Ignore);
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offer({} -> {})", self.remote, self.local)
    }
}

/// A loop that forwards.
pub(super) struct Forwarding {
    policy: Policy,
    desk: Arc<Desk>,
    /// Offers that wait: where to, and from whom.
    waiting: HashSet<(SocketAddr, SocketAddr)>,
}

impl Forwarding {
    pub(super) fn new(
        policy: Policy,
        (handle, transport): (LoopHandle, TransportId),
        find: Find,
    ) -> Self {
        let desk = Arc::new(Desk { handle, transport, find });
        Self { policy, desk, waiting: HashSet::new() }
    }
}

/// Whether an address means everything that nobody listens on.
pub(super) fn is_forward(address: &Address) -> bool {
    matches!(address, Address::Local(name) if &**name == ADDRESS)
}

impl Sockets {
    /// Listens for what nobody else listens for.
    pub(super) fn listen_forward(
        &mut self,
        habits: &Habits,
        options: &SocketOptions,
    ) -> io::Result<ListenerId> {
        if self.forwarding.is_none() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this stack forwards nothing: see StackOptions::forward",
            ));
        }
        let listen = self.configs.listen(habits, options);
        self.stack.forward(listen).map_err(io_error)
    }

    /// SYNs wait for a decision.
    pub(super) fn offer(&mut self, id: ListenerId) {
        let Some(forwarding) = &mut self.forwarding else { return };
        while let Some(request) = self.stack.forward_request(id) {
            let (local, remote) = (request.local(), request.remote());
            if forwarding.waiting.len() >= OFFERS_MAX || !forwarding.waiting.insert((local, remote))
            {
                continue;
            }
            let desk = Arc::clone(&forwarding.desk);
            (forwarding.policy)(Offer { request: Some(request), local, remote, desk });
        }
    }

    fn decide(&mut self, request: ForwardRequest, decision: ForwardDecision) {
        let Some(forwarding) = &mut self.forwarding else { return };
        forwarding.waiting.remove(&(request.local(), request.remote()));
        self.stack.forward_decide(self.now, request, decision);
    }
}
