//! HTTP/1.1 (RFC 9110, RFC 9112), the server's side.
//!
//! Messages stream in parts ([`RequestPart`], [`ResponsePart`]), so that neither side ever holds a
//! body whole unless it wants to. [`ServerCodec`] joins both directions of a connection;
//! [`RequestDecoder`] is the incoming one alone. Neither knows a loop, a socket or a clock.
//!
//! What two parsers on one path could read in two ways is refused, with the status the RFC names and
//! the connection closed. What a peer may send is bounded by [`Limits`].

mod chars;
mod chunked;
mod codec;
mod date;
mod decoder;
mod encoder;
mod error;
mod head;
mod limits;
mod method;
mod request;
mod response;
mod status;
mod target;

pub use codec::ServerCodec;
pub use date::DateText;
pub use decoder::RequestDecoder;
pub use encoder::Gather;
pub use error::HttpError;
pub use limits::Limits;
pub use method::{Method, Version};
pub use request::{BodyLength, Header, Headers, RequestHead, RequestPart};
pub use response::{HeaderBlock, HeaderError, Response, ResponseHead, ResponsePart};
pub use status::Status;
