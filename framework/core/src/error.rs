//! What can go wrong in a channel, whose fault it is, and why a channel closed.

use std::error::Error as StdError;
use std::fmt;
use std::io;

pub use fyke_codec::{CodecError, Fault};

/// The result of a handler's method.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error on its way through a pipeline. One pointer wide.
pub struct Error(Box<ErrorKind>);

/// What an [`Error`] is.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The transport: reset, unreachable, refused, no descriptor left.
    Io(io::Error),
    /// A decoder or an encoder.
    Codec(CodecError),
    /// The channel is closed (or closing), so nothing can be written.
    Closed,
    /// The outbound queue would grow beyond its limit.
    OutboundFull {
        /// Bytes that wait to be sent.
        pending: usize,
        /// The limit.
        limit: usize,
    },
    /// A handler dropped a message and with it its promise.
    Dropped,
    /// A pipeline that does not fit together.
    Link(LinkError),
    /// A connect, a close or a shutdown took too long.
    TimedOut(&'static str),
    /// A handler panicked, or offloaded work did or was refused; the text is the panic's.
    Panic {
        /// The stage that was running.
        stage: &'static str,
        /// The panic's message.
        message: String,
    },
    /// An error of a handler's own.
    Handler(Box<dyn StdError + Send + Sync>),
}

/// Why a pipeline cannot be linked as asked.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LinkError {
    /// Two neighbours do not exchange the same type.
    Mismatch {
        /// `inbound` or `outbound`.
        direction: &'static str,
        /// The stage (or `head`, `tail`) that produces.
        from: &'static str,
        /// What it produces.
        produces: &'static str,
        /// The stage (or `head`, `tail`) that receives.
        to: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// There is no stage of that name.
    NoSuchStage(String),
    /// The name is taken.
    DuplicateName(&'static str),
    /// Senders are in use that write a type the tail would no longer take.
    SenderInUse {
        /// The type that the senders write.
        writes: &'static str,
        /// What the tail would take.
        takes: &'static str,
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch { direction, from, produces, to, takes } => write!(
                f,
                "{direction} mismatch: `{from}` produces `{produces}`, but `{to}` takes `{takes}`"
            ),
            Self::NoSuchStage(name) => write!(f, "there is no stage `{name}`"),
            Self::DuplicateName(name) => write!(f, "there is already a stage `{name}`"),
            Self::SenderInUse { writes, takes } => write!(
                f,
                "senders of `{writes}` are in use, but the last stage would take `{takes}`"
            ),
        }
    }
}

impl StdError for LinkError {}

impl Error {
    /// An error of a handler's own.
    #[must_use]
    pub fn handler(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(Box::new(ErrorKind::Handler(source.into())))
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// What it is, by value.
    #[must_use]
    pub fn into_kind(self) -> ErrorKind {
        *self.0
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match &*self.0 {
            ErrorKind::Io(_) | ErrorKind::TimedOut(_) => Fault::World,
            ErrorKind::Codec(error) => error.fault(),
            ErrorKind::Closed | ErrorKind::OutboundFull { .. } => Fault::Peer,
            ErrorKind::Dropped | ErrorKind::Panic { .. } | ErrorKind::Handler(_) => Fault::Us,
            ErrorKind::Link(_) => Fault::Caller,
        }
    }

    /// Whether something took too long.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match &*self.0 {
            ErrorKind::TimedOut(_) => true,
            ErrorKind::Io(error) => error.kind() == io::ErrorKind::TimedOut,
            _ => false,
        }
    }

    /// Whether the channel was already closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(&*self.0, ErrorKind::Closed)
    }

    /// Whether the peer reset the connection, or was gone when we wrote.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        matches!(&*self.0, ErrorKind::Io(e)
            if matches!(e.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe))
    }

    pub(crate) fn closed() -> Self {
        ErrorKind::Closed.into()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        ErrorKind::Io(error).into()
    }
}

impl From<CodecError> for Error {
    fn from(error: CodecError) -> Self {
        ErrorKind::Codec(error).into()
    }
}

impl From<LinkError> for Error {
    fn from(error: LinkError) -> Self {
        ErrorKind::Link(error).into()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            ErrorKind::Io(error) => error.fmt(f),
            ErrorKind::Codec(error) => error.fmt(f),
            ErrorKind::Closed => f.write_str("the channel is closed"),
            ErrorKind::OutboundFull { pending, limit } => write!(
                f,
                "the peer does not read: {pending} bytes wait, the limit is {limit} bytes"
            ),
            ErrorKind::Dropped => f.write_str("a handler dropped the message"),
            ErrorKind::Link(error) => error.fmt(f),
            ErrorKind::TimedOut(what) => write!(f, "{what} timed out"),
            ErrorKind::Panic { stage, message } => {
                write!(f, "the handler `{stage}` panicked: {message}")
            }
            ErrorKind::Handler(error) => error.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &*self.0 {
            ErrorKind::Io(error) => Some(error),
            ErrorKind::Codec(error) => Some(error),
            ErrorKind::Link(error) => Some(error),
            ErrorKind::Handler(error) => Some(&**error),
            _ => None,
        }
    }
}

/// Why a channel closed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CloseReason {
    /// A handler or a handle asked for it.
    Local,
    /// The peer sent its end (FIN), and we had nothing more to say.
    PeerEnd,
    /// The peer reset the connection.
    PeerReset,
    /// The connection could not be made.
    ConnectFailed,
    /// Something took too long.
    TimedOut,
    /// A limit was reached (a frame, the outbound queue).
    Limit,
    /// The peer broke the protocol.
    Protocol,
    /// The transport failed otherwise.
    Transport,
    /// A handler failed, or nobody handled an error.
    Handler,
    /// A handler panicked.
    Panic,
    /// The loop shut down.
    Shutdown,
    /// The loop shut down and the channel had not ended by the deadline.
    ShutdownDeadline,
}

impl CloseReason {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Local,
        Self::PeerEnd,
        Self::PeerReset,
        Self::ConnectFailed,
        Self::TimedOut,
        Self::Limit,
        Self::Protocol,
        Self::Transport,
        Self::Handler,
        Self::Panic,
        Self::Shutdown,
        Self::ShutdownDeadline,
    ];

    /// The reason that an unhandled error gives.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Io(_) if error.is_reset() => Self::PeerReset,
            _ if error.is_timeout() => Self::TimedOut,
            ErrorKind::Io(_) => Self::Transport,
            ErrorKind::Codec(CodecError::TooLarge { .. }) => Self::Limit,
            ErrorKind::OutboundFull { .. } => Self::Limit,
            ErrorKind::Codec(e) if e.fault() == Fault::Peer => Self::Protocol,
            ErrorKind::Panic { .. } => Self::Panic,
            _ => Self::Handler,
        }
    }
}
