//! Datagrams to bytes.

use core::net::IpAddr;

use fyke_clock::Instant;

use super::ip::{Outgoing, Transport};
use crate::interface::net::Net;
use crate::interface::udp_table::{UdpOptions, UdpOut};
use crate::stack::frame::TxSink;
use crate::wire::udp::{CHECKSUM_OFFSET, HEADER_LEN, Header};
use crate::wire::{ChecksumIntent, Emit, IpProtocol, PseudoHeader, ipv6};

impl Net {
    pub(super) fn send_datagram(
        &mut self,
        now: Instant,
        source_port: u16,
        datagram: &UdpOut,
        options: &UdpOptions,
        out: &mut dyn TxSink,
    ) {
        let (source, destination) = (datagram.source, datagram.destination.ip());
        let Ok(payload_len) = u16::try_from(datagram.payload.len()) else { return };
        let header =
            Header { source_port, destination_port: datagram.destination.port(), payload_len };
        let mut bytes = [0; HEADER_LEN];
        header.emit(&mut bytes);
        let group = destination.is_multicast();
        let broadcast = matches!(destination, IpAddr::V4(v4) if self.addresses.is_broadcast(v4));
        let comes_back = broadcast || (group && options.multicast_loop && self.hears(destination));
        let longest = usize::from(self.path_mtu(destination));
        let fits = ipv6::HEADER_LEN + HEADER_LEN + datagram.payload.len() <= longest;
        let mut intent = self.checksum_intent(destination);
        // What is cut into fragments, or also goes to ourselves, needs its sum now.
        if intent == ChecksumIntent::Partial && (!fits || comes_back) {
            intent = ChecksumIntent::Full;
        }
        if let Some(pseudo) = PseudoHeader::new(source, destination) {
            Header::fill_checksum(&mut bytes, &pseudo, &[&datagram.payload], intent);
        }
        let hop_limit = match datagram.hop_limit.or(options.hop_limit) {
            _ if group && datagram.hop_limit.is_none() => options.multicast_hop_limit,
            Some(limit) => limit,
            None => self.hop_limit(destination),
        };
        let packet = Outgoing {
            traffic_class: options.traffic_class,
            dont_fragment: datagram.whole,
            comes_back,
            ..Outgoing::new(source, destination, IpProtocol::UDP, hop_limit)
        };
        let partial = intent == ChecksumIntent::Partial;
        let payload: [&[u8]; 1] = [&datagram.payload];
        let transport = Transport {
            header: &bytes,
            payload: &payload,
            partial_checksum: partial.then_some(CHECKSUM_OFFSET as u16),
            gso: None,
        };
        self.counters.datagrams_out += 1;
        self.send(now, &packet, &transport, out);
    }
}
