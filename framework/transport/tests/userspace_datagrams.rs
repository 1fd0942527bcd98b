//! Datagrams over fyke's own stack.

mod userspace_support;

use std::io::ErrorKind;
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_core::transport::Membership;
use fyke_core::{Address, Datagram, SocketOptions};
use userspace_support::{Log, Peer, World};

const SECOND: Duration = Duration::from_secs(1);

fn to(address: &Address, bytes: &[u8]) -> Datagram {
    Datagram::to(address.clone(), ByteBuf::copy_from_slice(bytes))
}

fn heard(from: &Address, bytes: &[u8]) -> Log {
    Log::Datagram(from.clone(), bytes.to_vec(), false)
}

fn address(peer: &Peer) -> Address {
    peer.address.clone().unwrap()
}

fn plain() -> SocketOptions {
    SocketOptions::new()
}

#[test]
fn datagrams_have_senders_and_are_whole() {
    let (mut world, _cable) = World::pair();
    let one = world.hosts[0].datagram(Some("10.9.0.1:0"), None, plain()).unwrap();
    let other = world.hosts[1].datagram(Some("10.9.0.2:53"), None, plain()).unwrap();
    assert_eq!(address(&other).to_string(), "10.9.0.2:53");
    for n in 0..100_u8 {
        one.post(to(&address(&other), &vec![n; usize::from(n) * 20]));
    }
    world.pass(SECOND);
    let all: Vec<_> =
        (0..100_u8).map(|n| heard(&address(&one), &vec![n; usize::from(n) * 20])).collect();
    assert_eq!(other.log(), all);
    // Longer than the link carries: it goes in fragments.
    let wide = world.hosts[1]
        .datagram(Some("10.9.0.2:54"), None, plain().datagram_bytes_max(65_535))
        .unwrap();
    one.post(to(&address(&wide), &[7; 20_000]));
    world.pass(SECOND);
    assert_eq!(wide.log(), [heard(&address(&one), &[7; 20_000])]);
}

#[test]
fn what_is_too_long_is_cut_or_refused() {
    let (mut world, _cable) = World::pair();
    let small = plain().datagram_bytes_max(16);
    let one = world.hosts[0].datagram(Some("10.9.0.1:7"), None, small).unwrap();
    let other = world.hosts[1].datagram(Some("10.9.0.2:7"), None, plain()).unwrap();
    other.post(to(&address(&one), &[1; 17]));
    other.post(to(&address(&one), &[2; 16]));
    world.pass(SECOND);
    let cut = Log::Datagram(address(&other), vec![1; 16], true);
    assert_eq!(one.log(), [cut, heard(&address(&other), &[2; 16])]);
    let sender = other.channel.sender::<Datagram>().unwrap();
    let sent = sender.send_with_promise(to(&address(&one), &[0; 65_508])).unwrap();
    other.post(to(&address(&one), b"after it"));
    world.pass(SECOND);
    assert!(sent.wait().is_err());
    assert_eq!(one.log(), [heard(&address(&other), b"after it")]);
}

#[test]
fn a_connected_endpoint_hears_its_peer_and_its_errors_only() {
    let (mut world, _cable) = World::pair();
    let dead: Address = "10.9.0.1:9".parse().unwrap();
    let end = world.hosts[1].datagram(None, Some(&dead), plain()).unwrap();
    assert!(address(&end).to_string().starts_with("10.9.0.2:"), "{}", address(&end));
    end.post(Datagram::connected(ByteBuf::copy_from_slice(b"anybody?")));
    world.pass(SECOND);
    assert_eq!(end.log(), [Log::Error(ErrorKind::ConnectionRefused)]);
    assert_eq!(end.channel.close_reason(), None);
    // Somebody comes to live there, and the endpoint still works.
    let peer = world.hosts[0].datagram(Some("10.9.0.1:9"), None, plain()).unwrap();
    let stranger = world.hosts[0].datagram(Some("10.9.0.1:10"), None, plain()).unwrap();
    stranger.post(to(&address(&end), b"buy this"));
    end.post(Datagram::connected(ByteBuf::copy_from_slice(b"and now?")));
    world.pass(SECOND);
    assert_eq!(peer.log(), [heard(&address(&end), b"and now?")]);
    peer.post(to(&address(&end), b"yes"));
    world.pass(SECOND);
    assert_eq!(end.log(), [heard(&dead, b"yes")]);
}

