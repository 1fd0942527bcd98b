//! A frame as one line, much as tcpdump prints it: for logs, test failures and comments of captures.
//!
//! Whatever the bytes are, something is printed and nothing fails: a part that does not parse is
//! named in square brackets.

mod control;
mod transport;

use core::fmt::{self, Display, Formatter};
use core::net::IpAddr;

use super::ethernet::{EtherType, Frame, FrameKind};
use super::{Error, IpProtocol, arp, ipv4, ipv6};

/// How deep packets in packets are printed: tunnels and the packets that ICMP errors quote.
const DEPTH_MAX: u8 = 3;

/// What a capture's bytes begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Medium {
    /// An Ethernet header.
    Ethernet,
    /// An IP header; its version tells which.
    Ip,
}

/// Bytes that print themselves as one line.
///
/// With the alternate form (`{:#}`) the Ethernet header is printed too.
///
/// ```
/// use fyke_stack::wire::{Emit, IpProtocol, ipv4, pretty, tcp};
///
/// let syn = tcp::Header { source_port: 4000, destination_port: 80, flags: tcp::SYN, ..Default::default() };
/// let mut packet = ipv4::Header::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), IpProtocol::TCP, 20).to_vec();
/// syn.append(&mut packet);
/// assert_eq!(
///     pretty::packet(&packet).to_string(),
///     "IP 10.0.0.1.4000 > 10.0.0.2.80: Flags [S], seq 0, win 0, length 0",
/// );
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Pretty<'a> {
    medium: Medium,
    bytes: &'a [u8],
}

/// An Ethernet frame.
#[must_use]
pub const fn frame(bytes: &[u8]) -> Pretty<'_> {
    Pretty::new(Medium::Ethernet, bytes)
}

/// An IP packet.
#[must_use]
pub const fn packet(bytes: &[u8]) -> Pretty<'_> {
    Pretty::new(Medium::Ip, bytes)
}

impl<'a> Pretty<'a> {
    /// Bytes of a medium.
    #[must_use]
    pub const fn new(medium: Medium, bytes: &'a [u8]) -> Self {
        Self { medium, bytes }
    }
}

impl Display for Pretty<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.medium {
            Medium::Ethernet => ethernet(f, self.bytes),
            Medium::Ip => ip(f, self.bytes, 0),
        }
    }
}

/// What does not parse.
fn broken(f: &mut Formatter<'_>, what: &str, error: Error, length: usize) -> fmt::Result {
    write!(f, "[{what}: {error}], length {length}")
}

fn ethernet(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let frame = match Frame::parse(bytes) {
        Ok(frame) => frame,
        Err(error) => return broken(f, "ethernet", error, bytes.len()),
    };
    if f.alternate() {
        write!(f, "{} > {}, ", frame.source(), frame.destination())?;
    }
    if let Some(tag) = frame.vlan() {
        write!(f, "vlan {}, p {}, ", tag.id(), tag.priority())?;
    }
    match frame.kind() {
        FrameKind::Type(EtherType::IPV4) => ipv4(f, frame.payload(), 0),
        FrameKind::Type(EtherType::IPV6) => ipv6(f, frame.payload(), 0),
        FrameKind::Type(EtherType::ARP) => arp(f, frame.payload()),
        FrameKind::Type(other) => {
            write!(f, "ethertype {other}, length {}", frame.payload().len())
        }
        FrameKind::Length(length) => write!(f, "802.3, length {length}"),
    }
}

fn arp(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let message = match arp::Message::parse(bytes) {
        Ok(message) => message,
        Err(error) => return broken(f, "arp", error, bytes.len()),
    };
    let arp::Message { operation, sender_mac, sender_ip, target_ip, .. } = message;
    match operation {
        arp::Operation::Request if message.is_probe() => {
            write!(f, "ARP, Probe who-has {target_ip}")
        }
        arp::Operation::Request if message.is_gratuitous() => {
            write!(f, "ARP, Announcement {sender_ip} is-at {sender_mac}")
        }
        arp::Operation::Request => write!(f, "ARP, Request who-has {target_ip} tell {sender_ip}"),
        arp::Operation::Reply => write!(f, "ARP, Reply {sender_ip} is-at {sender_mac}"),
        arp::Operation::Other(number) => write!(f, "ARP, operation {number}"),
    }
}

