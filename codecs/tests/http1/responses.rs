//! What goes out for a response, by what the request was.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder, Fault};
use fyke_codecs::Payload;
use fyke_codecs::http1::{
    HeaderBlock, HeaderError, HttpError, RequestPart, Response, ResponseHead, ResponsePart,
    ServerCodec, Status,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const CLOSE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const OLD: &str = "GET / HTTP/1.0\r\n\r\n";
const OLD_KEEP: &str = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

/// A codec that has read `request` whole.
fn after(request: &str) -> ServerCodec {
    let mut codec = ServerCodec::default();
    let mut src = ByteBuf::from(request);
    while let Some(part) = codec.decode(&mut src).expect("a good request") {
        drop::<RequestPart>(part);
    }
    codec
}

fn encode(codec: &mut ServerCodec, parts: Vec<ResponsePart>) -> Result<String, CodecError> {
    let mut dst = ByteBuf::new();
    for part in parts {
        codec.encode(part, &mut dst)?;
    }
    Ok(String::from_utf8_lossy(&dst).into_owned())
}

fn full(request: &str, response: Response) -> (String, bool) {
    let mut codec = after(request);
    let text = encode(&mut codec, vec![response.into()]).expect("a good response");
    (text, codec.is_finished())
}

fn streamed(request: &str, head: ResponseHead, pieces: &[&'static str]) -> (String, bool) {
    let mut codec = after(request);
    let mut parts = vec![ResponsePart::Head(head)];
    parts.extend(pieces.iter().map(|&piece| ResponsePart::Body(piece.into())));
    parts.push(ResponsePart::End);
    let text = encode(&mut codec, parts).expect("a good response");
    (text, codec.is_finished())
}

/// (clause, request, response, what goes out, whether the connection ends)
#[test]
#[rustfmt::skip]
fn whole_responses() {
    let ok = || Response::new(Status::OK).body("hi");
    let table: Vec<(&str, &str, Response, &str, bool)> = vec![
        ("9112-6.2", GET, ok(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", false),
        ("9112-6.2 empty", GET, Response::new(Status::OK), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("9110-9.3.2 HEAD", HEAD, ok(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", false),
        ("9110-9.3.2 HEAD, no body", HEAD, Response::new(Status::OK), "HTTP/1.1 200 OK\r\n\r\n", false),
        ("9110-8.6 HEAD, declared", HEAD, Response::new(Status::OK).header("content-length", "77"), "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n", false),
        ("9110-8.6 204", GET, Response::new(Status::NO_CONTENT).body("hi"), "HTTP/1.1 204 No Content\r\n\r\n", false),
        ("9110-15.3.6 205", GET, Response::new(Status::RESET_CONTENT).body("hi"), "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", false),
        ("9110-15.4.5 304", GET, Response::new(Status::NOT_MODIFIED).body("hi"), "HTTP/1.1 304 Not Modified\r\n\r\n", false),
        ("9110-8.6 304, declared", GET, Response::new(Status::NOT_MODIFIED).header("Content-Length", "9"), "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false),
        ("9112-9.6 client closes", CLOSE, ok(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", true),
        ("9112-9.6 server closes", GET, ok().close(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", true),
        ("9112-9.6 by field", GET, ok().header("Connection", "close"), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", true),
        ("9112-9.3 HTTP/1.0", OLD, ok(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", true),
        ("9112-9.3 HTTP/1.0 stays", OLD_KEEP, ok(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi", false),
        ("9110-15 unregistered status", GET, Response::new(Status::from_u16(299).unwrap_or(Status::OK)), "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n", false),
        ("9112-5 fields", GET, ok().header("A", "b").header("C", "\u{e4}\t"), "HTTP/1.1 200 OK\r\nA: b\r\nC: \u{e4}\t\r\nContent-Length: 2\r\n\r\nhi", false),
        ("9112-9.1 keep-alive is ours", GET, ok().header("Connection", "keep-alive"), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", false),
    ];
    for (clause, request, response, expected, finished) in table {
        assert_eq!(full(request, response), (expected.to_owned(), finished), "{clause}");
    }
}

#[test]
#[rustfmt::skip]
fn streamed_responses() {
    let ok = || ResponseHead::new(Status::OK);
    let body: &'static [&'static str] = &["hello", "", " world, hello"];
    type Row = (&'static str, &'static str, ResponseHead, &'static [&'static str], &'static str, bool);
    let table: Vec<Row> = vec![
        ("9112-7.1", GET, ok(), body, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nd\r\n world, hello\r\n0\r\n\r\n", false),
        ("9112-7.1 nothing", GET, ok(), &[], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false),
        ("9112-6.2", GET, ok().content_length(18), body, "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\nhello world, hello", false),
        ("9112-6.1 HEAD", HEAD, ok(), body, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false),
        ("9110-8.6 HEAD, declared", HEAD, ok().content_length(3), body, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false),
        ("9112-6.3 HTTP/1.0", OLD, ok(), body, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world, hello", true),
        ("9112-6.3 HTTP/1.0 wanted to stay", OLD_KEEP, ok(), body, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world, hello", true),
        ("9112-6.2 HTTP/1.0 stays", OLD_KEEP, ok().content_length(18), body, "HTTP/1.1 200 OK\r\nContent-Length: 18\r\nConnection: keep-alive\r\n\r\nhello world, hello", false),
        ("9112-6.1 204", GET, ResponseHead::new(Status::NO_CONTENT), body, "HTTP/1.1 204 No Content\r\n\r\n", false),
        ("9112-9.6", CLOSE, ok(), &["x"], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n", true),
    ];
    for (clause, request, head, pieces, expected, finished) in table {
        assert_eq!(streamed(request, head, pieces), (expected.to_owned(), finished), "{clause}");
    }
}

// RFC 9112 section 7.1.2: only chunks have a place for trailers.
#[test]
fn trailers_go_behind_the_chunks_and_nowhere_else() {
    let trailers = || HeaderBlock::new(&[("Digest", "x"), ("X", "y")]).expect("good fields");
    for (request, head, expected) in [
        (GET, ResponseHead::new(Status::OK), "2\r\nhi\r\n0\r\nDigest: x\r\nX: y\r\n\r\n"),
        (GET, ResponseHead::new(Status::OK).content_length(2), "Content-Length: 2\r\n\r\nhi"),
        (HEAD, ResponseHead::new(Status::OK), "Transfer-Encoding: chunked\r\n\r\n"),
        (OLD, ResponseHead::new(Status::OK), "Connection: close\r\n\r\nhi"),
    ] {
        let mut codec = after(request);
        let parts = vec![
            ResponsePart::Head(head),
            ResponsePart::Body("hi".into()),
            ResponsePart::Trailers(trailers()),
            ResponsePart::End,
        ];
        let text = encode(&mut codec, parts).expect("a good response");
        assert!(text.ends_with(expected), "{text}");
    }
    assert!(encode(&mut after(GET), vec![ResponsePart::Trailers(trailers())]).is_err());
    assert!(HeaderBlock::new(&[("Content-Length", "1")]).is_err(), "no framing behind the body");
}

#[test]
fn a_response_cannot_be_split() {
    // RFC 9112 section 11.1.
    for (name, value) in [
        ("A", "b\r\nSet-Cookie: c"),
        ("A", "b\nc"),
        ("A", "b\rc"),
        ("A", "b\0"),
        ("A", "b\u{7f}"),
        ("A b", "c"),
        ("A:", "b"),
        ("", "b"),
        ("A\r\nB", "c"),
        ("\u{e4}", "b"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "5x"),
    ] {
        let head = ResponseHead::new(Status::OK);
        assert!(head.header(name, value).try_header("X", "y").is_ok());
        assert!(ResponseHead::new(Status::OK).try_header(name, value).is_err(), "{name:?}");
        assert!(HeaderBlock::new(&[(name, value)]).is_err(), "{name:?}");
        let mut codec = after(GET);
        let part = Response::new(Status::OK).header(name, value).into();
        let error = encode(&mut codec, vec![part]).expect_err(name);
        assert_eq!(error.fault(), Fault::Caller, "{name:?}: {value:?}");
    }
    assert_eq!(HeaderBlock::new(&[("Date", "now")]).err(), Some(HeaderError::Framing));
}

#[test]
fn prepared_lines_and_the_date() {
    let block = HeaderBlock::new(&[("Server", "fyke"), ("Content-Type", "text/plain")])
        .expect("good fields");
    let mut codec = after(&GET.repeat(3));
    codec.set_unix_time(784_111_777);
    let hello = || Response::new(Status::OK).block(&block).body("Hello, World!");
    assert_eq!(
        encode(&mut codec, vec![hello().into()]).expect("good"),
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: fyke\r\n\
         Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!"
    );
    codec.set_unix_time(784_111_778);
    let text = encode(&mut codec, vec![hello().into()]).expect("good");
    assert!(text.contains("08:49:38 GMT"), "{text}");
    let own = Response::new(Status::OK).header("date", "never");
    let text = encode(&mut codec, vec![own.into()]).expect("good");
    assert_eq!(text, "HTTP/1.1 200 OK\r\ndate: never\r\nContent-Length: 0\r\n\r\n");
}

#[test]
fn a_large_body_is_handed_back_instead_of_copied() {
    let body = "x".repeat(100);
    let mut codec = after(&GET.repeat(2));
    let mut dst = ByteBuf::new();
    let response = Response::new(Status::OK).body(body.clone());
    let rest = codec.encode_gather(response.into(), &mut dst, 99).expect("good").expect("large");
    assert_eq!(dst, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"[..]);
    assert_eq!((&rest.body[..], rest.behind), (body.as_bytes(), &b""[..]));

    dst.clear();
    let head = ResponsePart::Head(ResponseHead::new(Status::OK));
    assert!(codec.encode_gather(head, &mut dst, 99).expect("good").is_none());
    dst.clear();
    let piece = ResponsePart::Body(body.clone().into());
    let rest = codec.encode_gather(piece, &mut dst, 99).expect("good").expect("large");
    assert_eq!((&dst[..], rest.behind), (&b"64\r\n"[..], &b"\r\n"[..]));
    let small = codec.encode_gather(ResponsePart::Body("y".into()), &mut dst, 99).expect("good");
    assert!(small.is_none());
}

#[test]
fn what_does_not_fit_where_it_stands_is_an_error() {
    let head = || ResponsePart::Head(ResponseHead::new(Status::OK).content_length(2));
    let body = |text: &'static str| ResponsePart::Body(Payload::from(text));
    let full = || ResponsePart::Full(Response::new(Status::OK));
    let declared = Response::new(Status::OK).header("Content-Length", "5").body("four");
    let table: Vec<(&str, &str, Vec<ResponsePart>)> = vec![
        ("nothing was asked", "", vec![full()]),
        ("answered already", GET, vec![full(), full()]),
        ("body without a head", GET, vec![body("x")]),
        ("end without a head", GET, vec![ResponsePart::End]),
        ("two heads", GET, vec![head(), head()]),
        ("whole response inside another", GET, vec![head(), full()]),
        ("body too long", GET, vec![head(), body("abc")]),
        ("body too short", GET, vec![head(), body("a"), ResponsePart::End]),
        ("behind the last one", CLOSE, vec![full(), full()]),
        ("length that is not true", GET, vec![declared.into()]),
        (
            "101 nobody asked for",
            GET,
            vec![ResponsePart::Head(ResponseHead::new(Status::SWITCHING_PROTOCOLS))],
        ),
        (
            "interim response with a body",
            GET,
            vec![Response::new(Status::CONTINUE).body("x").into()],
        ),
    ];
    for (name, request, parts) in table {
        let mut codec = after(request);
        assert!(matches!(encode(&mut codec, parts), Err(CodecError::Unencodable { .. })), "{name}");
    }
}

#[test]
fn a_full_buffer_is_an_error_and_not_a_panic() {
    let mut codec = after(GET);
    let mut dst = ByteBuf::with_max_capacity(16);
    let part = Response::new(Status::OK).body("x".repeat(64)).into();
    assert!(matches!(codec.encode(part, &mut dst), Err(CodecError::Unencodable { .. })));
}

#[test]
fn an_error_makes_its_own_answer() {
    let error = HttpError::new(Status::METHOD_NOT_ALLOWED, "method not allowed");
    let (text, finished) = full(GET, error.response());
    assert!(text.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{text}");
    assert!(text.contains("\r\nAllow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n"), "{text}");
    assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nmethod not allowed") && finished);
}
