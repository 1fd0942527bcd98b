//! `Decoder` and `Encoder`: what a protocol needs without a loop.
//!
//! A codec is a value: bytes in, messages out, and back. It owns no socket, reads no clock and
//! can be used from a pipeline, a fuzzer, a test or a plain loop over a file. The tests of a codec
//! begin with [`check`], which feeds it every split of an input.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod check;
mod error;
pub use error::{CodecError, Fault};

use fyke_buffer::ByteBuf;

/// Turns bytes into messages, one at a time.
///
/// The caller pulls: after new bytes arrived in `src` it calls [`decode`](Self::decode) until it
/// answers `Ok(None)`. A paused channel simply stops pulling, in the middle of a buffer too.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::{CodecError, Decoder};
///
/// /// Bytes, two by two.
/// struct Pairs;
///
/// impl Decoder for Pairs {
///     type Item = [u8; 2];
///
///     fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<[u8; 2]>, CodecError> {
///         if src.readable() < 2 {
///             return Ok(None); // nothing was taken: it is there again next time
///         }
///         let pair = src.split_to(2);
///         Ok(Some([pair[0], pair[1]]))
///     }
/// }
///
/// let mut src = ByteBuf::from(b"abc");
/// assert_eq!(Pairs.decode(&mut src)?, Some(*b"ab"));
/// assert_eq!(Pairs.decode(&mut src)?, None);
/// assert!(matches!(Pairs.decode_eof(&mut src), Err(CodecError::Truncated { left: 1 })));
/// # Ok::<(), CodecError>(())
/// ```
pub trait Decoder: 'static {
    /// The message this decoder produces.
    type Item: 'static;

    /// Takes at most one message off the front of `src`.
    ///
    /// `Ok(None)` means that more bytes are needed; what was not consumed stays in `src` and is
    /// there again at the next call, followed by what arrived since.
    ///
    /// # Errors
    /// When the bytes can never become a message. The decoder is not called again afterwards.
    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<Self::Item>, CodecError>;

    /// Called, repeatedly until `Ok(None)`, when the peer has sent its last byte.
    ///
    /// The default decodes what is left and calls a rest that is no whole message truncated.
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode), and [`CodecError::Truncated`] for an incomplete rest.
    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<Self::Item>, CodecError> {
        match self.decode(src)? {
            Some(item) => Ok(Some(item)),
            None if src.is_empty() => Ok(None),
            None => Err(CodecError::Truncated { left: src.readable() }),
        }
    }
}

/// Turns messages of type `M` into bytes.
pub trait Encoder<M>: 'static {
    /// Appends the encoding of `msg` to `dst`.
    ///
    /// # Errors
    /// When `msg` cannot be encoded. What was appended before the error is discarded by the caller.
    fn encode(&mut self, msg: M, dst: &mut ByteBuf) -> Result<(), CodecError>;
}
