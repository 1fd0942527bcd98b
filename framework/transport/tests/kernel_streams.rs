//! Connections of the kernel transport: the same script gives the same log on every poller.

mod kernel_support;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use fyke_buffer::Pool;
use fyke_core::driver::{Driver, Readiness, Token};
use fyke_core::transport::{CloseMode, Handle, Transport, TransportEvent};
use fyke_core::{Address, SocketOptions};
use kernel_support::{World, loopback, noise, on_every_poller};

const MIB: usize = 1 << 20;

#[test]
fn a_mebibyte_is_echoed_in_pieces_of_all_sizes() {
    for (piece, want) in [(333, 1000), (65_536, 65_536), (MIB, 1)] {
        on_every_poller(|world| {
            let (client, server) = world.tcp_pair();
            world.chans[server].echo = true;
            world.chans[server].want = want;
            world.chans[client].want = want;
            let sent = noise(MIB);
            for piece in sent.chunks(piece) {
                world.send(client, piece.to_vec());
            }
            world.until(|world| world.chans[client].input.len() == MIB);
            assert!(world.chans[client].input == sent && world.chans[server].input == sent);
            world.logs()
        });
    }
}

#[test]
fn a_question_and_its_answer_take_turns() {
    on_every_poller(|world| {
        let (client, server) = world.tcp_pair();
        world.chans[server].echo = true;
        for round in 1..=50 {
            world.send(
                client,
                &b"sixty-four bytes are what a small message has, give or take some"[..],
            );
            world.until(|world| world.chans[client].input.len() == round * 64);
        }
        world.logs()
    });
}

#[test]
fn a_writer_waits_for_a_reader_that_pauses() {
    on_every_poller(|world| {
        let (client, server) = world.tcp_pair();
        world.set_reading(server, false);
        let sent = noise(16 * MIB);
        world.send(client, sent.clone());
        world.until(|world| world.chans[client].blocked);
        world.assert_quiet();
        assert!(world.chans[client].out.pending() > 0, "it all fitted");
        assert!(world.chans[server].input.is_empty());

        world.set_reading(server, true);
        world.until(|world| world.chans[server].input.len() == sent.len());
        assert!(world.chans[server].input == sent);
        assert!(world.chans[client].unblocked > 0);
        world.logs()
    });
}

#[test]
fn pausing_in_the_middle_loses_nothing() {
    on_every_poller(|world| {
        let (client, server) = world.tcp_pair();
        world.chans[server].want = 1024;
        let sent = noise(2 * MIB);
        world.send(client, sent.clone());
        let mut goal = 0;
        while goal < sent.len() {
            goal += 300_000;
            world.until(|world| world.chans[server].input.len() >= goal.min(sent.len()));
            world.set_reading(server, false);
            let before = world.chans[server].input.len();
            world.assert_quiet();
            assert_eq!(world.chans[server].input.len(), before, "read while paused");
            world.set_reading(server, true);
        }
        assert!(world.chans[server].input == sent);
        world.logs()
    });
}

#[test]
fn either_side_may_end_first_and_the_other_goes_on() {
    on_every_poller(|world| {
        let (client, server) = world.tcp_pair();
        world.send(client, &b"question"[..]);
        world.until(|world| world.chans[client].out.pending() == 0);
        world.shutdown(client);
        world.until(|world| world.chans[server].ended);
        assert_eq!(world.chans[server].input, b"question");
        world.assert_quiet();

        let answer = noise(3 * MIB);
        world.send(server, answer.clone());
        world.until(|world| world.chans[client].input.len() == answer.len());
        world.shutdown(server);
        world.until(|world| world.chans[client].ended);
        assert!(world.chans[client].input == answer);
        assert_eq!(world.chans[server].log, ["peer closed", "end after 8 bytes"]);
        world.assert_quiet();
        world.logs()
    });
}

#[test]
fn a_reset_is_an_error_of_the_read() {
    on_every_poller(|world| {
        let (client, server) = world.tcp_pair();
        world.send(client, &b"last words"[..]);
        world.until(|world| world.chans[server].input.len() == 10);
        world.close(client, CloseMode::Abort);
        world.until(|world| world.chans[server].ended);
        assert_eq!(world.chans[server].log, ["peer closed", "ConnectionReset after 10 bytes"]);
        world.logs()
    });
}

