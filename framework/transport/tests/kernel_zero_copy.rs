//! Writes that leave from where the bytes lie.

mod kernel_support;

use std::io::Read as _;
use std::net::TcpListener;

use fyke_core::transport::{CloseMode, Transport};
use fyke_core::{Address, SocketOptions, ZeroCopy};
use kernel_support::{Id, World, loopback, noise, on_every_poller};

const KIB: usize = 1024;
const MIB: usize = 1 << 20;

fn options(forced: bool) -> SocketOptions {
    SocketOptions::default().zero_copy(Some(ZeroCopy { bytes_min: 16 * KIB, forced }))
}

/// A connection whose connecting end sends without a copy.
fn pair(world: &mut World, forced: bool) -> (Id, Id) {
    let (listener, address) = world.listen(&loopback(), &SocketOptions::default());
    let client = world.connect(&address, &options(forced));
    let server = world.accept(listener);
    world.until(|world| world.chans[client].connected);
    world.close(listener, CloseMode::Orderly);
    (client, server)
}

#[test]
fn large_writes_arrive_and_are_reported() {
    on_every_poller(|world| {
        let (client, server) = pair(world, true);
        let content = noise(5 * MIB);
        for piece in content.chunks(100 * KIB) {
            world.send(client, piece.to_vec());
        }
        world.until(|world| world.chans[server].input.len() == content.len());
        assert!(world.chans[server].input == content);
        world.until_silently(|world| {
            let stats = world.kernel.borrow().zero_copy_stats();
            stats.done == stats.writes
        });
        let stats = world.kernel.borrow().zero_copy_stats();
        assert!(stats.writes > 0 && stats.bytes <= content.len() as u64);
        assert_eq!(stats.copied, stats.done, "loopback copies");
        assert!(world.chans[client].log == ["connected"], "{:?}", world.chans[client].log);
    });
}

#[test]
fn small_writes_are_copied() {
    on_every_poller(|world| {
        let (client, server) = pair(world, true);
        world.send(client, noise(16 * KIB - 1));
        world.until(|world| world.chans[server].input.len() == 16 * KIB - 1);
        assert_eq!(world.kernel.borrow().zero_copy_stats().writes, 0);
    });
}

#[test]
fn a_kernel_that_copies_is_not_asked_again_unless_it_is_forced() {
    for forced in [true, false] {
        on_every_poller(|world| {
            let (client, server) = pair(world, forced);
            let mut sent = 0;
            for _ in 0..4 {
                world.send(client, noise(32 * KIB));
                sent += 32 * KIB;
                world.until(|world| world.chans[server].input.len() == sent);
                world.until_silently(|world| {
                    let stats = world.kernel.borrow().zero_copy_stats();
                    stats.done == stats.writes
                });
            }
            let writes = world.kernel.borrow().zero_copy_stats().writes;
            assert!(if forced { writes >= 4 } else { writes == 1 }, "{writes} writes");
        });
    }
}

#[test]
fn many_pieces_and_small_ones_between_them_keep_their_order() {
    on_every_poller(|world| {
        let (client, server) = pair(world, true);
        let content = noise(700 * KIB);
        let (mut at, mut n) = (0, 0);
        while at < content.len() {
            let len = [3, 20 * KIB, 400, 1, 9 * KIB, 700][n % 6].min(content.len() - at);
            world.send(client, content[at..at + len].to_vec());
            (at, n) = (at + len, n + 1);
        }
        world.until(|world| world.chans[server].input.len() == content.len());
        assert!(world.chans[server].input == content);
        assert!(world.kernel.borrow().zero_copy_stats().writes > 1);
    });
}

#[test]
fn a_closed_connection_waits_until_the_kernel_is_done() {
    let content = bytes::Bytes::from(noise(MIB).repeat(24));
    on_every_poller(|world| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Inet(listener.local_addr().unwrap());
        let client = world.connect(&address, &options(true));
        let (mut far, _) = listener.accept().unwrap();
        world.until(|world| world.chans[client].connected);
        world.send(client, content.clone());
        // The far end does not read, so something stays on its way.
        world.until(|world| world.chans[client].blocked);
        world.assert_quiet();
        let sent = content.len() - world.chans[client].out.pending() as usize;
        world.close(client, CloseMode::Orderly);
        assert_eq!(world.kernel.borrow().finishing(), 1);
        assert!(world.kernel.borrow().next_deadline().is_some());
        let reader = std::thread::spawn(move || {
            let mut got = Vec::new();
            far.read_to_end(&mut got).unwrap();
            got
        });
        world.until_finished();
        let got = reader.join().unwrap();
        assert!(got.len() == sent && got == content[..sent]);
        let stats = world.kernel.borrow().zero_copy_stats();
        assert_eq!(stats.done, stats.writes);
    });
}

#[test]
fn a_peer_that_takes_nothing_is_reset_in_the_end() {
    let mut world = World::new(fyke_poller::Backend::EpollLevel);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Inet(listener.local_addr().unwrap());
    let client = world.connect(&address, &options(true));
    let (mut far, _) = listener.accept().unwrap();
    world.until(|world| world.chans[client].connected);
    world.send(client, noise(MIB).repeat(24));
    world.until(|world| world.chans[client].blocked);
    world.assert_quiet();
    world.close(client, CloseMode::Orderly);
    let (mut events, second) = (Vec::new(), std::time::Duration::from_secs(1));
    let mut now = fyke_clock::Instant::ZERO + second;
    world.kernel.borrow_mut().poll(now, &mut events);
    assert_eq!(world.kernel.borrow().finishing(), 1);
    now += 31 * second;
    world.kernel.borrow_mut().poll(now, &mut events);
    assert_eq!((world.kernel.borrow().finishing(), events.len()), (0, 0));
    let error = std::io::copy(&mut far, &mut std::io::sink()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn an_aborted_connection_waits_for_nothing() {
    on_every_poller(|world| {
        let (client, server) = pair(world, true);
        world.set_reading(server, false);
        world.send(client, noise(MIB).repeat(8));
        world.until(|world| world.chans[client].blocked);
        world.close(client, CloseMode::Abort);
        assert_eq!(world.kernel.borrow().finishing(), 0);
        world.close(server, CloseMode::Abort);
    });
}

#[test]
fn it_is_for_tcp_streams() {
    let dir = kernel_support::TempDir::new("zero-copy-unix");
    let mut world = World::new(fyke_poller::Backend::EpollLevel);
    let (_, key) = world.vacant();
    let unix = Address::unix(dir.path("socket"));
    let error = world.kernel.borrow_mut().connect(key, &unix, &options(false)).unwrap_err();
    assert!(error.to_string().contains("zero_copy"), "{error}");
}
