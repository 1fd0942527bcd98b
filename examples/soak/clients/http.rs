//! Requests, one by one and pipelined.

use std::io::{self, BufRead, BufReader, Read};
use std::time::Duration;

use super::wire::Wire;
use super::{Client, Outcome};
use crate::pattern::pattern;

const BATCHES_MAX: usize = 6;
const PIPELINED_MAX: usize = 12;
const BODY_BYTES_MAX: usize = 4 * 1024;
const BIG_BODY_BYTES_MAX: usize = 100 * 1024;
const PATTERN_BYTES_MAX: usize = 20 * 1024;
const SLOW_BYTES: std::ops::Range<usize> = 1_000_000..4_000_000;
const SLOW_PAUSE_MAX: Duration = Duration::from_millis(120);
const SLOW_PAUSES: usize = 12;
/// Longer lines of a head are none of ours.
const LINE_BYTES_MAX: u64 = 8 * 1024;

/// A request, and the body that its answer must have.
struct Asked {
    bytes: Vec<u8>,
    body: Vec<u8>,
    /// It says that it is the last one.
    last: bool,
    head_only: bool,
}

impl Client<'_> {
    pub(super) fn requests(&mut self) -> Outcome {
        let side = self.side();
        let wire = self.connect(self.targets.http, side)?;
        let mut wire = BufReader::new(wire);
        for _ in 0..self.rng.usize(1..=BATCHES_MAX) {
            let ahead = if self.rng.bool() { 1 } else { self.rng.usize(2..=PIPELINED_MAX) };
            let mut asked: Vec<Asked> = Vec::new();
            while asked.len() < ahead && !asked.last().is_some_and(|asked| asked.last) {
                let alone = ahead == 1;
                asked.push(self.request(alone));
            }
            let bytes: Vec<u8> = asked.iter().flat_map(|asked| &asked.bytes).copied().collect();
            let sent = self.send(wire.get_mut(), &bytes);
            sent.map_err(|error| format!("http takes nothing: {error}"))?;
            for (at, asked) in asked.iter().enumerate() {
                let body = response(&mut wire, asked.head_only)
                    .map_err(|e| format!("answer {at} of {ahead}: {e}"))?;
                if body != asked.body {
                    return Err(format!("answer {at} of {ahead} has another body"));
                }
                self.answered();
            }
            if asked.last().is_some_and(|asked| asked.last) {
                return wire.into_inner().expect_end();
            }
            self.pause();
        }
        let wire = wire.into_inner();
        self.part(wire)
    }

    fn request(&mut self, alone: bool) -> Asked {
        let last = self.rng.u8(..20) == 0;
        let connection = if last { "Connection: close\r\n" } else { "" };
        let head = |line: &str, fields: &str| {
            format!("{line} HTTP/1.1\r\nHost: soak\r\n{connection}{fields}\r\n").into_bytes()
        };
        let plain = b"Hello, World!".to_vec();
        let (bytes, body, head_only) = match self.rng.u8(..10) {
            0..3 => (head("GET /plaintext", ""), plain, false),
            3 => (head("HEAD /plaintext", ""), Vec::new(), true),
            4..6 => {
                let len = self.rng.usize(..PATTERN_BYTES_MAX);
                (head(&format!("GET /pattern/{len}"), ""), pattern(len), false)
            }
            kind => {
                let max = if alone { BIG_BODY_BYTES_MAX } else { BODY_BYTES_MAX };
                let len = self.rng.usize(1..=max);
                let body = self.bytes(len);
                if kind < 8 {
                    let mut bytes = head("POST /", &format!("Content-Length: {len}\r\n"));
                    bytes.extend_from_slice(&body);
                    (bytes, body, false)
                } else {
                    let mut bytes = head("POST /", "Transfer-Encoding: chunked\r\n");
                    self.chunks(&mut bytes, &body);
                    (bytes, body, false)
                }
            }
        };
        Asked { bytes, body, last, head_only }
    }

    fn chunks(&mut self, bytes: &mut Vec<u8>, body: &[u8]) {
        let mut rest = body;
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at(self.rng.usize(1..=rest.len()));
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
            rest = behind;
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
    }

    /// A large answer, taken slowly, but faster than the server's patience lasts.
    pub(super) fn dawdle(&mut self) -> Outcome {
        let side = self.side();
        let mut wire = self.connect(self.targets.http, side)?;
        let len = self.rng.usize(SLOW_BYTES);
        let request = format!("GET /pattern/{len} HTTP/1.1\r\nHost: soak\r\n\r\n");
        self.send(&mut wire, request.as_bytes()).map_err(|error| error.to_string())?;
        let slow = Slow { wire, pauses: SLOW_PAUSES, client: self };
        let mut slow = BufReader::with_capacity(32 * 1024, slow);
        let body = response(&mut slow, false).map_err(|e| format!("a slow answer: {e}"))?;
        if body != pattern(len) {
            return Err("a slow answer has another body".to_owned());
        }
        self.answered();
        Ok(())
    }
}

/// Reads with pauses.
struct Slow<'a, 'b> {
    wire: Wire,
    pauses: usize,
    client: &'a mut Client<'b>,
}

impl Read for Slow<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.pauses > 0 && self.client.rng.u8(..3) == 0 {
            self.pauses -= 1;
            let micros = self.client.rng.u64(..SLOW_PAUSE_MAX.as_micros() as u64);
            std::thread::sleep(Duration::from_micros(micros));
        }
        self.wire.read(bytes)
    }
}

fn line(wire: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    wire.take(LINE_BYTES_MAX).read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None if line.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
        None => Err(io::Error::other(format!("no line: {line:?}"))),
    }
}

/// The body of the next answer, which must be a 200.
fn response(wire: &mut impl BufRead, head_only: bool) -> io::Result<Vec<u8>> {
    let status = line(wire)?;
    if !status.starts_with("HTTP/1.1 200 ") {
        return Err(io::Error::other(format!("it is {status:?}")));
    }
    let (mut length, mut chunked) = (None, false);
    loop {
        let field = line(wire)?.to_ascii_lowercase();
        match field.split_once(": ") {
            Some(("content-length", value)) => length = value.parse::<usize>().ok(),
            Some(("transfer-encoding", value)) => chunked = value == "chunked",
            None if field.is_empty() => break,
            _ => {}
        }
    }
    let mut body = Vec::new();
    match length {
        _ if head_only => {}
        Some(length) if !chunked => {
            body.resize(length, 0);
            wire.read_exact(&mut body)?;
        }
        None if chunked => loop {
            let size = usize::from_str_radix(&line(wire)?, 16).map_err(io::Error::other)?;
            let at = body.len();
            body.resize(at + size, 0);
            wire.read_exact(&mut body[at..])?;
            if !line(wire)?.is_empty() {
                return Err(io::Error::other("a chunk has no end"));
            }
            if size == 0 {
                break;
            }
        },
        _ => return Err(io::Error::other("it says not where its body ends")),
    }
    Ok(body)
}
