//! Forwarder mode: every SYN that nobody listens for is decided about, whatever its destination.

use core::net::{Ipv6Addr, SocketAddr};

use fyke_clock::Instant;

use super::Stack;
use super::counters::DropReason;
use super::error::StackError;
use super::event::Source;
use super::ids::ListenerId;
use crate::interface::listener::{ForwardDecision, ForwardRequest, ListenOptions};

impl Stack {
    /// Asks the application about each SYN that no listener takes. With
    /// [`any_address`](crate::StackConfig::any_address) that means every address there is, as a
    /// gateway or a tunnel needs it.
    ///
    /// [`Event::Forward`](crate::Event::Forward) tells of requests; an accepted connection comes by
    /// [`accept`](Self::accept) with the returned id.
    ///
    /// # Errors
    /// When there is a forwarder already, or there are too many listeners.
    pub fn forward(&mut self, options: ListenOptions) -> Result<ListenerId, StackError> {
        if self.tcp.listeners.forwarder().is_some() {
            return Err(StackError::AddressInUse);
        }
        let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
        self.insert_listener(any, options, true)
    }

    /// The next SYN to be decided about.
    pub fn forward_request(&mut self, id: ListenerId) -> Option<ForwardRequest> {
        self.tcp.listeners.get_mut(id)?.requests.pop_front()
    }

    /// Decides about a SYN.
    pub fn forward_decide(
        &mut self,
        now: Instant,
        request: ForwardRequest,
        decision: ForwardDecision,
    ) {
        self.net.now = now;
        let ForwardRequest { tuple, syn } = request;
        // The peer sends its SYN again while nobody decides: one of them counts.
        let known = self.tcp.lookup(&tuple).is_some();
        match (decision, self.tcp.listeners.forwarder()) {
            (ForwardDecision::Accept, Some(id)) if !known => self.open(now, id, &tuple, &syn, None),
            (ForwardDecision::Reset, _) if !known => self.refuse(now, &tuple, &syn),
            _ => self.net.counters.drops.add(DropReason::ForwardIgnored),
        }
    }

    /// A SYN for the forwarder.
    pub(crate) fn request_forward(
        &mut self,
        now: Instant,
        id: ListenerId,
        request: ForwardRequest,
    ) {
        let most = self.net.config.limits.forward_requests_max;
        let Some(listener) = self.tcp.listeners.get_mut(id) else { return };
        if listener.requests.iter().any(|waiting| waiting.tuple == request.tuple) {
            return;
        }
        if listener.requests.len() >= most {
            return self.net.drop_in(now, DropReason::ForwardIgnored);
        }
        listener.requests.push_back(request);
        if !core::mem::replace(&mut listener.forward_queued, true) {
            self.events.push(Source::Forward(id));
        }
    }
}
