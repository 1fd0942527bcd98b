//! WebSocket (RFC 6455), with permessage-deflate (RFC 7692).
//!
//! [`Handshake`] checks the request and makes the answer, [`ClientHandshake`] the other way round;
//! from then on [`MessageCodec`] turns bytes into whole, checked messages and back. Who wants frames as they stream takes [`FrameDecoder`] and
//! [`FrameEncoder`]. None of them knows a loop, a socket, a clock or a source of randomness.
//!
//! In a pipeline, `WebSocketServerProtocolHandler` and `client` do all of that (feature `pipeline`).
//!
//! Every rule about frames is kept strictly; the error names the close code. What a peer may send is
//! bounded by [`Limits`].
//!
//! ```
//! use fyke_buffer::ByteBuf;
//! use fyke_codec::{CodecError, Decoder, Encoder};
//! use fyke_codecs::websocket::{Limits, Message, MessageCodec};
//!
//! let mut codec = MessageCodec::server(Limits::new());
//! let mut received = ByteBuf::from(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
//! let mut sent = ByteBuf::new();
//! while let Some(message) = codec.decode(&mut received)? {
//!     assert_eq!(message, Message::text("Hello"));
//!     codec.encode(message, &mut sent)?;
//! }
//! assert_eq!(sent, b"\x81\x05Hello"[..]);
//! # Ok::<(), CodecError>(())
//! ```

mod client;
mod close;
mod codec;
mod decoder;
mod deflate;
mod encoder;
mod error;
mod extension;
mod frame;
#[cfg(feature = "pipeline")]
mod handler;
mod handshake;
mod limits;
mod mask;
mod message;
mod message_decoder;
mod opcode;
mod prepared;
mod url;
mod utf8;

pub use client::{Agreed, ClientHandshake, ClientHandshakeError};
pub use close::{CloseCode, CloseFrame};
pub use codec::MessageCodec;
pub use decoder::{FrameDecoder, FramePart};
pub use deflate::{DeflateConfig, DeflateParams};
pub use encoder::{Frame, FrameEncoder};
pub use error::WebSocketError;
pub use extension::ExtensionError;
#[cfg(feature = "pipeline")]
pub use handler::{
    Opened, WebSocketClientConfig, WebSocketClientProtocolHandler, WebSocketHandler,
    WebSocketHeartbeat, WebSocketServerProtocolConfig, WebSocketServerProtocolHandler, client,
    same_origin,
};
pub use handshake::{Handshake, HandshakeError, accept_key, choose_protocol};
pub use limits::{Limits, Role};
pub use mask::{Masks, mask};
pub use message::{Message, Part, Text};
pub use message_decoder::MessageDecoder;
pub use opcode::OpCode;
pub use prepared::PreparedMessage;
pub use url::{UrlError, WebSocketUrl};
