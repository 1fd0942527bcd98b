//! What the two stages of a server see to by themselves.

use std::time::Duration;

use fyke_codecs::http1::{
    HTTP_STAGE, HttpObjectAggregator, HttpServerHandler, Limits, Reply, Response, ResponseHead,
    ResponsePart, Status, server,
};
use fyke_codecs::websocket::{
    Message, WebSocketServerProtocolConfig, WebSocketServerProtocolHandler,
};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{ChannelOptions, CloseReason, Context, InboundHandler, Never, Result};

use crate::support::{Early, GET, by_hand, mirror, parts, sent, statuses, write};

#[test]
fn pipelined_answers_are_in_order_and_leave_at_once() {
    let mut channel = mirror();
    let before = channel.write_calls();
    let head = "HEAD /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    let post = "POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    channel.write_inbound(format!("{GET}{head}{post}{GET}").as_str());
    assert_eq!(
        sent(&mut channel),
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nGET /|\
         HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nPOST /3|hi\
         HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nGET /|"
    );
    assert_eq!(channel.write_calls() - before, 1);
    assert!(channel.is_open());
}

#[test]
fn many_more_requests_than_may_wait_are_all_answered() {
    let mut channel = mirror();
    channel.write_inbound(GET.repeat(1000).as_str());
    assert_eq!(statuses(&sent(&mut channel)), [200; 1000]);
}

#[test]
fn the_date_is_the_loops() {
    let mut channel = mirror();
    channel.write_inbound(GET);
    let first = channel.read_outbound();
    assert!(first.windows(29).any(|text| text == b"Thu, 01 Jan 1970 00:00:00 GMT"), "{first:?}");
    channel.advance(Duration::from_secs(59));
    channel.write_inbound(GET);
    let second = channel.read_outbound();
    assert!(second.windows(29).any(|text| text == b"Thu, 01 Jan 1970 00:00:59 GMT"), "{second:?}");
}

#[test]
fn the_connection_ends_with_its_last_answer() {
    for (request, keeps) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
    ] {
        let mut channel = mirror();
        // What follows the last request is not answered.
        channel.write_inbound(format!("{request}{GET}").as_str());
        let text = sent(&mut channel);
        assert_eq!(statuses(&text).len(), if keeps { 2 } else { 1 }, "{request}");
        assert_eq!(text.contains("Connection: close"), !keeps, "{request}");
        assert_eq!(channel.is_open(), keeps, "{request}");
        assert_eq!(channel.output_ended(), !keeps, "our end is sent, and the peer's awaited");
    }
}

#[test]
fn what_cannot_be_read_is_answered_behind_what_can() {
    let long = "x".repeat(17_000);
    let fields = "a: b\r\n".repeat(101);
    for (bad, status) in [
        ("BAD / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 501),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(), 505),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"), 431),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
    ] {
        let mut channel = mirror();
        channel.write_inbound(format!("{GET}{bad}{GET}").as_str());
        let text = sent(&mut channel);
        assert_eq!(statuses(&text), [200, status], "{text}");
        assert_eq!(text.matches("Connection: close").count(), 1, "{text}");
        assert!(!channel.is_open());
        assert!(channel.take_error().is_none(), "nobody else hears of it");
        channel.finish_inbound();
        let reason =
            if status == 414 || status == 431 { CloseReason::Limit } else { CloseReason::Protocol };
        assert_eq!(channel.close_reason(), Some(reason));
    }
}

#[test]
fn a_refusal_waits_for_answers_that_are_late() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(format!("{GET}{GET}BAD / HTTP/1.1\r\nHost: a\r\n\r\n").as_str());
    assert_eq!(parts(&mut channel), "FF");
    assert_eq!(sent(&mut channel), "");
    write(&mut channel, Response::new(Status::OK));
    assert_eq!(statuses(&sent(&mut channel)), [200]);
    assert!(channel.is_open());
    write(&mut channel, Response::new(Status::NOT_FOUND));
    assert_eq!(statuses(&sent(&mut channel)), [404, 501]);
    assert!(!channel.is_open());
}

#[test]
fn a_body_that_breaks_off_is_refused() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut channel = mirror();
    channel.write_inbound(format!("{post}2\r\nhi\r\nnonsense\r\n").as_str());
    assert_eq!(statuses(&sent(&mut channel)), [400]);
    assert!(!channel.is_open());

    let mut channel = mirror();
    channel.write_inbound(format!("{GET}{post}2\r\nhi").as_str());
    channel.finish_inbound();
    assert_eq!(statuses(&sent(&mut channel)), [200, 400]);
    assert!(!channel.is_open());

    // An answer that is out cannot be followed by another one to the same request.
    let mut channel = EmbeddedChannel::new(|ch| {
        server(ch.pipeline(), Limits::new())
            .inbound("app", Early(|| Response::new(Status::NOT_FOUND)))
    });
    channel.write_inbound(format!("{post}nonsense\r\n").as_str());
    assert_eq!(statuses(&sent(&mut channel)), [404]);
    assert!(!channel.is_open());
}

