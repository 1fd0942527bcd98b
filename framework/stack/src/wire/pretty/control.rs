//! ICMP of both kinds, neighbour discovery, group management.

use core::fmt::{self, Formatter};

use super::{Carried, DEPTH_MAX, broken, ip};
use crate::wire::{icmpv4, icmpv6, igmp, mld, ndp};

pub(super) fn icmpv4(f: &mut Formatter<'_>, carried: &Carried<'_>) -> fmt::Result {
    use icmpv4::Message;
    let bytes = carried.payload;
    let packet = match icmpv4::Packet::parse(bytes) {
        Ok(packet) => packet,
        Err(error) => return broken(f, "icmp", error, bytes.len()),
    };
    f.write_str("ICMP ")?;
    let message = packet.message();
    match message {
        Message::EchoRequest { identifier, sequence } => {
            write!(f, "echo request, id {identifier}, seq {sequence}")?;
        }
        Message::EchoReply { identifier, sequence } => {
            write!(f, "echo reply, id {identifier}, seq {sequence}")?;
        }
        Message::Unreachable { code } => match code {
            icmpv4::unreachable::NET => f.write_str("net unreachable")?,
            icmpv4::unreachable::HOST => f.write_str("host unreachable")?,
            icmpv4::unreachable::PROTOCOL => f.write_str("protocol unreachable")?,
            icmpv4::unreachable::PORT => f.write_str("port unreachable")?,
            other => write!(f, "unreachable, code {other}")?,
        },
        Message::FragmentationNeeded { mtu } => write!(f, "need to frag (mtu {mtu})")?,
        Message::Redirect { gateway, .. } => write!(f, "redirect to {gateway}")?,
        Message::TimeExceeded { code: icmpv4::time_exceeded::TRANSIT } => {
            f.write_str("time exceeded in-transit")?;
        }
        Message::TimeExceeded { .. } => f.write_str("ip reassembly time exceeded")?,
        Message::ParameterProblem { code, pointer } => {
            write!(f, "parameter problem, code {code}, octet {pointer}")?;
        }
        Message::Other { kind, code, .. } => write!(f, "type {kind}, code {code}")?,
    }
    quoted(f, message.is_error(), packet.payload(), carried)?;
    write!(f, ", length {}", bytes.len())
}

pub(super) fn icmpv6(f: &mut Formatter<'_>, carried: &Carried<'_>) -> fmt::Result {
    use icmpv6::Message;
    let bytes = carried.payload;
    let packet = match icmpv6::Packet::parse(bytes) {
        Ok(packet) => packet,
        Err(error) => return broken(f, "icmp6", error, bytes.len()),
    };
    f.write_str("ICMP6, ")?;
    let message = packet.message();
    match message {
        Message::EchoRequest { identifier, sequence } => {
            write!(f, "echo request, id {identifier}, seq {sequence}")?;
        }
        Message::EchoReply { identifier, sequence } => {
            write!(f, "echo reply, id {identifier}, seq {sequence}")?;
        }
        Message::Unreachable { code } => match code {
            icmpv6::unreachable::NO_ROUTE => f.write_str("no route")?,
            icmpv6::unreachable::ADDRESS => f.write_str("address unreachable")?,
            icmpv6::unreachable::PORT => f.write_str("port unreachable")?,
            other => write!(f, "unreachable, code {other}")?,
        },
        Message::PacketTooBig { mtu } => write!(f, "packet too big, mtu {mtu}")?,
        Message::TimeExceeded { code: icmpv6::time_exceeded::TRANSIT } => {
            f.write_str("time exceeded in-transit")?;
        }
        Message::TimeExceeded { .. } => f.write_str("reassembly time exceeded")?,
        Message::ParameterProblem { code, pointer } => {
            write!(f, "parameter problem, code {code}, octet {pointer}")?;
        }
        Message::Other { kind, code, .. } => {
            if let Ok(packet) = ndp::Packet::parse(&packet) {
                discovery(f, &packet)?;
            } else if let Ok(packet) = mld::Packet::parse(&packet) {
                listener(f, &packet)?;
            } else {
                write!(f, "type {kind}, code {code}")?;
            }
        }
    }
    quoted(f, message.is_error(), packet.payload(), carried)?;
    write!(f, ", length {}", bytes.len())
}

