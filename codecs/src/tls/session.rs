//! One TLS connection without a network: what arrives becomes plain bytes and answers, what is to be
//! sent becomes records.
//!
//! Records are decrypted where they lie, in the buffer in which they arrived. Only the last, cut
//! one of a read is copied, and its rest is appended to it: an idle connection holds no buffer.

use std::sync::Arc;
use std::time::Duration;

use fyke_buffer::ByteBuf;
use rustls::CommonState;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;

use super::client::TlsClientConfig;
use super::engine::{Io, run, write};
use super::error::TlsError;
use super::info::TlsHandshakeCompleted;
use super::provider;
use super::record;
use super::server::TlsServerConfig;

/// Enough bytes to tell other protocols from TLS.
const SNIFF_BYTES: usize = 8;
/// More than encryption adds to a record, its header included (RFC 5246 section 6.2.3).
const RECORD_OVERHEAD_BYTES: usize = 48;
/// Most plain bytes of a record (RFC 8446 section 5.1).
pub(super) const RECORD_PLAIN_BYTES: usize = 1 << 14;

pub(super) struct TlsSession {
    side: Box<Side>,
    server_name: Option<String>,
    /// The beginning of a record whose end has not come.
    rest: ByteBuf,
    handshake_bytes: usize,
    handshake_bytes_max: usize,
    /// The peer's first bytes look like TLS.
    begun: bool,
    open: bool,
    peer_closed: bool,
}

enum Side {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// Runs the same code on either side.
macro_rules! on_side {
    ($side:expr, $engine:ident => $work:expr) => {
        match $side {
            Side::Server($engine) => $work,
            Side::Client($engine) => $work,
        }
    };
}

impl TlsSession {
    pub(super) fn server(config: &TlsServerConfig) -> Result<Self, TlsError> {
        let engine = UnbufferedServerConnection::new(Arc::clone(&config.rustls));
        let engine = engine.map_err(|error| TlsError::of(error, true))?;
        Ok(Self::new(Side::Server(engine), None, config.options.handshake_bytes_max))
    }

    pub(super) fn client(
        config: &TlsClientConfig,
        name: ServerName<'static>,
    ) -> Result<Self, TlsError> {
        let server_name = match &name {
            ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
            _ => None,
        };
        let engine = UnbufferedClientConnection::new(Arc::clone(&config.rustls), name);
        let engine = engine.map_err(|error| TlsError::of(error, true))?;
        Ok(Self::new(Side::Client(engine), server_name, config.options.handshake_bytes_max))
    }

    fn new(side: Side, server_name: Option<String>, handshake_bytes_max: usize) -> Self {
        Self {
            side: Box::new(side),
            server_name,
            rest: ByteBuf::new(),
            handshake_bytes: 0,
            handshake_bytes_max,
            begun: false,
            open: false,
            peer_closed: false,
        }
    }

    /// Whether the handshake is done.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether the peer has said that nothing more will come.
    pub(super) fn peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// Whether the peer has sent anything at all.
    pub(super) fn heard_anything(&self) -> bool {
        self.begun || !self.rest.is_empty()
    }

    /// Bytes of a record that has not ended.
    pub(super) fn unread_bytes(&self) -> usize {
        self.rest.readable()
    }

    /// What the handshake came to.
    pub(super) fn info(&self) -> Option<TlsHandshakeCompleted> {
        let state: &CommonState = on_side!(&*self.side, engine => engine);
        TlsHandshakeCompleted::of(state, self.server_name.clone())
    }

    /// Begins: a client has something to say first.
    pub(super) fn start(&mut self, date: Duration, io: &mut Io<'_>) -> Result<(), TlsError> {
        self.run(&mut [], date, io).map(drop)
    }