#[test]
fn the_peers_end_waits_for_the_answers() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(format!("{GET}{GET}").as_str());
    channel.finish_inbound();
    assert!(channel.is_open());
    write(&mut channel, Response::new(Status::OK));
    assert!(channel.is_open());
    write(&mut channel, Response::new(Status::OK));
    assert_eq!(statuses(&sent(&mut channel)), [200, 200]);
    assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd));
}

#[test]
fn a_half_sent_head_is_no_request() {
    let mut channel = mirror();
    channel.write_inbound(format!("{GET}GET / HT").as_str());
    channel.finish_inbound();
    assert_eq!(statuses(&sent(&mut channel)), [200]);
    assert!(!channel.is_open());
}

#[test]
fn reading_is_paused_while_too_many_answers_are_due() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(GET.repeat(40).as_str());
    assert_eq!(parts(&mut channel), "F".repeat(32));
    assert!(!channel.is_reading());
    channel.write_inbound(GET.repeat(2).as_str());
    assert_eq!(parts(&mut channel), "");
    write(&mut channel, Response::new(Status::OK));
    assert_eq!(parts(&mut channel), "F");
    for _ in 0..32 {
        write(&mut channel, Response::new(Status::OK));
    }
    assert_eq!(parts(&mut channel), "F".repeat(9));
    assert!(channel.is_reading());
    for _ in 0..9 {
        write(&mut channel, Response::new(Status::OK));
    }
    assert_eq!(statuses(&sent(&mut channel)), [200; 42]);
}

#[test]
fn who_reads_by_hand_cannot_make_the_waiting_requests_grow_without_end() {
    let options = ChannelOptions::default().auto_read(false);
    let mut channel = by_hand(options);
    channel.run(|cx| (0..1000).for_each(|_| cx.request_read()));
    for _ in 0..400 {
        channel.write_inbound(GET.repeat(40).as_str());
    }
    assert_eq!(parts(&mut channel), "F".repeat(32));
    for _ in 0..32 {
        write(&mut channel, Response::new(Status::OK));
    }
    assert_eq!(statuses(&sent(&mut channel)), [200; 32]);
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Protocol));
}

#[test]
fn paused_means_paused_in_the_middle_of_a_buffer() {
    let mut channel = by_hand(ChannelOptions::default().auto_read(false));
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    channel.write_inbound(format!("{post}{GET}").as_str());
    let mut seen = String::new();
    for expected in ["H", "B", "E", "F", ""] {
        assert_eq!(parts(&mut channel), "", "after {seen}");
        channel.run(|cx| cx.request_read());
        seen += &parts(&mut channel);
        assert!(seen.ends_with(expected), "{seen}");
    }
    assert_eq!(seen, "HBEF");
}

#[test]
fn a_slow_reader_stops_its_own_requests() {
    let options = ChannelOptions::default().water_marks(1000, 2000);
    let mut channel = EmbeddedChannel::with_options(options, |ch| {
        server(ch.pipeline(), Limits::new())
            .inbound("app", Early(|| Response::new(Status::OK).body(vec![b'x'; 500])))
    });
    channel.set_room(Some(0));
    channel.write_inbound(GET.repeat(100).as_str());
    assert!(channel.pending_bytes() < 3000, "{}", channel.pending_bytes());
    assert!(!channel.is_reading());
    channel.set_room(None);
    assert_eq!(statuses(&sent(&mut channel)), [200; 100]);
}

#[test]
fn bodies_in_parts_and_large_ones() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(GET.repeat(3).as_str());
    write(&mut channel, ResponseHead::new(Status::OK));
    write(&mut channel, ResponsePart::Body("hello".into()));
    write(&mut channel, ResponsePart::Body(vec![b'x'; 3000].into()));
    write(&mut channel, ResponsePart::End);
    let large = "x".repeat(3000);
    assert_eq!(
        sent(&mut channel),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\nhello\r\nbb8\r\n{large}\r\n0\r\n\r\n"
        )
    );
    write(&mut channel, Response::new(Status::OK).body(vec![b'x'; 3000]));
    write(&mut channel, Response::new(Status::OK).body("small"));
    assert_eq!(
        sent(&mut channel),
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n{large}\
             HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmall"
        )
    );
}

#[test]
fn promises_are_kept_behind_what_they_promise() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(GET.repeat(2).as_str());
    channel.set_room(Some(10));
    let response = Response::new(Status::OK).body(vec![b'x'; 5000]);
    let mut first = channel.write_outbound::<ResponsePart>(response.into()).expect("a response");
    assert!(first.try_result().is_none());
    channel.set_room(None);
    assert!(first.try_result().is_some_and(|result| result.is_ok()));
}

