//! Content codings (RFC 9110 section 8.4): gzip, deflate, br (feature `br`), zstd (feature `zstd`).
//!
//! | what | where |
//! |---|---|
//! | [`ContentCoding`], and which one a client wants | `name`, `accept` |
//! | [`ContentEncoder`]: streaming, with flush | `encoder` |
//! | [`ContentDecoder`]: streaming, with limits against bombs | `decoder`, `limits` |
//! | the libraries behind them, all as one small trait | `flate`, `brotli`, `zstd` |
//! | [`HttpContentCompressor`], [`HttpContentDecompressor`], [`HttpResponseDecompressor`]: handlers (feature `pipeline`) | `handler` |

mod accept;
#[cfg(feature = "br")]
mod brotli;
mod decoder;
mod encoder;
mod flate;
#[cfg(feature = "pipeline")]
mod handler;
mod limits;
mod name;
mod step;
#[cfg(feature = "zstd")]
mod zstd;

pub use accept::AcceptEncoding;
pub use decoder::ContentDecoder;
pub use encoder::ContentEncoder;
#[cfg(feature = "pipeline")]
pub use handler::*;
pub use limits::DecompressionLimits;
pub use name::ContentCoding;
