//! IPv6 in (RFC 8200): the fixed header and what may stand behind it.

use alloc::vec::Vec;
use core::net::IpAddr;

use bytes::Bytes;
use fyke_clock::Instant;

use super::martian::{is_martian_v6, is_source_of_ours};
use super::{Body, Inbound, Link, without_padding};
use crate::interface::egress::ErrorKind;
use crate::interface::reassembly::{Key, Piece, Whole};
use crate::interface::tunnels::ecn_behind;
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::stack::frame::RxMeta;
use crate::wire::icmpv6::parameter_problem;
use crate::wire::ipv6::{Action, Extension, Extensions, FragmentHeader, HEADER_LEN, Packet};
use crate::wire::ndp::NEIGHBOR_ADVERTISEMENT;
use crate::wire::{Error, IpProtocol, icmpv6, tcp, udp};

/// Why a packet goes no further, and what is told about it.
struct Refusal {
    reason: DropReason,
    error: Option<ErrorKind>,
    /// An option asked to be reported even for groups.
    even_to_groups: bool,
}

impl From<DropReason> for Refusal {
    fn from(reason: DropReason) -> Self {
        Self { reason, error: None, even_to_groups: false }
    }
}

impl Stack {
    pub(super) fn ipv6_input(&mut self, now: Instant, packet: Bytes, link: Link) {
        let mut inbound = match self.ipv6_checked(packet, link) {
            Ok(inbound) => inbound,
            Err(reason) => return self.net.drop_in(now, reason),
        };
        match self.walk_extensions(&mut inbound) {
            Ok(None) => self.deliver(now, inbound),
            Ok(Some(_)) if link.reassembled => self.net.drop_in(now, DropReason::ExtensionHeaders),
            Ok(Some(fragment)) => self.ipv6_fragment(now, inbound, fragment, link),
            Err(refusal) => {
                self.net.drop_in(now, refusal.reason);
                if let Some(error) = refusal.error
                    && (!inbound.to_group || refusal.even_to_groups)
                {
                    self.net.send_error(now, &inbound, error);
                }
            }
        }
    }

    /// The packet when its addresses are in order and it is for us.
    fn ipv6_checked(&self, mut bytes: Bytes, link: Link) -> Result<Inbound, DropReason> {
        let packet = Packet::parse(&bytes).map_err(|_| DropReason::Malformed)?;
        let (source, destination) = (packet.source(), packet.destination());
        let addresses = &self.net.addresses;
        if !link.loopback
            && (is_martian_v6(source, destination)
                || (is_source_of_ours(source.into(), addresses) && !is_advertisement(&packet)))
        {
            return Err(DropReason::Martian);
        }
        let to_group = destination.is_multicast();
        let ours = if to_group {
            self.net.hears(destination.into())
        } else {
            self.net.accepts(destination.into())
        };
        let local = destination.is_unicast_link_local() && !link.loopback;
        if !ours || (local && !self.is_of_this_link(destination, link.through)) {
            return Err(DropReason::NotOurs);
        }
        let (protocol, hop_limit) = (packet.next_header(), packet.hop_limit());
        let (mut traffic_class, total_len) = (packet.traffic_class(), packet.as_bytes().len());
        if let Some(through) = link.through {
            let ecn = ecn_behind(through.ecn, traffic_class);
            traffic_class = traffic_class & !3 | ecn.ok_or(DropReason::TunnelCongestion)?;
        }
        // What is behind is the link's padding. Not every kind of `Bytes` is cut for nothing.
        if bytes.len() > total_len {
            bytes = without_padding(bytes, total_len);
        }
        Ok(Inbound {
            source: IpAddr::V6(source),
            destination: IpAddr::V6(destination),
            protocol,
            protocol_at: 6,
            hop_limit,
            traffic_class,
            packet: bytes,
            body: Body::Behind(HEADER_LEN),
            to_group: to_group || link.to_group,
            loopback: link.loopback,
            tunneled: link.through.is_some(),
            fragmented: link.reassembled,
            meta: link.meta,
        })
    }

    /// Goes behind the extension headers; a fragment header ends the walk.
    fn walk_extensions(&self, inbound: &mut Inbound) -> Result<Option<FragmentHeader>, Refusal> {
        if !has_extensions(inbound.protocol) {
            return Ok(None);
        }
        let bytes = inbound.packet.clone();
        let packet = Packet::parse(&bytes).map_err(|_| DropReason::Malformed)?;
        let mut extensions = packet.extensions();
        let mut count = 0;
        let mut fragment = None;
        while let Some(extension) = extensions.next() {
            count += 1;
            if count > self.net.config.limits.extension_headers_max {
                return Err(DropReason::ExtensionHeaders.into());
            }
            let extension = extension.map_err(|error| impossible(error, &extensions))?;
            match extension {
                Extension::HopByHop(options) | Extension::Destination(options) => {
                    options.check().map_err(|refused| Refusal {
                        reason: DropReason::ExtensionHeaders,
                        error: (refused.action != Action::Discard).then_some(
                            ErrorKind::ParameterProblem {
                                code: parameter_problem::OPTION,
                                at: refused.at as u32,
                            },
                        ),
                        even_to_groups: refused.action == Action::Report,
                    })?;
                }
                Extension::Routing(routing) if routing.segments_left > 0 => {
                    // Nothing that is routed by a list is for a host, and type 0 is for nobody
                    // (RFC 5095).
                    let at = extensions.protocol_at() as u32 + 2;
                    let error =
                        ErrorKind::ParameterProblem { code: parameter_problem::HEADER_FIELD, at };
                    let reason = DropReason::RoutingHeader;
                    return Err(Refusal { reason, error: Some(error), even_to_groups: false });
                }
                Extension::Routing(_) => {}
                Extension::Fragment(found) if found.header.is_atomic() => {
                    inbound.fragmented = true;
                }
                Extension::Fragment(found) => {
                    fragment = Some(found.header);
                    break;
                }
            }
        }
        inbound.protocol = extensions.protocol();
        inbound.protocol_at = extensions.protocol_at() as u32;
        inbound.body = Body::Behind(extensions.payload_at());
        match fragment.and_then(|fragment| refusal_of(&fragment, inbound)) {
            Some(refusal) => Err(refusal),
            None => Ok(fragment),
        }
    }