#[test]
fn a_response_that_cannot_be_sent_becomes_a_500() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(GET.repeat(2).as_str());
    let bad = Response::new(Status::OK).header("X-Split", "a\r\nb: c");
    let mut promise = channel.write_outbound::<ResponsePart>(bad.into()).expect("a response");
    assert!(promise.try_result().is_some_and(|result| result.is_err()));
    // What else the handler has to say about it is dropped.
    write(&mut channel, ResponsePart::Body("more".into()));
    write(&mut channel, ResponsePart::End);
    let text = sent(&mut channel);
    assert_eq!(statuses(&text), [500]);
    assert!(text.contains("Connection: close") && !text.contains("X-Split"), "{text}");
    assert!(!channel.is_open());
}

#[test]
fn a_response_that_goes_wrong_half_way_is_cut() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(GET);
    write(&mut channel, ResponseHead::new(Status::OK).content_length(3));
    write(&mut channel, ResponsePart::Body("four".into()));
    assert!(!channel.is_open());
    assert!(!sent(&mut channel).contains("four"));

    let mut channel = by_hand(ChannelOptions::default());
    write(&mut channel, Response::new(Status::OK));
    assert_eq!(sent(&mut channel), "", "nobody has asked");
    assert!(!channel.is_open());
}

#[test]
fn shutting_down_ends_idle_connections_at_once_and_others_behind_their_answer() {
    let shut_down = |channel: &mut EmbeddedChannel| {
        channel.event_loop().shutdown(Duration::from_secs(5), |_| {});
        channel.run_pending();
    };
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(GET);
    let _ = parts(&mut channel);
    write(&mut channel, Response::new(Status::OK));
    shut_down(&mut channel);
    assert!(!channel.is_open());
    assert!(!sent(&mut channel).contains("Connection: close"));

    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(GET);
    shut_down(&mut channel);
    assert!(channel.is_open());
    write(&mut channel, Response::new(Status::OK));
    assert!(sent(&mut channel).contains("Connection: close"));
    assert!(!channel.is_open());
}

#[test]
fn an_upgrade_keeps_what_came_behind_it() {
    let ask = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(format!("{ask}left").as_str());
    assert_eq!(parts(&mut channel), "F");
    assert!(!channel.is_reading(), "whose bytes they are is open");
    channel.write_inbound("over");
    write(&mut channel, ResponseHead::new(Status::SWITCHING_PROTOCOLS).header("Upgrade", "x"));
    assert_eq!(sent(&mut channel), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
    channel.run(|cx| {
        let edited = cx.edit(|edit| {
            edit.remove(HTTP_STAGE);
        });
        assert!(edited.is_ok());
    });
    channel.write_inbound("!");
    let bytes = channel.drain_inbound::<fyke_buffer::ByteBuf>();
    assert_eq!(bytes.iter().flat_map(|b| b.to_vec()).collect::<Vec<u8>>(), b"leftover!");
    assert!(channel.is_reading());
}

#[test]
fn a_refused_upgrade_lets_requests_go_on() {
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let mut channel = mirror();
    channel.write_inbound(format!("{ask}{GET}").as_str());
    assert_eq!(statuses(&sent(&mut channel)), [200, 200]);
    assert!(channel.is_open() && channel.is_reading());

    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(format!("{ask}{GET}").as_str());
    assert_eq!(parts(&mut channel), "F");
    write(&mut channel, Response::new(Status::FORBIDDEN));
    assert_eq!(parts(&mut channel), "F");
    assert!(channel.is_reading());
}

/// Sends WebSocket messages back.
struct Echo;

impl InboundHandler for Echo {
    type In = Message;
    type Out = Never;
    type Write = Message;

    fn read(&mut self, cx: &mut Context<'_, Self>, message: Message) -> Result<()> {
        cx.write(message);
        Ok(())
    }
}

#[test]
fn web_sockets_and_requests_share_a_connection() {
    let config = WebSocketServerProtocolConfig::new("/ws");
    let mut channel = EmbeddedChannel::new(move |ch| {
        server(ch.pipeline(), Limits::new())
            .duplex("ws-upgrade", WebSocketServerProtocolHandler::inbound(&config, |_| Echo))
            .inbound("aggregator", HttpObjectAggregator::new(1000))
            .inbound(
                "app",
                HttpServerHandler::new(|_, _| Reply::offload(|| Response::new(Status::OK))),
            )
    });
    let ask = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // A request, the handshake, and a message in one read; the answers wait for each other.
    let frame: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    channel.write_inbound([GET.as_bytes(), ask.as_bytes(), frame].concat());
    let bytes = channel.read_outbound();
    assert!(bytes.ends_with(b"\r\n\r\n\x81\x05Hello"), "{}", bytes.escape_ascii());
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert_eq!(statuses(&text), [200, 101]);
    assert!(channel.is_reading());
    channel.write_inbound(frame);
    assert_eq!(channel.read_outbound(), b"\x81\x05Hello"[..]);
}
