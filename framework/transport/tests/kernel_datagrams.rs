//! UDP endpoints of the kernel transport.

mod kernel_support;

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use fyke_core::transport::{CloseMode, Handle, Membership, Transport};
use fyke_core::{Address, Datagram, SocketOptions};
use kernel_support::{Id, World, loopback, on_every_poller};

fn open(
    world: &mut World,
    bind: Option<&Address>,
    peer: Option<&Address>,
    options: &SocketOptions,
) -> io::Result<(Id, Handle, Address)> {
    let (id, key) = world.vacant();
    let (handle, address) = world.kernel.borrow_mut().datagram(key, bind, peer, options)?;
    world.chans[id].handle = Some(handle);
    // The miniature loop reads streams; here the test itself receives.
    world.chans[id].reading = false;
    Ok((id, handle, address))
}

fn bound(world: &mut World) -> (Id, Handle, Address) {
    open(world, Some(&loopback()), None, &SocketOptions::default()).unwrap()
}

/// Receives all there is.
fn receive(world: &mut World, id: Id) -> io::Result<Vec<Datagram>> {
    let handle = world.handle(id);
    let mut batch = Vec::new();
    loop {
        world.until(|world| world.chans[id].readable);
        let pool = world.pool.clone();
        let result = world.kernel.borrow_mut().receive(handle, &mut batch, &pool);
        world.chans[id].readable = *result.as_ref().unwrap_or(&true);
        if !result? && !batch.is_empty() {
            return Ok(batch);
        }
    }
}

#[test]
fn batches_of_all_sizes_arrive_whole_and_in_order() {
    on_every_poller(|world| {
        let (_, ours, here) = bound(world);
        let (theirs, _, there) = bound(world);
        let mut next = 0u32;
        for count in [1usize, 2, 5, 64, 65, 130, 3, 1] {
            let batch: Vec<_> = (0..count)
                .map(|_| {
                    next += 1;
                    let mut payload = fyke_buffer::ByteBuf::with_capacity(2000);
                    payload.write_u32(next);
                    payload.write_bytes(7, (next % 1500) as usize);
                    Datagram::to(there.clone(), payload)
                })
                .collect();
            assert_eq!(world.kernel.borrow_mut().send(ours, &batch).unwrap(), count);
            let mut got = Vec::new();
            while got.len() < count {
                got.append(&mut receive(world, theirs).unwrap());
            }
            for (mut got, sent) in got.into_iter().zip(&batch) {
                assert_eq!(got.payload.as_slice(), sent.payload.as_slice());
                assert_eq!(got.peer.as_ref(), Some(&here));
                assert!(!got.truncated);
                got.payload.read_u32().unwrap();
            }
        }
    });
}

#[test]
fn a_datagram_that_is_too_long_is_cut_and_says_so() {
    on_every_poller(|world| {
        let (_, ours, _) = bound(world);
        let options = SocketOptions::default().datagram_bytes_max(10);
        let (theirs, _, there) = open(world, Some(&loopback()), None, &options).unwrap();
        let batch: Vec<_> = [&b"short"[..], b"", b"exactly 10", b"exactly eleven"]
            .map(|text| Datagram::to(there.clone(), text))
            .into();
        assert_eq!(world.kernel.borrow_mut().send(ours, &batch).unwrap(), 4);
        let got = receive(world, theirs).unwrap();
        let got: Vec<_> = got.iter().map(|got| (got.payload.as_slice(), got.truncated)).collect();
        let expected: [(&[u8], bool); 4] =
            [(b"short", false), (b"", false), (b"exactly 10", false), (b"exactly el", true)];
        assert_eq!(got, expected);
    });
}

#[test]
fn a_connected_endpoint_needs_no_receiver_and_hears_its_peer_only() {
    on_every_poller(|world| {
        let (theirs, handle, there) = bound(world);
        let options = SocketOptions::default();
        let (ours, connected, here) = open(world, None, Some(&there), &options).unwrap();
        assert_ne!(here.as_inet().unwrap().port(), 0);
        let out = [Datagram::connected(&b"one"[..]), Datagram::connected(&b"two"[..])];
        assert_eq!(world.kernel.borrow_mut().send(connected, &out).unwrap(), 2);
        let got = receive(world, theirs).unwrap();
        assert_eq!(got.len(), 2);
        assert_eq!(got[0].peer.as_ref(), Some(&here));

        let (_, stranger, _) = bound(world);
        world
            .kernel
            .borrow_mut()
            .send(stranger, &[Datagram::to(here.clone(), &b"stranger"[..])])
            .unwrap();
        world.kernel.borrow_mut().send(handle, &[Datagram::to(here, &b"answer"[..])]).unwrap();
        let got = receive(world, ours).unwrap();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].payload.as_slice(), b"answer");
    });
}

