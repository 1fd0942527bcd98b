//! Messages in: fragments put together or passed on, inflated, text checked, closes taken apart.

use super::deflate::Inflater;
use super::utf8::Utf8Check;
use super::{
    CloseFrame, DeflateConfig, DeflateParams, FrameDecoder, FramePart, Limits, Message, OpCode,
    Part, Role, WebSocketError,
};
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};

/// Decodes messages. A message that is there in one piece is not copied.
#[derive(Debug)]
pub struct MessageDecoder {
    frames: FrameDecoder,
    /// The message in progress is text.
    is_text: bool,
    /// Messages are passed on in parts, and no part of the one in progress has been yet.
    begins: bool,
    streams: bool,
    text: Utf8Check,
    /// What has arrived of a message that is in more than one piece.
    assembled: ByteBuf,
    deflate: Option<Box<Deflated>>,
}

/// An answer with something beside it. Of its own size, it cannot be written to where another answer
/// is made, which the compiler then keeps in registers until it writes it to where it is wanted. In
/// memory it would be written by halves, read whole and written again, and the processor would wait.
struct Apart<T>(T, #[expect(dead_code, reason = "it is there for its size")] u64);

/// What is known of compressed messages.
#[derive(Debug)]
struct Deflated {
    inflater: Inflater,
    limits: Limits,
    /// What is still to be inflated, and whether the message ends with it.
    input: Option<(ByteBuf, bool)>,
    /// Of the message in progress, before and after inflating.
    deflated_bytes: u64,
    inflated_bytes: u64,
}

impl MessageDecoder {
    /// A decoder for this end of the connection.
    #[must_use]
    pub fn new(role: Role, limits: Limits) -> Self {
        Self {
            frames: FrameDecoder::new(role, limits),
            is_text: false,
            begins: true,
            streams: false,
            text: Utf8Check::default(),
            assembled: ByteBuf::new(),
            deflate: None,
        }
    }

    /// Inflates messages as both sides have agreed to.
    #[must_use]
    pub fn deflate(mut self, config: &DeflateConfig, agreed: DeflateParams) -> Self {
        let (role, limits) = (self.frames.role(), self.frames.limits());
        self.frames = FrameDecoder::new(role, limits).allow_compressed();
        self.deflate = Some(Box::new(Deflated {
            inflater: Inflater::new(config, agreed, role),
            limits,
            input: None,
            deflated_bytes: 0,
            inflated_bytes: 0,
        }));
        self
    }

    /// Passes text and binary messages on in parts, as they arrive ([`Message::Part`]), instead of
    /// putting them together. Nothing is held; the limits hold all the same.
    #[must_use]
    pub fn streaming(mut self) -> Self {
        self.streams = true;
        self
    }

    /// Whether the peer's close frame has been read; nothing that follows it is looked at.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }

    /// A message that is not whole, or not data, or not right: [`Decoder::decode`] has looked for
    /// the others.
    #[inline(never)]
    fn decode_next(&mut self, src: &mut ByteBuf) -> Apart<Result<Option<Message>, CodecError>> {
        Apart(self.next(src).map_err(|error| self.failed(error)), 0)
    }

    /// Nothing is looked at behind an error.
    #[cold]
    fn failed(&mut self, error: WebSocketError) -> CodecError {
        self.frames.close();
        error.into()
    }

    fn next(&mut self, src: &mut ByteBuf) -> Result<Option<Message>, WebSocketError> {
        if self.deflate.as_ref().is_some_and(|deflate| deflate.input.is_some()) {
            let message = self.inflate()?;
            if message.is_some() {
                return Ok(message);
            }
        }
        if self.frames.role() == Role::Client
            && !self.streams
            && let Some((is_text, payload)) = self.frames.next_whole(Role::Client, src)
        {
            if is_text {
                self.whole_text(&payload)?;
            }
            return Ok(Some(Message::of_data(is_text, payload)));
        }
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
        let ends = part.ends_message();
        if part.compressed
            && let Some(deflate) = &mut self.deflate
        {
            deflate.input = Some((part.payload, ends));
            return self.inflate();
        }
        // Section 8.1: as it streams, so that a long message cannot hide a bad start.
        if self.is_text && !self.text.feed(&part.payload) {
            return Err(WebSocketError::utf8("text is not UTF-8"));
        }
        if self.streams {
            return self.part(part.payload, ends);
        }
        let whole = if ends && self.assembled.is_empty() {
            part.payload
        } else {
            self.assemble(&part.payload)?;
            if !ends {
                return Ok(None);
            }
            core::mem::take(&mut self.assembled)
        };
        self.message(whole)
    }

    /// A message of which everything has come.
    #[inline]
    fn message(&mut self, whole: ByteBuf) -> Result<Option<Message>, WebSocketError> {
        if self.is_text {
            self.end_text()?;
        }
        Ok(Some(Message::of_data(self.is_text, whole)))
    }

    /// Text of which everything has come at once.
    #[inline]
    fn whole_text(&mut self, bytes: &[u8]) -> Result<(), WebSocketError> {
        if !self.text.feed(bytes) {
            return Err(WebSocketError::utf8("text is not UTF-8"));
        }
        self.end_text()
    }

    #[inline]
    fn end_text(&mut self) -> Result<(), WebSocketError> {
        match self.text.finish() {
            true => Ok(()),
            false => Err(WebSocketError::utf8("text ends inside a character")),
        }
    }

    /// What has come, whatever it is; nothing at all is passed on only to end a message.
    fn part(&mut self, payload: ByteBuf, last: bool) -> Result<Option<Message>, WebSocketError> {
        if last && self.is_text {
            self.end_text()?;
        }
        if payload.is_empty() && !last {
            return Ok(None);
        }
        let first = core::mem::replace(&mut self.begins, last);
        Ok(Some(Message::Part(Part { text: self.is_text, first, last, payload: payload.into() })))
    }

    /// Keeps a copy: the piece itself would hold on to the whole read buffer.
    fn assemble(&mut self, piece: &[u8]) -> Result<(), WebSocketError> {
        self.assembled
            .try_write_slice(piece)
            .map_err(|_| WebSocketError::too_big("message over what a buffer holds"))
    }

    /// Inflates what there is, step by step, and looks at what comes out of each step.
    #[inline(never)]
    fn inflate(&mut self) -> Result<Option<Message>, WebSocketError> {
        let Some(deflate) = &mut self.deflate else { return Ok(None) };
        let Some((mut input, ends)) = deflate.input.take() else { return Ok(None) };
        loop {
            let budget = deflate.limits.message_bytes_max.saturating_sub(deflate.inflated_bytes);
            let (left, before) = (input.readable(), self.assembled.readable());
            let more = deflate.inflater.step(&mut input, ends, &mut self.assembled, budget)?;
            let fresh = &self.assembled[before..];
            deflate.deflated_bytes += (left - input.readable()) as u64;
            deflate.inflated_bytes += fresh.len() as u64;
            if self.is_text && !self.text.feed(fresh) {
                return Err(WebSocketError::utf8("text is not UTF-8"));
            }
            if deflate.inflated_bytes > deflate.limits.message_bytes_max {
                return Err(WebSocketError::too_big("message over the limit once inflated"));
            }
            if deflate.limits.is_bomb(deflate.deflated_bytes, deflate.inflated_bytes) {
                return Err(WebSocketError::too_big("message grows too much when inflated"));
            }
            if more && (!self.streams || self.assembled.is_empty()) {
                continue;
            }
            if more {
                deflate.input = Some((input, ends));
            } else if ends {
                (deflate.deflated_bytes, deflate.inflated_bytes) = (0, 0);
            }
            let last = ends && !more;
            if !self.streams && !last {
                return Ok(None);
            }
            let out = core::mem::take(&mut self.assembled);
            return if self.streams { self.part(out, last) } else { self.message(out) };
        }
    }
}

impl Decoder for MessageDecoder {
    type Item = Message;

    #[inline(always)]
    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<Message>, CodecError> {
        // A client has no such hurry: its turn is in there.
        if self.frames.role() == Role::Server
            && !self.streams
            && let Some((is_text, payload)) = self.frames.next_whole(Role::Server, src)
        {
            if is_text && let Err(error) = self.whole_text(&payload) {
                return Err(self.failed(error));
            }
            return Ok(Some(Message::of_data(is_text, payload)));
        }
        self.decode_next(src).0
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
