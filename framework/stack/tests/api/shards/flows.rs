//! Connections, datagrams and pings of a host of several stacks.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use fyke_stack::{
    ConnectOptions, DropReason, EchoRequest, Event, IcmpContent, IcmpOptions, ListenOptions,
    StackError, UdpOptions,
};

use super::{COUNTS, Host, Wire, would_block};
use crate::world::addr;

const CONNECTIONS: usize = 200;

/// Opens connections from each stack of one host in turn to listeners on all of the other, sends a
/// message each way, and closes.
fn talk(wire: &mut Wire, from_a: bool, remote: &str) -> Vec<usize> {
    let now = wire.now;
    let remote = addr(remote);
    let (clients, servers) = hosts(wire, from_a);
    let mut options = ListenOptions::default();
    options.backlog = CONNECTIONS;
    let listeners: Vec<_> =
        servers.stacks.iter_mut().map(|it| it.listen(remote, options.clone()).unwrap()).collect();
    let count = clients.stacks.len();
    let mut open = Vec::new();
    for n in 0..CONNECTIONS {
        let stack = &mut clients.stacks[n % count];
        let id = stack.connect(now, remote, ConnectOptions::default()).unwrap();
        stack.write(now, id, Bytes::from(format!("from {n}"))).unwrap();
        open.push((n % count, id));
    }
    wire.settle();
    let (_, servers) = hosts(wire, from_a);
    let mut accepted = vec![0; servers.stacks.len()];
    for (index, (stack, listener)) in servers.stacks.iter_mut().zip(&listeners).enumerate() {
        while let Some(id) = stack.accept(*listener) {
            accepted[index] += 1;
            let message = stack.read(now, id, 100).unwrap().unwrap();
            stack.write(now, id, message).unwrap();
            stack.shutdown(now, id).unwrap();
        }
        stack.close_listener(now, *listener).unwrap();
    }
    wire.settle();
    let (clients, _) = hosts(wire, from_a);
    for (n, (index, id)) in open.into_iter().enumerate() {
        let stack = &mut clients.stacks[index];
        let message = stack.read(now, id, 100).unwrap().unwrap();
        assert_eq!(message, format!("from {n}"));
        assert_eq!(stack.read(now, id, 100), Ok(None));
        stack.close(now, id).unwrap();
    }
    wire.settle();
    wire.a.take_events();
    wire.b.take_events();
    accepted
}

fn hosts(wire: &mut Wire, from_a: bool) -> (&mut Host, &mut Host) {
    if from_a { (&mut wire.a, &mut wire.b) } else { (&mut wire.b, &mut wire.a) }
}

#[test]
fn connections_go_both_ways_and_none_is_lost() {
    for (a, b) in [(1, 1), (1, 2), (1, 4), (2, 2), (4, 4)] {
        let mut wire = Wire::new(a, b);
        for remote in ["10.0.0.2:80", "[2001:db8::2]:80"] {
            let accepted = talk(&mut wire, true, remote);
            assert_eq!(accepted.iter().sum::<usize>(), CONNECTIONS, "{a} to {b}");
            let fair = CONNECTIONS / usize::from(b) / 2;
            assert!(accepted.iter().all(|count| *count >= fair), "{accepted:?}");
        }
        for remote in ["10.0.0.1:80", "[2001:db8::1]:80"] {
            let accepted = talk(&mut wire, false, remote);
            assert_eq!(accepted.iter().sum::<usize>(), CONNECTIONS, "{b} to {a}");
        }
        wire.assert_nothing_went_astray();
    }
}

#[test]
fn a_port_of_the_callers_belongs_to_one_stack() {
    let mut wire = Wire::new(4, 1);
    let remote = addr("10.0.0.2:80");
    wire.b.stacks[0].listen(remote, Default::default()).unwrap();
    for port in 40_000..40_020 {
        let local: SocketAddr = ([10, 0, 0, 1], port).into();
        let owner = wire.a.shards.owner_of_tcp(local, remote);
        let mut opened = 0;
        for index in 0..4 {
            let mut options = ConnectOptions::default();
            options.local = Some(local);
            match wire.a.stacks[usize::from(index)].connect(wire.now, remote, options) {
                Ok(_) => {
                    assert_eq!(index, owner);
                    opened += 1;
                }
                Err(error) => {
                    assert_eq!(error, StackError::OtherShard(owner));
                    assert_eq!(error.to_string(), format!("it belongs to loop {owner}"));
                }
            }
        }
        assert_eq!(opened, 1);
    }
    wire.settle();
    let connected = wire.a.take_events();
    assert_eq!(connected.len(), 20);
    assert!(connected.iter().all(|(_, event)| matches!(event, Event::Connected(_))));
    wire.assert_nothing_went_astray();
}

