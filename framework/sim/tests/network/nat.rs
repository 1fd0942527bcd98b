//! NAT boxes: mappings, their end, who comes in, and what becomes of those without.

use std::time::Duration;

use fyke_sim::stack::tcp::CloseReason;
use fyke_sim::{
    DropReason, LinkConfig, Nat, NatConfig, NatFiltering, NatMapping, NatUnknown, RouterConfig,
    World,
};

use crate::support::*;

/// Two clients behind a NAT box, two servers on the other side of a router.
pub(crate) struct Home {
    pub(crate) world: World,
    pub(crate) clients: [TalkerHost; 2],
    pub(crate) servers: [TalkerHost; 2],
    pub(crate) nat: Nat,
}

pub(crate) fn home(seed: u64, config: NatConfig) -> Home {
    let world = World::new(seed);
    let switch = world.switch("lan").unwrap();
    let nat = world.nat("nat", "192.168.1.1/24", "198.51.100.2/24", config).unwrap();
    nat.router().route("0.0.0.0/0", "198.51.100.1").unwrap();
    let router = world.router("isp", RouterConfig::new()).unwrap();
    let near = router.port(&["198.51.100.1/24"]).unwrap();
    let far = router.port(&["203.0.113.1/24"]).unwrap();
    let hosting = world.switch("hosting").unwrap();
    let client = |name, address| client_host(&world, name, address, Some("192.168.1.1"));
    let server = |name, address| echo_host(&world, name, address, Some("203.0.113.1"));
    let clients = [client("c1", "192.168.1.11/24"), client("c2", "192.168.1.12/24")];
    let servers = [server("s1", "203.0.113.11/24"), server("s2", "203.0.113.12/24")];
    for host in &clients {
        world.link(host, &switch, LinkConfig::new()).unwrap();
    }
    for host in &servers {
        world.link(host, &hosting, LinkConfig::new()).unwrap();
    }
    world.link(&switch, &nat.inside(), LinkConfig::new()).unwrap();
    world.link(&nat.outside(), &near, LinkConfig::new().delay(ms(10))).unwrap();
    world.link(&far, &hosting, LinkConfig::new()).unwrap();
    Home { world, clients, servers, nat }
}

pub(crate) const S1: &str = "203.0.113.11:7";
pub(crate) const S2: &str = "203.0.113.12:7";

pub(crate) fn udp(host: &TalkerHost, port: u16) -> fyke_sim::stack::UdpId {
    host.with_stack(|stack, _| {
        stack.udp_bind(([0, 0, 0, 0], port).into(), Default::default()).unwrap()
    })
}

pub(crate) fn udp_send(host: &TalkerHost, id: fyke_sim::stack::UdpId, to: &str) {
    host.with_stack(|stack, now| {
        stack.udp_send(now, id, Some(to.parse().unwrap()), vec![7; 20].into()).unwrap();
    });
}

pub(crate) fn datagrams(host: &TalkerHost) -> usize {
    host.with(|talker, _| talker.datagrams.len())
}

/// Where the server saw its last datagram come from.
pub(crate) fn seen_from(host: &TalkerHost) -> String {
    host.with(|talker, _| talker.datagrams.last().unwrap().1.to_string())
}

#[test]
fn tcp_goes_out_and_answers_come_in() {
    let home = home(1, NatConfig::new());
    for client in &home.clients {
        echo(&home.world, client, S1, 50_000);
    }
    assert_eq!(home.nat.sessions(), 2);
    let remote = home.servers[0]
        .with(|talker, cx| cx.stack.endpoints(talker.lines[0].id).unwrap().1.ip().to_string());
    assert_eq!(remote, "198.51.100.2", "the server sees the box");
}

#[test]
fn an_idle_tcp_mapping_ends_and_with_traffic_it_lives() {
    for (unknown, reason) in
        [(NatUnknown::Drop, None), (NatUnknown::Reset, Some(CloseReason::Reset))]
    {
        let config = NatConfig::new().tcp_timeout(secs(60)).unknown(unknown);
        let home = home(2, config);
        let client = &home.clients[0];
        let busy = echo(&home.world, client, S1, 10);
        let idle = echo(&home.world, client, S2, 10);
        for n in 2..20 {
            home.world.run_for(secs(20)).unwrap();
            send(client, busy, &pattern(10));
            await_bytes(&home.world, client, busy, n * 10).unwrap();
        }
        assert_eq!(home.nat.sessions(), 1, "the idle one is gone");
        send(client, idle, &pattern(10));
        home.world.run_for(secs(5)).unwrap();
        assert_eq!(received(client, idle), 10, "data after the time-out is lost");
        assert_eq!(closed(client, idle), reason);
        assert!(home.world.drops_of(home.nat.id())[DropReason::NatNoMapping] > 0);
        send(client, busy, &pattern(10));
        await_bytes(&home.world, client, busy, 200).unwrap();
    }
}

