//! Section 8.1: text is UTF-8, checked as it streams.

use crate::support::{CONT, FIN, TEXT, client, decode, feed};
use fyke_codecs::websocket::{Limits, Message, Role};

/// (what, bytes) that are UTF-8.
#[rustfmt::skip]
const GOOD: &[(&str, &[u8])] = &[
    ("nothing", b""),
    ("ASCII", b"Hello-"),
    ("NUL", b"\x00"),
    ("last of one byte", b"\x7f"),
    ("first of two", b"\xc2\x80"),
    ("last of two", b"\xdf\xbf"),
    ("first of three", b"\xe0\xa0\x80"),
    ("before the surrogates", b"\xed\x9f\xbf"),
    ("behind the surrogates", b"\xee\x80\x80"),
    ("replacement character", b"\xef\xbf\xbd"),
    ("noncharacter FFFE", b"\xef\xbf\xbe"),
    ("last of three", b"\xef\xbf\xbf"),
    ("first of four", b"\xf0\x90\x80\x80"),
    ("last of all", b"\xf4\x8f\xbf\xbf"),
    ("noncharacter 1FFFE", b"\xf0\x9f\xbf\xbe"),
    ("byte order mark", b"\xef\xbb\xbf"),
    ("Greek", b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"),
    ("mixed", "a\u{e4}\u{20ac}\u{1f41f}z".as_bytes()),
];

/// (what, bytes) that cannot begin any UTF-8.
#[rustfmt::skip]
const BAD: &[(&str, &[u8])] = &[
    ("continuation alone", b"\x80"),
    ("last continuation alone", b"\xbf"),
    ("two continuations", b"\x80\xbf"),
    ("overlong slash in two", b"\xc0\xaf"),
    ("overlong NUL in two", b"\xc0\x80"),
    ("overlong in two, last", b"\xc1\xbf"),
    ("overlong slash in three", b"\xe0\x80\xaf"),
    ("overlong in three, last", b"\xe0\x9f\xbf"),
    ("overlong slash in four", b"\xf0\x80\x80\xaf"),
    ("overlong in four, last", b"\xf0\x8f\xbf\xbf"),
    ("first surrogate", b"\xed\xa0\x80"),
    ("last surrogate", b"\xed\xbf\xbf"),
    ("surrogate pair", b"\xed\xa0\x80\xed\xb0\x80"),
    ("beyond the last", b"\xf4\x90\x80\x80"),
    ("F5", b"\xf5\x80\x80\x80"),
    ("five bytes", b"\xf8\x88\x80\x80\x80"),
    ("six bytes", b"\xfc\x84\x80\x80\x80\x80"),
    ("FE", b"\xfe"),
    ("FF", b"\xff"),
    ("two, cut by ASCII", b"\xc3a"),
    ("three, cut by ASCII", b"\xe2\x82a"),
    ("four, cut by ASCII", b"\xf0\x9f\x90a"),
    ("three, cut by a start", b"\xe2\xc3\xa4"),
    ("behind good text", b"Hello\xc2\xb5@\xed\xa0\x80"),
    ("behind a long text", b"0123456789012345678901234567890123456789012345678901234567890123456789\xff"),
];

/// (what, bytes) that are the beginning of UTF-8 only.
#[rustfmt::skip]
const CUT: &[(&str, &[u8])] = &[
    ("one of two", b"\xc3"),
    ("one of three", b"\xe2"),
    ("two of three", b"\xe2\x82"),
    ("one of four", b"\xf0"),
    ("two of four", b"\xf0\x9f"),
    ("three of four", b"\xf0\x9f\x90"),
    ("two of three behind text", b"euro \xe2\x82"),
];

fn fragments(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut input = client(&[(TEXT, b"")]);
    for piece in bytes.chunks(size) {
        input.extend(client(&[(CONT, piece)]));
    }
    input.extend(client(&[(FIN | CONT, b"")]));
    input
}

#[test]
fn good_text_whole_and_in_fragments() {
    for (what, bytes) in GOOD {
        let text = std::str::from_utf8(bytes).expect(what).to_owned();
        let expected = [Message::text(text.clone())];
        assert_eq!(decode(&client(&[(FIN | TEXT, bytes)])).messages, expected, "{what}");
        for size in 1..4 {
            assert_eq!(decode(&fragments(bytes, size)).messages, expected, "{what}");
        }
        let [Message::Text(read)] = &decode(&client(&[(FIN | TEXT, bytes)])).messages[..] else {
            panic!("{what} is no text");
        };
        assert_eq!(read.as_str(), text, "{what}");
    }
}

#[test]
fn bad_text_whole_and_in_fragments() {
    for (what, bytes) in BAD {
        assert_eq!(decode(&client(&[(FIN | TEXT, bytes)])).code(), Some(1007), "{what}");
        for size in 1..4 {
            assert_eq!(decode(&fragments(bytes, size)).code(), Some(1007), "{what}");
        }
        // Not only at the end of the message, nor of the frame.
        let open = client(&[(TEXT, bytes)]);
        assert_eq!(decode(&open).code(), Some(1007), "{what} in an open message");
        let long = client(&[(TEXT, &[bytes, &[b' '; 100][..]].concat())]);
        let open = &long[..long.len() - 100];
        let outcome = feed(Role::Server, Limits::new(), [open], false);
        assert_eq!(outcome.code(), Some(1007), "{what} in an open frame");
    }
}

#[test]
fn text_that_ends_inside_a_character() {
    for (what, bytes) in CUT {
        assert_eq!(decode(&client(&[(FIN | TEXT, bytes)])).code(), Some(1007), "{what}");
        assert_eq!(decode(&fragments(bytes, 1)).code(), Some(1007), "{what}");
        // As long as more may come, nothing is wrong.
        assert_eq!(decode(&client(&[(TEXT, bytes)])).error, None, "{what}");
    }
}

#[test]
fn a_cut_character_does_not_leak_into_the_next_message() {
    let outcome = decode(&client(&[(FIN | TEXT, b"\xe2\x82\xac"), (FIN | TEXT, b"\x82")]));
    assert_eq!((outcome.messages.len(), outcome.code()), (1, Some(1007)));
}

#[test]
fn binary_is_not_checked() {
    for (what, bytes) in BAD {
        let outcome = decode(&client(&[(FIN | 0x2, bytes)]));
        assert_eq!((outcome.messages.len(), outcome.error), (1, None), "{what}");
    }
}
