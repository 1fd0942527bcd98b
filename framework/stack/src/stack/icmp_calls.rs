//! Calls about ICMP: ask for an echo, hear what came back.

use core::net::IpAddr;

use bytes::Bytes;
use fyke_clock::Instant;

use super::Stack;
use super::error::StackError;
use super::ids::IcmpId;
use crate::interface::egress::{Datagram, Outgoing, Queued};
use crate::interface::icmp_table::{EchoRequest, IcmpOptions, IcmpReport};
use crate::interface::steer::Flow;
use crate::wire::{ChecksumIntent, Emit, IpProtocol, PseudoHeader, icmpv4, icmpv6, ipv4, ipv6};

/// The longest payload of an echo over either family.
const PAYLOAD_MAX_V4: usize = u16::MAX as usize - ipv4::HEADER_LEN - icmpv4::HEADER_LEN;
const PAYLOAD_MAX_V6: usize = u16::MAX as usize - icmpv4::HEADER_LEN;

impl Stack {
    /// Opens an endpoint that sends echo requests and hears the answers.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use fyke_clock::Instant;
    /// use fyke_stack::{EchoRequest, Event, IcmpContent, Medium, Seed, Stack, StackConfig};
    ///
    /// let now = Instant::from_nanos(1);
    /// let mut stack = Stack::new(StackConfig::new(Medium::RawIp), Seed::from(1), now);
    /// let id = stack.icmp_open(Default::default()).unwrap();
    /// let request = EchoRequest::new("127.0.0.1".parse().unwrap(), 1, Bytes::from_static(b"ping"));
    /// stack.icmp_send(now, id, &request).unwrap();
    /// stack.poll_transmit(now, &mut Vec::new(), 64);
    /// assert_eq!(stack.poll_event(), Some(Event::IcmpReadable(id)));
    /// let report = stack.icmp_receive(id).unwrap();
    /// let IcmpContent::EchoReply { sequence, payload, .. } = report.content else { panic!() };
    /// assert_eq!((sequence, &payload[..]), (1, &b"ping"[..]));
    /// ```
    ///
    /// # Errors
    /// When the identifier is taken or another loop's, or there are too many endpoints.
    pub fn icmp_open(&mut self, options: IcmpOptions) -> Result<IcmpId, StackError> {
        if self.icmp.len() >= self.net.config.limits.icmp_endpoints_max {
            return Err(StackError::LimitReached);
        }
        let identifier = match options.identifier {
            Some(taken) if self.icmp.is_taken(taken) => return Err(StackError::AddressInUse),
            Some(identifier) => {
                let shard = self.net.config.shard.as_ref();
                let owner = shard.map(|shard| shard.shards().owner_of_echo(identifier));
                if let Some(owner) = owner.filter(|_| !self.net.owns(&Flow::Echo(identifier))) {
                    return Err(StackError::OtherShard(owner));
                }
                identifier
            }
            None => self.free_identifier().ok_or(StackError::NoPorts)?,
        };
        Ok(self.icmp.insert(identifier, options))
    }

    /// An identifier that is hard to guess: it is all that a forged answer has to know.
    fn free_identifier(&mut self) -> Option<u16> {
        let first = self.net.secrets.draw() as u16;
        (0..=u16::MAX)
            .map(|step| first.wrapping_add(step))
            .filter(|identifier| self.net.owns(&Flow::Echo(*identifier)))
            .find(|identifier| !self.icmp.is_taken(*identifier))
    }

