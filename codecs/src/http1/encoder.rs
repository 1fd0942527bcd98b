//! Parts of responses in, bytes out (RFC 9112 sections 4 to 7 and 9).
//!
//! The encoder decides how the end of a body is found and whether the connection lives on. It needs
//! to know what the request was ([`Facts`]); a handler only says what it wants to answer.

use super::chars::Digits;
use super::date::DateText;
use super::facts::Facts;
use super::room::Room;
use super::{HeaderBlock, Response, ResponseHead, Status};
use crate::payload::Payload;
use fyke_buffer::ByteBuf;
use fyke_codec::CodecError;

/// How the end of the body being sent is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// This much is still to come.
    Exact(u64),
    Chunked,
    /// By the end of the connection (HTTP/1.0).
    Close,
    /// There is no body to send, whatever the handler provides.
    Dropped,
}

/// What a handler's body leaves behind when it is too large to be copied.
///
/// The caller sends what was encoded, then `body`, then `behind`.
#[derive(Debug)]
pub struct Gather {
    /// The content itself.
    pub body: Payload,
    /// What belongs directly behind it; often nothing.
    pub behind: &'static [u8],
}

/// The state of the outgoing direction.
#[derive(Debug, Default)]
pub(crate) struct ResponseEncoder {
    /// Set between the head of a response and its end.
    body: Option<Framing>,
    trailers: Option<HeaderBlock>,
    date: Option<DateText>,
    /// The response being sent is the last one.
    last: bool,
    /// The last response has been encoded whole.
    pub(crate) finished: bool,
    /// The next response is to be the last one.
    pub(crate) closing: bool,
}

const CRLF: &[u8] = b"\r\n";
/// More than status line, date, framing, connection and the empty line ever need.
const FIXED_BYTES_MAX: usize = 192;
/// The longest length or coding, the longest connection, and the empty line.
const TAIL_BYTES_MAX: usize = 80;

impl ResponseEncoder {
    pub(crate) fn set_unix_time(&mut self, seconds: u64) {
        match &mut self.date {
            Some(date) => date.update(seconds),
            None => self.date = Some(DateText::of_this_thread(seconds)),
        }
    }

    /// Whether a response has begun and not ended.
    pub(crate) const fn in_body(&self) -> bool {
        self.body.is_some()
    }

    /// An interim response, or the one that switches protocols.
    pub(crate) fn interim(
        &mut self,
        head: &ResponseHead,
        facts: Facts,
        dst: &mut ByteBuf,
    ) -> Result<(), CodecError> {
        self.begin(head)?;
        // RFC 9110 section 15.2: HTTP/1.0 does not know them.
        if facts.has(Facts::HTTP10) {
            return Ok(());
        }
        reserve(dst, head, 0)?;
        status_line(head.status(), dst);
        for lines in head.lines() {
            dst.write_slice(lines);
        }
        dst.write_slice(CRLF);
        Ok(())
    }

    /// A whole response; what is returned is still to be sent.
    #[inline]
    pub(crate) fn full(
        &mut self,
        head: &ResponseHead,
        body: Payload,
        facts: Facts,
        dst: &mut ByteBuf,
        copy_bytes_max: usize,
    ) -> Result<Option<Gather>, CodecError> {
        self.begin(head)?;
        let len = body.len() as u64;
        let is_head = facts.has(Facts::HEAD);
        let status = head.status();
        let (length, framing) = if status.forbids_body() {
            (head.declared_length().filter(|_| status == Status::NOT_MODIFIED), Framing::Dropped)
        } else if status == Status::RESET_CONTENT {
            (Some(0), Framing::Dropped)
        } else if is_head {
            (head.declared_length().or((len > 0).then_some(len)), Framing::Dropped)
        } else if head.declared_length().is_some_and(|declared| declared != len) {
            return Err(unencodable("Content-Length differs from the length of the body"));
        } else {
            (Some(len), Framing::Exact(len))
        };
        let copied = framing != Framing::Dropped && body.len() <= copy_bytes_max;
        reserve(dst, head, if copied { body.len() } else { 0 })?;
        self.head(head, length, false, facts, dst);
        self.finished = self.last;
        if copied {
            dst.write_slice(&body);
            return Ok(None);
        }
        Ok((framing != Framing::Dropped).then_some(Gather { body, behind: b"" }))
    }

