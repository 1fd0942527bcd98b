//! The sockets of one stack as a loop's channels see them: everything but the device.
//!
//! A channel has a [`Handle`], which is the stack's own name of the socket; what is kept besides is
//! whom to tell and what was promised to be told: some twenty bytes.

use std::io;

use fyke_clock::Instant;
use fyke_core::ChannelKey;
use fyke_core::driver::TransportId;
use fyke_core::transport::{CloseMode, Handle, TransportEvent};
use fyke_core::{Address, LoopHandle};
use fyke_stack::tcp::State;
use fyke_stack::{Event, Stack};

use super::datagram::Endpoint;
use super::error::{Failure, io_error, not_open};
use super::forward::Forwarding;
use super::handle::Observer;
use super::listener::Listening;
use super::options::Configs;
use super::stream::Stream;
use super::table::{Kind, Table};

/// The stack, and who its sockets belong to.
pub(super) struct Sockets {
    pub(super) stack: Stack,
    /// The time of the loop's turn.
    pub(super) now: Instant,
    /// Which transport of which loop this is.
    pub(super) id: TransportId,
    pub(super) handle: LoopHandle,
    pub(super) streams: Table<Stream>,
    pub(super) listeners: Table<Listening>,
    pub(super) datagrams: Table<Endpoint>,
    pub(super) configs: Configs,
    /// What the stack does not report, because it is about a promise of ours.
    pub(super) notices: Vec<Notice>,
    /// Where the search for a free port to listen on goes on.
    pub(super) next_port: u16,
    /// What becomes of SYNs that nobody listens for.
    pub(super) forwarding: Option<Forwarding>,
    /// The endpoint of datagrams that nobody has bound.
    pub(super) stray: Option<Handle>,
    /// Who hears of what belongs to no channel.
    pub(super) observers: Vec<Observer>,
    /// Why the device is gone.
    pub(super) failure: Option<Failure>,
}

/// Something to be told at the next poll, if the handle still means something then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Notice {
    Readable(Handle),
    Writable(Handle),
    Acceptable(Handle),
}

impl Sockets {
    /// Fails when the device is gone.
    pub(super) fn check_alive(&self) -> io::Result<()> {
        self.failure.as_ref().map_or(Ok(()), |failure| Err(failure.error()))
    }

    /// Whether [`report`](Self::report) has something to say.
    pub(super) fn has_news(&self) -> bool {
        !self.notices.is_empty() || self.stack.has_events()
    }

    /// Turns what has happened into events.
    pub(super) fn report(&mut self, events: &mut Vec<TransportEvent>) {
        for at in 0..self.notices.len() {
            let told = match self.notices[at] {
                Notice::Readable(handle) => self.readable_again(handle),
                Notice::Writable(handle) => self.owner(handle).map(TransportEvent::Writable),
                Notice::Acceptable(handle) => self.owner(handle).map(TransportEvent::Acceptable),
            };
            events.extend(told);
        }
        self.notices.clear();
        while let Some(event) = self.stack.poll_event() {
            self.report_one(event, events);
        }
    }

    fn report_one(&mut self, event: Event, events: &mut Vec<TransportEvent>) {
        match event {
            Event::Connected(id) => self.report_connected(id, events),
            Event::Readable(id) => self.report_readable(id, events),
            Event::Writable(id) => {
                let stream = self.streams.by_id(id.as_u64());
                let owner = stream.and_then(|stream| stream.owner());
                events.extend(owner.map(TransportEvent::Writable));
            }
            Event::Acked(id, bytes) => self.report_acked(id, bytes, events),
            Event::PeerFin(id) => self.report_peer_fin(id, events),
            Event::Closed(id, reason) => self.report_closed(id, reason, events),
            Event::Acceptable(id) => self.report_acceptable(id, events),
            Event::UdpReadable(id) => self.report_datagrams(id, events),
            Event::UdpForward => self.report_forwarded(events),
            Event::UdpWritable(id) => {
                let endpoint = self.datagrams.by_id(id.as_u64());
                events.extend(endpoint.map(|endpoint| TransportEvent::Writable(endpoint.owner)));
            }
            Event::Forward(id) => self.offer(id),
            other => self.observe(other),
        }
    }

