//! UDP in (RFC 768, RFC 1122 section 4.1).

use core::net::SocketAddr;

use fyke_clock::Instant;

use super::Inbound;
use crate::interface::egress::ErrorKind;
use crate::interface::steer::Flow;
use crate::interface::udp_table::UdpDatagram;
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::stack::event::Source;
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
        let index = self.udp.lookup(to, from);
        if index.is_none() && !inbound.loopback && !self.net.owns(&Flow::Udp(to.port())) {
            return self.net.drop_in(now, DropReason::OtherShard);
        }
        let forwards = self.net.config.udp_forward && !inbound.to_group;
        if index.is_none() && !forwards {
            self.net.drop_in(now, DropReason::UdpNoSocket);
            // Nobody is told about what came to everybody (send_error sees to that).
            return self.net.send_error(now, inbound, ErrorKind::PortUnreachable);
        }
        let mut payload = inbound.share(packet.payload());
        // A super-datagram of a device that joins (USO) is several datagrams.
        let size = match usize::from(inbound.meta.gso_size) {
            0 => payload.len(),
            size => size,
        };
        loop {
            let datagram = UdpDatagram {
                from,
                to: inbound.destination,
                hop_limit: inbound.hop_limit,
                traffic_class: inbound.traffic_class,
                payload: payload.split_to(size.min(payload.len())),
            };
            match index {
                Some(index) => self.udp_deliver(now, index, datagram),
                None => self.udp_forward(now, to, datagram),
            }
            if payload.is_empty() {
                break;
            }
        }
    }

    fn udp_deliver(&mut self, now: Instant, index: u32, datagram: UdpDatagram) {
        let limits = &self.net.config.limits;
        let generation = self.udp.sockets.generation(index);
        let Some(socket) = self.udp.sockets.at_mut(index) else { return };
        let bytes_max = socket.options.receive_bytes_max.unwrap_or(limits.udp_receive_bytes_max);
        if socket.received.len() >= limits.udp_receive_datagrams_max
            || socket.received_bytes + datagram.payload.len() > bytes_max
        {
            return self.net.drop_in(now, DropReason::UdpQueueFull);
        }
        if self.net.memory.is_full() {
            return self.net.drop_in(now, DropReason::BuffersFull);
        }
        self.net.memory.change(0, datagram.cost());
        socket.received_bytes += datagram.payload.len();
        socket.received.push_back(datagram);
        socket.readable = true;
        self.queue_udp(UdpId { index, generation });
    }

    /// Nobody has bound the port: the application may want to.
    fn udp_forward(&mut self, now: Instant, to: SocketAddr, datagram: UdpDatagram) {
        match self.udp.forwarded.push(to, datagram) {
            Some(true) => self.events.push(Source::UdpForward),
            Some(false) => {}
            None => self.net.drop_in(now, DropReason::UdpQueueFull),
        }
    }
}