    /// A whole response of which nothing has to be decided, to a request with
    /// [usual](Facts::are_usual) facts, in one go. `false`: it is for [`full`](Self::full), and nothing
    /// has been written.
    #[inline]
    pub(crate) fn usual(&mut self, response: &Response, dst: &mut ByteBuf) -> bool {
        let Response { head, body } = response;
        let body = body.as_slice();
        let decided = self.body.is_some() || self.finished || self.last || self.closing;
        if decided || !head.is_usual(body.len() as u64) {
            return false;
        }
        let Some(status) = head.status().line() else { return false };
        if reserve(dst, head, body.len()).is_err() {
            return false;
        }
        let mut room = Room::new(dst.spare_mut());
        room.push(status);
        if let Some(date) = self.date.as_ref().filter(|_| !head.has_date()) {
            room.push_array(date.line());
        }
        for lines in head.lines() {
            if !lines.is_empty() {
                room.push(lines);
            }
        }
        room.push_array(b"Content-Length: ");
        room.push_decimal(body.len() as u64);
        room.push_array(b"\r\n\r\n");
        room.push(body);
        let len = room.len();
        dst.advance_writer(len);
        true
    }

    /// The head of a response whose body follows in parts.
    pub(crate) fn start(
        &mut self,
        head: &ResponseHead,
        facts: Facts,
        dst: &mut ByteBuf,
    ) -> Result<(), CodecError> {
        self.begin(head)?;
        let declared = head.declared_length();
        let status = head.status();
        let (length, framing) = if status.forbids_body() {
            (declared.filter(|_| status == Status::NOT_MODIFIED), Framing::Dropped)
        } else if status == Status::RESET_CONTENT {
            (Some(0), Framing::Dropped)
        } else if let Some(len) = declared {
            (Some(len), Framing::Exact(len))
        } else if facts.has(Facts::HTTP10) {
            (None, Framing::Close)
        } else {
            (None, Framing::Chunked)
        };
        self.last |= framing == Framing::Close;
        reserve(dst, head, 0)?;
        self.head(head, length, framing == Framing::Chunked, facts, dst);
        self.body = Some(if facts.has(Facts::HEAD) { Framing::Dropped } else { framing });
        Ok(())
    }

    /// A piece of the body; what is returned is still to be sent.
    pub(crate) fn body(
        &mut self,
        body: Payload,
        dst: &mut ByteBuf,
        copy_bytes_max: usize,
    ) -> Result<Option<Gather>, CodecError> {
        let copied = body.len() <= copy_bytes_max;
        let extra = if copied { body.len() } else { 0 };
        let Some(behind) = self.announce(body.len() as u64, extra, dst)? else { return Ok(None) };
        if copied {
            dst.write_slice(&body);
            dst.write_slice(behind);
            return Ok(None);
        }
        Ok(Some(Gather { body, behind }))
    }

