//! HTTP/1.1 (RFC 9110, RFC 9112), the client's side.
//!
//! | what | where |
//! |---|---|
//! | [`ClientCodec`]: both directions of a connection, without a loop | `codec` |
//! | [`ResponseDecoder`]: strict, of bounded size, in parts | `decoder`, `head`, `response` |
//! | [`ClientRequest`], [`ClientRequestPart`]: checked as they are built | `request`, `encoder` |
//! | [`client`]: the stages of a pipeline (feature `pipeline`) | `handler` |
//! | [`HttpPool`]: connections kept per origin (feature `pipeline`) | `pool` |
//!
//! Redirects are the caller's business, and so is asking again what failed half-way.

mod codec;
mod decoder;
mod encoder;
mod error;
#[cfg(feature = "pipeline")]
mod handler;
mod head;
mod limits;
#[cfg(feature = "pipeline")]
mod pool;
mod request;
mod response;

pub use codec::ClientCodec;
pub use decoder::ResponseDecoder;
pub use error::{ResponseError, ResponseErrorKind};
#[cfg(feature = "pipeline")]
pub use handler::*;
pub use limits::ClientLimits;
#[cfg(feature = "pipeline")]
pub use pool::*;
pub use request::{ClientRequest, ClientRequestHead, ClientRequestPart, RequestError};
pub use response::{ClientResponseHead, ClientResponsePart, ResponseLength};
