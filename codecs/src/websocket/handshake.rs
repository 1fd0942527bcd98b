//! The opening handshake, the server's side (RFC 6455 section 4.2).

use super::extension;
use crate::http1::{Method, RequestHead, Response, Status, Version};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use core::fmt;
use sha1::{Digest, Sha1};

/// What is hashed behind the key (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY_CHARS: usize = 24;
const ACCEPT_CHARS: usize = 28;
/// Each is compared with all others.
const PROTOCOLS_MAX: usize = 100;

/// Clients are not held to zero bits behind the last character: nothing depends on them.
const KEY_ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The value of `Sec-WebSocket-Accept` for a key (section 4.2.2).
#[must_use]
pub fn accept_key(key: &[u8]) -> [u8; ACCEPT_CHARS] {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut accept = [0; ACCEPT_CHARS];
    let written = STANDARD.encode_slice(digest, &mut accept);
    debug_assert_eq!(written.ok(), Some(ACCEPT_CHARS), "20 bytes are 28 characters");
    accept
}

/// Why a request does not open a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// Not GET.
    Method,
    /// Not HTTP/1.1 or later.
    HttpVersion,
    /// No offer to upgrade to `websocket`.
    NoUpgrade,
    /// Another `Sec-WebSocket-Version` than 13, or none.
    Version,
    /// No `Sec-WebSocket-Key`, several, or one that is not 16 bytes in base64.
    Key,
    /// The request has a body.
    Body,
    /// A `Sec-WebSocket-Protocol` that is no list of names, or has one twice.
    Protocols,
    /// A `Sec-WebSocket-Extensions` that is no list of extensions.
    Extensions,
}

impl HandshakeError {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Method => Status::METHOD_NOT_ALLOWED,
            Self::NoUpgrade | Self::Version => Status::UPGRADE_REQUIRED,
            Self::HttpVersion | Self::Key | Self::Body | Self::Protocols | Self::Extensions => {
                Status::BAD_REQUEST
            }
        }
    }

    /// What is wrong, in words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Method => "a WebSocket is opened with GET",
            Self::HttpVersion => "a WebSocket needs HTTP/1.1",
            Self::NoUpgrade => "no upgrade to websocket",
            Self::Version => "WebSocket version is not 13",
            Self::Key => "missing or malformed Sec-WebSocket-Key",
            Self::Body => "a WebSocket is opened without a body",
            Self::Protocols => "malformed Sec-WebSocket-Protocol",
            Self::Extensions => "malformed Sec-WebSocket-Extensions",
        }
    }

    /// The answer, with the fields that say what would do (RFC 9110 sections 15.5.6 and 15.5.22,
    /// RFC 6455 section 4.4).
    pub fn response(self) -> Response {
        let response = Response::new(self.status())
            .header("Content-Type", "text/plain; charset=utf-8")
            .body(self.what());
        match self {
            Self::Method => response.header("Allow", "GET"),
            Self::NoUpgrade => upgrade(response),
            Self::Version => upgrade(response).header("Sec-WebSocket-Version", "13"),
            _ => response,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())
    }
}

impl core::error::Error for HandshakeError {}

fn upgrade(response: Response) -> Response {
    response.header("Upgrade", "websocket").header("Connection", "Upgrade")
}

/// A request that opens a WebSocket, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    accept: [u8; ACCEPT_CHARS],
}

impl Handshake {
    /// Checks a request (section 4.2.1).
    ///
    /// The origin is not looked at: who may connect from where is the application's decision.
    ///
    /// # Errors
    /// When the request does not open a WebSocket; the error makes the answer.
    pub fn check(head: &RequestHead) -> Result<Self, HandshakeError> {
        if head.method() != Method::Get {
            return Err(HandshakeError::Method);
        }
        if head.version() < Version::Http11 {
            return Err(HandshakeError::HttpVersion);
        }
        if !head.wants_upgrade() || !head.has_token("upgrade", "websocket") {
            return Err(HandshakeError::NoUpgrade);
        }
        if head.has_body() {
            return Err(HandshakeError::Body);
        }
        if only(head, "sec-websocket-version") != Some(b"13") {
            return Err(HandshakeError::Version);
        }
        let key = only(head, "sec-websocket-key").ok_or(HandshakeError::Key)?;
        if !is_key(key) {
            return Err(HandshakeError::Key);
        }
        check_protocols(head)?;
        if extension::parse(head.header_all("sec-websocket-extensions")).is_err() {
            return Err(HandshakeError::Extensions);
        }
        Ok(Self { accept: accept_key(key) })
    }

    /// The value of `Sec-WebSocket-Accept`.
    #[must_use]
    pub fn accept(&self) -> &[u8] {
        &self.accept
    }

    /// The answer that accepts: 101, with the chosen subprotocol if there is one.
    pub fn response(&self, protocol: Option<&str>) -> Response {
        let response = upgrade(Response::new(Status::SWITCHING_PROTOCOLS))
            .header("Sec-WebSocket-Accept", self.accept);
        match protocol {
            Some(protocol) => response.header("Sec-WebSocket-Protocol", protocol),
            None => response,
        }
    }
}

/// Subprotocols are tokens, each named once (section 4.1, 10).
fn check_protocols(head: &RequestHead) -> Result<(), HandshakeError> {
    let mut seen: Vec<&[u8]> = Vec::new();
    for value in head.header_all("sec-websocket-protocol") {
        let before = seen.len();
        for name in value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
            if name.is_empty() {
                continue;
            }
            let is_token = name.iter().all(|byte| extension::is_token_byte(*byte));
            if !is_token || seen.contains(&name) || seen.len() == PROTOCOLS_MAX {
                return Err(HandshakeError::Protocols);
            }
            seen.push(name);
        }
        if seen.len() == before {
            return Err(HandshakeError::Protocols);
        }
    }
    Ok(())
}

/// The first subprotocol of the client's list that is among `supported` (section 4.2.2).
#[must_use]
pub fn choose_protocol<'a>(head: &RequestHead, supported: &[&'a str]) -> Option<&'a str> {
    // Names of subprotocols are case-sensitive, unlike most of HTTP.
    head.header_all("sec-websocket-protocol")
        .flat_map(|value| value.split(|&b| b == b',').map(<[u8]>::trim_ascii))
        .find_map(|offer| supported.iter().copied().find(|name| name.as_bytes() == offer))
}

/// The value of a field that stands there exactly once.
fn only<'a>(head: &'a RequestHead, name: &'a str) -> Option<&'a [u8]> {
    let mut values = head.header_all(name);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Whether this is 16 bytes in base64 (section 4.1, 7).
fn is_key(key: &[u8]) -> bool {
    let mut nonce = [0; KEY_CHARS / 4 * 3];
    key.len() == KEY_CHARS && KEY_ENGINE.decode_slice(key, &mut nonce) == Ok(16)
}
