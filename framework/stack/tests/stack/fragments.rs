//! Fragment attacks on a whole host: each leaves it as it was, and able to hear.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use fyke_stack::wire::ipv6::FragmentHeader;
use fyke_stack::wire::{ChecksumIntent, Emit, IpProtocol, PseudoHeader, ipv4, ipv6, udp};
use fyke_stack::{DropReason, RxMeta, StackError, UdpId, UdpOptions};

use crate::garbage::Random;
use crate::world::{CLIENT, CLIENT6, SERVER, SERVER6, World, addr};

/// A UDP datagram's bytes from the client to the server, port 53.
fn datagram(from: &str, to: &str, length: usize) -> Vec<u8> {
    let payload = vec![5; length];
    let header = udp::Header { source_port: 1, destination_port: 53, payload_len: length as u16 };
    let mut body = header.to_vec();
    let addresses: (IpAddr, IpAddr) = (from.parse().unwrap(), to.parse().unwrap());
    let pseudo = PseudoHeader::new(addresses.0, addresses.1).unwrap();
    udp::Header::fill_checksum(&mut body, &pseudo, &[&payload], ChecksumIntent::Full);
    body.extend_from_slice(&payload);
    body
}

fn v4(id: u16, offset: u16, more: bool, piece: &[u8]) -> Bytes {
    let mut header = ipv4::Header::new(
        CLIENT.parse().unwrap(),
        SERVER.parse().unwrap(),
        IpProtocol::UDP,
        piece.len() as u16,
    );
    header.identification = id;
    header.fragment_offset = offset;
    header.more_fragments = more;
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(piece);
    bytes.into()
}

fn v6(id: u32, offset: u16, more: bool, piece: &[u8]) -> Bytes {
    let header = ipv6::Header::new(
        CLIENT6.parse().unwrap(),
        SERVER6.parse().unwrap(),
        IpProtocol::FRAGMENT,
        8 + piece.len() as u16,
    );
    let fragment =
        FragmentHeader { next_header: IpProtocol::UDP, offset, more, identification: id };
    let mut bytes = header.to_vec();
    fragment.append(&mut bytes);
    bytes.extend_from_slice(piece);
    bytes.into()
}

fn listening() -> (World, UdpId) {
    let mut world = World::new();
    let id = world.server.stack.udp_bind(addr("[::]:53"), UdpOptions::default()).unwrap();
    (world, id)
}

fn put(world: &mut World, frames: impl IntoIterator<Item = Bytes>) {
    for frame in frames {
        world.server.stack.input(world.now, frame, RxMeta::default());
    }
}

#[test]
fn pieces_of_both_families_in_any_order() {
    let (mut world, id) = listening();
    let body = datagram(CLIENT, SERVER, 100);
    put(&mut world, [v4(1, 64, false, &body[64..]), v4(1, 0, true, &body[..64])]);
    assert_eq!(world.server.stack.udp_receive(id).unwrap().payload.len(), 100);
    let body = datagram(CLIENT6, SERVER6, 100);
    put(&mut world, [v6(1, 64, false, &body[64..]), v6(1, 0, true, &body[..64])]);
    assert_eq!(world.server.stack.udp_receive(id).unwrap().payload.len(), 100);
    // The only piece is whole by itself (RFC 6946).
    put(&mut world, [v6(2, 0, false, &body)]);
    assert_eq!(world.server.stack.udp_receive(id).unwrap().payload.len(), 100);
}

#[test]
fn teardrop_overlaps_drop_the_datagram() {
    let (mut world, id) = listening();
    let body = datagram(CLIENT, SERVER, 100);
    put(&mut world, [v4(1, 0, true, &body[..64]), v4(1, 56, false, &body[56..])]);
    put(&mut world, [v4(1, 64, false, &body[64..])]);
    let body = datagram(CLIENT6, SERVER6, 100);
    put(&mut world, [v6(1, 0, true, &body[..64]), v6(1, 56, false, &body[56..])]);
    put(&mut world, [v6(1, 64, false, &body[64..])]);
    assert_eq!(world.server.stack.udp_receive(id), Err(StackError::WouldBlock));
    assert_eq!(world.server.stack.counters().drops[DropReason::FragmentOverlap], 4);
}

