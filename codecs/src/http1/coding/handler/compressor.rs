//! The content of responses, compressed as the client likes it.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use fyke_buffer::ByteBuf;
use fyke_clock::TimerKey;
use fyke_core::{CodecError, DuplexContext, DuplexHandler, FileRegion, Offloaded, Promise, Result};

use super::config::CompressionConfig;
use super::job::{FilePiece, compress};
use super::rules::{Asked, Decision, decide, recoded, vary};
use crate::http1::coding::{ContentCoding, ContentEncoder};
use crate::http1::{RequestPart, Response, ResponseHead, ResponsePart, Status};
use crate::payload::Payload;

/// Compresses responses whose requests ask for it (RFC 9110 section 12.5.3).
///
/// Left as they are: short ones, media types that are compressed already, ranges, what has a
/// `Content-Encoding`, and what `Cache-Control: no-transform` protects. The answer to HEAD has the head
/// of the compressed response, without its length, which nobody knows. A response that
/// would be compressed for another client says `Vary: Accept-Encoding`. A compressed one has a weak
/// `ETag`, and goes out in chunks when it is sent in parts.
///
/// A client that takes none of the codings, and no plain content either, gets plain content: to refuse
/// what has been done already helps nobody.
pub struct HttpContentCompressor {
    config: CompressionConfig,
    /// The requests that are not answered yet, oldest first.
    asked: VecDeque<Asked>,
    state: State,
    /// What was written while a file is on its way.
    waiting: VecDeque<(ResponsePart, Promise)>,
    /// The bytes in there. They count as written to the channel, except in [`State::Full`]: what
    /// waits behind a file must not keep the file from going on.
    waiting_bytes: u64,
    timer: Option<TimerKey>,
}

enum State {
    /// What comes passes as it is.
    Passing,
    /// In the body of a response.
    Coding(Box<ContentEncoder>),
    /// A whole body is compressed elsewhere.
    Whole(Box<Whole>),
    /// A piece of a file is compressed elsewhere.
    File(Promise),
    /// A file goes on when the channel is writable again.
    Full(Box<FilePiece>, Promise),
}

/// A response whose body is being compressed.
struct Whole {
    head: ResponseHead,
    /// Shared with the work: should that come to nothing, it is sent as it is.
    body: Bytes,
    coding: ContentCoding,
    forced: bool,
    promise: Promise,
}

type Cx<'a> = DuplexContext<'a, HttpContentCompressor>;

impl HttpContentCompressor {
    /// A handler that compresses as `config` says.
    #[must_use]
    pub fn new(config: CompressionConfig) -> Self {
        Self {
            config,
            asked: VecDeque::new(),
            state: State::Passing,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            timer: None,
        }
    }

    /// The same for a pipeline in which a stage behind has been given a request already, and is about
    /// to answer it.
    pub(crate) fn answering(config: CompressionConfig, asked: Asked) -> Self {
        let mut handler = Self::new(config);
        handler.asked.push_back(asked);
        handler
    }

    /// What a final response's head means; its request is answered with it.
    fn decide(&mut self, head: &ResponseHead, length: Option<u64>) -> (Decision, bool) {
        let Some(asked) = self.asked.pop_front() else { return (Decision::Pass, false) };
        (decide(&self.config, asked, head, length), !asked.accept.accepts_identity())
    }

    fn full(&mut self, cx: &mut Cx<'_>, response: Response, promise: Promise) {
        let Response { head, body } = response;
        let length = head.declared_length().unwrap_or(body.len() as u64);
        let (decision, forced) = self.decide(&head, Some(length));
        match decision {
            Decision::Pass => cx.write_with(Response { head, body }.into(), promise),
            Decision::Vary => {
                cx.write_with(Response { head: vary(head), body }.into(), promise);
            }
            Decision::Announce(coding) => {
                let response = Response { head: recoded(&head, coding), body: Payload::new() };
                cx.write_with(response.into(), promise);
            }
            Decision::Compress(coding) if body.len() > self.config.inline_bytes_max => {
                let level = self.config.level;
                let body = body.into_bytes();
                let content = body.clone();
                let whole = Whole { head, body, coding, forced, promise };
                self.state = State::Whole(Box::new(whole));
                cx.offload(move || compress(coding, level, &content));
            }
            Decision::Compress(coding) => {
                let packed = compress(coding, self.config.level, &body).ok();
                let response = smaller(head, body, packed, coding, forced);
                cx.write_with(response.into(), promise);
            }
        }
    }

