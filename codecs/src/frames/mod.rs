//! Frame codecs: cut a stream of bytes into messages, and put messages back on the stream.
//!
//! Pure values, without a loop or a socket. Each one is a [`Decoder`] of frames and an
//! [`Encoder`] that is its inverse, so one value serves both directions of a pipeline.
//!
//! | Netty | here |
//! |---|---|
//! | `LengthFieldBasedFrameDecoder` | [`LengthField`] |
//! | `LengthFieldPrepender` | [`LengthField`] as encoder, or [`LengthFieldPrepender`] alone |
//! | `FixedLengthFrameDecoder` | [`FixedLength`] |
//! | `LineBasedFrameDecoder` | [`Line`] |
//! | `DelimiterBasedFrameDecoder`, `Delimiters` | [`Delimiter`] |
//! | `ProtobufVarint32FrameDecoder`, `..LengthFieldPrepender` | [`Varint32`] |
//! | `StringDecoder`, `StringEncoder` | [`Text`] for one frame, [`TextLines`] for lines |
//!
//! What a peer sends decides neither how much memory is taken nor how long a call runs: a length
//! never allocates, a frame over its limit is refused, and a scan goes on where it stopped.
//!
//! # A frame over its limit
//! With `fail_fast` (the default) the error comes as soon as it is certain that the frame is too
//! large; without it, once the frame has been skipped to its end. Bytes that are skipped are
//! dropped as they arrive. Whoever calls a decoder again after [`CodecError::TooLarge`] gets the
//! frames behind the refused one.
//!
//! # Example
//! ```
//! use fyke_buffer::ByteBuf;
//! use fyke_codec::{Decoder, Encoder};
//! use fyke_codecs::frames::LengthField;
//!
//! let mut frames = LengthField::u16();
//! let mut wire = ByteBuf::new();
//! frames.encode(b"hello", &mut wire)?;
//! assert_eq!(wire.as_slice(), b"\x00\x05hello");
//!
//! let frame = frames.decode(&mut wire)?.expect("it is whole");
//! assert_eq!(frame.as_slice(), b"hello");
//! assert!(frames.decode(&mut wire)?.is_none());
//! # Ok::<(), fyke_codec::CodecError>(())
//! ```
//!
//! [`Decoder`]: fyke_codec::Decoder
//! [`Encoder`]: fyke_codec::Encoder
//! [`CodecError::TooLarge`]: fyke_codec::CodecError::TooLarge
#![forbid(unsafe_code)]

mod append;
mod delimiter;
mod fixed_length;
mod length_field;
mod line;
mod prepender;
mod skip;
mod text;
mod varint32;
mod width;

pub use delimiter::Delimiter;
pub use fixed_length::FixedLength;
pub use length_field::LengthField;
pub use line::Line;
pub use prepender::LengthFieldPrepender;
pub use text::{Text, TextLines};
pub use varint32::Varint32;
pub use width::Width;

/// The largest frame that is accepted when nothing else was asked for: 1 MiB.
pub const DEFAULT_MAX_FRAME_BYTES: usize = 1024 * 1024;

/// The longest line that is accepted when nothing else was asked for: 8 KiB.
pub const DEFAULT_MAX_LINE_BYTES: usize = 8 * 1024;
