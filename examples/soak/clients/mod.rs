//! The clients: a thread each, which does one thing after the other, chosen by its seed.
//!
//! | file | what |
//! |---|---|
//! | `wire` | a connection, in the clear or over TLS |
//! | `echo` | bytes there and back; large ones with a reader that dawdles |
//! | `http` | requests one by one and pipelined, bodies of all kinds |
//! | `chat` | members of rooms who listen to each other |
//! | `hostile` | whoever breaks off, says nothing, or talks nonsense |
//!
//! Honest clients check every byte of their answers; what they say is a failure of the soak.

mod chat;
mod echo;
mod hostile;
mod http;
pub(crate) mod wire;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use rustls::ClientConfig;

use crate::child::Targets;
use wire::Wire;

/// What clients have done so far.
#[derive(Default, Debug)]
pub(crate) struct Done {
    pub(crate) connections: AtomicU64,
    /// Honest questions that got their answer, byte for byte.
    pub(crate) answers: AtomicU64,
    pub(crate) hostile: AtomicU64,
}

/// One client.
pub(crate) struct Client<'a> {
    pub(crate) id: usize,
    pub(crate) rng: Rng,
    pub(crate) targets: Targets,
    pub(crate) tls: &'a Arc<ClientConfig>,
    pub(crate) done: &'a Done,
}

/// How a connection is made.
#[derive(Clone, Copy)]
enum Side {
    Plain,
    Tls,
}

/// A mistake of the server, in a line.
pub(crate) type Outcome = Result<(), String>;

/// Of so many connections one is over TLS: its handshake costs more than all the rest.
const TLS_ONE_IN: usize = 6;
const PIECES_MAX: usize = 4;
const PAUSE_MAX: Duration = Duration::from_millis(20);

impl Client<'_> {
    /// Does one thing.
    pub(crate) fn act(&mut self) -> Outcome {
        let outcome = match self.rng.u8(..100) {
            0..20 => self.echo(),
            20..23 => self.echo_much(),
            23..55 => self.requests(),
            55..58 => self.dawdle(),
            58..70 => self.chat(),
            _ => {
                self.done.hostile.fetch_add(1, Ordering::Relaxed);
                self.misbehave();
                return Ok(());
            }
        };
        outcome.map_err(|what| format!("client {}: {what}", self.id))
    }

    /// In the clear, or over TLS.
    fn side(&mut self) -> Side {
        if self.rng.usize(..TLS_ONE_IN) == 0 { Side::Tls } else { Side::Plain }
    }

    fn connect(&self, addresses: [SocketAddr; 2], side: Side) -> Result<Wire, String> {
        self.done.connections.fetch_add(1, Ordering::Relaxed);
        let (address, tls) = match side {
            Side::Plain => (addresses[0], None),
            Side::Tls => (addresses[1], Some(self.tls)),
        };
        Wire::connect(address, tls).map_err(|error| format!("cannot connect: {error}"))
    }

    fn answered(&self) {
        self.done.answers.fetch_add(1, Ordering::Relaxed);
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.rng.fill(&mut bytes);
        bytes
    }

    /// Now and then a little time passes.
    fn pause(&mut self) {
        if self.rng.u8(..4) == 0 {
            let micros = self.rng.u64(..PAUSE_MAX.as_micros() as u64);
            std::thread::sleep(Duration::from_micros(micros));
        }
    }

    /// Sends bytes in pieces, with pauses between.
    fn send(&mut self, wire: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        for _ in 1..self.rng.usize(1..=PIECES_MAX) {
            let (piece, behind) = rest.split_at(self.rng.usize(..=rest.len()));
            wire.write_all(piece)?;
            wire.flush()?;
            self.pause();
            rest = behind;
        }
        wire.write_all(rest)?;
        wire.flush()
    }

    /// Ends an honest connection in one of the ways there are.
    fn part(&mut self, mut wire: Wire) -> Outcome {
        match self.rng.u8(..4) {
            0 => drop(wire),
            1 => wire.reset(),
            _ => {
                wire.end().map_err(|error| format!("the end cannot be sent: {error}"))?;
                wire.expect_end()?;
            }
        }
        Ok(())
    }
}