    /// Queues an echo request; what comes back is told by
    /// [`Event::IcmpReadable`](crate::Event::IcmpReadable).
    ///
    /// # Errors
    /// When the addresses are of no use, no route leads there, or the payload is longer than the
    /// protocol or, without fragments, the path permits.
    /// [`WouldBlock`](StackError::WouldBlock) when the stack's queue towards the device is full,
    /// which the next [`poll_transmit`](Self::poll_transmit) changes.
    pub fn icmp_send(
        &mut self,
        now: Instant,
        id: IcmpId,
        request: &EchoRequest,
    ) -> Result<(), StackError> {
        let endpoint = self.icmp.get(id).ok_or(StackError::NoSuchSocket)?;
        let (identifier, broadcast) = (endpoint.identifier, endpoint.options.broadcast);
        let source = self.echo_source(request, broadcast)?;
        let destination = request.destination;
        let (longest, headers) = match destination {
            IpAddr::V4(_) => (PAYLOAD_MAX_V4, ipv4::HEADER_LEN),
            IpAddr::V6(_) => (PAYLOAD_MAX_V6, ipv6::HEADER_LEN),
        };
        self.net.now = now;
        let length = headers + icmpv4::HEADER_LEN + request.payload.len();
        let path = usize::from(self.net.path_mtu(destination));
        if request.payload.len() > longest || (request.dont_fragment && length > path) {
            return Err(StackError::MessageTooLong);
        }
        if self.net.outbox.refuses(request.payload.len()) {
            return Err(StackError::WouldBlock);
        }
        let pseudo = PseudoHeader::new(source, destination).ok_or(StackError::InvalidAddress)?;
        let usual = if destination.is_multicast() { 1 } else { self.net.hop_limit(destination) };
        let (protocol, body) = request_body(&pseudo, identifier, request);
        let packet = Outgoing {
            traffic_class: request.traffic_class,
            dont_fragment: request.dont_fragment,
            ..Outgoing::new(source, destination, protocol, request.hop_limit.unwrap_or(usual))
        };
        self.net.counters.icmp_out += 1;
        self.net.counters.echo_requests_out += 1;
        self.net.enqueue(now, Queued::Datagram(Datagram { packet, body }));
        Ok(())
    }

    /// The source address of a request, when everything about its addresses is in order.
    fn echo_source(&self, request: &EchoRequest, broadcast: bool) -> Result<IpAddr, StackError> {
        let to = request.destination;
        if request.hop_limit == Some(0) {
            return Err(StackError::InvalidOption);
        }
        let all = matches!(to, IpAddr::V4(v4) if self.net.addresses.is_broadcast(v4));
        if to.is_unspecified() || (all && !broadcast) {
            return Err(StackError::InvalidAddress);
        }
        if self.net.path(to).is_none() {
            return Err(StackError::Unreachable);
        }
        match request.source.filter(|source| !source.is_unspecified()) {
            Some(source) if source.is_ipv4() != to.is_ipv4() => Err(StackError::InvalidAddress),
            Some(source) if !self.net.accepts(source) => Err(StackError::AddressNotAvailable),
            Some(source) => Ok(source),
            None => self.net.source_for(to).ok_or(StackError::Unreachable),
        }
    }

    /// The next report: an answer, or an error about something we sent.
    ///
    /// # Errors
    /// [`WouldBlock`](StackError::WouldBlock) when there is none.
    pub fn icmp_receive(&mut self, id: IcmpId) -> Result<IcmpReport, StackError> {
        let endpoint = self.icmp.get_mut(id).ok_or(StackError::NoSuchSocket)?;
        endpoint.pop().ok_or(StackError::WouldBlock)
    }

    /// The identifier of an endpoint's requests.
    #[must_use]
    pub fn icmp_identifier(&self, id: IcmpId) -> Option<u16> {
        self.icmp.get(id).map(|endpoint| endpoint.identifier)
    }

    /// Closes an endpoint; what comes back later is dropped.
    ///
    /// # Errors
    /// When there is no such endpoint.
    pub fn icmp_close(&mut self, id: IcmpId) -> Result<(), StackError> {
        self.icmp.remove(id).map(|_| ()).ok_or(StackError::NoSuchSocket)
    }
}

/// The message, complete with its checksum: a device sums up no echoes.
fn request_body(
    pseudo: &PseudoHeader,
    identifier: u16,
    request: &EchoRequest,
) -> (IpProtocol, Bytes) {
    let (sequence, payload) = (request.sequence, &request.payload);
    let (protocol, mut body) = match pseudo {
        PseudoHeader::V4 { .. } => {
            let mut body = icmpv4::Message::EchoRequest { identifier, sequence }.to_vec();
            icmpv4::Message::fill_checksum(&mut body, &[payload]);
            (IpProtocol::ICMPV4, body)
        }
        PseudoHeader::V6 { .. } => {
            let mut body = icmpv6::Message::EchoRequest { identifier, sequence }.to_vec();
            icmpv6::fill_checksum(&mut body, pseudo, &[payload], ChecksumIntent::Full);
            (IpProtocol::ICMPV6, body)
        }
    };
    body.extend_from_slice(payload);
    (protocol, body.into())
}
