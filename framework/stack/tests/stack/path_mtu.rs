//! How long packets may be on the way: found out by connections, told to later ones, seen in
//! captures; and what datagrams can find out for themselves.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::{Flags, MtuProbing};
use fyke_stack::wire::tcp::TcpOption;
use fyke_stack::wire::{icmpv4, icmpv6};
use fyke_stack::{
    Capture, ConnectOptions, Direction, ListenOptions, Medium, RxMeta, StackConfig, StackError,
    TcpId, UdpOptions, UdpSendOptions,
};

use crate::frames::parse;
use crate::icmp::{v4, v6};
use crate::world::{CLIENT, CLIENT6, SERVER, SERVER6, World, addr, at};

/// A client that searches for what its paths carry, to a server behind a path of `carries` that says
/// nothing.
fn world(probing: MtuProbing, carries: usize) -> World {
    let mut config = StackConfig::new(Medium::RawIp);
    config.tcp.mtu.probing = probing;
    let mut world = World::with(config, StackConfig::new(Medium::RawIp));
    world.filter = Box::new(move |forth, frame| !forth || frame.len() <= carries);
    world
}

fn transfer(world: &mut World, client: TcpId, server: TcpId, bytes: usize) {
    let all: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
    let (mut left, mut received) = (Bytes::from(all.clone()), Vec::new());
    for _ in 0..20_000 {
        let taken = world.client.stack.write(world.now, client, left.clone()).unwrap_or(0);
        let _ = left.split_to(taken);
        world.advance(Duration::from_millis(1));
        received.extend(world.server.read_all(world.now, server).0);
        if received.len() == bytes {
            assert!(received == all, "other bytes");
            return;
        }
    }
    panic!("{} of {bytes} bytes", received.len());
}

/// RFC 4821, sections 5.2 and 7.7: what a connection found out, later ones to the same host know.
#[test]
fn what_one_connection_finds_out_others_begin_with() {
    for (server, headers) in [(SERVER, 40), (SERVER6, 60)] {
        let mut world = world(MtuProbing::AfterBlackHole, 1400);
        let (client, accepted) = world.established(&at(server, 80));
        transfer(&mut world, client, accepted, 1_000_000);
        let search = world.client.stack.info(client).unwrap().mtu_search.expect("a search");
        assert_eq!(search.black_holes, 1);
        let host: IpAddr = server.parse().unwrap();
        let found = world.client.stack.path_mtu(host);
        assert!((1393..=1400).contains(&found), "{found}: {search:?}");
        assert_eq!(found, search.low + headers);
        let counters = world.client.stack.counters();
        assert_eq!(counters.mtu_probes_out, u64::from(search.probes));
        assert_eq!(counters.mtu_searches_done, 1);
        // Other hosts are not concerned; and it is forgotten when it may have changed.
        assert_eq!(world.client.stack.path_mtu("10.9.9.9".parse().unwrap()), 1500);
        let next = world.connect(&at(server, 80));
        world.settle();
        let info = world.client.stack.info(next).unwrap();
        assert_eq!(info.send_mss, u32::from(found - headers) - 12);
        assert_eq!(
            info.mtu_search.map(|search| (search.probes, search.high)),
            Some((0, search.low))
        );
        world.advance(Duration::from_secs(601));
        assert_eq!(world.client.stack.path_mtu(host), 1500);
    }
}

/// RFC 1191, section 6.3, and RFC 8201, section 4: a connection that began with what another one found out
/// tries larger segments when that is old, and not before; and ends where the path does.
#[test]
fn rfc_8201_4_what_others_found_out_is_tried_again_when_it_is_old() {
    for (later, found) in [(1500, 1500), (1400, 1400)] {
        let mut world = world(MtuProbing::AfterBlackHole, 1400);
        let (client, accepted) = world.established(&at(SERVER, 80));
        transfer(&mut world, client, accepted, 1_000_000);
        assert_eq!(world.client.stack.path_mtu(SERVER.parse().unwrap()), 1400);
        world.client.take_events();
        let (next, accepted) = world.established(&at(SERVER, 81));
        world.filter = Box::new(move |forth, frame| !forth || frame.len() <= later);
        transfer(&mut world, next, accepted, 1_000_000);
        let search = |world: &World| world.client.stack.info(next).unwrap().mtu_search.unwrap();
        assert_eq!(search(&world).probes, 0, "not before the time");
        world.advance(Duration::from_secs(600));
        transfer(&mut world, next, accepted, 3_000_000);
        let info = world.client.stack.info(next).unwrap();
        assert_eq!(info.send_mss, found - 52, "{:?}", search(&world));
        assert!((1..20).contains(&search(&world).probes));
        assert_eq!((info.timeouts, search(&world).black_holes), (0, 0));
        let known = world.client.stack.path_mtu(SERVER.parse().unwrap());
        assert_eq!(u32::from(known), found, "others know it again, or that it is over");
    }
}

