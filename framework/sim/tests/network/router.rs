//! Routers: prefixes, TTL, unreachable networks and hosts, fragments, path MTU discovery and its
//! black holes; both families.

use fyke_sim::stack::StackError;
use fyke_sim::{DropReason, LinkConfig, Router, RouterConfig, World};

use crate::support::*;

/// client - first - second - server, with an MTU between the routers.
fn path(world: &World, mtu: usize) -> (TalkerHost, TalkerHost, Router, Router) {
    let server = echo_host(world, "server", "10.3.0.2/24", Some("10.3.0.1"));
    let client = client_host(world, "client", "10.1.0.2/24", Some("10.1.0.1"));
    let (first, second) = (
        world.router("first", RouterConfig::new()).unwrap(),
        world.router("second", RouterConfig::new()).unwrap(),
    );
    let ports = [
        first.port(&["10.1.0.1/24"]).unwrap(),
        first.port(&["10.2.0.1/24"]).unwrap(),
        second.port(&["10.2.0.2/24"]).unwrap(),
        second.port(&["10.3.0.1/24"]).unwrap(),
    ];
    first.route("10.3.0.0/16", "10.2.0.2").unwrap();
    second.route("0.0.0.0/0", "10.2.0.1").unwrap();
    first.set_mtu(ports[1], mtu);
    second.set_mtu(ports[2], mtu);
    let hop = LinkConfig::new().delay(ms(5));
    world.link(&client, &ports[0], hop.clone()).unwrap();
    world.link(&ports[1], &ports[2], hop.clone().mtu(mtu)).unwrap();
    world.link(&ports[3], &server, hop).unwrap();
    (client, server, first, second)
}

#[test]
fn packets_find_their_way_over_two_routers() {
    let world = World::new(1);
    let (client, _server, ..) = path(&world, 1500);
    echo(&world, &client, "10.3.0.2:7", 100_000);
}

#[test]
fn the_path_mtu_is_found() {
    let world = World::new(2);
    let (client, _server, first, second) = path(&world, 1000);
    echo(&world, &client, "10.3.0.2:7", 100_000);
    let too_long = |router: &Router| world.drops_of(router.id())[DropReason::FragmentationNeeded];
    assert!(too_long(&first) > 0 && too_long(&second) > 0, "both directions have to learn it");
    assert!(too_long(&first) < 30, "and remember it: {}", too_long(&first));
}

#[test]
fn a_black_hole_is_got_out_of_by_smaller_segments() {
    let world = World::new(3);
    let (client, server, first, second) = path(&world, 1000);
    first.set_config(RouterConfig::new().icmp(false));
    second.set_config(RouterConfig::new().icmp(false));
    let patient = Some(std::sync::Arc::new({
        let mut config = fyke_sim::stack::tcp::Config::linux();
        config.black_hole_timeouts = 2;
        config
    }));
    let began = world.now();
    let id = connect_with(&client, "10.3.0.2:7", patient);
    send(&client, id, &pattern(20_000));
    let arrived =
        || server.with(|talker, _| talker.lines.first().map_or(0, |line| line.received.len()));
    while arrived() < 20_000 {
        world.run_for(ms(10)).unwrap();
        assert!(world.now() - began < secs(60), "{} bytes", arrived());
    }
    let took = world.now() - began;
    assert!(took > secs(1), "nobody said why, so time-outs had to: {took:?}");
}

/// RFC 4821: the size that passes is found, and not only a small one.
#[test]
fn a_black_hole_is_searched_for_what_passes() {
    let world = World::new(5);
    let (client, server, first, second) = path(&world, 1400);
    first.set_config(RouterConfig::new().icmp(false));
    second.set_config(RouterConfig::new().icmp(false));
    let config = Some(std::sync::Arc::new(fyke_sim::stack::tcp::Config::default()));
    let id = connect_with(&client, "10.3.0.2:7", config);
    send(&client, id, &pattern(1_500_000));
    let arrived =
        || server.with(|talker, _| talker.lines.first().map_or(0, |line| line.received.len()));
    let began = world.now();
    while arrived() < 1_500_000 {
        world.run_for(ms(10)).unwrap();
        assert!(world.now() - began < secs(60), "{} bytes", arrived());
    }
    let (info, path) = client.with_stack(|stack, _| {
        (stack.info(id).unwrap(), stack.path_mtu("10.3.0.2".parse().unwrap()))
    });
    let size = info.send_mss + 52;
    assert!((1393..=1400).contains(&size), "packets of {size} bytes: {:?}", info.mtu_search);
    assert_eq!(u32::from(path), size, "and connections to come know it");
    assert_eq!(info.recoveries, 0, "no probe was taken for congestion");
}