#[test]
fn an_open_connection_lives_shorter_than_one_that_is_being_opened_when_told_so() {
    let config = NatConfig::new().tcp_timeout(secs(60)).tcp_transitory_timeout(secs(240));
    let home = home(13, config);
    echo(&home.world, &home.clients[0], S1, 10);
    home.world.run_for(secs(59)).unwrap();
    assert_eq!(home.nat.sessions(), 1);
    home.world.run_for(secs(2)).unwrap();
    assert_eq!(home.nat.sessions(), 0);
}

#[test]
fn a_box_that_becomes_more_impatient_does_so_at_once() {
    let home = home(14, NatConfig::new().tcp_timeout(secs(600)));
    echo(&home.world, &home.clients[0], S1, 10);
    home.nat.update(|config| config.tcp_timeout(secs(30)));
    home.world.run_for(secs(29)).unwrap();
    assert_eq!(home.nat.sessions(), 1);
    home.world.run_for(secs(2)).unwrap();
    assert_eq!(home.nat.sessions(), 0);
}

#[test]
fn udp_has_a_time_of_its_own() {
    let config = NatConfig::new().udp_timeout(secs(30)).tcp_timeout(secs(600));
    let home = home(3, config);
    let client = &home.clients[0];
    let socket = udp(client, 5000);
    echo(&home.world, client, S1, 10);
    udp_send(client, socket, S1);
    home.world.run_for(secs(1)).unwrap();
    assert_eq!((datagrams(client), home.nat.sessions()), (1, 2));
    let from = seen_from(&home.servers[0]);
    // Within its time the server reaches the client, and that keeps the mapping.
    let push = |home: &Home| {
        let id = home.servers[0].with(|talker, _| talker.datagrams[0].0);
        udp_send(&home.servers[0], id, &from);
        home.world.run_for(secs(1)).unwrap();
    };
    home.world.run_for(secs(28)).unwrap();
    push(&home);
    assert_eq!(datagrams(client), 2);
    home.world.run_for(secs(28)).unwrap();
    push(&home);
    assert_eq!(datagrams(client), 3);
    home.world.run_for(secs(31)).unwrap();
    push(&home);
    assert_eq!(datagrams(client), 3, "the mapping is gone");
    assert_eq!(home.nat.sessions(), 1, "that of TCP is not");
}

#[test]
fn packets_from_outside_may_not_keep_a_mapping() {
    let config = NatConfig::new().udp_timeout(secs(30)).incoming_refreshes(false);
    let home = home(4, config);
    let client = &home.clients[0];
    let socket = udp(client, 5000);
    udp_send(client, socket, S1);
    home.world.run_for(secs(1)).unwrap();
    let from = seen_from(&home.servers[0]);
    let id = home.servers[0].with(|talker, _| talker.datagrams[0].0);
    for _ in 0..4 {
        home.world.run_for(secs(9)).unwrap();
        udp_send(&home.servers[0], id, &from);
    }
    home.world.run_for(secs(1)).unwrap();
    assert_eq!(datagrams(client), 4, "its echo and three, not the one after half a minute");
}

#[test]
fn mappings_do_not_depend_on_the_peer_unless_told() {
    for (mapping, same) in
        [(NatMapping::EndpointIndependent, true), (NatMapping::AddressAndPortDependent, false)]
    {
        let home = home(5, NatConfig::new().mapping(mapping));
        let client = &home.clients[0];
        let socket = udp(client, 5000);
        udp_send(client, socket, S1);
        udp_send(client, socket, S2);
        home.world.run_for(secs(1)).unwrap();
        assert_eq!(datagrams(client), 2);
        let ports = [seen_from(&home.servers[0]), seen_from(&home.servers[1])];
        assert_eq!(ports[0] == ports[1], same, "{ports:?}");
        assert_eq!(ports[0], "198.51.100.2:5000", "the port is kept when it is free");
    }
}

#[test]
fn strangers_are_filtered_as_told() {
    for (filtering, passes) in [
        (NatFiltering::AddressAndPortDependent, [false, false]),
        (NatFiltering::AddressDependent, [true, false]),
        (NatFiltering::EndpointIndependent, [true, true]),
    ] {
        let home = home(6, NatConfig::new().filtering(filtering));
        let client = &home.clients[0];
        let socket = udp(client, 5000);
        udp_send(client, socket, S1);
        home.world.run_for(secs(1)).unwrap();
        for (server, passes) in home.servers.iter().zip(passes) {
            let before = datagrams(client);
            let other = udp(server, 99);
            udp_send(server, other, "198.51.100.2:5000");
            home.world.run_for(secs(1)).unwrap();
            assert_eq!(datagrams(client) > before, passes, "{filtering:?}");
        }
        let filtered = world_drops(&home, DropReason::NatFiltered);
        assert_eq!(filtered, passes.iter().filter(|passes| !**passes).count() as u64);
    }
}

