//! `Line`.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::frames::{DEFAULT_MAX_LINE_BYTES, Line};

use crate::{error_of, failure, frames, refusal, run, wire};

#[test]
fn lf_and_crlf_end_a_line() {
    assert_eq!(frames(Line::new(), b"one\r\ntwo\n\n\r\n"), [&b"one"[..], b"two", b"", b""]);
}

#[test]
fn endings_can_be_kept() {
    let keep = Line::new().strip_delimiter(false);
    assert_eq!(frames(keep, b"one\r\ntwo\n\n"), [&b"one\r\n"[..], b"two\n", b"\n"]);
}

#[test]
fn a_cr_elsewhere_is_data() {
    assert_eq!(frames(Line::new(), b"a\rb\r\r\n\rc\n"), [&b"a\rb\r"[..], b"\rc"]);
}

#[test]
fn the_limit_counts_no_ending() {
    for stream in [&b"abcd\n"[..], b"abcd\r\n"] {
        for keep in [true, false] {
            let line = Line::new().max_line(4).strip_delimiter(!keep);
            let item = if keep { stream } else { b"abcd" };
            assert_eq!(frames(line, stream), [item]);
        }
    }
    // The CR arrives alone: it may still become an ending.
    let outcome = run(&mut Line::new().max_line(4), &[b"abcd\r", b"\n"]);
    assert_eq!(outcome.items, [b"abcd"]);
    for stream in [&b"abcde"[..], b"abcd\rx", b"abcd\r\r", b"abcde\n", b"abcd\r\r\n"] {
        let error = "a line of 5 bytes is over the limit of 4 bytes";
        assert_eq!(failure(Line::new().max_line(4), stream), error, "{stream:?}");
    }
    assert_eq!(frames(Line::new().max_line(0), b"\n\r\n"), [b"", b""]);
    assert_eq!(frames(Line::new().max_line(usize::MAX), b"a\n"), [b"a"]);
}

#[test]
fn the_default_limit_is_eight_kib() {
    assert_eq!(DEFAULT_MAX_LINE_BYTES, 8192);
    assert!(run(&mut Line::new(), &[&[b'a'; 8192], b"\n"]).error.is_none());
    assert!(failure(Line::new(), &[b'a'; 8193]).contains("over the limit of 8192 bytes"));
}

#[test]
fn failing_late_drops_the_line_first_and_keeps_none_of_it() {
    let mut line = Line::new().max_line(10).fail_fast(false);
    let mut src = ByteBuf::new();
    for _ in 0..100 {
        src.write_slice(&[b'a'; 100]);
        assert!(line.decode(&mut src).expect("not yet").is_none());
        assert!(src.is_empty());
    }
    assert!(src.capacity() <= 1024, "{} bytes are held", src.capacity());
    src.write_slice(b"\r\nok\n");
    let error = error_of(&mut line, &mut src);
    // The CR of the ending counts here: it was dropped before the LF was seen.
    assert!(matches!(error, CodecError::TooLarge { size: 10_001, limit: 10, .. }), "{error}");
    assert_eq!(line.decode(&mut src).expect("sound").expect("whole").as_slice(), b"ok");
}

#[test]
fn who_goes_on_after_failing_fast_gets_the_next_line() {
    let mut line = Line::new().max_line(3);
    let mut src = ByteBuf::from(b"abc\ndefgh");
    let error = error_of(&mut line, &mut src);
    assert!(matches!(error, CodecError::TooLarge { size: 4, limit: 3, .. }));
    src.write_slice(b"ij\nok\n");
    assert_eq!(line.decode(&mut src).expect("sound").expect("whole").as_slice(), b"ok");
}

#[test]
fn a_last_line_without_an_ending_is_truncated() {
    let truncated = "the stream ended inside a message, 3 bytes are left over";
    assert_eq!(failure(Line::new(), b"one\ntwo"), truncated);
    assert_eq!(failure(Line::new(), b"tw\r"), truncated);
    assert!(frames(Line::new(), b"").is_empty());
    let late = Line::new().max_line(2).fail_fast(false);
    assert_eq!(failure(late, b"abcdef"), "a line of 6 bytes is over the limit of 2 bytes");
}

#[test]
fn encoding_ends_a_line_once() {
    assert_eq!(wire(Line::new(), "a"), b"a\n");
    assert_eq!(wire(Line::new().crlf(true), "a"), b"a\r\n");
    assert_eq!(wire(Line::new(), ""), b"\n");
    // Its own CR must not be taken for a part of the ending.
    assert_eq!(wire(Line::new(), "a\r"), b"a\r\r\n");
    assert_eq!(frames(Line::new(), b"a\r\r\n"), [b"a\r"]);

    let keep = Line::new().strip_delimiter(false);
    assert_eq!(wire(keep.clone(), "a\n"), b"a\n");
    assert_eq!(wire(keep.clone(), "a\r\n"), b"a\r\n");
    assert_eq!(wire(keep, "a"), b"a\n");
}

#[test]
fn a_message_cannot_smuggle_a_second_line() {
    let refused = "cannot be encoded: a line holds a line feed";
    assert_eq!(refusal(Line::new(), "a\nb"), refused);
    assert_eq!(refusal(Line::new(), "a\n"), refused);
    let keep = Line::new().strip_delimiter(false);
    assert_eq!(refusal(keep.clone(), "a\nb\n"), refused);
    assert_eq!(refusal(keep, "a\nb"), refused);
}
