//! What goes wrong with TLS, and whose fault it is.

use std::error::Error as StdError;
use std::fmt;

use fyke_codec::{CodecError, Fault};
use rustls::{AlertDescription, CertificateError, Error as RustlsError};

type Source = Box<dyn StdError + Send + Sync>;

/// Why a TLS connection could not be made, or ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The handshake failed.
    Handshake(TlsFailure),
    /// A connection that was open failed.
    Connection(TlsFailure),
    /// The peer does not speak TLS.
    NotTls {
        /// What it speaks, as far as that can be told.
        speaks: Option<&'static str>,
    },
    /// The client asks for a name for which there is no certificate, or for none.
    UnknownName(Option<String>),
    /// The peer has sent more for its handshake than the limit allows.
    HandshakeTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The peer has ended the connection in the middle of the handshake.
    HandshakeCut,
    /// The stream ended without the peer's `close_notify`: somebody may have cut it.
    Truncated,
    /// The name of a server is neither a host's nor an IP address.
    ServerName(String),
}

/// What rustls says of a failure.
#[derive(Debug)]
pub struct TlsFailure {
    source: RustlsError,
}

impl TlsError {
    pub(super) fn of(source: RustlsError, handshaking: bool) -> Self {
        let failure = TlsFailure { source };
        if handshaking { Self::Handshake(failure) } else { Self::Connection(failure) }
    }

    /// Whose fault it is. A peer that refuses our certificate, or wants one that we have not got,
    /// is right as far as we can tell: that is ours ([`Fault::Caller`]), who configured it.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Handshake(failure) | Self::Connection(failure) => failure.fault(),
            Self::NotTls { .. }
            | Self::UnknownName(_)
            | Self::HandshakeTooLarge { .. }
            | Self::HandshakeCut
            | Self::Truncated => Fault::Peer,
            Self::ServerName(_) => Fault::Caller,
        }
    }
}

impl TlsFailure {
    fn fault(&self) -> Fault {
        match &self.source {
            RustlsError::AlertReceived(alert) => fault_of_alert(*alert),
            // We have named roots that did not sign it, or asked for another name: it may be ours,
            // but it is the peer who has to prove who it is.
            RustlsError::InvalidCertificate(_)
            | RustlsError::NoCertificatesPresented
            | RustlsError::InappropriateMessage { .. }
            | RustlsError::InappropriateHandshakeMessage { .. }
            | RustlsError::InvalidMessage(_)
            | RustlsError::PeerIncompatible(_)
            | RustlsError::PeerMisbehaved(_)
            | RustlsError::PeerSentOversizedRecord
            | RustlsError::DecryptError
            | RustlsError::NoApplicationProtocol => Fault::Peer,
            RustlsError::FailedToGetCurrentTime | RustlsError::FailedToGetRandomBytes => {
                Fault::World
            }
            RustlsError::General(_)
            | RustlsError::UnsupportedNameType
            | RustlsError::InvalidCertRevocationList(_)
            | RustlsError::BadMaxFragmentSize
            | RustlsError::InconsistentKeys(_) => Fault::Caller,
            _ => Fault::Us,
        }
    }
}

/// The peer's reasons for ending a connection (RFC 8446 section 6.2).
fn fault_of_alert(alert: AlertDescription) -> Fault {
    match alert {
        // What it thinks of our certificate, our name for it, and our configuration.
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::UnrecognisedName
        | AlertDescription::CertificateRequired
        | AlertDescription::NoApplicationProtocol
        | AlertDescription::ProtocolVersion
        | AlertDescription::InsufficientSecurity
        | AlertDescription::HandshakeFailure => Fault::Caller,
        // It says that we broke the protocol.
        AlertDescription::UnexpectedMessage
        | AlertDescription::BadRecordMac
        | AlertDescription::RecordOverflow
        | AlertDescription::IllegalParameter
        | AlertDescription::DecodeError
        | AlertDescription::DecryptError
        | AlertDescription::MissingExtension
        | AlertDescription::UnsupportedExtension => Fault::Us,
        _ => Fault::Peer,
    }
}

