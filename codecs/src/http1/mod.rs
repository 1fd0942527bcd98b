//! HTTP/1.1 (RFC 9110, RFC 9112): the server's side here, and what goes with it in rooms of its own.
//!
//! Messages stream in parts ([`RequestPart`], [`ResponsePart`]), so that neither side ever holds a
//! body whole unless it wants to. [`ServerCodec`] joins both directions of a connection;
//! [`RequestDecoder`] is the incoming one alone. Neither knows a loop, a socket or a clock. In a pipeline
//! `server` makes stages of it (feature `pipeline`).
//!
//! What two parsers on one path could read in two ways is refused, with the status the RFC names and
//! the connection closed. What a peer may send is bounded by [`Limits`].
//!
//! | room | what is there |
//! |---|---|
//! | [`client`](mod@client) | the client's side: responses read, requests written, calls, a pool of connections |
//! | [`coding`] | gzip, deflate, br, zstd, in both directions |
//! | [`forms`] | urlencoded and multipart/form-data |
//! | [`router`] | method and path to what should be there |
//! | [`cookies`], [`cors`], [`sse`], [`access_log`] | cookies, cross-origin requests, server-sent events, a line for each request |
//!
//! ```
//! use fyke_buffer::ByteBuf;
//! use fyke_codec::{CodecError, Decoder, Encoder};
//! use fyke_codecs::http1::{RequestPart, Response, ServerCodec, Status};
//!
//! let mut codec = ServerCodec::default();
//! let mut received = ByteBuf::from("GET /hello?to=you HTTP/1.1\r\nHost: localhost\r\n\r\n");
//! let mut sent = ByteBuf::new();
//! while let Some(part) = codec.decode(&mut received)? {
//!     if let Some(head) = part.head() {
//!         assert_eq!((head.path(), head.query()), ("/hello", Some("to=you")));
//!         codec.encode(Response::new(Status::OK).body("hello").into(), &mut sent)?;
//!     }
//! }
//! assert_eq!(sent, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..]);
//! # Ok::<(), CodecError>(())
//! ```

pub mod access_log;
mod body;
mod chars;
mod chunked;
pub mod client;
mod codec;
pub mod coding;
mod conditional;
pub mod cookies;
pub mod cors;
mod date;
mod date_parse;
mod decoder;
#[cfg(feature = "pipeline")]
mod draining;
mod encoder;
mod error;
mod facts;
mod fields;
pub mod forms;
#[cfg(feature = "pipeline")]
mod gathered;
#[cfg(feature = "pipeline")]
mod handler;
mod head;
mod header_block;
#[cfg(feature = "http-types")]
mod http_types;
mod limits;
mod marks;
mod method;
mod pending;
mod range;
mod request;
mod request_line;
mod response;
mod room;
pub mod router;
pub mod sse;
mod status;
mod target;
mod trailers;
mod whole_head;

#[cfg(feature = "pipeline")]
pub use client::client;
pub use codec::ServerCodec;
pub use conditional::{EntityTag, Precondition, Validators};
pub use date::DateText;
pub use date_parse::parse_date;
pub use decoder::RequestDecoder;
#[cfg(feature = "pipeline")]
pub use draining::NoMoreRequests;
pub use encoder::Gather;
pub use error::HttpError;
#[cfg(feature = "pipeline")]
pub use handler::*;
pub use header_block::HeaderBlock;
#[cfg(feature = "http-types")]
pub use http_types::ConversionError;
pub use limits::Limits;
pub use method::{Method, Version};
pub use range::{ByteRange, Ranges};
pub use request::{BodyLength, Header, Headers, RequestHead, RequestPart};
pub use response::{HeaderError, Response, ResponseHead, ResponsePart};
pub use status::Status;
pub use trailers::Trailers;
