//! What happened, for the application: coalesced for each socket, never lost.
//!
//! A socket keeps one bit for each kind of event and is queued at most once, so the queue is no
//! longer than there are sockets, however much happens before somebody asks.

use alloc::collections::VecDeque;
use core::net::IpAddr;

use super::ids::{IcmpId, ListenerId, TcpId, UdpId};
use crate::tcp::CloseReason;

/// What a call of [`Stack::poll_event`](crate::Stack::poll_event) reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A listener has connections to [`accept`](crate::Stack::accept).
    Acceptable(ListenerId),
    /// In forwarder mode: SYNs wait for [`forward_request`](crate::Stack::forward_request).
    Forward(ListenerId),
    /// A [`connect`](crate::Stack::connect) succeeded.
    Connected(TcpId),
    /// There are bytes to [`read`](crate::Stack::read) that were not there before.
    Readable(TcpId),
    /// A [`write`](crate::Stack::write) that had no room would have some now.
    Writable(TcpId),
    /// So many more bytes of what was written were acknowledged; told only when
    /// [`report_acks`](crate::StackConfig::report_acks) says so.
    Acked(TcpId, u32),
    /// The peer sent its FIN; bytes in front of it may be left to read.
    PeerFin(TcpId),
    /// The connection is over; [`close`](crate::Stack::close) frees what is left of it.
    Closed(TcpId, CloseReason),
    /// Datagrams or errors are there to receive.
    UdpReadable(UdpId),
    /// A send that had no room would have some now.
    UdpWritable(UdpId),
    /// Datagrams for ports that nobody has bound wait for
    /// [`udp_forwarded`](crate::Stack::udp_forwarded).
    UdpForward,
    /// Answers or errors are there for [`icmp_receive`](crate::Stack::icmp_receive).
    IcmpReadable(IcmpId),
    /// An address passed duplicate address detection and may be used.
    AddressReady(IpAddr),
    /// Another host uses this address of ours.
    AddressConflict(IpAddr),
}

/// The bits of a TCP socket, in the order in which they are reported: a segment's acknowledgement
/// comes before what it carries (RFC 9293, section 3.10.7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pending(u8);

impl Pending {
    pub(crate) const CONNECTED: Self = Self(1);
    pub(crate) const ACKED: Self = Self(1 << 1);
    pub(crate) const READABLE: Self = Self(1 << 2);
    pub(crate) const PEER_FIN: Self = Self(1 << 3);
    pub(crate) const WRITABLE: Self = Self(1 << 4);
    pub(crate) const CLOSED: Self = Self(1 << 5);

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Takes the first of the bits.
    pub(crate) fn take_first(&mut self) -> Self {
        let first = Self(self.0 & self.0.wrapping_neg());
        self.0 &= !first.0;
        first
    }
}

/// Who has something to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Tcp(TcpId),
    Listener(ListenerId),
    /// A forwarder with requests.
    Forward(ListenerId),
    Udp(UdpId),
    Icmp(IcmpId),
    UdpForward,
    /// An event that is about no socket; there are few, and their senders bound them.
    Once(Event),
}

/// The sources in the order in which they got something to report.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    /// `None` is the place of the next of `once`.
    queue: VecDeque<Option<Source>>,
    once: VecDeque<Event>,
}

/// Events about addresses that wait at most; more are dropped, oldest first.
const ONCE_MAX: usize = 64;

impl EventQueue {
    pub(crate) fn push(&mut self, source: Source) {
        self.queue.push_back(Some(source));
    }

    /// Adds an event that is about no socket, unless the same one waits already: what a host on the
    /// link repeats displaces nothing.
    pub(crate) fn push_once(&mut self, event: Event) {
        if self.once.contains(&event) {
            return;
        }
        self.once.push_back(event);
        if self.once.len() > ONCE_MAX {
            // The others move up by one place.
            self.once.pop_front();
        } else {
            self.queue.push_back(None);
        }
    }

    /// Puts a source back that has more to report.
    pub(crate) fn push_front(&mut self, source: Source) {
        self.queue.push_front(Some(source));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn pop(&mut self) -> Option<Source> {
        match self.queue.pop_front()? {
            Some(source) => Some(source),
            None => self.once.pop_front().map(Source::Once),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_out_in_their_order() {
        let mut pending = Pending::default();
        for bit in [Pending::CLOSED, Pending::READABLE, Pending::CONNECTED, Pending::READABLE] {
            pending.add(bit);
        }
        assert_eq!(pending.take_first(), Pending::CONNECTED);
        assert_eq!(pending.take_first(), Pending::READABLE);
        assert_eq!(pending.take_first(), Pending::CLOSED);
        assert!(pending.is_empty());
    }

    #[test]
    fn events_about_addresses_are_bounded() {
        let mut events = EventQueue::default();
        for n in 0..200_u8 {
            events.push_once(Event::AddressConflict(IpAddr::from([10, 0, 0, n])));
        }
        let first = events.pop().unwrap();
        assert_eq!(first, Source::Once(Event::AddressConflict(IpAddr::from([10, 0, 0, 136]))));
        assert_eq!(core::iter::from_fn(|| events.pop()).count(), ONCE_MAX - 1);
    }

    #[test]
    fn an_event_that_waits_is_not_told_twice() {
        let mut events = EventQueue::default();
        let conflict = Event::AddressConflict(IpAddr::from([10, 0, 0, 1]));
        let ready = Event::AddressReady(IpAddr::from([10, 0, 0, 2]));
        events.push_once(ready);
        (0..200).for_each(|_| events.push_once(conflict));
        assert_eq!(events.pop(), Some(Source::Once(ready)));
        assert_eq!(events.pop(), Some(Source::Once(conflict)));
        events.push_once(conflict);
        assert_eq!(events.pop(), Some(Source::Once(conflict)));
        assert!(events.is_empty() && events.pop().is_none());
    }
}
