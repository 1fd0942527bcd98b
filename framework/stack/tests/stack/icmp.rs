//! ICMP of both families: echoes, errors of ours, errors about ours, and when there are none.

use std::net::IpAddr;

use bytes::Bytes;
use fyke_stack::tcp::CloseReason;
use fyke_stack::wire::{
    ChecksumIntent, Emit, IpProtocol, PseudoHeader, icmpv4, icmpv6, ipv4, ipv6, udp,
};
use fyke_stack::{DropReason, Event, RxMeta};

use crate::frames::{Frame, ip};
use crate::world::{CLIENT, CLIENT6, SERVER, SERVER6, World, at};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// An ICMPv4 message from one host to another.
pub(crate) fn v4(from: &str, to: &str, message: icmpv4::Message, payload: &[u8]) -> Bytes {
    let mut body = message.to_vec();
    icmpv4::Message::fill_checksum(&mut body, &[payload]);
    body.extend_from_slice(payload);
    ip(address(from), address(to), IpProtocol::ICMPV4, &body)
}

pub(crate) fn v6(from: &str, to: &str, message: icmpv6::Message, payload: &[u8]) -> Bytes {
    let mut body = message.to_vec();
    let pseudo = PseudoHeader::new(address(from), address(to)).unwrap();
    icmpv6::fill_checksum(&mut body, &pseudo, &[payload], ChecksumIntent::Full);
    body.extend_from_slice(payload);
    ip(address(from), address(to), IpProtocol::ICMPV6, &body)
}

fn answers(world: &mut World, frame: Bytes) -> Vec<Bytes> {
    world.server.stack.input(world.now, frame, RxMeta::default());
    world.server.transmit(world.now)
}

fn message_v4(frame: &Bytes) -> (icmpv4::Message, Vec<u8>) {
    let packet = ipv4::Packet::parse(frame).unwrap();
    let message = icmpv4::Packet::parse(packet.payload()).unwrap();
    assert!(packet.checksum_is_valid() && message.checksum_is_valid());
    (message.message(), message.payload().to_vec())
}

fn message_v6(frame: &Bytes) -> (icmpv6::Message, Vec<u8>) {
    let packet = ipv6::Packet::parse(frame).unwrap();
    let message = icmpv6::Packet::parse(packet.payload()).unwrap();
    let pseudo = PseudoHeader::new(packet.source().into(), packet.destination().into()).unwrap();
    assert!(message.checksum_is_valid(&pseudo));
    (message.message(), message.payload().to_vec())
}

/// A datagram to a port nobody is at.
fn unwanted(from: &str, to: &str) -> Bytes {
    let header = udp::Header { source_port: 1, destination_port: 9, payload_len: 4 };
    let mut body = header.to_vec();
    let pseudo = PseudoHeader::new(address(from), address(to)).unwrap();
    udp::Header::fill_checksum(&mut body, &pseudo, &[b"data"], ChecksumIntent::Full);
    body.extend_from_slice(b"data");
    ip(address(from), address(to), IpProtocol::UDP, &body)
}

#[test]
fn echoes_are_answered_one_for_one() {
    let mut world = World::new();
    let request = icmpv4::Message::EchoRequest { identifier: 7, sequence: 8 };
    let answer = answers(&mut world, v4(CLIENT, SERVER, request, b"ping"));
    let reply = icmpv4::Message::EchoReply { identifier: 7, sequence: 8 };
    assert_eq!(message_v4(&answer[0]), (reply, b"ping".to_vec()));
    let request = icmpv6::Message::EchoRequest { identifier: 7, sequence: 8 };
    let answer = answers(&mut world, v6(CLIENT6, SERVER6, request, b"ping"));
    let reply = icmpv6::Message::EchoReply { identifier: 7, sequence: 8 };
    assert_eq!(message_v6(&answer[0]), (reply, b"ping".to_vec()));
    // Smurf: what all are asked nobody answers, and a reply least of all.
    let request = icmpv4::Message::EchoRequest { identifier: 7, sequence: 8 };
    assert!(answers(&mut world, v4(CLIENT, "10.0.0.255", request, b"ping")).is_empty());
    let reply = icmpv4::Message::EchoReply { identifier: 7, sequence: 8 };
    assert!(answers(&mut world, v4(CLIENT, SERVER, reply, b"ping")).is_empty());
}

