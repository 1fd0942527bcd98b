//! Section 8.1: text is UTF-8, checked as it streams.

use crate::support::{BINARY, CONT, FIN, PING, TEXT, client, decode, feed};
use crate::table::Expect::{Fails, Messages};
use crate::table::{Case, Expect, check};
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

/// Every row whole, in fragments of one and of two bytes, and with pings between the fragments.
fn every_way(what: &str, bytes: &[u8], expect: impl Fn(usize) -> Expect) -> Vec<Case> {
    let pings = client(&[(TEXT, b"")])
        .into_iter()
        .chain(bytes.chunks(1).flat_map(|piece| client(&[(CONT, piece), (PING, b"p")])))
        .chain(client(&[(FIN | CONT, b"")]))
        .collect();
    let case = |how: &str, input, expect| Case::new("8.1", format!("{what}, {how}"), input, expect);
    vec![
        case("whole", client(&[(FIN | TEXT, bytes)]), expect(0)),
        case("in fragments of 1", fragments(bytes, 1), expect(0)),
        case("in fragments of 2", fragments(bytes, 2), expect(0)),
        case("pings in between", pings, expect(bytes.len())),
    ]
}

fn good() -> Vec<Case> {
    let rows = GOOD.iter().flat_map(|(what, bytes)| {
        let text = std::str::from_utf8(bytes).expect(what).to_owned();
        every_way(what, bytes, |pings| {
            let mut messages = vec![Message::Ping("p".into()); pings];
            messages.push(Message::text(text.clone()));
            Messages(messages)
        })
    });
    rows.collect()
}

fn bad() -> Vec<Case> {
    let rows = BAD.iter().flat_map(|(what, bytes)| {
        // Up to the first bad byte, pings are heard: that many are in front of it.
        let valid_up_to = std::str::from_utf8(bytes).expect_err(what).valid_up_to();
        let first_bad = valid_up_to + bad_len(&bytes[valid_up_to..]);
        let mut rows =
            every_way(what, bytes, |pings| Fails(if pings == 0 { 0 } else { first_bad - 1 }, 1007));
        let open = client(&[(TEXT, bytes)]);
        rows.push(Case::new("8.1", format!("{what}, in an open message"), open, Fails(0, 1007)));
        // The frame says that a hundred bytes follow; they need not come.
        let long = client(&[(TEXT, &[bytes, &[b' '; 100][..]].concat())]);
        let open = long[..long.len() - 100].to_vec();
        rows.push(Case::new("8.1", format!("{what}, in an open frame"), open, Fails(0, 1007)));
        rows
    });
    rows.collect()
}

/// How many bytes of a broken character it takes to see that it is broken.
fn bad_len(broken: &[u8]) -> usize {
    let cannot_begin = |end: &usize| {
        std::str::from_utf8(&broken[..*end]).is_err_and(|error| error.error_len().is_some())
    };
    (1..=broken.len()).find(cannot_begin).unwrap_or(broken.len())
}

fn cut() -> Vec<Case> {
    let rows = CUT.iter().flat_map(|(what, bytes)| {
        let mut rows = every_way(what, bytes, |pings| Fails(pings, 1007));
        // As long as more may come, nothing is wrong.
        let open = client(&[(TEXT, bytes)]);
        rows.push(Case::new("8.1", format!("{what}, in an open message"), open, Messages(vec![])));
        rows
    });
    rows.collect()
}

fn binary() -> Vec<Case> {
    let rows = BAD.iter().map(|(what, bytes)| {
        let expect = Messages(vec![Message::binary(bytes.to_vec())]);
        Case::new("5.6", format!("binary: {what}"), client(&[(FIN | BINARY, bytes)]), expect)
    });
    rows.collect()
}

/// All rows of this file.
pub(crate) fn cases() -> Vec<Case> {
    [good(), bad(), cut(), binary()].into_iter().flatten().collect()
}

#[test]
fn good_text_8_1() {
    check(&good());
}

#[test]
fn bad_text_fails_at_the_first_bad_byte_8_1() {
    check(&bad());
}

#[test]
fn text_that_ends_inside_a_character_8_1() {
    check(&cut());
}

#[test]
fn binary_is_not_checked_5_6() {
    check(&binary());
}

#[test]
fn text_is_text() {
    for (what, bytes) in GOOD {
        let [Message::Text(read)] = &decode(&client(&[(FIN | TEXT, bytes)])).messages[..] else {
            panic!("{what} is no text");
        };
        assert_eq!(read.as_str().as_bytes(), *bytes, "{what}");
    }
}

#[test]
fn a_bad_byte_is_seen_in_the_middle_of_a_frame() {
    // Byte after byte: the error comes with the first byte that no character can have there.
    let input = client(&[(FIN | TEXT, b"ok \xf4\x90\x80\x80 and more")]);
    for end in 0..input.len() {
        let outcome = feed(Role::Server, Limits::new(), input[..end].chunks(1), false);
        let expected = (end >= 6 + 5).then_some(1007);
        assert_eq!(outcome.code(), expected, "after {end} bytes");
    }
}

#[test]
fn a_cut_character_does_not_leak_into_the_next_message() {
    let outcome = decode(&client(&[(FIN | TEXT, b"\xe2\x82\xac"), (FIN | TEXT, b"\x82")]));
    assert_eq!((outcome.messages.len(), outcome.code()), (1, Some(1007)));
}
