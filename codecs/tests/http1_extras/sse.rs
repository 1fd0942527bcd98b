//! Server-sent events.

use std::time::Duration;

use fyke_codecs::http1::sse::{SseError, SseEvent, SseKeepAlive, event_stream};
use fyke_codecs::http1::{Limits, Response, ResponsePart, Status, server};
use fyke_core::ChannelOptions;
use fyke_core::embedded::EmbeddedChannel;
use proptest::prelude::*;

use crate::support::{request, sent, write};

fn text(event: &SseEvent) -> String {
    String::from_utf8(event.encode().expect("it can be sent").to_vec()).expect("text")
}

#[test]
fn events_as_text() {
    for (event, expected) in [
        (SseEvent::new("hello"), "data: hello\n\n"),
        (SseEvent::new(""), "data: \n\n"),
        (SseEvent::new("a\nb\r\nc\rd"), "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        (SseEvent::new("a\n"), "data: a\ndata: \n\n"),
        (SseEvent::new("a\n\nevent: x"), "data: a\ndata: \ndata: event: x\n\n"),
        (
            SseEvent::new("x").id("7").event("tick").retry(Duration::from_millis(1500)),
            "id: 7\nevent: tick\nretry: 1500\ndata: x\n\n",
        ),
        (SseEvent::new("x").id(""), "id: \ndata: x\n\n"),
        (SseEvent::comment("a\ndata: x"), ": a\n: data: x\n\n"),
        (SseEvent::only_retry(Duration::from_secs(3)), "retry: 3000\n\n"),
    ] {
        assert_eq!(text(&event), expected);
    }
}

#[test]
fn nothing_can_begin_another_field() {
    for bad in ["a\nb", "a\r\nb", "a\r", "\n"] {
        assert_eq!(SseEvent::new("x").event(bad).encode(), Err(SseError::LineEnd));
        assert_eq!(SseEvent::new("x").id(bad).encode(), Err(SseError::LineEnd));
    }
    assert_eq!(SseEvent::new("x").id("a\0").encode(), Err(SseError::Nul));
    assert!(SseEvent::new("x").event("a\n").into_part().is_err());
}

/// The data of the events in a stream, as a browser reads them.
fn data(stream: &str) -> Vec<String> {
    let mut events = Vec::new();
    let mut lines = Vec::new();
    for line in stream.split('\n') {
        match line.strip_prefix("data: ") {
            Some(data) => lines.push(data),
            None if line.is_empty() && !lines.is_empty() => {
                events.push(lines.join("\n"));
                lines.clear();
            }
            None => assert!(line.is_empty(), "{line:?}"),
        }
    }
    events
}

proptest! {
    #[test]
    fn any_data_is_read_back(texts in proptest::collection::vec("[a-z:\\n\\r ]{0,12}", 0..5)) {
        let stream: String = texts.iter().map(|data| text(&SseEvent::new(data.as_str()))).collect();
        let lines: Vec<_> =
            texts.iter().map(|text| text.replace("\r\n", "\n").replace('\r', "\n")).collect();
        prop_assert_eq!(data(&stream), lines);
    }
}

const INTERVAL: Duration = Duration::from_secs(10);

fn channel() -> EmbeddedChannel {
    let options = ChannelOptions::default().water_marks(100, 200);
    let mut channel = EmbeddedChannel::with_options(options, |ch| {
        let keep_alive = SseKeepAlive::new(INTERVAL).stalled_max(Duration::from_secs(30));
        server(ch.pipeline(), Limits::new()).duplex("sse", keep_alive)
    });
    channel.write_inbound(request("GET", "/", "").as_str());
    channel
}

#[test]
fn a_stream_gets_comments_while_nothing_happens() {
    let mut channel = channel();
    write(&mut channel, event_stream());
    let head = sent(&mut channel);
    for line in ["Content-Type: text/event-stream\r\n", "Cache-Control: no-store\r\n"] {
        assert!(head.contains(line), "{head}");
    }
    channel.advance(INTERVAL);
    assert_eq!(sent(&mut channel), "", "the head was sent in this interval");
    channel.advance(INTERVAL);
    assert_eq!(sent(&mut channel), "3\r\n:\n\n\r\n");
    write(&mut channel, SseEvent::new("x").into_part().expect("it can be sent"));
    assert_eq!(sent(&mut channel), "9\r\ndata: x\n\n\r\n");
    channel.advance(INTERVAL);
    assert_eq!(sent(&mut channel), "");
    channel.advance(INTERVAL * 2);
    assert_eq!(sent(&mut channel), "3\r\n:\n\n\r\n".repeat(2));
    write(&mut channel, ResponsePart::End);
    assert_eq!(sent(&mut channel), "0\r\n\r\n");
    channel.advance(INTERVAL * 5);
    assert_eq!(sent(&mut channel), "");
    assert!(channel.is_open());
    // Another one on the same connection.
    channel.write_inbound(request("GET", "/", "").as_str());
    write(&mut channel, event_stream());
    let _ = sent(&mut channel);
    channel.advance(INTERVAL * 2);
    assert_eq!(sent(&mut channel), "3\r\n:\n\n\r\n");
}

#[test]
fn other_responses_get_none() {
    let mut channel = channel();
    let head =
        fyke_codecs::http1::ResponseHead::new(Status::OK).header("Content-Type", "text/plain");
    write(&mut channel, head);
    let _ = sent(&mut channel);
    channel.advance(INTERVAL * 5);
    assert_eq!(sent(&mut channel), "");
    write(&mut channel, ResponsePart::End);
    channel.write_inbound(request("GET", "/", "").as_str());
    write(
        &mut channel,
        Response::new(Status::OK).header("Content-Type", "text/event-stream").body("x"),
    );
    let _ = sent(&mut channel);
    channel.advance(INTERVAL * 5);
    assert_eq!(sent(&mut channel), "");
}

#[test]
fn a_stream_that_nobody_reads_is_closed_and_grows_no_queue() {
    let mut channel = channel();
    channel.set_room(Some(0));
    write(&mut channel, event_stream());
    write(&mut channel, SseEvent::new("x".repeat(300)).into_part().expect("it can be sent"));
    assert!(!channel.is_writable(), "producers are held back");
    let held = channel.pending_bytes();
    channel.advance(Duration::from_millis(29_999));
    assert!(channel.is_open());
    assert_eq!(channel.pending_bytes(), held, "no comment is added to what is not read");
    channel.advance(Duration::from_millis(1));
    assert!(!channel.is_open());
}

#[test]
fn a_stream_ends_when_the_loop_shuts_down() {
    let mut channel = channel();
    write(&mut channel, event_stream());
    let _ = sent(&mut channel);
    channel.event_loop().shutdown(Duration::from_secs(5), |_| {});
    channel.run_pending();
    assert_eq!(sent(&mut channel), "0\r\n\r\n");
    assert!(!channel.is_open());
}