#[test]
fn a_reset_reaches_a_paused_reader_and_a_blocked_writer() {
    on_every_poller(|world| {
        let (client, server) = world.tcp_pair();
        world.set_reading(client, false);
        world.set_reading(server, false);
        world.send(client, noise(16 * MIB));
        world.until(|world| world.chans[client].blocked);
        world.close(server, CloseMode::Abort);
        world.until(|world| world.chans[client].peer_closed && !world.chans[client].blocked);
        world.assert_quiet();
        world.set_reading(client, true);
        world.until(|world| world.chans[client].ended || world.chans[client].log.len() > 2);
        world.chans[client].log.retain(|line| !line.contains("after 0 bytes"));
        let error = world.chans[client].log.pop().unwrap();
        assert!(error == "write: BrokenPipe" || error == "write: ConnectionReset", "{error}");
        world.logs()
    });
}

#[test]
fn a_reset_after_the_end_was_read_is_reported() {
    on_every_poller(|world| {
        let (client, server) = world.tcp_pair();
        world.shutdown(client);
        world.until(|world| world.chans[server].ended);
        world.close(client, CloseMode::Abort);
        world.until(|world| world.chans[server].log.len() > 2);
        assert_eq!(
            world.chans[server].log,
            ["peer closed", "end after 0 bytes", "failed: BrokenPipe"]
        );
        world.logs()
    });
}

#[test]
fn a_close_is_seen_while_reading_is_paused() {
    for mode in [CloseMode::Orderly, CloseMode::Abort] {
        on_every_poller(|world| {
            let (client, server) = world.tcp_pair();
            world.set_reading(server, false);
            world.send(client, noise(5000));
            world.until(|world| world.chans[client].out.pending() == 0);
            world.until(|world| world.chans[server].readable);
            world.assert_quiet();
            world.close(client, mode);
            world.until(|world| world.chans[server].peer_closed);
            world.assert_quiet();
            assert!(world.chans[server].input.is_empty());
            assert!(world.chans[server].readable);

            world.set_reading(server, true);
            world.until(|world| world.chans[server].ended);
            assert!(world.chans[server].input == noise(5000), "what came before the end is lost");
            world.logs()
        });
    }
}

#[test]
fn a_close_before_the_accept_is_seen_after_it() {
    on_every_poller(|world| {
        let options = SocketOptions::default();
        let (listener, address) = world.listen(&loopback(), &options);
        let client = world.connect(&address, &options);
        world.send(client, &b"gone"[..]);
        world.until(|world| world.chans[client].connected);
        world.until(|world| world.chans[client].out.pending() == 0);
        world.close(client, CloseMode::Orderly);
        let server = world.accept(listener);
        world.until(|world| world.chans[server].ended);
        assert_eq!(world.chans[server].log, ["peer closed", "end after 4 bytes"]);
        world.logs()
    });
}

#[test]
fn nobody_at_the_port_is_a_refusal() {
    on_every_poller(|world| {
        let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = world.connect(&dead.into(), &SocketOptions::default());
        world.until(|world| !world.chans[client].log.is_empty());
        assert_eq!(world.chans[client].log, ["not connected: ConnectionRefused"]);
        world.assert_quiet();
        world.logs()
    });
}

