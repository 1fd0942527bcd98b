//! Both directions of a server's connection, and what they have to know of each other.

use super::encoder::{Gather, ResponseEncoder, unencodable};
use super::facts::Facts;
use super::pending::Pending;
use super::{Limits, RequestDecoder, RequestPart, ResponseHead, ResponsePart, Status};
use crate::payload::Payload;
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};

/// Decodes requests and encodes the responses to them, in the same order.
///
/// The two directions share a short queue of what the encoder has to know of each request: HEAD,
/// HTTP/1.0, whether the connection stays. For the handler around it:
/// - After a final response the decoder may go on where it had to stop (an upgrade was refused, or
///   too many requests were waiting): pull again after `encode`.
/// - After each `encode`, [`is_finished`](Self::is_finished) says whether to flush and close.
/// - An [`HttpError`](super::HttpError) out of `decode` may be answered like a request, after the
///   requests before it, with [`HttpError::response`](super::HttpError::response).
#[derive(Debug, Default)]
pub struct ServerCodec {
    decoder: RequestDecoder,
    encoder: ResponseEncoder,
    pending: Pending,
    ending: Ending,
}

/// Whether the connection is to end, and which requests are still taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ending {
    #[default]
    No,
    /// Those that lie in the buffer.
    WithBuffered,
    /// The one that has begun to arrive, if any.
    WithCurrent,
}

