//! Both directions together: order, interim responses, upgrades, the end of a connection.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};
use fyke_codecs::http1::{
    HttpError, RequestPart, Response, ResponseHead, ResponsePart, ServerCodec, Status,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
const EXPECT: &str =
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";

/// A codec, what it has not read yet and what it has written.
#[derive(Default)]
struct Peer {
    codec: ServerCodec,
    src: ByteBuf,
    dst: ByteBuf,
}

impl Peer {
    /// Receives, and decodes as far as it goes: H, B and E for the parts, ! for a refusal.
    fn receive(&mut self, text: &str) -> String {
        self.src.write_slice(text.as_bytes());
        let mut parts = String::new();
        loop {
            parts.push(match self.codec.decode(&mut self.src) {
                Ok(Some(RequestPart::Full(_))) => 'F',
                Ok(Some(RequestPart::Head(_))) => 'H',
                Ok(Some(RequestPart::Body(_))) => 'B',
                Ok(Some(RequestPart::End)) => 'E',
                Ok(Some(other)) => panic!("{other:?}"),
                Ok(None) => return parts,
                Err(error) => {
                    assert!(HttpError::of(&error).is_some(), "{error}");
                    parts.push('!');
                    return parts;
                }
            });
        }
    }

    fn send(&mut self, part: impl Into<ResponsePart>) -> Result<String, CodecError> {
        self.dst.clear();
        self.codec.encode(part.into(), &mut self.dst)?;
        Ok(String::from_utf8_lossy(&self.dst).into_owned())
    }

    fn answer(&mut self, status: Status) -> String {
        self.send(Response::new(status)).expect("a good response")
    }
}

fn head(status: Status) -> ResponsePart {
    ResponsePart::Head(ResponseHead::new(status))
}

#[test]
fn pipelined_requests_are_answered_by_what_each_was() {
    let mut peer = Peer::default();
    let head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(peer.receive(&[GET, head, last, GET].concat()), "FFF");
    assert_eq!(peer.codec.pending(), 3);
    let ok = || Response::new(Status::OK).body("hi");
    assert!(peer.send(ok()).is_ok_and(|text| text.ends_with("2\r\n\r\nhi")));
    assert!(peer.send(ok()).is_ok_and(|text| text.ends_with("2\r\n\r\n")));
    assert!(!peer.codec.is_finished());
    assert!(peer.send(ok()).is_ok_and(|text| text.contains("Connection: close")));
    assert!(peer.codec.is_finished());
    assert!(peer.src.is_empty(), "what follows the last request is dropped");
}

#[test]
fn only_so_many_requests_run_ahead() {
    let mut peer = Peer::default();
    assert_eq!(peer.receive(&GET.repeat(40)), "F".repeat(32));
    assert_eq!(peer.src.readable(), 8 * GET.len());
    peer.answer(Status::OK);
    assert_eq!(peer.receive(""), "F");
    for _ in 0..32 {
        peer.answer(Status::OK);
    }
    assert_eq!(peer.receive(""), "F".repeat(7));
    assert!(!peer.codec.is_idle());
    for _ in 0..7 {
        peer.answer(Status::OK);
    }
    assert!(peer.codec.is_idle());
    peer.receive("GET");
    assert!(!peer.codec.is_idle(), "a request has begun");
}

#[test]
fn a_close_by_the_server_ends_reading() {
    let mut peer = Peer::default();
    assert_eq!(peer.receive(GET), "F");
    peer.codec.close_after_next();
    assert!(peer.answer(Status::OK).contains("Connection: close"));
    assert!(peer.codec.is_finished());
    assert_eq!(peer.receive(GET), "");
    assert!(peer.src.is_empty());
}

#[test]
fn refusals_wait_for_their_turn() {
    let mut peer = Peer::default();
    assert_eq!(peer.receive(&format!("{GET}BREW / HTTP/1.1\r\nHost: a\r\n\r\n{GET}")), "F!");
    assert!(!peer.answer(Status::OK).contains("close"));
    assert!(peer.answer(Status::NOT_IMPLEMENTED).contains("close"));
    assert!(peer.codec.is_finished());
    assert!(peer.send(Response::new(Status::OK)).is_err());
}

#[test]
fn a_bad_body_takes_the_connection_with_it() {
    let mut peer = Peer::default();
    let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n";
    assert_eq!(peer.receive(&format!("{GET}{post}")), "FH!");
    assert!(!peer.answer(Status::OK).contains("close"));
    assert!(peer.answer(Status::BAD_REQUEST).contains("close"));
    assert!(peer.codec.is_finished());
}

#[test]
fn a_request_can_be_given_up_on() {
    for part in ["GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"] {
        let mut peer = Peer::default();
        peer.receive(part);
        peer.codec.give_up();
        assert!(peer.answer(Status::REQUEST_TIMEOUT).contains("Connection: close"));
        assert!(peer.codec.is_finished());
    }
}

// RFC 9110 section 10.1.1.
#[test]
fn continue_is_sent_once_and_keeps_the_connection() {
    let mut peer = Peer::default();
    assert_eq!(peer.receive(EXPECT), "H");
    let text = peer.send(head(Status::CONTINUE)).expect("good");
    assert_eq!(text, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(peer.receive("hi"), "BE");
    assert!(!peer.answer(Status::OK).contains("close"));
    assert!(peer.codec.is_idle());
}

#[test]
fn a_final_answer_in_place_of_continue_closes() {
    let mut peer = Peer::default();
    assert_eq!(peer.receive(EXPECT), "H");
    assert!(peer.answer(Status::CONTENT_TOO_LARGE).contains("close"));
    assert!(peer.codec.is_finished());
}

#[test]
fn a_client_that_did_not_wait_for_continue_may_stay() {
    let mut peer = Peer::default();
    assert_eq!(peer.receive(&format!("{EXPECT}hi")), "HBE");
    assert!(!peer.answer(Status::OK).contains("close"));
}

#[test]
fn no_interim_response_to_http_1_0() {
    let mut peer = Peer::default();
    assert_eq!(peer.receive("POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\n"), "H");
    assert_eq!(peer.send(head(Status::CONTINUE)).expect("dropped"), "");
    assert_eq!(peer.send(head(Status::EARLY_HINTS)).expect("dropped"), "");
}

#[test]
fn an_answer_before_the_body_leaves_the_body_readable() {
    let mut peer = Peer::default();
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
    assert_eq!(peer.receive(&format!("{post}ab")), "HB");
    assert!(!peer.answer(Status::OK).contains("close"));
    assert_eq!(peer.receive(&format!("cd{GET}")), "BEF");
    assert_eq!(peer.codec.pending(), 1);
}

// RFC 9110 section 7.8.
#[test]
fn an_accepted_upgrade_leaves_the_rest_alone() {
    let mut peer = Peer::default();
    assert_eq!(peer.receive(&format!("{GET}{UPGRADE}\u{1}\u{2}")), "FF");
    let switch = || {
        ResponsePart::Head(
            ResponseHead::new(Status::SWITCHING_PROTOCOLS)
                .header("Connection", "Upgrade")
                .header("Upgrade", "x"),
        )
    };
    assert!(peer.send(switch()).is_err(), "the request before it comes first");
    peer.answer(Status::OK);
    assert_eq!(
        peer.send(switch()).expect("good"),
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
    );
    assert!(peer.codec.is_upgraded() && !peer.codec.is_finished());
    assert_eq!(peer.receive(""), "");
    assert_eq!(peer.src, b"\x01\x02"[..]);
}

#[test]
fn a_refused_upgrade_goes_on_with_requests() {
    let mut peer = Peer::default();
    assert_eq!(peer.receive(&format!("{UPGRADE}{GET}")), "F");
    assert_eq!(peer.receive(""), "");
    peer.answer(Status::OK);
    assert_eq!(peer.receive(""), "F");
}

#[test]
fn no_switch_before_the_body_is_read() {
    let mut peer = Peer::default();
    let post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\
                Content-Length: 2\r\n\r\n";
    assert_eq!(peer.receive(post), "H");
    assert!(peer.send(head(Status::SWITCHING_PROTOCOLS)).is_err());
    assert_eq!(peer.receive("hi!"), "BE");
    assert!(peer.send(head(Status::SWITCHING_PROTOCOLS)).is_ok());
    assert_eq!(peer.src, b"!"[..]);
}
