//! The Ethernet medium: ARP, neighbours that answer, lie or are dead, frames that are not for us.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use fyke_stack::wire::ethernet::{EtherType, Frame, FrameKind, Header};
use fyke_stack::wire::{Emit, MacAddress, arp};
use fyke_stack::{
    AddressState, Cidr, DropReason, Event, Medium, NeighborState, Route, RxMeta, StackConfig,
    StackError, UdpOptions,
};

use crate::world::{CLIENT, CLIENT6, Host, SERVER, SERVER6, World, addr, at};

pub(crate) const MAC_CLIENT: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
pub(crate) const MAC_SERVER: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
const MAC_OTHER: MacAddress = MacAddress([2, 0, 0, 0, 0, 3]);

pub(crate) fn config(mac: MacAddress) -> StackConfig {
    let mut config = StackConfig::new(Medium::Ethernet(mac));
    // Most tests are not about the second that detection takes.
    config.duplicate_address_probes = 0;
    config
}

/// Two hosts on one link, after they have announced themselves.
pub(crate) fn link() -> World {
    let mut world = World::with(config(MAC_CLIENT), config(MAC_SERVER));
    // The second announcement is two seconds after the first.
    world.advance(Duration::from_secs(3));
    world.client.sent.clear();
    world.server.sent.clear();
    world
}

fn frame(to: MacAddress, from: MacAddress, ethertype: EtherType, payload: &[u8]) -> Bytes {
    let mut bytes = Header { destination: to, source: from, vlan: None, ethertype }.to_vec();
    bytes.extend_from_slice(payload);
    bytes.into()
}

fn arp_frame(to: MacAddress, message: &arp::Message) -> Bytes {
    frame(to, message.sender_mac, EtherType::ARP, &message.to_vec())
}

fn arps(frames: &[Bytes]) -> Vec<arp::Message> {
    let parsed = frames.iter().map(|bytes| Frame::parse(bytes).unwrap());
    let arps = parsed.filter(|frame| frame.kind() == FrameKind::Type(EtherType::ARP));
    arps.map(|frame| arp::Message::parse(frame.payload()).unwrap()).collect()
}

#[test]
fn connections_work_over_either_family() {
    for server in [SERVER, SERVER6] {
        let mut world = link();
        let (client, accepted) = world.established(&at(server, 80));
        world.client.stack.write(world.now, client, vec![3; 10_000].into()).unwrap();
        world.settle();
        assert_eq!(world.server.read_all(world.now, accepted).0, vec![3; 10_000]);
        let known = world.client.stack.neighbors().next().unwrap();
        assert_eq!((known.mac, known.address), (Some(MAC_SERVER), server.parse().unwrap()));
        for sent in &world.client.sent {
            let frame = Frame::parse(sent).unwrap();
            assert_eq!(frame.source(), MAC_CLIENT);
            assert!(frame.destination() == MAC_SERVER || frame.destination().is_multicast());
        }
    }
    assert_ne!(CLIENT, CLIENT6);
}

#[test]
fn three_packets_wait_and_one_request_a_second_goes_out() {
    let mut world = link();
    world.filter = Box::new(|_, _| false);
    let id = world.client.stack.udp_bind(addr("0.0.0.0:0"), UdpOptions::default()).unwrap();
    let to = Some(addr("10.0.0.200:9"));
    for _ in 0..10 {
        world.client.stack.udp_send(world.now, id, to, "x".into()).unwrap();
    }
    world.settle();
    assert_eq!(arps(&world.client.sent).len(), 1);
    let drops = world.client.stack.counters().drops;
    assert_eq!(drops[DropReason::NeighborQueueFull], 7);
    for second in 1..10 {
        world.advance(Duration::from_secs(1));
        world.client.stack.udp_send(world.now, id, to, "x".into()).unwrap();
        world.settle();
        assert!(arps(&world.client.sent).len() <= second + 1);
    }
    assert!(world.client.stack.counters().drops[DropReason::NeighborUnreachable] >= 3);
}

#[test]
fn who_sends_to_a_dead_neighbour_hears_of_it() {
    for dead in ["10.0.0.200:9", "[2001:db8::200]:9"] {
        let mut world = link();
        let id = world.client.stack.udp_bind(addr("[::]:0"), UdpOptions::default()).unwrap();
        let dead = addr(dead);
        world.client.stack.udp_send(world.now, id, Some(dead), "x".into()).unwrap();
        world.advance(Duration::from_secs(2));
        assert_eq!(world.client.stack.udp_take_error(id), None);
        world.advance(Duration::from_secs(2));
        assert_eq!(world.client.take_events(), [Event::UdpReadable(id)]);
        let error = world.client.stack.udp_take_error(id);
        assert_eq!(error, Some((dead, StackError::Unreachable)));
    }
}

