//! Whoever breaks off, says nothing, or talks nonsense. What comes back is nobody's business; how the
//! server gets over it shows at its next rest, and in what honest clients see meanwhile.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tungstenite::Message;

use super::Client;
use super::wire::{reset, socket};

const NONSENSE_BYTES_MAX: usize = 3000;
/// How long somebody stays who says nothing.
const SILENCE_MAX: Duration = Duration::from_millis(1500);
/// So long beats the server's patience with a head.
const STUBBORN: Duration = Duration::from_secs(6);

/// What is broken off in the middle.
const BEGINNINGS: [&[u8]; 6] = [
    b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nonly so much",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nnot so many",
    b"GET /pattern/3000000 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
      Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\xfe\xff",
    // A TLS ClientHello of which no more comes.
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
];

impl Client<'_> {
    /// One connection that a server has to get over.
    pub(super) fn misbehave(&mut self) {
        let target = self.targets.all()[self.rng.usize(..6)];
        self.done.connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // A reset in the middle is a success here.
        let _ = match self.rng.u8(..100) {
            0..25 => self.come_and_go(target),
            25..60 => self.break_off(target),
            60..80 => self.nonsense(target),
            80..88 => self.do_not_read(),
            88..94 => self.silence(target),
            94 => self.stubborn(),
            _ => self.desert_chat(),
        };
    }

    fn leave_somehow(&mut self, socket: TcpStream) {
        if self.rng.bool() {
            reset(socket);
        }
    }

    fn come_and_go(&mut self, target: SocketAddr) -> io::Result<()> {
        for _ in 0..self.rng.usize(1..10) {
            let socket = socket(target)?;
            self.leave_somehow(socket);
        }
        Ok(())
    }

    /// Sends half of something.
    fn break_off(&mut self, target: SocketAddr) -> io::Result<()> {
        let mut socket = socket(target)?;
        let beginning = BEGINNINGS[self.rng.usize(..BEGINNINGS.len())];
        let sent = self.rng.usize(1..=beginning.len());
        self.send(&mut socket, &beginning[..sent])?;
        self.pause();
        match self.rng.u8(..3) {
            // An end in the middle: a server answers, or hangs up.
            0 => {
                socket.shutdown(std::net::Shutdown::Write)?;
                io::copy(&mut socket, &mut io::sink())?;
            }
            1 => reset(socket),
            _ => {}
        }
        Ok(())
    }

    fn nonsense(&mut self, target: SocketAddr) -> io::Result<()> {
        let mut socket = socket(target)?;
        let len = self.rng.usize(1..NONSENSE_BYTES_MAX);
        let nonsense = self.bytes(len);
        self.send(&mut socket, &nonsense)?;
        self.pause();
        self.leave_somehow(socket);
        Ok(())
    }

    /// Asks for much, takes a little of it, and goes.
    fn do_not_read(&mut self) -> io::Result<()> {
        let mut socket = socket(self.targets.http[0])?;
        let request =
            "GET /pattern/4000000 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(self.rng.usize(1..4));
        socket.write_all(request.as_bytes())?;
        let mut some = vec![0; self.rng.usize(1..100_000)];
        socket.read_exact(&mut some)?;
        let pause = self.rng.u64(..SILENCE_MAX.as_millis() as u64);
        std::thread::sleep(Duration::from_millis(pause));
        self.leave_somehow(socket);
        Ok(())
    }

    fn silence(&mut self, target: SocketAddr) -> io::Result<()> {
        let socket = socket(target)?;
        let pause = self.rng.u64(..SILENCE_MAX.as_millis() as u64);
        std::thread::sleep(Duration::from_millis(pause));
        self.leave_somehow(socket);
        Ok(())
    }

    /// Waits in the middle of a head for longer than the server does.
    fn stubborn(&mut self) -> io::Result<()> {
        let mut socket = socket(self.targets.http[0])?;
        socket.set_read_timeout(Some(STUBBORN))?;
        socket.write_all(b"GET / HTTP/1.1\r\nHost: stubb")?;
        io::copy(&mut socket, &mut io::sink())?;
        Ok(())
    }

    /// A member that talks, never listens, and is gone.
    fn desert_chat(&mut self) -> io::Result<()> {
        let socket = socket(self.targets.chat[0])?;
        let Ok((mut member, _)) = tungstenite::client("ws://soak/ws", socket) else {
            return Ok(());
        };
        let join = r#"{"type":"join","room":"deserted","name":"deserter"}"#;
        let say = format!(r#"{{"type":"say","text":"{}"}}"#, "long ".repeat(300));
        let said = self.rng.usize(..200);
        for text in std::iter::once(join).chain(std::iter::repeat_n(&*say, said)) {
            member.send(Message::text(text)).map_err(io::Error::other)?;
        }
        let socket = member.into_inner();
        self.leave_somehow(socket);
        Ok(())
    }
}
