//! Messages both ways, for either end of a connection.

use super::encoder::Sink;
use super::{
    DeflateConfig, DeflateParams, Frame, FrameEncoder, Limits, Masks, Message, MessageDecoder, Role,
};
use crate::payload::Payload;
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};

/// Decodes and encodes messages, for either end of a connection.
///
/// It answers nothing by itself: pings, and the close handshake, are the business of the handler
/// around it, who sees both.
#[derive(Debug)]
pub struct MessageCodec {
    decoder: MessageDecoder,
    encoder: FrameEncoder,
}

impl MessageCodec {
    /// The server's end.
    #[must_use]
    pub fn server(limits: Limits) -> Self {
        Self { decoder: MessageDecoder::new(Role::Server, limits), encoder: FrameEncoder::server() }
    }

    /// The client's end, with its source of masking keys.
    #[must_use]
    pub fn client(limits: Limits, masks: impl Masks) -> Self {
        Self {
            decoder: MessageDecoder::new(Role::Client, limits),
            encoder: FrameEncoder::client(masks),
        }
    }

    /// Compresses and inflates as both sides have agreed to.
    #[must_use]
    pub fn deflate(self, config: &DeflateConfig, agreed: DeflateParams) -> Self {
        Self {
            decoder: self.decoder.deflate(config, agreed),
            encoder: self.encoder.deflate(config, agreed),
        }
    }

    /// Whether the peer's close has been read.
    #[must_use]
    pub const fn close_received(&self) -> bool {
        self.decoder.is_closed()
    }

    /// Whether a close has been written: nothing more can be encoded.
    #[must_use]
    pub const fn close_sent(&self) -> bool {
        self.encoder.is_closed()
    }

    /// Like `encode`, but a payload of more than `copy_bytes_max` bytes is handed back, to be sent
    /// directly behind what was encoded. One shared payload so goes to many without copies. A client
    /// hands back only what it owns, as it has to mask it.
    ///
    /// # Errors
    /// When the message cannot be sent: too long for a control frame, or behind a close.
    #[inline]
    pub fn encode_gather(
        &mut self,
        message: Message,
        dst: &mut ByteBuf,
        copy_bytes_max: usize,
    ) -> Result<Option<Payload>, CodecError> {
        self.encoder.message(message, Sink { dst, copy_bytes_max })
    }
}

impl Decoder for MessageCodec {
    type Item = Message;

    #[inline]
    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<Message>, CodecError> {
        self.decoder.decode(src)
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<Message>, CodecError> {
        self.decoder.decode_eof(src)
    }
}

impl Encoder<Message> for MessageCodec {
    #[inline]
    fn encode(&mut self, message: Message, dst: &mut ByteBuf) -> Result<(), CodecError> {
        self.encode_gather(message, dst, usize::MAX).map(|_| ())
    }
}

/// Frames of one's own making, for messages that are sent while they are still being made.
impl Encoder<Frame> for MessageCodec {
    fn encode(&mut self, frame: Frame, dst: &mut ByteBuf) -> Result<(), CodecError> {
        self.encoder.encode(frame, dst)
    }
}
