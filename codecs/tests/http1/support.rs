//! Runs a decoder over bytes and writes down everything it said.

use fyke_buffer::ByteBuf;
use fyke_codec::check::every_split_with;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::http1::{HttpError, Limits, RequestDecoder, RequestPart};

/// A request put together again, as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<u8>,
    pub(crate) ended: bool,
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
    pub(crate) wants_upgrade: bool,
}

/// Everything a decoder said about an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) requests: Vec<Request>,
    /// Status and reason of the refusal; status 0 for an error of another kind.
    pub(crate) error: Option<(u16, String)>,
    /// Bytes the decoder left untouched; not counted after an error.
    pub(crate) left: usize,
}

impl Outcome {
    pub(crate) fn status(&self) -> Option<u16> {
        self.error.as_ref().map(|(status, _)| *status)
    }
}

/// Puts requests together again from their parts.
fn join(requests: &mut Vec<Request>, part: RequestPart) {
    if let Some(head) = part.head() {
        assert!(requests.last().is_none_or(|last| last.ended), "a head inside a request");
        requests.push(Request {
            head: String::from_utf8_lossy(head.as_bytes()).into_owned(),
            keep_alive: head.keep_alive(),
            expects_continue: head.expects_continue(),
            wants_upgrade: head.wants_upgrade(),
            ended: matches!(part, RequestPart::Full(_)),
            ..Request::default()
        });
        return;
    }
    let last = requests.last_mut().expect("a head comes first");
    assert!(!last.ended, "nothing follows an end but a head");
    match part {
        RequestPart::Body(piece) => {
            assert!(!piece.is_empty(), "a piece of a body is never empty");
            last.body.extend_from_slice(&piece);
        }
        RequestPart::Trailers(trailers) => last.trailers = trailers.as_bytes().to_vec(),
        RequestPart::End => last.ended = true,
        other => panic!("unknown part {other:?}"),
    }
}

/// Feeds the pieces one after the other, pulling after each; `eof` says the input ends there.
pub(crate) fn feed<'a>(
    limits: Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    eof: bool,
) -> Outcome {
    let mut decoder = RequestDecoder::new(limits);
    let mut src = ByteBuf::new();
    let mut outcome = Outcome::default();
    let mut note = |decoded: Result<Option<RequestPart>, CodecError>| match decoded {
        Ok(Some(part)) => {
            join(&mut outcome.requests, part);
            true
        }
        Ok(None) => false,
        Err(error) => {
            let said = HttpError::of(&error).map(|e| (e.status().as_u16(), e.what().to_owned()));
            outcome.error = Some(said.unwrap_or((0, error.to_string())));
            false
        }
    };
    for piece in pieces {
        src.write_slice(piece);
        while note(decoder.decode(&mut src)) {}
    }
    if eof {
        while note(decoder.decode_eof(&mut src)) {}
    }
    if outcome.error.is_none() {
        outcome.left = src.readable();
    }
    outcome
}

/// What the decoder says about `input`, which must not depend on how the input is cut.
pub(crate) fn decode(input: &[u8]) -> Outcome {
    decode_with(Limits::new(), input)
}

pub(crate) fn decode_with(limits: Limits, input: &[u8]) -> Outcome {
    let checked = every_split_with(|| RequestDecoder::new(limits), input, join);
    let checked = checked.unwrap_or_else(|violation| {
        panic!("{violation} in {:?}", input.escape_ascii().to_string());
    });
    let whole = feed(limits, [input], false);
    assert_eq!(checked.items, whole.requests);
    whole
}
