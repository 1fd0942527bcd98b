//! Messages both ways: fragments put together, text checked, closes taken apart.

use super::close::REASON_BYTES_MAX;
use super::frame::unencodable;
use super::utf8::Utf8Check;
use super::{
    CloseFrame, Frame, FrameDecoder, FrameEncoder, FramePart, Limits, Masks, Message, OpCode, Role,
    Text, WebSocketError,
};
use crate::payload::Payload;
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};

/// Decodes messages. A message that is there in one piece is not copied.
#[derive(Debug)]
pub struct MessageDecoder {
    frames: FrameDecoder,
    /// The message in progress is text.
    is_text: bool,
    text: Utf8Check,
    /// What has arrived of a message that is in more than one piece.
    assembled: ByteBuf,
}

impl MessageDecoder {
    /// A decoder for this end of the connection.
    #[must_use]
    pub fn new(role: Role, limits: Limits) -> Self {
        Self {
            frames: FrameDecoder::new(role, limits),
            is_text: false,
            text: Utf8Check::default(),
            assembled: ByteBuf::new(),
        }
    }

    /// Whether the peer's close frame has been read; nothing that follows it is looked at.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }

    fn next(&mut self, src: &mut ByteBuf) -> Result<Option<Message>, WebSocketError> {
        // Each turn takes bytes off `src`, so there are only so many.
        while let Some(part) = self.frames.next(src)? {
            let message = match part.opcode {
                OpCode::Ping => Some(Message::Ping(part.payload.into())),
                OpCode::Pong => Some(Message::Pong(part.payload.into())),
                OpCode::Close => Some(Message::Close(CloseFrame::parse(part.payload)?)),
                OpCode::Text | OpCode::Binary | OpCode::Continuation => self.data(part)?,
            };
            if message.is_some() {
                return Ok(message);
            }
        }
        Ok(None)
    }

    #[inline]
    fn data(&mut self, part: FramePart) -> Result<Option<Message>, WebSocketError> {
        if part.first && part.opcode != OpCode::Continuation {
            self.is_text = part.opcode == OpCode::Text;
        }
        // Section 8.1: as it streams, so that a long message cannot hide a bad start.
        if self.is_text && !self.text.feed(&part.payload) {
            return Err(WebSocketError::utf8("text is not UTF-8"));
        }
        let ends = part.ends_message();
        let whole = if ends && self.assembled.is_empty() {
            part.payload
        } else {
            self.assemble(&part.payload)?;
            if !ends {
                return Ok(None);
            }
            core::mem::take(&mut self.assembled)
        };
        if !self.is_text {
            return Ok(Some(Message::Binary(whole.into())));
        }
        if !self.text.finish() {
            return Err(WebSocketError::utf8("text ends inside a character"));
        }
        Ok(Some(Message::Text(Text::checked(whole))))
    }

    /// Keeps a copy: the piece itself would hold on to the whole read buffer.
    fn assemble(&mut self, piece: &[u8]) -> Result<(), WebSocketError> {
        self.assembled
            .try_write_slice(piece)
            .map_err(|_| WebSocketError::too_big("message over what a buffer holds"))
    }
}

impl Decoder for MessageDecoder {
    type Item = Message;

    #[inline]
    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<Message>, CodecError> {
        self.next(src).map_err(|error| {
            self.frames.close();
            error.into()
        })
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<Message>, CodecError> {
        match self.decode(src)? {
            None if !src.is_empty() || !self.frames.is_between() => {
                Err(CodecError::Truncated { left: src.readable() + self.assembled.readable() })
            }
            message => Ok(message),
        }
    }
}

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

    /// Like `encode`, but a server's payload of more than `copy_bytes_max` bytes is handed back, to
    /// be sent directly behind what was encoded. One shared payload so goes to many without copies.
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
        self.encoder.message(message, dst, copy_bytes_max)
    }
}

impl FrameEncoder {
    /// Writes a message as one frame; see [`MessageCodec::encode_gather`].
    #[inline]
    pub(crate) fn message(
        &mut self,
        message: Message,
        dst: &mut ByteBuf,
        copy_bytes_max: usize,
    ) -> Result<Option<Payload>, CodecError> {
        let (opcode, payload) = match message {
            Message::Text(text) => (OpCode::Text, text.into_payload()),
            Message::Binary(payload) => (OpCode::Binary, payload),
            Message::Ping(payload) => (OpCode::Ping, payload),
            Message::Pong(payload) => (OpCode::Pong, payload),
            Message::Close(close) => (OpCode::Close, close_payload(close)?),
        };
        self.frame(true, opcode, payload, dst, copy_bytes_max)
    }
}

/// The content of a close frame (section 5.5.1).
fn close_payload(close: Option<CloseFrame>) -> Result<Payload, CodecError> {
    let Some(CloseFrame { code, reason }) = close else { return Ok(Payload::new()) };
    if reason.len() > REASON_BYTES_MAX {
        return Err(unencodable("reason of a close over 123 bytes"));
    }
    let mut payload = ByteBuf::with_capacity(2 + reason.len());
    payload.write_u16(code.as_u16());
    payload.write_slice(reason.as_bytes());
    Ok(payload.into())
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
