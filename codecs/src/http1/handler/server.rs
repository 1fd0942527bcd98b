//! The stages that make a server's connection of a [`ServerCodec`]: one decodes, one encodes.
//!
//! They are two because only a decoder's messages are pulled one at a time, so that a pause holds in
//! the middle of a buffer, and only a handler can send regions of files, ask for the date and close.
//! What one direction has to know of the other is in the codec that both share.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use fyke_core::{
    CloseReason, CodecError, DuplexContext, DuplexHandler, Error, ErrorKind, FileRegion, Outgoing,
    PipelineBuilder, Promise, Result,
};

use super::decoder::HttpRequestDecoder;
use super::options::{ServerOptions, Timeouts};
use super::watch::{Verdict, Watch};
use crate::http1::gathered::write_gathered;
use crate::http1::{HttpError, RequestPart, Response, ResponsePart, ServerCodec, Status};

/// The name of the stage that [`server`] puts first: the [`HttpRequestDecoder`].
pub const REQUEST_STAGE: &str = "http";
/// The name of the stage that [`server`] puts second: the [`HttpResponseEncoder`].
pub const RESPONSE_STAGE: &str = "http-responses";

/// A longer body is sent from where it lies instead of being copied behind its head.
const COPY_BYTES_MAX: usize = 2048;

/// The timer that looks whether the buffer held another request, while the connection is to end.
const LOOK_AGAIN: u64 = 1;

pub(super) type Shared = Rc<RefCell<ServerCodec>>;

/// Adds the stages of an HTTP/1.1 server to a pipeline: requests come out in parts, responses go in.
///
/// What they see to by themselves:
/// * the order of answers, `HEAD`, HTTP/1.0, `Connection`, `Date`, framing;
/// * what cannot be read is answered with its 4xx or 5xx, behind the answers to the requests before
///   it, and the connection is closed;
/// * the connection is closed behind its last answer, and not before a peer that has sent its end
///   has got all answers;
/// * reading is paused while too many answers are due, while an answer sent in parts has no end yet,
///   and while it is open whether an upgrade takes place;
/// * who takes too long is answered 408 or left, by the [`Timeouts`] of the options.
///
/// ```
/// use fyke_codecs::http1::{
///     HttpObjectAggregator, HttpServerHandler, Limits, Request, Response, Status, server,
/// };
/// use fyke_core::embedded::EmbeddedChannel;
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     server(ch.pipeline(), Limits::new())
///         .inbound("aggregator", HttpObjectAggregator::new(1024 * 1024))
///         .inbound("app", HttpServerHandler::new(|_, request: Request| {
///             Response::new(Status::OK).body(request.body)
///         }))
/// });
/// channel.write_inbound("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
/// let answer = channel.read_outbound();
/// assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(b"\r\n\r\nhi"));
/// ```
pub fn server(
    pipeline: PipelineBuilder,
    options: impl Into<ServerOptions>,
) -> PipelineBuilder<RequestPart, ResponsePart> {
    let options = options.into();
    let (decoder, encoder) = server_stages(ServerCodec::new(options.limits), options.timeouts);
    pipeline.decoder(REQUEST_STAGE, decoder).duplex(RESPONSE_STAGE, encoder)
}

/// The two stages of [`server`], to be put side by side.
#[must_use]
pub fn server_stages(
    codec: ServerCodec,
    timeouts: Timeouts,
) -> (HttpRequestDecoder, HttpResponseEncoder) {
    let codec = Rc::new(RefCell::new(codec));
    let encoder = HttpResponseEncoder {
        codec: Rc::clone(&codec),
        requests: 0,
        receiving: false,
        paused: false,
        ending: Ending::Open,
        watch: Watch::new(timeouts),
    };
    (HttpRequestDecoder::new(codec), encoder)
}

/// Encodes responses, and looks after the connection. See [`server`].
pub struct HttpResponseEncoder {
    codec: Shared,
    /// Requests that have begun.
    requests: u32,
    /// A request has begun and its end has not come.
    receiving: bool,
    /// Reading is paused by this stage.
    paused: bool,
    ending: Ending,
    watch: Watch,
}

/// Why no further request comes, and what is to be done once the answers due have been given.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// Requests may come.
    Open,
    /// The peer has sent its end: pass that on.
    PeerClosed,
    /// A request that cannot be read: answer it and close.
    Refused(HttpError),
    /// Close without another word.
    Silent,
}

type Cx<'a> = DuplexContext<'a, HttpResponseEncoder>;

