//! Channels over fyke's own stack, from loop to loop over a cable, in virtual time.

mod userspace_support;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use fyke_core::event_loop::AcceptSink;
use fyke_core::transport::Incoming;
use fyke_core::{
    Address, ChannelOptions, FileRegion, LoopCore, Outgoing, RegionSource, SocketOptions,
};
use fyke_stack::{Cidr, Tunnel};
use fyke_transport::userspace::{CableDevice, CableOptions, StackTransport};
use userspace_support::{Log, World, greedy, ip, options, pattern, plain};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn bytes_come_back_and_both_sides_end_in_order() {
    for offload in [true, false] {
        let (mut world, _cable) = World::on(CableOptions::new().offload(offload), options);
        let server = world.hosts[0].listen("0.0.0.0:80", plain(), true);
        assert_eq!(server.address.to_string(), "0.0.0.0:80");
        let address = format!("{}:80", ip(0)).parse().unwrap();
        let answer = world.hosts[1].connect(&address, greedy());
        world.settle();
        let client = answer.try_recv().unwrap().unwrap();
        let accepted = server.accepted().unwrap();
        assert_eq!(accepted.channel.local_address(), Some(&address));
        assert_eq!(accepted.address.as_ref(), client.channel.local_address());

        let sent = pattern(1_000_000, 3);
        client.send(sent.clone());
        world.settle();
        assert!(client.log() == [Log::Bytes(sent)], "other bytes came back");
        client.channel.close();
        world.settle();
        assert_eq!(client.log(), [Log::Inactive]);
        assert_eq!(accepted.log(), [Log::ReadClosed, Log::Inactive]);
    }
}

#[test]
fn the_unspecified_addresses_listen_to_all_of_their_family() {
    let (mut world, _cable) = World::pair();
    let any = world.hosts[0].listen("0.0.0.0:0", plain(), false);
    let both = world.hosts[0].listen("[::]:0", plain(), false);
    let only = SocketOptions::new().only_v6(Some(true));
    let six = world.hosts[0].listen("[::]:0", plain().socket(only), false);
    let port = |server: &userspace_support::Server| server.address.as_inet().unwrap().port();
    for (server, address, reached) in [
        (&any, "10.9.0.1", true),
        (&any, "[fd00:9::1]", false),
        (&both, "10.9.0.1", true),
        (&both, "[fd00:9::1]", true),
        (&six, "10.9.0.1", false),
        (&six, "[fd00:9::1]", true),
    ] {
        let to = format!("{address}:{}", port(server)).parse().unwrap();
        let answer = world.hosts[1].connect(&to, plain());
        world.settle();
        let connected = answer.try_recv().unwrap();
        assert_eq!(connected.is_ok(), reached, "{to}");
        assert_eq!(server.accepted().is_some(), reached, "{to}");
    }
    // Its own addresses are reached without the cable, also by the loopback's name.
    for address in ["10.9.0.1", "127.0.0.1"] {
        let to = format!("{address}:{}", port(&any)).parse().unwrap();
        let answer = world.hosts[0].connect(&to, plain());
        world.settle();
        let client = answer.try_recv().unwrap().unwrap();
        client.send("to myself");
        world.settle();
        assert_eq!(any.accepted().unwrap().log(), [Log::Bytes(b"to myself".to_vec())]);
    }
}

#[test]
fn ports_that_are_taken_and_addresses_of_others_are_refused() {
    let (mut world, _cable) = World::pair();
    let _first = world.hosts[0].listen("0.0.0.0:80", plain(), false);
    for (address, kind) in [
        ("0.0.0.0:80", ErrorKind::AddrInUse),
        ("10.9.0.2:80", ErrorKind::AddrNotAvailable),
        ("unix:/run/x.sock", ErrorKind::Unsupported),
        ("local:x", ErrorKind::Unsupported),
    ] {
        let error = world.hosts[0].try_listen(address, plain(), false).err().unwrap();
        assert_eq!(error.kind(), kind, "{address}: {error}");
    }
}

#[test]
fn connects_fail_as_the_kernels_do() {
    let (mut world, cable) = World::pair();
    let kind_of = |world: &mut World, to: &str, time: Duration| {
        let limit = plain().connect_timeout(Duration::from_secs(3600));
        let client = world.hosts.last_mut().unwrap();
        let answer = client.connect(&to.parse().unwrap(), limit);
        world.pass(time);
        userspace_support::kind_of(&answer.try_recv().expect("it is decided").err().unwrap())
    };
    // Nobody listens; no route leads there; nobody can be meant.
    assert_eq!(kind_of(&mut world, "10.9.0.1:9", SECOND), ErrorKind::ConnectionRefused);
    assert_eq!(kind_of(&mut world, "192.0.2.1:9", SECOND), ErrorKind::NetworkUnreachable);
    assert_eq!(kind_of(&mut world, "0.0.0.0:9", SECOND), ErrorKind::InvalidInput);
    // Nobody answers for the address: the link address was asked for, not long.
    assert_eq!(kind_of(&mut world, "10.9.0.77:9", 5 * SECOND), ErrorKind::HostUnreachable);
    // The other host has gone, and nobody says so.
    let gone = world.hosts.remove(0);
    drop(gone);
    let answer = kind_of(&mut world, "10.9.0.1:9", 300 * SECOND);
    assert!(matches!(answer, ErrorKind::TimedOut | ErrorKind::HostUnreachable), "{answer}");
    drop(cable);
}

