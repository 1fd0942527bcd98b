//! Sections 5.5.1 and 7.4: what may stand in a close frame.

use crate::support::{CLOSE, client, decode};
use fyke_codecs::websocket::{CloseCode, CloseFrame, Message};

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    client(&[(CLOSE, &[&code.to_be_bytes(), reason].concat())])
}

#[test]
fn codes_that_may_be_sent() {
    for code in (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]) {
        let outcome = decode(&close(code, b"bye"));
        let known = CloseCode::new(code).expect("a code that may be sent");
        let expected = Message::Close(Some(CloseFrame::new(known, "bye")));
        assert_eq!((outcome.error, outcome.messages), (None, vec![expected]), "{code}");
    }
}

#[test]
fn codes_that_may_not_be_sent() {
    for code in
        [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 32_768, 65_535]
    {
        for reason in [&b""[..], b"bye"] {
            assert_eq!(decode(&close(code, reason)).code(), Some(1002), "{code}");
        }
        assert_eq!(CloseCode::new(code), None, "{code}");
    }
}

#[test]
fn payloads() {
    assert_eq!(decode(&client(&[(CLOSE, b"")])).messages, [Message::Close(None)]);
    assert_eq!(decode(&client(&[(CLOSE, b"\x03")])).code(), Some(1002));
    let bare = Message::Close(Some(CloseFrame::new(CloseCode::NORMAL, "")));
    assert_eq!(decode(&close(1000, b"")).messages, [bare]);
    let longest = Message::Close(Some(CloseFrame::new(CloseCode::NORMAL, "x".repeat(123))));
    assert_eq!(decode(&close(1000, &[b'x'; 123])).messages, [longest]);
    for reason in [&b"\xff"[..], b"bye\xe2\x82", b"\xed\xa0\x80"] {
        assert_eq!(decode(&close(1000, reason)).code(), Some(1007), "{reason:02x?}");
    }
}
