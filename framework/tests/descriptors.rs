//! At the descriptor limit while accepting: nothing spins, and the listener is not lost. A process
//! of its own, because the limit is the process's.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use fyke::prelude::*;
use fyke::{Blocking, Child};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

struct Echo;

impl InboundHandler for Echo {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.write(msg.into());
        Ok(())
    }
}

/// A guard against a test that hangs.
const HANG: Duration = Duration::from_secs(120);

/// Descriptors while the limit is lowered.
const LIMIT: u64 = 128;

const BACKENDS: [Backend; 5] =
    [Backend::EpollLevel, Backend::EpollEdge, Backend::Poll, Backend::Select, Backend::Mio];

/// Sockets that need no further descriptor to connect.
fn sockets(n: usize) -> Vec<Socket> {
    let one = |_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    (0..n).map(one).collect()
}

fn connect(socket: Socket, address: SocketAddr) -> TcpStream {
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(HANG)).unwrap();
    socket.into()
}

fn assert_served(client: &mut TcpStream) {
    client.write_all(b"hello").unwrap();
    let mut back = [0; 5];
    client.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"hello");
}

/// Opens files until no descriptor is left but `free`.
fn fill(free: usize) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    files.truncate(files.len() - free);
    files
}

fn echo(group: &EventLoopGroup) -> ServerBootstrap<Child> {
    ServerBootstrap::new(group.clone()).child(|ch| ch.pipeline().inbound("echo", Echo))
}

/// The loops turn away whom they cannot serve, one a pause, so that nobody waits in silence.
fn loops(backend: Backend) {
    let group = EventLoopGroup::builder().threads(1).backend(backend).build().unwrap();
    let server = echo(&group).bind("127.0.0.1:0").unwrap();
    let address = server.local_address().as_inet().unwrap();
    let mut spare = sockets(8);
    let files = fill(2);
    let mut clients: Vec<_> = spare.drain(..5).map(|one| connect(one, address)).collect();
    clients[..2].iter_mut().for_each(assert_served);
    let before = group.stats()[0];
    // Three pauses of the listener pass while these wait for their answer.
    for client in &mut clients[2..] {
        match client.read(&mut [0]) {
            Ok(n) => assert_eq!(n, 0, "{backend:?}"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    let after = group.stats()[0];
    assert!(after.accept_errors >= 3, "{backend:?}: {after:?}");
    let turns = after.turns - before.turns;
    assert!(turns < 100, "{backend:?}: {turns} turns for nothing");
    // Those that were served still are.
    clients[..2].iter_mut().for_each(assert_served);
    drop(files);
    for socket in spare {
        assert_served(&mut connect(socket, address));
    }
    assert_eq!(server.shutdown(HANG).cut, 0);
}

/// The accepting thread rests, and those that wait are served when there is room again.
fn blocking() {
    let group = EventLoopGroup::new(1).unwrap();
    let server = echo(&group).transport(Blocking::tcp).bind("127.0.0.1:0").unwrap();
    let address = server.local_address().as_inet().unwrap();
    let mut spare = sockets(6);
    // A connection's thread may want one of its own to wait with, besides the two connections'.
    let files = fill(3);
    let mut clients: Vec<_> = spare.drain(..4).map(|one| connect(one, address)).collect();
    clients[..2].iter_mut().for_each(assert_served);
    clients[2].write_all(b"still ").unwrap();
    drop(files);
    let mut back = [0; 6];
    clients[2].read_exact(&mut back).unwrap();
    assert_eq!(&back, b"still ");
    clients.iter_mut().for_each(assert_served);
    for socket in spare {
        assert_served(&mut connect(socket, address));
    }
    drop(clients);
    server.shutdown(HANG);
}

#[test]
fn a_full_process_neither_spins_nor_loses_its_listener() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(LIMIT), ..limit }).unwrap();
    BACKENDS.into_iter().for_each(loops);
    blocking();
    setrlimit(Resource::Nofile, limit).unwrap();
}
