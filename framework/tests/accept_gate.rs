//! A gate before real servers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fyke::core::transport::TransportFactory;
use fyke::prelude::*;
use fyke::{AcceptGate, Blocking, IpRules};

fn server(transport: impl TransportFactory, gate: &Arc<AcceptGate>) -> Server {
    ServerBootstrap::new(EventLoopGroup::new(2).expect("event loops"))
        .transport(transport)
        .accept_gate(gate)
        .child(|ch| {
            let echo = |cx: &mut Ctx<'_, Never, Outgoing>, msg: ByteBuf| {
                cx.write(msg.into());
                Ok(())
            };
            ch.pipeline().inbound("echo", read_fn(echo))
        })
        .bind("127.0.0.1:0")
        .expect("a free port")
}

/// A connection that is served, or `None` when it was closed instead.
fn served(server: &Server) -> Option<TcpStream> {
    let mut client = TcpStream::connect(server.local_address().as_inet().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let mut answer = [0];
    // Closed with our byte unread it is a reset.
    let served = client.write_all(b"x").and_then(|()| client.read_exact(&mut answer)).is_ok();
    served.then_some(client)
}

fn one_at_a_time(transport: impl TransportFactory) {
    let gate = Arc::new(AcceptGate::new().connections_per_peer_max(2));
    let server = server(transport, &gate);
    let mut first = served(&server).expect("there is room");
    let _second = served(&server).expect("there is room");
    assert!(served(&server).is_none(), "a third one of the same peer");
    assert_eq!(gate.counters().refused_peer.load(Ordering::Relaxed), 1);
    first.write_all(b"y").unwrap();
    first.read_exact(&mut [0]).expect("the others are served on");
    drop(first);
    // It is gone when the server has seen its end.
    while gate.connections() > 1 {
        std::thread::yield_now();
    }
    let _third = served(&server).expect("there is room again");
}

#[test]
fn a_peer_has_so_many_connections() {
    one_at_a_time(Kernel::tcp);
}

#[test]
fn a_peer_has_so_many_connections_on_threads_too() {
    one_at_a_time(Blocking::tcp);
}

#[test]
fn an_address_that_is_denied_is_not_served() {
    let rules = IpRules::allow_all().deny("127.0.0.0/8".parse().unwrap());
    let gate = Arc::new(AcceptGate::new().rules(rules));
    let server = server(Kernel::tcp, &gate);
    assert!(served(&server).is_none());
    assert_eq!(gate.counters().refused_by_rule.load(Ordering::Relaxed), 1);
    assert_eq!(gate.connections(), 0);
}