impl ServerCodec {
    /// A codec with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { decoder: RequestDecoder::new(limits), ..Self::default() }
    }

    /// Sets the time for `Date`. Without it no such field is written.
    #[inline]
    pub fn set_unix_time(&mut self, seconds: u64) {
        self.encoder.set_unix_time(seconds);
    }

    /// Makes the next response the last one of this connection.
    pub fn close_after_next(&mut self) {
        self.encoder.closing = true;
    }

    /// Lets the connection end behind the answers that are due: to all requests that have been taken
    /// in, to one that has begun to arrive, and, with `buffered` (there are bytes that have not been
    /// offered to [`decode`](Decoder::decode) yet), to those in the buffer. The last answer says so.
    pub fn close_after_pending(&mut self, buffered: bool) {
        self.ending = if buffered { Ending::WithBuffered } else { Ending::WithCurrent };
        if !buffered && (!self.decoder.in_head() || self.decoder.is_between()) {
            self.decoder.close();
        }
        self.end_if_answered();
    }

    /// Whether it waits for requests to arrive before it ends.
    #[inline]
    #[must_use]
    pub(crate) fn ends_after_more(&self) -> bool {
        self.ending != Ending::No && self.pending.is_empty() && !self.encoder.finished
    }

    /// Something was decoded, or could not be, while the connection is to end.
    #[cold]
    fn decoded_ending(&mut self, begins: bool, is_none: bool, src_is_empty: bool) {
        let current = self.ending == Ending::WithCurrent;
        if (current && begins) || src_is_empty {
            self.decoder.close();
        } else if is_none && self.decoder.in_head() && !self.pending.is_full() {
            // What is left is not a whole head: that request is the last one.
            self.ending = Ending::WithCurrent;
            if self.decoder.is_between() {
                self.decoder.close();
            }
        }
        self.end_if_answered();
    }

    fn end_if_answered(&mut self) {
        if self.pending.is_empty() && self.decoder.is_closing() && !self.is_upgraded() {
            self.encoder.finished = true;
        }
    }

    /// Gives up on a request that has not arrived whole: after a time-out, say.
    ///
    /// Nothing further is decoded. One answer may still be encoded, after the earlier ones, 408 for
    /// instance, unless a final response to this very request is already out.
    pub fn give_up(&mut self) {
        let (in_head, is_head) = (self.decoder.in_head(), self.decoder.in_head_of_head());
        self.decoder.close();
        self.fail(in_head, is_head);
    }

    /// Whether the last response has been encoded whole: flush and close.
    #[inline]
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.encoder.finished
    }

    /// Whether no request is being read or answered.
    #[inline]
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.decoder.is_between()
    }

    /// Requests whose answers are not complete.
    #[inline]
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Whether nothing more is decoded until an answer is complete, whatever arrives.
    #[inline]
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.decoder.is_held() || (self.pending.is_full() && self.decoder.in_head())
    }

    /// Whether a response has begun that is not complete.
    #[inline]
    #[must_use]
    pub fn in_response(&self) -> bool {
        self.encoder.in_body()
    }

    /// Whether another protocol took over: the codec does nothing any more.
    #[inline]
    #[must_use]
    pub fn is_upgraded(&self) -> bool {
        self.decoder.is_raw()
    }

    /// The decoding side, for its state.
    #[must_use]
    pub fn decoder(&self) -> &RequestDecoder {
        &self.decoder
    }

    /// Like `encode`, but hands a body of more than `copy_bytes_max` bytes back instead of copying it.
    ///
    /// # Errors
    /// When the part does not fit where it stands, or cannot be sent at all.
    #[inline]
    pub fn encode_gather(
        &mut self,
        part: ResponsePart,
        dst: &mut ByteBuf,
        copy_bytes_max: usize,
    ) -> Result<Option<Gather>, CodecError> {
        if self.encode_usual(&part, dst, copy_bytes_max) {
            return Ok(None);
        }
        self.encode_any(part, dst, copy_bytes_max)
    }

    /// Encodes what nearly every answer is: one of many on a connection, whole, with a short body.
    /// `false` when there is anything to decide about it, or something wrong; nothing has happened then.
    #[inline]
    pub(crate) fn encode_usual(
        &mut self,
        part: &ResponsePart,
        dst: &mut ByteBuf,
        copy_bytes_max: usize,
    ) -> bool {
        let ResponsePart::Full(response) = part else { return false };
        let Some(&mut facts) = self.pending.front() else { return false };
        if !facts.are_usual()
            || self.ending != Ending::No
            || response.body.len() > copy_bytes_max
            || !self.encoder.usual(response, dst)
        {
            return false;
        }
        self.pending.pop();
        true
    }

    #[inline(never)]
    fn encode_any(
        &mut self,
        part: ResponsePart,
        dst: &mut ByteBuf,
        copy_bytes_max: usize,
    ) -> Result<Option<Gather>, CodecError> {
        match part {
            ResponsePart::Full(response) => {
                self.full(&response.head, response.body, dst, copy_bytes_max)
            }
            ResponsePart::Head(head) => self.start(&head, dst).map(|()| None),
            ResponsePart::Body(body) => self.encoder.body(body, dst, copy_bytes_max),
            #[cfg(feature = "pipeline")]
            ResponsePart::File(_) => Err(unencodable("a file's region among bytes")),
            ResponsePart::Trailers(trailers) => self.encoder.trailers(trailers).map(|()| None),
            ResponsePart::End => {
                self.encoder.end(dst)?;
                self.answered();
                Ok(None)
            }
        }
    }

    /// Announces a piece of the body that does not come through here: a region of a file.
    ///
    /// After what was encoded the caller sends the `len` bytes and then what is returned. `None`: this
    /// response has no body to send, as the answer to HEAD has none.
    ///
    /// # Errors
    /// Those of a [`ResponsePart::Body`] of that length.
    pub fn encode_external(
        &mut self,
        len: u64,
        dst: &mut ByteBuf,
    ) -> Result<Option<&'static [u8]>, CodecError> {
        self.encoder.external(len, dst)
    }

    #[inline]
    fn full(
        &mut self,
        head: &ResponseHead,
        body: Payload,
        dst: &mut ByteBuf,
        copy_bytes_max: usize,
    ) -> Result<Option<Gather>, CodecError> {
        if head.status().is_informational() {
            if !body.is_empty() {
                return Err(unencodable("an interim response with a body"));
            }
            return self.interim(head, dst).map(|()| None);
        }
        let facts = self.current()?;
        let rest = self.encoder.full(head, body, facts, dst, copy_bytes_max)?;
        self.decided();
        self.answered();
        Ok(rest)
    }

    fn start(&mut self, head: &ResponseHead, dst: &mut ByteBuf) -> Result<(), CodecError> {
        if head.status().is_informational() {
            return self.interim(head, dst);
        }
        let facts = self.current()?;
        self.encoder.start(head, facts, dst)?;
        self.decided();
        Ok(())
    }

    /// 1xx (RFC 9110 section 15.2), of which 101 is final in its own way (section 7.8).
    fn interim(&mut self, head: &ResponseHead, dst: &mut ByteBuf) -> Result<(), CodecError> {
        let Some(facts) = self.pending.front() else {
            return Err(unencodable("a response without a request"));
        };
        if head.status() == Status::CONTINUE {
            facts.unset(Facts::EXPECT);
        }
        let facts = *facts;
        if head.status() == Status::SWITCHING_PROTOCOLS {
            if !facts.has(Facts::UPGRADE) || self.pending.len() != 1 {
                return Err(unencodable("101 for a request that offers no upgrade"));
            }
            if self.decoder.in_body() {
                return Err(unencodable("101 before the request's body has been read"));
            }
            self.encoder.interim(head, facts, dst)?;
            self.decoder.switch_to_raw();
            self.pending.pop();
            return Ok(());
        }
        self.encoder.interim(head, facts, dst)
    }

    /// The facts for a final response that begins now.
    #[inline]
    fn current(&mut self) -> Result<Facts, CodecError> {
        let Some(&mut facts) = self.pending.front() else {
            return Err(unencodable("a response without a request"));
        };
        if self.ending != Ending::No && self.pending.len() == 1 && self.decoder.is_closing() {
            self.encoder.closing = true;
        }
        // RFC 9110 section 10.1.1: a client that waited for a 100 it never got may or may not send
        // the body now. Nobody could tell that body from a request.
        let unsettled = facts.has(Facts::EXPECT)
            && self.pending.len() == 1
            && self.decoder.in_body()
            && self.decoder.received_bytes() == 0;
        if unsettled && !self.encoder.in_body() {
            self.encoder.make_last();
        }
        Ok(facts)
    }

    /// A final head is out: the fate of the connection and of an offered upgrade is known.
    #[inline]
    fn decided(&mut self) {
        if self.encoder.is_last() {
            self.decoder.close();
        } else if self.pending.len() == 1 {
            self.decoder.resume();
        }
    }

    #[inline]
    fn answered(&mut self) {
        self.pending.pop();
        if self.ending != Ending::No {
            self.end_if_answered();
        }
    }

    /// Leaves room for one answer to what could not be read, and makes it the last. To a HEAD, as far
    /// as that is known, it has no content (RFC 9110 section 9.3.2).
    #[cold]
    fn fail(&mut self, in_head: bool, is_head: bool) {
        if in_head {
            if !self.pending.is_full() {
                self.pending.push(Facts::of_unread(is_head));
            }
        } else if let Some(facts) = self.pending.back() {
            facts.unset(Facts::KEEP_ALIVE);
        }
    }
}

