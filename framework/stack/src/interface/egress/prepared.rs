//! What the segments of one turn have in common: the way they leave, the link and IP headers, the
//! addresses' part of the checksum. It is worked out once, and each segment patches its lengths in.
//!
//! A turn is a few segments long, so nothing here outlives a change of routes or neighbours.

use fyke_clock::Instant;

use super::ip::{Headers, Outgoing, push_ip_header};
use super::link::{FrameRest, Target};
use crate::interface::net::{Net, Path};
use crate::stack::frame::{Gso, TxChecksum, TxFrame};
use crate::wire::ethernet::{EtherType, HEADER_LEN, Header as LinkHeader};
use crate::wire::tcp::{CHECKSUM_OFFSET, Header};
use crate::wire::{ChecksumIntent, Emit, PseudoHeader, Sum, ipv4, ipv6};

/// Headers that lack only what differs between the segments of a connection.
pub(super) struct Prepared {
    headers: Headers,
    /// Bytes of the IP header.
    ip_len: usize,
    /// The sum of the IPv4 header without length and ECN; of IPv6 nothing.
    fixed: Option<Sum>,
    /// The pseudo-header's sum without the length.
    pseudo: Sum,
    intent: ChecksumIntent,
    /// The longest IP packet.
    longest: usize,
}

/// Where the fields are that differ.
const V4_TRAFFIC_CLASS: usize = 1;
const V4_TOTAL_LEN: usize = 2;
const V4_CHECKSUM: usize = 10;
const V6_TRAFFIC_CLASS: usize = 1;
const V6_PAYLOAD_LEN: usize = 4;

impl Net {
    /// The headers of packets like this one; `None` when they stay on the host or go through a
    /// tunnel, or when nobody knows yet where the next hop is.
    pub(super) fn prepare(&mut self, now: Instant, packet: &Outgoing) -> Option<Prepared> {
        let path = self.path(packet.destination)?;
        if matches!(path, Path::Loopback | Path::Tunnel(_)) {
            return None;
        }
        let mut headers = Headers::new(self.link_len(path));
        if !push_ip_header(&mut headers, packet, 0, 0, 0) {
            return None;
        }
        headers.end_of_network();
        if let Some(source) = self.mac() {
            let Target::Known(destination) = self.target(now, path, packet.destination) else {
                return None;
            };
            let ipv4 = packet.destination.is_ipv4();
            let ethertype = if ipv4 { EtherType::IPV4 } else { EtherType::IPV6 };
            LinkHeader { destination, source, vlan: None, ethertype }.emit(headers.link_mut());
            debug_assert_eq!(headers.network, HEADER_LEN);
        }
        let network = headers.network;
        let ip_len = headers.transport - network;
        let fixed = packet.destination.is_ipv4().then(|| {
            let header = headers.network_mut();
            header[V4_TOTAL_LEN..][..2].fill(0);
            header[V4_CHECKSUM..][..2].fill(0);
            Sum::new().with([&header[..ipv4::HEADER_LEN]])
        });
        let pseudo = PseudoHeader::new(packet.source, packet.destination)?;
        Some(Prepared {
            headers,
            ip_len,
            fixed,
            pseudo: pseudo.sum(packet.protocol, 0),
            intent: self.checksum_intent(packet.destination),
            longest: usize::from(self.config.mtu),
        })
    }
}

