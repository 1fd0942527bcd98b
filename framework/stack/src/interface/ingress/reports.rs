//! What ICMP endpoints hear: answers to their echoes, and errors.

use fyke_clock::Instant;

use super::icmp::Report;
use super::{Body, Inbound};
use crate::interface::icmp_table::{Delivered, IcmpContent, IcmpFailure, IcmpReport, QuotedFlow};
use crate::interface::steer::Flow;
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::stack::event::Source;
use crate::wire::{IpProtocol, Quoted, icmpv4, icmpv6};

impl Stack {
    /// The answer to an echo request.
    pub(super) fn echo_reply(
        &mut self,
        now: Instant,
        inbound: &Inbound,
        (identifier, sequence): (u16, u16),
        payload: bytes::Bytes,
    ) {
        let Some(index) = self.icmp.lookup(identifier).filter(|_| !inbound.to_group) else {
            if !inbound.loopback && !self.net.owns(&Flow::Echo(identifier)) {
                return self.net.drop_in(now, DropReason::OtherShard);
            }
            return self.net.drop_in(now, DropReason::IcmpIgnored);
        };
        let content = IcmpContent::EchoReply { identifier, sequence, payload };
        if self.report(now, index, report(inbound, content)) {
            self.net.counters.echo_replies_in += 1;
        }
    }

    /// Tells the endpoints of an error about something of ours; says whether somebody wanted it.
    /// The kind and the code are those of the message.
    pub(super) fn report_error(
        &mut self,
        now: Instant,
        inbound: &Inbound,
        quoted: &Quoted<'_>,
        report_is: Report,
    ) -> bool {
        let echo = quoted.echo();
        let own = echo.and_then(|(identifier, _)| self.icmp.lookup(identifier));
        if own.is_none() && self.icmp.listeners() == 0 {
            return false;
        }
        let (kind, code) = match inbound.payload().first_chunk() {
            Some(&[kind, code]) => (kind, code),
            None => (0, 0),
        };
        let failure = failure(inbound.source.is_ipv4(), code, report_is);
        let about = QuotedFlow {
            source: quoted.source,
            destination: quoted.destination,
            protocol: quoted.protocol,
            ports: quoted.ports(),
            echo,
        };
        if let (Some(_), Report::TooBig(mtu)) = (own, report_is) {
            self.net.lower_path_mtu(quoted.destination, mtu);
        }
        let content = IcmpContent::Error { failure, kind, code, about };
        let heard = report(inbound, content);
        for n in 0..self.icmp.listeners() {
            if let Some(index) = self.icmp.listener(n).filter(|index| Some(*index) != own) {
                self.report(now, index, heard.clone());
            }
        }
        if let Some(index) = own {
            self.report(now, index, heard);
        }
        true
    }

    /// Gives an endpoint a report, unless it has too many.
    fn report(&mut self, now: Instant, index: u32, report: IcmpReport) -> bool {
        match self.icmp.deliver(index, report) {
            Delivered::To(id, first) => {
                if first {
                    self.events.push(Source::Icmp(id));
                }
                return true;
            }
            Delivered::Full => self.net.drop_in(now, DropReason::IcmpQueueFull),
            Delivered::Nobody => self.net.drop_in(now, DropReason::IcmpIgnored),
        }
        false
    }

    /// An echo request of ours whose next hop does not answer: what the last router would have said
    /// is said by ourselves.
    pub(super) fn report_unreachable(&mut self, now: Instant, quoted: &Quoted<'_>) -> bool {
        let (protocol, message) = match quoted.source.is_ipv4() {
            true => (IpProtocol::ICMPV4, [UNREACHABLE_V4, icmpv4::unreachable::HOST]),
            false => (IpProtocol::ICMPV6, [UNREACHABLE_V6, icmpv6::unreachable::ADDRESS]),
        };
        let from_ourselves = Inbound {
            protocol,
            hop_limit: self.net.hop_limit(quoted.source),
            body: Body::Apart(bytes::Bytes::copy_from_slice(&message)),
            ..Inbound::quoted(quoted.source, quoted.source, &bytes::Bytes::new())
        };
        self.report_error(now, &from_ourselves, quoted, Report::Dead)
    }
}

/// Types of "destination unreachable".
const UNREACHABLE_V4: u8 = 3;
const UNREACHABLE_V6: u8 = 1;

fn report(inbound: &Inbound, content: IcmpContent) -> IcmpReport {
    IcmpReport {
        from: inbound.source,
        to: inbound.destination,
        hop_limit: inbound.hop_limit,
        content,
    }
}

/// The same words for both families.
fn failure(ipv4: bool, code: u8, report: Report) -> IcmpFailure {
    use icmpv4::unreachable as v4;
    use icmpv6::unreachable as v6;
    match (report, ipv4, code) {
        (Report::TooBig(mtu), ..) => IcmpFailure::TooBig { mtu },
        (Report::TooFar, ..) => IcmpFailure::HopLimitExceeded,
        (Report::TooSlow, ..) => IcmpFailure::ReassemblyTimeout,
        (Report::Dead, ..) => IcmpFailure::HostUnreachable,
        (Report::Prohibited, ..) => IcmpFailure::Prohibited,
        (Report::Refused, true, v4::PROTOCOL) => IcmpFailure::ProtocolUnreachable,
        (Report::Refused, true, _) | (Report::Refused, false, v6::PORT) => {
            IcmpFailure::PortUnreachable
        }
        // A parameter problem whose code says that the next header is not known.
        (Report::Refused, false, _) => IcmpFailure::ProtocolUnreachable,
        (Report::Soft, true, v4::NET | v4::NET_UNKNOWN) | (Report::Soft, false, v6::NO_ROUTE) => {
            IcmpFailure::NetworkUnreachable
        }
        (Report::Soft, true, v4::HOST | v4::HOST_UNKNOWN) | (Report::Soft, false, v6::ADDRESS) => {
            IcmpFailure::HostUnreachable
        }
        (Report::Soft, ..) => IcmpFailure::Other,
    }
}
