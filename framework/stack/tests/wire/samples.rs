//! Frames that Linux 6.18 sent between two network namespaces over a veth pair without offloads:
//! neighbour discovery, ARP, echoes with options and extension headers, fragments, every common
//! ICMP error, TCP with fast open and urgent data, UDP, and IGMP and MLD in all versions.

use std::collections::BTreeSet;

use fyke_stack::wire::pcapng::{LinkType, Packet, Reader};

const CAPTURE: &[u8] = include_bytes!("samples/linux.pcapng");

/// All packets of the capture, in their order.
pub(crate) fn capture() -> Vec<Packet<'static>> {
    let packets: Vec<_> = Reader::new(CAPTURE).packets().map(Result::unwrap).collect();
    assert!(packets.iter().all(|packet| packet.link == LinkType::ETHERNET));
    packets
}

/// One frame of each kind: same protocols, same type, same length means same kind.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    let mut seen = BTreeSet::new();
    let kind = |frame: &[u8]| {
        let upper = if frame[12] == 0x86 { 54 } else { 34 };
        let kind_of_message = frame.get(upper).copied().filter(|_| !matches!(frame[23], 6 | 17));
        (
            frame[12],
            frame[13],
            frame[14],
            frame[20],
            frame[23],
            frame.get(47).copied(),
            kind_of_message,
            frame.len(),
        )
    };
    let capture = capture();
    let packets = capture.iter().filter(|packet| seen.insert(kind(packet.bytes)));
    packets.map(|packet| packet.bytes.to_vec()).collect()
}
