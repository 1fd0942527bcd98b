//! `Text` and `TextLines`.

use fyke_buffer::ByteBuf;
use fyke_codec::Fault;
use fyke_codecs::frames::{Line, Text, TextLines};

use crate::{failure, frames, refusal, run, wire};

/// Not UTF-8: a lone continuation, a cut-off sequence, an overlong slash, a surrogate, and a
/// number past the last character.
const BROKEN: [&[u8]; 6] =
    [b"\x80", b"gr\xC3", b"\xC0\xAF", b"\xED\xA0\x80", b"\xF4\x90\x80\x80", b"ok\xFF"];

#[test]
fn a_frame_is_checked() {
    assert_eq!(Text::decode("a£€😀".as_bytes()).expect("UTF-8"), "a£€😀");
    assert_eq!(Text::check(b"").expect("UTF-8"), "");
    for frame in BROKEN {
        let error = Text::decode(frame).expect_err("not UTF-8");
        assert_eq!(error.to_string(), "malformed input: the text is not valid UTF-8");
        assert_eq!(error.fault(), Fault::Peer);
    }
    assert_eq!(Text::encode("£"), ByteBuf::from("£"));
}

#[test]
fn lines_of_text() {
    assert_eq!(frames(TextLines::new(), "grüß\r\n€\n".as_bytes()), ["grüß", "€"].map(Vec::from));
    for line in BROKEN {
        let outcome = run(&mut TextLines::new(), &[b"fine\n", line, b"\n"]);
        assert_eq!(outcome.items, [b"fine"]);
        assert_eq!(outcome.error.as_deref(), Some("malformed input: the text is not valid UTF-8"));
    }
}

#[test]
fn lines_have_the_options_of_line() {
    let short = TextLines::from(Line::new().max_line(3).crlf(true));
    assert_eq!(failure(short.clone(), b"abcd"), "a line of 4 bytes is over the limit of 3 bytes");
    assert_eq!(wire(short, "abc"), b"abc\r\n");
}

#[test]
fn text_becomes_a_line() {
    assert_eq!(wire(TextLines::new(), "a"), b"a\n");
    assert_eq!(wire(TextLines::new(), String::from("ü")), "ü\n".as_bytes());
    assert!(refusal(TextLines::new(), "a\nb").starts_with("cannot be encoded"));
}

#[test]
fn a_last_line_without_an_ending_is_truncated() {
    let truncated = "the stream ended inside a message, 1 bytes are left over";
    assert_eq!(failure(TextLines::new(), b"a\nb"), truncated);
}
