//! One case of the HTTP/1.1 server codec, for the fuzzer and for the replay of its corpus.
//!
//! ```text
//!   0         1       2       3        4..
//!   options   chunk   limit   answer   the stream
//! ```
//! The stream is decoded as a whole, in chunks, and byte by byte, which must give the same. What came
//! out is looked at through every accessor, sent once more in both framings, and answered.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};
use fyke_codecs::http1::{
    HttpError, Limits, RequestDecoder, RequestHead, RequestPart, Response, ResponseHead,
    ResponsePart, ServerCodec, Status, Validators,
};

/// Bytes before the stream.
const HEADER: usize = 4;

/// A request put together again, as far as it came.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
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
    let Some((&[options, chunk, limit, answer], stream)) = input.split_first_chunk::<HEADER>()
    else {
        return;
    };
    let limits = match options & 1 {
        0 => Limits::new(),
        _ => Limits::new()
            .head_bytes_max(u32::from(limit) * 2)
            .head_fields_max(u16::from(limit % 8))
            .trailer_fields_max(u16::from(limit % 3))
            .trailer_bytes_max(u32::from(limit))
            .chunk_line_bytes_max(u32::from(limit % 32))
            .body_bytes_max(u64::from(limit)),
    };
    let whole = decode(limits, stream.chunks(stream.len().max(1)));
    let chunks = decode(limits, stream.chunks(usize::from(chunk).max(1)));
    assert_eq!(whole, chunks, "in chunks of {chunk}");
    assert_eq!(whole, decode(limits, stream.chunks(1)), "byte by byte");
    let taken: usize = whole.0.iter().map(|r| r.head.len() + r.body.len() + r.trailers.len()).sum();
    assert!(taken <= stream.len(), "{taken} bytes came out of {}", stream.len());
    for request in &whole.0 {
        // A head that passed passes again.
        let again = decode(Limits::new(), [&*request.head].into_iter()).0;
        assert_eq!(again.first().map(|again| &again.head), Some(&request.head));
    }
    for request in whole.0.iter().filter(|request| request.ended) {
        check_again(&request.body, usize::from(chunk).max(1));
    }
    check_answers(limits, stream, usize::from(chunk).max(1), answer);
}

/// The requests of a stream, and the error that ended it.
fn decode<'a>(
    limits: Limits,
    chunks: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Request>, Option<String>) {
    let mut decoder = RequestDecoder::new(limits);
    let mut src = ByteBuf::new();
    let mut requests: Vec<Request> = Vec::new();
    let feed = || -> Result<(), CodecError> {
        for chunk in chunks {
            src.write_slice(chunk);
            while let Some(part) = decoder.decode(&mut src)? {
                join(&mut requests, part);
            }
        }
        while let Some(part) = decoder.decode_eof(&mut src)? {
            join(&mut requests, part);
        }
        Ok(())
    };
    let error = feed().err().map(|error| error.to_string());
    (requests, error)
}

fn join(requests: &mut Vec<Request>, part: RequestPart) {
    if let Some(head) = part.head() {
        assert!(requests.last().is_none_or(|last| last.ended), "a head inside a request");
        check_head(head);
        let ended = matches!(part, RequestPart::Full(_));
        requests.push(Request { head: head.as_bytes().to_vec(), ended, ..Request::default() });
        return;
    }
    let last = requests.last_mut().expect("a head comes first");
    assert!(!last.ended, "a part behind the end");
    match part {
        RequestPart::Body(piece) => {
            assert!(!piece.is_empty(), "an empty piece");
            last.body.extend_from_slice(&piece);
        }
        RequestPart::Trailers(trailers) => {
            let fields = trailers.iter().map(|field| field.name).collect::<Vec<_>>();
            assert!(fields.iter().all(|name| trailers.get(name).is_some()));
            last.trailers = trailers.as_bytes().to_vec();
        }
        RequestPart::End => last.ended = true,
        _ => panic!("an unknown part"),
    }
}

