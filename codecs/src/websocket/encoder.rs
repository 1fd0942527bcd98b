//! Frames and messages out: fragmentation kept in order, masked or not, compressed or not.

use super::close::REASON_BYTES_MAX;
use super::deflate::Compressor;
use super::frame::{CONTROL_BYTES_MAX, HEADER_BYTES_MAX, Header, RSV1, SHORT_BYTES_MAX, first};
use super::mask::{Masks, mask};
use super::{
    CloseFrame, DeflateConfig, DeflateParams, Message, OpCode, Part, PreparedMessage, Role,
};
use crate::payload::Payload;
use core::fmt;
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Encoder};

/// A frame to be written, for those who fragment their messages themselves. It is not compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// What it is.
    pub opcode: OpCode,
    /// Its content, not masked.
    pub payload: Payload,
}

/// Writes frames, and keeps to the rules of fragmentation (section 5.4).
pub struct FrameEncoder {
    masks: Option<Box<dyn Masks>>,
    deflate: Option<Box<Compressor>>,
    in_message: bool,
    /// The message in progress is compressed.
    deflating: bool,
    closed: bool,
}

/// Where a frame goes: what is short is appended to `dst`, a longer payload is handed back.
pub(crate) struct Sink<'a> {
    pub(crate) dst: &'a mut ByteBuf,
    pub(crate) copy_bytes_max: usize,
}

/// A payload that is to be sent directly behind what was written.
type Rest = Option<Payload>;

impl FrameEncoder {
    /// Writes a server's frames.
    #[must_use]
    pub const fn server() -> Self {
        Self { masks: None, deflate: None, in_message: false, deflating: false, closed: false }
    }

    /// Writes a client's frames, each masked with a key of its own.
    #[must_use]
    pub fn client(masks: impl Masks) -> Self {
        Self { masks: Some(Box::new(masks)), ..Self::server() }
    }

    /// Compresses messages as both sides have agreed to.
    #[must_use]
    pub fn deflate(mut self, config: &DeflateConfig, agreed: DeflateParams) -> Self {
        let role = if self.masks.is_some() { Role::Client } else { Role::Server };
        self.deflate = Some(Box::new(Compressor::new(config, agreed, role)));
        self
    }

