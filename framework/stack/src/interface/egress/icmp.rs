//! ICMP errors and echo replies of ours.
//!
//! No error is ever sent about an error, about what came to a group, about a later fragment, or to
//! an address that is not one host's (RFC 1122, section 3.2.2; RFC 4443, section 2.4).

use alloc::vec::Vec;
use core::net::IpAddr;

use bytes::Bytes;
use fyke_clock::Instant;

use super::ip::Outgoing;
use super::queue::{Datagram, Queued};
use crate::interface::ingress::Inbound;
use crate::interface::net::Net;
use crate::interface::steer::{Flow, flow_of_packet};
use crate::stack::counters::DropReason;
use crate::wire::{ChecksumIntent, Emit, IpProtocol, PseudoHeader, icmpv4, icmpv6, ipv4, ipv6};

/// Bytes of an ICMPv4 error, its IP header included (RFC 1812, section 4.3.2.3).
const ERROR_BYTES_MAX_V4: usize = 576;

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// Nobody is bound to the UDP port.
    PortUnreachable,
    /// Nobody here speaks the protocol; where in an IPv6 packet its number stands.
    ProtocolUnreachable { at: u32 },
    /// Something in a packet's headers cannot be processed.
    ParameterProblem { code: u8, at: u32 },
    /// Fragments were missing for too long.
    ReassemblyTimeout,
}

/// Whether a packet is an ICMP error, or might be one.
fn is_icmp_error(inbound: &Inbound) -> bool {
    if inbound.source.is_ipv6() {
        // What is wrong may stand in a header before the one that tells what it is.
        return ipv6::Packet::parse(&inbound.packet).is_ok_and(|packet| packet.may_be_icmp_error());
    }
    inbound.protocol == IpProtocol::ICMPV4
        && icmpv4::Packet::parse(inbound.payload())
            .map_or(true, |packet| packet.message().is_error())
}

impl Net {
    /// Answers a packet with an error, unless one of the many reasons not to applies.
    pub(crate) fn send_error(&mut self, now: Instant, inbound: &Inbound, kind: ErrorKind) {
        let source = inbound.source;
        let nobody = source.is_unspecified() || source.is_multicast();
        // Exceptions of RFC 4443, section 2.4 (e.3), are for routers' errors and for an option that
        // asks for it.
        let asked = matches!(kind, ErrorKind::ParameterProblem { code, .. }
            if code == icmpv6::parameter_problem::OPTION);
        if nobody || (inbound.to_group && !asked) || is_icmp_error(inbound) {
            return;
        }
        // Of the stacks that are one host one answers: whom a packet belongs to, or the first. Who
        // got as far as to find a port empty has been asked already.
        let whose = match kind {
            ErrorKind::PortUnreachable => None,
            ErrorKind::ParameterProblem { .. } => Some(flow_of_packet(&inbound.packet)),
            ErrorKind::ProtocolUnreachable { .. } | ErrorKind::ReassemblyTimeout => {
                Some(Flow::Nobody)
            }
        };
        if whose.is_some_and(|flow| !self.owns(&flow)) {
            return;
        }
        let Some(from) = self.answers_from(inbound) else { return };
        if !self.icmp_limit.allows(now, source) {
            return self.drop_out(now, DropReason::IcmpRateLimited);
        }
        let Some(body) = error_body(from, inbound, kind) else { return };
        self.send_icmp(now, (from, source), 0, body);
    }

    /// The address an answer comes from: the one that was asked, when it is one host's. ICMPv6
    /// answers with a name of the host's own, too, when several hosts have the address (RFC 4443,
    /// section 2.2).
    fn answers_from(&self, inbound: &Inbound) -> Option<IpAddr> {
        let asked = inbound.destination;
        let anycast = asked.is_ipv6() && self.addresses.is_anycast(asked);
        if asked.is_multicast() || anycast {
            return self.source_for(inbound.source);
        }
        Some(asked)
    }