/// No RFC says what a code other than zero means; Linux sends it back, and so scanners expect.
#[test]
fn an_echo_of_another_code_comes_back_with_it() {
    let mut world = World::new();
    let rest = [0, 7, 0, 8];
    let request = icmpv4::Message::Other { kind: icmpv4::ECHO_REQUEST, code: 9, rest };
    let answer = answers(&mut world, v4(CLIENT, SERVER, request, b"ping"));
    let reply = icmpv4::Message::Other { kind: icmpv4::ECHO_REPLY, code: 9, rest };
    assert_eq!(message_v4(&answer[0]), (reply, b"ping".to_vec()));
    let request = icmpv6::Message::Other { kind: icmpv6::ECHO_REQUEST, code: 9, rest };
    let answer = answers(&mut world, v6(CLIENT6, SERVER6, request, b"ping"));
    let reply = icmpv6::Message::Other { kind: icmpv6::ECHO_REPLY, code: 9, rest };
    assert_eq!(message_v6(&answer[0]), (reply, b"ping".to_vec()));
    let request = icmpv4::Message::Other { kind: icmpv4::ECHO_REQUEST, code: 9, rest };
    assert!(answers(&mut world, v4(CLIENT, "10.0.0.255", request, b"ping")).is_empty());
}

#[test]
fn errors_quote_and_are_limited() {
    let mut world = World::new();
    let packet = unwanted(CLIENT, SERVER);
    let answer = answers(&mut world, packet.clone());
    let (message, quoted) = message_v4(&answer[0]);
    assert_eq!(message, icmpv4::Message::Unreachable { code: icmpv4::unreachable::PORT });
    assert_eq!(quoted, packet);
    let packet = unwanted(CLIENT6, SERVER6);
    let answer = answers(&mut world, packet.clone());
    let (message, quoted) = message_v6(&answer[0]);
    assert_eq!(message, icmpv6::Message::Unreachable { code: icmpv6::unreachable::PORT });
    assert_eq!(quoted, packet);
    let sent: usize = (0..100).map(|_| answers(&mut world, unwanted(CLIENT, SERVER)).len()).sum();
    assert_eq!(sent, 5, "six in a second to one destination");
    let others: usize =
        (2..250).map(|n| answers(&mut world, unwanted(&format!("10.0.1.{n}"), SERVER)).len()).sum();
    assert!(others > 200, "{others}: one destination's limit is not another's");
    assert_eq!(world.server.stack.counters().drops[DropReason::IcmpRateLimited], 95);
}

#[test]
fn no_error_about_errors_groups_fragments_or_nobody() {
    let mut world = World::new();
    let unreachable = icmpv4::Message::Unreachable { code: 3 };
    let about = unwanted(SERVER, CLIENT);
    assert!(answers(&mut world, v4(CLIENT, SERVER, unreachable, &about)).is_empty());
    assert!(answers(&mut world, unwanted(CLIENT, "10.0.0.255")).is_empty());
    assert!(answers(&mut world, unwanted(CLIENT, "224.0.0.1")).is_empty());
    assert!(answers(&mut world, unwanted("0.0.0.0", "255.255.255.255")).is_empty());
    assert!(answers(&mut world, unwanted(CLIENT6, "ff02::1")).is_empty());
    let unknown = ip(address(CLIENT), address("10.0.0.255"), IpProtocol(99), b"what");
    assert!(answers(&mut world, unknown).is_empty());
    let unknown = ip(address(CLIENT), address(SERVER), IpProtocol(99), b"what");
    let answer = answers(&mut world, unknown);
    let code = icmpv4::unreachable::PROTOCOL;
    assert_eq!(message_v4(&answer[0]).0, icmpv4::Message::Unreachable { code });
    let unknown = ip(address(CLIENT6), address(SERVER6), IpProtocol(99), b"what");
    let answer = answers(&mut world, unknown);
    let code = icmpv6::parameter_problem::NEXT_HEADER;
    assert_eq!(message_v6(&answer[0]).0, icmpv6::Message::ParameterProblem { code, pointer: 6 });
}

/// RFC 4443, section 2.4 (e.1): an error is one behind extension headers, too, and what is wrong with
/// these is not told.
#[test]
fn no_error_about_an_error_behind_extension_headers() {
    let mut world = World::new();
    let behind = |message: icmpv6::Message| {
        // Destination options with one that is not known and asks for an answer.
        let mut body = vec![IpProtocol::ICMPV6.0, 0, 0x9e, 4, 0, 0, 0, 0];
        let packet = v6(CLIENT6, SERVER6, message, &[0; 48]);
        body.extend_from_slice(&packet[ipv6::HEADER_LEN..]);
        ip(address(CLIENT6), address(SERVER6), IpProtocol::DESTINATION_OPTIONS, &body)
    };
    let request = icmpv6::Message::EchoRequest { identifier: 7, sequence: 8 };
    let answer = answers(&mut world, behind(request));
    let code = icmpv6::parameter_problem::OPTION;
    assert_eq!(message_v6(&answer[0]).0, icmpv6::Message::ParameterProblem { code, pointer: 42 });
    let error = icmpv6::Message::Unreachable { code: icmpv6::unreachable::PORT };
    assert!(answers(&mut world, behind(error)).is_empty());
}

