//! Content codings as stages of a pipeline.
//!
//! ```text
//!   server:  http -- compressor -- decompressor -- [aggregator] -- the service
//!   client:  http -- http-requests -- decompressor -- [http-responses] -- the caller
//! ```

mod compressor;
mod config;
mod fields;
mod inflow;
mod job;
mod request;
mod response;
mod rules;

pub use compressor::HttpContentCompressor;
pub use config::CompressionConfig;
pub use request::HttpContentDecompressor;
pub use response::HttpResponseDecompressor;
pub(crate) use rules::{Asked, passes_unasked};
