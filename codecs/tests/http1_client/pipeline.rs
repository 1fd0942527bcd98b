//! What the two stages of a client see to by themselves.

use std::time::Duration;

use fyke_codecs::Payload;
use fyke_codecs::http1::Method;
use fyke_codecs::http1::client::{
    ClientLimits, ClientRequest, ClientRequestHead, ClientRequestPart, ClientResponse,
    ClientResponsePart, HttpResponseAggregator, client,
};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{CloseReason, ErrorKind, WriteFuture};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn channel() -> EmbeddedChannel {
    EmbeddedChannel::new(|ch| client(ch.pipeline(), ClientLimits::new().held_bytes_max(1000)))
}

fn whole() -> EmbeddedChannel {
    EmbeddedChannel::new(|ch| {
        client(ch.pipeline(), ClientLimits::new())
            .inbound("responses", HttpResponseAggregator::new(10))
    })
}

fn write(channel: &mut EmbeddedChannel, part: impl Into<ClientRequestPart>) -> WriteFuture {
    channel.write_outbound::<ClientRequestPart>(part.into()).expect("it takes requests")
}

fn sent(channel: &mut EmbeddedChannel) -> String {
    String::from_utf8(channel.read_outbound().to_vec()).expect("requests of tests are text")
}

/// Responses that reached the tail: I, H, B, E.
fn parts(channel: &mut EmbeddedChannel) -> String {
    let letter = |part| match part {
        ClientResponsePart::Interim(_) => 'I',
        ClientResponsePart::Head(_) => 'H',
        ClientResponsePart::Body(_) => 'B',
        ClientResponsePart::End => 'E',
        other => panic!("{other:?}"),
    };
    channel.drain_inbound().into_iter().map(letter).collect()
}

fn get() -> ClientRequest {
    ClientRequest::new(Method::Get, "a", "/")
}

fn expecting(body: &'static str) -> ClientRequest {
    ClientRequest::new(Method::Post, "a", "/").expect_continue().body(body)
}