/// RFC 8201, section 4: what says that more passes than is known does not make that any younger.
#[test]
fn rfc_8201_4_a_larger_size_keeps_no_smaller_one_alive() {
    let mut world = World::new();
    let (client, _) = world.established(&at(SERVER, 80));
    let told = |world: &mut World, mtu: u16| {
        world.client.stack.write(world.now, client, vec![1; 3000].into()).unwrap();
        let frames = world.client.transmit(world.now);
        let error = icmpv4::Message::FragmentationNeeded { mtu };
        let error = v4("10.0.0.77", CLIENT, error, &frames[0][..28]);
        world.client.stack.input(world.now, error, RxMeta::default());
        world.settle();
    };
    told(&mut world, 1000);
    world.advance(Duration::from_secs(400));
    told(&mut world, 1200);
    let host = SERVER.parse().unwrap();
    assert_eq!(world.client.stack.path_mtu(host), 1000);
    world.advance(Duration::from_secs(201));
    assert_eq!(world.client.stack.path_mtu(host), 1500);
}

/// A probe leaves as one packet that must not be cut, also where the device cuts segments.
#[test]
fn rfc_4821_6_2_a_probe_is_one_packet_and_captures_say_so() {
    type Frames = Vec<(usize, Option<&'static str>)>;
    #[derive(Clone, Default)]
    struct Record(Arc<Mutex<Frames>>);
    impl Capture for Record {
        fn frame(&mut self, _: Instant, direction: Direction, pieces: &[&[u8]]) {
            let length = pieces.iter().map(|piece| piece.len()).sum();
            if direction == Direction::Out {
                self.0.lock().unwrap().push((length, None));
            }
        }

        fn remark(&mut self, _: Instant, _: Direction, text: &'static str) {
            self.0.lock().unwrap().last_mut().unwrap().1 = Some(text);
        }
    }
    let mut world = world(MtuProbing::Always, 1500);
    let (client, accepted) = world.established(&at(SERVER, 80));
    let record = Record::default();
    world.client.stack.set_capture(Some(Box::new(record.clone())));
    transfer(&mut world, client, accepted, 100_000);
    let sent = record.0.lock().unwrap().clone();
    let first = sent.iter().position(|(length, _)| *length == 1500).unwrap();
    assert_eq!(sent[first].1, Some("MTU probe"));
    assert_eq!(sent.iter().filter(|(_, remark)| remark.is_some()).count(), 1);
    assert!(sent[..first].iter().all(|(length, _)| *length <= 1064));
    assert_eq!(world.client.stack.info(client).unwrap().send_mss, 1448);
    assert_eq!(world.client.stack.path_mtu(SERVER.parse().unwrap()), 1500);
}

/// The link becomes narrower, and wider: segments follow at once, and by probes.
#[test]
fn the_links_own_mtu_may_change() {
    let mut world = world(MtuProbing::Always, 1500);
    let (client, accepted) = world.established(&at(SERVER, 80));
    transfer(&mut world, client, accepted, 100_000);
    world.client.stack.set_mtu(world.now, 1200);
    world.client.sent.clear();
    transfer(&mut world, client, accepted, 100_000);
    assert_eq!(world.client.sent.iter().map(Bytes::len).max(), Some(1200));
    world.client.stack.set_mtu(world.now, 1400);
    transfer(&mut world, client, accepted, 100_000);
    assert_eq!(world.client.sent.iter().map(Bytes::len).max(), Some(1400));
}

/// What a SYN or a SYN-ACK tells, and nothing about other segments.
pub(crate) fn told_mss(frame: &Bytes) -> Option<u16> {
    let seen = parse(frame);
    let syn = seen.destination.port() != 0 && seen.flags().contains(Flags::SYN);
    let mut options = seen.header.options.iter().filter(|_| syn);
    options.find_map(|option| match option {
        TcpOption::MaximumSegmentSize(mss) => Some(mss),
        _ => None,
    })
}

/// RFC 9293, section 3.7.1 (MUST-67; MMS_R): what the path carries on the way out bounds what is sent,
/// and is no part of what a SYN or a SYN-ACK tells; nor do acknowledgements count by it.
#[test]
fn rfc_9293_3_7_1_a_narrow_path_out_says_nothing_about_the_way_in() {
    for (server, headers) in [(SERVER, 40), (SERVER6, 60)] {
        let mut world = World::new();
        let (client, _) = world.established(&at(server, 80));
        world.client.stack.write(world.now, client, vec![1; 3000].into()).unwrap();
        let frames = world.client.transmit(world.now);
        let error = match server {
            SERVER => {
                let too_big = icmpv4::Message::FragmentationNeeded { mtu: 1300 };
                v4("10.0.0.77", CLIENT, too_big, &frames[0][..28])
            }
            _ => {
                let too_big = icmpv6::Message::PacketTooBig { mtu: 1300 };
                v6("2001:db8::77", CLIENT6, too_big, &frames[0][..80])
            }
        };
        world.client.stack.input(world.now, error, RxMeta::default());
        world.settle();
        assert_eq!(world.client.stack.path_mtu(server.parse().unwrap()), 1300);
        // An active open and a passive one, both with data in both directions.
        let own = at(if server == SERVER { CLIENT } else { CLIENT6 }, 80);
        world.client.sent.clear();
        let active = world.connect(&at(server, 80));
        let listener = world.client.stack.listen(addr(&own), ListenOptions::default()).unwrap();
        let to = ConnectOptions::default();
        let other = world.server.stack.connect(world.now, addr(&own), to).unwrap();
        world.settle();
        let told: Vec<_> = world.client.sent.iter().filter_map(told_mss).collect();
        assert_eq!(told, [1500 - headers; 2], "a SYN and a SYN-ACK");
        let passive = world.client.stack.accept(listener).unwrap();
        world.server.stack.write(world.now, other, vec![2; 9000].into()).unwrap();
        world.client.stack.write(world.now, passive, vec![3; 9000].into()).unwrap();
        world.settle();
        let info = |id| world.client.stack.info(id).unwrap();
        assert_eq!(info(active).send_mss, u32::from(1300 - headers - 12));
        assert_eq!(info(passive).send_mss, u32::from(1300 - headers - 12));
        assert_eq!(info(passive).receive_mss, u32::from(1500 - headers - 12));
        let longest = world.client.sent.iter().map(Bytes::len).max();
        assert_eq!(longest, Some(1300));
    }
}

/// RFC 8899, section 6: protocols over UDP that search for themselves.
#[test]
fn rfc_8899_6_a_datagram_can_be_a_probe() {
    for (from, server, headers) in [(CLIENT, SERVER, 28), (CLIENT6, SERVER6, 48)] {
        let mut world = World::new();
        let socket = world.client.stack.udp_bind(addr(&at(from, 0)), UdpOptions::default());
        let socket = socket.unwrap();
        let to = Some(addr(&at(server, 53)));
        let mut probe = UdpSendOptions::default();
        probe.mtu_probe = true;
        let send = |world: &mut World, length: usize, with| {
            let payload = vec![7; length - headers].into();
            world.client.stack.udp_send_with(world.now, socket, to, payload, with)?;
            Ok(world.client.transmit(world.now))
        };
        let sent = send(&mut world, 1500, probe).unwrap();
        assert_eq!(sent.len(), 1);
        let cut = |frame: &Bytes| from.contains('.') && frame[6] & 0x40 == 0;
        assert!(!cut(&sent[0]), "DF is set");
        // A router drops it and says why; only who can quote it is believed.
        let error = match from {
            CLIENT => {
                let too_big = icmpv4::Message::FragmentationNeeded { mtu: 1400 };
                v4("10.0.0.77", CLIENT, too_big, &sent[0][..28])
            }
            _ => {
                let too_big = icmpv6::Message::PacketTooBig { mtu: 1400 };
                v6("2001:db8::77", CLIENT6, too_big, &sent[0][..48])
            }
        };
        world.client.stack.input(world.now, error, RxMeta::default());
        let told = world.client.stack.udp_take_error(socket);
        assert_eq!(told, Some((addr(&at(server, 53)), StackError::MessageTooLong)));
        let host = server.parse().unwrap();
        assert_eq!(world.client.stack.path_mtu(host), 1400, "what the router said");
        // Others are cut for it, probes are not, and more than the link takes is refused.
        let sent = send(&mut world, 1500, UdpSendOptions::default()).unwrap();
        assert!(sent.len() == 2 && sent.iter().all(|frame| frame.len() <= 1400));
        let sent = send(&mut world, 1500, probe).unwrap();
        assert!(sent.len() == 1 && sent[0].len() == 1500 && !cut(&sent[0]));
        assert_eq!(send(&mut world, 1501, probe), Err(StackError::MessageTooLong));
    }
}
