//! ICMP in: echo requests are answered, errors are led to whom they are about (RFC 792, RFC 4443).
//! What endpoints hear is in `reports`.
//!
//! Anybody can send an error, so it counts only when what it quotes is ours: for TCP a segment in
//! flight (RFC 5927), for UDP a datagram of a socket that talks to that peer.

use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;
use fyke_clock::Instant;

use super::Inbound;
use crate::interface::egress::Waiting;
use crate::interface::steer::Flow;
use crate::interface::tcp_table::Place;
use crate::interface::tuple::FourTuple;
use crate::stack::Stack;
use crate::stack::config::Personality;
use crate::stack::counters::DropReason;
use crate::stack::error::StackError;
use crate::stack::ids::UdpId;
use crate::tcp::{IcmpError, IcmpKind, SeqNum};
use crate::wire::{IpProtocol, PseudoHeader, Quoted, icmpv4, icmpv6, ipv4};

/// What an error says, without regard to the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// It may pass.
    Soft,
    /// Nobody listens there.
    Refused,
    /// Our own next hop does not answer. No packet says so: we have found out ourselves.
    Dead,
    /// A filter says no.
    Prohibited,
    /// The hop limit came to zero on the way.
    TooFar,
    /// Fragments were missing for too long.
    TooSlow,
    /// The path carries so much.
    TooBig(u16),
}

/// MTUs of links there are, for routers that do not tell theirs (RFC 1191, section 7).
const PLATEAUS: [u16; 10] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];

impl Stack {
    pub(super) fn icmpv4_input(&mut self, now: Instant, inbound: &Inbound) {
        let Ok(packet) = icmpv4::Packet::parse(inbound.payload()) else {
            return self.net.drop_in(now, DropReason::Malformed);
        };
        if !inbound.loopback && !packet.checksum_is_valid() {
            return self.net.drop_in(now, DropReason::TransportChecksum);
        }
        self.net.counters.icmp_in += 1;
        let report = match packet.message() {
            icmpv4::Message::EchoRequest { .. }
            | icmpv4::Message::Other { kind: icmpv4::ECHO_REQUEST, .. } => {
                let data = inbound.share(packet.payload());
                return self.echo(now, inbound, packet.code(), packet.rest(), &data);
            }
            icmpv4::Message::EchoReply { identifier, sequence } => {
                let data = inbound.share(packet.payload());
                return self.echo_reply(now, inbound, (identifier, sequence), data);
            }
            icmpv4::Message::Unreachable { code } => report_v4(code),
            icmpv4::Message::FragmentationNeeded { mtu } => {
                Report::TooBig(told_mtu(mtu, packet.payload()))
            }
            icmpv4::Message::TimeExceeded { code: icmpv4::time_exceeded::TRANSIT } => {
                Report::TooFar
            }
            icmpv4::Message::TimeExceeded { .. } => Report::TooSlow,
            _ => return self.net.drop_in(now, DropReason::IcmpIgnored),
        };
        let quoted = Quoted::parse_v4(packet.payload()).ok();
        self.error_input(now, inbound, quoted, report);
    }

    pub(super) fn icmpv6_input(&mut self, now: Instant, inbound: &Inbound) {
        let pseudo = PseudoHeader::new(inbound.source, inbound.destination);
        let (Ok(packet), Some(pseudo)) = (icmpv6::Packet::parse(inbound.payload()), pseudo) else {
            return self.net.drop_in(now, DropReason::Malformed);
        };
        if !inbound.loopback && !packet.checksum_is_valid(&pseudo) {
            return self.net.drop_in(now, DropReason::TransportChecksum);
        }
        self.net.counters.icmp_in += 1;
        let report = match packet.message() {
            icmpv6::Message::EchoRequest { .. }
            | icmpv6::Message::Other { kind: icmpv6::ECHO_REQUEST, .. } => {
                let data = inbound.share(packet.payload());
                return self.echo(now, inbound, packet.code(), packet.rest(), &data);
            }
            icmpv6::Message::EchoReply { identifier, sequence } => {
                let data = inbound.share(packet.payload());
                return self.echo_reply(now, inbound, (identifier, sequence), data);
            }
            icmpv6::Message::Unreachable { code } => report_v6(code),
            icmpv6::Message::PacketTooBig { mtu } => {
                Report::TooBig(u16::try_from(mtu).unwrap_or(u16::MAX))
            }
            icmpv6::Message::TimeExceeded { code: icmpv6::time_exceeded::TRANSIT } => {
                Report::TooFar
            }
            icmpv6::Message::TimeExceeded { .. } => Report::TooSlow,
            icmpv6::Message::ParameterProblem {
                code: icmpv6::parameter_problem::NEXT_HEADER,
                ..
            } => Report::Refused,
            icmpv6::Message::Other { kind: 133..=137, .. } => {
                return self.ndp_input(now, inbound, &packet);
            }
            icmpv6::Message::Other { kind: 130, .. } => {
                return self.mld_input(now, inbound, &packet);
            }
            _ => return self.net.drop_in(now, DropReason::IcmpIgnored),
        };
        let quoted = Quoted::parse_v6(packet.payload()).ok();
        self.error_input(now, inbound, quoted, report);
    }

