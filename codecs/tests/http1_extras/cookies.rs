//! RFC 6265: what clients send, and what servers set.

use std::time::Duration;

use fyke_codecs::http1::cookies::{CookieError, SameSite, SetCookie, cookies};
use proptest::prelude::*;

fn read(value: &str) -> Vec<(String, String)> {
    cookies([value.as_bytes()]).map(|c| (c.name.to_owned(), c.value.to_owned())).collect()
}

/// RFC 6265 section 4.2.1, and what else arrives.
#[test]
fn cookie_fields() {
    for (value, expected) in [
        ("a=b", &[("a", "b")][..]),
        ("a=b; c=d", &[("a", "b"), ("c", "d")]),
        ("a=b;c=d;", &[("a", "b"), ("c", "d")]),
        (" a = b ;\tc=d", &[("a", "b"), ("c", "d")]),
        ("a=\"b c\"", &[("a", "\"b c\"")]),
        ("a=b=c==", &[("a", "b=c==")]),
        ("a=", &[("a", "")]),
        ("a=1; a=2", &[("a", "1"), ("a", "2")]),
        ("a", &[]),
        ("=b", &[]),
        ("a b=c; d=e", &[("d", "e")]),
        ("$Version=1; a=b, c", &[("$Version", "1"), ("a", "b, c")]),
        ("", &[]),
        (";;;", &[]),
        ("a=\u{e4}", &[("a", "\u{e4}")]),
    ] {
        let expected: Vec<_> =
            expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(read(value), expected, "{value:?}");
    }
    let several: Vec<_> = cookies([&b"a=1"[..], b"b=\xff", b"c=\"3\""]).collect();
    assert_eq!(several.len(), 2, "what is not UTF-8 is passed over");
    assert_eq!((several[1].value, several[1].unquoted()), ("\"3\"", "3"));
    assert_eq!(several[0].unquoted(), "1");
}

#[test]
fn set_cookie_fields() {
    let full = SetCookie::new("sid", "31d4d96e")
        .domain("example.com")
        .path("/a b")
        .expires(784_111_777)
        .max_age(Duration::from_secs(3600))
        .secure()
        .http_only()
        .same_site(SameSite::None)
        .partitioned();
    assert_eq!(
        full.to_value().expect("it can be set"),
        "sid=31d4d96e; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=3600; Domain=example.com; \
         Path=/a b; Secure; HttpOnly; SameSite=None; Partitioned"
    );
    for (cookie, text) in [
        (SetCookie::new("a", ""), "a="),
        (SetCookie::new("a", "\"quoted\""), "a=\"quoted\""),
        (SetCookie::new("a", "b").same_site(SameSite::Strict), "a=b; SameSite=Strict"),
        (SetCookie::new("a", "").max_age(Duration::ZERO), "a=; Max-Age=0"),
        (SetCookie::new("__Secure-a", "b").secure(), "__Secure-a=b; Secure"),
        (SetCookie::new("__Host-a", "b").secure().path("/"), "__Host-a=b; Path=/; Secure"),
    ] {
        assert_eq!(cookie.to_value().as_deref(), Ok(text));
    }
}

/// Nothing in a cookie can become an attribute, another field or another response.
#[test]
fn cookies_that_cannot_be_set() {
    let ok = || SetCookie::new("a", "b");
    for (cookie, error) in [
        (SetCookie::new("", "b"), CookieError::Name),
        (SetCookie::new("a b", "b"), CookieError::Name),
        (SetCookie::new("a;b", "b"), CookieError::Name),
        (SetCookie::new("a=", "b"), CookieError::Name),
        (SetCookie::new("a\r\n", "b"), CookieError::Name),
        (SetCookie::new("a", "b; Domain=x"), CookieError::Value),
        (SetCookie::new("a", "b\r\nX: y"), CookieError::Value),
        (SetCookie::new("a", "b c"), CookieError::Value),
        (SetCookie::new("a", "b,c"), CookieError::Value),
        (SetCookie::new("a", "b\"c"), CookieError::Value),
        (SetCookie::new("a", "\""), CookieError::Value),
        (SetCookie::new("a", "b\\"), CookieError::Value),
        (SetCookie::new("a", "\u{e4}"), CookieError::Value),
        (ok().domain(""), CookieError::Domain),
        (ok().domain("x; Path=/"), CookieError::Domain),
        (ok().domain("x\r\n"), CookieError::Domain),
        (ok().path("x"), CookieError::Path),
        (ok().path("/; Secure"), CookieError::Path),
        (ok().path("/\n"), CookieError::Path),
        (ok().same_site(SameSite::None), CookieError::Insecure),
        (ok().partitioned(), CookieError::Insecure),
        (SetCookie::new("__Secure-a", "b"), CookieError::Insecure),
        (SetCookie::new("__host-a", "b"), CookieError::HostPrefix),
        (SetCookie::new("__Host-a", "b").secure(), CookieError::HostPrefix),
        (SetCookie::new("__Host-a", "b").secure().path("/x"), CookieError::HostPrefix),
        (SetCookie::new("__Host-a", "b").secure().path("/").domain("x"), CookieError::HostPrefix),
    ] {
        assert_eq!(cookie.to_value(), Err(error), "{cookie:?}");
    }
}