/// smoltcp #1101: one dead host must not slow the living.
#[test]
fn a_dead_neighbour_slows_nobody_else() {
    let mut world = link();
    let id = world.client.stack.udp_bind(addr("0.0.0.0:0"), UdpOptions::default()).unwrap();
    for n in 100..=255 {
        let dead = Some(addr(&format!("10.0.0.{n}:9")));
        let _ = world.client.stack.udp_send(world.now, id, dead, "x".into());
        world.settle();
    }
    let begun = world.now;
    let (client, _) = world.established(&at(SERVER, 80));
    assert_eq!((world.now, world.client.stack.readable(client)), (begun, 0));
}

#[test]
fn neighbours_that_come_and_go_leave_no_timers() {
    let mut world = link();
    world.established(&at(SERVER, 80));
    let before = world.client.stack.usage().timers;
    let id = world.client.stack.udp_bind(addr("[::]:0"), UdpOptions::default()).unwrap();
    for n in 0..5_000 {
        let dead = Some(addr(&format!("[2001:db8::{n:x}:9]:9")));
        world.client.stack.udp_send(world.now, id, dead, "x".into()).unwrap();
        world.client.transmit(world.now);
    }
    assert!(world.client.stack.usage().timers <= before + 512, "one for each that is asked for");
    // Somebody who quarrels about an address makes no timers, either.
    let server: Ipv4Addr = SERVER.parse().unwrap();
    for n in 0..1000 {
        let claim = arp::Message::request(MacAddress([2, 0, 0, 1, 0, n as u8]), server, server);
        let bytes = arp_frame(MacAddress::BROADCAST, &claim);
        world.client.stack.input(world.now, bytes, RxMeta::default());
        world.settle();
    }
    assert!(world.client.stack.usage().timers <= before + 520);
    world.advance(Duration::from_secs(10));
    assert!(world.client.stack.usage().timers <= before + 1);
}

#[test]
fn forged_answers_move_nobody() {
    let mut world = link();
    let (client, server) = world.established(&at(SERVER, 80));
    let forged = arp::Message {
        operation: arp::Operation::Reply,
        sender_mac: MAC_OTHER,
        sender_ip: SERVER.parse().unwrap(),
        target_mac: MAC_CLIENT,
        target_ip: CLIENT.parse().unwrap(),
    };
    let gratuitous =
        arp::Message::request(MAC_OTHER, SERVER.parse().unwrap(), SERVER.parse().unwrap());
    for message in [forged, gratuitous] {
        let bytes = arp_frame(MAC_CLIENT, &message);
        world.client.stack.input(world.now, bytes, RxMeta::default());
        world.settle();
        let known = world.client.stack.neighbors().next().unwrap();
        assert_eq!(known.mac, Some(MAC_SERVER));
    }
    world.client.stack.write(world.now, client, "still here".into()).unwrap();
    world.settle();
    assert_eq!(world.server.read_all(world.now, server).0, b"still here");
}

#[test]
fn who_has_moved_is_found_again() {
    let mut world = link();
    world.established(&at(SERVER, 80));
    // The server dies, and another station takes its address and says so.
    let now = world.now;
    world.server = Host::new(config(MAC_OTHER), &["10.0.0.2/24"], 5, now);
    world.settle();
    world.advance(Duration::from_secs(5));
    world.listen(&at(SERVER, 81));
    let client = world.connect(&at(SERVER, 81));
    world.advance(Duration::from_secs(2));
    assert_eq!(world.client.take_events(), [Event::Connected(client)]);
    let known = world.client.stack.neighbors().next().unwrap();
    assert_eq!((known.mac, known.state), (Some(MAC_OTHER), NeighborState::Reachable));
}