pub(crate) fn world_drops(home: &Home, reason: DropReason) -> u64 {
    home.world.drops_of(home.nat.id())[reason]
}

#[test]
fn two_clients_with_one_port_get_two() {
    let home = home(7, NatConfig::new());
    for client in &home.clients {
        let socket = udp(client, 5000);
        udp_send(client, socket, S1);
        home.world.run_for(secs(1)).unwrap();
        assert_eq!(datagrams(client), 1);
    }
}

#[test]
fn ports_run_out_and_come_back() {
    let config = NatConfig::new().ports(2000..=2003).udp_timeout(secs(30));
    let home = home(8, config);
    let client = &home.clients[0];
    let first = udp(client, 4999);
    // Everybody's link address is known then.
    udp_send(client, first, S1);
    home.world.run_for(secs(31)).unwrap();
    assert_eq!((datagrams(client), home.nat.sessions()), (1, 0));
    for port in 5000..5010 {
        let socket = udp(client, port);
        udp_send(client, socket, S1);
    }
    home.world.run_for(secs(1)).unwrap();
    assert_eq!((datagrams(client), home.nat.sessions()), (5, 4));
    assert_eq!(world_drops(&home, DropReason::NatExhausted), 6);
    home.world.run_for(secs(31)).unwrap();
    let socket = udp(client, 6000);
    udp_send(client, socket, S1);
    home.world.run_for(secs(1)).unwrap();
    assert_eq!((datagrams(client), home.nat.sessions()), (6, 1));
}

#[test]
fn sessions_are_bounded() {
    let home = home(9, NatConfig::new().sessions_max(100));
    let socket = udp(&home.clients[0], 5000);
    for n in 0..500_u16 {
        udp_send(&home.clients[0], socket, &format!("203.0.113.11:{}", 1000 + n));
        home.world.run_for(Duration::from_millis(1)).unwrap();
    }
    assert_eq!(home.nat.sessions(), 100);
    assert_eq!(world_drops(&home, DropReason::NatExhausted), 400);
}

#[test]
fn a_box_that_was_switched_off_has_forgotten() {
    let home = home(10, NatConfig::new().unknown(NatUnknown::Reset));
    let client = &home.clients[0];
    let id = echo(&home.world, client, S1, 10);
    home.nat.restart();
    send(client, id, &pattern(10));
    home.world.run_for(secs(1)).unwrap();
    assert_eq!(closed(client, id), Some(CloseReason::Reset));
}

#[test]
fn errors_of_the_network_find_the_client() {
    let home = home(11, NatConfig::new());
    let client = &home.clients[0];
    // Nobody has this address: the router behind the box says so after three questions.
    client.with_stack(|stack, now| {
        let id = stack.udp_bind("0.0.0.0:5000".parse().unwrap(), Default::default()).unwrap();
        stack.udp_connect(id, Some("203.0.113.99:7".parse().unwrap())).unwrap();
        stack.udp_send(now, id, None, vec![1; 10].into()).unwrap();
    });
    home.world.run_for(secs(10)).unwrap();
    let errors = client.with(|talker, _| talker.errors.len());
    assert_eq!(errors, 1, "no error came back through the box");
}

#[test]
fn the_path_mtu_is_found_through_a_box() {
    let world = World::new(12);
    let nat = world.nat("nat", "192.168.1.1/24", "198.51.100.2/24", NatConfig::new()).unwrap();
    nat.router().route("0.0.0.0/0", "198.51.100.1").unwrap();
    let router = world.router("isp", RouterConfig::new()).unwrap();
    let near = router.port(&["198.51.100.1/24"]).unwrap();
    let far = router.port(&["203.0.113.1/24"]).unwrap();
    router.set_mtu(far, 900);
    let client = client_host(&world, "client", "192.168.1.2/24", Some("192.168.1.1"));
    let server = echo_host(&world, "server", "203.0.113.2/24", Some("203.0.113.1"));
    world.link(&client, &nat.inside(), LinkConfig::new().delay(ms(1))).unwrap();
    world.link(&nat.outside(), &near, LinkConfig::new().delay(ms(10))).unwrap();
    world.link(&far, &server, LinkConfig::new().delay(ms(1)).mtu(900)).unwrap();
    let id = connect(&client, "203.0.113.2:7");
    send(&client, id, &pattern(100_000));
    world.run_for(secs(60)).unwrap();
    assert!(world.drops_of(router.id())[DropReason::FragmentationNeeded] > 0);
    let arrived = server.with(|talker, _| talker.lines[0].received.len());
    assert_eq!(arrived, 100_000, "the client has learned the MTU");
}
