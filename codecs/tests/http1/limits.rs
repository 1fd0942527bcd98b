//! Every limit: the last thing it allows, the first thing it refuses, and when.

use crate::support::{decode_with, feed};
use fyke_codecs::http1::Limits;

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\n";

fn status(limits: Limits, text: &str) -> Option<u16> {
    feed(limits, [text.as_bytes()], false).status()
}

#[test]
fn request_line() {
    let line = |len: usize| format!("GET /{} HTTP/1.1", "x".repeat(len - 14));
    let request = |len| format!("{}\r\nHost: a\r\n\r\n", line(len));
    assert_eq!(status(Limits::new(), &request(16 * 1024)), None);
    assert_eq!(status(Limits::new(), &request(16 * 1024 + 1)), Some(414));
    // RFC 9112 section 3: at least 8000 octets, whatever the option says.
    let least = Limits::new().request_line_bytes_max(10);
    assert_eq!(status(least, &request(8000)), None);
    assert_eq!(status(least, &request(8001)), Some(414));
    // Refused as soon as it cannot fit any more, not when its end arrives.
    let endless = format!("GET /{}", "x".repeat(8100));
    assert_eq!(status(least, &endless[..8001]), None);
    assert_eq!(status(least, &endless[..8002]), Some(414));
    // Nothing but a method is no request with a long target.
    assert_eq!(status(least, &"x".repeat(8001)), None);
    assert_eq!(status(least, &"x".repeat(8002)), Some(400));
}

#[test]
fn head() {
    let limits = Limits::new().head_bytes_max(100);
    let request = |len: usize| {
        let fixed = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(len - fixed))
    };
    assert_eq!(decode_with(limits, request(100).as_bytes()).status(), None);
    assert_eq!(decode_with(limits, request(101).as_bytes()).status(), Some(431));
    assert_eq!(status(limits, &request(200)[..99]), None);
    assert_eq!(status(limits, &request(200)[..100]), Some(431));
    assert_eq!(status(Limits::new(), &request(64 * 1024)), None);
    assert_eq!(status(Limits::new(), &request(64 * 1024 + 1)), Some(431));
}

#[test]
fn header_fields() {
    let request = |fields: usize| {
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(fields - 1))
    };
    assert_eq!(status(Limits::new(), &request(100)), None);
    assert_eq!(status(Limits::new(), &request(101)), Some(431));
    let limits = Limits::new().head_fields_max(2);
    assert_eq!(decode_with(limits, request(2).as_bytes()).status(), None);
    assert_eq!(decode_with(limits, request(3).as_bytes()).status(), Some(431));
}

#[test]
fn body_of_known_length_counts_what_arrives() {
    let limits = Limits::new().body_bytes_max(4);
    let at = decode_with(limits, format!("{POST}Content-Length: 4\r\n\r\nabcd").as_bytes());
    assert_eq!((at.error, at.requests[0].ended), (None, true));
    // A large declaration alone is not refused; the byte beyond the limit is.
    let huge = format!("{POST}Content-Length: 17592186044416\r\n\r\n");
    assert_eq!(decode_with(limits, format!("{huge}abcd").as_bytes()).status(), None);
    let over = decode_with(limits, format!("{huge}abcde").as_bytes());
    assert_eq!((over.status(), &over.requests[0].body[..]), (Some(413), &b"abcd"[..]));
}

#[test]
fn body_in_chunks_counts_what_arrives() {
    let limits = Limits::new().body_bytes_max(4);
    let chunked = format!("{POST}Transfer-Encoding: chunked\r\n\r\n");
    let at = decode_with(limits, format!("{chunked}3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n").as_bytes());
    assert_eq!((at.error, at.requests[0].ended), (None, true));
    let over = decode_with(limits, format!("{chunked}3\r\nabc\r\n2\r\nde\r\n").as_bytes());
    assert_eq!((over.status(), &over.requests[0].body[..]), (Some(413), &b"abcd"[..]));
    let none = Limits::new().body_bytes_max(0);
    assert_eq!(decode_with(none, format!("{chunked}0\r\n\r\n").as_bytes()).status(), None);
    assert_eq!(decode_with(none, format!("{chunked}1\r\nx").as_bytes()).status(), Some(413));
}

#[test]
fn declared_lengths_that_nobody_means_9110_8_6() {
    let chunked = format!("{POST}Transfer-Encoding: chunked\r\n\r\n");
    for (limits, max) in
        [(Limits::new(), 16 << 40), (Limits::new().declared_bytes_max(1000), 1000_u64)]
    {
        // Refused by the head alone, and by the line before the chunk alone.
        let sized = |n: u64| format!("{POST}Content-Length: {n}\r\n\r\n");
        let chunk = |n: u64| format!("{chunked}{n:x}\r\n");
        for input in [sized(max), chunk(max)] {
            assert_eq!(decode_with(limits, input.as_bytes()).status(), None, "{input}");
        }
        for input in [sized(max + 1), chunk(max + 1), sized(i64::MAX as u64)] {
            assert_eq!(decode_with(limits, input.as_bytes()).status(), Some(400), "{input}");
        }
    }
    let none = Limits::new().declared_bytes_max(0);
    let empty = format!("{POST}Content-Length: 0\r\n\r\n");
    assert_eq!(decode_with(none, empty.as_bytes()).status(), None);
    assert_eq!(decode_with(none, format!("{chunked}0\r\n\r\n").as_bytes()).status(), None);
}

#[test]
fn chunk_line() {
    let limits = Limits::new().chunk_line_bytes_max(10);
    let request = |line: &str| format!("{POST}Transfer-Encoding: chunked\r\n\r\n{line}\r\nhi");
    assert_eq!(decode_with(limits, request("2;abcdefgh").as_bytes()).status(), None);
    assert_eq!(decode_with(limits, request("2;abcdefghi").as_bytes()).status(), Some(400));
}

#[test]
fn chunk_extensions_that_outweigh_the_content() {
    let chunk = format!("1;{}\r\nx\r\n", "e".repeat(1000));
    let request =
        |chunks| format!("{POST}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(chunks));
    assert_eq!(status(Limits::new(), &request(16)), None);
    assert_eq!(status(Limits::new(), &request(17)), Some(400));
    // Many small chunks without extensions are fine.
    let small = format!("{POST}Transfer-Encoding: chunked\r\n\r\n{}", "1\r\nx\r\n".repeat(100_000));
    assert_eq!(status(Limits::new(), &small), None);
}

#[test]
fn trailers() {
    let request =
        |trailers: &str| format!("{POST}Transfer-Encoding: chunked\r\n\r\n0\r\n{trailers}\r\n");
    let limits = Limits::new().trailer_fields_max(2).trailer_bytes_max(20);
    let two = request("A: 1234\r\nB: 123456\r\n");
    assert_eq!(decode_with(limits, two.as_bytes()).status(), None);
    let three = request("A: \r\nB: \r\nC: \r\n");
    assert_eq!(decode_with(limits, three.as_bytes()).status(), Some(431));
    let long = request("A: 1234567890abcdefgh\r\n");
    assert_eq!(decode_with(limits, long.as_bytes()).status(), Some(431));
}
