//! One message for many connections: encoded once, compressed once, and its bytes shared.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fyke_buffer::ByteBuf;

use super::deflate::Compressor;
use super::frame::{Header, RSV1, first};
use super::{Message, OpCode, Text};
use crate::payload::Payload;

/// A text or binary message that is sent to many: clones share its frames.
///
/// Servers write the same bytes to all who have no compression, and the same compressed bytes to all
/// who have agreed to a window of the same size. They are made by the first connection that needs
/// them. A compressed frame of this kind never refers to what a connection sent before, so it suits
/// those whose window lives on, too; such a connection begins its own window anew behind it. A client
/// masks every frame on its own and shares no more than the content.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::{CodecError, Encoder};
/// use fyke_codecs::websocket::{Limits, Message, MessageCodec, PreparedMessage};
///
/// let news = Message::from(PreparedMessage::text("news for all"));
/// let mut members = [MessageCodec::server(Limits::new()), MessageCodec::server(Limits::new())];
/// for member in &mut members {
///     let mut sent = ByteBuf::new();
///     member.encode(news.clone(), &mut sent)?;
///     assert_eq!(sent, b"\x81\x0cnews for all"[..]);
/// }
/// # Ok::<(), CodecError>(())
/// ```
#[derive(Clone)]
pub struct PreparedMessage(Arc<Frames>);

struct Frames {
    text: bool,
    content: Bytes,
    plain: OnceLock<Bytes>,
    /// By the size of the window; where it does not become smaller, the plain one.
    deflated: [OnceLock<Bytes>; 16],
}

impl PreparedMessage {
    /// A text message.
    #[must_use]
    pub fn text(text: impl Into<Text>) -> Self {
        Self::new(true, text.into().into_payload())
    }

    /// A binary message.
    #[must_use]
    pub fn binary(bytes: impl Into<Payload>) -> Self {
        Self::new(false, bytes.into())
    }

    fn new(text: bool, content: Payload) -> Self {
        let content = content.into_bytes();
        let (plain, deflated) = Default::default();
        Self(Arc::new(Frames { text, content, plain, deflated }))
    }

    /// Length of the content in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.content.len()
    }

    /// Whether the content is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.content.is_empty()
    }

    /// The message as one that is encoded for each connection. Its content is shared.
    #[must_use]
    pub fn to_message(&self) -> Message {
        match self.0.text {
            true => Message::Text(Text::shared(self.0.content.clone())),
            false => Message::Binary(self.0.content.clone().into()),
        }
    }

    pub(crate) fn opcode(&self) -> OpCode {
        if self.0.text { OpCode::Text } else { OpCode::Binary }
    }

    /// The server's frame.
    pub(crate) fn plain(&self) -> Bytes {
        let make = || frame(first(true, self.opcode()), &self.0.content);
        self.0.plain.get_or_init(make).clone()
    }

    /// The server's compressed frame for connections like that of `compressor`, whose own window is
    /// emptied, as it has not seen what the receiver's will.
    pub(crate) fn deflated(&self, compressor: &mut Compressor) -> Bytes {
        compressor.forget();
        let Some(kept) = self.0.deflated.get(usize::from(compressor.bits())) else {
            return self.plain();
        };
        let make = || {
            let mut small = ByteBuf::with_capacity(self.len() / 4 + 64);
            let done = compressor.piece(&self.0.content, true, &mut small);
            compressor.forget();
            if done.is_err() || small.readable() >= self.len() {
                return self.plain();
            }
            frame(first(true, self.opcode()) | RSV1, &small)
        };
        kept.get_or_init(make).clone()
    }
}

fn frame(first: u8, content: &[u8]) -> Bytes {
    let mut frame = ByteBuf::with_capacity(content.len() + super::frame::HEADER_BYTES_MAX);
    Header::write(first, content.len(), None, &mut frame);
    frame.write_slice(content);
    frame.freeze()
}

impl PartialEq for PreparedMessage {
    fn eq(&self, other: &Self) -> bool {
        (self.0.text, &self.0.content) == (other.0.text, &other.0.content)
    }
}

impl Eq for PreparedMessage {}

impl From<PreparedMessage> for Message {
    fn from(prepared: PreparedMessage) -> Self {
        Self::Prepared(prepared)
    }
}

impl fmt::Debug for PreparedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PreparedMessage").field(&self.to_message()).finish()
    }
}
