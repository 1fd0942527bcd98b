//! UDP in (RFC 768, RFC 1122 section 4.1).

use core::net::SocketAddr;

use bytes::Bytes;
use fyke_clock::Instant;

use super::Inbound;
use crate::interface::egress::ErrorKind;
use crate::interface::steer::Flow;
use crate::interface::udp_table::UdpDatagram;
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::stack::ids::UdpId;
use crate::wire::PseudoHeader;
use crate::wire::udp::Packet;

impl Stack {
    pub(super) fn udp_input(&mut self, now: Instant, inbound: &Inbound) {
        let pseudo = PseudoHeader::new(inbound.source, inbound.destination);
        let (Ok(packet), Some(pseudo)) = (Packet::parse(inbound.payload()), pseudo) else {
            return self.net.drop_in(now, DropReason::Malformed);
        };
        if inbound.checksum_is_open() && !packet.checksum_is_valid(&pseudo) {
            return self.net.drop_in(now, DropReason::TransportChecksum);
        }
        self.net.counters.datagrams_in += 1;
        let from = SocketAddr::new(inbound.source, packet.source_port());
        let to = SocketAddr::new(inbound.destination, packet.destination_port());
        let index = self.udp.lookup(to);
        let index =
            index.filter(|index| self.udp.sockets.at(*index).is_some_and(|s| s.hears(from)));
        let Some(index) = index else {
            if !inbound.loopback && !self.net.owns(&Flow::Udp(to.port())) {
                return self.net.drop_in(now, DropReason::OtherShard);
            }
            self.net.drop_in(now, DropReason::UdpNoSocket);
            // Nobody is told about what came to everybody (send_error sees to that).
            return self.net.send_error(now, inbound, ErrorKind::PortUnreachable);
        };
        let payload = inbound.share(packet.payload());
        // A super-datagram of a device that joins (USO) is several datagrams.
        let size = match usize::from(inbound.meta.gso_size) {
            0 => payload.len().max(1),
            size => size,
        };
        if payload.is_empty() {
            return self.udp_deliver(now, index, inbound, from, payload);
        }
        for start in (0..payload.len()).step_by(size) {
            let end = payload.len().min(start + size);
            self.udp_deliver(now, index, inbound, from, payload.slice(start..end));
        }
    }

    fn udp_deliver(
        &mut self,
        now: Instant,
        index: u32,
        inbound: &Inbound,
        from: SocketAddr,
        payload: Bytes,
    ) {
        let limits = &self.net.config.limits;
        let generation = self.udp.sockets.generation(index);
        let Some(socket) = self.udp.sockets.at_mut(index) else { return };
        if socket.received.len() >= limits.udp_receive_datagrams_max
            || socket.received_bytes + payload.len() > limits.udp_receive_bytes_max
        {
            return self.net.drop_in(now, DropReason::UdpQueueFull);
        }
        socket.received_bytes += payload.len();
        socket.received.push_back(UdpDatagram {
            from,
            to: inbound.destination,
            hop_limit: inbound.hop_limit,
            traffic_class: inbound.traffic_class,
            payload,
        });
        socket.readable = true;
        self.queue_udp(UdpId { index, generation });
    }
}