/// RFC 6265 section 5.2: what clients make of a field.
#[test]
fn set_cookie_fields_are_read_as_clients_do() {
    let cookie = SetCookie::parse(
        b" a = b ; DOMAIN=.Example.COM; path=/x; max-age=60; SECURE; httponly; SameSite=lax; New",
    )
    .expect("a cookie");
    assert_eq!((cookie.name(), cookie.value()), ("a", "b"));
    assert_eq!((cookie.domain_of(), cookie.path_of()), (Some("example.com"), Some("/x")));
    assert!(cookie.is_secure() && cookie.is_http_only());
    assert_eq!(cookie.ends(1000), Some(1060));
    let ends = |text: &str| SetCookie::parse(text.as_bytes()).expect(text).ends(1000);
    for (text, end) in [
        ("a=b", None),
        ("a=b; Max-Age=0", Some(0)),
        ("a=b; Max-Age=-5", Some(0)),
        ("a=b; Max-Age=x", None),
        ("a=b; Max-Age=1x; Expires=Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
        ("a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=1", Some(1001)),
        ("a=b; Max-Age=99999999999999999999", None),
        ("a=b; Max-Age=9223372036854775807", Some(9_223_372_036_854_776_807)),
    ] {
        assert_eq!(ends(text), end, "{text}");
    }
    for bad in [&b"a"[..], b"=b", b"", b"; a=b", b"a=b\0", b"a=b\r\nX: y", b"a=\xff"] {
        assert_eq!(SetCookie::parse(bad), None, "{:?}", bad.escape_ascii().to_string());
    }
    let odd =
        SetCookie::parse(b"a=b; Path=x; Domain=; SameSite=Maybe; Secure=no").expect("a cookie");
    assert_eq!((odd.path_of(), odd.domain_of(), odd.is_secure()), (None, None, true));
}

/// RFC 6265 section 5.1.1.
#[test]
fn dates_in_all_their_forms() {
    let read = |date: &str| {
        SetCookie::parse(format!("a=b; Expires={date}").as_bytes()).expect("a cookie").ends(0)
    };
    let second = Some(784_111_777);
    for (date, expected) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", second),
        ("Sun, 06-Nov-1994 08:49:37 GMT", second),
        ("Sunday, 06-Nov-94 08:49:37 GMT", second),
        ("Sun Nov  6 08:49:37 1994", second),
        ("6 november 1994 8:49:37", second),
        ("1994 Nov 06 08:49:37", second),
        ("08:49:37 6 NOV 1994", second),
        ("Thu, 01-Jan-1970 00:00:00 GMT", Some(0)),
        ("Mon, 01-Jan-1900 00:00:00 GMT", Some(0)),
        ("Thu, 01-Jan-69 00:00:00 GMT", Some(3_124_224_000)),
        ("Sun, 06 Nov 1994 24:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:60:37 GMT", None),
        ("Sun, 32 Nov 1994 08:49:37 GMT", None),
        ("Sun, 31 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Foo 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1600 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994", None),
        ("", None),
    ] {
        assert_eq!(read(date), expected, "{date}");
    }
}

proptest! {
    #[test]
    fn what_can_be_set_is_read_back(
        name in "[a-z!#$%&'*+.^_`|~-]{1,10}", value in "[!#-+\\--:<-\\[\\]-~]{0,20}", path in "/[a-z/]{0,10}",
    ) {
        let cookie = SetCookie::new(name.clone(), value.clone()).path(path).http_only();
        let text = cookie.to_value().expect("all of it is allowed");
        prop_assert_eq!(SetCookie::parse(text.as_bytes()), Some(cookie));
        let sent = format!("{name}={value}");
        prop_assert_eq!(read(&sent), [(name, value)]);
    }

    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60), date in "[0-9A-Za-z:, -]{0,30}") {
        let _ = cookies([&bytes[..]]).count();
        let _ = SetCookie::parse(&bytes);
        let _ = SetCookie::parse(format!("a=b; Expires={date}").as_bytes());
    }
}
