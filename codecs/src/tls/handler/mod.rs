//! TLS as a stage: bytes on both sides.
//!
//! ```text
//!   transport ── tls ── whatever reads bytes and writes Outgoing
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `mod` | the stage, and what it does in which phase |
//! | `begin` | from the first byte to the end of the handshake |
//! | `send` | from messages to records; what waits for the handshake or for a file |
//! | `end` | `close_notify`, both ways, and failures |
//! | `room` | how a file waits until the transport has taken a piece of it |

mod begin;
mod end;
mod room;
mod send;

use std::collections::VecDeque;
use std::fmt;

use fyke_buffer::ByteBuf;
use fyke_clock::TimerKey;
use fyke_core::{
    DuplexContext, DuplexHandler, ErrorKind, Event, EventFilter, Outgoing, Promise, Result,
};
use rustls::pki_types::ServerName;

use self::end::End;
use self::room::{Room, Waiting};
use super::client::TlsClientConfig;
use super::engine::Io;
use super::error::TlsError;
use super::options::TlsOptions;
use super::server::TlsServerConfig;
use super::session::TlsSession;

type Cx<'a> = DuplexContext<'a, TlsHandler>;

/// Timer: the handshake takes too long.
const HANDSHAKE: u64 = 0;
/// Timer: what is to be sent before the end does not get on.
const ENDING: u64 = 1;

/// TLS as the first stage of a pipeline: what is behind it reads and writes plain bytes.
///
/// What is behind it hears `active` when the handshake is done, and the event
/// [`TlsHandshakeCompleted`](super::TlsHandshakeCompleted) right before that; the same value is an
/// attribute of the channel. What is written earlier waits, and counts for the water marks. A
/// failed handshake is an error that says whose fault it is, and the end of the channel.
///
/// The peer's `close_notify` is its end of the stream (`read_closed`). A stream that ends without
/// one gives [`TlsError::Truncated`] first. Our own is sent by `close` and by `shutdown`.
///
/// A piece of a file is read, encrypted and sent step by step, each when the transport has taken
/// the one before: on the loop, like the kernel's `sendfile` that stands in its place without TLS.
///
/// **STARTTLS.** Put it in the place of the decoder that read the plain part, by
/// [`Edit::replace`](fyke_core::Edit::replace), with a new decoder behind it. What the old one had
/// not read is then taken for TLS: plain commands that somebody on the way has put in behind the
/// client's `STARTTLS` are refused, and not run as if they had come encrypted.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codecs::tls::{TlsCertificates, TlsHandler, TlsIdentity, TlsServerConfig};
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::handlers::read_fn;
/// use fyke_core::{Ctx, Never, Outgoing, Result};
///
/// fn echo(cx: &mut Ctx<'_, Never, Outgoing>, msg: ByteBuf) -> Result<()> {
///     cx.write(msg.into());
///     Ok(())
/// }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # let (chain_pem, key_pem) = (pair.cert.pem(), pair.signing_key.serialize_pem());
/// let identity = TlsIdentity::from_pem(chain_pem.as_bytes(), key_pem.as_bytes())?;
/// let config = TlsServerConfig::builder(&TlsCertificates::new(identity)).build()?;
/// let channel = EmbeddedChannel::new(move |ch| {
///     ch.pipeline().duplex("tls", TlsHandler::server(&config)).inbound("echo", read_fn(echo))
/// });
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
pub struct TlsHandler {
    side: Side,
    options: TlsOptions,
    session: Option<TlsSession>,
    phase: Phase,
    timer: Option<TimerKey>,
    /// What was written and has not become records yet.
    held: VecDeque<(Outgoing, Promise)>,
    held_bytes: u64,
    /// A piece of a file is on its way to the transport.
    waiting: Option<Waiting>,
    /// What is to follow what is held.
    ending: Option<End>,
    /// What had been sent when the timer for that began.
    sent: u64,
    sent_before: u64,
    /// `active` has come and has not been passed on.
    active: bool,
    /// Those behind have heard of the peer's end.
    told_end: bool,
    /// Our `close_notify` has been sent.
    notified: bool,
}

