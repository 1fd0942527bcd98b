//! Requests as they are written, and what cannot be.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};
use fyke_codecs::Payload;
use fyke_codecs::http1::client::{
    ClientCodec, ClientLimits, ClientRequest, ClientRequestHead, ClientRequestPart, RequestError,
};
use fyke_codecs::http1::{HeaderBlock, HeaderError, Method};

fn encode(parts: Vec<ClientRequestPart>) -> Result<String, CodecError> {
    let (mut codec, mut sent) = (ClientCodec::default(), ByteBuf::new());
    for part in parts {
        codec.encode(part, &mut sent)?;
    }
    Ok(String::from_utf8(sent.to_vec()).expect("requests of tests are text"))
}

fn get(target: &str) -> ClientRequest {
    ClientRequest::new(Method::Get, "a", target)
}

fn body(text: &'static str) -> ClientRequestPart {
    ClientRequestPart::Body(Payload::from(text))
}

/// RFC 9110 section 8.6, RFC 9112 section 3.2.
#[test]
fn whole_requests() {
    for (request, text) in [
        (get("/a?b"), "GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n"),
        (get("/").body("hi"), "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"),
        (
            ClientRequest::new(Method::Post, "[::1]:80", "/"),
            "POST / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            get("/").header("X-A", "b").header("connection", "Close").header("content-length", "0"),
            "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\nConnection: close\r\n\r\n",
        ),
        (
            get("/").header("Connection", "upgrade").header("Upgrade", "x"),
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        ),
        (ClientRequest::new(Method::Options, "a", "*"), "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            ClientRequest::new(Method::Connect, "b:1", "b:1"),
            "CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n",
        ),
        (get("http://b/c"), "GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n"),
        // RFC 9110 section 10.1.1: not without content.
        (get("/").expect_continue(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        assert_eq!(encode(vec![request.into()]).expect(text), text);
    }
}

#[test]
fn requests_in_parts() {
    let head = || ClientRequestHead::new(Method::Put, "a", "/");
    let chunked = encode(vec![
        head().into(),
        body("hello"),
        body(""),
        body("0123456789abcdef"),
        ClientRequestPart::Trailers(HeaderBlock::new(&[("X-Sum", "1")]).expect("it is a field")),
        ClientRequestPart::End,
        get("/2").into(),
    ]);
    assert_eq!(
        chunked.expect("it can be sent"),
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 1\r\n\r\n\
         GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
    );
    let sized = encode(vec![
        head().content_length(5).expect_continue().into(),
        body("he"),
        body("llo"),
        ClientRequestPart::End,
    ]);
    assert_eq!(
        sized.expect("it can be sent"),
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
    );
}

/// RFC 9112 section 11.1: nothing that is copied into a request makes two of it.
#[test]
fn splitting_is_impossible() {
    for target in
        ["/ HTTP/1.1\r\nX: y", "/a b", "/a\r", "/a\n", "/a\0", "/#f", "", "a", "*", "//\u{e4}"]
    {
        let made = ClientRequestHead::try_new(Method::Get, "a", target);
        assert_eq!(made.map(|_| ()), Err(RequestError::Target), "{target:?}");
        assert!(encode(vec![get(target).into()]).is_err());
    }
    for host in ["", "a b", "a\r\nX: y", "u@h", "a/b", "a,b", "a:b", ":1", "[::1"] {
        let made = ClientRequestHead::try_new(Method::Get, host, "/");
        assert_eq!(made.map(|_| ()), Err(RequestError::Host), "{host:?}");
    }
    for (name, value, error) in [
        ("X\r\nY", "a", HeaderError::Name),
        ("X Y", "a", HeaderError::Name),
        ("", "a", HeaderError::Name),
        ("X", "a\r\nY: b", HeaderError::Value),
        ("X", "a\nb", HeaderError::Value),
        ("X", "\0", HeaderError::Value),
        ("hOST", "b", HeaderError::Framing),
        ("Transfer-Encoding", "gzip", HeaderError::Framing),
        ("Content-Length", "1x", HeaderError::Framing),
        ("Expect", "200-ok", HeaderError::Value),
    ] {
        let mut head = ClientRequestHead::new(Method::Get, "a", "/");
        assert_eq!(head.try_header(name, value), Err(error), "{name:?}: {value:?}");
        assert!(encode(vec![get("/").header(name, value).into()]).is_err(), "{name:?}: {value:?}");
    }
}

#[test]
fn parts_that_do_not_fit() {
    let head = || ClientRequestPart::from(ClientRequestHead::new(Method::Post, "a", "/"));
    let sized = |len| {
        ClientRequestPart::from(ClientRequestHead::new(Method::Post, "a", "/").content_length(len))
    };
    let late = |name| {
        ClientRequestPart::Trailers(HeaderBlock::new(&[(name, "x")]).expect("it is a field"))
    };
    for (what, parts) in [
        ("body first", vec![body("x")]),
        ("end first", vec![ClientRequestPart::End]),
        ("two heads", vec![head(), head()]),
        ("too long", vec![sized(1), body("xy")]),
        ("too short", vec![sized(2), body("x"), ClientRequestPart::End]),
        ("trailers without chunks", vec![sized(1), body("x"), late("X")]),
        ("forbidden trailer", vec![head(), late("Host")]),
        ("forbidden trailer", vec![head(), late("content-encoding")]),
        ("after the last", vec![get("/").close().into(), get("/").into()]),
        ("length", vec![get("/").body("x").header("Content-Length", "2").into()]),
        ("content", vec![ClientRequest::new(Method::Trace, "a", "/").body("x").into()]),
        ("content", vec![ClientRequestHead::new(Method::Trace, "a", "/").into()]),
    ] {
        assert!(encode(parts).is_err(), "{what}");
    }
}

#[test]
fn requests_ahead_of_their_responses_are_limited() {
    let mut codec = ClientCodec::new(ClientLimits::new().pipelined_requests_max(2));
    let mut sent = ByteBuf::new();
    for fits in [true, true, false] {
        assert_eq!(codec.encode(get("/").into(), &mut sent).is_ok(), fits);
    }
    let mut received = ByteBuf::from("HTTP/1.1 204 No Content\r\n\r\n");
    while let Ok(Some(_)) = codec.decode(&mut received) {}
    assert_eq!(codec.pending(), 1);
    assert!(codec.encode(get("/").into(), &mut sent).is_ok());
}
