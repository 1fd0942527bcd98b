//! An honest client with a stopwatch.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::clients::wire::socket;

const REQUEST: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: honest\r\n\r\n";
const BODY: &[u8] = b"Hello, World!";
const ANSWER_BYTES_MAX: usize = 1024;
/// So many requests of a kept connection for one of a new connection.
const KEPT_PER_NEW: usize = 10;
/// Time between requests: an honest client does not load the server.
const PAUSE: Duration = Duration::from_micros(200);

/// How long answers took, in nanoseconds.
pub(super) struct Times {
    /// On a connection that is kept.
    pub(super) kept: Histogram<u64>,
    /// On a new one, with the time to connect.
    pub(super) new: Histogram<u64>,
}

impl Times {
    pub(super) fn new() -> Self {
        let histogram = || Histogram::new(3).expect("three digits are possible");
        Self { kept: histogram(), new: histogram() }
    }

    pub(super) fn add(&mut self, other: &Self) {
        // Two auto-resizing histograms of the same precision add up.
        let _ = self.kept.add(&other.kept).and_then(|()| self.new.add(&other.new));
    }
}

fn ask(wire: &mut (impl Read + Write)) -> io::Result<()> {
    wire.write_all(REQUEST)?;
    let mut answer = [0; ANSWER_BYTES_MAX];
    let mut len = 0;
    while !answer[..len].ends_with(BODY) {
        match wire.read(&mut answer[len..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => len += n,
        }
    }
    let right = answer.starts_with(b"HTTP/1.1 200 ");
    if right { Ok(()) } else { Err(io::Error::other("it is no 200")) }
}

fn record(histogram: &mut Histogram<u64>, began: Instant) {
    // Within the range of an auto-resizing histogram.
    let _ = histogram.record(began.elapsed().as_nanos() as u64);
}

/// Asks again and again for so long.
pub(super) fn measure(address: SocketAddr, time: Duration) -> io::Result<Times> {
    let (began, mut times) = (Instant::now(), Times::new());
    let mut kept = socket(address)?;
    ask(&mut kept)?;
    while began.elapsed() < time {
        for _ in 0..KEPT_PER_NEW {
            let began = Instant::now();
            ask(&mut kept)?;
            record(&mut times.kept, began);
            std::thread::sleep(PAUSE);
        }
        let began = Instant::now();
        ask(&mut socket(address)?)?;
        record(&mut times.new, began);
    }
    Ok(times)
}
