//! Socket options: those that a transport has are taken, the others are refused by name, never
//! ignored.

use std::time::Duration;

use fyke::core::ZeroCopy;
use fyke::prelude::*;
use fyke::{CloseReason, Datagram, Keepalive};

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    a_connection_takes_the_options_that_it_has_and_no_others,
    an_endpoint_of_datagrams_takes_the_options_that_it_has_and_no_others,
    a_linger_of_zero_resets,
    a_connection_is_made_from_the_address_that_was_asked_for,
];

/// An option, and who has it.
type Known = (&'static str, SocketOptions, fn(Kind) -> bool);

fn nobody(_: Kind) -> bool {
    false
}

fn everybody(_: Kind) -> bool {
    true
}

/// The kernel's sockets of the Internet.
fn kernel(kind: Kind) -> bool {
    kind.is_tcp() && !kind.is_stack()
}

fn none() -> SocketOptions {
    SocketOptions::new()
}

/// What streams may be asked for.
fn of_streams() -> Vec<Known> {
    let second = Some(Duration::from_secs(1));
    let (idle, interval) = (Duration::from_secs(60), Duration::from_secs(5));
    vec![
        ("nodelay", none().nodelay(false), everybody),
        ("backlog", none().backlog(17), everybody),
        ("send_buffer_bytes", none().send_buffer_bytes(Some(100_000)), everybody),
        ("recv_buffer_bytes", none().recv_buffer_bytes(Some(100_000)), everybody),
        ("keepalive", none().keepalive(Some(Keepalive { idle, interval, count: 3 })), Kind::is_tcp),
        ("user_timeout", none().user_timeout(Some(Duration::from_secs(600))), Kind::is_tcp),
        ("quick_ack", none().quick_ack(Some(true)), Kind::is_tcp),
        ("tos", none().tos(Some(0x10)), Kind::is_tcp),
        ("ttl", none().ttl(Some(17)), Kind::is_tcp),
        ("reuse_port", none().reuse_port(true), kernel),
        ("zero_copy", none().zero_copy(Some(ZeroCopy::default())), |k| matches!(k, Kind::Tcp(_))),
        ("linger", none().linger(second), kernel),
        ("only_v6", none().only_v6(Some(true)), nobody),
        ("broadcast", none().broadcast(true), nobody),
        ("multicast_loop", none().multicast_loop(Some(true)), nobody),
        ("multicast_ttl", none().multicast_ttl(Some(3)), nobody),
    ]
}

/// What endpoints of datagrams may be asked for.
fn of_datagrams() -> Vec<Known> {
    let second = Some(Duration::from_secs(1));
    let (idle, interval) = (Duration::from_secs(60), Duration::from_secs(5));
    vec![
        ("datagram_bytes_max", none().datagram_bytes_max(100), everybody),
        ("recv_buffer_bytes", none().recv_buffer_bytes(Some(100_000)), everybody),
        ("tos", none().tos(Some(0x10)), Kind::is_tcp),
        ("ttl", none().ttl(Some(17)), Kind::is_tcp),
        ("broadcast", none().broadcast(true), Kind::is_tcp),
        ("multicast_loop", none().multicast_loop(Some(false)), Kind::is_tcp),
        ("multicast_ttl", none().multicast_ttl(Some(3)), Kind::is_tcp),
        ("reuse_port", none().reuse_port(true), kernel),
        ("only_v6", none().only_v6(Some(true)), nobody),
        ("keepalive", none().keepalive(Some(Keepalive { idle, interval, count: 3 })), nobody),
        ("user_timeout", none().user_timeout(second), nobody),
        ("quick_ack", none().quick_ack(Some(true)), nobody),
        ("linger", none().linger(second), nobody),
        ("zero_copy", none().zero_copy(Some(ZeroCopy::default())), nobody),
    ]
}

fn a_connection_takes_the_options_that_it_has_and_no_others() -> Scenario {
    everywhere(|world| {
        let plain = world.listen(ChannelOptions::new(), bytes);
        for (name, socket, has) in of_streams() {
            let options = ChannelOptions::new().socket(socket);
            if has(world.kind) {
                let mut pair = world.pair(options.clone(), options);
                pair.client.send(name);
                assert_eq!(pair.server.bytes(name.len()), name.as_bytes());
                continue;
            }
            let server = world.server().options(options.clone());
            let server = server.child(|ch| ch.pipeline().inbound("echo", Echo));
            let error = server.bind(world.free_address()).expect_err(name).to_string();
            assert!(error.contains(name), "{error}");
            // The kernel, at the far end of a device, has some that the stack does not have.
            if !world.kind.is_tap() {
                let client = world.client().options(options);
                let client = client.handler(|ch| ch.pipeline().inbound("echo", Echo));
                let error = client.connect(&plain.address).wait().expect_err(name).to_string();
                assert!(error.contains(name), "{error}");
            }
        }
    })
}

fn an_endpoint_of_datagrams_takes_the_options_that_it_has_and_no_others() -> Scenario {
    everywhere(|world| {
        for (name, socket, has) in of_datagrams() {
            let endpoint = Bootstrap::new(world.servers.clone())
                .transport(world.serving(&world.servers))
                .options(ChannelOptions::new().socket(socket))
                .handler(|ch| {
                    let ignore = |_: &mut Ctx<'_, Never, Datagram>, _: Datagram| Ok(());
                    ch.datagrams().inbound("ignore", read_fn(ignore))
                });
            match endpoint.bind_datagram(world.free_address()) {
                Ok((channel, _)) => {
                    assert!(has(world.kind), "{name} was ignored");
                    channel.close();
                    assert_eq!(channel.wait_closed(), CloseReason::Local);
                }
                Err(error) => {
                    assert!(!has(world.kind), "{name}: {error}");
                    assert!(error.to_string().contains(name), "{error}");
                }
            }
        }
    })
    .except(Kind::is_blocking, "it has no datagram endpoints")
    .except(|kind| kind == Kind::Unix, "its channels are streams")
}

fn a_linger_of_zero_resets() -> Scenario {
    everywhere(|world| {
        let socket = SocketOptions::new().linger(Some(Duration::ZERO));
        let mut pair = world.pair(ChannelOptions::new().socket(socket), ChannelOptions::new());
        pair.client.send_and_wait("last words");
        assert_eq!(pair.server.bytes(10), b"last words");
        pair.client.channel.close();
        (pair.client.ending(), pair.server.ending())
    })
    .except(Kind::is_pipe, "only TCP has it")
}

fn a_connection_is_made_from_the_address_that_was_asked_for() -> Scenario {
    everywhere(|world| {
        let address = world.free_address_of_client();
        let socket = SocketOptions::new().local_address(Some(address.clone()));
        let pair = world.pair(ChannelOptions::new().socket(socket), ChannelOptions::new());
        let from = pair.server.channel.peer_address().and_then(|peer| peer.as_inet()).unwrap();
        assert_eq!(from.ip(), address.as_inet().unwrap().ip());
        assert_eq!(pair.client.channel.local_address(), pair.server.channel.peer_address());
    })
    .except(Kind::is_pipe, "it has no addresses of hosts")
}
