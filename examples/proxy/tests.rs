//! A relay between plain sockets: everything arrives, each direction ends by itself, one that is slow
//! stops the other, one that breaks ends it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fyke::{Address, Backend, EventLoopGroup, Server};

use super::front::Limits;
use super::start;

const MIB: usize = 1 << 20;

/// A test that waits so long has lost something.
const HANG: Duration = Duration::from_secs(60);

struct World {
    listener: TcpListener,
    proxy: Server,
}

impl World {
    fn new(backend: Backend, splice: bool, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Address::Inet(listener.local_addr().unwrap());
        let group = EventLoopGroup::builder().threads(1).backend(backend).build().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let proxy = start(&group, &any, &target, splice, limits).unwrap();
        Self { listener, proxy }
    }

    fn address(&self) -> SocketAddr {
        self.proxy.local_address().as_inet().unwrap()
    }

    fn connect(&self) -> TcpStream {
        patient(TcpStream::connect(self.address()).unwrap())
    }

    /// A client, and the server's end of its connection.
    fn pair(&self) -> (TcpStream, TcpStream) {
        let client = self.connect();
        (client, patient(self.listener.accept().unwrap().0))
    }
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream.set_write_timeout(Some(HANG)).unwrap();
    stream
}

fn limits() -> Limits {
    Limits { connections_max: 1000, pipes_max: 256 }
}

/// Runs `script` on every poller, spliced and copied, and spliced with a single pipe, which makes a mixture
/// of both.
fn everywhere(script: fn(&World)) {
    for backend in Backend::ALL {
        for (splice, pipes_max) in [(true, 256), (true, 1), (false, 256)] {
            eprintln!("{backend}, splice {splice}, {pipes_max} pipes");
            script(&World::new(backend, splice, Limits { pipes_max, ..limits() }));
        }
    }
}

/// A mebibyte that is different everywhere.
fn noise(seed: u32) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32 ^ seed;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    })
    .take(MIB)
    .collect()
}

/// Sends `count` mebibytes and then the end.
fn send(mut stream: TcpStream, block: Vec<u8>, count: usize) -> JoinHandle<()> {
    thread::spawn(move || {
        for _ in 0..count {
            stream.write_all(&block).unwrap();
        }
        stream.shutdown(Shutdown::Write).unwrap();
    })
}

/// Expects `count` mebibytes and then the end.
fn expect(mut stream: TcpStream, block: Vec<u8>, count: usize) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut got = vec![0; MIB];
        for n in 0..count {
            stream.read_exact(&mut got).unwrap();
            assert!(got == block, "other bytes in mebibyte {n}");
        }
        assert_eq!(stream.read(&mut got).unwrap(), 0);
    })
}

#[test]
fn sixty_four_mebibytes_go_each_way_at_once() {
    everywhere(|world| {
        let (client, server) = world.pair();
        let (there, back) = (noise(1), noise(2));
        let again = |stream: &TcpStream| stream.try_clone().unwrap();
        let all = [
            send(again(&client), there.clone(), 64),
            send(again(&server), back.clone(), 64),
            expect(server, there, 64),
            expect(client, back, 64),
        ];
        all.into_iter().for_each(|part| part.join().unwrap());
    });
}

#[test]
fn each_direction_ends_by_itself() {
    everywhere(|world| {
        for client_first in [true, false] {
            let (client, server) = world.pair();
            let (mut first, mut second) =
                if client_first { (client, server) } else { (server, client) };
            first.write_all(b"question").unwrap();
            first.shutdown(Shutdown::Write).unwrap();
            let mut got = Vec::new();
            second.read_to_end(&mut got).unwrap();
            assert_eq!(got, b"question");
            // The other direction is still open.
            for _ in 0..3 {
                second.write_all(b"answer ").unwrap();
                let mut piece = [0; 7];
                first.read_exact(&mut piece).unwrap();
                assert_eq!(&piece, b"answer ");
            }
            second.shutdown(Shutdown::Write).unwrap();
            assert_eq!(first.read(&mut [0; 8]).unwrap(), 0);
        }
    });
}

