//! A transport packet gets its IP header and leaves: to the loopback, or over the link.

use core::net::IpAddr;

use fyke_clock::Instant;

use super::link::FrameRest;
use crate::interface::net::{Net, Path};
use crate::stack::capture::Direction;
use crate::stack::counters::DropReason;
use crate::stack::frame::{Gso, TxChecksum, TxFrame, TxSink};
use crate::wire::ipv4::{Ipv4Option, Options};
use crate::wire::{Emit, IpProtocol, ipv4, ipv6};

/// What the IP header shall say.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: IpProtocol,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    pub(crate) dont_fragment: bool,
    /// Routers shall look at it (RFC 2113, RFC 2711): group membership.
    pub(crate) router_alert: bool,
    /// A copy goes to our own sockets: groups we are in, broadcasts.
    pub(crate) comes_back: bool,
}

impl Outgoing {
    /// A packet with the usual hop limit and nothing special.
    pub(crate) fn new(
        source: IpAddr,
        destination: IpAddr,
        protocol: IpProtocol,
        hop_limit: u8,
    ) -> Self {
        Self {
            source,
            destination,
            protocol,
            hop_limit,
            traffic_class: 0,
            dont_fragment: false,
            router_alert: false,
            comes_back: false,
        }
    }

    /// Bytes of the IP headers.
    pub(super) fn header_len(&self) -> usize {
        match (self.destination.is_ipv4(), self.router_alert) {
            (true, false) => ipv4::HEADER_LEN,
            (true, true) => ipv4::HEADER_LEN + 4,
            (false, false) => ipv6::HEADER_LEN,
            (false, true) => ipv6::HEADER_LEN + HOP_BY_HOP_ALERT.len(),
        }
    }
}

/// The transport's part: its header, and the payload in pieces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transport<'a> {
    pub(crate) header: &'a [u8],
    pub(crate) payload: &'a [&'a [u8]],
    /// Where in the header the device completes the checksum.
    pub(crate) partial_checksum: Option<u16>,
    pub(crate) gso: Option<Gso>,
}

impl Transport<'_> {
    pub(crate) fn len(&self) -> usize {
        self.header.len() + self.payload.iter().map(|piece| piece.len()).sum::<usize>()
    }
}

/// Link, IP and transport headers in one piece: 14 + 60 + 60 and room for IPv6 extensions.
const HEADERS_BYTES_MAX: usize = 192;

/// Headers being put together, with room for the link's in front.
pub(super) struct Headers {
    bytes: [u8; HEADERS_BYTES_MAX],
    len: usize,
    pub(super) network: usize,
    pub(super) transport: usize,
}

impl Headers {
    pub(super) fn new(link_len: usize) -> Self {
        Self { bytes: [0; HEADERS_BYTES_MAX], len: link_len, network: link_len, transport: 0 }
    }

    pub(super) fn push(&mut self, value: &impl Emit) {
        value.emit(&mut self.bytes[self.len..]);
        self.len += value.wire_len();
    }

    /// Adds bytes; `false` when there is no room for them.
    pub(super) fn push_slice(&mut self, bytes: &[u8]) -> bool {
        let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) else {
            return false;
        };
        room.copy_from_slice(bytes);
        self.len += bytes.len();
        true
    }

    /// What was pushed so far is the network layer's.
    pub(super) fn end_of_network(&mut self) {
        self.transport = self.len;
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The bytes from the IP header on.
    pub(super) fn network_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.network..]
    }

    /// Room for a transport header of `len` bytes, instead of the one that was there.
    pub(super) fn transport_mut(&mut self, len: usize) -> Option<&mut [u8]> {
        self.len = self.transport + len;
        self.bytes.get_mut(self.transport..self.len)
    }

    pub(super) fn link_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.network]
    }
}

