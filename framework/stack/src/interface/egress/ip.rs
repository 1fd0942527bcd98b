//! A transport packet gets its IP header and leaves: to the loopback, or over the link.

use core::net::IpAddr;

use fyke_clock::Instant;

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

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
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
        let longest = if path == Path::Loopback { u16::MAX } else { self.config.mtu };
        let ip_header = if packet.destination.is_ipv4() { ipv4::HEADER_LEN } else { 0 };
        if transport.gso.is_none() && ip_header + transport.len() > usize::from(longest) {
            return self.drop_out(now, DropReason::TooLong);
        }
        let mut headers = Headers::new(0);
        if !self.push_ip_header(&mut headers, packet, transport.len()) {
            return self.drop_out(now, DropReason::TooLong);
        }
        headers.transport = headers.len;
        if !headers.push_slice(transport.header) {
            return self.drop_out(now, DropReason::TooLong);
        }
        let checksum = match transport.partial_checksum {
            Some(offset) => TxChecksum::Partial { start: headers.transport as u16, offset },
            None => TxChecksum::Complete,
        };
        let frame = TxFrame {
            header: headers.as_slice(),
            payload: transport.payload,
            network_offset: headers.network as u16,
            transport_offset: headers.transport as u16,
            gso: transport.gso,
            checksum,
        };
        if path == Path::Loopback {
            let gso_size = transport.gso.map_or(0, |gso| gso.size);
            return self.push_loopback(now, frame.to_bytes(), gso_size);
        }
        self.transmit(now, &frame, out);
    }

    /// The IP header for `transport_len` bytes; `false` when that is more than it can say.
    fn push_ip_header(&self, to: &mut Headers, packet: &Outgoing, transport_len: usize) -> bool {
        let Ok(payload_len) = u16::try_from(transport_len) else { return false };
        match (packet.source, packet.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let alert = Options::EMPTY.with(Ipv4Option::RouterAlert(0));
                let header = ipv4::Header {
                    traffic_class: packet.traffic_class,
                    dont_fragment: packet.dont_fragment,
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
                to.push(&ipv6::Header {
                    traffic_class: packet.traffic_class,
                    hop_limit: packet.hop_limit,
                    ..ipv6::Header::new(source, destination, packet.protocol, payload_len)
                });
            }
            _ => return false,
        }
        true
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
