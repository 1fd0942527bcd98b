//! What a handshake came to.

use std::fmt;

use bytes::Bytes;
use rustls::{CommonState, HandshakeKind, ProtocolVersion};

/// The version of the protocol that both sides speak.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2, RFC 5246.
    Tls12,
    /// TLS 1.3, RFC 8446.
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

/// A user event, and an attribute of the channel: the handshake is done, and this is what both
/// sides have agreed on. It comes before `active`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TlsHandshakeCompleted {
    /// The application's protocol (ALPN, RFC 7301), if one was agreed on.
    pub alpn: Option<Vec<u8>>,
    /// The name that the client asked for (SNI), if it asked for one.
    pub server_name: Option<String>,
    /// The version of TLS.
    pub version: TlsVersion,
    /// The name of the cipher suite, `TLS13_AES_128_GCM_SHA256` say.
    pub cipher: &'static str,
    /// Whether an earlier session was resumed instead of beginning a new one.
    pub resumed: bool,
    /// The peer's certificates in DER, its own first; none if it has not shown any.
    pub peer_certificates: Vec<Bytes>,
}

impl TlsHandshakeCompleted {
    /// `None` while the handshake lasts.
    pub(super) fn of(state: &CommonState, server_name: Option<String>) -> Option<Self> {
        let version = match state.protocol_version()? {
            ProtocolVersion::TLSv1_2 => TlsVersion::Tls12,
            _ => TlsVersion::Tls13,
        };
        let certificates = state.peer_certificates().unwrap_or_default().iter();
        Some(Self {
            alpn: state.alpn_protocol().map(<[u8]>::to_vec),
            server_name,
            version,
            cipher: state.negotiated_cipher_suite()?.suite().as_str().unwrap_or("unknown"),
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
            peer_certificates: certificates.map(|c| Bytes::copy_from_slice(c)).collect(),
        })
    }
}
