//! The opening handshake, the client's side (RFC 6455 sections 4.1 and 4.2.2).

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fyke_codec::CodecError;

use super::extension::{ExtensionError, is_token_byte, parse};
use super::{DeflateConfig, DeflateParams, accept_key};
use crate::http1::client::{ClientRequest, ClientResponseHead};
use crate::http1::{Method, Status, Version};

/// What a client asks for, and how it checks the answer.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::{CodecError, Decoder, Encoder};
/// use fyke_codecs::http1::client::{ClientCodec, ClientResponsePart};
/// use fyke_codecs::websocket::ClientHandshake;
///
/// let handshake = ClientHandshake::new(*b"the sample nonce").protocols(["chat"]);
/// let mut codec = ClientCodec::default();
/// let mut sent = ByteBuf::new();
/// codec.encode(handshake.request("example.com", "/chat").into(), &mut sent)?;
/// assert!(sent.starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n"));
///
/// let mut received = ByteBuf::from(
///     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
/// );
/// let Some(ClientResponsePart::Head(head)) = codec.decode(&mut received)? else { panic!() };
/// assert_eq!(handshake.check(&head)?.protocol.as_deref(), Some("chat"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientHandshake {
    key: String,
    protocols: Vec<String>,
    fields: Vec<(String, String)>,
    deflate: Option<DeflateConfig>,
}

/// What the server has agreed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreed {
    /// The subprotocol; `None` when it chose none.
    pub protocol: Option<String>,
    /// How messages are compressed, if they are.
    pub deflate: Option<DeflateParams>,
}

/// Why an answer does not open a WebSocket. Travels as [`CodecError::Protocol`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientHandshakeError {
    /// Another status than 101.
    Status(Status),
    /// Not HTTP/1.1.
    HttpVersion,
    /// `Upgrade` is not `websocket`, or `Connection` does not say `Upgrade`.
    NoUpgrade,
    /// `Sec-WebSocket-Accept` is missing or does not answer our key.
    Accept,
    /// A subprotocol that was not asked for, or several.
    Protocol,
    /// Extensions that were not offered, or not so.
    Extensions(ExtensionError),
    /// The answer did not come in time.
    TimedOut,
}

impl ClientHandshake {
    /// A handshake with 16 random bytes, which must be others each time.
    pub fn new(nonce: [u8; 16]) -> Self {
        let key = STANDARD.encode(nonce);
        Self { key, protocols: Vec::new(), fields: Vec::new(), deflate: None }
    }

    /// The subprotocols that this client speaks, the one it likes best first.
    pub fn protocols<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.protocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// One more header field: `Origin`, `Cookie`, `Authorization`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Offers compression.
    pub fn deflate(mut self, config: &DeflateConfig) -> Self {
        self.deflate = Some(config.clone());
        self
    }

    /// The request for `target` at `host[:port]`. One that cannot be sent, because host, target or a
    /// field are malformed, fails to encode ([`ClientRequest::check`] says why).
    pub fn request(&self, host: &str, target: &str) -> ClientRequest {
        let mut request = ClientRequest::new(Method::Get, host, target)
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Key", &self.key)
            .header("Sec-WebSocket-Version", "13");
        if !self.protocols.is_empty() {
            request = request.header("Sec-WebSocket-Protocol", self.protocols.join(", "));
        }
        if let Some(config) = &self.deflate {
            request = request.header("Sec-WebSocket-Extensions", config.offer());
        }
        self.fields.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// Checks the answer.
    ///
    /// # Errors
    /// When it does not open the WebSocket that was asked for: the connection is of no use then.
    pub fn check(&self, head: &ClientResponseHead) -> Result<Agreed, ClientHandshakeError> {
        if head.status() != Status::SWITCHING_PROTOCOLS {
            return Err(ClientHandshakeError::Status(head.status()));
        }
        if head.version() != Version::Http11 {
            return Err(ClientHandshakeError::HttpVersion);
        }
        let upgrade = only(head, "upgrade");
        if !upgrade.is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))
            || !head.has_token("connection", "upgrade")
        {
            return Err(ClientHandshakeError::NoUpgrade);
        }
        if only(head, "sec-websocket-accept") != Some(&accept_key(self.key.as_bytes())) {
            return Err(ClientHandshakeError::Accept);
        }
        let protocol = self.protocol(head)?;
        let extensions = head.header_all("sec-websocket-extensions");
        let deflate = match &self.deflate {
            Some(config) => config.accept(extensions),
            None => parse(extensions).and_then(|list| match list.is_empty() {
                true => Ok(None),
                false => Err(ExtensionError::new("the server uses an extension nobody offered")),
            }),
        };
        Ok(Agreed { protocol, deflate: deflate.map_err(ClientHandshakeError::Extensions)? })
    }

    /// One of those asked for, or none.
    fn protocol(&self, head: &ClientResponseHead) -> Result<Option<String>, ClientHandshakeError> {
        if head.header("sec-websocket-protocol").is_none() {
            return Ok(None);
        }
        let chosen = only(head, "sec-websocket-protocol");
        let ours = chosen.and_then(|chosen| {
            self.protocols.iter().find(|protocol| protocol.as_bytes() == chosen)
        });
        match ours {
            Some(protocol) if protocol.bytes().all(is_token_byte) => Ok(Some(protocol.clone())),
            _ => Err(ClientHandshakeError::Protocol),
        }
    }
}

/// The value of a field that stands there exactly once.
fn only<'a>(head: &'a ClientResponseHead, name: &'a str) -> Option<&'a [u8]> {
    let mut values = head.header_all(name);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

impl ClientHandshakeError {
    /// The `ClientHandshakeError` inside a codec's error, if there is one.
    #[must_use]
    pub fn of(error: &CodecError) -> Option<&Self> {
        match error {
            CodecError::Protocol { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for ClientHandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => {
                write!(f, "the server does not open a WebSocket: it answers {}", status.as_u16())
            }
            Self::HttpVersion => f.write_str("the server does not answer in HTTP/1.1"),
            Self::NoUpgrade => f.write_str("the server does not upgrade to websocket"),
            Self::Accept => f.write_str("the server's Sec-WebSocket-Accept is wrong"),
            Self::Protocol => f.write_str("the server chose a subprotocol nobody asked for"),
            Self::Extensions(error) => error.fmt(f),
            Self::TimedOut => f.write_str("the server did not answer the handshake in time"),
        }
    }
}

impl core::error::Error for ClientHandshakeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Extensions(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ClientHandshakeError> for CodecError {
    #[cold]
    fn from(error: ClientHandshakeError) -> Self {
        Self::peer(error)
    }
}
