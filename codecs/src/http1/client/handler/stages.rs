//! The stages that make a client's connection of a [`ClientCodec`]: one decodes, one encodes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_clock::TimerKey;
use fyke_codec::Decoder;
use fyke_core::{
    CloseReason, CodecError, DuplexContext, DuplexHandler, Error, ErrorKind, Outgoing,
    PipelineBuilder, Promise, Result,
};

use crate::http1::client::{ClientCodec, ClientLimits, ClientRequestPart, ClientResponsePart};
use crate::http1::gathered::write_gathered;
use crate::http1::{NoMoreRequests, Status};
use crate::payload::Payload;

/// The name of the stage that [`client`] puts first: the [`HttpResponseDecoder`].
pub const CLIENT_RESPONSE_STAGE: &str = "http";
/// The name of the stage that [`client`] puts second: the [`HttpRequestEncoder`].
pub const CLIENT_REQUEST_STAGE: &str = "http-requests";

/// A longer body is sent from where it lies instead of being copied behind its head.
const COPY_BYTES_MAX: usize = 2048;

/// Bytes behind an upgrade that may wait for the stages of the next protocol.
const UNCLAIMED_BYTES_MAX: usize = 256 * 1024;

type Shared = Rc<RefCell<ClientCodec>>;

/// Adds the stages of an HTTP/1.1 client to a pipeline: requests go in in parts, responses come out,
/// in the order of the requests.
///
/// What they see to by themselves:
/// * framing in both directions, `Host`, `Connection`;
/// * a body behind `Expect: 100-continue` waits for the 100, for
///   [`continue_wait_max`](ClientLimits::continue_wait_max) at most, and is dropped when a final
///   response comes first;
/// * the connection is closed behind its last response; a response that cannot be read is an error and
///   closes it as well.
///
/// ```
/// use fyke_codecs::http1::Method;
/// use fyke_codecs::http1::client::{
///     ClientLimits, ClientRequest, ClientRequestPart, ClientResponse, HttpResponseAggregator, client,
/// };
/// use fyke_core::embedded::EmbeddedChannel;
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     client(ch.pipeline(), ClientLimits::new())
///         .inbound("responses", HttpResponseAggregator::new(1024 * 1024))
/// });
/// let request = ClientRequest::new(Method::Get, "localhost", "/");
/// drop(channel.write_outbound::<ClientRequestPart>(request.into()));
/// assert_eq!(channel.read_outbound(), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
/// channel.write_inbound("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
/// let response: ClientResponse = channel.read_inbound().expect("it has come");
/// assert_eq!(response.body.as_slice(), b"hi");
/// ```
pub fn client(
    pipeline: PipelineBuilder,
    limits: impl Into<ClientLimits>,
) -> PipelineBuilder<ClientResponsePart, ClientRequestPart> {
    let (decoder, encoder) = client_stages(limits.into());
    pipeline.decoder(CLIENT_RESPONSE_STAGE, decoder).duplex(CLIENT_REQUEST_STAGE, encoder)
}

/// The two stages of [`client`], to be put side by side.
#[must_use]
pub fn client_stages(limits: ClientLimits) -> (HttpResponseDecoder, HttpRequestEncoder) {
    let codec = Rc::new(RefCell::new(ClientCodec::new(limits)));
    let encoder = HttpRequestEncoder {
        codec: Rc::clone(&codec),
        held: VecDeque::new(),
        held_bytes: 0,
        held_bytes_max: limits.held_bytes_max,
        continue_wait: limits.continue_wait_max,
        waiting: None,
    };
    (HttpResponseDecoder(codec), encoder)
}

/// Decodes responses. Belongs in front of its [`HttpRequestEncoder`], see [`client`].
pub struct HttpResponseDecoder(Shared);

