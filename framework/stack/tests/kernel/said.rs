//! What an answer says, in words: all that a specification is about, and nothing that is a matter of
//! taste (identifications, flow labels, windows, how much a later byte is worth).

use std::net::IpAddr;

use fyke_stack::wire::ethernet::{EtherType, Frame};
use fyke_stack::wire::{IpProtocol, PseudoHeader, arp, icmpv4, icmpv6, ipv4, ipv6, ndp, tcp, udp};

/// The words for an answer to questions; `None` for what a host says by itself.
pub(crate) fn said(frame: &[u8], asked: &[Vec<u8>]) -> Option<String> {
    let view = Frame::parse(frame).unwrap();
    let to = view.destination();
    let words = match view.ethertype() {
        Some(EtherType::ARP) => said_by_arp(view.payload())?,
        Some(EtherType::IPV4) => said_by_ipv4(view.payload(), asked)?,
        _ => said_by_ipv6(view.payload(), asked)?,
    };
    Some(format!("{words} at {to}"))
}

fn said_by_arp(bytes: &[u8]) -> Option<String> {
    let message = arp::Message::parse(bytes).unwrap();
    let arp::Message { operation, sender_mac, sender_ip, target_mac, target_ip } = message;
    (operation == arp::Operation::Reply)
        .then(|| format!("ARP {sender_ip} {sender_mac} to {target_ip} {target_mac}"))
}

fn said_by_ipv4(bytes: &[u8], asked: &[Vec<u8>]) -> Option<String> {
    let packet = ipv4::Packet::parse(bytes).unwrap();
    assert!(packet.checksum_is_valid());
    let ends = format!("{} > {}", packet.source(), packet.destination());
    let pseudo = PseudoHeader::new(packet.source().into(), packet.destination().into()).unwrap();
    let words = match packet.protocol() {
        _ if packet.is_fragment() => format!("fragment at {}", packet.fragment_offset()),
        IpProtocol::ICMPV4 => {
            let icmp = icmpv4::Packet::parse(packet.payload()).unwrap();
            assert!(icmp.checksum_is_valid());
            let quote = quote(icmp.payload(), asked, icmp.message().is_error());
            format!("{:?} {quote}", icmp.message())
        }
        IpProtocol::IGMP => return None,
        other => transport(other, packet.payload(), &pseudo),
    };
    // A kernel gives its errors the precedence that routers' have (RFC 1812, section 4.3.2.5).
    let class = packet.traffic_class() & 0x3f;
    let options: Vec<_> = packet.options().collect();
    Some(format!("{ends} {words} class {class} options {options:?}"))
}

fn said_by_ipv6(bytes: &[u8], asked: &[Vec<u8>]) -> Option<String> {
    let packet = ipv6::Packet::parse(bytes).unwrap();
    let (source, destination) = (IpAddr::V6(packet.source()), IpAddr::V6(packet.destination()));
    let pseudo = PseudoHeader::new(source, destination).unwrap();
    let words = match packet.next_header() {
        IpProtocol::ICMPV6 => {
            let icmp = icmpv6::Packet::parse(packet.payload()).unwrap();
            assert!(icmp.checksum_is_valid(&pseudo));
            match ndp::Packet::parse(&icmp) {
                Ok(
                    told @ ndp::Packet {
                        message: ndp::Message::NeighborAdvertisement { .. }, ..
                    },
                ) => {
                    let options: Vec<_> = told.options().collect();
                    format!("{:?} {options:?} hops {}", told.message, packet.hop_limit())
                }
                Ok(_) => return None,
                Err(_) => {
                    let quote = quote(icmp.payload(), asked, icmp.message().is_error());
                    format!("{:?} {quote}", icmp.message())
                }
            }
        }
        IpProtocol::HOP_BY_HOP => return None,
        other => transport(other, packet.payload(), &pseudo),
    };
    Some(format!("{source} > {destination} {words} class {}", packet.traffic_class()))
}

fn transport(protocol: IpProtocol, bytes: &[u8], pseudo: &PseudoHeader) -> String {
    match protocol {
        IpProtocol::UDP => {
            let datagram = udp::Packet::parse(bytes).unwrap();
            assert!(datagram.checksum_is_valid(pseudo));
            format!("{:?} {:02x?}", datagram.header(), datagram.payload())
        }
        IpProtocol::TCP => {
            let segment = tcp::Packet::parse(bytes).unwrap();
            assert!(segment.checksum_is_valid(pseudo));
            let synchronizes = segment.flags() & tcp::SYN != 0;
            let seq = if synchronizes { 0 } else { segment.seq() };
            format!("segment flags {:02x} seq {seq} ack {}", segment.flags(), segment.ack())
        }
        other => format!("{other:?} {bytes:02x?}"),
    }
}

/// Which question a message quotes, and how much of it; what comes back of a ping.
fn quote(payload: &[u8], asked: &[Vec<u8>], is_error: bool) -> String {
    if !is_error {
        return format!("with {} bytes", payload.len());
    }
    let of = |frame: &Vec<u8>| frame.len() >= 14 && frame[14..].starts_with(payload);
    let which = asked.iter().position(of);
    format!("quotes {} bytes of {which:?}", payload.len())
}