#[test]
fn a_port_is_free_again_when_its_listener_is_closed() {
    let (mut world, _cable) = World::pair();
    let first = world.hosts[0].listen("10.9.0.1:80", plain(), false);
    let (client, _accepted) = world.connection(&first, plain());
    world.hosts[0].event_loop.core().close_listener(first.key);
    let second = world.hosts[0].listen("10.9.0.1:80", plain(), false);
    assert_eq!(client.log(), []);
    world.connection(&second, plain());
}

/// What a channel has still to send.
fn pending(world: &mut World, peer: &userspace_support::Peer) -> u64 {
    let (sender, answer) = std::sync::mpsc::channel();
    peer.channel.execute(move |cx| sender.send(cx.pending_bytes()).unwrap()).unwrap();
    world.settle();
    answer.recv().unwrap()
}

#[test]
fn a_paused_reader_holds_its_peer_back_and_loses_nothing() {
    let (mut world, _cable) = World::pair();
    let small = SocketOptions::new();
    let small = small.recv_buffer_bytes(Some(16_384)).send_buffer_bytes(Some(16_384));
    let options = plain().socket(small);
    let server = world.hosts[0].listen("10.9.0.1:80", options.clone().auto_read(false), false);
    let (client, accepted) = world.connection(&server, options);
    let sent = pattern(300_000, 9);
    client.send(sent.clone());
    world.pass(10 * SECOND);
    assert_eq!(accepted.log(), [], "it does not read");
    assert!(pending(&mut world, &client) > 200_000, "it went somewhere");
    accepted.channel.set_auto_read(true).unwrap();
    world.pass(300 * SECOND);
    assert!(accepted.log() == [Log::Bytes(sent)], "other bytes came");
    assert_eq!(pending(&mut world, &client), 0);
}

#[test]
fn a_paused_reader_learns_of_the_end_when_it_reads_again() {
    let (mut world, _cable) = World::pair();
    let server = world.hosts[0].listen("10.9.0.1:80", plain().auto_read(false), false);
    let (client, accepted) = world.connection(&server, plain());
    client.send("last words");
    client.channel.close();
    world.settle();
    assert_eq!(accepted.log(), []);
    accepted.channel.set_auto_read(true).unwrap();
    world.settle();
    let words = Log::Bytes(b"last words".to_vec());
    assert_eq!(accepted.log(), [words, Log::ReadClosed, Log::Inactive]);
}

#[test]
fn half_a_connection_goes_on() {
    let (mut world, _cable) = World::pair();
    let half = plain().allow_half_closure(true);
    let server = world.hosts[0].listen("10.9.0.1:80", half.clone(), false);
    let (client, accepted) = world.connection(&server, half);
    client.channel.shutdown().unwrap();
    world.settle();
    assert_eq!(accepted.log(), [Log::ReadClosed]);
    accepted.send("and one more thing");
    accepted.channel.close();
    world.settle();
    let thing = Log::Bytes(b"and one more thing".to_vec());
    assert_eq!(client.log(), [thing, Log::ReadClosed, Log::Inactive]);
}

#[test]
fn an_abort_resets() {
    let (mut world, _cable) = World::pair();
    let server = world.hosts[0].listen("10.9.0.1:80", plain(), false);
    let (client, accepted) = world.connection(&server, plain());
    accepted.channel.abort();
    world.settle();
    assert_eq!(client.log(), [Log::Error(ErrorKind::ConnectionReset), Log::Inactive]);
}

#[test]
fn closing_with_unread_bytes_resets() {
    let (mut world, _cable) = World::pair();
    let unread = plain().auto_read(false).close_linger(Duration::ZERO);
    let server = world.hosts[0].listen("10.9.0.1:80", unread, false);
    let (client, accepted) = world.connection(&server, plain());
    client.send("nobody reads this");
    world.settle();
    accepted.channel.close();
    world.settle();
    assert_eq!(client.log(), [Log::Error(ErrorKind::ConnectionReset), Log::Inactive]);
}