    /// Queues a complete ICMP message.
    fn send_icmp(
        &mut self,
        now: Instant,
        (from, to): (IpAddr, IpAddr),
        traffic_class: u8,
        body: Vec<u8>,
    ) {
        let protocol = if to.is_ipv4() { IpProtocol::ICMPV4 } else { IpProtocol::ICMPV6 };
        let packet = Outgoing::new(from, to, protocol, self.hop_limit(to));
        let packet = Outgoing { traffic_class, ..packet };
        self.counters.icmp_out += 1;
        self.enqueue(now, Queued::Datagram(Datagram { packet, body: body.into() }));
    }

    /// Answers an echo request with its own data.
    pub(crate) fn send_echo_reply(
        &mut self,
        now: Instant,
        inbound: &Inbound,
        code: u8,
        rest: [u8; 4],
        data: &Bytes,
    ) {
        let Some(from) = self.answers_from(inbound) else { return };
        let body = match PseudoHeader::new(from, inbound.source) {
            Some(PseudoHeader::V4 { .. }) => {
                let kind = icmpv4::ECHO_REPLY;
                let message = icmpv4::Message::Other { kind, code, rest };
                let mut body = message.to_vec();
                icmpv4::Message::fill_checksum(&mut body, &[data]);
                body
            }
            Some(pseudo) => {
                let kind = icmpv6::ECHO_REPLY;
                let message = icmpv6::Message::Other { kind, code, rest };
                let mut body = message.to_vec();
                icmpv6::fill_checksum(&mut body, &pseudo, &[data], ChecksumIntent::Full);
                body
            }
            None => return,
        };
        let mut body = body;
        body.extend_from_slice(data);
        // With the type of service of the question (RFC 1349, section 5.1); the marks of routers were for
        // that one alone.
        self.send_icmp(now, (from, inbound.source), inbound.traffic_class & !3, body);
    }
}

/// The message, quoting as much of the packet as fits.
fn error_body(from: IpAddr, inbound: &Inbound, kind: ErrorKind) -> Option<Vec<u8>> {
    let pseudo = PseudoHeader::new(from, inbound.source)?;
    let longest = match pseudo {
        PseudoHeader::V4 { .. } => ERROR_BYTES_MAX_V4 - ipv4::HEADER_LEN,
        PseudoHeader::V6 { .. } => ipv6::MTU_MIN - ipv6::HEADER_LEN,
    };
    let quoted = &inbound.packet[..inbound.packet.len().min(longest - icmpv4::HEADER_LEN)];
    let mut body = match pseudo {
        PseudoHeader::V4 { .. } => {
            let message = match kind {
                ErrorKind::PortUnreachable => {
                    icmpv4::Message::Unreachable { code: icmpv4::unreachable::PORT }
                }
                ErrorKind::ProtocolUnreachable { .. } => {
                    icmpv4::Message::Unreachable { code: icmpv4::unreachable::PROTOCOL }
                }
                ErrorKind::ReassemblyTimeout => {
                    icmpv4::Message::TimeExceeded { code: icmpv4::time_exceeded::REASSEMBLY }
                }
                ErrorKind::ParameterProblem { code, at } => {
                    let pointer = u8::try_from(at).ok()?;
                    icmpv4::Message::ParameterProblem { code, pointer }
                }
            };
            let mut body = message.to_vec();
            icmpv4::Message::fill_checksum(&mut body, &[quoted]);
            body
        }
        PseudoHeader::V6 { .. } => {
            let message = match kind {
                ErrorKind::PortUnreachable => {
                    icmpv6::Message::Unreachable { code: icmpv6::unreachable::PORT }
                }
                ErrorKind::ProtocolUnreachable { at } => icmpv6::Message::ParameterProblem {
                    code: icmpv6::parameter_problem::NEXT_HEADER,
                    pointer: at,
                },
                ErrorKind::ParameterProblem { code, at } => {
                    icmpv6::Message::ParameterProblem { code, pointer: at }
                }
                ErrorKind::ReassemblyTimeout => {
                    icmpv6::Message::TimeExceeded { code: icmpv6::time_exceeded::REASSEMBLY }
                }
            };
            let mut body = message.to_vec();
            icmpv6::fill_checksum(&mut body, &pseudo, &[quoted], ChecksumIntent::Full);
            body
        }
    };
    body.extend_from_slice(quoted);
    Some(body)
}
