//! What is accepted, and what the parts say.

use crate::support::{decode, feed};
use fyke_buffer::ByteBuf;
use fyke_codec::Decoder;
use fyke_codecs::http1::{
    BodyLength, Limits, Method, RequestDecoder, RequestHead, RequestPart, Version,
};

fn head(text: &str) -> RequestHead {
    let mut src = ByteBuf::from(text);
    match RequestDecoder::default().decode(&mut src) {
        Ok(Some(RequestPart::Full(head) | RequestPart::Head(head))) => head,
        other => panic!("{text:?} gave {other:?}"),
    }
}

/// (clause, input, bodies of the requests in it).
#[rustfmt::skip]
const ACCEPTED: &[(&str, &str, &[&str])] = &[
    ("9112-2.2 an empty line before", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
    ("9112-2.3 later minor version", "GET / HTTP/1.9\r\nHost: a\r\n\r\n", &[""]),
    ("9112-3.2.1 origin form", "GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
    ("9112-3.2.1 what browsers leave as it is", "GET /?a=|{}^`[]\\ HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
    ("9112-3.2.2 absolute form", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", &[""]),
    ("9112-3.2.2 absolute form without a path", "GET HTTP://a:80?x HTTP/1.1\r\nHost: b\r\n\r\n", &[""]),
    ("9112-3.2.4 asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
    ("9112-3.2 Host with a port", "GET / HTTP/1.1\r\nHost: a.b:8080\r\n\r\n", &[""]),
    ("9112-3.2 Host with an IPv6 address", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", &[""]),
    ("9112-3.2 no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", &[""]),
    ("9112-5.1 no white space behind the colon", "GET / HTTP/1.1\r\nHost:a\r\nX:y\r\n\r\n", &[""]),
    ("9112-5.1 much white space", "GET / HTTP/1.1\r\nHost:\t a \t\r\nX: \t y \r\n\r\n", &[""]),
    ("9110-5.5 empty value", "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n", &[""]),
    ("9110-5.5 obs-text and tabs", "GET / HTTP/1.1\r\nHost: a\r\nX: \u{e4}\tb\r\n\r\n", &[""]),
    ("9110-5.6.2 every token character", "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~0aZ: x\r\n\r\n", &[""]),
    ("9112-6.2 length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", &["hello"]),
    ("9112-6.2 length 0", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &[""]),
    ("9112-6.2 leading zeros", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0005\r\n\r\nhello", &["hello"]),
    ("9112-6.2 body of a GET", "GET / HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\n\r\nab", &["ab"]),
    ("9112-6.3 no length, no body", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
    ("9112-7.1 chunks", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\nA\r\n, you all!\r\n0\r\n\r\n", &["hello, you all!"]),
    ("9112-7.1 no content", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n000\r\n\r\n", &[""]),
    ("9112-7.1 CRLF as content", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n", &["\r\n\r\n"]),
    ("9112-7.1.1 extensions", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b ; c = \"d;\\\"\"\r\nhi\r\n0;x\r\n\r\n", &["hi"]),
    ("9112-7.1.2 trailers", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\nC: d\r\n\r\n", &["hi"]),
    ("9112-7.1.2 framing in a trailer", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &["", ""]),
    ("9112-9.3.2 pipelining", "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /3 HTTP/1.1\r\nHost: a\r\n\r\n", &["", "hi", ""]),
    ("9112-2.2 four empty lines before", "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
    ("9112-2.2 an empty line between requests", "GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &["", ""]),
    ("9112-3.2 Host that differs from the target", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
    ("9112-3.2 percent-encoding", "GET /%41%2f%00?%zz HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
    ("9112-3.2.4 OPTIONS with a path", "OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
    ("9112-6.1 a tab before chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked \t\r\n\r\n0\r\n\r\n", &[""]),
    ("9112-6.2 spaces around the length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \t 5 \r\n\r\nhello", &["hello"]),
    ("9112-6.2 two zeros", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 00\r\n\r\n", &[""]),
    ("9112-6.2 zeros that are no octal number", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 010\r\n\r\n0123456789", &["0123456789"]),
    ("9112-6.2 thirty zeros", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 000000000000000000000000000002\r\n\r\nhi", &["hi"]),
    ("9112-6.2 a request as a body stays a body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &["GET /x HTTP/1.1\r\nHost: a\r\n\r\n", ""]),
    ("9112-6.2 body of a HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", &["ab"]),
    ("9112-6.2 body of OPTIONS", "OPTIONS / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", &["ab"]),
    ("9112-6.2 body of DELETE", "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", &["ab"]),
    ("9112-6.3 names that only look like framing", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent_Length: 9\r\nTransfer_Encoding: chunked\r\nX-Transfer-Encoding: chunked\r\n\r\nhi", &["hi"]),
    ("9112-7.1 hexadecimal in both cases", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", &["01234567890123456789"]),
    ("9112-7.1 16 digits", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0000000000000002\r\nhi\r\n0000000000000000\r\n\r\n", &["hi"]),
    ("9112-7.1 a chunked GET", "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", &["hi"]),
    ("9112-7.1.1 white space around extensions", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2 ;a\t=\t\"b\"\r\nhi\r\n0\r\n\r\n", &["hi"]),
    ("9112-7.1.1 a semicolon inside quotes", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\";b=\\\"c\"\r\nhi\r\n0\r\n\r\n", &["hi"]),
    ("9112-9.3 keep-alive and close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
    ("9112-9.3 close in other letters", "GET / HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
    ("9112-9.3 close in HTTP/1.0 beside keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\nGET / HTTP/1.0\r\n\r\n", &[""]),
    ("9110-10.1.1 an expectation without a body", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", &[""]),
    ("9112-9.3 nothing behind close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
    ("9112-9.3 nothing behind HTTP/1.0", "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n", &[""]),
    ("9112-9.3 keep-alive in HTTP/1.0", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", &["", ""]),
];

#[test]
fn requests_are_accepted_however_they_are_cut() {
    for (clause, text, bodies) in ACCEPTED {
        let outcome = decode(text.as_bytes());
        assert_eq!(outcome.error, None, "{clause}");
        assert_eq!(outcome.left, 0, "{clause}");
        let read: Vec<_> = outcome.requests.iter().map(|r| r.body.as_slice()).collect();
        let expected: Vec<_> = bodies.iter().map(|body| body.as_bytes()).collect();
        assert_eq!(read, expected, "{clause}");
        assert!(outcome.requests.iter().all(|request| request.ended), "{clause}");
    }
}

// RFC 9110 section 6.5.1.
#[test]
fn trailers_come_apart_from_the_head_and_without_what_could_mislead() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n";
    for (sent, seen) in [
        ("", ""),
        ("Digest: x\r\nX-A:  b \r\n", "Digest: x\r\nX-A:  b \r\n"),
        ("Content-Length: 50\r\nX: y\r\n", "X: y\r\n"),
        ("host: evil\r\nTransfer-Encoding: chunked\r\n", ""),
        ("Authorization: Bearer evil\r\nContent-Type: text/evil\r\n", ""),
        ("Cookie: a=b\r\nSet-Cookie: a=b\r\nConnection: close\r\nTrailer: X\r\n", ""),
        ("If-Match: *\r\nIF-X: y\r\nIf: z\r\n", "If: z\r\n"),
    ] {
        let outcome = decode(format!("{post}{sent}\r\n").as_bytes());
        assert_eq!(outcome.error, None, "{sent:?}");
        let [request] = &outcome.requests[..] else { panic!("{outcome:?}") };
        assert_eq!(request.trailers, seen.as_bytes(), "{sent:?}");
        assert!(request.ended && request.keep_alive && request.body == b"hi", "{sent:?}");
    }
}

#[test]
fn trailers_are_found_by_name() {
    let mut src = ByteBuf::from(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: 1\r\nb: 2\r\n\r\n",
    );
    let mut decoder = RequestDecoder::default();
    let mut parts = Vec::new();
    while let Ok(Some(part)) = decoder.decode(&mut src) {
        parts.push(part);
    }
    let [RequestPart::Head(_), RequestPart::Trailers(trailers), RequestPart::End] = &parts[..]
    else {
        panic!("{parts:?}")
    };
    assert_eq!((trailers.get("a"), trailers.get("B")), (Some(&b"1"[..]), Some(&b"2"[..])));
    assert_eq!(trailers.get("c"), None);
    assert_eq!(trailers.iter().map(|field| field.name).collect::<Vec<_>>(), ["A", "b"]);
}

#[test]
fn every_method_of_rfc_9110_is_known() {
    for name in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let head = head(&format!("{name} /x HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(head.method().as_str(), name);
        assert_eq!((head.target(), head.path()), ("/x", "/x"));
    }
}

#[test]
fn targets_are_taken_apart() {
    for (target, path, query, authority) in [
        ("/", "/", None, "h:1"),
        ("/a/b?c=d?e", "/a/b", Some("c=d?e"), "h:1"),
        ("/?", "/", Some(""), "h:1"),
        ("http://x", "/", None, "x"),
        ("http://x:9/p?q", "/p", Some("q"), "x:9"),
        ("https://x?q", "/", Some("q"), "x"),
    ] {
        let head = head(&format!("GET {target} HTTP/1.1\r\nHost: h:1\r\n\r\n"));
        assert_eq!(head.target(), target);
        assert_eq!((head.path(), head.query()), (path, query), "{target}");
        assert_eq!(head.authority(), Some(authority), "{target}");
    }
    assert_eq!(head("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").path(), "*");
}

#[test]
fn fields_are_found_by_name() {
    let head =
        head("GET / HTTP/1.1\r\nHost: h\r\nX-A:  1 \r\nAccept: a, b\r\nx-a: 2\r\nX: \r\n\r\n");
    assert_eq!(head.header("x-a"), Some(&b"1"[..]));
    assert_eq!(head.header_str("HOST"), Some("h"));
    assert_eq!(head.header("x"), Some(&b""[..]));
    assert_eq!(head.header("x-"), None);
    assert_eq!(head.header(""), None);
    assert_eq!(head.header_all("X-a").collect::<Vec<_>>(), [b"1", b"2"]);
    assert!(head.has_token("accept", "B") && !head.has_token("accept", "c"));
    let names: Vec<_> = head.headers().map(|header| header.name).collect();
    assert_eq!(names, ["Host", "X-A", "Accept", "x-a", "X"]);
    assert_eq!(head.headers().nth(1).map(|header| header.value), Some(&b"1"[..]));
    assert_eq!(head.header_lines(), b"Host: h\r\nX-A:  1 \r\nAccept: a, b\r\nx-a: 2\r\nX: \r\n");
}

#[test]
fn a_head_says_how_to_go_on() {
    let get = |lines: &str| head(&format!("POST / HTTP/1.1\r\nHost: h\r\n{lines}\r\n"));
    assert!(get("").keep_alive());
    assert!(!get("Connection: x, Close\r\n").keep_alive());
    assert!(!get("Connection: keep-alive\r\nConnection: close\r\n").keep_alive());
    let old = head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert!(old.keep_alive() && old.version() == Version::Http10);

    assert_eq!(get("").body_length(), BodyLength::Empty);
    assert_eq!(get("Content-Length: 7\r\n").body_length(), BodyLength::Exact(7));
    assert_eq!(get("Transfer-Encoding: chunked\r\n").body_length(), BodyLength::Chunked);

    // RFC 9110 section 10.1.1: only with a body to come, and never in HTTP/1.0.
    assert!(get("Expect: 100-Continue\r\nContent-Length: 7\r\n").expects_continue());
    assert!(!get("Expect: 100-continue\r\n").expects_continue());
    let old = head("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n");
    assert!(!old.expects_continue());

    // RFC 9110 section 7.8: the option and the field, and never in HTTP/1.0.
    assert!(get("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n").wants_upgrade());
    assert!(!get("Upgrade: websocket\r\n").wants_upgrade());
    assert!(!get("Connection: upgrade\r\n").wants_upgrade());
    let old = head("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert!(!old.wants_upgrade() && old.method() == Method::Get);
}

#[test]
fn bytes_behind_an_offered_upgrade_stay_where_they_are() {
    let upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let next = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    let outcome = decode(&[&upgrade[..], next].concat());
    assert_eq!((outcome.requests.len(), outcome.left), (1, next.len()));

    let mut decoder = RequestDecoder::default();
    let mut src = ByteBuf::from(&[&upgrade[..], next].concat()[..]);
    assert!(matches!(decoder.decode(&mut src), Ok(Some(RequestPart::Full(_)))));
    assert!(matches!(decoder.decode(&mut src), Ok(None)) && decoder.is_held());
    decoder.resume();
    assert!(matches!(decoder.decode(&mut src), Ok(Some(RequestPart::Full(_)))));

    let mut decoder = RequestDecoder::default();
    let mut src = ByteBuf::from(&[&upgrade[..], b"\x81\x00"].concat()[..]);
    assert!(matches!(decoder.decode(&mut src), Ok(Some(RequestPart::Full(_)))));
    decoder.switch_to_raw();
    assert!(matches!(decoder.decode(&mut src), Ok(None)) && decoder.is_raw());
    assert!(matches!(decoder.decode_eof(&mut src), Ok(None)));
    assert_eq!(src, b"\x81\x00"[..]);
}

#[test]
fn a_body_streams_as_it_arrives() {
    let pieces = ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", "a", "bc", "d"];
    let outcome = feed(Limits::new(), pieces.map(str::as_bytes), true);
    assert_eq!(outcome.requests[0].body, b"abcd");

    let mut decoder = RequestDecoder::default();
    let mut src = ByteBuf::from(pieces[0]);
    assert!(matches!(decoder.decode(&mut src), Ok(Some(RequestPart::Head(_)))));
    assert!(matches!(decoder.decode(&mut src), Ok(None)));
    src.write_slice(b"ab");
    let Ok(Some(RequestPart::Body(piece))) = decoder.decode(&mut src) else { panic!("no piece") };
    assert_eq!(piece, b"ab"[..]);
    assert_eq!(decoder.received_bytes(), 2);
    assert!(decoder.in_body());
}