enum Side {
    Server(TlsServerConfig),
    Client(TlsClientConfig, ServerName<'static>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    New,
    Handshaking,
    Open,
    /// Closed, or failed.
    Over,
}

impl TlsHandler {
    /// The server's side.
    #[must_use]
    pub fn server(config: &TlsServerConfig) -> Self {
        Self::new(Side::Server(config.clone()), config.options)
    }

    /// The client's side. The server has to show a certificate for `name`: a host's name, which it
    /// is asked for by (SNI), or an IP address.
    ///
    /// # Errors
    /// When the name is neither.
    pub fn client(config: &TlsClientConfig, name: &str) -> Result<Self, TlsError> {
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let server = ServerName::try_from(bare.to_owned())
            .map_err(|_| TlsError::ServerName(name.to_owned()))?;
        Ok(Self::new(Side::Client(config.clone(), server), config.options))
    }

    fn new(side: Side, options: TlsOptions) -> Self {
        Self {
            side,
            options,
            session: None,
            phase: Phase::New,
            timer: None,
            held: VecDeque::new(),
            held_bytes: 0,
            waiting: None,
            ending: None,
            sent: 0,
            sent_before: 0,
            active: false,
            told_end: false,
            notified: false,
        }
    }
}

impl DuplexHandler for TlsHandler {
    type In = ByteBuf;
    type Out = ByteBuf;
    type WriteIn = Outgoing;
    type WriteOut = Outgoing;

    /// In a pipeline that runs already it begins here.
    fn added(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        if cx.is_active() {
            self.begin(cx);
        }
        Ok(())
    }

    fn active(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.begin(cx);
        match self.phase {
            Phase::Open => cx.fire_active(),
            _ => self.active = true,
        }
        Ok(())
    }

    fn read(&mut self, cx: &mut Cx<'_>, bytes: ByteBuf) -> Result<()> {
        if self.phase == Phase::New {
            self.begin(cx);
        }
        if self.phase == Phase::Over {
            return Ok(());
        }
        let Some(session) = &mut self.session else { return Ok(()) };
        let date = cx.env().unix_time();
        let take = |n| cx.buffer(n);
        let mut io = Io::new(session.unread_bytes() + bytes.readable(), &take);
        let received = session.receive(bytes, date, &mut io);
        let Io { plain, full, out, .. } = io;
        let peer_closed = session.peer_closed();
        if !out.is_empty() {
            cx.write_ahead(out.into());
        }
        self.look_whether_open(cx)?;
        for plain in full {
            cx.fire_read(plain);
        }
        if !plain.is_empty() {
            cx.fire_read(plain);
        }
        if let Err(error) = received {
            self.fail(cx, error);
        } else if peer_closed {
            self.tell_end(cx);
        }
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_>, msg: Outgoing, promise: Promise) -> Result<()> {
        match self.phase {
            Phase::Over => promise.fail(ErrorKind::Closed.into()),
            _ if self.notified || self.ending.is_some() => promise.fail(ErrorKind::Closed.into()),
            Phase::Open if self.held.is_empty() && !matches!(msg, Outgoing::File(_)) => {
                self.send(cx, msg, promise, true);
            }
            Phase::Open => {
                self.hold(cx, msg, promise);
                self.release(cx);
            }
            _ => self.hold(cx, msg, promise),
        }
        Ok(())
    }

    fn read_closed(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.transport_ended(cx);
        Ok(())
    }

    fn close(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.end(cx, End::Close);
        Ok(())
    }

    fn shutdown(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.end(cx, End::Shutdown);
        Ok(())
    }

    fn timer(&mut self, cx: &mut Cx<'_>, tag: u64) -> Result<()> {
        match tag {
            HANDSHAKE => self.handshake_expired(cx),
            _ => self.ending_expired(cx),
        }
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<Room>()
    }

    fn event(&mut self, cx: &mut Cx<'_>, event: Event) -> Result<()> {
        match event.take::<Room>() {
            Ok(Room) => self.release(cx),
            Err(event) => cx.pass_event(event),
        }
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.let_go(cx);
        cx.fire_inactive();
        Ok(())
    }
}

impl fmt::Debug for TlsHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsHandler")
            .field("phase", &self.phase)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
