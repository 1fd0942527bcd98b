//! Conditions and ranges of files, by clause.

use std::time::Duration;

use fyke_core::embedded::EmbeddedChannel;

use crate::files::Directory;
use crate::support::{sent, statuses};

/// What was changed ten seconds after 1970 is asked for half a minute after 1970.
const AT: &str = "Thu, 01 Jan 1970 00:00:10 GMT";
const BEFORE: &str = "Thu, 01 Jan 1970 00:00:09 GMT";
const AFTER: &str = "Thu, 01 Jan 1970 00:00:20 GMT";
const FUTURE: &str = "Thu, 01 Jan 2099 00:00:00 GMT";
const TAG: &str = "\"a.0-3e8\"";

fn content() -> String {
    (0..250).map(|n| format!("{n:03}.")).collect()
}

/// A file of 1000 bytes behind a server.
fn serve() -> (Directory, EmbeddedChannel) {
    let directory = Directory::new();
    directory.write("root/f.txt", content().as_bytes());
    directory.write("root/empty", b"");
    let channel = directory.serve();
    (directory, channel)
}

fn ask(channel: &mut EmbeddedChannel, method: &str, path: &str, fields: &str) -> String {
    let fields = fields
        .replace("TAG", TAG)
        .replace("AT", AT)
        .replace("BEFORE", BEFORE)
        .replace("AFTER", AFTER)
        .replace("FUTURE", FUTURE);
    let request = format!("{method} /files/{path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    channel.write_inbound(request.as_str());
    assert!(channel.is_open());
    sent(channel)
}

/// (clause, method, fields, status)
#[rustfmt::skip]
const CONDITIONS: &[(&str, &str, &str, u16)] = &[
    ("13.1.1 If-Match holds", "GET", "If-Match: TAG\r\n", 200),
    ("13.1.1 If-Match of a list", "GET", "If-Match: \"x\", TAG ,\"y\"\r\n", 200),
    ("13.1.1 If-Match of two fields", "GET", "If-Match: \"x\"\r\nIf-Match: TAG\r\n", 200),
    ("13.1.1 If-Match *", "GET", "If-Match: *\r\n", 200),
    ("13.1.1 If-Match fails", "GET", "If-Match: \"x\"\r\n", 412),
    ("13.1.1 If-Match compares strongly", "GET", "If-Match: W/TAG\r\n", 412),
    ("13.1.1 If-Match of nothing", "GET", "If-Match:\r\n", 412),
    ("13.1.1 If-Match without quotes", "GET", "If-Match: a.0-3e8\r\n", 412),
    ("13.1.1 If-Match of HEAD", "HEAD", "If-Match: \"x\"\r\n", 412),
    ("13.1.2 If-None-Match fails", "GET", "If-None-Match: TAG\r\n", 304),
    ("13.1.2 If-None-Match of HEAD", "HEAD", "If-None-Match: TAG\r\n", 304),
    ("13.1.2 If-None-Match compares weakly", "GET", "If-None-Match: W/TAG\r\n", 304),
    ("13.1.2 If-None-Match of a list", "GET", "If-None-Match: \"x\", W/\"y\", TAG\r\n", 304),
    ("13.1.2 If-None-Match of a list with commas", "GET", "If-None-Match: \"x,y\",TAG\r\n", 304),
    ("13.1.2 If-None-Match of empty members", "GET", "If-None-Match: ,, TAG ,\r\n", 304),
    ("13.1.2 If-None-Match *", "GET", "If-None-Match: *\r\n", 304),
    ("13.1.2 If-None-Match holds", "GET", "If-None-Match: \"x\"\r\n", 200),
    ("13.1.2 If-None-Match without quotes", "GET", "If-None-Match: a.0-3e8\r\n", 200),
    ("13.1.2 If-None-Match with half a quote", "GET", "If-None-Match: \"a.0-3e8\r\n", 200),
    ("13.1.2 If-None-Match with more behind the quote", "GET", "If-None-Match: TAGx\r\n", 200),
    ("13.1.2 If-None-Match with a small w", "GET", "If-None-Match: w/TAG\r\n", 200),
    ("13.1.2 If-None-Match inside another tag", "GET", "If-None-Match: \"xa.0-3e8\"\r\n", 200),
    ("13.1.3 If-Modified-Since fails", "GET", "If-Modified-Since: AT\r\n", 304),
    ("13.1.3 If-Modified-Since later", "GET", "If-Modified-Since: AFTER\r\n", 304),
    ("13.1.3 If-Modified-Since of HEAD", "HEAD", "If-Modified-Since: AT\r\n", 304),
    ("13.1.3 If-Modified-Since holds", "GET", "If-Modified-Since: BEFORE\r\n", 200),
    ("13.1.3 If-Modified-Since to come", "GET", "If-Modified-Since: FUTURE\r\n", 200),
    ("13.1.3 If-Modified-Since is no date", "GET", "If-Modified-Since: not-a-date\r\n", 200),
    ("13.1.3 If-Modified-Since twice", "GET", "If-Modified-Since: AT\r\nIf-Modified-Since: AT\r\n", 200),
    ("13.1.3 If-Modified-Since in the oldest form", "GET", "If-Modified-Since: Thu Jan  1 00:00:10 1970\r\n", 304),
    ("13.1.4 If-Unmodified-Since holds", "GET", "If-Unmodified-Since: AT\r\n", 200),
    ("13.1.4 If-Unmodified-Since fails", "GET", "If-Unmodified-Since: BEFORE\r\n", 412),
    ("13.1.4 If-Unmodified-Since is no date", "GET", "If-Unmodified-Since: x\r\n", 200),
    ("13.2.2 If-Match before If-Unmodified-Since", "GET", "If-Match: TAG\r\nIf-Unmodified-Since: BEFORE\r\n", 200),
    ("13.2.2 If-Match, then If-None-Match", "GET", "If-Match: TAG\r\nIf-None-Match: TAG\r\n", 304),
    ("13.2.2 If-Match fails first", "GET", "If-Match: \"x\"\r\nIf-None-Match: TAG\r\n", 412),
    ("13.2.2 If-None-Match before If-Modified-Since", "GET", "If-None-Match: \"x\"\r\nIf-Modified-Since: AT\r\n", 200),
    ("13.2.2 If-None-Match whatever the date", "GET", "If-None-Match: TAG\r\nIf-Modified-Since: BEFORE\r\n", 304),
    ("13.2.2 If-None-Match before Range", "GET", "If-None-Match: TAG\r\nRange: bytes=0-1\r\n", 304),
    ("13.1.5 If-Range by tag", "GET", "Range: bytes=0-1\r\nIf-Range: TAG\r\n", 206),
    ("13.1.5 If-Range by another tag", "GET", "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n", 200),
    ("13.1.5 If-Range by a weak tag", "GET", "Range: bytes=0-1\r\nIf-Range: W/TAG\r\n", 200),
    ("13.1.5 If-Range by date", "GET", "Range: bytes=0-1\r\nIf-Range: AT\r\n", 206),
    ("13.1.5 If-Range by an earlier date", "GET", "Range: bytes=0-1\r\nIf-Range: BEFORE\r\n", 200),
    ("13.1.5 If-Range by a later date", "GET", "Range: bytes=0-1\r\nIf-Range: AFTER\r\n", 200),
    ("13.1.5 If-Range twice", "GET", "Range: bytes=0-1\r\nIf-Range: TAG\r\nIf-Range: TAG\r\n", 200),
    ("13.1.5 If-Range without Range", "GET", "If-Range: TAG\r\n", 200),
    ("13.1.5 If-Range makes a bad range harmless", "GET", "Range: bytes=5000-\r\nIf-Range: \"x\"\r\n", 200),
    ("14.2 Range of GET", "GET", "Range: bytes=0-1\r\n", 206),
    ("14.2 Range of HEAD", "HEAD", "Range: bytes=0-1\r\n", 200),
    ("14.2 two Range fields", "GET", "Range: bytes=0-1\r\nRange: bytes=2-3\r\n", 200),
    ("14.2 malformed Range", "GET", "Range: bytes=abc-xyz\r\n", 200),
    ("14.2 another unit", "GET", "Range: lines=0-1\r\n", 200),
    ("14.2 17 ranges", "GET", "Range: bytes=0-1,2-3,4-5,6-7,8-9,10-11,12-13,14-15,16-17,18-19,20-21,22-23,24-25,26-27,28-29,30-31,32-33\r\n", 200),
    ("15.5.17 nothing of it is there", "GET", "Range: bytes=1000-\r\n", 416),
];

#[test]
fn conditions() {
    let (_directory, mut channel) = serve();
    for (clause, method, fields, status) in CONDITIONS {
        let text = ask(&mut channel, method, "f.txt", fields);
        assert_eq!(statuses(&text), [*status], "{clause}: {text}");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        // RFC 9110 sections 15.3.7 and 15.4.5: what a cache would miss.
        if matches!(status, 200 | 206 | 304) {
            assert!(head.contains(&format!("ETag: {TAG}\r\nLast-Modified: {AT}")), "{clause}");
        }
        match (*status, *method) {
            (304, _) | (_, "HEAD") => assert_eq!(body, "", "{clause}"),
            (200, _) => assert_eq!(body, content(), "{clause}"),
            (206, _) => assert_eq!(body, "00", "{clause}"),
            (416, _) => assert!(head.contains("Content-Range: bytes */1000"), "{clause}"),
            _ => assert!(!body.contains("000."), "{clause}"),
        }
    }
    assert!(CONDITIONS.len() >= 50);
}

#[test]
fn one_range() {
    let (_directory, mut channel) = serve();
    for (range, from, to) in [
        ("0-0", 0, 1),
        ("10-19", 10, 20),
        ("990-", 990, 1000),
        ("-3", 997, 1000),
        ("5-9999", 5, 1000),
    ] {
        let text = ask(&mut channel, "GET", "f.txt", &format!("Range: bytes={range}\r\n"));
        let expected = format!(
            "HTTP/1.1 206 Partial Content\r\nServer: fyke\r\nETag: {TAG}\r\nLast-Modified: {AT}\r\n\
             Accept-Ranges: bytes\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Range: bytes {from}-{}/1000\r\nContent-Length: {}\r\n\r\n{}",
            to - 1,
            to - from,
            &content()[from..to]
        );
        assert_eq!(text, expected, "{range}");
    }
}

// RFC 9110 section 14.6.
#[test]
fn several_ranges() {
    let (_directory, mut channel) = serve();
    let text = ask(&mut channel, "GET", "f.txt", "Range: bytes=0-3, 500-503,-4\r\n");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 206 ") && !head.contains("Content-Range"), "{head}");
    let boundary = head.split("multipart/byteranges; boundary=").nth(1).expect("a boundary");
    let boundary = boundary.lines().next().expect("a boundary");
    assert!(boundary.len() == 32 && !content().contains(boundary), "{boundary}");
    let length = head.split("Content-Length: ").nth(1).and_then(|rest| rest.lines().next());
    assert_eq!(length, Some(&*body.len().to_string()), "{head}");
    let mut expected = String::new();
    for (at, from) in [0, 500, 996].into_iter().enumerate() {
        let before = if at == 0 { "" } else { "\r\n" };
        expected += &format!(
            "{before}--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Range: bytes {from}-{}/1000\r\n\r\n{}",
            from + 3,
            &content()[from..from + 4]
        );
    }
    assert_eq!(body, expected + &format!("\r\n--{boundary}--\r\n"));
    // The connection goes on, and another answer has another boundary.
    let other = ask(&mut channel, "GET", "f.txt", "Range: bytes=0-3, 500-503,-4\r\n");
    assert_eq!(statuses(&other), [206]);
    assert!(!other.contains(boundary));
}

#[test]
fn an_empty_file_has_no_ranges() {
    let (_directory, mut channel) = serve();
    for range in ["0-", "-1", "5-9"] {
        let text = ask(&mut channel, "GET", "empty", &format!("Range: bytes={range}\r\n"));
        assert_eq!(statuses(&text), [200], "{range}");
        assert!(text.ends_with("Content-Length: 0\r\n\r\n"), "{text}");
    }
}

// RFC 9110 section 8.8.2.2: a file may change twice within a second.
#[test]
fn what_has_just_changed_has_a_weak_tag() {
    let directory = Directory::new();
    directory.write("root/f.txt", b"1");
    let mut channel = directory.serve();
    let file = std::fs::File::options().append(true).open(directory.0.join("root/f.txt"));
    let changed = std::time::UNIX_EPOCH + Duration::from_secs(29);
    file.and_then(|file| file.set_modified(changed)).expect("its time can be set");
    let text = ask(&mut channel, "GET", "f.txt", "");
    assert!(text.contains("ETag: W/\"1d.0-1\"\r\n"), "{text}");
    let text = ask(&mut channel, "GET", "f.txt", "If-None-Match: W/\"1d.0-1\"\r\n");
    assert_eq!(statuses(&text), [304]);
    let text = ask(
        &mut channel,
        "GET",
        "f.txt",
        "Range: bytes=0-0\r\nIf-Range: Thu, 01 Jan 1970 00:00:29 GMT\r\n",
    );
    assert_eq!(statuses(&text), [200]);
    channel.advance(Duration::from_secs(2));
    let text = ask(&mut channel, "GET", "f.txt", "");
    assert!(text.contains("ETag: \"1d.0-1\"\r\n"), "{text}");
}

// RFC 9110 section 8.8.2.1.
#[test]
fn nothing_was_changed_after_now() {
    let directory = Directory::new();
    directory.write("root/f.txt", b"1");
    let file = std::fs::File::options().append(true).open(directory.0.join("root/f.txt"));
    let changed = std::time::UNIX_EPOCH + Duration::from_secs(1000);
    file.and_then(|file| file.set_modified(changed)).expect("its time can be set");
    let text = ask(&mut directory.serve(), "GET", "f.txt", "");
    assert!(text.contains("Last-Modified: Thu, 01 Jan 1970 00:00:30 GMT\r\n"), "{text}");
}