/// Who is to blame, in words for a log.
fn blame(fault: Fault) -> &'static str {
    match fault {
        Fault::Peer => "the peer's fault",
        Fault::Caller => "a matter of our configuration",
        Fault::World => "the machine's fault",
        _ => "our fault",
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}): ", blame(self.fault()))?;
        match &self.source {
            RustlsError::AlertReceived(alert) => {
                let name = alert.as_str().unwrap_or("unknown");
                write!(f, "the peer refuses, with the alert {name}")
            }
            RustlsError::InvalidCertificate(CertificateError::UnknownIssuer) => {
                f.write_str("nobody we trust has signed the peer's certificate")
            }
            RustlsError::NoCertificatesPresented => {
                f.write_str("the peer shows no certificate, and one is required")
            }
            RustlsError::NoApplicationProtocol => {
                f.write_str("the client wants none of our application protocols (ALPN)")
            }
            source => source.fmt(f),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(failure) => write!(f, "the TLS handshake failed {failure}"),
            Self::Connection(failure) => write!(f, "the TLS connection failed {failure}"),
            Self::NotTls { speaks } => write!(
                f,
                "the TLS handshake failed ({}): it does not speak TLS, but {}",
                blame(Fault::Peer),
                speaks.unwrap_or("something else")
            ),
            Self::UnknownName(name) => write!(
                f,
                "the TLS handshake failed ({}): there is no certificate for {}",
                blame(Fault::Peer),
                name.as_deref().unwrap_or("clients that ask for no name")
            ),
            Self::HandshakeTooLarge { limit } => write!(
                f,
                "the TLS handshake failed ({}): its side of it is over the limit of {limit} bytes",
                blame(Fault::Peer)
            ),
            Self::HandshakeCut => write!(
                f,
                "the TLS handshake failed ({}): the peer ended the connection before it was done",
                blame(Fault::Peer)
            ),
            Self::Truncated => {
                f.write_str("the stream ended without close_notify: it may have been cut")
            }
            Self::ServerName(name) => write!(f, "`{name}` names no server: a host or an address"),
        }
    }
}

impl StdError for TlsFailure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.source)
    }
}

impl StdError for TlsError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Handshake(failure) | Self::Connection(failure) => Some(&failure.source),
            _ => None,
        }
    }
}

impl From<TlsError> for CodecError {
    fn from(error: TlsError) -> Self {
        Self::Protocol { fault: error.fault(), source: Box::new(error) }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A PEM text is broken, or does not hold what it is to hold.
    Pem {
        /// What was looked for.
        what: &'static str,
        /// What is wrong.
        source: Source,
    },
    /// There is no certificate, or none that can be read.
    NoCertificate,
    /// The private key has none of the formats that are known.
    KeyFormat,
    /// Neither the program nor a feature says which cryptography to use.
    NoProvider,
    /// A name that cannot be an application protocol: empty, or longer than 255 bytes.
    Alpn,
    /// Certificate, key, roots or versions cannot be used.
    Unusable(Source),
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem { what, source } => write!(f, "no {what} can be read from the PEM: {source}"),
            Self::NoCertificate => f.write_str("there is no certificate that can be read"),
            Self::KeyFormat => f.write_str("the private key has no known format"),
            Self::NoProvider => f.write_str(
                "no cryptography: switch a feature on (tls-ring), or install a provider of rustls",
            ),
            Self::Alpn => f.write_str("an application protocol's name has 1 to 255 bytes"),
            Self::Unusable(source) => source.fmt(f),
        }
    }
}

impl StdError for TlsConfigError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Pem { source, .. } | Self::Unusable(source) => Some(&**source),
            _ => None,
        }
    }
}

impl From<RustlsError> for TlsConfigError {
    fn from(error: RustlsError) -> Self {
        Self::Unusable(Box::new(error))
    }
}