impl Net {
    /// Sends a transport packet.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        packet: &Outgoing,
        transport: &Transport<'_>,
        out: &mut dyn TxSink,
    ) {
        let Some(path) = self.path(packet.destination) else {
            return self.drop_out(now, DropReason::NoRoute);
        };
        let header_len = packet.header_len();
        let longest = match path {
            Path::Loopback => u16::MAX,
            // A tunnel tells the sender what it carries.
            Path::Tunnel(_) if packet.dont_fragment => u16::MAX,
            // What must not be fragmented finds out by itself where the path is narrow.
            _ if packet.dont_fragment => self.config.mtu,
            _ => self.path_mtu(packet.destination),
        };
        let cut = transport.gso.is_none() && path != Path::Loopback;
        if cut && header_len + transport.len() > usize::from(longest) {
            if packet.comes_back && !packet.dont_fragment {
                self.send_to_ourselves(now, packet, transport);
            }
            return self.send_in_fragments(now, path, packet, transport, longest);
        }
        let mut headers = Headers::new(self.link_len(path));
        if !push_ip_header(&mut headers, packet, transport.len(), 0, 0) {
            return self.drop_out(now, DropReason::TooLong);
        }
        headers.end_of_network();
        if !headers.push_slice(transport.header) {
            return self.drop_out(now, DropReason::TooLong);
        }
        let checksum = match transport.partial_checksum {
            Some(offset) => TxChecksum::Partial { start: headers.transport as u16, offset },
            None => TxChecksum::Complete,
        };
        let rest = FrameRest { payload: transport.payload, gso: transport.gso, checksum };
        if path == Path::Loopback || packet.comes_back {
            let gso_size = transport.gso.map_or(0, |gso| gso.size);
            let frame = rest.frame(&headers).to_bytes();
            self.push_loopback(now, frame.slice(headers.network..), gso_size);
        }
        if path != Path::Loopback {
            self.send_by(now, path, packet.destination, &mut headers, &rest, out);
        }
    }

    /// What leaves in pieces comes back whole.
    fn send_to_ourselves(&mut self, now: Instant, packet: &Outgoing, transport: &Transport<'_>) {
        let mut headers = Headers::new(0);
        if !push_ip_header(&mut headers, packet, transport.len(), 0, 0) {
            return;
        }
        headers.end_of_network();
        if headers.push_slice(transport.header) {
            let checksum = TxChecksum::Complete;
            let rest = FrameRest { payload: transport.payload, gso: None, checksum };
            let whole = rest.frame(&headers).to_bytes();
            self.push_loopback(now, whole, 0);
        }
    }

    /// Hands a frame to the device.
    pub(crate) fn transmit(&mut self, now: Instant, frame: &TxFrame<'_>, out: &mut dyn TxSink) {
        self.counters.frames_out += 1;
        self.counters.bytes_out += frame.len() as u64;
        if let Some(capture) = &mut self.capture {
            let mut pieces = alloc::vec::Vec::with_capacity(1 + frame.payload.len());
            pieces.push(frame.header);
            pieces.extend_from_slice(frame.payload);
            capture.frame(now, Direction::Out, &pieces);
        }
        out.transmit(*frame);
    }
}

/// The IP header for `transport_len` bytes; `false` when that is more than it can say. The
/// fragment word (offset in bytes, and 1 when more follow) counts for IPv4.
pub(super) fn push_ip_header(
    to: &mut Headers,
    packet: &Outgoing,
    transport_len: usize,
    identification: u16,
    fragment: u16,
) -> bool {
    let Ok(payload_len) = u16::try_from(transport_len) else { return false };
    match (packet.source, packet.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let alert = Options::EMPTY.with(Ipv4Option::RouterAlert(0));
            let header = ipv4::Header {
                traffic_class: packet.traffic_class,
                dont_fragment: packet.dont_fragment,
                identification,
                more_fragments: fragment & 1 != 0,
                fragment_offset: fragment & !7,
                ttl: packet.hop_limit,
                options: alert.filter(|_| packet.router_alert).unwrap_or_default(),
                ..ipv4::Header::new(source, destination, packet.protocol, payload_len)
            };
            if header.wire_len() + transport_len > usize::from(u16::MAX) {
                return false;
            }
            to.push(&header);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let alert = packet.router_alert;
            let next_header = if alert { IpProtocol::HOP_BY_HOP } else { packet.protocol };
            let extra = if alert { HOP_BY_HOP_ALERT.len() as u16 } else { 0 };
            to.push(&ipv6::Header {
                traffic_class: packet.traffic_class,
                hop_limit: packet.hop_limit,
                ..ipv6::Header::new(source, destination, next_header, payload_len + extra)
            });
            if alert {
                let mut options = HOP_BY_HOP_ALERT;
                options[0] = packet.protocol.0;
                return to.push_slice(&options);
            }
        }
        _ => return false,
    }
    true
}

/// A hop-by-hop header with a router alert for MLD (RFC 2711) and two bytes of padding; the first
/// byte is the next header.
const HOP_BY_HOP_ALERT: [u8; 8] = [0, 0, 5, 2, 0, 0, 1, 0];
