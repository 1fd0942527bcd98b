//! One event, as text.

use core::fmt;
use core::time::Duration;

use fyke_buffer::ByteBuf;

use crate::http1::{ResponseHead, ResponsePart, Status};

/// An event that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SseError {
    /// A line end in the name of an event or in an identifier would begin another field.
    LineEnd,
    /// An identifier with a NUL is passed over by clients.
    Nul,
}

impl fmt::Display for SseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineEnd => "a line end in the name or the identifier of an event",
            Self::Nul => "a NUL in the identifier of an event",
        })
    }
}

impl core::error::Error for SseError {}

/// An event to send, or a comment.
///
/// Data and comments may have several lines; each becomes a line of its own, so nothing in them can
/// look like another field.
///
/// ```
/// use fyke_codecs::http1::sse::{SseError, SseEvent};
///
/// let event = SseEvent::new("first line\nid: no identifier").event("greeting").id("7");
/// assert_eq!(
///     event.encode()?,
///     b"id: 7\nevent: greeting\ndata: first line\ndata: id: no identifier\n\n"[..]
/// );
/// # Ok::<(), SseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SseEvent {
    comment: Option<String>,
    id: Option<String>,
    event: Option<String>,
    retry: Option<Duration>,
    data: Option<String>,
}

impl SseEvent {
    /// An event with this data.
    pub fn new(data: impl Into<String>) -> Self {
        Self { data: Some(data.into()), ..Self::default() }
    }

    /// A comment, which clients pass over.
    pub fn comment(text: impl Into<String>) -> Self {
        Self { comment: Some(text.into()), ..Self::default() }
    }

    /// Only tells clients how long to wait before they connect again.
    pub fn only_retry(wait: Duration) -> Self {
        Self { retry: Some(wait), ..Self::default() }
    }

    /// The name of the event; `message` when there is none.
    pub fn event(mut self, name: impl Into<String>) -> Self {
        self.event = Some(name.into());
        self
    }

    /// The identifier, which a client that connects again sends as `Last-Event-ID`.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// How long a client waits before it connects again.
    pub fn retry(mut self, wait: Duration) -> Self {
        self.retry = Some(wait);
        self
    }

    /// The text that goes over the wire.
    ///
    /// # Errors
    /// When name or identifier could not be read as what they are.
    pub fn encode(&self) -> Result<ByteBuf, SseError> {
        let mut text = ByteBuf::with_capacity(64 + self.data.as_ref().map_or(0, String::len));
        for line in self.comment.iter().flat_map(|comment| lines(comment)) {
            field(&mut text, "", line);
        }
        if let Some(id) = &self.id {
            if id.contains('\0') {
                return Err(SseError::Nul);
            }
            field(&mut text, "id", one_line(id)?);
        }
        if let Some(name) = &self.event {
            field(&mut text, "event", one_line(name)?);
        }
        if let Some(wait) = self.retry {
            field(&mut text, "retry", &wait.as_millis().to_string());
        }
        for line in self.data.iter().flat_map(|data| lines(data)) {
            field(&mut text, "data", line);
        }
        text.write_slice(b"\n");
        Ok(text)
    }

    /// A part of the stream's body.
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode).
    pub fn into_part(self) -> Result<ResponsePart, SseError> {
        Ok(ResponsePart::Body(self.encode()?.into()))
    }
}

/// The head of a stream of events. Its body follows in parts.
pub fn event_stream() -> ResponseHead {
    ResponseHead::new(Status::OK)
        .header("Content-Type", "text/event-stream")
        .header("Cache-Control", "no-store")
        // Proxies that gather a body before they pass it on are asked not to.
        .header("X-Accel-Buffering", "no")
}

fn field(text: &mut ByteBuf, name: &str, value: &str) {
    for piece in [name, ": ", value, "\n"] {
        text.write_slice(piece.as_bytes());
    }
}

fn one_line(value: &str) -> Result<&str, SseError> {
    if value.contains(['\r', '\n']) { Err(SseError::LineEnd) } else { Ok(value) }
}

/// The lines of a text, whichever of the three line ends is between them.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = text.find(['\r', '\n']) else {
            rest = None;
            return Some(text);
        };
        let len = if text[at..].starts_with("\r\n") { 2 } else { 1 };
        rest = Some(&text[at + len..]);
        Some(&text[..at])
    })
}
