//! Answers without an end of their own, and the requests behind them (RFC 9112 section 9.3.2).

use fyke_codecs::http1::{
    HttpObjectAggregator, HttpServerHandler, Limits, Method, Reply, Request, Response,
    ResponseHead, ResponsePart, Status, server,
};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{ChannelOptions, CloseReason};

use crate::support::{GET, by_hand, parts, sent, serve, statuses, write};

const STREAM: &str = "GET /events HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD: &str = "HEAD /events HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
const BEGUN: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn begin() -> Reply {
    Reply::Parts(vec![ResponseHead::new(Status::OK).into()])
}

/// `/events` begins a stream, `/late` does so on another thread, anything else is answered whole.
fn answer(request: Request) -> Reply {
    match request.head.path() {
        "/events" => begin(),
        "/late" => Reply::offload(begin),
        _ => Response::new(Status::OK).body("whole").into(),
    }
}

fn channel() -> EmbeddedChannel {
    serve(ChannelOptions::default(), answer)
}

/// The stream goes on, ends, and only then the next answer comes.
fn goes_on(channel: &mut EmbeddedChannel, case: &str) {
    assert_eq!(sent(channel), BEGUN, "{case}");
    write(channel, ResponsePart::Body("x".into()));
    assert_eq!(sent(channel), "1\r\nx\r\n", "{case}");
    write(channel, ResponsePart::End);
    let text = sent(channel);
    let behind = text.strip_prefix("0\r\n\r\n").unwrap_or_else(|| panic!("{case}: {text}"));
    assert_eq!(statuses(behind), [200], "{case}: {text}");
    assert!(behind.ends_with("\r\n\r\nwhole"), "{case}: {text}");
    assert!(channel.is_open() && channel.is_reading(), "{case}");
}

#[test]
fn requests_wait_behind_a_stream_9_3_2() {
    let late = STREAM.replace("/events", "/late");
    for stream in [STREAM, POST, &late] {
        let mut channel = channel();
        channel.write_inbound(format!("{stream}{GET}").as_str());
        goes_on(&mut channel, stream);

        let input = format!("{stream}{GET}");
        for cut in 1..input.len() {
            let mut channel = self::channel();
            channel.write_inbound(&input.as_bytes()[..cut]);
            channel.write_inbound(&input.as_bytes()[cut..]);
            goes_on(&mut channel, &format!("{stream} cut at {cut}"));
        }
    }
}

#[test]
fn streams_behind_streams_9_3_2() {
    let mut channel = channel();
    channel.write_inbound(format!("{STREAM}{STREAM}{GET}").as_str());
    assert_eq!(sent(&mut channel), BEGUN);
    write(&mut channel, ResponsePart::End);
    assert_eq!(sent(&mut channel), format!("0\r\n\r\n{BEGUN}"));
    goes_on_from_here(&mut channel);
}

fn goes_on_from_here(channel: &mut EmbeddedChannel) {
    write(channel, ResponsePart::End);
    let text = sent(channel);
    assert!(text.starts_with("0\r\n\r\n") && text.ends_with("whole"), "{text}");
    assert!(channel.is_open() && channel.is_reading());
}

#[test]
fn requests_taken_in_before_the_stream_began_are_answered_behind_it() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(GET.repeat(2).as_str());
    assert_eq!(parts(&mut channel), "FF");
    write(&mut channel, ResponseHead::new(Status::OK));
    channel.write_inbound(GET);
    assert_eq!(parts(&mut channel), "", "no more are taken in");
    write(&mut channel, ResponsePart::End);
    assert_eq!(parts(&mut channel), "F");
    write(&mut channel, Response::new(Status::OK));
    write(&mut channel, Response::new(Status::OK));
    assert_eq!(statuses(&sent(&mut channel)), [200; 3]);
}

#[test]
fn the_answer_to_head_ends_with_its_head_9110_9_3_2() {
    for (input, count) in
        [(format!("{HEAD}{GET}"), 2), (format!("{HEAD}{HEAD}{GET}"), 3), (HEAD.repeat(4), 4)]
    {
        let mut channel = channel();
        channel.write_inbound(input.as_str());
        let text = sent(&mut channel);
        assert_eq!(statuses(&text), vec![200; count], "{input}: {text}");
        assert!(text.starts_with(BEGUN), "{text}");
        assert!(channel.is_open() && channel.is_reading());
    }
    // Who writes the end too may do so, and work on another thread is no different.
    let mut channel = EmbeddedChannel::new(|ch| {
        server(ch.pipeline(), Limits::new())
            .inbound("aggregator", HttpObjectAggregator::new(1000))
            .inbound(
                "app",
                HttpServerHandler::new(|_, request: Request| {
                    let ends = request.head.method() == Method::Head && request.head.path() == "/";
                    let end = ends.then_some(ResponsePart::End);
                    Reply::offload(move || {
                        let head = ResponseHead::new(Status::OK).into();
                        Reply::Parts([Some(head), end].into_iter().flatten().collect())
                    })
                }),
            )
    });
    channel.write_inbound(format!("{HEAD}HEAD / HTTP/1.1\r\nHost: a\r\n\r\n{HEAD}").as_str());
    assert_eq!(sent(&mut channel), BEGUN.repeat(3));
    assert!(channel.is_open() && channel.is_reading());
}

#[test]
fn the_peers_end_is_noticed_behind_a_stream() {
    for behind in [false, true] {
        let mut channel = channel();
        let input = format!("{STREAM}{}", if behind { GET } else { "" });
        channel.write_inbound(input.as_str());
        channel.finish_inbound();
        assert!(channel.is_open(), "what it asked for is still being sent");
        write(&mut channel, ResponsePart::Body("x".into()));
        write(&mut channel, ResponsePart::End);
        let text = sent(&mut channel);
        assert_eq!(statuses(&text).len(), 1 + usize::from(behind), "{text}");
        assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd));
    }
}

#[test]
fn what_cannot_be_read_waits_behind_a_stream_too() {
    let mut channel = channel();
    channel.write_inbound(format!("{STREAM}GET / HTTP/1.1\r\n\r\n").as_str());
    assert_eq!(sent(&mut channel), BEGUN);
    assert!(channel.is_open());
    write(&mut channel, ResponsePart::End);
    let text = sent(&mut channel);
    assert!(text.starts_with("0\r\n\r\nHTTP/1.1 400 "), "{text}");
    assert!(!channel.is_open());
}
