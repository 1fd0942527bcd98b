//! Overload is shed, not suffered: beyond its limits a server refuses at once, whom it serves it goes
//! on serving, and when the rush is over it serves everybody again. Counted over real sockets; the
//! limit of descriptors is in `descriptors.rs`.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use fyke::AcceptGate;
use fyke::prelude::*;
use socket2::{Domain, Socket, Type};

/// A guard against a test that hangs.
const HANG: Duration = Duration::from_secs(60);

/// How many connections there are, and how many there were at most.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Echo(Arc<Crowd>);

impl InboundHandler for Echo {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        let now = self.0.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(now, Ordering::SeqCst);
        cx.fire_active();
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.write(msg.into());
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
        cx.fire_inactive();
        Ok(())
    }
}

struct Served {
    server: Server,
    gate: Arc<AcceptGate>,
    crowd: Arc<Crowd>,
    address: SocketAddr,
}

fn serve(gate: AcceptGate) -> Served {
    let (gate, crowd) = (Arc::new(gate), Arc::new(Crowd::default()));
    let counted = Arc::clone(&crowd);
    let server = ServerBootstrap::new(EventLoopGroup::new(2).expect("event loops"))
        .accept_gate(&gate)
        .child(move |ch| ch.pipeline().inbound("echo", Echo(Arc::clone(&counted))))
        .bind("127.0.0.1:0")
        .expect("a free port");
    let address = server.local_address().as_inet().expect("it is TCP");
    Served { server, gate, crowd, address }
}

impl Served {
    /// A connection that is served, or `None` when the server has refused it.
    fn connect_from(&self, source: IpAddr) -> Option<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
        socket.set_read_timeout(Some(HANG)).unwrap();
        socket.connect(&self.address.into()).expect("the system accepts, the server decides");
        let mut client: TcpStream = socket.into();
        is_served(&mut client).then_some(client)
    }

    fn connect(&self) -> Option<TcpStream> {
        self.connect_from(Ipv4Addr::LOCALHOST.into())
    }

    fn crowd(&self, clients: usize) -> Vec<TcpStream> {
        (0..clients).filter_map(|_| self.connect()).collect()
    }

    /// Waits until the server knows that all have gone.
    fn empty(&self) {
        while self.gate.connections() > 0 || self.crowd.now.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
    }

    fn refused(
        &self,
        counter: impl Fn(&fyke::core::event_loop::GateCounters) -> &AtomicU64,
    ) -> u64 {
        counter(self.gate.counters()).load(Ordering::SeqCst)
    }
}

/// Whether an echo comes. Who is refused sees the end or a reset, and not silence.
fn is_served(client: &mut TcpStream) -> bool {
    let mut echo = [0];
    match client.write_all(b"x").and_then(|()| client.read(&mut echo)) {
        Ok(n) => n == 1 && echo == *b"x",
        Err(error) => {
            let silent = matches!(
                error.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            );
            assert!(!silent, "refused in silence");
            false
        }
    }
}

#[test]
fn beyond_its_connections_a_server_refuses_and_recovers() {
    let served = serve(AcceptGate::new().connections_max(20));
    for round in 1..=3 {
        let mut crowd = served.crowd(100);
        assert_eq!(crowd.len(), 20);
        assert_eq!(served.refused(|c| &c.refused_full), 80 * round);
        assert!(crowd.iter_mut().all(is_served), "those that are in are served on");
        drop(crowd);
        served.empty();
    }
    assert_eq!(served.crowd.most.load(Ordering::SeqCst), 20);
    let last = served.crowd(20);
    assert_eq!(last.len(), 20, "and none of them is refused when there is room");
    assert_eq!(served.server.shutdown(HANG).cut, 0);
}

#[test]
fn a_flood_from_one_address_leaves_the_others_alone() {
    let served = serve(AcceptGate::new().connections_per_peer_max(8));
    let flood = served.crowd(50);
    assert_eq!(flood.len(), 8);
    assert_eq!(served.refused(|c| &c.refused_peer), 42);
    let others = (2..12).map(|host| IpAddr::from([127, 0, 0, host]));
    let others: Vec<_> =
        others.flat_map(|from| [0; 4].map(|_| served.connect_from(from))).collect();
    assert!(others.iter().all(Option::is_some), "they are 4 each");
    assert_eq!(served.refused(|c| &c.refused_peer), 42);
    drop(flood);
    while served.gate.connections() > others.len() {
        std::thread::yield_now();
    }
    assert_eq!(served.crowd(8).len(), 8);
}

#[test]
fn too_many_at_once_are_refused_until_the_rush_is_over() {
    const BURST: usize = 25;
    let served = serve(AcceptGate::new().new_per_second(1, BURST as u64));
    let (mut crowd, mut tried) = (Vec::new(), 0);
    // However slowly they come: the burst is let in, and the rest not faster than one a second.
    while served.refused(|c| &c.refused_rate) == 0 {
        crowd.extend(served.connect());
        tried += 1;
    }
    let refused = served.refused(|c| &c.refused_rate);
    assert!(crowd.len() >= BURST, "{}", crowd.len());
    assert_eq!(crowd.len() as u64 + refused, tried);
    // Time brings new room, without anybody doing anything.
    while served.connect().is_none() {}
}

#[test]
fn a_flood_from_many_threads_never_gets_beyond_the_limit() {
    const LIMIT: usize = 32;
    // One thread by itself is too many.
    const CROWD: usize = 40;
    let served = serve(AcceptGate::new().connections_max(LIMIT));
    let mut honest = served.connect().expect("there is room");
    let tried = AtomicU64::new(0);
    let got = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let flood = || {
            for _ in 0..10 {
                let crowd = served.crowd(CROWD);
                tried.fetch_add(CROWD as u64, Ordering::SeqCst);
                got.fetch_add(crowd.len() as u64, Ordering::SeqCst);
            }
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(flood)).collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            assert!(is_served(&mut honest), "whoever is in is served during the flood");
        }
    });
    let refused = served.refused(|c| &c.refused_full);
    assert_eq!(got.load(Ordering::SeqCst) + refused, tried.load(Ordering::SeqCst));
    assert!(refused > 0 && served.crowd.most.load(Ordering::SeqCst) <= LIMIT);
    drop(honest);
    served.empty();
    assert_eq!(served.crowd(LIMIT).len(), LIMIT, "all the room is there again");
}