    /// What belongs in front of a piece of the body that is sent past the encoder; what is returned
    /// belongs behind it, and `None` means that the piece is not sent at all.
    pub(crate) fn external(
        &mut self,
        len: u64,
        dst: &mut ByteBuf,
    ) -> Result<Option<&'static [u8]>, CodecError> {
        self.announce(len, 0, dst)
    }

    /// Accounts for `len` bytes of body, and writes what belongs in front of them; `extra` is room
    /// to make for the caller.
    fn announce(
        &mut self,
        len: u64,
        extra: usize,
        dst: &mut ByteBuf,
    ) -> Result<Option<&'static [u8]>, CodecError> {
        let Some(framing) = &mut self.body else {
            return Err(unencodable("a body without a head"));
        };
        let mut behind: &'static [u8] = b"";
        let mut before = Digits::none();
        match framing {
            _ if len == 0 => return Ok(None),
            Framing::Dropped => return Ok(None),
            Framing::Close => {}
            Framing::Exact(left) => match left.checked_sub(len) {
                Some(rest) => *left = rest,
                None => return Err(unencodable("body longer than its Content-Length")),
            },
            Framing::Chunked => (before, behind) = (Digits::hex(len), CRLF),
        }
        room(dst, FIXED_BYTES_MAX.saturating_add(extra))?;
        if !before.as_slice().is_empty() {
            dst.write_slice(before.as_slice());
            dst.write_slice(CRLF);
        }
        Ok(Some(behind))
    }

    /// What goes out with the end (RFC 9112 section 7.1.2).
    pub(crate) fn trailers(&mut self, trailers: HeaderBlock) -> Result<(), CodecError> {
        match self.body {
            None => return Err(unencodable("trailers without a head")),
            Some(Framing::Chunked) => self.trailers = Some(trailers),
            Some(_) => {}
        }
        Ok(())
    }

    /// The end of a response sent in parts.
    pub(crate) fn end(&mut self, dst: &mut ByteBuf) -> Result<(), CodecError> {
        match self.body {
            None => return Err(unencodable("an end without a head")),
            Some(Framing::Exact(left)) if left > 0 => {
                return Err(unencodable("body shorter than its Content-Length"));
            }
            Some(Framing::Chunked) => {
                const LAST_CHUNK: &[u8] = b"0\r\n";
                let trailers = self.trailers.take().unwrap_or_default();
                let trailers = trailers.as_slice();
                room(dst, trailers.len().saturating_add(LAST_CHUNK.len() + CRLF.len()))?;
                dst.write_slice(LAST_CHUNK);
                dst.write_slice(trailers);
                dst.write_slice(CRLF);
            }
            Some(_) => {}
        }
        self.body = None;
        self.finished = self.last;
        Ok(())
    }

    /// Makes the response about to be encoded the last one.
    pub(crate) const fn make_last(&mut self) {
        self.last = true;
    }

    /// Whether the response being encoded, or just encoded, is the last one.
    pub(crate) const fn is_last(&self) -> bool {
        self.last
    }

    /// What is checked before any head.
    #[inline]
    fn begin(&self, head: &ResponseHead) -> Result<(), CodecError> {
        if let Some(error) = head.error() {
            return Err(unencodable(error.what()));
        }
        if self.body.is_some() {
            return Err(unencodable("a response inside another one"));
        }
        if self.finished {
            return Err(unencodable("a response behind the last one"));
        }
        Ok(())
    }

    /// Writes a final response's head; the room has been reserved.
    #[inline]
    fn head(
        &mut self,
        head: &ResponseHead,
        length: Option<u64>,
        chunked: bool,
        facts: Facts,
        dst: &mut ByteBuf,
    ) {
        status_line(head.status(), dst);
        if let Some(date) = self.date.as_ref().filter(|_| !head.has_date()) {
            dst.write_slice(date.line());
        }
        for lines in head.lines() {
            if !lines.is_empty() {
                dst.write_slice(lines);
            }
        }
        self.last |= self.closing || head.closes() || !facts.has(Facts::KEEP_ALIVE);
        let mut tail = [0; TAIL_BYTES_MAX];
        let mut tail = Room::new(&mut tail);
        if let Some(len) = length {
            tail.push_array(b"Content-Length: ");
            tail.push_decimal(len);
            tail.push_array(b"\r\n");
        } else if chunked {
            tail.push_array(b"Transfer-Encoding: chunked\r\n");
        }
        if self.last {
            tail.push_array(b"Connection: close\r\n");
        } else if facts.has(Facts::HTTP10) {
            tail.push_array(b"Connection: keep-alive\r\n");
        }
        tail.push_array(b"\r\n");
        dst.write_slice(tail.as_slice());
    }
}

#[inline]
fn status_line(status: Status, dst: &mut ByteBuf) {
    if let Some(line) = status.line() {
        dst.write_slice(line);
        return;
    }
    dst.write_slice(b"HTTP/1.1 ");
    dst.write_slice(Digits::decimal(u64::from(status.as_u16())).as_slice());
    dst.write_slice(b" \r\n");
}

/// Makes room for a head and what goes with it, so that the writes behind it cannot fail.
#[inline]
fn reserve(dst: &mut ByteBuf, head: &ResponseHead, extra: usize) -> Result<(), CodecError> {
    let [block, lines] = head.lines();
    let len = FIXED_BYTES_MAX + block.len() + lines.len();
    room(dst, len.saturating_add(extra))
}

#[inline]
fn room(dst: &mut ByteBuf, bytes: usize) -> Result<(), CodecError> {
    dst.ensure_writable(bytes).map_err(|_| unencodable("the outbound buffer is full"))
}

#[cold]
pub(crate) const fn unencodable(what: &'static str) -> CodecError {
    CodecError::Unencodable { what }
}