#[test]
fn an_unreachable_port_is_an_error_and_the_endpoint_lives() {
    for paused in [false, true] {
        on_every_poller(|world| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let there: Address = socket.local_addr().unwrap().into();
            drop(socket);
            let options = SocketOptions::default();
            let (ours, handle, here) = open(world, None, Some(&there), &options).unwrap();
            if paused {
                world.kernel.borrow_mut().set_reading(handle, false);
            }
            world
                .kernel
                .borrow_mut()
                .send(handle, &[Datagram::connected(&b"anybody?"[..])])
                .unwrap();
            world.until(|world| world.chans[ours].readable);
            if paused {
                world.assert_quiet();
                world.kernel.borrow_mut().set_reading(handle, true);
            }
            let error = receive(world, ours).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);

            let socket = UdpSocket::bind(there.as_inet().unwrap()).unwrap();
            socket.send_to(b"now I am here", here.as_inet().unwrap()).unwrap();
            assert_eq!(receive(world, ours).unwrap()[0].payload.as_slice(), b"now I am here");
        });
    }
}

#[test]
fn datagrams_behind_an_error_are_reported() {
    on_every_poller(|world| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let there = socket.local_addr().unwrap();
        drop(socket);
        let options = SocketOptions::default();
        let (ours, handle, here) = open(world, None, Some(&there.into()), &options).unwrap();
        let question = [Datagram::connected(&b"anybody?"[..])];
        world.kernel.borrow_mut().send(handle, &question).unwrap();
        let socket = UdpSocket::bind(there).unwrap();
        socket.send_to(b"now I am here", here.as_inet().unwrap()).unwrap();
        // The error and the datagram are both there before anybody looks.
        let error = receive(world, ours).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        world.chans[ours].readable = false;
        assert_eq!(receive(world, ours).unwrap()[0].payload.as_slice(), b"now I am here");
    });
}

#[test]
fn a_bad_datagram_is_an_error_of_itself_only() {
    on_every_poller(|world| {
        let (ours, handle, _) = bound(world);
        let (theirs, _, there) = bound(world);
        let good = |text: &'static str| Datagram::to(there.clone(), text);
        let bad = || Datagram::to(there.clone(), &vec![0; 70_000][..]);
        let mut batch = vec![good("1"), good("2"), bad(), good("3"), bad()];
        let mut errors = 0;
        while !batch.is_empty() {
            let result = world.kernel.borrow_mut().send(handle, &batch);
            match result {
                Ok(sent) => {
                    batch.drain(..sent);
                    if !batch.is_empty() {
                        // Less than given: there will be a report.
                        world.chans[ours].blocked = true;
                        world.until(|world| !world.chans[ours].blocked);
                    }
                }
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(90), "EMSGSIZE, not {error}");
                    errors += 1;
                    batch.remove(0);
                }
            }
        }
        assert_eq!(errors, 2);
        let got = receive(world, theirs).unwrap();
        let got: Vec<_> = got.iter().map(|got| got.payload.as_slice()).collect();
        assert_eq!(got, [b"1", b"2", b"3"]);
        let local = [Datagram::to(Address::local("name"), &b"x"[..])];
        assert_eq!(
            world.kernel.borrow_mut().send(handle, &local).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    });
}

#[test]
fn a_pause_keeps_datagrams_for_later() {
    on_every_poller(|world| {
        let (_, ours, _) = bound(world);
        let (theirs, handle, there) = bound(world);
        world.kernel.borrow_mut().set_reading(handle, false);
        let batch: Vec<_> = (0..10).map(|_| Datagram::to(there.clone(), &b"x"[..])).collect();
        world.kernel.borrow_mut().send(ours, &batch).unwrap();
        world.until(|world| world.chans[theirs].readable);
        world.assert_quiet();
        world.kernel.borrow_mut().set_reading(handle, true);
        assert_eq!(receive(world, theirs).unwrap().len(), 10);
        world.kernel.borrow_mut().send(ours, &batch).unwrap();
        assert_eq!(receive(world, theirs).unwrap().len(), 10);
    });
}

