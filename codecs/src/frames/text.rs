//! Text: frames that hold UTF-8.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};

use super::line::Line;

/// One frame as checked text, and back (Netty: `StringDecoder`, `StringEncoder`).
///
/// # Example
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codecs::frames::Text;
///
/// assert_eq!(Text::decode(&ByteBuf::from("grüß dich"))?, "grüß dich");
/// assert!(Text::decode(b"\xFF").is_err());
/// assert_eq!(Text::encode("ja").as_slice(), b"ja");
/// # Ok::<(), fyke_codec::CodecError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl Text {
    /// The text of a whole frame, without a copy.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] when it is not UTF-8.
    pub fn check(frame: &[u8]) -> Result<&str, CodecError> {
        simdutf8::basic::from_utf8(frame)
            .map_err(|_| CodecError::malformed("the text is not valid UTF-8"))
    }

    /// The text of a whole frame.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] when it is not UTF-8.
    pub fn decode(frame: &[u8]) -> Result<String, CodecError> {
        Self::check(frame).map(String::from)
    }

    /// A frame that holds `text`.
    #[must_use]
    pub fn encode(text: &str) -> ByteBuf {
        ByteBuf::from(text)
    }
}

/// Lines of text: [`Line`] and [`Text`] in one.
///
/// Any text is a message, save that it must not hold a line feed.
///
/// # Example
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::{Decoder, Encoder};
/// use fyke_codecs::frames::TextLines;
///
/// let mut lines = TextLines::new();
/// let mut wire = ByteBuf::new();
/// lines.encode("hello", &mut wire)?;
/// assert_eq!(wire.as_slice(), b"hello\n");
/// assert_eq!(lines.decode(&mut wire)?.as_deref(), Some("hello"));
/// # Ok::<(), fyke_codec::CodecError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TextLines {
    line: Line,
}

impl TextLines {
    /// Lines of at most [`DEFAULT_MAX_LINE_BYTES`](super::DEFAULT_MAX_LINE_BYTES), without their
    /// endings.
    pub const fn new() -> Self {
        Self { line: Line::new() }
    }
}

/// Takes over the options of `line`.
impl From<Line> for TextLines {
    fn from(line: Line) -> Self {
        Self { line }
    }
}

impl Decoder for TextLines {
    type Item = String;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<String>, CodecError> {
        self.line.decode(src)?.map(|line| Text::decode(&line)).transpose()
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<String>, CodecError> {
        self.line.decode_eof(src)?.map(|line| Text::decode(&line)).transpose()
    }
}

impl<M: AsRef<str> + 'static> Encoder<M> for TextLines {
    fn encode(&mut self, msg: M, dst: &mut ByteBuf) -> Result<(), CodecError> {
        self.line.append_line(msg.as_ref().as_bytes(), dst)
    }
}
