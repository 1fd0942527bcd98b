//! Requests that two parsers on one path could cut at different places, each with the request that
//! would be smuggled behind it. One answer, and the connection ends.

use super::Refusal;

/// Refused in the head.
#[rustfmt::skip]
pub(crate) const HEADS: &[Refusal] = &[
    ("9112-6.3 CL.TE, GET in the rest", "*Content-Length: 45\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", 400, "both Content-Length and Transfer-Encoding"),
    ("9112-6.3 CL.TE, HEAD in the rest", "*Content-Length: 46\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHEAD /x HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", 400, "both Content-Length and Transfer-Encoding"),
    ("9112-6.3 CL.TE, one byte of poison", "*Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX", 400, "both Content-Length and Transfer-Encoding"),
    ("9112-6.3 CL.TE, agreeing", "*Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "both Content-Length and Transfer-Encoding"),
    ("9112-6.3 CL.TE, the coding in other letters", "*Content-Length: 45\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "both Content-Length and Transfer-Encoding"),
    ("9112-6.3 CL.TE, a tab before the coding", "*Content-Length: 45\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "both Content-Length and Transfer-Encoding"),
    ("9112-6.3 CL.TE, a space behind the coding", "*Content-Length: 45\r\nTransfer-Encoding: chunked \r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "both Content-Length and Transfer-Encoding"),
    ("9112-6.3 CL.TE, a comma before the coding", "*Content-Length: 45\r\nTransfer-Encoding: , chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Transfer-Encoding does not end in chunked"),
    ("9112-6.3 CL.TE, a plus in the length", "*Content-Length: +45\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed Content-Length"),
    ("9112-6.3 CL.TE, a letter in the length", "*Content-Length: 45x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed Content-Length"),
    ("9112-6.3 CL.TE, an unknown coding", "*Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\nhello", 400, "Transfer-Encoding does not end in chunked"),
    ("9112-6.3 CL.TE, an empty coding", "*Content-Length: 5\r\nTransfer-Encoding:\r\n\r\nhello", 400, "Transfer-Encoding does not end in chunked"),
    ("9112-6.3 CL.TE, identity", "*Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nhello", 400, "Transfer-Encoding does not end in chunked"),
    ("9112-6.3 TE.CL, a request as a chunk", "*Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1c\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n", 400, "both Content-Length and Transfer-Encoding"),
    ("9112-6.3 TE.CL, poison behind the last chunk", "*Transfer-Encoding: chunked\r\nContent-Length: 30\r\n\r\n0\r\n\r\nX", 400, "both Content-Length and Transfer-Encoding"),
    ("9112-6.3 TE.TE, the second one hidden", "*Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n", 400, "more than one Transfer-Encoding field"),
    ("9112-6.3 TE.TE, the first one hidden", "*Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "Transfer-Encoding does not end in chunked"),
    ("9112-6.3 TE.TE, white space before the colon", "*Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, "white space in or behind a header field's name"),
    ("9112-6.3 TE.TE, folded", "*Transfer-Encoding:\r\n chunked\r\nContent-Length: 45\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Transfer-Encoding does not end in chunked"),
    ("9112-6.3 TE.TE, behind a bare LF", "*X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "line feed without a carriage return in the head"),
    ("9112-6.3 TE.TE, behind a bare CR", "*X: y\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, "control character in a header field's value"),
    ("9112-6.3 TE.TE, behind a NUL", "*X: y\u{0}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, "control character in a header field's value"),
    ("9112-6.3 TE.TE, a line of its own white space", "*Content-Length: 5\r\n \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "folded header field"),
    ("9112-6.3 CL.CL, differing", "*Content-Length: 4\r\nContent-Length: 49\r\n\r\nPINGGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "more than one Content-Length field"),
    ("9112-6.3 CL.CL, the second one hidden", "*Content-Length: 4\r\nContent-Length : 49\r\n\r\nPINGGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "white space in or behind a header field's name"),
    ("9112-6.3 CL.CL, a list", "*Content-Length: 4, 49\r\n\r\nPINGGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed Content-Length"),
    ("9112-6.3 CL.CL, 0 and something", "*Content-Length: 0\r\nContent-Length: 33\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "more than one Content-Length field"),
    ("9112-6.3 GET with CL and TE", "+Content-Length: 31\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "both Content-Length and Transfer-Encoding"),
    ("9112-6.3 OPTIONS with a folded TE", "OPTIONS / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\nhelloGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Transfer-Encoding does not end in chunked"),
    ("9112-6.3 HTTP/1.0 with TE and a request behind", "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Transfer-Encoding in HTTP/1.0"),
    ("9112-11.2 a request line in place of a field", "+GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "white space in or behind a header field's name"),
    ("9112-11.2 two requests on one line", "GET / HTTP/1.1 GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed version"),
    ("9112-11.2 a line break in the target", "GET /\r\nHost: a\r\n\r\n HTTP/1.1\r\nHost: a\r\n\r\n", 505, "version not supported"),
    ("9112-11.2 TRACE with a request as body", "TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method not allowed"),
    ("9112-11.2 CONNECT with a request behind", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method not allowed"),
];

/// Refused in the body.
#[rustfmt::skip]
pub(crate) const BODIES: &[Refusal] = &[
    ("9112-11.2 a chunk size that one parser cuts", "*Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed chunk extension"),
    ("9112-11.2 a chunk size that wraps around", "*Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed chunk size"),
    ("9112-11.2 a chunk spills over", "*Transfer-Encoding: chunked\r\n\r\n5\r\nhello!!\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "chunk longer than its size"),
    ("9112-11.2 a size hidden behind LF", "*Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n2d\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "line feed without a carriage return in a chunked body"),
    ("9112-11.2 an end hidden behind LF", "*Transfer-Encoding: chunked\r\n\r\n0\n\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "line feed without a carriage return in a chunked body"),
    ("9112-11.2 a terminator of two other bytes", "*Transfer-Encoding: chunked\r\n\r\n2\r\nxx45\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "chunk longer than its size"),
    ("9112-11.2 a request in place of a size", "*Transfer-Encoding: chunked\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed chunk size"),
    ("9112-11.2 a request among the trailers", "*Transfer-Encoding: chunked\r\n\r\n0\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "white space in or behind a header field's name"),
];