/// The packet that an error is about, in parentheses.
fn quoted(
    f: &mut Formatter<'_>,
    is_error: bool,
    payload: &[u8],
    carried: &Carried<'_>,
) -> fmt::Result {
    if !is_error || payload.is_empty() || carried.depth == DEPTH_MAX {
        return Ok(());
    }
    f.write_str(" (")?;
    ip(f, payload, carried.depth + 1)?;
    f.write_str(")")
}

fn discovery(f: &mut Formatter<'_>, packet: &ndp::Packet<'_>) -> fmt::Result {
    use ndp::Message;
    match packet.message {
        Message::RouterSolicitation => f.write_str("router solicitation")?,
        Message::RouterAdvertisement(this) => {
            write!(f, "router advertisement, lifetime {}s", this.lifetime_s)?;
        }
        Message::NeighborSolicitation { target } => {
            write!(f, "neighbor solicitation, who has {target}")?;
        }
        Message::NeighborAdvertisement { target, router, solicited, override_known } => {
            write!(f, "neighbor advertisement, tgt is {target}")?;
            let flags =
                [(router, "router"), (solicited, "solicited"), (override_known, "override")];
            for (_, name) in flags.iter().filter(|(set, _)| *set) {
                write!(f, ", {name}")?;
            }
        }
        Message::Redirect { target, destination } => {
            write!(f, "redirect, {destination} to {target}")?;
        }
    }
    for option in packet.options() {
        match option {
            ndp::NdpOption::SourceLinkLayer(mac) => write!(f, ", source {mac}")?,
            ndp::NdpOption::TargetLinkLayer(mac) => write!(f, ", target {mac}")?,
            ndp::NdpOption::Prefix(this) => {
                write!(f, ", prefix {}/{}", this.prefix, this.prefix_len)?;
            }
            ndp::NdpOption::Mtu(mtu) => write!(f, ", mtu {mtu}")?,
            ndp::NdpOption::RecursiveDns(dns) => {
                dns.addresses().try_for_each(|address| write!(f, ", rdnss {address}"))?;
            }
            ndp::NdpOption::RedirectedHeader(_) | ndp::NdpOption::Unknown { .. } => {}
        }
    }
    Ok(())
}

fn listener(f: &mut Formatter<'_>, packet: &mld::Packet<'_>) -> fmt::Result {
    match packet {
        mld::Packet::Query(query, sources) => {
            let version = if query.v2.is_some() { "v2 " } else { "" };
            write!(f, "multicast listener query {version}for {}", query.group)?;
            sources.iter().try_for_each(|source| write!(f, ", source {source}"))
        }
        mld::Packet::ReportV1(group) => write!(f, "multicast listener report {group}"),
        mld::Packet::Done(group) => write!(f, "multicast listener done {group}"),
        mld::Packet::ReportV2(records) => {
            f.write_str("multicast listener report v2")?;
            records.iter().try_for_each(|record| {
                write!(f, ", {:?} {} {:?}", record.kind, record.group, record.sources)
            })
        }
    }
}

pub(super) fn igmp(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let packet = match igmp::Packet::parse(bytes) {
        Ok(packet) => packet,
        Err(error) => return broken(f, "igmp", error, bytes.len()),
    };
    f.write_str("igmp ")?;
    match packet {
        igmp::Packet::Query(igmp::Query::V1, _) => f.write_str("query v1"),
        igmp::Packet::Query(igmp::Query::V2 { group, .. }, _) => write!(f, "query v2 for {group}"),
        igmp::Packet::Query(igmp::Query::V3 { group, .. }, sources) => {
            write!(f, "query v3 for {group}")?;
            sources.iter().try_for_each(|source| write!(f, ", source {source}"))
        }
        igmp::Packet::ReportV1(group) => write!(f, "v1 report {group}"),
        igmp::Packet::ReportV2(group) => write!(f, "v2 report {group}"),
        igmp::Packet::Leave(group) => write!(f, "leave {group}"),
        igmp::Packet::ReportV3(records) => {
            f.write_str("v3 report")?;
            records.iter().try_for_each(|record| {
                write!(f, ", {:?} {} {:?}", record.kind, record.group, record.sources)
            })
        }
    }
}
