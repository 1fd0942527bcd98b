//! Two behind one NAT box that reach each other by its outside address (RFC 4787, REQ-9; RFC 5382,
//! REQ-8).

use fyke_sim::stack::TcpId;
use fyke_sim::{DropReason, NatConfig, NatFiltering, NatUnknown};

use crate::nat::{Home, S1, datagrams, home, seen_from, udp, udp_send, world_drops};
use crate::support::*;

/// What the box's two clients are known as outside.
const FIRST: &str = "198.51.100.2:5000";
const SECOND: &str = "198.51.100.2:6000";

fn open_to_all() -> NatConfig {
    NatConfig::new().filtering(NatFiltering::EndpointIndependent)
}

/// Both clients have said something to a server, and so have a mapping each.
fn known(seed: u64, config: NatConfig) -> (Home, [fyke_sim::stack::UdpId; 2]) {
    let home = home(seed, config);
    let sockets = [udp(&home.clients[0], 5000), udp(&home.clients[1], 6000)];
    for (client, socket) in home.clients.iter().zip(sockets) {
        udp_send(client, socket, S1);
    }
    home.world.run_for(secs(1)).unwrap();
    assert_eq!(home.clients.each_ref().map(datagrams), [1, 1], "the server's echoes");
    (home, sockets)
}

#[test]
fn udp_turns_around_in_the_box() {
    let (home, sockets) = known(1, open_to_all());
    udp_send(&home.clients[0], sockets[0], SECOND);
    home.world.run_for(ms(1)).unwrap();
    assert_eq!(home.clients.each_ref().map(datagrams), [1, 2]);
    assert_eq!(seen_from(&home.clients[1]), FIRST, "REQ-9a: the sender's outside address");
    udp_send(&home.clients[1], sockets[1], FIRST);
    home.world.run_for(ms(1)).unwrap();
    assert_eq!((datagrams(&home.clients[0]), seen_from(&home.clients[0])), (2, SECOND.into()));
}

#[test]
fn a_box_that_cannot_says_nothing() {
    let (home, sockets) = known(2, open_to_all().hairpinning(false));
    udp_send(&home.clients[0], sockets[0], SECOND);
    home.world.run_for(secs(1)).unwrap();
    assert_eq!(home.clients.each_ref().map(datagrams), [1, 1]);
    assert_eq!(world_drops(&home, DropReason::NotForwarded), 1);
}

#[test]
fn filters_hold_for_those_inside_too() {
    let (home, sockets) = known(3, NatConfig::new());
    udp_send(&home.clients[0], sockets[0], SECOND);
    home.world.run_for(secs(1)).unwrap();
    assert_eq!(datagrams(&home.clients[1]), 1, "it has not written to the first one");
    assert_eq!(world_drops(&home, DropReason::NatFiltered), 1);
    // Now it does, and was written to: both ways are open.
    udp_send(&home.clients[1], sockets[1], FIRST);
    home.world.run_for(secs(1)).unwrap();
    assert_eq!(datagrams(&home.clients[0]), 2);
    udp_send(&home.clients[0], sockets[0], SECOND);
    home.world.run_for(secs(1)).unwrap();
    assert_eq!(datagrams(&home.clients[1]), 2);
}

#[test]
fn mappings_that_only_they_use_end_as_others_do() {
    let (home, sockets) = known(4, open_to_all().udp_timeout(secs(30)));
    for _ in 0..6 {
        home.world.run_for(secs(20)).unwrap();
        udp_send(&home.clients[0], sockets[0], SECOND);
        udp_send(&home.clients[1], sockets[1], FIRST);
    }
    home.world.run_for(secs(1)).unwrap();
    assert_eq!(home.clients.each_ref().map(datagrams), [7, 7]);
    assert_eq!(home.nat.sessions(), 2, "those with the server are over");
    home.world.run_for(secs(30)).unwrap();
    udp_send(&home.clients[0], sockets[0], SECOND);
    home.world.run_for(secs(1)).unwrap();
    assert_eq!(datagrams(&home.clients[1]), 7);
    assert_eq!(world_drops(&home, DropReason::NatNoMapping), 1);
}

/// Sends something from each end and awaits it at the other one.
fn exchange(home: &Home, ids: [TcpId; 2]) {
    for (from, id) in home.clients.iter().zip(ids) {
        send(from, id, &pattern(20_000));
    }
    home.world.run_for(secs(2)).unwrap();
    for (client, id) in home.clients.iter().zip(ids) {
        let same = client.with(|talker, _| talker.line(id).received == pattern(20_000));
        assert!(same, "what came is not what was sent");
    }
}

/// Hole punching: each opens a connection to the other, and the two are one (RFC 5382, REQ-2).
#[test]
fn tcp_opened_by_both_turns_around_too() {
    let home = home(5, NatConfig::new());
    let first = connect_from(&home.clients[0], 5000, SECOND);
    home.world.run_for(ms(100)).unwrap();
    assert_eq!(world_drops(&home, DropReason::NatNoMapping), 1, "nobody is there yet");
    let second = connect_from(&home.clients[1], 6000, FIRST);
    home.world.run_for(secs(3)).unwrap();
    exchange(&home, [first, second]);
    let seen =
        |n: usize, id| home.clients[n].with(|_, cx| cx.stack.endpoints(id).unwrap().1.to_string());
    assert_eq!((seen(0, first), seen(1, second)), (SECOND.into(), FIRST.into()));
}

/// One listens on the port that its mapping leads to.
#[test]
fn tcp_opened_by_one_turns_around_where_everybody_may_come_in() {
    let home = home(6, open_to_all());
    let out = connect_from(&home.clients[1], 6000, S1);
    home.clients[1].with_stack(|stack, _| {
        stack.listen("0.0.0.0:6000".parse().unwrap(), Default::default()).unwrap();
    });
    home.world.run_for(secs(1)).unwrap();
    let first = connect_from(&home.clients[0], 5000, SECOND);
    home.world.run_for(secs(1)).unwrap();
    let accepted = home.clients[1].with(|talker, _| talker.lines.last().unwrap().id);
    assert_ne!(accepted, out);
    exchange(&home, [first, accepted]);
    // And somebody who is outside comes in just so.
    let stranger = connect(&home.servers[1], SECOND);
    send(&home.servers[1], stranger, &pattern(100));
    home.world.run_for(secs(1)).unwrap();
    let heard = home.clients[1].with(|talker, _| talker.lines.last().unwrap().received.len());
    assert_eq!(heard, 100);
}

#[test]
fn those_who_come_in_are_bounded() {
    let home = home(7, open_to_all().sessions_max(3));
    connect_from(&home.clients[1], 6000, S1);
    home.clients[1].with_stack(|stack, _| {
        stack.listen("0.0.0.0:6000".parse().unwrap(), Default::default()).unwrap();
    });
    home.world.run_for(ms(500)).unwrap();
    for _ in 0..10 {
        connect(&home.servers[1], SECOND);
        home.world.run_for(ms(30)).unwrap();
    }
    assert_eq!(home.nat.sessions(), 3);
    assert_eq!(world_drops(&home, DropReason::NatExhausted), 8);
}

#[test]
fn a_stranger_inside_is_reset_by_a_box_that_does_so() {
    let home = home(8, NatConfig::new().unknown(NatUnknown::Reset));
    let id = connect_from(&home.clients[0], 5000, SECOND);
    home.world.run_for(secs(1)).unwrap();
    assert!(closed(&home.clients[0], id).is_some(), "nobody has this mapping");
}