impl Decoder for ServerCodec {
    type Item = RequestPart;

    #[inline]
    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<RequestPart>, CodecError> {
        let in_head = self.decoder.in_head();
        if in_head && self.pending.is_full() {
            return Ok(None);
        }
        // Looked at where it lies and not taken apart: it is passed on without a copy.
        let decoded = self.decoder.decode(src);
        match &decoded {
            Ok(Some(RequestPart::Full(head) | RequestPart::Head(head))) => {
                self.pending.push(Facts::of(head));
            }
            Ok(_) => {}
            Err(_) => self.fail(in_head, src.starts_with(b"HEAD ")),
        }
        if self.ending != Ending::No {
            let begins = matches!(&decoded, Ok(Some(part)) if part.head().is_some());
            self.decoded_ending(begins, matches!(decoded, Ok(None)), src.is_empty());
        }
        decoded
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<RequestPart>, CodecError> {
        if let Some(part) = self.decode(src)? {
            return Ok(Some(part));
        }
        if self.decoder.in_head() && self.pending.is_full() {
            return Ok(None);
        }
        self.decoder.decode_eof(src)
    }
}

impl Encoder<ResponsePart> for ServerCodec {
    #[inline]
    fn encode(&mut self, part: ResponsePart, dst: &mut ByteBuf) -> Result<(), CodecError> {
        let rest = self.encode_gather(part, dst, usize::MAX)?;
        debug_assert!(rest.is_none(), "a body within the limit is copied");
        Ok(())
    }
}