    fn start(&mut self, cx: &mut Cx<'_>, head: ResponseHead, promise: Promise) {
        let (decision, _) = self.decide(&head, head.declared_length());
        let head = match decision {
            Decision::Pass => head,
            Decision::Vary => vary(head),
            Decision::Announce(coding) => recoded(&head, coding),
            Decision::Compress(coding) => match ContentEncoder::new(coding, self.config.level) {
                Err(_) => vary(head),
                Ok(encoder) => {
                    self.state = State::Coding(Box::new(encoder));
                    recoded(&head, coding)
                }
            },
        };
        cx.write_with(head.into(), promise);
    }

    /// A part behind a head.
    fn part(&mut self, cx: &mut Cx<'_>, part: ResponsePart, promise: Promise) -> Result<()> {
        let State::Coding(encoder) = &mut self.state else {
            cx.write_with(part, promise);
            return Ok(());
        };
        match part {
            ResponsePart::Body(body) => {
                let mut packed = cx.buffer(body.len().min(4096));
                encoder.write(&body, &mut packed)?;
                send(cx, packed, promise);
                self.expect_pause(cx);
            }
            ResponsePart::File(region) => self.file(cx, region, promise),
            end => {
                if let State::Coding(encoder) = std::mem::replace(&mut self.state, State::Passing) {
                    let mut packed = cx.buffer(1024);
                    encoder.finish(&mut packed)?;
                    send(cx, packed, Promise::NONE);
                }
                cx.write_with(end, promise);
            }
        }
        Ok(())
    }

    fn file(&mut self, cx: &mut Cx<'_>, region: FileRegion, promise: Promise) {
        if let State::Coding(encoder) = std::mem::replace(&mut self.state, State::Passing) {
            let piece = FilePiece { encoder: *encoder, region, packed: ByteBuf::new() };
            self.go_on(cx, piece, promise);
        }
    }

    /// Has the next piece of a file compressed, or waits for room to send it.
    fn go_on(&mut self, cx: &mut Cx<'_>, piece: FilePiece, promise: Promise) {
        if piece.region.is_empty() {
            self.state = State::Coding(Box::new(piece.encoder));
            promise.succeed();
        } else if self.has_room(cx) {
            self.state = State::File(promise);
            cx.offload(move || piece.next());
        } else {
            cx.account(-self.waiting_bytes.cast_signed());
            self.state = State::Full(Box::new(piece), promise);
        }
    }

    /// Whether the channel would be writable if nothing waited here.
    fn has_room(&self, cx: &Cx<'_>) -> bool {
        let ahead = cx.pending_bytes().saturating_sub(self.waiting_bytes);
        cx.is_writable() || ahead <= cx.options().low_water_mark as u64
    }

    /// Sends what had to wait, until something has to wait again.
    fn catch_up(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        while !self.is_busy() {
            let Some((part, promise)) = self.waiting.pop_front() else { break };
            let bytes = bytes_of(&part);
            self.waiting_bytes -= bytes;
            cx.account(-bytes.cast_signed());
            self.take(cx, part, promise)?;
        }
        Ok(())
    }

    fn is_busy(&self) -> bool {
        matches!(self.state, State::Whole(_) | State::File(_) | State::Full(..))
    }

    fn take(&mut self, cx: &mut Cx<'_>, part: ResponsePart, promise: Promise) -> Result<()> {
        match part {
            ResponsePart::Full(response) if !response.head.status().is_informational() => {
                self.full(cx, response, promise);
            }
            ResponsePart::Head(head) if !head.status().is_informational() => {
                self.start(cx, head, promise);
            }
            ResponsePart::Head(_) | ResponsePart::Full(_) => {
                let switches = matches!(&part, ResponsePart::Head(head)
                    if head.status() == Status::SWITCHING_PROTOCOLS);
                if switches {
                    self.asked.pop_front();
                }
                cx.write_with(part, promise);
            }
            part => self.part(cx, part, promise)?,
        }
        Ok(())
    }

