//! The generator: a crowd of connections that sends messages and compares every byte of the answers.
//!
//! It runs in a process of its own ([`remote`]), on a processor of its own, so that what it costs is not
//! mistaken for the server's and so that a server on `select` has its 1024 descriptors for itself. The
//! benches and the rivals both use it.

#![allow(dead_code, reason = "each program uses its part")]

mod conn;
pub(crate) mod cpu;
pub(crate) mod remote;
pub(crate) mod wire;
mod work;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};

use conn::{Conn, Progress};
use wire::Wire;
pub(crate) use work::Work;

/// The longest time between two signs of life of a server.
const PATIENCE: Duration = Duration::from_secs(20);

/// When a run is over.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Until {
    /// After so many messages.
    Messages(u64),
    /// After so long a time.
    Time(Duration),
}

/// What came of a run.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Outcome {
    /// Messages that were answered.
    pub(crate) messages: u64,
    /// Bytes of the answers.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// Processor time of the server's threads.
    pub(crate) server_cpu: Duration,
    /// Processor time of the generator.
    pub(crate) own_cpu: Duration,
    /// Processor time of others on the machine.
    pub(crate) foreign_cpu: Duration,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) p999: Duration,
}

/// Connections to one server.
#[derive(Debug)]
pub(crate) struct Crowd<W> {
    work: Work,
    poll: Poll,
    events: Events,
    active: Vec<Conn<W>>,
    /// They only exist.
    idle: Vec<TcpStream>,
    room: Vec<u8>,
}

impl<W: Wire> Crowd<W> {
    /// Connects `active` connections that will send and `idle` ones that will not.
    pub(crate) fn open(
        address: SocketAddr,
        work: Work,
        active: usize,
        idle: usize,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut work = work;
        let connect = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Ok::<_, io::Error>(stream)
        };
        work.learn(connect()?)?;
        let mut crowd = Self {
            work,
            poll,
            events: Events::with_capacity(1024),
            active: Vec::with_capacity(active),
            idle: Vec::with_capacity(idle),
            room: vec![0; 256 * 1024],
        };
        // Mixed, as they come in life.
        for n in 0..active + idle {
            let stream = connect()?;
            let behind = crowd.idle.len() * (active + idle) < n * idle;
            if crowd.idle.len() < idle && (behind || crowd.active.len() == active) {
                crowd.idle.push(stream);
                continue;
            }
            crowd.add(stream)?;
        }
        Ok(crowd)
    }

    fn add(&mut self, mut stream: TcpStream) -> io::Result<()> {
        self.work.greet(&mut stream)?;
        let mut wire = W::open(stream, &self.work)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(wire.source(), Token(self.active.len()), both)?;
        self.active.push(Conn::new(wire));
        Ok(())
    }

    /// Exchanges messages; every connection is at rest again afterwards.
    ///
    /// # Errors
    /// A wrong answer, a connection that ends, a server that stands still.
    pub(crate) fn run(&mut self, until: Until, server: u32) -> io::Result<Outcome> {
        let Self { work, poll, events, active, room, .. } = self;
        let mut times =
            Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).map_err(io::Error::other)?;
        let (mut issued, mut answered, mut bytes) = (0, 0, 0);
        let before = cpu::Snapshot::take(server);
        let began = Instant::now();
        let may_issue = |issued: u64, now: Instant| match until {
            Until::Messages(all) => all.saturating_sub(issued),
            Until::Time(time) if now.duration_since(began) < time => u64::MAX,
            Until::Time(_) => 0,
        };
        for conn in active.iter_mut() {
            issued += conn.issue(work, may_issue(issued, began), began)?;
        }
        while answered < issued {
            poll.poll(events, Some(PATIENCE))?;
            if events.is_empty() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the server stands still"));
            }
            for event in events.iter() {
                let conn = &mut active[event.token().0];
                let Progress { answers, read } = conn.go_on(work, room, &mut times)?;
                answered += answers;
                bytes += read;
                if answers > 0 {
                    let now = Instant::now();
                    issued += conn.issue(work, may_issue(issued, now), now)?;
                }
            }
        }
        let elapsed = began.elapsed();
        let used = cpu::Snapshot::take(server).since(&before);
        let at = |quantile| Duration::from_nanos(times.value_at_quantile(quantile));
        Ok(Outcome {
            messages: answered,
            bytes,
            elapsed,
            server_cpu: used.server,
            own_cpu: used.own,
            foreign_cpu: used.foreign,
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
        })
    }
}
