//! A server that is asked to end: what has come is answered, and nothing behind it is taken.

use std::time::Duration;

use fyke_codecs::http1::{Reply, Response, ResponseHead, ResponsePart, Status};
use fyke_core::ChannelOptions;
use fyke_core::embedded::EmbeddedChannel;

use crate::support::*;

fn shut_down(channel: &mut EmbeddedChannel) {
    channel.event_loop().shutdown(Duration::from_secs(5), |_| {});
    channel.run_pending();
}

/// How many answers there are, and how many of them say that they are the last one.
fn answers(channel: &mut EmbeddedChannel) -> (usize, usize) {
    let text = sent(channel);
    let last = text.rsplit_once("HTTP/1.1 ").map_or("", |(_, last)| last);
    let closing = text.matches("Connection: close").count();
    assert!(closing == 0 || last.contains("Connection: close"), "{text}");
    (statuses(&text).len(), closing)
}

#[test]
fn all_requests_that_were_taken_are_answered() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(GET.repeat(3).as_str());
    assert_eq!(parts(&mut channel), "FFF");
    shut_down(&mut channel);
    for _ in 0..2 {
        write(&mut channel, Response::new(Status::OK));
        assert!(channel.is_open());
    }
    assert_eq!(answers(&mut channel), (2, 0));
    channel.write_inbound(GET);
    assert_eq!(parts(&mut channel), "", "that one is too late");
    write(&mut channel, Response::new(Status::OK));
    assert_eq!(answers(&mut channel), (1, 1));
    assert!(!channel.is_open());
}

/// Answers that have no end until the test writes it, so that what is behind waits in the buffer.
fn endless() -> EmbeddedChannel {
    let begin = |_| Reply::Parts(vec![ResponseHead::new(Status::OK).content_length(0).into()]);
    serve(ChannelOptions::default(), begin)
}

#[test]
fn requests_that_wait_in_the_buffer_are_answered() {
    for behind in ["", "GET / HT"] {
        let mut channel = endless();
        channel.write_inbound(format!("{GET}{GET}{GET}{behind}").as_str());
        assert_eq!(answers(&mut channel), (1, 0));
        shut_down(&mut channel);
        write(&mut channel, ResponsePart::End);
        assert_eq!(answers(&mut channel), (1, 0));
        write(&mut channel, ResponsePart::End);
        assert_eq!(answers(&mut channel), (1, usize::from(behind.is_empty())));
        write(&mut channel, ResponsePart::End);
        if !behind.is_empty() {
            // Its rest is waited for.
            assert!(channel.is_open());
            channel.write_inbound("TP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(answers(&mut channel), (1, 1));
            write(&mut channel, ResponsePart::End);
        }
        assert!(!channel.is_open(), "{behind:?}");
    }
}

#[test]
fn a_buffer_that_turns_out_to_hold_no_request_ends_the_connection() {
    let mut channel = endless();
    channel.write_inbound(format!("{GET}\r\n").as_str());
    shut_down(&mut channel);
    assert!(channel.is_open());
    write(&mut channel, ResponsePart::End);
    channel.run_pending();
    assert!(!channel.is_open());
    assert_eq!(answers(&mut channel).0, 1);
}

#[test]
fn a_request_that_has_begun_is_waited_for() {
    for (begun, rest) in [
        ("GET / HTTP/1.1\r\nHo", "st: a\r\n\r\n"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab", "cd"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na", "\r\n0\r\n\r\n"),
    ] {
        let mut channel = mirror();
        channel.write_inbound(begun);
        shut_down(&mut channel);
        assert!(channel.is_open(), "{begun:?}");
        channel.write_inbound(format!("{rest}{GET}").as_str());
        assert_eq!(answers(&mut channel), (1, 1), "{begun:?}");
        assert!(!channel.is_open());
    }
}

#[test]
fn an_answer_without_an_end_ends_the_connection_with_it() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(GET);
    write(&mut channel, ResponseHead::new(Status::OK));
    shut_down(&mut channel);
    assert!(channel.is_open());
    write(&mut channel, ResponsePart::End);
    assert!(!channel.is_open());
}