#[test]
fn groups_and_broadcasts() {
    let (mut world, _cable) = World::pair();
    let member = world.hosts[0].datagram(Some("0.0.0.0:5353"), None, plain()).unwrap();
    let sender = world.hosts[1].datagram(Some("10.9.0.2:5353"), None, plain()).unwrap();
    let group: Address = "239.1.2.3:5353".parse().unwrap();
    sender.post(to(&group, b"nobody is in it"));
    world.pass(SECOND);
    assert_eq!(member.log(), []);
    let membership = Membership { group: [239, 1, 2, 3].into(), interface_index: 0, join: true };
    member.channel.execute(move |cx| cx.membership(membership).unwrap()).unwrap();
    world.settle();
    sender.post(to(&group, b"to the group"));
    world.pass(SECOND);
    assert_eq!(member.log(), [heard(&address(&sender), b"to the group")]);

    let everybody: Address = "10.9.0.255:5353".parse().unwrap();
    let refused = sender.channel.sender::<Datagram>().unwrap();
    let refused = refused.send_with_promise(to(&everybody, b"hey")).unwrap();
    world.pass(SECOND);
    assert!(refused.wait().is_err(), "it may not broadcast");
    let loud = plain().broadcast(true);
    let loud = world.hosts[1].datagram(Some("10.9.0.2:0"), None, loud).unwrap();
    loud.post(to(&everybody, b"hey"));
    world.pass(SECOND);
    assert_eq!(member.log(), [heard(&address(&loud), b"hey")]);
}

#[test]
fn what_was_sent_leaves_although_the_endpoint_is_closed_at_once() {
    let (mut world, _cable) = World::pair();
    let one = world.hosts[0].datagram(Some("10.9.0.1:7"), None, plain()).unwrap();
    let other = world.hosts[1].datagram(Some("10.9.0.2:7"), None, plain()).unwrap();
    other.post(to(&address(&one), b"good bye"));
    other.channel.close();
    world.pass(SECOND);
    assert_eq!(one.log(), [heard(&"10.9.0.2:7".parse().unwrap(), b"good bye")]);
    // The port is free again.
    world.hosts[1].datagram(Some("10.9.0.2:7"), None, plain()).unwrap();
}

#[test]
fn a_burst_waits_for_room_and_keeps_its_order() {
    let (mut world, _cable) = World::pair();
    let one = world.hosts[0].datagram(Some("10.9.0.1:7"), None, plain()).unwrap();
    let other = world.hosts[1].datagram(Some("10.9.0.2:7"), None, plain()).unwrap();
    for n in 0..200_u32 {
        other.post(to(&address(&one), &n.to_be_bytes()));
    }
    world.pass(SECOND);
    let all: Vec<_> = (0..200_u32).map(|n| heard(&address(&other), &n.to_be_bytes())).collect();
    assert_eq!(one.log(), all);
}

#[test]
fn options_of_streams_are_refused() {
    let (mut world, _cable) = World::pair();
    for (name, socket) in [
        ("keepalive", plain().linger(Some(SECOND))),
        ("user_timeout", plain().user_timeout(Some(SECOND))),
        ("quick_ack", plain().quick_ack(Some(true))),
        ("reuse_port", plain().reuse_port(true)),
        ("only_v6", plain().only_v6(Some(true))),
    ] {
        let refused = world.hosts[0].datagram(Some("0.0.0.0:0"), None, socket);
        let error = refused.err().unwrap();
        let name = if name == "keepalive" { "linger" } else { name };
        assert!(error.to_string().contains(name), "{error}");
    }
}