    fn ipv6_fragment(
        &mut self,
        now: Instant,
        inbound: Inbound,
        fragment: FragmentHeader,
        link: Link,
    ) {
        let key = Key {
            source: inbound.source,
            destination: inbound.destination,
            identification: fragment.identification,
            protocol: 0,
        };
        let piece = Piece {
            offset: usize::from(fragment.offset),
            more: fragment.more,
            payload: inbound.share(inbound.payload()),
            protocol: fragment.next_header,
            packet: inbound.packet.clone(),
            traffic_class: inbound.traffic_class,
        };
        let Some(whole) = self.fragment_input(now, key, piece) else { return };
        let Some(packet) = rebuilt(&whole) else {
            return self.net.drop_in(now, DropReason::FragmentBounds);
        };
        // What the device says of the last fragment says nothing of the others.
        let meta = RxMeta::default();
        self.ipv6_input(now, packet, Link { reassembled: true, meta, ..link });
    }
}

/// Whether it may be another host's advertisement of an address that we have, too, which comes from
/// that address (RFC 4862, section 5.4.4).
fn is_advertisement(packet: &Packet<'_>) -> bool {
    packet.next_header() == IpProtocol::ICMPV6
        && packet.payload().first() == Some(&NEIGHBOR_ADVERTISEMENT)
}

/// Whether something may stand between the header and the payload; in most packets nothing does.
fn has_extensions(next: IpProtocol) -> bool {
    !matches!(next, IpProtocol::TCP | IpProtocol::UDP | IpProtocol::ICMPV6)
}

/// A header that is too short, one too many, or where it must not be; that is as if nobody knew it (RFC
/// 8200, section 4).
fn impossible(error: Error, extensions: &Extensions<'_>) -> Refusal {
    let code = match error {
        Error::Unsupported => parameter_problem::NEXT_HEADER,
        _ => parameter_problem::HEADER_FIELD,
    };
    let error = ErrorKind::ParameterProblem { code, at: extensions.protocol_at() as u32 };
    Refusal { reason: DropReason::ExtensionHeaders, error: Some(error), even_to_groups: false }
}

/// What a fragment is refused for before it is kept, and what its sender is told (RFC 8200, section
/// 4.5; RFC 7112, section 5). Behind the walk the packet's protocol stands where its fragment header
/// begins.
fn refusal_of(fragment: &FragmentHeader, inbound: &Inbound) -> Option<Refusal> {
    /// Where the fixed header has the length, and the fragment header the offset.
    const LENGTH_AT: u32 = 4;
    const OFFSET_AT: u32 = 2;
    let payload = inbound.payload();
    let refuse = |reason, code, at| {
        let error = Some(ErrorKind::ParameterProblem { code, at });
        Some(Refusal { reason, error, even_to_groups: false })
    };
    if fragment.more && !payload.len().is_multiple_of(8) {
        return refuse(DropReason::FragmentBounds, parameter_problem::HEADER_FIELD, LENGTH_AT);
    }
    if usize::from(fragment.offset) + payload.len() > usize::from(u16::MAX) {
        let at = inbound.protocol_at + OFFSET_AT;
        return refuse(DropReason::FragmentBounds, parameter_problem::HEADER_FIELD, at);
    }
    if fragment.offset == 0 && !has_whole_chain(fragment.next_header, payload) {
        return refuse(DropReason::ExtensionHeaders, parameter_problem::INCOMPLETE_CHAIN, 0);
    }
    None
}

/// Whether a first fragment has all headers, that of the transport included.
fn has_whole_chain(next: IpProtocol, payload: &[u8]) -> bool {
    let mut chain = Extensions::in_fragment(next, payload);
    // What else may be wrong with them is seen when the datagram is whole.
    if chain.by_ref().any(|header| header.is_err_and(|error| error == Error::Truncated)) {
        return false;
    }
    let least = match chain.protocol() {
        IpProtocol::TCP => tcp::HEADER_LEN,
        IpProtocol::UDP => udp::HEADER_LEN,
        IpProtocol::ICMPV6 => icmpv6::HEADER_LEN,
        _ => 0,
    };
    chain.payload().len() >= least
}

/// The packet that was cut: the first fragment's fixed header before what was joined. What stood
/// between the two was looked at with each fragment.
fn rebuilt(whole: &Whole) -> Option<Bytes> {
    let length = u16::try_from(whole.payload.len()).ok()?;
    let mut packet = Vec::with_capacity(HEADER_LEN + whole.payload.len());
    packet.extend_from_slice(whole.packet.get(..HEADER_LEN)?);
    packet[1] = packet[1] & 0x0f | whole.traffic_class << 4;
    packet[4..6].copy_from_slice(&length.to_be_bytes());
    packet[6] = whole.protocol.0;
    packet.extend_from_slice(&whole.payload);
    Some(packet.into())
}