/// No accessor panics, and they agree with each other.
fn check_head(head: &RequestHead) {
    assert!(head.path().starts_with(['/', '*']), "{:?}", head.path());
    assert!(head.target().contains(head.path()) || head.path() == "/");
    assert!(head.query().is_none_or(|query| head.target().ends_with(query)));
    let mut lines = 0;
    for field in head.headers() {
        lines += 1;
        assert!(head.header(field.name).is_some(), "{field:?}");
        assert!(!field.name.is_empty() && !field.value.contains(&b'\r'), "{field:?}");
        assert!(!field.value.contains(&b'\n') && !field.value.contains(&0), "{field:?}");
    }
    assert_eq!(head.header_lines().iter().filter(|&&b| b == b'\n').count(), lines);
    let framing = head.header_all("content-length").count();
    assert!(framing + head.header_all("transfer-encoding").count() <= 1, "framed twice");
    assert!(head.header_all("host").count() <= 1, "two hosts");
    let _ = (head.authority(), head.keep_alive(), head.expects_continue(), head.wants_upgrade());
    let _ = Validators::new().last_modified(1).check(head, 2);
    let _ = fyke_codecs::http1::Ranges::of(head, 1000, 4);
}

/// A body comes through both framings as it is.
fn check_again(body: &[u8], chunk: usize) {
    let head = "POST / HTTP/1.1\r\nHost: a\r\n";
    let sized = [format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for piece in body.chunks(chunk) {
        chunked.extend(format!("{:x}\r\n", piece.len()).bytes());
        chunked.extend(piece);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    for form in [sized, chunked] {
        let (requests, error) = decode(Limits::new(), form.chunks(chunk));
        assert_eq!(error, None);
        let [request] = &requests[..] else { panic!("{requests:?}") };
        assert!(request.ended && request.body == body);
    }
}

/// Every request gets one answer, in whatever form, and nothing follows the last one.
fn check_answers(limits: Limits, stream: &[u8], chunk: usize, answer: u8) {
    let mut codec = ServerCodec::new(limits);
    codec.set_unix_time(u64::from(answer));
    let (mut src, mut dst) = (ByteBuf::new(), ByteBuf::new());
    let mut answers = 0;
    for piece in stream.chunks(chunk) {
        src.write_slice(piece);
        loop {
            match codec.decode(&mut src) {
                Ok(Some(RequestPart::Full(_) | RequestPart::End)) => {
                    answers += give(&mut codec, answer, &mut dst)
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    let refusal = *HttpError::of(&error).expect("the peer's fault");
                    if codec.encode(refusal.response().into(), &mut dst).is_ok() {
                        answers += 1;
                    }
                    assert!(codec.is_finished(), "an error is the end");
                    assert!(matches!(codec.decode(&mut src), Ok(None)));
                    assert_eq!(statuses(&dst), answers);
                    return;
                }
            }
            if codec.is_finished() {
                let more = codec.encode(Response::new(Status::OK).into(), &mut dst);
                assert!(more.is_err(), "an answer behind the last one");
            }
        }
    }
    assert_eq!(statuses(&dst), answers);
}

fn give(codec: &mut ServerCodec, answer: u8, dst: &mut ByteBuf) -> usize {
    if codec.pending() == 0 || codec.is_finished() {
        return 0;
    }
    let head = ResponseHead::new(Status::OK);
    let parts: Vec<ResponsePart> = match answer % 4 {
        0 => vec![Response::new(Status::OK).body("hi").into()],
        1 => vec![Response::new(Status::NO_CONTENT).into()],
        2 => vec![head.into(), ResponsePart::Body("hi".into()), ResponsePart::End],
        _ => vec![head.content_length(0).into(), ResponsePart::End],
    };
    for part in parts {
        codec.encode(part, dst).expect("a good answer");
    }
    1
}

fn statuses(dst: &ByteBuf) -> usize {
    dst.windows(9).filter(|bytes| bytes == b"HTTP/1.1 ").count()
}
