//! What a raw frame is about, as far as it matters for whose it is: [`Shards`](crate::Shards).
//!
//! Looks at no more than that takes, trusts nothing, and leaves every judgement to the stack that
//! gets the frame.

use core::net::{IpAddr, SocketAddr};

use super::tuple::FourTuple;
use crate::stack::config::Medium;
use crate::wire::ethernet::{EtherType, Frame, FrameKind};
use crate::wire::{IpProtocol, Quoted, icmpv4, icmpv6, ipv4, ipv6};

/// What has one owner, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// A TCP connection, ours first.
    Tcp(FourTuple),
    /// A UDP port of ours.
    Udp(u16),
    /// Echoes of an identifier.
    Echo(u16),
    /// All learn from it.
    Everyone,
    /// It belongs to nothing.
    Nobody,
}

impl Flow {
    /// Of an echo with these four bytes behind its checksum.
    pub(crate) const fn echo([a, b, ..]: [u8; 4]) -> Self {
        Self::Echo(u16::from_be_bytes([a, b]))
    }
}

/// Of a frame as the device received it.
pub(crate) fn flow_of_frame(medium: Medium, frame: &[u8]) -> Flow {
    if medium == Medium::RawIp {
        return flow_of_packet(frame);
    }
    let Ok(frame) = Frame::parse(frame) else { return Flow::Nobody };
    match frame.kind() {
        _ if frame.vlan().is_some() => Flow::Nobody,
        FrameKind::Type(EtherType::ARP) => Flow::Everyone,
        FrameKind::Type(EtherType::IPV4 | EtherType::IPV6) => flow_of_packet(frame.payload()),
        _ => Flow::Nobody,
    }
}

/// Of an IP packet that was received.
pub(crate) fn flow_of_packet(bytes: &[u8]) -> Flow {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => match ipv4::Packet::parse(bytes) {
            Ok(packet) if packet.is_fragment() => Flow::Everyone,
            Ok(packet) => {
                let (us, peer) = (packet.destination().into(), packet.source().into());
                flow_of_transport(us, peer, packet.protocol(), packet.payload())
            }
            Err(_) => Flow::Nobody,
        },
        Some(6) => flow_of_v6(bytes).unwrap_or(Flow::Nobody),
        _ => Flow::Nobody,
    }
}

fn flow_of_v6(bytes: &[u8]) -> Option<Flow> {
    let packet = ipv6::Packet::parse(bytes).ok()?;
    let mut extensions = packet.extensions();
    for extension in extensions.by_ref() {
        // What stands behind is looked at when the whole is there.
        if let ipv6::Extension::Fragment(found) = extension.ok()?
            && !found.header.is_atomic()
        {
            return Some(Flow::Everyone);
        }
    }
    let (us, peer) = (packet.destination().into(), packet.source().into());
    Some(flow_of_transport(us, peer, extensions.protocol(), extensions.payload()))
}

fn flow_of_transport(us: IpAddr, peer: IpAddr, protocol: IpProtocol, bytes: &[u8]) -> Flow {
    match protocol {
        IpProtocol::TCP | IpProtocol::UDP => {
            let Some(&[a, b, c, d]) = bytes.first_chunk() else { return Flow::Nobody };
            let (theirs, ours) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            if protocol == IpProtocol::UDP {
                return Flow::Udp(ours);
            }
            Flow::Tcp(FourTuple::new(SocketAddr::new(us, ours), SocketAddr::new(peer, theirs)))
        }
        // What is in a tunnel belongs to whom it is for.
        IpProtocol::IPV6 if us.is_ipv4() => flow_of_v6(bytes).unwrap_or(Flow::Nobody),
        IpProtocol::IGMP if us.is_ipv4() => Flow::Everyone,
        IpProtocol::ICMPV4 if us.is_ipv4() => flow_of_icmpv4(bytes).unwrap_or(Flow::Nobody),
        IpProtocol::ICMPV6 if us.is_ipv6() => flow_of_icmpv6(bytes).unwrap_or(Flow::Nobody),
        _ => Flow::Nobody,
    }
}

fn flow_of_icmpv4(bytes: &[u8]) -> Option<Flow> {
    let packet = icmpv4::Packet::parse(bytes).ok()?;
    Some(match packet.message() {
        icmpv4::Message::EchoRequest { identifier, .. }
        | icmpv4::Message::EchoReply { identifier, .. } => Flow::Echo(identifier),
        icmpv4::Message::Other { kind: icmpv4::ECHO_REQUEST, rest, .. } => Flow::echo(rest),
        message if message.is_error() => flow_of_quoted(&Quoted::parse_v4(packet.payload()).ok()?),
        _ => Flow::Nobody,
    })
}

fn flow_of_icmpv6(bytes: &[u8]) -> Option<Flow> {
    let packet = icmpv6::Packet::parse(bytes).ok()?;
    Some(match packet.message() {
        icmpv6::Message::EchoRequest { identifier, .. }
        | icmpv6::Message::EchoReply { identifier, .. } => Flow::Echo(identifier),
        icmpv6::Message::Other { kind: icmpv6::ECHO_REQUEST, rest, .. } => Flow::echo(rest),
        // Listener discovery of both versions, and neighbour discovery.
        icmpv6::Message::Other { kind: 130..=137 | 143, .. } => Flow::Everyone,
        message if message.is_error() => flow_of_quoted(&Quoted::parse_v6(packet.payload()).ok()?),
        _ => Flow::Nobody,
    })
}

/// Of a packet that we sent, if the quotation is true.
fn flow_of_quoted(quoted: &Quoted<'_>) -> Flow {
    match (quoted.protocol, quoted.ports(), quoted.echo()) {
        (IpProtocol::TCP, Some((ours, theirs)), _) => Flow::Tcp(FourTuple::new(
            SocketAddr::new(quoted.source, ours),
            SocketAddr::new(quoted.destination, theirs),
        )),
        (IpProtocol::UDP, Some((ours, _)), _) => Flow::Udp(ours),
        (_, _, Some((identifier, _))) => Flow::Echo(identifier),
        // All send through a tunnel, and all learn what it carries.
        (IpProtocol::IPV6, ..) if quoted.source.is_ipv4() => Flow::Everyone,
        _ => Flow::Nobody,
    }
}