#[test]
fn datagrams_are_cut_and_put_together() {
    let world = World::new(4);
    let (client, ..) = path(&world, 600);
    let id = client.with_stack(|stack, now| {
        let id = stack.udp_bind("0.0.0.0:9".parse().unwrap(), Default::default()).unwrap();
        let to = Some("10.3.0.2:7".parse().unwrap());
        stack.udp_send(now, id, to, pattern(4000).into()).unwrap();
        id
    });
    world.run_for(secs(1)).unwrap();
    client.with(|talker, _| {
        let [(socket, from, bytes)] = &talker.datagrams[..] else {
            panic!("{} datagrams", talker.datagrams.len())
        };
        assert_eq!((*socket, from.port()), (id, 7));
        assert!(*bytes == pattern(4000));
    });
}

#[test]
fn a_ttl_that_runs_out_is_reported_by_the_router_where_it_does() {
    let world = World::new(5);
    let (client, _server, first, second) = path(&world, 1500);
    for (hops, router) in [(1, &first), (2, &second)] {
        client.with_stack(|stack, now| {
            let mut options = fyke_sim::stack::UdpOptions::default();
            options.hop_limit = Some(hops);
            let id = stack.udp_bind("0.0.0.0:0".parse().unwrap(), options).unwrap();
            stack.udp_connect(id, Some("10.3.0.2:7".parse().unwrap())).unwrap();
            stack.udp_send(now, id, None, vec![1; 10].into()).unwrap();
        });
        world.run_for(secs(1)).unwrap();
        assert_eq!(world.drops_of(router.id())[DropReason::TimeExceeded], 1);
        let errors = client.with(|talker, _| talker.errors.len());
        assert_eq!(errors, usize::from(hops), "{hops} hops: no error came back");
    }
}

#[test]
fn networks_and_hosts_that_are_not_there_are_reported() {
    let world = World::new(6);
    let (client, _server, first, second) = path(&world, 1500);
    // The first router knows a way to 10.3/16, the second one sends what it does not know back.
    let nobody = connect(&client, "10.3.0.99:7");
    let nowhere = connect(&client, "192.0.2.1:7");
    world.run_for(secs(20)).unwrap();
    // Neither ends an open (RFC 1122, section 4.2.3.9), but the connection knows.
    for id in [nobody, nowhere] {
        let info = client.with_stack(|stack, _| stack.info(id)).unwrap();
        assert!(info.unreachable, "{info:?}");
    }
    assert!(world.drops_of(second.id())[DropReason::NeighborUnreachable] > 0);
    assert!(world.drops_of(first.id())[DropReason::NoRoute] > 0);
}

#[test]
fn errors_are_limited() {
    let world = World::new(7);
    let (client, _server, first, _) = path(&world, 1500);
    let mut config = RouterConfig::new();
    config.icmp_errors_per_second = 3;
    first.set_config(config);
    let id = client.with_stack(|stack, _| {
        stack.udp_bind("0.0.0.0:9".parse().unwrap(), Default::default()).unwrap()
    });
    world.run_for(ms(1001)).unwrap();
    for _ in 0..20 {
        client.with_stack(|stack, now| {
            let to = Some("192.0.2.1:7".parse().unwrap());
            stack.udp_send(now, id, to, vec![1; 10].into()).unwrap();
        });
        world.run_for(ms(20)).unwrap();
    }
    let mut errors = 0;
    client.with_stack(|stack, _| {
        while let Some((_, error)) = stack.udp_take_error(id) {
            assert!(matches!(error, StackError::Unreachable), "{error:?}");
            errors += 1;
        }
    });
    // What the bucket holds, and one more that comes into it meanwhile.
    assert_eq!(errors, 4);
    assert_eq!(world.drops_of(first.id())[DropReason::NoRoute], 20);
}

#[test]
fn ipv6_is_routed_too() {
    let world = World::new(8);
    let server = echo_host(&world, "server", "2001:db8:2::2/64", Some("2001:db8:2::1"));
    server.with_stack(|stack, _| {
        stack.listen("[::]:8".parse().unwrap(), Default::default()).unwrap();
    });
    let client = client_host(&world, "client", "2001:db8:1::2/64", Some("2001:db8:1::1"));
    let router = world.router("router", RouterConfig::new()).unwrap();
    let (near, far) =
        (router.port(&["2001:db8:1::1/64"]).unwrap(), router.port(&["2001:db8:2::1/64"]).unwrap());
    router.set_mtu(far, 1300);
    router.set_mtu(near, 1300);
    world.link(&client, &near, LinkConfig::new().delay(ms(5))).unwrap();
    world.link(&far, &server, LinkConfig::new().delay(ms(5))).unwrap();
    echo(&world, &client, "[2001:db8:2::2]:8", 50_000);
    assert!(world.drops_of(router.id())[DropReason::FragmentationNeeded] > 0);
}