    /// Bytes of the peer.
    pub(super) fn receive(
        &mut self,
        mut bytes: ByteBuf,
        date: Duration,
        io: &mut Io<'_>,
    ) -> Result<(), TlsError> {
        if self.peer_closed {
            // What follows an orderly end is nothing (RFC 8446 section 6.1).
            return Ok(());
        }
        if !self.begun {
            if !self.rest.is_empty() {
                self.rest.write_slice(&bytes);
                bytes = std::mem::take(&mut self.rest);
            }
            if !self.looks_like_tls(&bytes)? {
                self.rest = keep(bytes, io);
                return Ok(());
            }
        }
        while !self.rest.is_empty() && !bytes.is_empty() {
            // A record is completed; what lies behind it stays where it is. Without one there is a
            // message over several records, which needs them all in one place.
            let missing = record::missing(&self.rest).unwrap_or(bytes.readable());
            let taken = bytes.split_to(missing.min(bytes.readable()));
            self.rest.write_slice(&taken);
            if record::missing(&self.rest).is_none() {
                self.receive_rest(date, io)?;
            }
        }
        if bytes.is_empty() {
            return self.check_limit();
        }
        let used = self.run(bytes.as_mut_slice(), date, io)?;
        drop(bytes.split_to(used));
        if !bytes.is_empty() && !self.peer_closed {
            self.rest = keep(bytes, io);
        }
        self.check_limit()
    }

    /// The rest has become a whole record.
    fn receive_rest(&mut self, date: Duration, io: &mut Io<'_>) -> Result<(), TlsError> {
        let mut rest = std::mem::take(&mut self.rest);
        let used = self.run(rest.as_mut_slice(), date, io)?;
        drop(rest.split_to(used));
        if !rest.is_empty() && !self.peer_closed {
            self.rest = rest;
        }
        Ok(())
    }

    /// Looks at the peer's first bytes; `false` when more of them are needed, which are few.
    fn looks_like_tls(&mut self, bytes: &[u8]) -> Result<bool, TlsError> {
        let Some(&first) = bytes.first() else { return Ok(false) };
        self.begun = record::may_begin(first);
        if self.begun {
            return Ok(true);
        }
        match record::other_protocol(bytes) {
            None if bytes.len() < SNIFF_BYTES => Ok(false),
            speaks => Err(TlsError::NotTls { speaks }),
        }
    }

    /// While the handshake lasts, the peer may send so much and not more.
    fn check_limit(&self) -> Result<(), TlsError> {
        let limit = self.handshake_bytes_max;
        if !self.open && self.handshake_bytes + self.rest.readable() > limit {
            return Err(TlsError::HandshakeTooLarge { limit });
        }
        Ok(())
    }

    /// Lets rustls work on records; answers how many bytes it has done with.
    fn run(
        &mut self,
        input: &mut [u8],
        date: Duration,
        io: &mut Io<'_>,
    ) -> Result<usize, TlsError> {
        let handshaking = !self.open;
        let side = &mut *self.side;
        let (outcome, asked) =
            provider::at(date, || on_side!(side, engine => run(engine, input, io)));
        if asked.server_name.is_some() {
            self.server_name = asked.server_name;
        }
        match outcome {
            Err(_) if asked.unknown => Err(TlsError::UnknownName(self.server_name.clone())),
            Err(error) => Err(TlsError::of(error, handshaking)),
            Ok(ran) => {
                self.peer_closed |= ran.peer_closed;
                if handshaking {
                    self.handshake_bytes += ran.used;
                    self.open = on_side!(&*self.side, engine => !engine.is_handshaking());
                }
                Ok(ran.used)
            }
        }
    }

    /// Appends `plain` as records to `out`.
    pub(super) fn encrypt(&mut self, plain: &[u8], out: &mut ByteBuf) -> Result<(), TlsError> {
        let room = encrypted_bytes(plain.len());
        if out.writable() < room {
            out.reserve(room);
        }
        let (side, rest) = (&mut *self.side, self.rest.as_mut_slice());
        on_side!(side, engine => write(engine, rest, out, |traffic, out| traffic.encrypt(plain, out)))
    }

    /// Appends `close_notify`: our side has nothing more to say.
    pub(super) fn close_notify(&mut self, out: &mut ByteBuf) -> Result<(), TlsError> {
        let (side, rest) = (&mut *self.side, self.rest.as_mut_slice());
        on_side!(side, engine => write(engine, rest, out, |traffic, out| traffic.queue_close_notify(out)))
    }
}

/// Room that so many plain bytes need as records.
pub(super) fn encrypted_bytes(plain: usize) -> usize {
    plain + (plain / RECORD_PLAIN_BYTES + 1) * RECORD_OVERHEAD_BYTES
}

/// What is kept of a read for the next one: not the whole block of it for a few bytes.
fn keep(bytes: ByteBuf, io: &Io<'_>) -> ByteBuf {
    let whole = record::missing(&bytes).map_or(0, |missing| bytes.readable() + missing);
    let mut rest = (io.take)(whole.max(bytes.readable()));
    rest.write_slice(&bytes);
    rest
}
