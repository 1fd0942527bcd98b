//! Runs a response decoder over bytes and writes down everything it said.

use fyke_buffer::ByteBuf;
use fyke_codec::check::every_split_with;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::http1::Method;
use fyke_codecs::http1::client::{
    ClientLimits, ClientResponsePart, ResponseDecoder, ResponseError, ResponseErrorKind,
};

/// A response put together again, as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) ended: bool,
    pub(crate) keep_alive: bool,
}

fn join(responses: &mut Vec<Response>, part: ClientResponsePart) {
    if let ClientResponsePart::Interim(head) | ClientResponsePart::Head(head) = &part {
        let interim = matches!(part, ClientResponsePart::Interim(_));
        responses.push(Response {
            status: head.status().as_u16(),
            head: String::from_utf8_lossy(head.as_bytes()).into_owned(),
            body: String::new(),
            ended: interim,
            keep_alive: head.keep_alive(),
        });
        return;
    }
    let last = responses.last_mut().expect("a head comes first");
    assert!(!last.ended, "nothing follows an end but a head");
    match part {
        ClientResponsePart::Body(piece) => {
            assert!(!piece.is_empty(), "a piece of a body is never empty");
            last.body.push_str(&String::from_utf8_lossy(&piece));
        }
        ClientResponsePart::End => last.ended = true,
        _ => {}
    }
}

/// What the decoder made of the whole input and of its end.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) responses: Vec<Response>,
    pub(crate) error: Option<CodecError>,
    /// How many items were there before the end of the stream.
    pub(crate) before_eof: Option<usize>,
}

impl Outcome {
    pub(crate) fn kind(&self) -> Option<ResponseErrorKind> {
        self.error.as_ref().and_then(ResponseError::of).map(ResponseError::kind)
    }

    pub(crate) fn is_truncated(&self) -> bool {
        matches!(self.error, Some(CodecError::Truncated { .. }))
    }
}

fn primed(limits: ClientLimits, methods: &[Method]) -> ResponseDecoder {
    let mut decoder = ResponseDecoder::new(limits);
    for method in methods {
        decoder.expect(*method);
    }
    decoder
}

/// What the decoder says about the answers to GET, which must not depend on how they are cut.
pub(crate) fn decode(input: &str) -> Outcome {
    decode_to(&[Method::Get; 8], input)
}

pub(crate) fn decode_to(methods: &[Method], input: &str) -> Outcome {
    decode_with(ClientLimits::new(), methods, input.as_bytes())
}

pub(crate) fn decode_with(limits: ClientLimits, methods: &[Method], input: &[u8]) -> Outcome {
    let checked = every_split_with(|| primed(limits, methods), input, join);
    let checked = checked.unwrap_or_else(|violation| {
        panic!("{violation} in {:?}", input.escape_ascii().to_string());
    });
    let (before_eof, error) = (checked.items_before_eof, checked.error);
    Outcome { responses: checked.items, error, before_eof }
}

/// Decodes as far as it goes without an end; answers what is left in the buffer, too.
pub(crate) fn feed<'a>(
    limits: ClientLimits,
    methods: &[Method],
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Response>, Option<String>, ByteBuf) {
    let mut decoder = primed(limits, methods);
    let (mut src, mut responses) = (ByteBuf::new(), Vec::new());
    for piece in pieces {
        src.write_slice(piece);
        loop {
            match decoder.decode(&mut src) {
                Ok(Some(part)) => join(&mut responses, part),
                Ok(None) => break,
                Err(error) => return (responses, Some(error.to_string()), ByteBuf::new()),
            }
        }
    }
    (responses, None, src)
}