#[test]
fn a_taken_port_is_an_error() {
    on_every_poller(|world| {
        let options = SocketOptions::default();
        let (_, address) = world.listen(&loopback(), &options);
        assert_ne!(address.as_inet().unwrap().port(), 0);
        let (_, key) = world.vacant();
        let error = world.kernel.borrow_mut().listen(key, &address, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    });
}

#[test]
fn several_listeners_share_a_port_when_all_ask_for_it() {
    on_every_poller(|world| {
        let options = SocketOptions::default().reuse_port(true);
        let (_, address) = world.listen(&loopback(), &options);
        let (_, again) = world.listen(&address, &options);
        assert_eq!(address, again);
    });
}

#[test]
fn a_burst_of_connections_is_accepted_one_by_one() {
    on_every_poller(|world| {
        let options = SocketOptions::default();
        let (listener, address) = world.listen(&loopback(), &options);
        let clients: Vec<_> = (0..40).map(|_| world.connect(&address, &options)).collect();
        for &client in &clients {
            let server = world.accept(listener);
            world.send(server, &b"welcome"[..]);
            world.until(|world| world.chans[client].connected);
        }
        world.until(|world| clients.iter().all(|&client| world.chans[client].input == b"welcome"));
    });
}

#[test]
fn a_paused_listener_is_quiet_and_loses_nobody() {
    on_every_poller(|world| {
        let options = SocketOptions::default();
        let (listener, address) = world.listen(&loopback(), &options);
        world.set_reading(listener, false);
        let first = world.connect(&address, &options);
        world.until(|world| world.chans[first].connected);
        world.assert_quiet();
        assert!(!world.chans[listener].acceptable);
        world.set_reading(listener, true);
        let server = world.accept(listener);
        world.send(server, &b"hello"[..]);
        world.until(|world| world.chans[first].input == b"hello");
        world.logs()
    });
}

#[test]
fn nothing_is_reported_of_what_was_closed() {
    on_every_poller(|world| {
        let options = SocketOptions::default();
        let (listener, address) = world.listen(&loopback(), &options);
        world.set_reading(listener, false);
        let client = world.connect(&address, &options);
        world.until(|world| world.chans[client].connected);
        // With edges this leaves a report behind that nobody has fetched yet.
        world.set_reading(listener, true);
        world.close(listener, CloseMode::Orderly);
        // The miniature loop refuses events of closed channels.
        world.assert_quiet();
    });
}

#[test]
fn a_late_event_does_not_meet_the_next_connection() {
    on_every_poller(|world| {
        let (_, server) = world.tcp_pair();
        let old = world.handle(server);
        let late = Readiness {
            token: Token(old.0),
            readable: true,
            writable: true,
            peer_closed: true,
            hangup: true,
        };
        world.close(server, CloseMode::Orderly);
        let (next, _) = world.listen(&loopback(), &SocketOptions::default());
        let index = |handle: Handle| handle.0 & 0xffff_ffff;
        assert_eq!(index(world.handle(next)), index(old), "the index is used again");
        let mut events: Vec<TransportEvent> = Vec::new();
        world.kernel.borrow_mut().ready(late, &mut events);
        assert!(events.is_empty(), "{events:?}");
        let error = world.kernel.borrow_mut().read(old, 1, &Pool::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(world.kernel.borrow_mut().local_address(old).is_err());
        world.kernel.borrow_mut().close(old, CloseMode::Abort);
        assert!(world.kernel.borrow_mut().local_address(world.handle(next)).is_ok());
    });
}

#[test]
fn one_listener_serves_both_versions_of_ip() {
    on_every_poller(|world| {
        let any: Address = "[::]:0".parse().unwrap();
        let dual = SocketOptions::default().only_v6(Some(false)).tos(Some(0x10)).ttl(Some(9));
        let (listener, address) = world.listen(&any, &dual);
        let port = address.as_inet().unwrap().port();
        let plain = SocketOptions::default();
        for ip in ["127.0.0.1", "::1"] {
            let to = SocketAddr::new(ip.parse().unwrap(), port);
            let client = world.connect(&to.into(), &plain);
            let (incoming, peer) = world.accept_raw(listener);
            assert_eq!(peer.as_inet().unwrap().ip().to_canonical(), to.ip());
            let server = world.adopt(incoming);
            world.send(server, ip);
            world.until(|world| world.chans[client].input == ip.as_bytes());
        }

        let (_, address) = world.listen(&any, &SocketOptions::default().only_v6(Some(true)));
        let to = SocketAddr::new("127.0.0.1".parse().unwrap(), address.as_inet().unwrap().port());
        let client = world.connect(&to.into(), &plain);
        world.until(|world| !world.chans[client].log.is_empty());
        assert_eq!(world.chans[client].log, ["not connected: ConnectionRefused"]);
    });
}

#[test]
fn a_connection_is_made_from_the_address_that_was_asked_for() {
    on_every_poller(|world| {
        let (listener, address) = world.listen(&loopback(), &SocketOptions::default());
        let from: Address = "127.0.0.7:0".parse().unwrap();
        let options = SocketOptions::default().local_address(Some(from));
        let client = world.connect(&address, &options);
        let (_incoming, peer) = world.accept_raw(listener);
        assert_eq!(peer.as_inet().unwrap().ip().to_string(), "127.0.0.7");
        world.until(|world| world.chans[client].connected);
        assert_eq!(world.kernel.borrow_mut().local_address(world.handle(client)).unwrap(), peer);
    });
}

#[test]
fn a_waker_ends_a_wait_from_another_thread() {
    for backend in fyke_poller::Backend::ALL {
        let mut world = World::new(backend);
        let waker = world.driver.waker();
        let thread = std::thread::spawn(move || waker.wake());
        world.driver.wait(None, &mut Vec::new()).unwrap();
        thread.join().unwrap();
    }
}
