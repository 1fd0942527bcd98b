//! One case of the decoder of responses, for the fuzzer and for the replay of its corpus.
//!
//! ```text
//!   0         1       2       3         4..
//!   options   chunk   limit   methods   the stream
//! ```
//! The stream is decoded as a whole, in chunks, and byte by byte, which must give the same. Each head
//! that passed is looked at through every accessor and passes again.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::http1::client::{
    ClientLimits, ClientResponseHead, ClientResponsePart, ResponseDecoder, ResponseLength,
};
use fyke_codecs::http1::{Limits, Method};

/// Bytes before the stream.
const HEADER: usize = 4;

/// A response put together again, as far as it came.
#[derive(Debug, Default, PartialEq, Eq)]
struct Response {
    interim: bool,
    head: Vec<u8>,
    body: Vec<u8>,
    trailers: Vec<u8>,
    ended: bool,
}

/// Decides the options by the header and checks the stream behind it.
///
/// # Panics
/// When a property does not hold.
pub(crate) fn check(input: &[u8]) {
    let Some((&[options, chunk, limit, methods], stream)) = input.split_first_chunk::<HEADER>()
    else {
        return;
    };
    let limits = match options & 1 {
        0 => ClientLimits::new(),
        _ => {
            let message = Limits::new()
                .head_bytes_max(u32::from(limit) * 2)
                .head_fields_max(u16::from(limit % 8))
                .trailer_bytes_max(u32::from(limit))
                .body_bytes_max(u64::from(limit));
            ClientLimits::of(message)
                .status_line_bytes_max(u32::from(limit))
                .interim_responses_max(u16::from(limit % 4))
        }
    };
    let all = [Method::Get, Method::Head, Method::Connect, Method::Post];
    let methods: Vec<_> = (0..4).map(|at| all[usize::from(methods >> (at * 2) & 3)]).collect();
    let whole = decode(limits, &methods, stream.chunks(stream.len().max(1)));
    let chunks = decode(limits, &methods, stream.chunks(usize::from(chunk).max(1)));
    assert_eq!(whole, chunks, "in chunks of {chunk}");
    assert_eq!(whole, decode(limits, &methods, stream.chunks(1)), "byte by byte");
    let taken: usize = whole.0.iter().map(|r| r.head.len() + r.body.len() + r.trailers.len()).sum();
    assert!(taken <= stream.len(), "{taken} bytes came out of {}", stream.len());
    for response in &whole.0 {
        let again = all.iter().any(|method| {
            let again = decode(ClientLimits::new(), &[*method], [&*response.head].into_iter()).0;
            again.first().is_some_and(|again| again.head == response.head)
        });
        assert!(again, "a head that passed passes again");
    }
}

/// The responses of a stream, and the error that ended it.
fn decode<'a>(
    limits: ClientLimits,
    methods: &[Method],
    chunks: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Response>, Option<String>) {
    let mut decoder = ResponseDecoder::new(limits);
    methods.iter().for_each(|method| decoder.expect(*method));
    let mut src = ByteBuf::new();
    let mut responses: Vec<Response> = Vec::new();
    let feed = || -> Result<(), CodecError> {
        for chunk in chunks {
            src.write_slice(chunk);
            while let Some(part) = decoder.decode(&mut src)? {
                join(&mut responses, part);
            }
        }
        while let Some(part) = decoder.decode_eof(&mut src)? {
            join(&mut responses, part);
        }
        Ok(())
    };
    let error = feed().err().map(|error| error.to_string());
    (responses, error)
}

fn join(responses: &mut Vec<Response>, part: ClientResponsePart) {
    match part {
        ClientResponsePart::Interim(head) => begin(responses, &head, true),
        ClientResponsePart::Head(head) => begin(responses, &head, false),
        part => {
            let last = responses.last_mut().expect("a head comes first");
            assert!(!last.ended && !last.interim, "nothing follows an end but a head");
            match part {
                ClientResponsePart::Body(piece) => {
                    assert!(!piece.is_empty(), "a piece of a body is never empty");
                    last.body.extend_from_slice(&piece);
                }
                ClientResponsePart::Trailers(trailers) => {
                    last.trailers.extend_from_slice(trailers.as_bytes());
                }
                _ => last.ended = true,
            }
        }
    }
}

fn begin(responses: &mut Vec<Response>, head: &ClientResponseHead, interim: bool) {
    let code = head.status().as_u16();
    assert_eq!(interim, code < 200 && head.body_length() != ResponseLength::Tunnel);
    assert!(head.has_body() || !matches!(head.body_length(), ResponseLength::Exact(_)));
    assert!(head.keep_alive() <= (head.body_length() != ResponseLength::UntilClose));
    assert!(head.as_bytes().ends_with(b"\r\n\r\n") || head.header_lines().is_empty());
    for field in head.headers() {
        assert!(!field.name.is_empty() && head.header(field.name).is_some());
    }
    assert!(!head.reason().contains(&b'\r'));
    responses.push(Response { interim, head: head.as_bytes().to_vec(), ..Response::default() });
}
