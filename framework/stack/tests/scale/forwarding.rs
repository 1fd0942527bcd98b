//! A packet that is forwarded, with and without a NAT box, costs no memory.

use bytes::BytesMut;
use fyke_clock::Instant;
use fyke_stack::nat::{Nat, NatConfig};
use fyke_stack::router::{PortConfig, PortId, Router, RouterConfig, RouterSink};
use fyke_stack::wire::{Emit, IpProtocol, ipv4, udp};
use fyke_stack::{Medium, Seed};

use crate::counting::calls;

/// Keeps the last frame, so that its buffer is used again.
struct Last(Option<BytesMut>);

impl RouterSink for Last {
    fn transmit(&mut self, _: PortId, frame: BytesMut, _: u32) {
        self.0 = Some(frame);
    }
}

#[test]
fn a_forwarded_packet_is_no_reason_to_allocate() {
    let now = Instant::from_nanos(1_000_000_000);
    for translated in [false, true] {
        let mut router = Router::new(RouterConfig::new(), Seed::from(1), now);
        let port = |address: &str| PortConfig::new(Medium::RawIp).address(address.parse().unwrap());
        let lan = router.add_port(port("192.168.1.1/24")).unwrap();
        let wan = router.add_port(port("198.51.100.2/24")).unwrap();
        if translated {
            let outside = [198, 51, 100, 2].into();
            let nat = Nat::new(NatConfig::new(), outside, Seed::from(2), now);
            router.set_nat(nat, wan).unwrap();
        }
        let ends = udp::Header { source_port: 5000, destination_port: 53, payload_len: 0 };
        let (from, to) = ([192, 168, 1, 9].into(), [198, 51, 100, 7].into());
        let header = ipv4::Header::new(from, to, IpProtocol::UDP, 8).to_vec();
        let packet = [header, ends.to_vec()].concat();
        let (mut buffer, mut last) = (BytesMut::with_capacity(100), Last(None));
        let mut before = calls();
        for n in 0..1000 {
            if n == 1 {
                before = calls();
            }
            buffer.clear();
            buffer.extend_from_slice(&packet);
            router.input(now, lan, buffer, 0, &mut last);
            buffer = last.0.take().expect("it left");
        }
        assert_eq!(calls() - before, 0, "translated: {translated}");
        assert_eq!(router.counters().forwarded, 1000);
    }
}
