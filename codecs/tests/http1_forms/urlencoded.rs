//! `application/x-www-form-urlencoded`.

use std::borrow::Cow;

use fyke_codec::CodecError;
use fyke_codec::check::{assert_every_split, assert_every_split_fails};
use fyke_codecs::http1::forms::{UrlEncodedDecoder, UrlEncodedLimits, urlencoded};
use proptest::collection::vec;
use proptest::prelude::*;

fn pairs(text: &str) -> Vec<(String, String)> {
    urlencoded(text.as_bytes()).map(|(a, b)| (a.into_owned(), b.into_owned())).collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn pairs_as_browsers_send_them_however_they_are_cut() {
    for (text, expected) in [
        ("", &[][..]),
        ("a=b", &[("a", "b")]),
        ("a=b&c=d", &[("a", "b"), ("c", "d")]),
        ("&&a=b&&", &[("a", "b")]),
        ("a", &[("a", "")]),
        ("a=", &[("a", "")]),
        ("=b", &[("", "b")]),
        ("a=b=c", &[("a", "b=c")]),
        ("a+b=c+d", &[("a b", "c d")]),
        ("%61%3D=%26%2b", &[("a=", "&+")]),
        ("a=%", &[("a", "%")]),
        ("a=%4", &[("a", "%4")]),
        ("a=%4x%zz", &[("a", "%4x%zz")]),
        ("a=%C3%A4&b=\u{e4}", &[("a", "\u{e4}"), ("b", "\u{e4}")]),
        ("a=%ff", &[("a", "\u{fffd}")]),
        ("a;b=c", &[("a;b", "c")]),
    ] {
        assert_eq!(pairs(text), owned(expected), "{text}");
        assert_every_split(UrlEncodedDecoder::default, text.as_bytes(), &owned(expected));
    }
}

#[test]
fn what_needs_no_decoding_is_not_copied() {
    let (name, value) = urlencoded(b"plain=value").next().expect("a pair");
    assert!(matches!((name, value), (Cow::Borrowed("plain"), Cow::Borrowed("value"))));
}

#[test]
fn limits() {
    let limits = UrlEncodedLimits::new().pairs_max(2).pair_bytes_max(5);
    let make = || UrlEncodedDecoder::new(limits);
    assert_every_split(make, b"a=123&b=123", &owned(&[("a", "123"), ("b", "123")]));
    let too_large = |error: &CodecError| matches!(error, CodecError::TooLarge { .. });
    let two = owned(&[("a", "1"), ("b", "2")]);
    assert_every_split_fails(make, b"a=1&b=2&c=3", &two, too_large);
    assert_every_split_fails(make, b"a=1&b=1234", &owned(&[("a", "1")]), too_large);
    assert_every_split_fails(make, b"a=1234&b=2", &owned(&[]), too_large);
}

proptest! {
    #[test]
    fn encoded_pairs_come_back(expected in vec((".{0,12}", ".{0,12}"), 0..6)) {
        let encode = |text: &str| -> String {
            text.bytes().map(|b| if b == b' ' { "+".into() } else { format!("%{b:02X}") }).collect()
        };
        let text: Vec<_> =
            expected.iter().map(|(a, b)| format!("{}={}", encode(a), encode(b))).collect();
        prop_assert_eq!(pairs(&text.join("&")), expected);
    }
}