impl Decoder for HttpResponseDecoder {
    type Item = ClientResponsePart;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ClientResponsePart>, CodecError> {
        let mut codec = self.0.borrow_mut();
        let part = codec.decode(src)?;
        if part.is_none() && codec.is_upgraded() && src.readable() > UNCLAIMED_BYTES_MAX {
            let (size, limit) = (src.readable() as u64, UNCLAIMED_BYTES_MAX as u64);
            return Err(CodecError::TooLarge { what: "bytes of another protocol", size, limit });
        }
        Ok(part)
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<ClientResponsePart>, CodecError> {
        self.0.borrow_mut().decode_eof(src)
    }
}

/// Encodes requests, and looks after the connection. See [`client`].
pub struct HttpRequestEncoder {
    codec: Shared,
    /// What was written while `100 Continue` is waited for, in order.
    held: VecDeque<(ClientRequestPart, Promise)>,
    held_bytes: u64,
    held_bytes_max: u64,
    continue_wait: Duration,
    /// The timer of the wait for `100 Continue`.
    waiting: Option<TimerKey>,
}

type Cx<'a> = DuplexContext<'a, HttpRequestEncoder>;

impl HttpRequestEncoder {
    /// Sends a part; behind a head that expects a 100 the body has to wait.
    fn send(&mut self, cx: &mut Cx<'_>, part: ClientRequestPart, promise: Promise) -> Result<()> {
        let (part, body) = split_expecting(part);
        let expects = matches!(&part, ClientRequestPart::Head(head) if head.expects_continue()
            && head.declared_length() != Some(0));
        let sent = encode(&mut self.codec.borrow_mut(), cx, part);
        if let Err(error) = sent {
            return self.unsendable(cx, error, promise);
        }
        if expects {
            self.waiting = Some(cx.schedule(self.continue_wait, 0));
        }
        let Some(body) = body else {
            cx.promise_behind(promise);
            return Ok(());
        };
        self.hold(cx, ClientRequestPart::Body(body), Promise::NONE);
        self.hold(cx, ClientRequestPart::End, promise);
        Ok(())
    }

    fn hold(&mut self, cx: &mut Cx<'_>, part: ClientRequestPart, promise: Promise) {
        let bytes = bytes_of(&part);
        self.held_bytes += bytes;
        cx.account(bytes.cast_signed());
        self.held.push_back((part, promise));
    }

    /// Sends what was held, up to the next head that has to wait.
    fn release(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        if let Some(timer) = self.waiting.take() {
            cx.cancel(timer);
        }
        while self.waiting.is_none() {
            let Some((part, promise)) = self.held.pop_front() else { break };
            let bytes = bytes_of(&part);
            self.held_bytes -= bytes;
            cx.account(-bytes.cast_signed());
            self.send(cx, part, promise)?;
        }
        Ok(())
    }

    /// A part that cannot be sent is a mistake of the one who wrote it: that request fails. When some
    /// of it is out already, so does the connection.
    fn unsendable(&mut self, cx: &mut Cx<'_>, error: CodecError, promise: Promise) -> Result<()> {
        if self.codec.borrow().in_request() {
            tracing::error!(%error, "a request went wrong half-way: the connection is cut");
            cx.abort();
        } else if !promise.is_observed() {
            tracing::error!(%error, "a request cannot be sent");
        }
        promise.fail(error.into());
        Ok(())
    }

