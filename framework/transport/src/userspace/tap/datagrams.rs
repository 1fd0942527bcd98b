//! Frames that stand for several UDP datagrams (the kernel's UDP_SEGMENT) are cut: above the device a
//! datagram is a frame.

use bytes::Bytes;
use fyke_stack::wire::Sum;
use fyke_stack::{RxChecksum, RxMeta};

use super::super::device::Frame;

/// The most datagrams that Linux puts into one frame (UDP_MAX_SEGMENTS).
const DATAGRAMS_MAX: usize = 128;

const ETHERNET_LEN: usize = 14;
const IPV6_LEN: usize = 40;
const UDP_LEN: usize = 8;
const UDP: u8 = 17;

/// Cuts `frame` into datagrams of `size` payload bytes, the last one shorter. The UDP header begins at
/// `transport`. Says `false`, and appends nothing, when that is not what the frame holds.
///
/// The pieces' transport checksums are the pseudo-header's sum of the whole, which nobody looks at:
/// they are marked as left out by a local sender, which the whole was.
pub(super) fn cut(frame: &[u8], transport: usize, size: usize, out: &mut Vec<Frame>) -> bool {
    let headers = transport + UDP_LEN;
    let Some(payload) = frame.get(headers..) else { return false };
    let count = payload.len().div_ceil(size.max(1));
    if network_of(frame, transport).is_none() || count > DATAGRAMS_MAX {
        return false;
    }
    let mut all = Vec::with_capacity(count * headers + payload.len());
    for (number, piece) in payload.chunks(size.max(1)).enumerate() {
        let start = all.len();
        all.extend_from_slice(&frame[..headers]);
        fix_headers(&mut all[start..], transport, piece.len(), number as u16);
        all.extend_from_slice(piece);
    }
    let all = Bytes::from(all);
    let meta = RxMeta { checksum: RxChecksum::Partial, gso_size: 0 };
    let each = headers + size;
    out.extend((0..count).map(|number| {
        let start = number * each;
        Frame { bytes: all.slice(start..all.len().min(start + each)), meta }
    }));
    true
}

/// The IP header before a UDP header at `transport`, when that is what is there.
fn network_of(frame: &[u8], transport: usize) -> Option<&[u8]> {
    let kind = frame.get(ETHERNET_LEN - 2..ETHERNET_LEN)?;
    let network = frame.get(ETHERNET_LEN..transport)?;
    let fits = match kind {
        [0x08, 0x00] => {
            network.len() >= 20
                && usize::from(network[0] & 15) * 4 == network.len()
                && network[9] == UDP
        }
        [0x86, 0xdd] => network.len() == IPV6_LEN && network[6] == UDP,
        _ => false,
    };
    fits.then_some(network)
}

/// Lengths, identification and the IP header's checksum of datagram `number`.
fn fix_headers(headers: &mut [u8], transport: usize, payload: usize, number: u16) {
    let (network, udp) = headers[ETHERNET_LEN..].split_at_mut(transport - ETHERNET_LEN);
    let datagram = (UDP_LEN + payload) as u16;
    udp[4..6].copy_from_slice(&datagram.to_be_bytes());
    if network[0] >> 4 == 6 {
        network[4..6].copy_from_slice(&datagram.to_be_bytes());
        return;
    }
    let whole = network.len() as u16 + datagram;
    network[2..4].copy_from_slice(&whole.to_be_bytes());
    let first = u16::from_be_bytes([network[4], network[5]]);
    network[4..6].copy_from_slice(&first.wrapping_add(number).to_be_bytes());
    network[10..12].fill(0);
    let checksum = Sum::new().with([&*network]).checksum();
    network[10..12].copy_from_slice(&checksum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use fyke_stack::wire::ipv4;

    fn ipv4_frame(payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; ETHERNET_LEN];
        frame[12..].copy_from_slice(&[8, 0]);
        frame.extend([0x45, 0, 0, 0, 0xff, 0xff, 0, 0, 64, UDP, 0, 0, 10, 7, 0, 1, 10, 7, 0, 2]);
        frame.extend([0x30, 0x39, 0, 53, 0, 0, 0xab, 0xcd]);
        frame.extend(payload);
        frame
    }

    #[test]
    fn datagrams_are_whole_and_in_order() {
        let mut out = Vec::new();
        assert!(cut(&ipv4_frame(b"aaaabbbbcc"), 34, 4, &mut out));
        let payloads: Vec<&[u8]> = out.iter().map(|frame| &frame.bytes[42..]).collect();
        assert_eq!(payloads, [&b"aaaa"[..], b"bbbb", b"cc"]);
        for (number, frame) in out.iter().enumerate() {
            let packet = ipv4::Packet::parse(&frame.bytes[ETHERNET_LEN..]).unwrap();
            assert_eq!(packet.identification(), 0xffff_u16.wrapping_add(number as u16));
            assert_eq!(packet.payload().len(), frame.bytes.len() - 34);
            let udp = u16::from_be_bytes([frame.bytes[38], frame.bytes[39]]);
            assert_eq!(usize::from(udp), frame.bytes.len() - 34);
            assert_eq!(frame.meta.checksum, RxChecksum::Partial);
        }
    }

    #[test]
    fn ipv6_has_its_length_too() {
        let mut frame = vec![0; ETHERNET_LEN];
        frame[12..].copy_from_slice(&[0x86, 0xdd]);
        let mut network = [0; IPV6_LEN];
        (network[0], network[6]) = (0x60, UDP);
        frame.extend(network);
        frame.extend([0; UDP_LEN]);
        frame.extend(b"aab");
        let mut out = Vec::new();
        assert!(cut(&frame, 54, 2, &mut out));
        let lengths: Vec<u8> = out.iter().map(|frame| frame.bytes[ETHERNET_LEN + 5]).collect();
        assert_eq!(lengths, [10, 9]);
    }

    #[test]
    fn what_is_no_datagram_is_refused_whole() {
        let good = ipv4_frame(&[0; 1000]);
        let mut out = Vec::new();
        assert!(!cut(&good, 34, 1, &mut out), "more pieces than a sender can ask for");
        assert!(!cut(&good, 38, 100, &mut out), "not where the header is");
        assert!(!cut(&good[..40], 34, 100, &mut out), "no room for a header");
        for (at, byte) in [(12, 9), (14, 0x46), (23, 6)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert!(!cut(&bad, 34, 100, &mut out), "byte {at}");
        }
        assert!(out.is_empty());
    }
}