    /// Whether a close frame has been written: nothing may follow it.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The first byte and the content of a message whose frame is nothing but these and a length: text or
    /// binary, not compressed, of a server, and short enough to be copied. `None` for any other message;
    /// [`message`](Self::message) knows what to do with it.
    ///
    /// Nearly all messages are like this. [`Header::write_short`] writes them from where they lie.
    #[inline(always)]
    pub(crate) fn short<'m>(
        &self,
        message: &'m Message,
        copy_bytes_max: usize,
    ) -> Option<(u8, &'m [u8])> {
        let (opcode, payload) = match message {
            Message::Text(text) => (OpCode::Text, text.as_bytes()),
            Message::Binary(payload) => (OpCode::Binary, payload.as_slice()),
            _ => return None,
        };
        if payload.len() > copy_bytes_max.min(SHORT_BYTES_MAX)
            || self.closed
            || self.in_message
            || self.masks.is_some()
            || self.deflate.as_ref().is_some_and(|it| payload.len() >= it.threshold_bytes)
        {
            return None;
        }
        Some((first(true, opcode), payload))
    }

    /// Writes a message as one frame, a [`Part`] as a fragment.
    #[inline]
    pub(crate) fn message(&mut self, message: Message, sink: Sink<'_>) -> Result<Rest, CodecError> {
        let (opcode, payload) = match message {
            Message::Text(text) => (OpCode::Text, text.into_payload()),
            Message::Binary(payload) => (OpCode::Binary, payload),
            Message::Ping(payload) => (OpCode::Ping, payload),
            Message::Pong(payload) => (OpCode::Pong, payload),
            Message::Close(close) => (OpCode::Close, close_payload(close)?),
            Message::Part(part) => return self.part(part, sink),
            Message::Prepared(prepared) => return self.prepared(&prepared, sink),
        };
        if let Some(deflate) = &self.deflate
            && !opcode.is_control()
            && payload.len() >= deflate.threshold_bytes
        {
            return self.compressed(true, opcode, payload, sink);
        }
        self.frame(true, opcode, payload, sink)
    }

    /// Writes a frame as it is.
    #[inline]
    pub(crate) fn frame(
        &mut self,
        fin: bool,
        opcode: OpCode,
        payload: Payload,
        sink: Sink<'_>,
    ) -> Result<Rest, CodecError> {
        self.check(fin, opcode, payload.len())?;
        self.put(first(fin, opcode), opcode, payload, sink)
    }

    /// Writes a frame that has been checked. What has to be masked is masked where it lies if nobody
    /// else has it, and copied otherwise.
    #[inline]
    fn put(
        &mut self,
        first: u8,
        opcode: OpCode,
        mut payload: Payload,
        sink: Sink<'_>,
    ) -> Result<Rest, CodecError> {
        let Sink { dst, copy_bytes_max } = sink;
        let key = self.masks.as_mut().map(|masks| masks.next_mask());
        let is_long = payload.len() > copy_bytes_max;
        let copied = !is_long || (key.is_some() && matches!(payload, Payload::Bytes(_)));
        let room = HEADER_BYTES_MAX + if copied { payload.len() } else { 0 };
        dst.ensure_writable(room).map_err(|_| unencodable("the outbound buffer is full"))?;
        match opcode {
            OpCode::Close => self.closed = true,
            OpCode::Ping | OpCode::Pong => {}
            _ => self.in_message = first & 0x80 == 0,
        }
        Header::write(first, payload.len(), key, dst);
        if !copied {
            if let (Some(key), Payload::Buf(own)) = (key, &mut payload) {
                mask(own, key);
            }
            return Ok(Some(payload));
        }
        dst.write_slice(&payload);
        if let Some(key) = key {
            let start = dst.readable() - payload.len();
            mask(&mut dst[start..], key);
        }
        Ok(None)
    }

    #[inline]
    fn check(&self, fin: bool, opcode: OpCode, len: usize) -> Result<(), CodecError> {
        if self.closed {
            return Err(unencodable("a frame behind a close frame"));
        }
        if opcode.is_control() {
            if !fin || len as u64 > CONTROL_BYTES_MAX {
                return Err(unencodable("a control frame in fragments or over 125 bytes"));
            }
        } else if self.in_message != (opcode == OpCode::Continuation) {
            return Err(unencodable("a frame that does not continue the message in progress"));
        }
        Ok(())
    }

    /// Writes a frame whose message is compressed (RFC 7692 section 7.2.1).
    #[inline(never)]
    fn compressed(
        &mut self,
        fin: bool,
        opcode: OpCode,
        payload: Payload,
        sink: Sink<'_>,
    ) -> Result<Rest, CodecError> {
        self.check(fin, opcode, payload.len())?;
        let Some(deflate) = &mut self.deflate else {
            return self.frame(fin, opcode, payload, sink);
        };
        let mut small = ByteBuf::with_capacity(payload.len() / 4 + 64);
        deflate.piece(&payload, fin, &mut small).map_err(|_| unencodable("it did not compress"))?;
        let begins = opcode != OpCode::Continuation;
        // A whole message that did not become smaller is sent as it is, unless the receiver's
        // window is to see it.
        let as_it_is = begins && fin && !deflate.takes_over() && small.readable() >= payload.len();
        let written = if as_it_is {
            self.put(first(fin, opcode), opcode, payload, sink)
        } else {
            let bit = if begins { RSV1 } else { 0 };
            self.put(first(fin, opcode) | bit, opcode, small.into(), sink)
        };
        if let (Err(_), Some(deflate)) = (&written, &mut self.deflate) {
            // The receiver does not get what the window has seen.
            deflate.forget();
        }
        written
    }

    fn part(&mut self, part: Part, sink: Sink<'_>) -> Result<Rest, CodecError> {
        let Part { text, first, last, payload } = part;
        let opcode = match (first, text) {
            (true, true) => OpCode::Text,
            (true, false) => OpCode::Binary,
            (false, _) => OpCode::Continuation,
        };
        let deflates = match &self.deflate {
            Some(deflate) if first => !last || payload.len() >= deflate.threshold_bytes,
            Some(_) => self.deflating,
            None => false,
        };
        let written = if deflates {
            self.compressed(last, opcode, payload, sink)?
        } else {
            self.frame(last, opcode, payload, sink)?
        };
        self.deflating = deflates && !last;
        Ok(written)
    }

    /// Writes a frame that many share. One of its own would do the same, so the rules are the same.
    fn prepared(&mut self, message: &PreparedMessage, sink: Sink<'_>) -> Result<Rest, CodecError> {
        if self.masks.is_some() {
            return self.message(message.to_message(), sink);
        }
        self.check(true, message.opcode(), message.len())?;
        let frame = match &mut self.deflate {
            Some(deflate) if message.len() >= deflate.threshold_bytes => message.deflated(deflate),
            _ => message.plain(),
        };
        if frame.len() > sink.copy_bytes_max {
            return Ok(Some(frame.into()));
        }
        let room = sink.dst.try_write_slice(&frame);
        room.map_err(|_| unencodable("the outbound buffer is full"))?;
        Ok(None)
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

#[cold]
const fn unencodable(what: &'static str) -> CodecError {
    CodecError::Unencodable { what }
}

impl fmt::Debug for FrameEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameEncoder")
            .field("masks", &self.masks.is_some())
            .field("deflate", &self.deflate)
            .field("in_message", &self.in_message)
            .field("closed", &self.closed)
            .finish()
    }
}

impl Encoder<Frame> for FrameEncoder {
    fn encode(&mut self, frame: Frame, dst: &mut ByteBuf) -> Result<(), CodecError> {
        let sink = Sink { dst, copy_bytes_max: usize::MAX };
        self.frame(frame.fin, frame.opcode, frame.payload, sink).map(|_| ())
    }
}