impl HttpResponseEncoder {
    /// What follows from an answer, or from an end.
    #[cold]
    fn follow(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let mut codec = self.codec.borrow_mut();
        if codec.is_finished() {
            cx.close();
            return Ok(());
        }
        if self.paused && !must_wait(&codec) {
            self.paused = false;
            cx.set_auto_read(true);
        }
        match self.ending {
            Ending::PeerClosed if codec.pending() == 0 => {
                self.ending = Ending::Open;
                cx.fire_read_closed();
            }
            // The last one due is the answer to what cannot be read.
            Ending::Refused(error) if codec.pending() == 1 && !codec.in_response() => {
                self.ending = Ending::Silent;
                send(&mut codec, cx, error.response().into())?;
                cx.close_with(reason(error));
            }
            // Its answer is out already, or has begun and cannot be taken back.
            Ending::Refused(error) if codec.pending() <= 1 => cx.close_with(reason(error)),
            Ending::Silent if codec.pending() == 0 => cx.close_with(CloseReason::Protocol),
            _ => {}
        }
        Ok(())
    }

    fn arm(&mut self, cx: &mut Cx<'_>, delay: Duration) {
        let now = cx.env().now();
        let key = cx.schedule(delay, 0);
        self.watch.armed(key, now, delay);
    }

    /// A request has come whole.
    #[inline]
    fn received(&mut self, cx: &mut Cx<'_>) {
        if must_wait(&self.codec.borrow()) {
            self.pause(cx);
        }
    }

    /// Requests wait for an answer: so many that no more are taken in, or the last one of them
    /// offers to go on in another protocol, or is being answered piece by piece.
    #[cold]
    fn pause(&mut self, cx: &mut Cx<'_>) {
        // Who reads by hand is not interfered with.
        if cx.options().auto_read {
            self.paused = true;
            cx.set_auto_read(false);
        }
    }

    /// A part that cannot be sent is a mistake of the handler that wrote it.
    #[cold]
    fn unsendable(&mut self, cx: &mut Cx<'_>, error: CodecError, promise: Promise) -> Result<()> {
        let mut codec = self.codec.borrow_mut();
        if codec.is_finished() {
            tracing::debug!(%error, "dropped: the last response of this connection is out");
        } else if codec.in_response() || codec.pending() == 0 {
            tracing::error!(%error, "a response went wrong half-way: the connection is cut");
            cx.abort();
        } else {
            tracing::error!(%error, "a response cannot be sent: answering 500 in its place");
            send(&mut codec, cx, internal_error().close().into())?;
            cx.close_with(CloseReason::Handler);
        }
        promise.fail(error.into());
        Ok(())
    }
}

/// Whether the next request has to wait: it cannot be taken in, or an answer has begun that is not
/// complete, which the next one would have to be sent behind (RFC 9112 section 9.3.2).
#[inline]
fn must_wait(codec: &ServerCodec) -> bool {
    codec.is_blocked() || (codec.in_response() && codec.decoder().in_head())
}

/// Why a connection ends on which this was answered.
const fn reason(error: HttpError) -> CloseReason {
    match error.status().as_u16() {
        408 => CloseReason::TimedOut,
        413 | 414 | 431 => CloseReason::Limit,
        _ => CloseReason::Protocol,
    }
}

/// The answer when it is our fault.
pub(super) fn internal_error() -> Response {
    Response::new(Status::INTERNAL_SERVER_ERROR)
        .header("Content-Type", "text/plain; charset=utf-8")
        .body("internal server error")
}

/// Encodes a part, straight into the channel's outbound queue but for what is too large to copy.
#[inline]
fn send(codec: &mut ServerCodec, cx: &mut Cx<'_>, part: ResponsePart) -> Result<(), CodecError> {
    if let ResponsePart::File(region) = part {
        return send_file(codec, cx, region);
    }
    codec.set_unix_time(cx.env().unix_time().as_secs());
    write_gathered(cx, |dst| codec.encode_gather(part, dst, COPY_BYTES_MAX))
}

fn send_file(
    codec: &mut ServerCodec,
    cx: &mut Cx<'_>,
    region: FileRegion,
) -> Result<(), CodecError> {
    let mut behind = None;
    cx.encode(|dst| -> Result<(), CodecError> {
        behind = codec.encode_external(region.len(), dst)?;
        Ok(())
    })?;
    if let Some(behind) = behind {
        cx.write(region.into());
        if !behind.is_empty() {
            cx.write(behind.into());
        }
    }
    Ok(())
}

impl DuplexHandler for HttpResponseEncoder {
    type In = RequestPart;
    type Out = RequestPart;
    type WriteIn = ResponsePart;
    type WriteOut = Outgoing;

