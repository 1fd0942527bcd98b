//! The common and the combined log format.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fyke_codecs::http1::access_log::{AccessEntry, AccessFormat, AccessLog};
use fyke_codecs::http1::{Limits, Response, ResponseHead, ResponsePart, Status, server};
use fyke_core::embedded::EmbeddedChannel;

use crate::support::{request, write};

#[test]
fn lines() {
    let entry = AccessEntry::default();
    assert_eq!(entry.line(AccessFormat::Common), "- - - [01/Jan/1970:00:00:00 +0000] \"\" - -");
    let mut entry = AccessEntry {
        host: "127.0.0.1".into(),
        user: Some("frank".into()),
        unix_seconds: 784_111_777,
        request: b"GET /a?b HTTP/1.1".to_vec(),
        status: Some(200),
        bytes: 2326,
        ..AccessEntry::default()
    };
    let common = "127.0.0.1 - frank [06/Nov/1994:08:49:37 +0000] \"GET /a?b HTTP/1.1\" 200 2326";
    assert_eq!(entry.line(AccessFormat::Common), common);
    assert_eq!(entry.line(AccessFormat::Combined), format!("{common} \"-\" \"-\""));
    entry.referer = Some(b"http://a/".to_vec());
    entry.user_agent = Some(b"agent 1".to_vec());
    assert_eq!(entry.line(AccessFormat::Combined), format!("{common} \"http://a/\" \"agent 1\""));
}

/// No request can forge another line, end a quoted field, or reach a terminal.
#[test]
fn whatever_a_client_sends_is_escaped() {
    let entry = AccessEntry {
        user: Some("a b\n".into()),
        request: b"GET /\"\\ HTTP/1.1".to_vec(),
        user_agent: Some(b"\x1b[31m\"\r\n\xc3\xa4\x7f\t".to_vec()),
        ..AccessEntry::default()
    };
    assert_eq!(
        entry.line(AccessFormat::Combined),
        "- - a\\x20b\\x0a [01/Jan/1970:00:00:00 +0000] \"GET /\\\"\\\\ HTTP/1.1\" - - \"-\" \
         \"\\x1b[31m\\\"\\x0d\\x0a\\xc3\\xa4\\x7f\\x09\""
    );
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn channel(format: AccessFormat) -> (EmbeddedChannel, Lines) {
    let lines = Lines::default();
    let sink = lines.clone();
    let channel = EmbeddedChannel::new(move |ch| {
        let sink = sink.clone();
        let log = AccessLog::with_sink(format, move |line| {
            sink.0.lock().unwrap().push(line.to_owned());
        });
        server(ch.pipeline(), Limits::new()).duplex("access-log", log)
    });
    (channel, lines)
}

#[test]
fn a_line_for_each_answer_in_order() {
    let (mut channel, lines) = channel(AccessFormat::Combined);
    channel.advance(Duration::from_secs(3));
    let fields = "User-Agent: curl/8\r\nReferer: http://b/\r\n";
    channel.write_inbound(format!(
        "{}{}{}",
        request("GET", "/1", fields),
        request("HEAD", "/2", ""),
        request("POST", "/3", "Content-Length: 2\r\n") + "hi"
    ));
    assert!(lines.take().is_empty(), "nothing has been answered");
    write(&mut channel, ResponseHead::new(Status::EARLY_HINTS));
    write(&mut channel, ResponseHead::new(Status::OK));
    write(&mut channel, ResponsePart::Body("hello".into()));
    write(&mut channel, ResponsePart::Body(", you".into()));
    assert!(lines.take().is_empty(), "it is not complete");
    write(&mut channel, ResponsePart::End);
    write(&mut channel, Response::new(Status::OK).body("not sent"));
    write(&mut channel, Response::new(Status::NO_CONTENT));
    let at = "[01/Jan/1970:00:00:03 +0000]";
    let host = "local:embedded-peer - -";
    assert_eq!(
        lines.take(),
        [
            format!("{host} {at} \"GET /1 HTTP/1.1\" 200 10 \"http://b/\" \"curl/8\""),
            format!("{host} {at} \"HEAD /2 HTTP/1.1\" 200 - \"-\" \"-\""),
            format!("{host} {at} \"POST /3 HTTP/1.1\" 204 - \"-\" \"-\""),
        ]
    );
}

#[test]
fn what_the_end_of_the_connection_leaves_open_is_logged() {
    let (mut channel, lines) = channel(AccessFormat::Common);
    channel.write_inbound(format!("{}{}", request("GET", "/1", ""), request("GET", "/2", "")));
    write(&mut channel, ResponseHead::new(Status::OK));
    write(&mut channel, ResponsePart::Body("half".into()));
    channel.break_connection(std::io::ErrorKind::ConnectionReset.into());
    let lines = lines.take();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].ends_with("\"GET /1 HTTP/1.1\" 200 4"), "{lines:?}");
    assert!(lines[1].ends_with("\"GET /2 HTTP/1.1\" - -"), "{lines:?}");
}