    /// The producer may pause: what it wrote is to be readable then.
    fn expect_pause(&mut self, cx: &mut Cx<'_>) {
        if self.timer.is_none() {
            self.timer = Some(cx.schedule(self.config.flush_after, 0));
        }
    }

    fn flush_encoder(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        if let State::Coding(encoder) = &mut self.state
            && encoder.is_unflushed()
        {
            let mut packed = cx.buffer(1024);
            encoder.flush(&mut packed)?;
            send(cx, packed, Promise::NONE);
        }
        Ok(())
    }
}

fn send(cx: &mut Cx<'_>, packed: ByteBuf, promise: Promise) {
    if packed.is_empty() {
        // The encoder has it, and it goes out with what follows.
        promise.succeed();
    } else {
        cx.write_with(ResponsePart::Body(packed.into()), promise);
    }
}

/// The compressed response, unless it is no shorter and the client takes the other one, too.
fn smaller(
    head: ResponseHead,
    body: Payload,
    packed: Option<ByteBuf>,
    coding: ContentCoding,
    forced: bool,
) -> Response {
    match packed {
        Some(packed) if forced || packed.readable() < body.len() => {
            Response { head: recoded(&head, coding), body: packed.into() }
        }
        _ => Response { head: vary(head), body },
    }
}

fn bytes_of(part: &ResponsePart) -> u64 {
    match part {
        ResponsePart::Body(body) => body.len() as u64,
        ResponsePart::Full(response) => response.body.len() as u64,
        _ => 0,
    }
}

impl DuplexHandler for HttpContentCompressor {
    type In = RequestPart;
    type Out = RequestPart;
    type WriteIn = ResponsePart;
    type WriteOut = ResponsePart;

    fn read(&mut self, cx: &mut Cx<'_>, part: RequestPart) -> Result<()> {
        if let Some(head) = part.head() {
            self.asked.push_back(Asked::of(head));
        }
        cx.fire_read(part);
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_>, part: ResponsePart, promise: Promise) -> Result<()> {
        if self.is_busy() || !self.waiting.is_empty() {
            let bytes = bytes_of(&part);
            self.waiting_bytes += bytes;
            if !matches!(self.state, State::Full(..)) {
                cx.account(bytes.cast_signed());
            }
            self.waiting.push_back((part, promise));
            return Ok(());
        }
        self.take(cx, part, promise)
    }

    fn offloaded(&mut self, cx: &mut Cx<'_>, result: Offloaded) -> Result<()> {
        match std::mem::replace(&mut self.state, State::Passing) {
            State::Whole(whole) => {
                let Whole { head, body, coding, forced, promise } = *whole;
                let packed = result.take::<Result<ByteBuf, CodecError>>();
                if let Err(error) = &packed {
                    tracing::warn!(%error, "a response is sent as it is");
                }
                let packed = packed.ok().and_then(Result::ok);
                let response = smaller(head, body.into(), packed, coding, forced);
                cx.write_with(response.into(), promise);
            }
            State::File(promise) => match result.take::<Result<FilePiece>>()? {
                Ok(mut piece) => {
                    let packed = std::mem::take(&mut piece.packed);
                    send(cx, packed, Promise::NONE);
                    self.go_on(cx, piece, promise);
                }
                Err(error) => {
                    tracing::error!(%error, "a file cannot be sent to its end: the connection is cut");
                    promise.fail(error);
                    cx.abort();
                }
            },
            state => self.state = state,
        }
        self.catch_up(cx)
    }

    fn writability_changed(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        if cx.is_writable() && matches!(self.state, State::Full(..)) {
            if let State::Full(piece, promise) = std::mem::replace(&mut self.state, State::Passing)
            {
                cx.account(self.waiting_bytes.cast_signed());
                self.go_on(cx, *piece, promise);
            }
            self.catch_up(cx)?;
        }
        cx.fire_writability_changed();
        Ok(())
    }

    fn timer(&mut self, cx: &mut Cx<'_>, _tag: u64) -> Result<()> {
        self.timer = None;
        self.flush_encoder(cx)
    }

    fn flush(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.flush_encoder(cx)?;
        cx.flush();
        Ok(())
    }
}

impl fmt::Debug for HttpContentCompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpContentCompressor")
            .field("config", &self.config)
            .field("asked", &self.asked.len())
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}
