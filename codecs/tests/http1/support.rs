//! Runs a decoder over bytes and writes down everything it said.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::http1::{HttpError, Limits, RequestDecoder, RequestPart};

/// A request put together again, as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
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

    fn part(&mut self, part: RequestPart) {
        match part {
            RequestPart::Head(head) => self.requests.push(Request {
                head: String::from_utf8_lossy(head.as_bytes()).into_owned(),
                keep_alive: head.keep_alive(),
                expects_continue: head.expects_continue(),
                wants_upgrade: head.wants_upgrade(),
                ..Request::default()
            }),
            RequestPart::Body(piece) => {
                assert!(!piece.is_empty(), "a piece of a body is never empty");
                self.last().body.extend_from_slice(&piece);
            }
            RequestPart::End => self.last().ended = true,
            other => panic!("unknown part {other:?}"),
        }
    }

    fn last(&mut self) -> &mut Request {
        let last = self.requests.last_mut().expect("a head comes first");
        assert!(!last.ended, "nothing follows an end but a head");
        last
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
            outcome.part(part);
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
    let whole = feed(limits, [input], false);
    for cut in 1..input.len() {
        let parts = feed(limits, [&input[..cut], &input[cut..]], false);
        assert_eq!(parts, whole, "cut at {cut} of {:?}", input.escape_ascii().to_string());
    }
    let bytes = feed(limits, input.chunks(1), false);
    assert_eq!(bytes, whole, "byte by byte: {:?}", input.escape_ascii().to_string());
    whole
}
