//! Unix sockets of the kernel transport: streams, datagrams and the paths they live at.

mod kernel_support;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

use fyke_core::transport::{CloseMode, Handle, Transport};
use fyke_core::{Address, Datagram, SocketOptions};
use kernel_support::{Id, TempDir, World, noise, on_every_poller};

#[test]
fn a_stream_echoes_and_ends() {
    let dir = TempDir::new("unix-stream");
    on_every_poller(|world| {
        let (client, server) = world.pair(&Address::unix(dir.path("s")));
        world.chans[server].echo = true;
        let sent = noise(2 << 20);
        for piece in sent.chunks(50_000) {
            world.send(client, piece.to_vec());
        }
        world.until(|world| world.chans[client].input.len() == sent.len());
        assert!(world.chans[client].input == sent);
        world.shutdown(client);
        world.until(|world| world.chans[server].ended);
        world.shutdown(server);
        world.until(|world| world.chans[client].ended);
        world.logs()
    });
}

#[test]
fn a_close_is_seen_while_reading_is_paused() {
    let dir = TempDir::new("unix-paused");
    on_every_poller(|world| {
        let (client, server) = world.pair(&Address::unix(dir.path("s")));
        world.set_reading(server, false);
        world.send(client, &b"last words"[..]);
        world.until(|world| world.chans[client].out.pending() == 0);
        world.close(client, CloseMode::Orderly);
        world.until(|world| world.chans[server].peer_closed);
        world.assert_quiet();
        world.set_reading(server, true);
        world.until(|world| world.chans[server].ended);
        assert_eq!(world.chans[server].input, b"last words");
        world.logs()
    });
}

#[test]
fn the_path_comes_and_goes_with_the_listener() {
    let dir = TempDir::new("unix-path");
    on_every_poller(|world| {
        let path = dir.path("s");
        let address = Address::unix(&path);
        let (listener, bound) = world.listen(&address, &SocketOptions::default());
        assert_eq!(bound, address);
        assert!(path.exists());
        let (client, server) = {
            let client = world.connect(&address, &SocketOptions::default());
            (client, world.accept(listener))
        };
        assert_eq!(world.kernel.borrow_mut().local_address(world.handle(server)).unwrap(), address);
        world.close(listener, CloseMode::Orderly);
        assert!(!path.exists());
        world.send(server, &b"still here"[..]);
        world.until(|world| world.chans[client].input == b"still here");
    });
}

#[test]
fn a_transport_that_is_dropped_leaves_no_path_behind() {
    let dir = TempDir::new("unix-drop");
    let path = dir.path("s");
    let mut world = World::new(fyke_poller::Backend::EpollLevel);
    world.listen(&Address::unix(&path), &SocketOptions::default());
    assert!(path.exists());
    drop(world);
    assert!(!path.exists());
}

#[test]
fn a_dead_path_is_taken_over_and_a_live_one_is_not() {
    let dir = TempDir::new("unix-stale");
    on_every_poller(|world| {
        let path = dir.path("s");
        let address = Address::unix(&path);
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "nobody listens, but the path is there");
        let (listener, _) = world.listen(&address, &SocketOptions::default());
        assert_eq!(listen_error(world, &address), ErrorKind::AddrInUse);
        assert!(!world.chans[listener].acceptable, "the probe disturbs nobody");
        world.assert_quiet();
        assert!(!world.chans[listener].acceptable, "the probe disturbs nobody");
        world.close(listener, CloseMode::Orderly);

        let live = UnixDatagram::bind(&path).unwrap();
        assert_eq!(listen_error(world, &address), ErrorKind::AddrInUse);
        drop(live);
        fs::remove_file(&path).unwrap();

        fs::write(&path, "not a socket").unwrap();
        assert_eq!(listen_error(world, &address), ErrorKind::AddrInUse);
        assert_eq!(fs::read(&path).unwrap(), b"not a socket");
        fs::remove_file(&path).unwrap();
    });
}

fn listen_error(world: &mut World, address: &Address) -> ErrorKind {
    let (_, key) = world.vacant();
    world.kernel.borrow_mut().listen(key, address, &SocketOptions::default()).unwrap_err().kind()
}

#[test]
fn somebody_elses_path_is_not_removed() {
    let dir = TempDir::new("unix-replaced");
    let path = dir.path("s");
    let mut world = World::new(fyke_poller::Backend::EpollLevel);
    let (listener, _) = world.listen(&Address::unix(&path), &SocketOptions::default());
    fs::rename(&path, dir.path("moved")).unwrap();
    let _next = UnixListener::bind(&path).unwrap();
    world.close(listener, CloseMode::Orderly);
    assert!(path.exists());
}

#[test]
fn nobody_at_the_path_fails_at_once() {
    let dir = TempDir::new("unix-refused");
    on_every_poller(|world| {
        let path = dir.path("s");
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(connect_error(world, &path), ErrorKind::ConnectionRefused);
        fs::remove_file(&path).unwrap();
        assert_eq!(connect_error(world, &path), ErrorKind::NotFound);
    });
}

fn connect_error(world: &mut World, path: &Path) -> ErrorKind {
    let (_, key) = world.vacant();
    let address = Address::unix(path);
    world.kernel.borrow_mut().connect(key, &address, &SocketOptions::default()).unwrap_err().kind()
}