    /// Answers a request with what it has behind the type. A request's code is zero (RFC 792), and
    /// what to do about another no RFC says; Linux sends it back.
    fn echo(&mut self, now: Instant, inbound: &Inbound, code: u8, rest: [u8; 4], data: &Bytes) {
        // What everybody is asked, everybody would answer (RFC 1122, section 3.2.2.6).
        let asked_all = inbound.to_group && inbound.source.is_ipv4();
        let nobody = inbound.source.is_unspecified();
        if !self.net.config.echo_reply || asked_all || nobody {
            return self.net.drop_in(now, DropReason::IcmpIgnored);
        }
        if !inbound.loopback && !self.net.owns(&Flow::echo(rest)) {
            return self.net.drop_in(now, DropReason::OtherShard);
        }
        self.net.send_echo_reply(now, inbound, code, rest, data);
    }

    fn error_input(
        &mut self,
        now: Instant,
        inbound: &Inbound,
        quoted: Option<Quoted<'_>>,
        report: Report,
    ) {
        let known = quoted.filter(|quoted| {
            self.net.accepts(quoted.source) && !inbound.to_group && !quoted.is_later_fragment
        });
        let found = known.is_some_and(|quoted| {
            let taken = self.transport_error(now, &quoted, report);
            self.report_error(now, inbound, &quoted, report) || taken
        });
        if !found {
            self.net.drop_in(now, DropReason::IcmpNoSocket);
        }
    }

    /// Tells whoever sent a packet what became of it; says whether there is somebody.
    pub(super) fn transport_error(
        &mut self,
        now: Instant,
        quoted: &Quoted<'_>,
        report: Report,
    ) -> bool {
        match (quoted.protocol, quoted.ports()) {
            (IpProtocol::TCP, Some(ports)) => self.tcp_error(now, quoted, ports, report),
            (IpProtocol::UDP, Some(ports)) => self.udp_error(quoted, ports, report),
            (IpProtocol::IPV6, _) => self.tunnel_error(now, quoted, report),
            _ => false,
        }
    }

    fn tcp_error(
        &mut self,
        now: Instant,
        quoted: &Quoted<'_>,
        (local, remote): (u16, u16),
        report: Report,
    ) -> bool {
        let Some(seq) = quoted.tcp_seq().map(SeqNum::new) else { return false };
        let tuple =
            FourTuple::new((quoted.source, local).into(), (quoted.destination, remote).into());
        let index = match self.tcp.lookup(&tuple) {
            Some(Place::Connection(index)) => index,
            Some(Place::Embryo(index)) => return self.embryo_error(index, seq, report),
            _ => return false,
        };
        let Some(socket) = self.tcp.sockets.at_mut(index) else { return false };
        let info = socket.connection.info();
        let flight = info.snd_nxt.saturating_distance_from(info.snd_una);
        if !seq.is_within(info.snd_una, flight) {
            return false;
        }
        let freebsd = self.net.config.personality == Personality::FreeBsd;
        let kind = match report {
            // What a kernel makes of errors while it opens: FreeBSD takes a filter's no for a
            // refusal, and a path that is too long for one that leads nowhere.
            Report::Prohibited if freebsd => IcmpKind::PortUnreachable,
            Report::TooFar if freebsd => IcmpKind::Prohibited,
            Report::Soft | Report::TooFar | Report::TooSlow => IcmpKind::Unreachable,
            Report::Refused => IcmpKind::PortUnreachable,
            // As kernels have it: an open that cannot reach the first hop ends.
            Report::Prohibited | Report::Dead => IcmpKind::Prohibited,
            Report::TooBig(mtu) => {
                let mtu = self.net.lower_path_mtu(quoted.destination, mtu);
                let headers = if quoted.destination.is_ipv4() { 40 } else { 60 };
                IcmpKind::PacketTooBig { mss: mtu.saturating_sub(headers) }
            }
        };
        let hard = matches!(kind, IcmpKind::PortUnreachable | IcmpKind::Prohibited);
        let forgeable = report != Report::Dead;
        let ignored = hard && forgeable && !self.net.config.icmp_ends_open;
        let kind = if ignored { IcmpKind::Unreachable } else { kind };
        socket.connection.on_icmp(now, IcmpError { kind, seq });
        self.mark_dirty(index);
        self.settle(now, index);
        true
    }

