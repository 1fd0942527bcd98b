//! What is refused, with which status and reason, however the input is cut: the tables of
//! [`table`](crate::table).

use crate::support::{decode, feed};
use crate::table;
use fyke_codecs::http1::Limits;

#[test]
fn heads_are_refused_with_status_and_reason_however_they_are_cut() {
    let cases = table::heads();
    assert!(cases.len() >= 190, "{}", cases.len());
    for case in cases {
        let outcome = decode(case.input.as_bytes());
        let expected = Some((case.status, case.reason.to_owned()));
        assert_eq!(outcome.error, expected, "{}", case.clause);
        assert!(outcome.requests.is_empty(), "{}: {outcome:?}", case.clause);
    }
}

#[test]
fn bodies_are_refused_with_status_and_reason_however_they_are_cut() {
    let cases = table::bodies();
    assert!(cases.len() >= 55, "{}", cases.len());
    for case in cases {
        let outcome = decode(case.input.as_bytes());
        let expected = Some((case.status, case.reason.to_owned()));
        assert_eq!(outcome.error, expected, "{}", case.clause);
        let [request] = &outcome.requests[..] else { panic!("{}: {outcome:?}", case.clause) };
        assert!(!request.ended, "{}: {outcome:?}", case.clause);
    }
}

#[test]
fn no_two_cases_are_the_same() {
    let mut seen = std::collections::HashSet::new();
    for case in table::heads().into_iter().chain(table::bodies()) {
        assert!(seen.insert(case.clause), "{} twice", case.clause);
        let rfc = case.clause.split_once('-').map(|(rfc, _)| rfc);
        assert!(matches!(rfc, Some("3986" | "9110" | "9112" | "9113")), "{}", case.clause);
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
    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n";
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\n";
    for (start, rest) in [
        ("", "GET / HT"),
        (GET, ""),
        (POST, "Content-Length: 5\r\n\r\n"),
        (POST, "Content-Length: 5\r\n\r\nhell"),
        (POST, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    ] {
        let outcome = feed(Limits::new(), [start.as_bytes(), rest.as_bytes()], true);
        assert_eq!(outcome.status(), Some(0), "{rest:?}: {outcome:?}");
    }
    for (start, rest) in
        [("", ""), ("", "\r\n"), (GET, "\r\n"), (POST, "Content-Length: 2\r\n\r\nab")]
    {
        let outcome = feed(Limits::new(), [start.as_bytes(), rest.as_bytes()], true);
        assert_eq!(outcome.error, None, "{rest:?}");
    }
}