#[test]
fn abstract_names_leave_nothing_behind() {
    on_every_poller(|world| {
        let name = format!("\0fyke-test-{}", std::process::id());
        let (client, server) = world.pair(&Address::unix(name));
        world.send(client, &b"hello"[..]);
        world.until(|world| world.chans[server].input == b"hello");
    });
}

fn datagram(world: &mut World, bind: Option<&Address>, peer: Option<&Address>) -> (Id, Handle) {
    let (id, key) = world.vacant();
    let (handle, _) =
        world.kernel.borrow_mut().datagram(key, bind, peer, &SocketOptions::default()).unwrap();
    world.chans[id].handle = Some(handle);
    // The miniature loop reads streams; here the test itself receives.
    world.chans[id].reading = false;
    (id, handle)
}

fn receive(world: &mut World, id: Id) -> Vec<Datagram> {
    let handle = world.handle(id);
    let mut batch = Vec::new();
    loop {
        world.until(|world| world.chans[id].readable);
        let pool = world.pool.clone();
        let more = world.kernel.borrow_mut().receive(handle, &mut batch, &pool).unwrap();
        world.chans[id].readable = more;
        if !more && !batch.is_empty() {
            return batch;
        }
    }
}

#[test]
fn datagrams_know_the_path_they_come_from() {
    let dir = TempDir::new("unix-datagram");
    on_every_poller(|world| {
        let (here, there) = (Address::unix(dir.path("a")), Address::unix(dir.path("b")));
        let (us, ours) = datagram(world, Some(&here), None);
        let (theirs, handle) = datagram(world, Some(&there), Some(&here));
        let batch: Vec<_> = (0..20u8).map(|n| Datagram::to(there.clone(), &[n; 3][..])).collect();
        let mut sent = 0;
        let mut got = Vec::new();
        while got.len() < batch.len() {
            let result = world.kernel.borrow_mut().send(ours, &batch[sent..]);
            match result {
                Ok(n) => sent += n,
                Err(error) => assert_eq!(error.kind(), ErrorKind::ResourceBusy),
            }
            got.append(&mut receive(world, theirs));
        }
        for (n, datagram) in got.iter().enumerate() {
            assert_eq!(datagram.payload.as_slice(), &[n as u8; 3]);
            assert_eq!(datagram.peer.as_ref(), Some(&here));
            assert!(!datagram.truncated);
        }
        world.kernel.borrow_mut().send(handle, &[Datagram::connected(&b"back"[..])]).unwrap();
        assert_eq!(receive(world, us)[0].peer.as_ref(), Some(&there));
        world.close(theirs, CloseMode::Orderly);
        assert!(!dir.path("b").exists());
    });
}

#[test]
fn a_full_receiver_blocks_whom_it_is_connected_to() {
    let dir = TempDir::new("unix-full");
    on_every_poller(|world| {
        let there = Address::unix(dir.path("b"));
        let (theirs, _) = datagram(world, Some(&there), None);
        let (ours, handle) = datagram(world, Some(&Address::unix(dir.path("a"))), Some(&there));
        let message = || Datagram::connected(&b"message"[..]);
        let mut sent = 0;
        while world.kernel.borrow_mut().send(handle, &[message()]).unwrap() == 1 {
            sent += 1;
        }
        assert!(sent > 0);
        world.chans[ours].blocked = true;
        assert_eq!(world.kernel.borrow_mut().send(handle, &[message()]).unwrap(), 0);
        assert_eq!(receive(world, theirs).len(), sent);
        world.until(|world| !world.chans[ours].blocked);
        assert_eq!(world.kernel.borrow_mut().send(handle, &[message(), message()]).unwrap(), 2);
        assert_eq!(receive(world, theirs).len(), 2);
    });
}

/// Of one full receiver among many nothing tells the end, so waiting for it could be for ever.
#[test]
fn a_full_receiver_is_an_error_for_whom_is_not_connected() {
    let dir = TempDir::new("unix-busy");
    on_every_poller(|world| {
        let there = Address::unix(dir.path("b"));
        let (theirs, _) = datagram(world, Some(&there), None);
        let (_, handle) = datagram(world, Some(&Address::unix(dir.path("a"))), None);
        let message = || [Datagram::to(there.clone(), &b"message"[..])];
        let mut sent = 0;
        let error = loop {
            let result = world.kernel.borrow_mut().send(handle, &message());
            match result {
                Ok(1) => sent += 1,
                Ok(n) => panic!("{n} of one datagram"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        assert_eq!(receive(world, theirs).len(), sent);
        assert_eq!(world.kernel.borrow_mut().send(handle, &message()).unwrap(), 1);
        assert_eq!(receive(world, theirs).len(), 1);
    });
}

#[test]
fn options_of_tcp_are_refused() {
    let dir = TempDir::new("unix-options");
    let mut world = World::new(fyke_poller::Backend::EpollLevel);
    let address = Address::unix(dir.path("s"));
    let plain = SocketOptions::default();
    for options in [
        plain.clone().quick_ack(Some(true)),
        plain.clone().tos(Some(0)),
        plain.clone().broadcast(true),
        plain.clone().reuse_port(true),
    ] {
        let (_, key) = world.vacant();
        let error = world.kernel.borrow_mut().listen(key, &address, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("does not exist for Unix streams"), "{error}");
        assert!(!dir.path("s").exists());
    }
    let fits = plain.nodelay(false).send_buffer_bytes(Some(10_000)).recv_buffer_bytes(Some(10_000));
    world.listen(&address, &fits);
}
