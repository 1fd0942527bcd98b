//! Parts of requests in, bytes out (RFC 9112 sections 3, 6 and 7).

use fyke_buffer::ByteBuf;
use fyke_codec::CodecError;

use super::request::{ClientRequest, ClientRequestHead, RequestError, may_trail};
use crate::http1::chars::Digits;
use crate::http1::encoder::{Gather, unencodable};
use crate::http1::{HeaderBlock, Method};
use crate::payload::Payload;

/// How the end of the body being sent is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// This much is still to come.
    Exact(u64),
    Chunked,
    /// Nobody wants the rest: it is dropped.
    Dropped,
}

/// The state of the outgoing direction.
#[derive(Debug, Default)]
pub(crate) struct RequestEncoder {
    /// Set between the head of a request and its end.
    body: Option<Framing>,
    trailers: HeaderBlock,
    /// No further request will be sent.
    last: bool,
}

const CRLF: &[u8] = b"\r\n";
/// More than framing, connection, expectation and the empty line ever need.
const FIXED_BYTES_MAX: usize = 128;

impl RequestEncoder {
    /// Whether a request has begun and not ended.
    pub(crate) const fn in_body(&self) -> bool {
        self.body.is_some()
    }

    /// Whether no further request can be sent.
    pub(crate) const fn is_last(&self) -> bool {
        self.last
    }

    /// No further request is to be sent.
    pub(crate) const fn make_last(&mut self) {
        self.last = true;
    }

    /// The rest of the request's body will not be sent. The server still waits for it, so the
    /// connection cannot be used for another one.
    pub(crate) const fn drop_body(&mut self) {
        if self.body.is_some() {
            self.body = Some(Framing::Dropped);
            self.last = true;
        }
    }

    /// A whole request; what is returned is still to be sent.
    pub(crate) fn full(
        &mut self,
        request: ClientRequest,
        dst: &mut ByteBuf,
        copy_bytes_max: usize,
    ) -> Result<Option<Gather>, CodecError> {
        request.check().map_err(|error| unencodable(error.what()))?;
        let ClientRequest { head, body } = request;
        self.begin(&head)?;
        let len = body.len() as u64;
        let copied = body.len() <= copy_bytes_max;
        let length = (len > 0 || has_content(head.method())).then_some(len);
        self.head(&head, length, false, if copied { body.len() } else { 0 }, dst)?;
        if copied {
            dst.write_slice(&body);
            return Ok(None);
        }
        Ok(Some(Gather { body, behind: b"" }))
    }

    /// The head of a request whose body follows in parts.
    pub(crate) fn start(
        &mut self,
        head: &ClientRequestHead,
        dst: &mut ByteBuf,
    ) -> Result<(), CodecError> {
        self.begin(head)?;
        // RFC 9110 sections 9.3.6 and 9.3.8: the one has no content, the other must not.
        let is_bodiless = matches!(head.method(), Method::Connect | Method::Trace);
        if is_bodiless && head.declared_length() != Some(0) {
            return Err(unencodable(RequestError::Length.what()));
        }
        let (length, framing) = match head.declared_length() {
            Some(0) if !has_content(head.method()) => (None, Framing::Exact(0)),
            Some(len) => (Some(len), Framing::Exact(len)),
            None => (None, Framing::Chunked),
        };
        self.head(head, length, framing == Framing::Chunked, 0, dst)?;
        self.body = Some(framing);
        Ok(())
    }