#[test]
fn ping_of_death_and_fragment_smack_change_nothing() {
    let (mut world, id) = listening();
    put(&mut world, [v4(9, 65_528, false, &[0; 100]), v6(9, 65_528, false, &[0; 100])]);
    assert_eq!(world.server.stack.counters().drops[DropReason::FragmentBounds], 2);
    let mut random = Random(77);
    for _ in 0..50_000 {
        let id = random.next() as u16;
        let offset = (random.next() as u16 >> 3) & !7;
        let piece = vec![0; 8 * (1 + random.below(20))];
        let frame = if random.below(2) == 0 {
            v4(id, offset, true, &piece)
        } else {
            v6(u32::from(id), offset, true, &piece)
        };
        put(&mut world, [frame]);
    }
    let (count, bytes) = world.server.stack.usage().reassembly;
    assert!(bytes <= 4 << 20 && count > 1000, "{count} {bytes}");
    let body = datagram(CLIENT, SERVER, 100);
    put(&mut world, [v4(1, 0, true, &body[..64]), v4(1, 64, false, &body[64..])]);
    let heard = world.server.stack.udp_receive(id);
    // Its identification may be one of the flood's; then another one gets through.
    if heard.is_err() {
        world.advance(Duration::from_secs(31));
        put(&mut world, [v4(1, 0, true, &body[..64]), v4(1, 64, false, &body[64..])]);
        assert!(world.server.stack.udp_receive(id).is_ok());
    }
    world.advance(Duration::from_secs(61));
    assert_eq!(world.server.stack.usage().reassembly, (0, 0));
}

#[test]
fn a_fragment_of_a_fragment_is_none() {
    let (mut world, id) = listening();
    let body = datagram(CLIENT6, SERVER6, 100);
    let inner = v6(5, 8, true, &body[..64]);
    let header = ipv6::Header::new(
        CLIENT6.parse().unwrap(),
        SERVER6.parse().unwrap(),
        IpProtocol::FRAGMENT,
        0,
    );
    let nested = &inner[40..];
    for (offset, more, piece) in [(0, true, &nested[..32]), (32, false, &nested[32..])] {
        let fragment =
            FragmentHeader { next_header: IpProtocol::FRAGMENT, offset, more, identification: 6 };
        let mut header = header;
        header.payload_len = 8 + piece.len() as u16;
        let mut bytes = header.to_vec();
        fragment.append(&mut bytes);
        bytes.extend_from_slice(piece);
        put(&mut world, [bytes.into()]);
    }
    assert!(world.server.stack.udp_receive(id).is_err());
    assert_eq!(world.server.stack.counters().drops[DropReason::ExtensionHeaders], 1);
}

/// RFC 8200, section 4.5, and RFC 7112, section 5: what is wrong with a fragment by itself is told, and
/// a first one has all headers.
#[test]
fn the_sender_hears_of_fragments_that_cannot_be() {
    let (mut world, id) = listening();
    let body = datagram(CLIENT6, SERVER6, 100);
    let tcp = {
        let mut bytes = v6(4, 0, true, &body[..16]).to_vec();
        bytes[40] = IpProtocol::TCP.0;
        Bytes::from(bytes)
    };
    for (frame, code, pointer) in
        [(v6(1, 0, true, &body[..63]), 0, 4), (v6(2, 65_528, false, &[0; 100]), 0, 42), (tcp, 3, 0)]
    {
        put(&mut world, [frame]);
        let errors = world.server.transmit(world.now);
        assert_eq!(errors.len(), 1);
        let error = &errors[0][40..];
        assert_eq!((error[0], error[1], &error[4..8]), (4, code, &[0, 0, 0, pointer][..]));
    }
    assert_eq!(world.server.stack.usage().reassembly, (0, 0));
    // None of them spoils the datagram they claim to be of.
    put(&mut world, [v6(1, 0, true, &body[..64]), v6(1, 64, false, &body[64..])]);
    assert_eq!(world.server.stack.udp_receive(id).unwrap().payload.len(), 100);
}

/// RFC 1122, section 3.2.2: nobody is told about what came to everybody, whoever is said to have sent it.
#[test]
fn a_broadcast_that_never_became_whole_is_told_to_nobody() {
    for to in ["10.0.0.255", "255.255.255.255", SERVER] {
        let mut world = World::new();
        let body = datagram(CLIENT, to, 100);
        let mut header =
            ipv4::Header::new(CLIENT.parse().unwrap(), to.parse().unwrap(), IpProtocol::UDP, 64);
        header.more_fragments = true;
        let mut bytes = header.to_vec();
        bytes.extend_from_slice(&body[..64]);
        put(&mut world, [bytes.into()]);
        world.now += Duration::from_secs(31);
        world.server.stack.handle_timeout(world.now);
        assert_eq!(world.server.transmit(world.now).len(), usize::from(to == SERVER), "{to}");
    }
}

/// What a device has verified is one fragment, not the datagram.
#[test]
fn the_checksum_of_what_was_cut_is_verified() {
    let (mut world, id) = listening();
    let trusted = RxMeta { checksum: fyke_stack::RxChecksum::Valid, gso_size: 0 };
    for v6_first in [false, true] {
        let (from, to) = if v6_first { (CLIENT6, SERVER6) } else { (CLIENT, SERVER) };
        let mut body = datagram(from, to, 100);
        body[80] ^= 1;
        let frames = if v6_first {
            [v6(1, 0, true, &body[..64]), v6(1, 64, false, &body[64..])]
        } else {
            [v4(1, 0, true, &body[..64]), v4(1, 64, false, &body[64..])]
        };
        for frame in frames {
            world.server.stack.input(world.now, frame, trusted);
        }
        assert_eq!(world.server.stack.udp_receive(id), Err(StackError::WouldBlock));
    }
    assert_eq!(world.server.stack.counters().drops[DropReason::TransportChecksum], 2);
}