    /// What follows from the end of a response.
    fn follow(&mut self, cx: &mut Cx<'_>) {
        if self.codec.borrow().is_finished() {
            cx.close();
        }
    }
}

/// A whole request that has to wait is one in parts; its body is what waits.
fn split_expecting(part: ClientRequestPart) -> (ClientRequestPart, Option<Payload>) {
    match part {
        ClientRequestPart::Full(request)
            if request.head.expects_continue() && !request.body.is_empty() =>
        {
            let head = request.head.content_length(request.body.len() as u64);
            (ClientRequestPart::Head(head), Some(request.body))
        }
        other => (other, None),
    }
}

fn bytes_of(part: &ClientRequestPart) -> u64 {
    match part {
        ClientRequestPart::Body(body) => body.len() as u64,
        ClientRequestPart::Full(request) => {
            request.body.len() as u64 + head_bytes(&request.head.lines())
        }
        ClientRequestPart::Head(head) => head_bytes(&head.lines()),
        ClientRequestPart::Trailers(trailers) => trailers.as_slice().len() as u64,
        ClientRequestPart::End => 0,
    }
}

fn head_bytes(lines: &[&[u8]]) -> u64 {
    lines.iter().map(|lines| lines.len() as u64).sum()
}

/// Encodes a part, straight into the channel's outbound queue but for what is too large to copy.
fn encode(
    codec: &mut ClientCodec,
    cx: &mut Cx<'_>,
    part: ClientRequestPart,
) -> Result<(), CodecError> {
    write_gathered(cx, |dst| codec.encode_gather(part, dst, COPY_BYTES_MAX))
}

impl DuplexHandler for HttpRequestEncoder {
    type In = ClientResponsePart;
    type Out = ClientResponsePart;
    type WriteIn = ClientRequestPart;
    type WriteOut = Outgoing;

    fn read(&mut self, cx: &mut Cx<'_>, part: ClientResponsePart) -> Result<()> {
        let is_end = matches!(part, ClientResponsePart::End);
        match &part {
            ClientResponsePart::Interim(head)
                if head.status() == Status::CONTINUE
                    && self.waiting.is_some()
                    && self.codec.borrow().pending() == 1 =>
            {
                self.release(cx)?;
            }
            ClientResponsePart::Head(head) if self.codec.borrow().pending() == 1 => {
                // RFC 9110 section 10.1.1: the answer is there before the body; and RFC 9112
                // section 9.5: nobody reads the rest of it when the connection ends.
                let unwanted = self.waiting.is_some() || !head.keep_alive();
                if unwanted && self.codec.borrow().in_request() {
                    self.codec.borrow_mut().drop_body();
                    self.release(cx)?;
                }
            }
            _ => {}
        }
        cx.fire_read(part);
        if is_end {
            self.follow(cx);
        }
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_>, part: ClientRequestPart, promise: Promise) -> Result<()> {
        if self.waiting.is_none() {
            return self.send(cx, part, promise);
        }
        if self.held_bytes >= self.held_bytes_max {
            let (pending, limit) = (self.held_bytes as usize, self.held_bytes_max as usize);
            promise.fail(ErrorKind::OutboundFull { pending, limit }.into());
            tracing::error!("too much is written while `100 Continue` is waited for");
            cx.abort();
            return Ok(());
        }
        self.hold(cx, part, promise);
        Ok(())
    }

    /// No 100 has come: RFC 9110 section 10.1.1 has the body sent all the same.
    fn timer(&mut self, cx: &mut Cx<'_>, _tag: u64) -> Result<()> {
        self.waiting = None;
        self.release(cx)
    }

    fn read_closed(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.codec.borrow_mut().close_after_pending();
        cx.fire_read_closed();
        Ok(())
    }

    /// The connection ends behind the response that is due, or at once when none is.
    fn shutting_down(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let idle = self.codec.borrow().is_idle();
        if idle {
            cx.fire_shutting_down();
        } else {
            self.codec.borrow_mut().close_after_pending();
            cx.fire_event(NoMoreRequests);
        }
        Ok(())
    }

    fn error(&mut self, cx: &mut Cx<'_>, error: Error) -> Result<()> {
        if matches!(error.kind(), ErrorKind::Codec(_)) {
            cx.fire_error(error);
            cx.close_with(CloseReason::Protocol);
        } else {
            cx.fire_error(error);
        }
        Ok(())
    }
}

impl fmt::Debug for HttpResponseDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpResponseDecoder").field(&self.0).finish()
    }
}

impl fmt::Debug for HttpRequestEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequestEncoder")
            .field("codec", &self.codec)
            .field("held_bytes", &self.held_bytes)
            .field("is_waiting", &self.waiting.is_some())
            .finish_non_exhaustive()
    }
}