    /// Something that belongs to no channel.
    fn observe(&mut self, event: Event) {
        match event {
            Event::AddressReady(address) => tracing::debug!(%address, "an address may be used"),
            Event::AddressConflict(address) => {
                tracing::warn!(%address, "another host uses this address of ours");
            }
            _ => {}
        }
        for observer in &self.observers {
            observer(&mut self.stack, self.now, &event);
        }
    }

    /// Whom a handle's events are for.
    pub(super) fn owner(&self, handle: Handle) -> Option<ChannelKey> {
        match Kind::of(handle) {
            Kind::Stream => self.streams.get(handle)?.owner(),
            Kind::Listener => Some(self.listeners.get(handle)?.owner),
            Kind::Datagram => Some(self.datagrams.get(handle)?.owner),
            Kind::Other => None,
        }
    }

    /// A [`Notice::Readable`] is due, unless reading was paused again.
    fn readable_again(&self, handle: Handle) -> Option<TransportEvent> {
        let reading = match Kind::of(handle) {
            Kind::Stream => self.streams.get(handle)?.is_reading(),
            _ => self.datagrams.get(handle)?.reading,
        };
        self.owner(handle).filter(|_| reading).map(TransportEvent::Readable)
    }

    /// Stops or starts the reports of readability.
    pub(super) fn set_reading(&mut self, handle: Handle, on: bool) {
        let owed = match Kind::of(handle) {
            Kind::Stream => match self.streams.get_mut(handle) {
                Some(stream) => stream.set_reading(on),
                None => return,
            },
            Kind::Datagram => match self.datagrams.get_mut(handle) {
                Some(endpoint) => endpoint.set_reading(on),
                None => return,
            },
            // What could not be accepted is reported again after the pause.
            Kind::Listener if on => return self.notices.push(Notice::Acceptable(handle)),
            Kind::Listener | Kind::Other => return,
        };
        if owed {
            self.notices.push(Notice::Readable(handle));
        }
    }

    pub(super) fn close(&mut self, handle: Handle, mode: CloseMode) {
        match Kind::of(handle) {
            Kind::Stream => self.close_stream(handle, mode),
            Kind::Listener => self.close_listener(handle),
            Kind::Datagram => self.close_datagram(handle),
            Kind::Other => {}
        }
    }

    pub(super) fn local_address(&self, handle: Handle) -> io::Result<Address> {
        let address = match Kind::of(handle) {
            Kind::Stream => {
                let stream = self.streams.get(handle).ok_or_else(not_open)?;
                self.stack.endpoints(stream.id).map(|(local, _)| local)
            }
            Kind::Listener => Some(self.listeners.get(handle).ok_or_else(not_open)?.local),
            Kind::Datagram => {
                self.stack.udp_address(self.datagrams.get(handle).ok_or_else(not_open)?.id)
            }
            Kind::Other => None,
        };
        address.map(Address::Inet).ok_or_else(not_open)
    }

    /// Whether connections that their channels have closed still have bytes, or their end, that the
    /// peer has not acknowledged. Walks over the connections: for the end of a loop.
    pub(super) fn is_delivering(&self) -> bool {
        self.stack.listing().any(|line| {
            let ends =
                matches!(line.state, Some(State::FinWait1 | State::Closing | State::LastAck));
            line.id.is_none() && (ends || line.unacknowledged > 0)
        })
    }

    /// The device is gone: everybody hears of it, once.
    pub(super) fn fail(&mut self, failure: Failure, events: &mut Vec<TransportEvent>) {
        for stream in self.streams.iter() {
            let Some(owner) = stream.owner() else { continue };
            events.push(match stream.is_connecting() {
                true => TransportEvent::Connected(owner, Err(failure.error())),
                false => TransportEvent::Failed(owner, failure.error()),
            });
        }
        let endpoints = self.datagrams.iter().map(|endpoint| endpoint.owner);
        let listeners = self.listeners.iter().map(|listener| listener.owner);
        let failed = |owner| TransportEvent::Failed(owner, failure.error());
        events.extend(endpoints.chain(listeners).map(failed));
        self.notices.clear();
        self.failure = Some(failure);
    }

    /// What a call of the stack answered, as the waist has it.
    pub(super) fn answer<T>(result: Result<T, fyke_stack::StackError>) -> io::Result<T> {
        result.map_err(io_error)
    }
}