#[test]
fn what_was_written_arrives_although_the_channel_is_closed() {
    let (mut world, _cable) = World::pair();
    let server = world.hosts[0].listen("10.9.0.1:80", plain(), false);
    let (client, accepted) = world.connection(&server, plain());
    let sent = pattern(500_000, 1);
    accepted.send(sent.clone());
    accepted.channel.close();
    world.settle();
    assert!(client.log() == [Log::Bytes(sent), Log::ReadClosed, Log::Inactive]);
}

/// Bytes that are read as a file's are.
struct Pages(Vec<u8>);

impl RegionSource for Pages {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.0[offset as usize..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[test]
fn files_are_read_as_far_as_there_is_room() {
    let (mut world, _cable) = World::pair();
    let server = world.hosts[0].listen("10.9.0.1:80", plain(), false);
    let (client, accepted) = world.connection(&server, plain());
    let pages = pattern(5_000_000, 4);
    let source = Arc::new(Pages(pages.clone()));
    client.send("head, ");
    client.send(Outgoing::File(FileRegion::new(source, 10, 4_999_980)));
    client.send(", tail");
    world.pass(SECOND);
    let whole = [b"head, ".as_slice(), &pages[10..4_999_990], b", tail"].concat();
    assert!(accepted.log() == [Log::Bytes(whole)], "other bytes came");
}

#[test]
fn a_file_that_became_shorter_breaks_the_channel() {
    let (mut world, _cable) = World::pair();
    let server = world.hosts[0].listen("10.9.0.1:80", plain(), false);
    let (client, accepted) = world.connection(&server, plain());
    let source = Arc::new(Pages(pattern(1000, 4)));
    client.send(Outgoing::File(FileRegion::new(source, 0, 2000)));
    world.pass(SECOND);
    assert_eq!(client.log(), [Log::Error(ErrorKind::UnexpectedEof), Log::Inactive]);
    assert!(accepted.log().contains(&Log::Error(ErrorKind::ConnectionReset)));
}

#[test]
fn many_connections_at_once() {
    let (mut world, _cable) = World::pair();
    let server = world.hosts[0].listen("10.9.0.1:80", plain(), true);
    let answers: Vec<_> =
        (0..1000).map(|_| world.hosts[1].connect(&server.address, plain())).collect();
    world.pass(5 * SECOND);
    let clients: Vec<_> = answers.iter().map(|a| a.try_recv().unwrap().unwrap()).collect();
    for (n, client) in clients.iter().enumerate() {
        client.send(pattern(200, n as u8));
    }
    world.pass(SECOND);
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(client.log(), [Log::Bytes(pattern(200, n as u8))], "client {n}");
    }
    assert_eq!(world.hosts[0].event_loop.stats().channels, 1000);
    drop(clients);
}

#[test]
fn a_full_backlog_holds_back_and_lets_in_later() {
    let (mut world, _cable) = World::pair();
    let options = plain().socket(SocketOptions::new().backlog(3));
    let server = world.hosts[0].listen("10.9.0.1:80", options, false);
    let answers: Vec<_> =
        (0..50).map(|_| world.hosts[1].connect(&server.address, plain())).collect();
    world.pass(60 * SECOND);
    assert!(answers.iter().all(|answer| answer.try_recv().is_ok_and(|it| it.is_ok())));
}

#[test]
fn a_close_of_the_listener_resets_who_was_not_accepted() {
    let (mut world, _cable) = World::pair();
    let server = world.hosts[0].listen("10.9.0.1:80", plain(), false);
    let answer = world.hosts[1].connect(&server.address, plain());
    // The SYN goes out; when it has come and was answered nobody listens any more.
    world.hosts[1].event_loop.turn(Some(Duration::ZERO)).unwrap();
    world.hosts[0].event_loop.core().close_listener(server.key);
    world.pass(5 * SECOND);
    let error = answer.try_recv().unwrap().err().unwrap();
    assert_eq!(userspace_support::kind_of(&error), ErrorKind::ConnectionRefused);
}

#[test]
fn an_unsent_option_of_another_kind_does_not_exist_here() {
    let (mut world, _cable) = World::pair();
    let none = SocketOptions::new;
    let refused = [
        ("reuse_port", none().reuse_port(true)),
        ("broadcast", none().broadcast(true)),
        ("multicast_loop", none().multicast_loop(Some(true))),
        ("multicast_ttl", none().multicast_ttl(Some(3))),
        ("only_v6", none().only_v6(Some(true))),
        ("zero_copy", none().zero_copy(Some(fyke_core::ZeroCopy::default()))),
        ("linger", none().linger(Some(SECOND))),
        ("tos", none().tos(Some(256))),
        ("ttl", none().ttl(Some(0))),
        ("recv_buffer_bytes", none().recv_buffer_bytes(Some(2 << 30))),
    ];
    for (name, socket) in refused {
        let options = ChannelOptions::new().socket(socket);
        let error = world.hosts[0].try_listen("0.0.0.0:0", options, false).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn what_the_peer_acknowledged_is_told() {
    let (mut world, _cable) = World::pair();
    let server = world.hosts[0].listen("10.9.0.1:80", plain(), false);
    let (client, _accepted) = world.connection(&server, plain());
    let progress = |world: &mut World| {
        let (sender, answer) = std::sync::mpsc::channel();
        client.channel.execute(move |cx| sender.send(cx.write_progress()).unwrap()).unwrap();
        world.settle();
        answer.recv().unwrap()
    };
    client.send(pattern(200_000, 1));
    world.pass(SECOND);
    let before = progress(&mut world);
    assert_eq!((before.acked_bytes, before.waiting_since), (Some(200_000), None));
    // Nobody is there to acknowledge it.
    let gone = world.hosts.remove(0);
    drop(gone);
    client.send("hello?");
    world.pass(SECOND);
    let after = progress(&mut world);
    assert_eq!((after.taken_bytes, after.acked_bytes), (200_006, Some(200_000)));
    assert!(after.waiting_since.is_some(), "{after:?}");
}

#[test]
fn a_loop_that_ends_delivers_first_what_was_written() {
    for (deadline, delivered) in [(60 * SECOND, true), (SECOND, false)] {
        let (mut world, _cable) = World::pair();
        let roomy = plain().socket(SocketOptions::new().send_buffer_bytes(Some(1 << 20)));
        let server = world.hosts[0].listen("10.9.0.1:80", roomy, false);
        let small = SocketOptions::new().recv_buffer_bytes(Some(16_384));
        let (client, accepted) = world.connection(&server, plain().auto_read(false).socket(small));
        let sent = pattern(300_000, 7);
        accepted.send(sent.clone());
        accepted.channel.close();
        // The channel has gone, the stack has its bytes, and the peer reads nothing.
        world.pass(5 * SECOND);
        assert_eq!(accepted.log(), [Log::Inactive]);
        let (told, report) = std::sync::mpsc::channel();
        let core = world.hosts[0].event_loop.core();
        core.shutdown(deadline, move |report| told.send(report).unwrap());
        world.pass(5 * SECOND);
        assert_eq!(report.try_recv().is_err(), delivered, "it waits until its deadline");
        if delivered {
            client.channel.set_auto_read(true).unwrap();
            world.pass(10 * SECOND);
            assert!(client.log() == [Log::Bytes(sent), Log::ReadClosed, Log::Inactive]);
            assert_eq!(report.try_recv().unwrap().cut, 0);
        }
        assert!(world.hosts[0].event_loop.has_ended());
    }
}

/// Lets nobody in.
struct Bouncer;

impl AcceptSink for Bouncer {
    fn accepted(&mut self, _: &mut LoopCore, incoming: Incoming, _: Address) {
        drop(incoming);
    }
}

#[test]
fn a_connection_that_gets_no_channel_is_reset() {
    let (mut world, _cable) = World::pair();
    let (transport, address) = (world.hosts[0].transport, "10.9.0.1:80".parse().unwrap());
    let core = world.hosts[0].event_loop.core();
    core.listen(transport, &address, &plain(), Bouncer).unwrap();
    let answer = world.hosts[1].connect(&address, plain());
    world.pass(SECOND);
    let client = answer.try_recv().unwrap().unwrap();
    assert_eq!(client.log(), [Log::Error(ErrorKind::ConnectionReset), Log::Inactive]);
    let core = world.hosts[0].event_loop.core();
    let transport: &mut StackTransport<CableDevice> = core.transport_as(transport).unwrap();
    assert_eq!(transport.stack().usage().connections, 0);
}

#[test]
fn a_tunnel_and_an_anycast_address_are_options() {
    // IPv6 goes through IPv4 both ways, and the service has an address of many.
    let tunneled = |at: usize| {
        let ends = [ip(at), ip(1 - at)].map(|end| end.parse().unwrap());
        let inside: [Cidr; 3] =
            ["fd00:66::1/128", "fd00:66::2/128", "fd00:66::53/128"].map(|one| one.parse().unwrap());
        let through = if at == 0 { &inside[1..2] } else { &inside[2..] };
        let options = options(at).tunnel(Tunnel::new(ends[0], ends[1]), through);
        match at {
            0 => options.address(inside[0]).anycast(inside[2]),
            _ => options.address(inside[1]),
        }
    };
    let (mut world, _cable) = World::on(CableOptions::new(), tunneled);
    let _server = world.hosts[0].listen("[::]:80", plain(), true);
    let answer = world.hosts[1].connect(&"[fd00:66::53]:80".parse().unwrap(), greedy());
    world.settle();
    let client = answer.try_recv().unwrap().unwrap();
    let sent = pattern(300_000, 3);
    client.send(sent.clone());
    world.settle();
    assert!(client.log() == [Log::Bytes(sent)], "other bytes came back");
}