const EXPECTING: &str =
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut channel = whole();
    for _ in 0..3 {
        drop(write(&mut channel, get()));
    }
    assert_eq!(sent(&mut channel), "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3));
    for body in ["one", "two", "three"] {
        let len = body.len();
        channel.write_inbound(format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n{body}"));
    }
    let bodies: Vec<_> =
        channel.drain_inbound::<ClientResponse>().into_iter().map(|r| r.body.to_vec()).collect();
    assert_eq!(bodies, [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
    assert!(channel.is_open());
}

#[test]
fn a_large_body_is_sent_without_a_copy_and_promised() {
    let mut channel = channel();
    let body = vec![b'x'; 100_000];
    let mut promise =
        write(&mut channel, ClientRequest::new(Method::Put, "a", "/").body(body.clone()));
    assert!(promise.try_result().is_some_and(|result| result.is_ok()));
    let sent = channel.read_outbound();
    assert!(sent.ends_with(&body));
    assert!(sent.starts_with(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx"));
}

/// RFC 9110 section 10.1.1.
#[test]
fn a_body_waits_for_100_continue() {
    let mut channel = channel();
    let mut promise = write(&mut channel, expecting("body"));
    drop(write(&mut channel, get()));
    assert_eq!(sent(&mut channel), EXPECTING);
    assert!(promise.try_result().is_none());
    assert!(channel.pending_bytes() > 0, "what is held counts");
    channel.write_inbound("HTTP/1.1 103 Early Hints\r\n\r\n");
    assert_eq!(sent(&mut channel), "");
    channel.write_inbound("HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(sent(&mut channel), "bodyGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(promise.try_result().is_some_and(|result| result.is_ok()));
    assert_eq!(channel.pending_bytes(), 0);
    channel.write_inbound(OK.repeat(2).as_str());
    assert_eq!(parts(&mut channel), "IIHBEHBE");
    channel.advance(Duration::from_secs(100));
    assert_eq!(sent(&mut channel), "");
    assert!(channel.is_open());
}

#[test]
fn without_a_100_the_body_is_sent_after_a_while() {
    let mut channel = channel();
    drop(write(&mut channel, expecting("body")));
    assert_eq!(sent(&mut channel), EXPECTING);
    channel.advance(Duration::from_millis(999));
    assert_eq!(sent(&mut channel), "");
    channel.advance(Duration::from_millis(1));
    assert_eq!(sent(&mut channel), "body");
    channel.write_inbound(OK);
    assert_eq!(parts(&mut channel), "HBE");
    assert!(channel.is_open());
}

#[test]
fn a_final_response_in_place_of_a_100_stops_the_body() {
    let mut channel = channel();
    let mut promise = write(&mut channel, expecting("body"));
    let _ = sent(&mut channel);
    channel.write_inbound("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(sent(&mut channel), "", "the body is not sent");
    assert!(promise.try_result().is_some(), "and nobody waits for that");
    assert_eq!(parts(&mut channel), "HE");
    assert!(!channel.is_open(), "the server still waits for a body: nothing else can be sent");
    assert_eq!(channel.close_reason(), None, "the peer's end is awaited");
}

#[test]
fn parts_wait_for_100_continue_up_to_a_limit() {
    let mut channel = channel();
    drop(write(&mut channel, ClientRequestHead::new(Method::Put, "a", "/").expect_continue()));
    let head =
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(sent(&mut channel), head);
    let body = || ClientRequestPart::Body(Payload::from(vec![b'x'; 600]));
    for _ in 0..2 {
        assert!(write(&mut channel, body()).try_result().is_none());
    }
    let failed = write(&mut channel, body()).try_result().expect("it is over the limit");
    let kind = failed.expect_err("it is over the limit").into_kind();
    assert!(matches!(kind, ErrorKind::OutboundFull { pending: 1200, limit: 1000 }), "{kind:?}");
    assert!(!channel.is_open());
}

/// RFC 9112 section 9.5: the server has answered and will not read the rest.
#[test]
fn an_early_last_response_stops_an_upload() {
    let mut channel = channel();
    drop(write(&mut channel, ClientRequestHead::new(Method::Put, "a", "/").content_length(100)));
    drop(write(&mut channel, ClientRequestPart::Body("some".into())));
    let _ = sent(&mut channel);
    channel.write_inbound("HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
    assert_eq!(parts(&mut channel), "HBE");
    assert_eq!(sent(&mut channel), "");
    assert!(!channel.is_open());
}

#[test]
fn an_early_response_that_keeps_the_connection_lets_an_upload_go_on() {
    let mut channel = channel();
    drop(write(&mut channel, ClientRequestHead::new(Method::Put, "a", "/").content_length(8)));
    drop(write(&mut channel, ClientRequestPart::Body("some".into())));
    channel.write_inbound(OK);
    drop(write(&mut channel, ClientRequestPart::Body("more".into())));
    drop(write(&mut channel, ClientRequestPart::End));
    drop(write(&mut channel, get()));
    assert!(sent(&mut channel).ends_with("somemoreGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    channel.write_inbound(OK);
    assert_eq!(parts(&mut channel), "HBEHBE");
    assert!(channel.is_open());
}

#[test]
fn the_connection_ends_with_its_last_response() {
    for (request, response, keeps) in [
        (get(), OK.to_owned(), true),
        (get().close(), OK.to_owned(), false),
        (get(), OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"), false),
        (get(), OK.replace("1.1", "1.0"), false),
    ] {
        let mut channel = channel();
        drop(write(&mut channel, request));
        channel.write_inbound(response.as_str());
        assert_eq!(parts(&mut channel), "HBE");
        assert_eq!(channel.is_open(), keeps, "{response}");
    }
}

#[test]
fn the_servers_end_completes_a_body_without_a_length() {
    let mut channel = whole();
    drop(write(&mut channel, get()));
    channel.write_inbound("HTTP/1.1 200 OK\r\n\r\nto the");
    assert!(channel.read_inbound::<ClientResponse>().is_none());
    channel.write_inbound(" end");
    channel.finish_inbound();
    let response = channel.read_inbound::<ClientResponse>().expect("the end completes it");
    assert_eq!(response.body.as_slice(), b"to the end");
    assert!(!channel.is_open());
}

#[test]
fn what_cannot_be_read_ends_the_connection() {
    let mut channel = channel();
    drop(write(&mut channel, get()));
    channel.write_inbound("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
    let error = channel.take_error().expect("it is malformed");
    assert!(error.to_string().contains("more than one Content-Length"), "{error}");
    assert!(!channel.is_open());
    // Nothing was asked at all.
    let mut channel = self::channel();
    channel.write_inbound(OK);
    assert!(channel.take_error().is_some());
    assert!(!channel.is_open());
}

/// RFC 9112 section 7.1.2.
#[test]
fn trailers_come_with_the_response() {
    let mut channel = whole();
    drop(write(&mut channel, get()));
    channel.write_inbound("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n");
    channel.write_inbound("X-Sum: 1\r\nContent-Length: 7\r\n\r\n");
    let response = channel.read_inbound::<ClientResponse>().expect("it is complete");
    let trailers = response.trailers.expect("there are some");
    assert_eq!(trailers.get("x-sum"), Some(&b"1"[..]));
    assert_eq!(trailers.get("content-length"), None, "framing has no place here");
}

#[test]
fn a_whole_response_is_limited() {
    let mut channel = whole();
    drop(write(&mut channel, get()));
    channel
        .write_inbound("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n");
    assert!(channel.is_open());
    channel.write_inbound("1\r\nx\r\n0\r\n\r\n");
    assert!(channel.take_error().is_some_and(|error| error.to_string().contains("limit of 10")));
    assert!(channel.read_inbound::<ClientResponse>().is_none());
    assert!(!channel.is_open());
}

#[test]
fn a_request_that_cannot_be_sent_fails_alone() {
    let mut channel = channel();
    let mut bad = write(&mut channel, get().header("X", "a\r\nb"));
    assert!(bad.try_result().is_some_and(|result| result.is_err()));
    assert_eq!(sent(&mut channel), "");
    drop(write(&mut channel, get()));
    channel.write_inbound(OK);
    assert_eq!(parts(&mut channel), "HBE");
    assert!(channel.is_open());
    // One that goes wrong half-way takes the connection with it.
    drop(write(&mut channel, ClientRequestHead::new(Method::Put, "a", "/").content_length(1)));
    drop(write(&mut channel, ClientRequestPart::Body("too much".into())));
    assert!(!channel.is_open());
    assert_ne!(channel.close_reason(), Some(CloseReason::PeerEnd));
}

/// RFC 9110 section 7.8: what follows a 101 is left for the next protocol, up to a limit.
#[test]
fn bytes_behind_an_upgrade_wait_for_their_stages() {
    let mut channel = channel();
    let request = get().header("Connection", "upgrade").header("Upgrade", "x");
    drop(write(&mut channel, request));
    channel.write_inbound(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nHTTP/1.1 200",
    );
    assert_eq!(parts(&mut channel), "HE");
    channel.write_inbound(vec![b'x'; 200_000]);
    assert!(channel.is_open());
    channel.write_inbound(vec![b'x'; 100_000]);
    assert!(
        channel.take_error().is_some_and(|error| error.to_string().contains("another protocol"))
    );
    assert!(!channel.is_open());
}

#[test]
fn every_split_of_responses_gives_the_same_parts() {
    let stream = format!(
        "HTTP/1.1 100 Continue\r\n\r\n{OK}HTTP/1.1 204 No Content\r\n\r\n\
         HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n{OK}"
    );
    let answers = |pieces: &[&[u8]]| {
        let mut channel = whole();
        for _ in 0..4 {
            drop(write(&mut channel, get()));
        }
        for piece in pieces {
            channel.write_inbound(*piece);
        }
        let responses = channel.drain_inbound::<ClientResponse>();
        responses.into_iter().map(|r| (r.head.status(), r.body.to_vec())).collect::<Vec<_>>()
    };
    let stream = stream.as_bytes();
    let expected = answers(&[stream]);
    assert_eq!(expected.len(), 4);
    for cut in 1..stream.len() {
        let (a, b) = stream.split_at(cut);
        assert_eq!(answers(&[a, b]), expected, "cut at {cut}");
    }
    assert_eq!(answers(&stream.chunks(1).collect::<Vec<_>>()), expected);
}
