//! Whom a listener has let in is served though it closes, and its path is gone when it has.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use fyke::core::transport::TransportFactory;
use fyke::prelude::*;
use fyke::{Address, Blocking};

use super::HANG;

/// Races are run so often: the listener is anywhere between two clients when it is closed.
const ROUNDS: usize = 50;
const CLIENTS: usize = 8;

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("fyke-{name}-{}.sock", std::process::id()))
}

fn echo(transport: impl TransportFactory, path: &Path) -> Server {
    let echo = |cx: &mut Ctx<'_, Never, Outgoing>, msg: ByteBuf| {
        cx.write(msg.into());
        Ok(())
    };
    ServerBootstrap::new(EventLoopGroup::new(1).unwrap())
        .transport(transport)
        .child(move |ch| ch.pipeline().inbound("echo", read_fn(echo)))
        .bind(Address::unix(path))
        .unwrap()
}

/// Over Unix sockets: what a client has done is with the server's system when its call returns.
fn whoever_has_connected_is_served(name: &str, transport: impl TransportFactory + Copy) {
    let path = path(name);
    for round in 0..ROUNDS {
        let server = echo(transport, &path);
        let connect = |_| {
            let mut client = UnixStream::connect(&path).unwrap();
            client.set_read_timeout(Some(HANG)).unwrap();
            client.write_all(b"x").unwrap();
            // Or the server would wait a moment for what else it has to say.
            client.shutdown(std::net::Shutdown::Write).unwrap();
            client
        };
        let clients: Vec<UnixStream> = (0..CLIENTS).map(connect).collect();
        assert_eq!(server.shutdown(HANG).cut, 0, "round {round}");
        for (n, mut client) in clients.into_iter().enumerate() {
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).unwrap_or_else(|e| panic!("{round}, {n}: {e}"));
            assert_eq!(answer, b"x", "round {round}, client {n}");
        }
    }
}

#[test]
fn whoever_has_connected_is_served_by_a_loop() {
    whoever_has_connected_is_served("loop", Kernel::unix);
}

#[test]
fn whoever_has_connected_is_served_by_a_thread() {
    whoever_has_connected_is_served("thread", Blocking::unix);
}

/// A program may end as soon as its server has: nobody else takes the path away.
fn a_path_is_gone(name: &str, transport: impl TransportFactory + Copy) {
    let path = path(name);
    for round in 0..ROUNDS {
        let server = echo(transport, &path);
        assert!(path.exists(), "round {round}");
        server.shutdown(HANG);
        assert!(!path.exists(), "round {round}: it was left behind");
    }
}

#[test]
fn a_path_is_gone_when_a_loop_has_shut_down() {
    a_path_is_gone("loop-path", Kernel::unix);
}

#[test]
fn a_path_is_gone_when_an_accepting_thread_has_shut_down() {
    a_path_is_gone("thread-path", Blocking::unix);
}
