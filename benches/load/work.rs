//! What is sent, and what has to come back.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::time::Duration;

/// The body of every HTTP answer.
const HELLO: &[u8] = b"Hello, World!";

/// A date of HTTP is so long.
const DATE_BYTES: usize = 29;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Protocol {
    Echo,
    /// Echo under TLS.
    TlsEcho,
    Http,
    WebSocket,
}

/// One kind of message, all alike, and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    protocol: Protocol,
    size: usize,
    depth: usize,
    /// As many messages as may be on their way, in a row.
    messages: Vec<u8>,
    message_bytes: usize,
    answer: Vec<u8>,
    /// What may differ from answer to answer.
    varies: Range<usize>,
}

impl Work {
    /// By name: `echo SIZE DEPTH`, `tls-echo SIZE DEPTH`, `http 0 DEPTH`, `ws SIZE DEPTH`.
    pub(crate) fn new(protocol: &str, size: usize, depth: usize) -> io::Result<Self> {
        let payload: Vec<u8> = (0..size).map(|n| (n * 31 + n / 251) as u8).collect();
        let (protocol, message, answer) = match protocol {
            "echo" => (Protocol::Echo, payload.clone(), payload),
            "tls-echo" => (Protocol::TlsEcho, payload.clone(), payload),
            "http" => (Protocol::Http, request(), Vec::new()),
            "ws" => (Protocol::WebSocket, frame(&payload, Some(MASK)), frame(&payload, None)),
            other => return Err(io::Error::other(format!("no protocol `{other}`"))),
        };
        let message_bytes = message.len();
        let messages = message.repeat(depth);
        Ok(Self { protocol, size, depth, messages, message_bytes, answer, varies: 0..0 })
    }

    /// The words that [`new`](Self::new) takes.
    pub(crate) fn describe(&self) -> String {
        let protocol = match self.protocol {
            Protocol::Echo => "echo",
            Protocol::TlsEcho => "tls-echo",
            Protocol::Http => "http",
            Protocol::WebSocket => "ws",
        };
        format!("{protocol} {} {}", self.size, self.depth)
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.protocol == Protocol::TlsEcho
    }

    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn messages(&self) -> &[u8] {
        &self.messages
    }

    pub(crate) fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    pub(crate) fn answer_bytes(&self) -> usize {
        self.answer.len()
    }

    /// Whether `bytes` are those of an answer from `at` on.
    pub(crate) fn is_answer(&self, at: usize, bytes: &[u8]) -> bool {
        let expected = &self.answer[at..at + bytes.len()];
        let varies = self.varies.start.clamp(at, at + bytes.len()) - at
            ..self.varies.end.clamp(at, at + bytes.len()) - at;
        bytes[..varies.start] == expected[..varies.start]
            && bytes[varies.end..] == expected[varies.end..]
    }

    /// Learns what an answer looks like where that is the server's choice.
    pub(crate) fn learn(&mut self, mut stream: TcpStream) -> io::Result<()> {
        if self.protocol != Protocol::Http {
            return Ok(());
        }
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(&self.messages[..self.message_bytes])?;
        let mut piece = [0; 4096];
        while !self.answer.ends_with(HELLO) {
            match stream.read(&mut piece)? {
                0 => return Err(io::Error::other("the server does not say hello")),
                n => self.answer.extend_from_slice(&piece[..n]),
            }
        }
        if !self.answer.starts_with(b"HTTP/1.1 200") {
            return Err(io::Error::other("the server refuses"));
        }
        let lower = self.answer.to_ascii_lowercase();
        let date = lower.windows(8).position(|window| window == b"\r\ndate: ");
        self.varies = date.map_or(0..0, |at| at + 8..at + 8 + DATE_BYTES);
        Ok(())
    }

    /// What a connection has to say first.
    pub(crate) fn greet(&self, stream: &mut TcpStream) -> io::Result<()> {
        if self.protocol != Protocol::WebSocket {
            return Ok(());
        }
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(UPGRADE)?;
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let accepted = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        if head.windows(accepted.len()).any(|window| window == accepted) {
            Ok(())
        } else {
            Err(io::Error::other("the server does not upgrade"))
        }
    }
}

/// A browser's request, with the fields that are usual.
fn request() -> Vec<u8> {
    let lines = [
        "GET /plaintext HTTP/1.1",
        "Host: localhost:8080",
        "Accept: text/plain,text/html;q=0.9,application/xhtml+xml;q=0.9,application/xml;q=0.8,*/*;q=0.7",
        "Connection: keep-alive",
        "",
        "",
    ];
    lines.join("\r\n").into_bytes()
}

/// With the key of RFC 6455 section 1.3.
const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A binary frame (RFC 6455 section 5.2).
fn frame(payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![0x82];
    match payload.len() {
        len @ 0..126 => frame.push(masked | len as u8),
        len @ 126..65536 => {
            frame.push(masked | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(masked | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    match mask {
        None => frame.extend(payload),
        Some(mask) => {
            frame.extend(mask);
            frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        }
    }
    frame
}
