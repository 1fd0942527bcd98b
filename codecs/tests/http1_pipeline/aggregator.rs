//! Whole requests, and what is not let through.

use fyke_codecs::http1::{Response, Status};
use fyke_core::ChannelOptions;

use crate::support::{GET, mirror, sent, serve, statuses};

fn post(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const EXPECT: &str = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ";

#[test]
fn the_limit_itself_passes_and_one_byte_more_does_not() {
    let mut channel = mirror();
    channel.write_inbound((post(1000) + &"x".repeat(1000)).as_str());
    assert!(sent(&mut channel).ends_with(&"x".repeat(1000)));
    assert!(channel.is_open());
    channel.write_inbound((post(1001) + &"x".repeat(1001) + GET).as_str());
    let text = sent(&mut channel);
    assert_eq!(statuses(&text), [413]);
    assert!(text.contains("Connection: close"));
    assert!(!channel.is_open());
}

#[test]
fn the_limit_counts_what_arrives_and_not_what_is_declared() {
    let mut channel = mirror();
    channel.write_inbound(post(10_000_000).as_str());
    channel.write_inbound("x".repeat(999).as_str());
    assert_eq!(sent(&mut channel), "");
    channel.write_inbound("xx");
    assert_eq!(statuses(&sent(&mut channel)), [413]);
    assert!(!channel.is_open());
}

#[test]
fn chunks_are_counted_together() {
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    let mut channel = mirror();
    channel.write_inbound([CHUNKED, &chunk, &chunk, "0\r\n\r\n"].concat().as_str());
    assert!(sent(&mut channel).ends_with(&"x".repeat(1000)));
    channel.write_inbound([CHUNKED, &chunk, &chunk, "1\r\nx\r\n0\r\n\r\n"].concat().as_str());
    assert_eq!(statuses(&sent(&mut channel)), [413]);
}

#[test]
fn who_asks_first_is_told_to_go_on() {
    let mut channel = mirror();
    channel.write_inbound(format!("{EXPECT}2\r\n\r\n").as_str());
    assert_eq!(sent(&mut channel), "HTTP/1.1 100 Continue\r\n\r\n");
    channel.write_inbound(format!("hi{GET}").as_str());
    let text = sent(&mut channel);
    assert_eq!(statuses(&text), [200, 200]);
    assert!(text.contains("POST /|hi"));
}

#[test]
fn who_asks_first_for_too_much_is_told_at_once() {
    let mut channel = mirror();
    channel.write_inbound(format!("{EXPECT}1001\r\n\r\n").as_str());
    assert_eq!(statuses(&sent(&mut channel)), [413]);
    assert!(!channel.is_open());
}

#[test]
fn http10_is_told_nothing_in_between() {
    let mut channel = mirror();
    channel.write_inbound("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(statuses(&sent(&mut channel)), [200]);
}

#[test]
fn the_head_of_a_request_in_pieces_is_whole() {
    let mut channel = serve(ChannelOptions::default(), |request| {
        let name = request.head.header("x-name").unwrap_or_default().to_vec();
        Response::new(Status::OK).body(name).into()
    });
    let head = "POST / HTTP/1.1\r\nHost: a\r\nX-Name: fyke\r\nContent-Length: 3\r\n\r\n";
    for piece in [&head[..30], &head[30..], "a", "b", "c"] {
        channel.write_inbound(piece);
    }
    assert!(sent(&mut channel).ends_with("\r\n\r\nfyke"));
}