/// R1 of RFC 9293, section 3.8.3: after three time-outs the next hop is asked whether it is there, long
/// before its last answer is too old.
#[test]
fn a_connection_that_hears_nothing_has_its_neighbour_asked() {
    let mut world = link();
    let (client, _) = world.established(&at(SERVER, 80));
    world.client.sent.clear();
    world.filter = Box::new(|_, _| false);
    world.client.stack.write(world.now, client, "anybody there?".into()).unwrap();
    let state = |world: &World| world.client.stack.neighbors().next().unwrap().state;
    world.advance(Duration::from_millis(600));
    assert_eq!(state(&world), NeighborState::Reachable);
    world.advance(Duration::from_millis(1400));
    assert_eq!(state(&world), NeighborState::Probe);
    let asked = arps(&world.client.sent);
    assert!(asked.iter().all(|request| request.target_ip == SERVER.parse::<Ipv4Addr>().unwrap()));
    assert!(!asked.is_empty());
    world.filter = Box::new(|_, _| true);
    world.advance(Duration::from_secs(5));
    assert_eq!(state(&world), NeighborState::Reachable);
    assert_eq!(world.client.stack.info(client).unwrap().unacknowledged, 0);
}

#[test]
fn frames_that_are_not_for_us_are_counted() {
    let mut world = link();
    let mut put = |bytes: Bytes| world.server.stack.input(world.now, bytes, RxMeta::default());
    put(frame(MAC_OTHER, MAC_CLIENT, EtherType::IPV4, &[0; 46]));
    put(frame(MAC_SERVER, MAC_CLIENT, EtherType(46), &[0; 46]));
    put(frame(MAC_SERVER, MAC_CLIENT, EtherType(0x88cc), &[0; 46]));
    put(frame(MAC_SERVER, MacAddress::BROADCAST, EtherType::IPV4, &[0; 46]));
    put(Bytes::from_static(&[0; 13]));
    let drops = world.server.stack.counters().drops;
    for (reason, count) in [
        (DropReason::OtherStation, 1),
        (DropReason::Ethernet8023, 1),
        (DropReason::UnknownEtherType, 1),
        (DropReason::Malformed, 2),
    ] {
        assert_eq!(drops[reason], count, "{reason:?}");
    }
}

#[test]
fn an_address_of_ours_is_defended_but_not_for_ever() {
    let mut world = link();
    let claim = arp::Message::request(MAC_OTHER, SERVER.parse().unwrap(), SERVER.parse().unwrap());
    let claim = arp_frame(MacAddress::BROADCAST, &claim);
    for _ in 0..100 {
        world.server.stack.input(world.now, claim.clone(), RxMeta::default());
    }
    let sent = world.server.transmit(world.now);
    assert_eq!(arps(&sent).len(), 1, "RFC 5227: once in ten seconds");
    assert!(arps(&sent)[0].is_gratuitous());
    let conflict = Event::AddressConflict(SERVER.parse().unwrap());
    assert_eq!(world.server.event(), conflict);
}

#[test]
fn an_address_somebody_has_is_not_taken() {
    for (address, four) in [("10.0.0.2/24", true), ("2001:db8::2/64", false)] {
        let mut world = link();
        let mut probing = config(MAC_CLIENT);
        probing.duplicate_address_probes = 1;
        probing.arp_probes = 3;
        world.client = Host::new(probing, &[address], 3, world.now);
        let cidr: Cidr = address.parse().unwrap();
        let state = |world: &World| world.client.stack.addresses().next().unwrap().state;
        assert_eq!(state(&world), AddressState::Tentative);
        let refused =
            world.client.stack.connect(world.now, addr(&at(CLIENT, 1)), Default::default());
        assert_eq!(refused, Err(StackError::Unreachable));
        world.advance(Duration::from_secs(5));
        assert_eq!(state(&world), AddressState::Duplicate, "{four}");
        assert_eq!(world.client.take_events(), [Event::AddressConflict(cidr.address())]);
        // A free one is.
        let free: Cidr = if four { "10.0.0.7/24" } else { "2001:db8::7/64" }.parse().unwrap();
        world.client.stack.add_address(world.now, free).unwrap();
        world.advance(Duration::from_secs(5));
        assert_eq!(world.client.take_events(), [Event::AddressReady(free.address())]);
    }
}

