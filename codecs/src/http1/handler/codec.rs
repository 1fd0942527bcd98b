//! The stage that makes a server's connection of a [`ServerCodec`].
//!
//! It is one, as the two directions have to know of each other: a pause in the middle of a buffer, an
//! answer that is the last one, a connection that is to be closed behind it.

use std::fmt;
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_codec::Decoder as _;
use fyke_core::{
    CloseReason, CodecContext, CodecError, CodecHandler, Decoding, Env, Error, ErrorKind, Promise,
    Result,
};

use super::options::Timeouts;
use super::server::{COPY_BYTES_MAX, internal_error, send};
use super::watch::{Verdict, Watch};
use crate::http1::{HttpError, RequestPart, ResponsePart, ServerCodec, Status};

/// The timer that looks whether the buffer held another request, while the connection is to end.
const LOOK_AGAIN: u64 = 1;

/// Bytes of further requests that may wait while no more requests are taken in. Reading is paused
/// then, so that there are more only when something else has switched it on again.
const WAITING_BYTES_MAX: usize = 256 * 1024;

/// Decodes requests, encodes responses, and looks after the connection. See
/// [`server`](super::server()).
pub struct HttpServerCodec {
    codec: ServerCodec,
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

type Cx<'a> = CodecContext<'a, HttpServerCodec>;

impl HttpServerCodec {
    /// A stage around this codec.
    #[must_use]
    pub fn new(codec: ServerCodec, timeouts: Timeouts) -> Self {
        Self {
            codec,
            requests: 0,
            receiving: false,
            paused: false,
            ending: Ending::Open,
            watch: Watch::new(timeouts),
        }
    }

    /// What follows from an answer, or from an end.
    #[cold]
    fn follow(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let codec = &mut self.codec;
        if codec.is_finished() {
            cx.close();
            return Ok(());
        }
        if self.paused && !must_wait(codec) {
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
                send(codec, cx, error.response().into())?;
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

    /// Requests wait for an answer: so many that no more are taken in, or the last one of them
    /// offers to go on in another protocol, or is being answered piece by piece. Who reads by hand is
    /// not interfered with. Answers whether reading is to be switched off.
    #[cold]
    fn pause(&mut self, auto_read: bool) -> bool {
        self.paused |= auto_read;
        auto_read
    }

    /// Takes note of what was decoded.
    #[inline]
    fn decoded(&mut self, cx: &mut Decoding<'_>, part: &RequestPart) {
        match part {
            RequestPart::Full(_) => self.requests = self.requests.wrapping_add(1),
            RequestPart::Head(_) => {
                self.receiving = true;
                self.requests = self.requests.wrapping_add(1);
            }
            RequestPart::Body(_) | RequestPart::Trailers(_) => {}
            RequestPart::End => self.receiving = false,
        }
        if !self.receiving && must_wait(&self.codec) && self.pause(cx.options().auto_read) {
            cx.set_auto_read(false);
        }
    }

    /// A part that cannot be sent is a mistake of the handler that wrote it.
    #[cold]
    fn unsendable(&mut self, cx: &mut Cx<'_>, error: CodecError, promise: Promise) -> Result<()> {
        let codec = &mut self.codec;
        if codec.is_finished() {
            tracing::debug!(%error, "dropped: the last response of this connection is out");
        } else if codec.in_response() || codec.pending() == 0 {
            tracing::error!(%error, "a response went wrong half-way: the connection is cut");
            cx.abort();
        } else {
            tracing::error!(%error, "a response cannot be sent: answering 500 in its place");
            send(codec, cx, internal_error().close().into())?;
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

impl CodecHandler for HttpServerCodec {
    type Out = RequestPart;
    type WriteIn = ResponsePart;

    #[inline]
    fn decode(&mut self, cx: &mut Decoding<'_>, src: &mut ByteBuf) -> Result<Option<RequestPart>> {
        let decoded = self.codec.decode(src);
        match &decoded {
            Ok(Some(part)) => self.decoded(cx, part),
            Ok(None) if src.readable() > WAITING_BYTES_MAX && self.codec.is_blocked() => {
                return Err(too_much_ahead(src.readable()).into());
            }
            _ => {}
        }
        decoded.map_err(Error::from)
    }

    fn decode_eof(
        &mut self,
        cx: &mut Decoding<'_>,
        src: &mut ByteBuf,
    ) -> Result<Option<RequestPart>> {
        let decoded = self.codec.decode_eof(src)?;
        if let Some(part) = &decoded {
            self.decoded(cx, part);
        }
        Ok(decoded)
    }

    #[inline]
    fn encode(&mut self, env: &Env, part: &ResponsePart, dst: &mut ByteBuf) -> bool {
        if self.paused || !matches!(self.ending, Ending::Open) {
            return false;
        }
        self.codec.set_unix_time(env.unix_time().as_secs());
        self.watch.written(env.now());
        self.codec.encode_usual(part, dst, COPY_BYTES_MAX)
    }

    #[inline]
    fn write(&mut self, cx: &mut Cx<'_>, part: ResponsePart, promise: Promise) -> Result<()> {
        let sent = send(&mut self.codec, cx, part);
        let (finished, waits) = (self.codec.is_finished(), must_wait(&self.codec));
        if self.codec.ends_after_more() {
            cx.schedule(Duration::ZERO, LOOK_AGAIN);
        }
        self.watch.written(cx.env().now());
        if let Err(error) = sent {
            return self.unsendable(cx, error, promise);
        }
        cx.promise_behind(promise);
        // While a request is still coming in, its end is soon enough.
        let auto_read = cx.options().auto_read;
        if waits && !self.paused && !self.receiving && self.pause(auto_read) {
            cx.set_auto_read(false);
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
        let late = self.watch.read(&self.codec, self.requests, now);
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
            if self.codec.is_finished() {
                cx.close();
            }
            return Ok(());
        }
        if !matches!(self.ending, Ending::Open | Ending::PeerClosed) {
            return Ok(());
        }
        let codec = &mut self.codec;
        if codec.is_upgraded() || codec.is_finished() {
            return Ok(());
        }
        let (now, unsent) = (cx.env().now(), cx.pending_bytes());
        match self.watch.expired(codec, now, cx.is_reading(), unsent) {
            None => {}
            Some(Verdict::Later(delay)) => {
                self.arm(cx, delay);
            }
            Some(Verdict::Slow(what)) => {
                codec.give_up();
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
        let codec = &mut self.codec;
        let undecoded = cx.has_undecoded();
        if codec.is_idle() && !undecoded {
            cx.fire_shutting_down();
        } else {
            codec.close_after_pending(undecoded);
            if codec.ends_after_more() {
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

impl fmt::Debug for HttpServerCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServerCodec")
            .field("codec", &self.codec)
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}

#[cold]
fn too_much_ahead(size: usize) -> CodecError {
    CodecError::TooLarge {
        what: "requests ahead of their answers",
        size: size as u64,
        limit: WAITING_BYTES_MAX as u64,
    }
}
