//! `Delimiter`.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::frames::Delimiter;

use crate::{error_of, failure, frames, refusal, run, wire};

#[test]
fn the_shortest_frame_wins() {
    // Netty's example: with LF among the delimiters there are two frames, with CR LF alone one.
    let stream = b"ABC\nDEF\r\n";
    assert_eq!(frames(Delimiter::line(), stream), [b"ABC", b"DEF"]);
    assert_eq!(frames(Delimiter::new("\n").or("\r\n"), stream), [b"ABC", b"DEF"]);
    assert_eq!(frames(Delimiter::new("\r\n"), stream), [b"ABC\nDEF"]);
}

#[test]
fn nul_ends_a_frame() {
    assert_eq!(frames(Delimiter::nul(), b"a\0\0bc\0"), [&b"a"[..], b"", b"bc"]);
}

#[test]
fn delimiters_can_be_kept() {
    let keep = Delimiter::new(";").or("--").strip_delimiter(false);
    assert_eq!(frames(keep, b"a;b--;"), [&b"a;"[..], b"b--", b";"]);
}

#[test]
fn of_overlapping_delimiters_the_one_complete_first_wins() {
    let table: [(&[&str], &str, &[&str]); 5] = [
        (&["bcd", "c"], "abcd;abc", &["ab", "d;ab"]),
        (&["ab", "a"], "xab", &["x"]),
        (&["aab", "ab"], "xaab", &["x"]),
        (&["abab"], "xababab", &["x"]),
        (&["ab", "ab"], "xaby", &["x"]),
    ];
    for (delimiters, stream, items) in table {
        let items: Vec<_> = items.iter().map(|item| item.as_bytes()).collect();
        let mut reversed = delimiters.to_vec();
        reversed.reverse();
        for order in [delimiters.to_vec(), reversed] {
            let mut codec = order[1..].iter().fold(Delimiter::new(order[0]), Delimiter::or);
            let dripped: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
            let dripped = run(&mut codec.clone(), &dripped);
            let whole = run(&mut codec, &[stream.as_bytes()]);
            assert_eq!(whole, dripped, "{order:?}");
            assert_eq!(whole.items, items, "{order:?}");
        }
    }
}

#[test]
fn the_limit_counts_no_delimiter() {
    let codec = || Delimiter::new("--").or(";").max_frame(4);
    assert_eq!(frames(codec(), b"abcd--abcd;"), [b"abcd", b"abcd"]);
    // Half of a delimiter behind the longest frame: it may still become whole.
    assert_eq!(run(&mut codec(), &[b"abcd-", b"-"]).items, [b"abcd"]);
    let error = "a frame of 5 bytes is over the limit of 4 bytes";
    for stream in [&b"abcd-x"[..], b"abcde;", b"abcde--", b"abcdefghijk"] {
        assert_eq!(failure(codec(), stream), error, "{stream:?}");
    }
    assert_eq!(frames(codec().max_frame(usize::MAX), b"a;"), [b"a"]);
    assert_eq!(frames(codec().max_frame(0), b";--"), [b"", b""]);
}

#[test]
fn failing_late_drops_the_frame_first_and_keeps_none_of_it() {
    let mut codec = Delimiter::new("--\r\n").max_frame(10).fail_fast(false);
    let mut src = ByteBuf::new();
    for _ in 0..100 {
        src.write_slice(&[b'-'; 100]);
        assert!(codec.decode(&mut src).expect("not yet").is_none());
        assert!(src.readable() < 4, "only what may be half a delimiter");
    }
    assert!(src.capacity() <= 1024, "{} bytes are held", src.capacity());
    src.write_slice(b"\r\nok--\r\n");
    let error = error_of(&mut codec, &mut src);
    assert!(matches!(error, CodecError::TooLarge { size: 9_998, limit: 10, .. }), "{error}");
    assert_eq!(codec.decode(&mut src).expect("sound").expect("whole").as_slice(), b"ok");
}

#[test]
fn who_goes_on_after_failing_fast_gets_the_next_frame() {
    let mut codec = Delimiter::new("--").max_frame(3);
    let mut src = ByteBuf::from(b"abc--defgh-");
    let error = error_of(&mut codec, &mut src);
    assert!(matches!(error, CodecError::TooLarge { size: 4, limit: 3, .. }));
    src.write_slice(b"-ok--");
    assert_eq!(codec.decode(&mut src).expect("sound").expect("whole").as_slice(), b"ok");
}

#[test]
fn a_last_frame_without_a_delimiter_is_truncated() {
    let truncated = "the stream ended inside a message, 2 bytes are left over";
    assert_eq!(failure(Delimiter::new("--"), b"a--b-"), truncated);
    assert!(frames(Delimiter::nul(), b"").is_empty());
    let late = Delimiter::new("--").max_frame(2).fail_fast(false);
    assert_eq!(failure(late, b"abcdef-"), "a frame of 7 bytes is over the limit of 2 bytes");
}

#[test]
fn a_rare_delimiter_is_not_looked_for_again_at_each_frame() {
    // Both orders: searched for anew at each of the 200 000 frames, a delimiter that never
    // comes would cost 40 billion byte compares here.
    let stream = b"a;".repeat(200_000);
    for codec in [Delimiter::new("never").or(";"), Delimiter::new(";").or("never")] {
        let items = frames(codec.max_frame(usize::MAX), &stream);
        assert_eq!(items.len(), 200_000);
    }
}

#[test]
fn encoding_appends_the_first_delimiter() {
    assert_eq!(wire(Delimiter::new("--").or(";"), "a"), b"a--");
    let keep = Delimiter::new("--").or(";").strip_delimiter(false);
    assert_eq!(wire(keep.clone(), "a;"), b"a;");
    assert_eq!(wire(keep, "a"), b"a--");
}

#[test]
fn a_message_cannot_smuggle_a_second_frame() {
    let refused = "cannot be encoded: a message holds a delimiter";
    assert_eq!(refusal(Delimiter::new("--").or(";"), "a;b"), refused);
    assert_eq!(refusal(Delimiter::new("--").or(";"), "a--"), refused);
    // Across the seam: the message's last byte would become a part of the delimiter.
    assert_eq!(refusal(Delimiter::new("--"), "a-"), refused);
    assert_eq!(refusal(Delimiter::new("\n").or("\r\n"), "a\r"), refused);
    let keep = Delimiter::new(";").strip_delimiter(false);
    assert_eq!(refusal(keep, "a;b;"), refused);
}

#[test]
#[should_panic(expected = "at least one byte")]
fn an_empty_delimiter_is_a_mistake() {
    let _ = Delimiter::new("a").or("");
}