    /// A packet of ours whose next hop did not answer: its sender hears what a router would have
    /// said (RFC 1122, section 3.3.1.6; RFC 4861, section 7.2.2).
    pub(super) fn undeliverable(&mut self, now: Instant, packet: &Waiting) {
        self.net.drop_out(now, DropReason::NeighborUnreachable);
        let headers = packet.header.get(usize::from(packet.network_offset)..).unwrap_or_default();
        // The headers may end with the IP header: an echo's own is in front of the payload.
        let mut network = Vec::with_capacity(headers.len() + icmpv4::HEADER_LEN);
        network.extend_from_slice(headers);
        network.extend_from_slice(&packet.payload[..packet.payload.len().min(icmpv4::HEADER_LEN)]);
        let quoted = match network.first().map(|first| first >> 4) {
            Some(4) => Quoted::parse_v4(&network).ok(),
            _ => Quoted::parse_v6(&network).ok(),
        };
        let Some(quoted) = quoted.filter(|quoted| !quoted.is_later_fragment) else { return };
        self.transport_error(now, &quoted, Report::Dead);
        self.report_unreachable(now, &quoted);
    }

    /// An error about a SYN-ACK of the SYN cache. Who can quote its number has seen it: the slot is
    /// better used by somebody else (Linux does so; FreeBSD goes on trying).
    fn embryo_error(&mut self, index: u32, seq: SeqNum, report: Report) -> bool {
        let Some(embryo) = self.tcp.embryos.at(index) else { return false };
        if self.initial(&embryo.tuple, embryo.clock()).iss != seq {
            return false;
        }
        let patient = self.net.config.personality == Personality::FreeBsd;
        if !patient && !matches!(report, Report::TooBig(_)) {
            self.tcp.remove_embryo(index);
        }
        true
    }

    fn udp_error(
        &mut self,
        quoted: &Quoted<'_>,
        (local, remote): (u16, u16),
        report: Report,
    ) -> bool {
        let about = SocketAddr::new(quoted.destination, remote);
        let Some(index) = self.udp.lookup(SocketAddr::new(quoted.source, local), about) else {
            return false;
        };
        let generation = self.udp.sockets.generation(index);
        let Some(socket) = self.udp.sockets.at_mut(index) else { return false };
        let error = match report {
            Report::Refused => StackError::ConnectionRefused,
            Report::Soft | Report::TooFar | Report::TooSlow | Report::Dead | Report::Prohibited => {
                StackError::Unreachable
            }
            Report::TooBig(mtu) => {
                self.net.lower_path_mtu(quoted.destination, mtu);
                StackError::MessageTooLong
            }
        };
        socket.push_error(about, error);
        socket.readable = true;
        self.queue_udp(UdpId { index, generation });
        true
    }
}

fn report_v4(code: u8) -> Report {
    use icmpv4::unreachable as codes;
    match code {
        codes::PROTOCOL | codes::PORT => Report::Refused,
        codes::NET_PROHIBITED | codes::HOST_PROHIBITED | codes::ADMIN_PROHIBITED => {
            Report::Prohibited
        }
        _ => Report::Soft,
    }
}

fn report_v6(code: u8) -> Report {
    use icmpv6::unreachable as codes;
    match code {
        codes::PORT => Report::Refused,
        codes::ADMIN_PROHIBITED | codes::SOURCE_POLICY | codes::REJECT_ROUTE => Report::Prohibited,
        _ => Report::Soft,
    }
}

/// The MTU a router told; one older than RFC 1191 tells none, and the next plateau below the quoted
/// packet's length is tried.
fn told_mtu(mtu: u16, quoted: &[u8]) -> u16 {
    if mtu != 0 {
        return mtu;
    }
    let length = ipv4::Packet::parse_quoted(quoted).map_or(0, |packet| packet.total_len());
    PLATEAUS.into_iter().find(|plateau| *plateau < length).unwrap_or(68)
}