#[test]
fn a_port_is_not_shared_unless_all_ask_for_it() {
    on_every_poller(|world| {
        let (_, _, address) = bound(world);
        let options = SocketOptions::default();
        let error = open(world, Some(&address), None, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);

        let shared = options.reuse_port(true);
        let (_, _, address) = open(world, Some(&loopback()), None, &shared).unwrap();
        open(world, Some(&address), None, &shared).unwrap();
        let error = open(world, None, None, &shared).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn broadcast_must_be_asked_for() {
    on_every_poller(|world| {
        let any: Address = "0.0.0.0:0".parse().unwrap();
        let options = SocketOptions::default();
        let (theirs, _, there) = open(world, Some(&any), None, &options).unwrap();
        let all = SocketAddr::new([127, 255, 255, 255].into(), there.as_inet().unwrap().port());
        let out = [Datagram::to(all.into(), &b"everybody"[..])];
        let (_, handle, _) = bound(world);
        let error = world.kernel.borrow_mut().send(handle, &out).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let allowed = options.broadcast(true);
        let (_, handle, _) = open(world, Some(&loopback()), None, &allowed).unwrap();
        world.kernel.borrow_mut().send(handle, &out).unwrap();
        assert_eq!(receive(world, theirs).unwrap()[0].payload.as_slice(), b"everybody");
    });
}

/// The index of the loopback interface.
fn loopback_index() -> u32 {
    std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap().trim().parse().unwrap()
}

#[test]
fn a_group_of_ipv4_is_joined_and_left() {
    let group = Ipv4Addr::new(239, 255, 70, 1);
    on_every_poller(|world| {
        let options = SocketOptions::default().multicast_ttl(Some(0)).multicast_loop(Some(true));
        let any: Address = "0.0.0.0:0".parse().unwrap();
        let (member, joined, address) = open(world, Some(&any), None, &options).unwrap();
        let port = address.as_inet().unwrap().port();
        let membership =
            Membership { group: group.into(), interface_index: loopback_index(), join: true };
        world.kernel.borrow_mut().membership(joined, membership).unwrap();
        let (_, sender, _) = open(world, Some(&loopback()), None, &options).unwrap();
        let to = |ip: Ipv4Addr, text: &'static str| {
            [Datagram::to(SocketAddr::from((ip, port)).into(), text)]
        };
        world.kernel.borrow_mut().send(sender, &to(group, "members")).unwrap();
        assert_eq!(receive(world, member).unwrap()[0].payload.as_slice(), b"members");

        world
            .kernel
            .borrow_mut()
            .membership(joined, Membership { join: false, ..membership })
            .unwrap();
        world.kernel.borrow_mut().send(sender, &to(group, "members")).unwrap();
        // That this arrives first shows that the other did not: over loopback order is kept.
        world.kernel.borrow_mut().send(sender, &to(Ipv4Addr::LOCALHOST, "direct")).unwrap();
        assert_eq!(receive(world, member).unwrap()[0].payload.as_slice(), b"direct");
        world.close(member, CloseMode::Orderly);
    });
}

/// Not every machine has a route for it, so nothing is sent: the kernel's books tell.
#[test]
fn a_group_of_ipv6_is_joined_and_left() {
    let group: Ipv6Addr = "ff11::7001".parse().unwrap();
    on_every_poller(|world| {
        let any: Address = "[::]:0".parse().unwrap();
        let options = SocketOptions::default().multicast_ttl(Some(0)).multicast_loop(Some(true));
        let (_, handle, _) = open(world, Some(&any), None, &options).unwrap();
        let join =
            Membership { group: group.into(), interface_index: loopback_index(), join: true };
        world.kernel.borrow_mut().membership(handle, join).unwrap();
        let error = world.kernel.borrow_mut().membership(handle, join).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        world.kernel.borrow_mut().membership(handle, Membership { join: false, ..join }).unwrap();
        let error =
            world.kernel.borrow_mut().membership(handle, Membership { join: false, ..join });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn a_storm_is_received_to_its_end() {
    on_every_poller(|world| {
        let options = SocketOptions::default().recv_buffer_bytes(Some(1 << 20));
        let (theirs, _, there) = open(world, Some(&loopback()), None, &options).unwrap();
        let (_, ours, _) = bound(world);
        let batch: Vec<_> = (0..100).map(|_| Datagram::to(there.clone(), &b"drop"[..])).collect();
        assert_eq!(world.kernel.borrow_mut().send(ours, &batch).unwrap(), 100);
        assert_eq!(receive(world, theirs).unwrap().len(), 100);
        assert!(!world.turn(Duration::ZERO), "nothing is left");
    });
}