#[test]
fn a_refused_connect_learns_it_from_icmp() {
    let mut world = World::new();
    for (code, reason) in [
        (icmpv4::unreachable::PORT, Some(CloseReason::PortUnreachable)),
        (icmpv4::unreachable::HOST, None),
    ] {
        let client = world.connect(&at(SERVER, 80));
        let syn = world.client.transmit(world.now).pop().unwrap();
        let error = v4(SERVER, CLIENT, icmpv4::Message::Unreachable { code }, &syn[..28]);
        world.client.stack.input(world.now, error, RxMeta::default());
        let told = reason.map(|reason| Event::Closed(client, reason));
        assert_eq!(world.client.take_events(), Vec::from_iter(told), "{code}");
        world.client.stack.abort(world.now, client).unwrap();
        world.client.transmit(world.now);
    }
}

#[test]
fn an_error_about_a_syn_ack_frees_its_slot_when_it_quotes_it() {
    let mut world = World::new();
    world.listen(&at(SERVER, 80));
    let syn = Frame::syn(&at(CLIENT, 5), &at(SERVER, 80), 1).bytes();
    let syn_ack = answers(&mut world, syn).pop().unwrap();
    let code = icmpv4::unreachable::HOST;
    let error =
        |quoted: &[u8]| v4("10.0.0.77", SERVER, icmpv4::Message::Unreachable { code }, quoted);
    let mut forged = syn_ack[..28].to_vec();
    forged[27] ^= 1;
    assert!(answers(&mut world, error(&forged)).is_empty());
    assert_eq!(world.server.stack.usage().embryos, 1);
    assert!(answers(&mut world, error(&syn_ack[..28])).is_empty());
    assert_eq!(world.server.stack.usage().embryos, 0);
}

#[test]
fn a_narrow_path_is_found_and_remembered() {
    let mut world = World::new();
    let (client, _) = world.established(&at(SERVER, 80));
    world.client.stack.write(world.now, client, vec![1; 3000].into()).unwrap();
    let frames = world.client.transmit(world.now);
    assert_eq!(frames[0].len(), 1500);
    let too_big = icmpv4::Message::FragmentationNeeded { mtu: 1000 };
    let error = |quoted: &[u8]| v4("10.0.0.77", CLIENT, too_big, quoted);
    // Forged: a number that is not in flight, and a tuple that is nobody's.
    let mut forged = frames[0][..28].to_vec();
    forged[24] ^= 0x80;
    world.client.stack.input(world.now, error(&forged), RxMeta::default());
    forged[20] ^= 0x80;
    world.client.stack.input(world.now, error(&forged), RxMeta::default());
    assert!(world.client.transmit(world.now).is_empty());
    assert_eq!(world.client.stack.counters().drops[DropReason::IcmpNoSocket], 2);
    world.client.stack.input(world.now, error(&frames[0][..28]), RxMeta::default());
    let again = world.client.transmit(world.now);
    assert!(!again.is_empty() && again.iter().all(|frame| frame.len() <= 1000), "{again:?}");
    for frame in again {
        world.server.stack.input(world.now, frame, RxMeta::default());
    }
    world.settle();
    // The next connection begins with what the path carries.
    let next = world.connect(&at(SERVER, 80));
    world.settle();
    assert_eq!(world.client.stack.info(next).unwrap().send_mss, 960 - 12);
}

#[test]
fn paths_are_never_believed_to_be_absurdly_narrow() {
    let mut world = World::new();
    let (client, _) = world.established(&at(SERVER6, 80));
    world.client.stack.write(world.now, client, vec![1; 3000].into()).unwrap();
    let frames = world.client.transmit(world.now);
    let too_big = icmpv6::Message::PacketTooBig { mtu: 68 };
    let error = v6("2001:db8::77", CLIENT6, too_big, &frames[0][..80]);
    world.client.stack.input(world.now, error, RxMeta::default());
    let again = world.client.transmit(world.now);
    assert!(again.iter().any(|frame| frame.len() == 1280), "{again:?}");
}

#[test]
fn a_time_out_of_fragments_is_told_once() {
    let mut world = World::new();
    let mut header =
        ipv4::Header::new(CLIENT.parse().unwrap(), SERVER.parse().unwrap(), IpProtocol::UDP, 16);
    header.more_fragments = true;
    let mut first = header.to_vec();
    first.extend_from_slice(&unwanted(CLIENT, SERVER)[20..32]);
    first.extend_from_slice(&[0; 4]);
    assert!(answers(&mut world, first.into()).is_empty());
    assert_eq!(world.server.stack.usage().reassembly.0, 1);
    world.advance(std::time::Duration::from_secs(31));
    let sent = world.server.sent.clone();
    let code = icmpv4::time_exceeded::REASSEMBLY;
    assert_eq!(message_v4(&sent[0]).0, icmpv4::Message::TimeExceeded { code });
    assert_eq!((sent.len(), world.server.stack.usage().reassembly), (1, (0, 0)));
}
