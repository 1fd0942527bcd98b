//! Field lines that are refused.

use super::Refusal;

#[rustfmt::skip]
pub(crate) const FIELDS: &[Refusal] = &[
    ("9112-5.1 space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "white space in or behind a header field's name"),
    ("9112-5.1 tab before the colon", "+Content-Length\t: 5\r\n\r\n", 400, "white space in or behind a header field's name"),
    ("9112-5.1 space inside a name", "+Content Length: 5\r\n\r\n", 400, "white space in or behind a header field's name"),
    ("9112-5.1 NUL in a name", "+X\u{0}: 5\r\n\r\n", 400, "forbidden character in a header field's name"),
    ("9112-5.1 no colon", "+X\r\n\r\n", 400, "header field without a colon"),
    ("9112-5.1 no name", "+: x\r\n\r\n", 400, "header field without a name"),
    ("9112-5.1 beyond ASCII in a name", "+\u{e4}: x\r\n\r\n", 400, "forbidden character in a header field's name"),
    ("9112-5.2 folded value", "+X: a\r\n b\r\n\r\n", 400, "folded header field"),
    ("9112-5.2 folded with a tab", "+X: a\r\n\tb\r\n\r\n", 400, "folded header field"),
    ("9112-5.2 a line of one space", "+X: a\r\n \r\n\r\n", 400, "folded header field"),
    ("9110-5.5 NUL in a value", "+X: a\u{0}b\r\n\r\n", 400, "control character in a header field's value"),
    ("9110-5.5 control character in a value", "+X: a\u{1}b\r\n\r\n", 400, "control character in a header field's value"),
    ("9110-5.5 DEL in a value", "+X: a\u{7f}b\r\n\r\n", 400, "control character in a header field's value"),
    ("9110-5.5 vertical tab in a value", "+X: \u{b}\r\n\r\n", 400, "control character in a header field's value"),
    ("9112-5.1 bracket in a name", "+Bad[Name: x\r\n\r\n", 400, "forbidden character in a header field's name"),
    ("9112-5.1 slash in a name", "+a/b: x\r\n\r\n", 400, "forbidden character in a header field's name"),
    ("9112-5.1 at sign in a name", "+a@b: x\r\n\r\n", 400, "forbidden character in a header field's name"),
    ("9112-5.1 quotes around a name", "+\"a\": x\r\n\r\n", 400, "forbidden character in a header field's name"),
    ("9112-5.1 DEL in a name", "+a\u{7f}: x\r\n\r\n", 400, "forbidden character in a header field's name"),
    ("9112-5.1 tab inside a name", "+Content\tLength: 99\r\n\r\n", 400, "white space in or behind a header field's name"),
    ("9112-5.1 CR before the colon", "+Content-Length\r: 99\r\n\r\n", 400, "forbidden character in a header field's name"),
    ("9112-5.1 only a colon", "+:\r\n\r\n", 400, "header field without a name"),
    ("9112-5.1 only white space and a colon", "+ :\r\n\r\n", 400, "folded header field"),
    ("9112-5.2 the first field folded", "GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n", 400, "empty or malformed host"),
    ("9112-5.2 folded twice", "+X: a\r\n b\r\n c\r\n\r\n", 400, "folded header field"),
    ("9112-5.2 a field hidden in a fold", "+X: a\r\n Content-Length: 5\r\n\r\n", 400, "folded header field"),
    ("9110-5.5 bell and backspace in a value", "+X: a\u{7}\u{8}b\r\n\r\n", 400, "control character in a header field's value"),
    ("9110-5.5 escape in a value", "+X: \u{1b}[2J\r\n\r\n", 400, "control character in a header field's value"),
    ("9110-5.5 NUL at the end of a value", "+X: a\u{0}\r\n\r\n", 400, "control character in a header field's value"),
    ("9110-5.5 NUL in a cookie", "+Cookie: a=\u{0}b\r\n\r\n", 400, "control character in a header field's value"),
    ("9110-5.5 form feed in a value", "+X: a\u{c}b\r\n\r\n", 400, "control character in a header field's value"),
    ("9110-5.5 a control character behind a long value", "+X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\u{1}\r\n\r\n", 400, "control character in a header field's value"),
];
