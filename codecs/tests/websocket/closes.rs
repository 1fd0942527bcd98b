//! Sections 5.5.1 and 7.4: what may stand in a close frame.

use crate::support::{CLOSE, FIN, PING, TEXT, client, decode};
use crate::table::Expect::{Fails, Messages};
use crate::table::{Case, check};
use fyke_codecs::websocket::{CloseCode, CloseFrame, Message};

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    client(&[(CLOSE, &[&code.to_be_bytes(), reason].concat())])
}

fn codes() -> Vec<Case> {
    let good = (1000..=1003).chain(1007..=1014).chain([3000, 3001, 3999, 4000, 4500, 4999]);
    let good = good.map(|code| {
        let known = CloseCode::new(code).expect("a code that may be sent");
        let expect = Messages(vec![Message::Close(Some(CloseFrame::new(known, "bye")))]);
        Case::new("7.4.1", format!("code {code}"), close(code, b"bye"), expect)
    });
    let bad = [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1099, 1100, 2000, 2999, 5000, 9999, 32_768, 65_535,
    ];
    let bad = bad.into_iter().flat_map(|code| {
        [&b""[..], b"bye"].map(|reason| {
            let name = format!("code {code}, {} bytes of reason", reason.len());
            Case::new("7.4.2", name, close(code, reason), Fails(0, 1002))
        })
    });
    good.chain(bad).collect()
}

fn payloads() -> Vec<Case> {
    let normal = |reason: String| {
        Messages(vec![Message::Close(Some(CloseFrame::new(CloseCode::NORMAL, reason)))])
    };
    let none = || Messages(vec![Message::Close(None)]);
    let case = |name, input, expect| Case::new("5.5.1", name, input, expect);
    let behind = client(&[(CLOSE, b""), (FIN | TEXT, b"late"), (PING, b""), (0xff, b"")]);
    vec![
        case("empty", client(&[(CLOSE, b"")]), none()),
        case("one byte", client(&[(CLOSE, b"\x03")]), Fails(0, 1002)),
        case("a code alone", close(1000, b""), normal(String::new())),
        case("the longest reason", close(1000, &[b'x'; 123]), normal("x".repeat(123))),
        case("a reason in Greek", close(1000, "κόσμε".as_bytes()), normal("κόσμε".into())),
        case("a reason that is no UTF-8", close(1000, b"\xff"), Fails(0, 1007)),
        case("a reason cut in a character", close(1000, b"bye\xe2\x82"), Fails(0, 1007)),
        case("a reason with a surrogate", close(1000, b"\xed\xa0\x80"), Fails(0, 1007)),
        case("nothing is read behind it", behind, none()),
        case(
            "two closes are one",
            [close(1000, b""), close(1001, b"")].concat(),
            normal(String::new()),
        ),
    ]
}

/// All rows of this file.
pub(crate) fn cases() -> Vec<Case> {
    [codes(), payloads()].into_iter().flatten().collect()
}

#[test]
fn codes_7_4() {
    check(&codes());
}

#[test]
fn payloads_5_5_1() {
    check(&payloads());
}

#[test]
fn codes_that_may_not_be_sent_cannot_be_made() {
    for code in (0..=u16::MAX).filter(|code| CloseCode::new(*code).is_none()) {
        assert!(!matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999), "{code}");
    }
    let ours = decode(&close(4999, b"")).messages;
    assert_eq!(CloseCode::new(4999).map(CloseCode::as_u16), Some(4999));
    assert_eq!(ours.len(), 1);
}
