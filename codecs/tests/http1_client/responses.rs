//! Responses that are in order, clause by clause.

use fyke_codecs::http1::Method;
use fyke_codecs::http1::client::ClientLimits;

use crate::support::{Response, decode, decode_to, feed};

fn bodies(responses: &[Response]) -> Vec<&str> {
    responses.iter().map(|response| &*response.body).collect()
}

fn statuses(responses: &[Response]) -> Vec<u16> {
    responses.iter().map(|response| response.status).collect()
}

/// RFC 9112 section 6.3, rules 1 to 8.
#[test]
fn the_length_of_a_body_depends_on_method_status_and_fields() {
    let next = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext";
    for (method, head, body) in [
        (Method::Head, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", ""),
        (Method::Head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ""),
        (Method::Head, "HTTP/1.1 200 OK\r\n\r\n", ""),
        (Method::Get, "HTTP/1.1 204 No Content\r\n\r\n", ""),
        (Method::Get, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", ""),
        (Method::Get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ""),
        (Method::Get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
        (Method::Get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        (Method::Post, "HTTP/1.1 404 Not Found\r\nContent-Length: 005\r\n\r\nhello", "hello"),
        (
            Method::Get,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: v\r\n\r\n",
            "abcd",
        ),
    ] {
        let outcome = decode_to(&[method, Method::Get], &format!("{head}{next}"));
        assert!(outcome.error.is_none(), "{head}: {:?}", outcome.error);
        assert_eq!(bodies(&outcome.responses), [body, "next"], "{head}");
        assert!(outcome.responses.iter().all(|response| response.ended), "{head}");
    }
}

/// RFC 9112 section 6.3, rule 8, and section 9.6.
#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"] {
        let outcome = decode(&format!("{head}all of it\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"));
        assert!(outcome.error.is_none());
        assert_eq!(bodies(&outcome.responses), ["all of it\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"]);
        assert!(outcome.responses[0].ended && !outcome.responses[0].keep_alive);
    }
}

/// RFC 9110 section 15.2.
#[test]
fn interim_responses_come_before_the_final_one() {
    let outcome = decode_to(
        &[Method::Get],
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
         HTTP/1.1 102 \r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    );
    assert!(outcome.error.is_none());
    assert_eq!(statuses(&outcome.responses), [100, 103, 102, 200]);
    assert_eq!(outcome.responses[3].body, "hi");
}

/// RFC 9112 section 9.3.
#[test]
fn who_lets_the_connection_live() {
    for (head, keeps) in [
        ("HTTP/1.1 200 OK\r\n", true),
        ("HTTP/1.9 200 OK\r\n", true),
        ("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n", false),
        ("HTTP/1.0 200 OK\r\n", false),
        ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", true),
        ("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n", false),
    ] {
        let two = format!("{head}Content-Length: 1\r\n\r\na").repeat(2);
        let outcome = decode_to(&[Method::Get; 2], &two);
        assert!(outcome.error.is_none(), "{head}");
        // What follows the last response is dropped.
        assert_eq!(outcome.responses.len(), if keeps { 2 } else { 1 }, "{head}");
        assert_eq!(outcome.responses[0].keep_alive, keeps, "{head}");
    }
}

/// RFC 9112 section 4.
#[test]
fn reason_phrases_mean_nothing() {
    for line in ["HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.1 200 a b\tc", "HTTP/1.1 200 \u{e4}"] {
        let input = format!("{line}\r\nContent-Length: 0\r\n\r\n");
        let outcome = decode_to(&[Method::Get], &input);
        assert!(outcome.error.is_none(), "{line}: {:?}", outcome.error);
        assert_eq!(statuses(&outcome.responses), [200], "{line}");
    }
    let outcome = decode("HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(statuses(&outcome.responses), [599]);
}

/// RFC 9110 sections 7.8 and 9.3.6: what follows is not HTTP, and is not touched.
#[test]
fn a_tunnel_leaves_its_bytes_alone() {
    // RFC 9112 section 6.3, rule 2: the framing fields of such a response mean nothing.
    for fields in ["", "Content-Length: 3\r\n", "Transfer-Encoding: gzip, chunked\r\n"] {
        let input = format!("HTTP/1.1 200 OK\r\n{fields}\r\nraw bytes");
        for cut in 0..input.len() {
            let (a, b) = input.as_bytes().split_at(cut);
            let (responses, error, rest) = feed(ClientLimits::new(), &[Method::Connect], [a, b]);
            assert_eq!((error, rest.as_ref()), (None, &b"raw bytes"[..]), "cut at {cut}");
            assert_eq!((responses.len(), responses[0].ended), (1, true));
        }
    }
    // A refused CONNECT is a response like any other.
    let refused = "HTTP/1.1 407 No\r\nContent-Length: 3\r\n\r\nwhyHTTP/1.1 204 No Content\r\n\r\n";
    let outcome = decode_to(&[Method::Connect, Method::Get], refused);
    assert!(outcome.error.is_none());
    assert_eq!(bodies(&outcome.responses), ["why", ""]);
}

#[test]
fn fields_are_found_whatever_their_case() {
    let head = "HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nset-cookie:b=2 \r\nX:\r\nContent-Length: 0\r\n\r\n";
    let outcome = decode(head);
    assert_eq!(outcome.responses[0].head, head);
}
