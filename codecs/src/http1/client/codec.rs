//! Both directions of a client's connection, and what they have to know of each other.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};

use super::decoder::ResponseDecoder;
use super::encoder::RequestEncoder;
use super::head::Asked;
use super::limits::ClientLimits;
use super::request::{ClientRequestHead, ClientRequestPart};
use super::response::ClientResponsePart;
use crate::http1::Gather;
use crate::http1::encoder::unencodable;

/// Encodes requests and decodes the responses to them, in the same order.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::{CodecError, Decoder, Encoder};
/// use fyke_codecs::http1::Method;
/// use fyke_codecs::http1::client::{ClientCodec, ClientRequest, ClientResponsePart};
///
/// let mut codec = ClientCodec::default();
/// let mut sent = ByteBuf::new();
/// codec.encode(ClientRequest::new(Method::Get, "localhost", "/hello").into(), &mut sent)?;
/// assert_eq!(sent, b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"[..]);
///
/// let mut received = ByteBuf::from("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// let Some(ClientResponsePart::Head(head)) = codec.decode(&mut received)? else { panic!() };
/// assert_eq!(head.status().as_u16(), 200);
/// let Some(ClientResponsePart::Body(body)) = codec.decode(&mut received)? else { panic!() };
/// assert_eq!(body, b"hello"[..]);
/// # Ok::<(), CodecError>(())
/// ```
#[derive(Debug, Default)]
pub struct ClientCodec {
    decoder: ResponseDecoder,
    encoder: RequestEncoder,
    limits: ClientLimits,
}

impl ClientCodec {
    /// A codec with these limits.
    #[must_use]
    pub fn new(limits: ClientLimits) -> Self {
        Self { decoder: ResponseDecoder::new(limits), encoder: RequestEncoder::default(), limits }
    }

    /// Requests whose responses are not complete.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.decoder.pending()
    }

    /// Whether no request is being sent or answered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pending() == 0 && self.decoder.is_between() && !self.encoder.in_body()
    }

    /// Whether another request may be sent on this connection, now or later.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        !self.encoder.is_last() && !self.decoder.is_closed() && !self.decoder.is_raw()
    }

    /// Whether all has been said: no response is due and no request can follow. Close.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !self.decoder.is_raw()
            && (self.decoder.is_closed() || (self.encoder.is_last() && self.pending() == 0))
    }

    /// Whether a request has begun that is not complete.
    #[must_use]
    pub fn in_request(&self) -> bool {
        self.encoder.in_body()
    }

    /// Whether another protocol took over: the codec does nothing any more.
    #[must_use]
    pub fn is_upgraded(&self) -> bool {
        self.decoder.is_raw()
    }

    /// Sends no further request; what has been sent is still answered.
    pub fn close_after_pending(&mut self) {
        self.encoder.make_last();
    }

    /// Drops the rest of the body that is being sent, because the server has answered already. The
    /// connection ends with that answer.
    pub fn drop_body(&mut self) {
        self.encoder.drop_body();
    }

    /// Like `encode`, but hands a body of more than `copy_bytes_max` bytes back instead of copying it.
    ///
    /// # Errors
    /// When the part does not fit where it stands, or cannot be sent at all.
    pub fn encode_gather(
        &mut self,
        part: ClientRequestPart,
        dst: &mut ByteBuf,
        copy_bytes_max: usize,
    ) -> Result<Option<Gather>, CodecError> {
        match part {
            ClientRequestPart::Full(request) => {
                self.begin()?;
                let asked = asked(&request.head);
                let rest = self.encoder.full(request, dst, copy_bytes_max)?;
                self.decoder.ask(asked);
                Ok(rest)
            }
            ClientRequestPart::Head(head) => {
                self.begin()?;
                self.encoder.start(&head, dst)?;
                self.decoder.ask(asked(&head));
                Ok(None)
            }
            ClientRequestPart::Body(body) => self.encoder.body(body, dst, copy_bytes_max),
            ClientRequestPart::Trailers(trailers) => self.encoder.trailers(trailers).map(|()| None),
            ClientRequestPart::End => self.encoder.end(dst).map(|()| None),
        }
    }

    fn begin(&self) -> Result<(), CodecError> {
        if self.decoder.is_closed() || self.decoder.is_raw() {
            return Err(unencodable("a request behind the last response"));
        }
        if self.pending() >= usize::from(self.limits.pipelined_requests_max) {
            return Err(unencodable("more requests than may wait for their responses"));
        }
        Ok(())
    }
}

fn asked(head: &ClientRequestHead) -> Asked {
    Asked { method: head.method(), upgrade: head.upgrades(), close: head.closes() }
}

impl Decoder for ClientCodec {
    type Item = ClientResponsePart;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ClientResponsePart>, CodecError> {
        self.decoder.decode(src)
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<ClientResponsePart>, CodecError> {
        self.decoder.decode_eof(src)
    }
}

impl Encoder<ClientRequestPart> for ClientCodec {
    fn encode(&mut self, part: ClientRequestPart, dst: &mut ByteBuf) -> Result<(), CodecError> {
        let rest = self.encode_gather(part, dst, usize::MAX)?;
        debug_assert!(rest.is_none(), "a body within the limit is copied");
        Ok(())
    }
}
