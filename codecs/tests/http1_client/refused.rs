//! Responses that are not in order, clause by clause, and limits.

use fyke_codecs::http1::client::ResponseErrorKind::{
    Malformed, TooLarge, Unsolicited, Unsupported,
};
use fyke_codecs::http1::client::{ClientLimits, ResponseErrorKind};
use fyke_codecs::http1::{Limits, Method};

use crate::support::{decode, decode_to, decode_with};

fn assert_refused(input: &str, kind: ResponseErrorKind) {
    let outcome = decode(input);
    assert_eq!(outcome.kind(), Some(kind), "{input:?}: {:?}", outcome.error);
    assert!(outcome.responses.is_empty(), "{input:?}");
}

/// RFC 9112 sections 2.3 and 4.
#[test]
fn status_lines() {
    for line in [
        "",
        " HTTP/1.1 200 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1\t200 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 2x0 OK",
        "HTTP/1.1 +20 OK",
        "HTTP/1.1 020 OK",
        "HTTP/1.1 600 OK",
        "HTTP/1.1 999 OK",
        "HTTP/1.1 200\tOK",
        "HTTP/1.1 200OK",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1 200 O\rK",
        "HTTP/1.1 200 O\x7fK",
        "HTTP/11 200 OK",
        "HTTP/1. 200 OK",
        "HTTP/1.10 200 OK",
        "http/1.1 200 OK",
        "ICY 200 OK",
        "GET / HTTP/1.1",
    ] {
        assert_refused(&format!("{line}\r\nContent-Length: 0\r\n\r\n"), Malformed);
    }
    for line in ["HTTP/2.0 200 OK", "HTTP/0.9 200 OK", "HTTP/3.0 200"] {
        assert_refused(&format!("{line}\r\n\r\n"), Unsupported);
    }
}

/// RFC 9112 sections 2.2, 5.1 and 5.2: as strict as with requests.
#[test]
fn field_lines() {
    for field in [
        "Content-Length : 1",
        " X: folded",
        "X: a\r\n b",
        "X: a\r\n\tb",
        "X",
        ": a",
        "X y: a",
        "X\u{e4}: a",
        "X: a\0b",
        "X: a\rb",
        "X: a\x1bb",
        "X: a\nY: b",
    ] {
        assert_refused(
            &format!("HTTP/1.1 200 OK\r\n{field}\r\nContent-Length: 0\r\n\r\n"),
            Malformed,
        );
    }
    assert_refused("HTTP/1.1 200 OK\nContent-Length: 0\n\n", Malformed);
    assert_refused("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n", Malformed);
}

/// RFC 9112 sections 6.1 to 6.3: what two readers could cut in two ways.
#[test]
fn framing() {
    for fields in [
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 1, 1",
        "Content-Length: -1",
        "Content-Length: +1",
        "Content-Length: 0x1",
        "Content-Length:",
        "Content-Length: 9223372036854775808",
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 1",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        assert_refused(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\na"), Malformed);
    }
    for coding in
        ["gzip, chunked", "chunked, gzip", "gzip", "identity", "", "xchunked", "chunked;a"]
    {
        let input = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n");
        assert_refused(&input, Unsupported);
    }
    assert_refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Malformed);
    // RFC 9112 section 6.1 and RFC 9110 section 8.6: not in these.
    for status in ["204 No Content", "100 Continue", "103 Early Hints"] {
        let line = format!("HTTP/1.1 {status}\r\n");
        assert_refused(&format!("{line}Transfer-Encoding: chunked\r\n\r\n"), Malformed);
        assert_refused(&format!("{line}Content-Length: 5\r\n\r\n"), Malformed);
    }
    // RFC 9110 section 7.8: nobody asked for it.
    let switch = "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    assert_refused(switch, Malformed);
}

/// RFC 9112 section 7.1.
#[test]
fn chunks() {
    for chunks in [
        "x\r\n",
        "-1\r\n",
        "1 \r\nab",
        "1\nab",
        "1\r\nab",
        "1\r\na\n",
        "\r\n",
        "0x1\r\n",
        "8000000000000000\r\n",
        "1;\r\n",
        "0\r\nbad line\r\n\r\n",
        "0\r\n X: y\r\n\r\n",
    ] {
        let input = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        let outcome = decode(&input);
        assert_eq!(outcome.kind(), Some(Malformed), "{chunks:?}: {:?}", outcome.error);
        assert!(!outcome.responses[0].ended);
    }
}

/// RFC 9112 section 8: an incomplete message is none.
#[test]
fn an_early_end_is_an_error() {
    for input in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        let outcome = decode_to(&[Method::Get], input);
        assert!(outcome.is_truncated(), "{input:?}: {:?}", outcome.error);
        assert!(outcome.responses.last().is_none_or(|r| r.status == 100 || !r.ended));
    }
}

/// RFC 9112 section 9.2.
#[test]
fn a_response_to_no_request() {
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let outcome = decode_to(&[Method::Get], &response.repeat(2));
    assert_eq!(outcome.responses.len(), 1);
    assert_eq!(outcome.kind(), Some(Unsolicited));
    let outcome = decode_to(&[], "HTTP/1.1 408 Request Timeout\r\n\r\n");
    assert_eq!(outcome.kind(), Some(Unsolicited));
    assert_eq!(decode_to(&[], "").before_eof, Some(0));
}

#[test]
fn limits() {
    let message = Limits::new()
        .head_bytes_max(100)
        .head_fields_max(3)
        .trailer_bytes_max(20)
        .chunk_line_bytes_max(8)
        .body_bytes_max(10);
    let limits = ClientLimits::of(message).status_line_bytes_max(30).interim_responses_max(2);
    let check = |input: &str, fits: bool| {
        let outcome = decode_with(limits, &[Method::Get], input.as_bytes());
        let expected = if fits { None } else { Some(TooLarge) };
        assert_eq!(outcome.kind(), expected, "{input:?}: {:?}", outcome.error);
    };
    let ok = "HTTP/1.1 200 OK\r\n";
    for fits in [true, false] {
        let more = usize::from(!fits);
        check(
            &format!("HTTP/1.1 200 {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(17 + more)),
            fits,
        );
        check(&format!("{ok}{}Content-Length: 0\r\n\r\n", "a: b\r\n".repeat(2 + more)), fits);
        let field = 100 - ok.len() - "Content-Length: 0\r\nx: \r\n\r\n".len();
        check(&format!("{ok}Content-Length: 0\r\nx: {}\r\n\r\n", "y".repeat(field + more)), fits);
        check(
            &format!("{}{ok}Content-Length: 0\r\n\r\n", "HTTP/1.1 100 \r\n\r\n".repeat(2 + more)),
            fits,
        );
        let body = "b".repeat(10 + more);
        check(&format!("{ok}Content-Length: {}\r\n\r\n{body}", body.len()), fits);
        check(
            &format!(
                "{ok}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                body.len()
            ),
            fits,
        );
        check(&format!("{ok}Connection: close\r\n\r\n{body}"), fits);
        let trailer = format!("t: {}\r\n", "v".repeat(15 + 3 * more));
        check(&format!("{ok}Transfer-Encoding: chunked\r\n\r\n0\r\n{trailer}\r\n"), fits);
    }
    let long = format!("{ok}Transfer-Encoding: chunked\r\n\r\n1;abcdefgh\r\n");
    let outcome = decode_with(limits, &[Method::Get], long.as_bytes());
    assert_eq!(outcome.kind(), Some(Malformed));
}