#[test]
fn extension_headers_are_walked_over_and_limited() {
    let (mut world, id) = listening();
    let body = datagram(CLIENT6, SERVER6, 10);
    let with = |headers: &[(IpProtocol, [u8; 6])]| -> Bytes {
        let first = headers.first().map_or(IpProtocol::UDP, |(kind, _)| *kind);
        let length = body.len() + headers.len() * 8;
        let (source, to) = (CLIENT6.parse().unwrap(), SERVER6.parse().unwrap());
        let mut bytes = ipv6::Header::new(source, to, first, length as u16).to_vec();
        for (at, (_, data)) in headers.iter().enumerate() {
            let next = headers.get(at + 1).map_or(IpProtocol::UDP, |(kind, _)| *kind);
            bytes.extend_from_slice(&[next.0, 0]);
            bytes.extend_from_slice(data);
        }
        bytes.extend_from_slice(&body);
        bytes.into()
    };
    let padding = [1, 4, 0, 0, 0, 0];
    let options = (IpProtocol::DESTINATION_OPTIONS, padding);
    let hop = (IpProtocol::HOP_BY_HOP, padding);
    put(&mut world, [with(&[]), with(&[hop, options]), with(&[options; 8])]);
    assert!((0..3).all(|_| world.server.stack.udp_receive(id).is_ok()));
    let route = (IpProtocol::ROUTING, [0, 1, 0, 0, 0, 0]);
    // An option of a kind that says: drop, and tell.
    let unknown = (IpProtocol::DESTINATION_OPTIONS, [0x9e, 4, 0, 0, 0, 0]);
    let endless = (IpProtocol::DESTINATION_OPTIONS, [0x1e, 200, 0, 0, 0, 0]);
    for bad in [
        with(&[options; 9]),
        with(&[options, hop]),
        with(&[route]),
        with(&[unknown]),
        with(&[endless]),
    ] {
        put(&mut world, [bad]);
        assert!(world.server.stack.udp_receive(id).is_err());
    }
    let errors = world.server.transmit(world.now);
    assert_eq!(
        errors.len(),
        3,
        "too many headers, and options without end, are dropped in silence"
    );
}

/// RFC 8200, section 4.5: a minute for IPv6; half of that for IPv4, which RFC 1122, section 3.3.2,
/// wants to be fixed and leaves open. The shorter does not wait for the longer that came before it.
#[test]
fn rfc8200_4_5_ipv6_waits_a_minute_for_what_is_missing() {
    let (four, six) = (datagram(CLIENT, SERVER, 1000), datagram(CLIENT6, SERVER6, 1000));
    for (seconds, lost, heard) in [(29, 0, 2), (31, 1, 1), (59, 1, 1), (61, 2, 0)] {
        let (mut world, id) = listening();
        let start = world.now;
        world.server.stack.input(start, v6(7, 0, true, &six[..512]), RxMeta::default());
        world.server.stack.input(start, v4(7, 0, true, &four[..512]), RxMeta::default());
        world.advance(Duration::from_secs(seconds));
        let now = world.now;
        assert_eq!(world.server.stack.counters().drops[DropReason::FragmentTimeout], lost);
        world.server.stack.input(now, v6(7, 512, false, &six[512..]), RxMeta::default());
        world.server.stack.input(now, v4(7, 512, false, &four[512..]), RxMeta::default());
        let mut got = 0;
        while world.server.stack.udp_receive(id).is_ok() {
            got += 1;
        }
        assert_eq!(got, heard, "after {seconds} seconds");
    }
}

/// RFC 791, section 3.1: a datagram has 65 535 bytes at most, and its header is among them.
#[test]
fn rfc791_3_1_the_header_counts_for_the_longest_datagram() {
    for (length, arrives) in [(65_507, true), (65_508, false)] {
        let (mut world, id) = listening();
        let body = datagram(CLIENT, SERVER, length);
        let pieces = body.chunks(1480).enumerate().map(|(n, piece)| {
            let offset = n * 1480;
            v4(1, offset as u16, offset + piece.len() < body.len(), piece)
        });
        let pieces: Vec<_> = pieces.collect();
        put(&mut world, pieces);
        let received = world.server.stack.udp_receive(id).map(|datagram| datagram.payload.len());
        assert_eq!(received.ok(), arrives.then_some(length));
    }
}