    /// A piece of the body; what is returned is still to be sent.
    pub(crate) fn body(
        &mut self,
        body: Payload,
        dst: &mut ByteBuf,
        copy_bytes_max: usize,
    ) -> Result<Option<Gather>, CodecError> {
        let len = body.len() as u64;
        let mut behind: &'static [u8] = b"";
        let mut before = Digits::none();
        match &mut self.body {
            None => return Err(unencodable("a body without a head")),
            Some(Framing::Dropped) => return Ok(None),
            Some(_) if len == 0 => return Ok(None),
            Some(Framing::Exact(left)) => match left.checked_sub(len) {
                Some(rest) => *left = rest,
                None => return Err(unencodable("body longer than its Content-Length")),
            },
            Some(Framing::Chunked) => (before, behind) = (Digits::hex(len), CRLF),
        }
        let copied = body.len() <= copy_bytes_max;
        room(dst, FIXED_BYTES_MAX.saturating_add(if copied { body.len() } else { 0 }))?;
        if !before.as_slice().is_empty() {
            dst.write_slice(before.as_slice());
            dst.write_slice(CRLF);
        }
        if copied {
            dst.write_slice(&body);
            dst.write_slice(behind);
            return Ok(None);
        }
        Ok(Some(Gather { body, behind }))
    }

    /// What goes out with the end (RFC 9112 section 7.1.2).
    pub(crate) fn trailers(&mut self, trailers: HeaderBlock) -> Result<(), CodecError> {
        match self.body {
            _ if !may_trail(&trailers) => Err(unencodable("a field that may not be a trailer")),
            None => Err(unencodable("trailers without a head")),
            Some(Framing::Exact(_)) => {
                Err(unencodable("trailers behind a body that is not in chunks"))
            }
            Some(Framing::Chunked | Framing::Dropped) => {
                self.trailers = trailers;
                Ok(())
            }
        }
    }

    /// The end of a request sent in parts.
    pub(crate) fn end(&mut self, dst: &mut ByteBuf) -> Result<(), CodecError> {
        match self.body {
            None => return Err(unencodable("an end without a head")),
            Some(Framing::Exact(left)) if left > 0 => {
                return Err(unencodable("body shorter than its Content-Length"));
            }
            Some(Framing::Chunked) => {
                let trailers = core::mem::take(&mut self.trailers);
                room(dst, FIXED_BYTES_MAX.saturating_add(trailers.as_slice().len()))?;
                for piece in [b"0\r\n", trailers.as_slice(), CRLF] {
                    dst.write_slice(piece);
                }
            }
            Some(_) => {}
        }
        self.body = None;
        Ok(())
    }

    /// What is checked before any head.
    fn begin(&self, head: &ClientRequestHead) -> Result<(), CodecError> {
        if let Some(error) = head.error() {
            return Err(unencodable(error.what()));
        }
        if self.body.is_some() {
            return Err(unencodable("a request inside another one"));
        }
        if self.last {
            return Err(unencodable("a request behind the last one"));
        }
        Ok(())
    }

    fn head(
        &mut self,
        head: &ClientRequestHead,
        length: Option<u64>,
        chunked: bool,
        extra: usize,
        dst: &mut ByteBuf,
    ) -> Result<(), CodecError> {
        let lines = head.lines();
        let len: usize = lines.iter().map(|lines| lines.len()).sum();
        room(dst, FIXED_BYTES_MAX.saturating_add(len).saturating_add(extra))?;
        for lines in lines {
            dst.write_slice(lines);
        }
        if let Some(len) = length {
            dst.write_slice(b"Content-Length: ");
            dst.write_slice(Digits::decimal(len).as_slice());
            dst.write_slice(CRLF);
        } else if chunked {
            dst.write_slice(b"Transfer-Encoding: chunked\r\n");
        }
        if head.expects_continue() && (chunked || length.is_some_and(|len| len > 0)) {
            dst.write_slice(b"Expect: 100-continue\r\n");
        }
        if head.closes() {
            self.last = true;
            dst.write_slice(b"Connection: close\r\n");
        }
        dst.write_slice(CRLF);
        Ok(())
    }
}

/// Whether a request of this method says how long its content is even when it has none
/// (RFC 9110 section 8.6).
const fn has_content(method: Method) -> bool {
    matches!(method, Method::Post | Method::Put | Method::Patch)
}

fn room(dst: &mut ByteBuf, bytes: usize) -> Result<(), CodecError> {
    dst.ensure_writable(bytes).map_err(|_| unencodable("the outbound buffer is full"))
}