/// A packet of either version.
fn ip(f: &mut Formatter<'_>, bytes: &[u8], depth: u8) -> fmt::Result {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => ipv4(f, bytes, depth),
        Some(6) => ipv6(f, bytes, depth),
        Some(_) => broken(f, "ip", Error::Version, bytes.len()),
        None => broken(f, "ip", Error::Truncated, 0),
    }
}

/// A piece of a packet, for which the transport's header is of no use.
struct Piece {
    id: u32,
    offset: u16,
    length: usize,
    more: bool,
}

impl Display for Piece {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let more = if self.more { "+" } else { "" };
        write!(f, "frag {}:{}@{}{more}", self.id, self.length, self.offset)
    }
}

/// What the printers of transports get to know.
struct Carried<'a> {
    source: IpAddr,
    destination: IpAddr,
    protocol: IpProtocol,
    payload: &'a [u8],
    /// The IP header counts more bytes than there are: the packet was quoted.
    is_cut: bool,
    depth: u8,
}

fn ipv4(f: &mut Formatter<'_>, bytes: &[u8], depth: u8) -> fmt::Result {
    let packet = match ipv4::Packet::parse_quoted(bytes) {
        Ok(packet) => packet,
        Err(error) => return broken(f, "ip", error, bytes.len()),
    };
    f.write_str("IP ")?;
    let carried = Carried {
        source: packet.source().into(),
        destination: packet.destination().into(),
        protocol: packet.protocol(),
        payload: packet.payload(),
        is_cut: packet.as_bytes().len() < usize::from(packet.total_len()),
        depth,
    };
    let piece = packet.is_fragment().then(|| Piece {
        id: u32::from(packet.identification()),
        offset: packet.fragment_offset(),
        length: packet.payload().len(),
        more: packet.more_fragments(),
    });
    transport_or_piece(f, &carried, piece)
}

fn ipv6(f: &mut Formatter<'_>, bytes: &[u8], depth: u8) -> fmt::Result {
    let packet = match ipv6::Packet::parse_quoted(bytes) {
        Ok(packet) => packet,
        Err(error) => return broken(f, "ip6", error, bytes.len()),
    };
    f.write_str("IP6 ")?;
    let (source, destination) = (packet.source().into(), packet.destination().into());
    let upper = match packet.upper_layer() {
        Ok(upper) => upper,
        Err(error) => {
            write!(f, "{source} > {destination}: ")?;
            return broken(f, "extension headers", error, packet.payload().len());
        }
    };
    let carried = Carried {
        source,
        destination,
        protocol: upper.protocol,
        payload: upper.payload,
        is_cut: packet.payload().len() < usize::from(packet.payload_len()),
        depth,
    };
    let fragment = upper.fragment.filter(|fragment| !fragment.header.is_atomic());
    let piece = fragment.map(|fragment| Piece {
        id: fragment.header.identification,
        offset: fragment.header.offset,
        length: fragment.payload.len(),
        more: fragment.header.more,
    });
    transport_or_piece(f, &carried, piece)
}

fn transport_or_piece(
    f: &mut Formatter<'_>,
    carried: &Carried<'_>,
    piece: Option<Piece>,
) -> fmt::Result {
    let Carried { source, destination, protocol, .. } = carried;
    match piece {
        Some(piece) if piece.offset != 0 => {
            write!(f, "{source} > {destination}: {protocol}, {piece}")
        }
        Some(piece) => {
            transport::print(f, carried)?;
            write!(f, ", {piece}")
        }
        None => transport::print(f, carried),
    }
}