    #[inline]
    fn read(&mut self, cx: &mut Cx<'_>, part: RequestPart) -> Result<()> {
        match part {
            RequestPart::Full(_) => {
                self.requests = self.requests.wrapping_add(1);
                self.received(cx);
            }
            RequestPart::Head(_) => {
                self.receiving = true;
                self.requests = self.requests.wrapping_add(1);
            }
            RequestPart::Body(_) | RequestPart::Trailers(_) => {}
            RequestPart::End => {
                self.receiving = false;
                self.received(cx);
            }
        }
        cx.fire_read(part);
        Ok(())
    }

    #[inline]
    fn write(&mut self, cx: &mut Cx<'_>, part: ResponsePart, promise: Promise) -> Result<()> {
        let mut codec = self.codec.borrow_mut();
        let sent = send(&mut codec, cx, part);
        let (finished, waits) = (codec.is_finished(), must_wait(&codec));
        if codec.ends_after_more() {
            cx.schedule(Duration::ZERO, LOOK_AGAIN);
        }
        drop(codec);
        self.watch.written(cx.env().now());
        if let Err(error) = sent {
            return self.unsendable(cx, error, promise);
        }
        cx.promise_behind(promise);
        // While a request is still coming in, its end is soon enough.
        if waits && !self.paused && !self.receiving {
            self.pause(cx);
        }
        if finished || self.paused || !matches!(self.ending, Ending::Open) {
            return self.follow(cx);
        }
        Ok(())
    }

    fn added(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let now = cx.env().now();
        if let Some(delay) = self.watch.begin(now) {
            self.arm(cx, delay);
        }
        Ok(())
    }

    fn read_complete(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let now = cx.env().now();
        let late = self.watch.read(&self.codec.borrow(), self.requests, now);
        if let Some((timer, delay)) = late {
            match timer {
                Some(key) if cx.reschedule(key, delay) => self.watch.armed(key, now, delay),
                _ => self.arm(cx, delay),
            }
        }
        cx.fire_read_complete();
        Ok(())
    }

    fn timer(&mut self, cx: &mut Cx<'_>, tag: u64) -> Result<()> {
        if tag == LOOK_AGAIN {
            if self.codec.borrow().is_finished() {
                cx.close();
            }
            return Ok(());
        }
        if !matches!(self.ending, Ending::Open | Ending::PeerClosed) {
            return Ok(());
        }
        let mut codec = self.codec.borrow_mut();
        if codec.is_upgraded() || codec.is_finished() {
            return Ok(());
        }
        let (now, unsent) = (cx.env().now(), cx.pending_bytes());
        match self.watch.expired(&codec, now, cx.is_reading(), unsent) {
            None => {}
            Some(Verdict::Later(delay)) => {
                drop(codec);
                self.arm(cx, delay);
            }
            Some(Verdict::Slow(what)) => {
                codec.give_up();
                drop(codec);
                tracing::info!(what, "a request is given up");
                self.ending = Ending::Refused(HttpError::new(Status::REQUEST_TIMEOUT, what));
                self.follow(cx)?;
            }
            Some(Verdict::Idle) => {
                cx.close_with(CloseReason::TimedOut);
                // What the peer has not taken all that time, it will not take in the end either.
                if unsent > 0 {
                    cx.abort();
                }
            }
        }
        Ok(())
    }

    fn read_closed(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        if matches!(self.ending, Ending::Open) {
            self.ending = Ending::PeerClosed;
        }
        self.follow(cx)
    }

    /// The connection ends behind the answers that are due, or at once when none is.
    fn shutting_down(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let mut codec = self.codec.borrow_mut();
        let undecoded = cx.has_undecoded();
        if codec.is_idle() && !undecoded {
            cx.fire_shutting_down();
        } else {
            codec.close_after_pending(undecoded);
            let waits = codec.ends_after_more();
            drop(codec);
            if waits {
                cx.schedule(Duration::ZERO, LOOK_AGAIN);
            }
            cx.fire_event(crate::http1::NoMoreRequests);
        }
        Ok(())
    }

    fn error(&mut self, cx: &mut Cx<'_>, error: Error) -> Result<()> {
        let ErrorKind::Codec(what) = error.kind() else {
            cx.fire_error(error);
            return Ok(());
        };
        self.ending = match HttpError::of(what) {
            Some(refusal) => Ending::Refused(*refusal),
            None if self.receiving => {
                let refusal = HttpError::new(Status::BAD_REQUEST, "the request ended early");
                Ending::Refused(refusal)
            }
            None => Ending::Silent,
        };
        tracing::info!(%error, "the request cannot be served");
        self.follow(cx)
    }
}

impl fmt::Debug for HttpResponseEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponseEncoder")
            .field("codec", &self.codec)
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}
