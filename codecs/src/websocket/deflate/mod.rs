//! permessage-deflate (RFC 7692): messages compressed one by one, with a window that may live on
//! from message to message.
//!
//! ```text
//!   DeflateConfig -- offers and answers of a handshake --> DeflateParams
//!        | its pool lends                                       | say how
//!        v                                                      v
//!   compressors, inflaters  --------------------->  FrameEncoder, MessageDecoder
//! ```

mod compressor;
mod config;
mod inflater;
mod params;
mod pool;

pub(crate) use compressor::Compressor;
pub use config::DeflateConfig;
pub(crate) use inflater::Inflater;
pub use params::DeflateParams;

/// What a sender leaves out behind each message and a receiver puts there (section 7.2.1): an empty
/// block without compression, as a flush writes it.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