#[test]
fn a_datagram_finds_the_stack_that_bound_the_port() {
    for count in COUNTS {
        for server in ["10.0.0.2", "2001:db8::2"] {
            let mut wire = Wire::new(count, count);
            let now = wire.now;
            let mut bound = Vec::new();
            for index in 0..count {
                let local = addr(&format!("[::]:{}", 5000 + index));
                let stack = &mut wire.b.stacks[usize::from(index)];
                bound.push(stack.udp_bind(local, UdpOptions::default()).unwrap());
                for (other, stack) in wire.b.stacks.iter_mut().enumerate() {
                    let taken = stack.udp_bind(local, UdpOptions::default()).unwrap_err();
                    let own = other == usize::from(index);
                    let wanted =
                        if own { StackError::AddressInUse } else { StackError::OtherShard(index) };
                    assert_eq!(taken, wanted);
                }
            }
            // From a port by chance on each stack, short and in fragments.
            let mut clients = Vec::new();
            for stack in &mut wire.a.stacks {
                clients.push(stack.udp_bind(addr("[::]:0"), UdpOptions::default()).unwrap());
            }
            for length in [10, 9000] {
                for (stack, id) in wire.a.stacks.iter_mut().zip(&clients) {
                    for index in 0..count {
                        let to = SocketAddr::new(server.parse().unwrap(), 5000 + index);
                        stack.udp_send(now, *id, Some(to), vec![1; length].into()).unwrap();
                    }
                }
                wire.settle();
                for (stack, id) in wire.b.stacks.iter_mut().zip(&bound) {
                    let received: Vec<_> =
                        std::iter::from_fn(|| stack.udp_receive(*id).ok()).collect();
                    assert_eq!(received.len(), usize::from(count));
                    for datagram in received {
                        assert_eq!(datagram.payload, vec![1; length]);
                        let back = datagram.payload.slice(..length - 1);
                        stack.udp_send(now, *id, Some(datagram.from), back).unwrap();
                    }
                    assert!(would_block(&stack.udp_receive(*id)));
                }
                wire.settle();
                for (stack, id) in wire.a.stacks.iter_mut().zip(&clients) {
                    let answers = std::iter::from_fn(|| stack.udp_receive(*id).ok()).count();
                    assert_eq!(answers, usize::from(count));
                }
            }
            // The others saw the fragments, too, and said nothing.
            let copies = 2 * u64::from(count) * u64::from(count) * (u64::from(count) - 1);
            let astray =
                wire.a.drops(DropReason::OtherShard) + wire.b.drops(DropReason::OtherShard);
            assert_eq!(astray, copies);
            let errors = wire.a.stacks.iter().chain(&wire.b.stacks);
            assert_eq!(
                errors.map(|stack| stack.counters().drops[DropReason::UdpNoSocket]).sum::<u64>(),
                0
            );
            // A port that was given back is anybody's.
            wire.b.stacks[0].udp_close(now, bound[0]).unwrap();
            let last = wire.b.stacks.last_mut().unwrap();
            last.udp_bind(addr("[::]:5000"), UdpOptions::default()).unwrap();
            assert_eq!(wire.b.shards.owner_of_udp_port(5000), count - 1);
        }
    }
}

#[test]
fn fragments_of_two_stacks_never_have_the_same_number() {
    let mut wire = Wire::new(4, 1);
    wire.b.stacks[0].udp_bind(addr("0.0.0.0:9"), UdpOptions::default()).unwrap();
    for stack in &mut wire.a.stacks {
        let id = stack.udp_bind(addr("0.0.0.0:0"), UdpOptions::default()).unwrap();
        for _ in 0..50 {
            let to = Some(addr("10.0.0.2:9"));
            stack.udp_send(wire.now, id, to, vec![7; 2000].into()).unwrap();
        }
    }
    wire.settle();
    let mut numbers: BTreeMap<[u8; 2], usize> = BTreeMap::new();
    for frame in wire.a.sent.iter().filter(|frame| frame.len() > 400) {
        *numbers.entry([frame[18], frame[19]]).or_default() += 1;
    }
    // Two pieces of each.
    assert_eq!(numbers.len(), 200);
    assert!(numbers.values().all(|pieces| *pieces == 2), "{numbers:?}");
    assert_eq!(wire.b.stacks[0].counters().reassembled, 200);
}

#[test]
fn pings_are_answered_once_and_the_answers_find_who_asked() {
    for count in COUNTS {
        for to in ["10.0.0.2", "2001:db8::2"] {
            let mut wire = Wire::new(count, count);
            let now = wire.now;
            let mut endpoints = Vec::new();
            for stack in &mut wire.a.stacks {
                for _ in 0..8 {
                    endpoints.push(stack.icmp_open(IcmpOptions::default()).unwrap());
                }
            }
            for length in [56, 5000] {
                for (n, id) in endpoints.iter().enumerate() {
                    let request = EchoRequest::new(to.parse().unwrap(), 1, vec![9; length].into());
                    wire.a.stacks[n / 8].icmp_send(now, *id, &request).unwrap();
                    wire.settle();
                }
                for (n, id) in endpoints.iter().enumerate() {
                    let report = wire.a.stacks[n / 8].icmp_receive(*id).unwrap();
                    let IcmpContent::EchoReply { payload, .. } = report.content else { panic!() };
                    assert_eq!(payload, vec![9; length]);
                    assert!(would_block(&wire.a.stacks[n / 8].icmp_receive(*id)));
                }
            }
            // An identifier that another stack owns is refused, and it is told whose it is.
            let owner = wire.a.shards.owner_of_echo(7);
            let mut options = IcmpOptions::default();
            options.identifier = Some(7);
            for (index, stack) in (0_u16..).zip(&mut wire.a.stacks) {
                let opened = stack.icmp_open(options);
                if index == owner {
                    assert!(opened.is_ok());
                } else {
                    assert_eq!(opened, Err(StackError::OtherShard(owner)));
                }
            }
        }
    }
}