/// Writes without end until nothing more is taken for a while; answers how much was.
fn fill(stream: &mut TcpStream, block: &[u8]) -> usize {
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut sent = 0;
    loop {
        match stream.write(&block[sent % MIB..]) {
            Ok(n) => sent += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return sent,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_slow_reader_stops_the_sender_and_nobody_else() {
    everywhere(|world| {
        let (mut client, mut server) = world.pair();
        let block = noise(3);
        let sent = fill(&mut client, &block);
        // Four socket buffers of some mebibytes, and what the relay holds.
        assert!(sent < 40 * MIB, "{sent} bytes wait for one who does not read");
        // Its own direction goes on, and so do the others.
        server.write_all(b"meanwhile").unwrap();
        let mut piece = [0; 9];
        client.read_exact(&mut piece).unwrap();
        assert_eq!(&piece, b"meanwhile");
        let (mut other, mut at_server) = world.pair();
        other.write_all(b"another").unwrap();
        at_server.read_exact(&mut piece[..7]).unwrap();
        assert_eq!(&piece[..7], b"another");

        client.shutdown(Shutdown::Write).unwrap();
        let mut got = Vec::with_capacity(sent);
        server.read_to_end(&mut got).unwrap();
        assert_eq!(got.len(), sent);
        assert!(got.chunks(MIB).all(|piece| piece == &block[..piece.len()]));
    });
}

#[test]
fn a_reset_of_one_side_closes_the_other_behind_what_it_had_sent() {
    everywhere(|world| {
        for client_breaks in [true, false] {
            let (client, server) = world.pair();
            let (mut breaking, mut other) =
                if client_breaks { (client, server) } else { (server, client) };
            breaking.write_all(b"last words").unwrap();
            let mut piece = [0; 10];
            other.read_exact(&mut piece).unwrap();
            assert_eq!(&piece, b"last words");
            socket2::SockRef::from(&breaking).set_linger(Some(Duration::ZERO)).unwrap();
            drop(breaking);
            assert_eq!(other.read(&mut piece).unwrap(), 0, "it ends in order");
        }
    });
}

#[test]
fn where_nobody_listens_the_client_is_closed() {
    let world = World::new(Backend::EpollLevel, true, limits());
    let address = world.address();
    let World { listener, proxy } = world;
    drop(listener);
    let mut client = patient(TcpStream::connect(address).unwrap());
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    drop(proxy);
}

#[test]
fn many_connections_at_once_are_kept_apart() {
    let world = World::new(Backend::EpollLevel, true, Limits { pipes_max: 4, ..limits() });
    let mut pairs: Vec<_> = (0..100).map(|_| world.pair()).collect();
    for round in 0..5_u32 {
        for (n, (client, _)) in pairs.iter_mut().enumerate() {
            client.write_all(&[n as u8 ^ round as u8; 1000]).unwrap();
        }
        for (n, (_, server)) in pairs.iter_mut().enumerate().rev() {
            let mut got = [0; 1000];
            server.read_exact(&mut got).unwrap();
            assert!(got.iter().all(|&byte| byte == n as u8 ^ round as u8));
        }
    }
}

#[test]
fn beyond_the_limit_connections_are_closed_until_one_ends() {
    let world = World::new(Backend::EpollLevel, true, Limits { connections_max: 2, ..limits() });
    let (first, at_server) = world.pair();
    let _second = world.pair();
    let mut third = world.connect();
    assert_eq!(third.read(&mut [0; 1]).unwrap(), 0);
    drop((first, at_server));
    let listener = world.listener.try_clone().unwrap();
    let server = thread::spawn(move || listener.accept().unwrap().0.write_all(b"!").unwrap());
    // The place is free when the relay has noticed, which takes as long as it takes.
    while world.connect().read(&mut [0; 1]).unwrap() == 0 {}
    server.join().unwrap();
}