/// RFC 5227, section 2.3: an address is announced twice, two seconds apart; not any more when it was
/// taken away meanwhile.
#[test]
fn rfc5227_2_3_an_address_is_announced_twice() {
    for probes in [0, 3] {
        for taken in [false, true] {
            let mut world = link();
            let mut careful = config(MAC_CLIENT);
            careful.arp_probes = probes;
            world.client = Host::new(careful, &["10.0.0.7/24"], 3, world.now);
            let mut told = Vec::new();
            for _ in 0..1000 {
                world.advance(Duration::from_millis(10));
                let sent = std::mem::take(&mut world.client.sent);
                let new = arps(&sent).into_iter().filter(arp::Message::is_gratuitous);
                told.extend(new.map(|_| world.now));
                if taken && told.len() == 1 {
                    world.client.stack.remove_address("10.0.0.7".parse().unwrap());
                }
            }
            assert_eq!(told.len(), if taken { 1 } else { 2 });
            if !taken {
                let between = (told[1] - told[0]).as_millis();
                assert!((1990..=2010).contains(&between), "{between} ms");
            }
        }
    }
}

#[test]
fn what_is_far_goes_to_the_gateway() {
    let mut world = link();
    let none = world.client.stack.connect(world.now, addr("192.0.2.1:80"), Default::default());
    assert_eq!(none, Err(StackError::Unreachable));
    for (network, gateway, far) in
        [("0.0.0.0/0", SERVER, "192.0.2.1:80"), ("::/0", SERVER6, "[2001:db8:9::1]:80")]
    {
        let route = Route::via(network.parse().unwrap(), gateway.parse().unwrap());
        world.client.stack.add_route(route).unwrap();
        world.client.sent.clear();
        world.connect(far);
        world.settle();
        let syn = world.client.sent.last().unwrap();
        assert_eq!(Frame::parse(syn).unwrap().destination(), MAC_SERVER);
    }
    let mixed = Route::via("0.0.0.0/0".parse().unwrap(), SERVER6.parse().unwrap());
    assert_eq!(world.client.stack.add_route(mixed), Err(StackError::InvalidAddress));
}

#[test]
fn the_network_of_an_address_is_nearer_than_the_default_route() {
    let mut world = link();
    for (network, gateway, near) in
        [("0.0.0.0/0", "10.0.0.254", at(SERVER, 80)), ("::/0", "2001:db8::fe", at(SERVER6, 80))]
    {
        let route = Route::via(network.parse().unwrap(), gateway.parse().unwrap());
        world.client.stack.add_route(route).unwrap();
        world.established(&near);
    }
    // A route to a part of it is nearer still.
    let route = Route::via("10.0.0.0/28".parse().unwrap(), "10.0.0.254".parse().unwrap());
    world.client.stack.add_route(route).unwrap();
    world.connect(&at(SERVER, 80));
    world.client.sent.clear();
    world.settle();
    assert_eq!(arps(&world.client.sent)[0].target_ip.to_string(), "10.0.0.254");
}

#[test]
fn a_proxy_answers_for_what_it_routes() {
    let mut proxy = config(MAC_SERVER);
    proxy.proxy_arp = true;
    let mut world = World::with(config(MAC_CLIENT), proxy);
    world.settle();
    let route = Route::via("172.16.0.0/12".parse().unwrap(), "10.0.0.99".parse().unwrap());
    world.server.stack.add_route(route).unwrap();
    let ask = |world: &mut World, target: [u8; 4]| {
        let request = arp::Message::request(MAC_CLIENT, CLIENT.parse().unwrap(), target.into());
        let bytes = arp_frame(MacAddress::BROADCAST, &request);
        world.server.stack.input(world.now, bytes, RxMeta::default());
        arps(&world.server.transmit(world.now)).len()
    };
    assert_eq!(ask(&mut world, [172, 16, 5, 5]), 1);
    assert_eq!(ask(&mut world, [10, 0, 0, 55]), 0);
    assert_eq!(ask(&mut world, [10, 0, 0, 2]), 1);
}

#[test]
fn padding_is_no_payload() {
    let mut world = link();
    let id = world.server.stack.udp_bind(addr("0.0.0.0:53"), UdpOptions::default()).unwrap();
    let one = world.client.stack.udp_bind(addr("0.0.0.0:0"), UdpOptions::default()).unwrap();
    world.client.stack.set_neighbor(world.now, SERVER.parse().unwrap(), MAC_SERVER);
    let to = Some(addr(&at(SERVER, 53)));
    world.client.stack.udp_send(world.now, one, to, "x".into()).unwrap();
    let mut padded = world.client.transmit(world.now).pop().unwrap().to_vec();
    padded.resize(60, 0xee);
    world.server.stack.input(world.now, padded.into(), RxMeta::default());
    assert_eq!(world.server.stack.udp_receive(id).unwrap().payload, "x");
}