impl Prepared {
    /// The frame of a segment; `None` when it is too long to leave in one piece.
    pub(super) fn frame<'a>(
        &'a mut self,
        header: &Header,
        ecn: u8,
        payload: &'a [&'a [u8]],
        gso: Option<Gso>,
    ) -> Option<TxFrame<'a>> {
        let header_len = header.wire_len();
        let transport_len = header_len + payload.iter().map(|piece| piece.len()).sum::<usize>();
        let total = u16::try_from(self.ip_len + transport_len).ok()?;
        if gso.is_none() && usize::from(total) > self.longest {
            return None;
        }
        let ip = self.headers.network_mut();
        if let Some(fixed) = self.fixed {
            let mut sum = fixed;
            sum.add_word(total);
            sum.add_word(ecn.into());
            ip[V4_TRAFFIC_CLASS] = ip[V4_TRAFFIC_CLASS] & !3 | ecn;
            ip[V4_TOTAL_LEN..][..2].copy_from_slice(&total.to_be_bytes());
            ip[V4_CHECKSUM..][..2].copy_from_slice(&sum.checksum().to_be_bytes());
        } else {
            let length = total - ipv6::HEADER_LEN as u16;
            ip[V6_TRAFFIC_CLASS] = ip[V6_TRAFFIC_CLASS] & !0x30 | ecn << 4;
            ip[V6_PAYLOAD_LEN..][..2].copy_from_slice(&length.to_be_bytes());
        }
        let mut pseudo = self.pseudo;
        // Less than 2^16: what would not fit into the IP header's length was refused.
        pseudo.add_word(transport_len as u16);
        let bytes = self.headers.transport_mut(header_len)?;
        header.emit(bytes);
        Header::fill_checksum_from(bytes, pseudo, payload, self.intent);
        let start = self.headers.transport as u16;
        let checksum = match self.intent {
            ChecksumIntent::Partial => {
                TxChecksum::Partial { start, offset: CHECKSUM_OFFSET as u16 }
            }
            _ => TxChecksum::Complete,
        };
        Some(FrameRest { payload, gso, checksum }.frame(&self.headers))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use bytes::Bytes;

    use super::*;
    use crate::interface::egress::segment::{SegmentOut, Shared};
    use crate::interface::tuple::FourTuple;
    use crate::stack::config::{Medium, StackConfig};
    use crate::stack::frame::{Offload, TxSink};
    use crate::stack::secrets::{Secrets, Seed};
    use crate::tcp::{Ecn, Flags, Segment, Timestamp};
    use crate::wire::MacAddress;

    /// What a device is told, with the frame in one piece.
    #[derive(Default)]
    struct Frames(Vec<(Bytes, u16, u16, Option<Gso>, TxChecksum)>);

    impl TxSink for Frames {
        fn transmit(&mut self, frame: TxFrame<'_>) {
            let (network, transport) = (frame.network_offset, frame.transport_offset);
            self.0.push((frame.to_bytes(), network, transport, frame.gso, frame.checksum));
        }
    }

    fn net(medium: Medium, offload: bool) -> Net {
        let mut config = StackConfig::new(medium);
        if offload {
            config.offload = Offload { checksum: true, gso_bytes_max: 60_000 };
        }
        let now = Instant::from_nanos(1);
        let mut net = Net::new(config, Secrets::new(&Seed::from(1)), now);
        for (own, peer) in [("10.0.0.1/24", "10.0.0.2"), ("2001:db8::1/64", "2001:db8::2")] {
            let state = crate::AddressState::Preferred;
            net.addresses.insert(crate::OwnAddress::new(own.parse().unwrap(), state));
            let effects = net.neighbors.set(now, peer.parse().unwrap(), MacAddress([2; 6]));
            net.apply(now, effects);
        }
        net
    }

    /// Segments as a connection sends them: full, odd, empty, with ECN, with options, too long.
    fn segments() -> Vec<(Segment, &'static [u8])> {
        static BYTES: [u8; 70_000] = [0xa7; 70_000];
        let mut segments = Vec::new();
        for (n, length) in [1428, 0, 1, 1333, 1428, 2000].into_iter().enumerate() {
            let mut segment = Segment { flags: Flags::ACK, window: 500, ..Segment::default() };
            segment.seq += n as u32 * 0x1234_5678;
            segment.ecn = [Ecn::NotCapable, Ecn::Capable0, Ecn::Capable0][n % 3];
            if n % 2 == 0 {
                let stamp = Timestamp { value: n as u32, echo: 0x7fff_ffff };
                segment.options.timestamp = Some(stamp);
            }
            segments.push((segment, &BYTES[..length]));
        }
        let large = Segment { gso_size: 1400, ..segments[0].0.clone() };
        segments.push((large.clone(), &BYTES[..60_000]));
        segments.push((large, &BYTES[..]));
        segments
    }

    #[test]
    fn what_is_shared_changes_no_byte() {
        for medium in [Medium::RawIp, Medium::Ethernet(MacAddress([2, 0, 0, 0, 0, 1]))] {
            for (own, peer) in
                [("10.0.0.1:80", "10.0.0.2:4000"), ("[2001:db8::1]:80", "[2001:db8::2]:4000")]
            {
                for offload in [false, true] {
                    let send = |sharing: bool| {
                        let (mut net, mut frames) = (net(medium, offload), Frames::default());
                        let mut out = SegmentOut {
                            net: &mut net,
                            out: &mut frames,
                            now: Instant::from_nanos(1),
                            tuple: FourTuple::new(own.parse().unwrap(), peer.parse().unwrap()),
                            hop_limit: 61,
                            traffic_class: 0xb8,
                            left: 16,
                            shared: if sharing { Shared::Unknown } else { Shared::None },
                        };
                        for (segment, payload) in segments() {
                            let (front, back) = payload.split_at(payload.len() / 3);
                            out.emit(&segment, &[front, back]);
                        }
                        assert_eq!(matches!(out.shared, Shared::Known(_)), sharing);
                        assert_eq!(net.counters.drops.total(), 2, "two that are too long");
                        frames.0
                    };
                    let alone = send(false);
                    assert_eq!(alone.len(), 6);
                    assert_eq!(send(true), alone);
                }
            }
        }
    }
}
