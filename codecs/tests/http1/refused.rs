//! What is refused, with which status: one table, by clause.

use crate::support::{decode, feed};
use fyke_codecs::http1::Limits;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\n";

/// (clause, input, status). An input that begins with `+` continues `GET`, with `*` `POST`.
#[rustfmt::skip]
const REFUSED: &[(&str, &str, u16)] = &[
    ("9112-2.2 bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    ("9112-2.2 bare LF after a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
    ("9112-2.2 bare LF as the empty line", "+\n", 400),
    ("9112-2.2 bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", 400),
    ("9112-2.2 bare LF before the request", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-2.2 bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-2.2 bare CR in a value", "+X: a\rb\r\n\r\n", 400),
    ("9112-2.2 bare CR in a name", "+X\ry: a\r\n\r\n", 400),
    ("9112-2.2 bare CR hides a field", "+X: a\rContent-Length: 5\r\n\r\n", 400),
    ("9112-2.2 two CR before LF", "+X: a\r\r\n\r\n", 400),
    ("9112-2.2 CR CR LF as the empty line", "+\r\r\n", 400),
    ("9112-2.2 empty lines without end", "\r\n\r\n\r\n\r\n\r\n", 400),
    ("9112-2.2 white space before the request line", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-2.2 white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("9112-2.3 lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-2.3 version without a dot", "GET / HTTP/11\r\nHost: a\r\n\r\n", 400),
    ("9112-2.3 two-digit minor", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
    ("9112-2.3 version with a sign", "GET / HTTP/+1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-2.3 another protocol", "GET / ICAP/1.0\r\nHost: a\r\n\r\n", 400),
    ("9112-2.3 half a version", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400),
    ("9112-2.3 HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("9112-2.3 HTTP/0.9 spelled out", "GET / HTTP/0.9\r\n\r\n", 505),
    ("9112-2.3 HTTP/3.1", "GET / HTTP/3.1\r\n\r\n", 505),
    ("9112-2.3 no version", "GET /\r\n\r\n", 505),
    ("9113-3.4 preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("9112-3 two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3 two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3 space behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("9112-3 tabs", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3 only a method", "GET\r\n\r\n", 400),
    ("9112-3 no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 505),
    ("9112-3 empty target", "GET \r\n\r\n", 400),
    ("9112-3 no method", " / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.1 method is no token", "G\u{0}T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.1 method with a colon", "GE:T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9110-9.1 unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("9110-9.1 methods are case-sensitive", "get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("9110-9.1 unknown method, odd target", "BREW a#b HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("9110-9.3.6 CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 405),
    ("9110-9.3.8 TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("9112-3.2 fragment", "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2 NUL in the target", "GET /\u{0} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2 control character in the target", "GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2 DEL in the target", "GET /\u{7f} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2 beyond ASCII in the target", "GET /\u{e4} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2 quote in the target", "GET /\" HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2.1 relative path", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2.2 unknown scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2.2 no authority", "GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2.2 userinfo in the target", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2.3 authority form without CONNECT", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2.4 * without OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2 no Host", "GET / HTTP/1.1\r\n\r\n", 400),
    ("9112-3.2 no Host in a later minor version", "GET / HTTP/1.2\r\n\r\n", 400),
    ("9112-3.2 two Host", "+Host: b\r\n\r\n", 400),
    ("9112-3.2 two equal Host", "+HOST: a\r\n\r\n", 400),
    ("9112-3.2 two Host in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("9112-3.2 empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("9112-3.2 Host of white space", "GET / HTTP/1.1\r\nHost: \t \r\n\r\n", 400),
    ("9110-7.2 Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    ("9110-7.2 Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("9110-7.2 Host with a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("9110-7.2 Host with a scheme", "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", 400),
    ("9110-7.2 Host with a bad port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
    ("9110-7.2 Host with a port out of range", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400),
    ("9110-7.2 Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("9112-5.1 space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ("9112-5.1 tab before the colon", "+Content-Length\t: 5\r\n\r\n", 400),
    ("9112-5.1 space inside a name", "+Content Length: 5\r\n\r\n", 400),
    ("9112-5.1 NUL in a name", "+X\u{0}: 5\r\n\r\n", 400),
    ("9112-5.1 no colon", "+X\r\n\r\n", 400),
    ("9112-5.1 no name", "+: x\r\n\r\n", 400),
    ("9112-5.1 beyond ASCII in a name", "+\u{e4}: x\r\n\r\n", 400),
    ("9112-5.2 folded value", "+X: a\r\n b\r\n\r\n", 400),
    ("9112-5.2 folded with a tab", "+X: a\r\n\tb\r\n\r\n", 400),
    ("9112-5.2 a line of one space", "+X: a\r\n \r\n\r\n", 400),
    ("9110-5.5 NUL in a value", "+X: a\u{0}b\r\n\r\n", 400),
    ("9110-5.5 control character in a value", "+X: a\u{1}b\r\n\r\n", 400),
    ("9110-5.5 DEL in a value", "+X: a\u{7f}b\r\n\r\n", 400),
    ("9110-5.5 vertical tab in a value", "+X: \u{b}\r\n\r\n", 400),
    ("9112-6.1 CL and TE", "*Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("9112-6.1 TE and CL", "*Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
    ("9112-6.1 TE and CL 0", "*Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400),
    ("9112-6.1 TE in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("9112-6.1 unknown coding", "*Transfer-Encoding: xchunked\r\n\r\n", 400),
    ("9112-6.1 identity", "*Transfer-Encoding: identity\r\n\r\n", 400),
    ("9112-6.1 empty TE", "*Transfer-Encoding:\r\n\r\n", 400),
    ("9112-6.1 chunked not last", "*Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
    ("9112-6.1 chunked twice", "*Transfer-Encoding: chunked, chunked\r\n\r\n", 400),
    ("9112-6.1 chunked in two fields", "*Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("9112-6.1 identity behind chunked", "*Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400),
    ("9112-6.1 quoted", "*Transfer-Encoding: \"chunked\"\r\n\r\n", 400),
    ("9112-6.1 with a parameter", "*Transfer-Encoding: chunked;q=1\r\n\r\n", 400),
    ("9112-6.1 empty member", "*Transfer-Encoding: , chunked\r\n\r\n", 400),
    ("9112-6.1 trailing comma", "*Transfer-Encoding: chunked,\r\n\r\n", 400),
    ("9112-6.1 vertical tab before chunked", "*Transfer-Encoding: \u{b}chunked\r\n\r\n", 400),
    ("9112-6.1 no-break space before chunked", "*Transfer-Encoding: \u{a0}chunked\r\n\r\n", 400),
    ("9112-6.1 hidden behind a space", "*Transfer-Encoding : chunked\r\n\r\n", 400),
    ("9112-6.1 folded TE", "*Transfer-Encoding:\r\n chunked\r\n\r\n", 400),
    ("9112-6.1 deflate, chunked", "*Transfer-Encoding: deflate, chunked\r\n\r\n", 501),
    ("9112-6.1 gzip and chunked in capitals", "*Transfer-Encoding: gzip;x=1 ,CHUNKED\r\n\r\n", 501),
    ("9112-6.2 differing lengths", "*Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    ("9112-6.2 equal lengths", "*Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
    ("9112-6.2 length and 0", "*Content-Length: 5\r\nContent-Length: 0\r\n\r\n", 400),
    ("9112-6.2 list of lengths", "*Content-Length: 5, 5\r\n\r\n", 400),
    ("9112-6.2 negative", "*Content-Length: -1\r\n\r\n", 400),
    ("9112-6.2 plus sign", "*Content-Length: +5\r\n\r\n", 400),
    ("9112-6.2 hexadecimal", "*Content-Length: 0x5\r\n\r\n", 400),
    ("9112-6.2 letters", "*Content-Length: five\r\n\r\n", 400),
    ("9112-6.2 fraction", "*Content-Length: 5.0\r\n\r\n", 400),
    ("9112-6.2 inner space", "*Content-Length: 1 2\r\n\r\n", 400),
    ("9112-6.2 empty", "*Content-Length:\r\n\r\n", 400),
    ("9112-6.2 underscore", "*Content-Length: 1_0\r\n\r\n", 400),
    ("9112-6.2 beyond 64 bits", "*Content-Length: 18446744073709551621\r\n\r\n", 400),
    ("9112-6.2 absurd", "*Content-Length: 9223372036854775808\r\n\r\n", 400),
    ("9112-6.2 other digits", "*Content-Length: \u{665}\r\n\r\n", 400),
    ("9110-10.1.1 unknown expectation", "*Expect: 200-ok\r\n\r\n", 417),
    ("9110-10.1.1 two expectations", "*Expect: 100-continue, 100-continue\r\n\r\n", 417),
];

/// The same for chunked bodies: what follows `Transfer-Encoding: chunked` and the empty line.
#[rustfmt::skip]
const REFUSED_CHUNKS: &[(&str, &str, u16)] = &[
    ("9112-7.1 no size", "\r\n", 400),
    ("9112-7.1 not hexadecimal", "g\r\n", 400),
    ("9112-7.1 prefix", "0x5\r\nhello\r\n", 400),
    ("9112-7.1 sign", "+5\r\nhello\r\n", 400),
    ("9112-7.1 minus", "-5\r\nhello\r\n", 400),
    ("9112-7.1 space before the size", " 5\r\nhello\r\n", 400),
    ("9112-7.1 space behind the size", "5 \r\nhello\r\n", 400),
    ("9112-7.1 beyond 63 bits", "ffffffffffffffff\r\n", 400),
    ("9112-7.1 beyond 64 bits", "10000000000000005\r\n", 400),
    ("9112-7.1 zeros without end", "000000000000000000005\r\nhello\r\n", 400),
    ("9112-7.1 bare LF behind the size", "5\nhello\r\n", 400),
    ("9112-7.1 bare CR behind the size", "5\rX\r\nhello\r\n", 400),
    ("9112-7.1 chunk too long", "5\r\nhello!\r\n", 400),
    ("9112-7.1 chunk too short", "5\r\nhell\r\n0\r\n\r\n", 400),
    ("9112-7.1 bare LF behind the chunk", "5\r\nhello\n0\r\n\r\n", 400),
    ("9112-7.1 bare CR behind the chunk", "5\r\nhello\rX0\r\n\r\n", 400),
    ("9112-7.1 anything behind the chunk", "5\r\nhelloXX0\r\n\r\n", 400),
    ("9112-7.1.1 LF in an extension", "5;a\nb\r\nhello\r\n", 400),
    ("9112-7.1.1 LF in a quoted extension", "5;a=\"\n\"\r\nhello\r\n", 400),
    ("9112-7.1.1 CR in an extension", "5;a\rb\r\nhello\r\n", 400),
    ("9112-7.1.1 NUL in an extension", "5;a\u{0}\r\nhello\r\n", 400),
    ("9112-7.1.1 nameless extension", "5;\r\nhello\r\n", 400),
    ("9112-7.1.1 extension without end", "5;a=\"b\r\nhello\r\n", 400),
    ("9112-7.1.1 no semicolon", "5 a=b\r\nhello\r\n", 400),
    ("9112-7.1.2 trailer without a colon", "0\r\nX\r\n\r\n", 400),
    ("9112-7.1.2 space before the colon", "0\r\nX : y\r\n\r\n", 400),
    ("9112-7.1.2 folded trailer", "0\r\nX: y\r\n z\r\n\r\n", 400),
    ("9112-7.1.2 bare LF behind a trailer", "0\r\nX: y\n\r\n", 400),
    ("9112-7.1.2 bare LF as the end", "0\r\n\n", 400),
    ("9112-7.1.2 control character", "0\r\nX: \u{1}\r\n\r\n", 400),
];

fn input(text: &str) -> String {
    match text.split_at_checked(1) {
        Some(("+", rest)) => format!("{GET}{rest}"),
        Some(("*", rest)) => format!("{POST}{rest}"),
        _ => text.to_owned(),
    }
}

#[test]
fn heads_are_refused_with_their_status_however_they_are_cut() {
    for (clause, text, status) in REFUSED {
        let outcome = decode(input(text).as_bytes());
        assert_eq!(outcome.status(), Some(*status), "{clause}: {outcome:?}");
        assert!(outcome.requests.is_empty(), "{clause}: {outcome:?}");
    }
    assert!(REFUSED.len() >= 100);
}

#[test]
fn chunks_are_refused_with_their_status_however_they_are_cut() {
    for (clause, text, status) in REFUSED_CHUNKS {
        let outcome =
            decode(input(&format!("*Transfer-Encoding: chunked\r\n\r\n{text}")).as_bytes());
        assert_eq!(outcome.status(), Some(*status), "{clause}: {outcome:?}");
        assert!(outcome.requests.iter().all(|request| !request.ended), "{clause}: {outcome:?}");
    }
}

#[test]
fn nothing_is_read_behind_an_error() {
    let outcome = feed(
        Limits::new(),
        ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"].map(str::as_bytes),
        false,
    );
    assert_eq!(outcome.status(), Some(400));
    assert!(outcome.requests.is_empty());
}

#[test]
fn an_end_in_the_middle_is_truncation() {
    for text in ["GET / HT", "+", "*Content-Length: 5\r\n\r\n", "*Content-Length: 5\r\n\r\nhell"]
        .into_iter()
        .chain(["*Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"])
    {
        let outcome = feed(Limits::new(), [input(text).as_bytes()], true);
        assert_eq!(outcome.status(), Some(0), "{text:?}: {outcome:?}");
    }
    for text in ["", "\r\n", "+\r\n", "*Content-Length: 2\r\n\r\nab"] {
        let outcome = feed(Limits::new(), [input(text).as_bytes()], true);
        assert_eq!(outcome.error, None, "{text:?}");
    }
}
