//! Content codings: what is chosen, compressed and decompressed.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod accept;
#[cfg(feature = "pipeline")]
mod compressor;
mod decoder;
#[cfg(feature = "pipeline")]
mod decompressors;
mod encoder;
#[cfg(feature = "pipeline")]
mod head;
mod support;
