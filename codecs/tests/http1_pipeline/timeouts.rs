//! Who takes too long: in virtual time, to the second.

use std::time::Duration;

use fyke_codecs::http1::{
    HttpObjectAggregator, HttpServerHandler, Limits, Response, ResponseHead, ResponsePart,
    ServerOptions, Status, Timeouts, server,
};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{ChannelOptions, CloseReason};

use crate::support::{GET, parts, sent, statuses, write};

const SECOND: Duration = Duration::from_secs(1);
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";

fn timeouts() -> Timeouts {
    Timeouts::new().head(SECOND * 10).body(SECOND * 20).idle(SECOND * 30)
}

/// A server that answers at once.
fn quick(timeouts: Timeouts) -> EmbeddedChannel {
    let options = ServerOptions::new().timeouts(timeouts);
    EmbeddedChannel::new(move |ch| {
        server(ch.pipeline(), options)
            .inbound("aggregator", HttpObjectAggregator::new(1 << 20))
            .inbound("app", HttpServerHandler::new(|_, _| Response::new(Status::OK)))
    })
}

/// A server whose answers the test writes.
fn by_hand(options: ChannelOptions) -> EmbeddedChannel {
    let server_options = ServerOptions::new().timeouts(timeouts());
    EmbeddedChannel::with_options(options, move |ch| server(ch.pipeline(), server_options))
}

fn assert_timed_out(channel: &mut EmbeddedChannel, what: &str) {
    let text = sent(channel);
    assert_eq!(statuses(&text), [408], "{text}");
    assert!(text.contains("Connection: close") && text.ends_with(what), "{text}");
    assert!(!channel.is_open());
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::TimedOut));
}

// RFC 9110 section 15.5.9.
#[test]
fn a_head_that_trickles_in_is_given_up() {
    let mut channel = quick(timeouts());
    channel.advance(SECOND * 5);
    for byte in GET.as_bytes().iter().take(10) {
        channel.write_inbound(&[*byte]);
        channel.advance(SECOND - Duration::from_millis(10));
        assert!(channel.is_open());
    }
    channel.advance(SECOND);
    assert_timed_out(&mut channel, "the head takes too long");
}

// RFC 9110 section 9.3.2.
#[test]
fn a_head_request_that_trickles_in_is_told_without_content() {
    let mut channel = quick(timeouts());
    channel.write_inbound("HEAD / HTTP/1.1\r\nHost: a\r\n");
    channel.advance(SECOND * 10);
    assert_timed_out(&mut channel, "Connection: close\r\n\r\n");
}

#[test]
fn each_head_has_its_own_time() {
    let mut channel = quick(timeouts());
    let (first, second) = GET.split_at(9);
    for _ in 0..5 {
        // One read ends a head and begins the next.
        channel.write_inbound(first);
        channel.advance(SECOND * 6);
        channel.write_inbound(format!("{second}{first}").as_str());
        channel.advance(SECOND * 6);
        channel.write_inbound(second);
        assert_eq!(statuses(&sent(&mut channel)), [200, 200]);
    }
    channel.write_inbound(first);
    channel.advance(SECOND * 10);
    assert_timed_out(&mut channel, "the head takes too long");
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    for after in ["", "x"] {
        let mut channel = quick(timeouts());
        channel.write_inbound(format!("{POST}{after}").as_str());
        channel.advance(SECOND * 19);
        assert!(channel.is_open());
        channel.advance(SECOND);
        assert_timed_out(&mut channel, "the body takes too long");
    }
}

#[test]
fn a_body_may_take_long_but_must_not_trickle() {
    let mut channel = quick(timeouts().body_bytes_per_second_min(100));
    channel.write_inbound(POST);
    for _ in 0..500 {
        channel.write_inbound(vec![b'x'; 200].as_slice());
        channel.advance(SECOND);
    }
    assert_eq!(statuses(&sent(&mut channel)), [200]);

    channel.write_inbound(POST);
    // Half of the rate: 20 s and another for each 100 bytes are over after 39 s.
    for second in 0..39 {
        assert!(channel.is_open(), "after {second} s");
        channel.write_inbound(vec![b'x'; 50].as_slice());
        channel.advance(SECOND);
    }
    assert_timed_out(&mut channel, "the body takes too long");
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let mut channel = quick(timeouts());
    channel.advance(SECOND * 29);
    assert!(channel.is_open());
    channel.write_inbound(GET);
    assert_eq!(statuses(&sent(&mut channel)), [200]);
    channel.advance(SECOND * 29);
    assert!(channel.is_open());
    channel.advance(SECOND);
    assert!(!channel.is_open());
    assert_eq!(sent(&mut channel), "");
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::TimedOut));
}

#[test]
fn empty_lines_are_no_request() {
    let mut channel = quick(timeouts());
    channel.write_inbound("\r\n");
    channel.advance(SECOND * 30);
    assert!(!channel.is_open());
    assert_eq!(sent(&mut channel), "");
}

#[test]
fn our_own_time_does_not_count() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(GET);
    channel.advance(SECOND * 1000);
    assert!(channel.is_open());
    write(&mut channel, Response::new(Status::OK));
    assert_eq!(statuses(&sent(&mut channel)), [200]);
    channel.advance(SECOND * 29);
    assert!(channel.is_open());
    channel.advance(SECOND * 31);
    assert!(!channel.is_open());
}

#[test]
fn time_stands_still_while_nobody_reads() {
    let mut channel = by_hand(ChannelOptions::default().auto_read(false));
    channel.run(|cx| cx.request_read());
    channel.write_inbound(POST);
    assert_eq!(parts(&mut channel), "H");
    channel.advance(SECOND * 500);
    assert!(channel.is_open());
    channel.run(|cx| cx.set_auto_read(true));
    channel.advance(SECOND * 40);
    assert_timed_out(&mut channel, "the body takes too long");
}

#[test]
fn who_takes_nothing_of_the_answer_is_cut_off() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(GET);
    channel.set_room(Some(100));
    write(&mut channel, Response::new(Status::OK).body(vec![b'x'; 10_000]));
    // Somebody who takes a little now and then stays.
    for left in (1..5).rev() {
        channel.advance(SECOND * 25);
        channel.set_room(Some(100));
        assert!(channel.is_open(), "{left} to go");
    }
    channel.advance(SECOND * 61);
    assert!(!channel.is_open());
    assert_eq!(channel.close_reason(), Some(CloseReason::TimedOut));
}

#[test]
fn an_answer_that_is_out_is_not_followed_by_another() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(POST);
    write(&mut channel, Response::new(Status::NOT_FOUND));
    assert_eq!(statuses(&sent(&mut channel)), [404]);
    channel.advance(SECOND * 20);
    assert!(!channel.is_open());
    assert_eq!(sent(&mut channel), "");
}

#[test]
fn a_late_request_waits_for_the_answers_before_it() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(format!("{GET}GET / HT").as_str());
    channel.advance(SECOND * 10);
    assert_eq!(sent(&mut channel), "");
    write(&mut channel, ResponseHead::new(Status::OK).content_length(2));
    write(&mut channel, ResponsePart::Body("hi".into()));
    write(&mut channel, ResponsePart::End);
    assert_eq!(statuses(&sent(&mut channel)), [200, 408]);
    assert!(!channel.is_open());
}

#[test]
fn each_can_be_switched_off() {
    let mut channel = quick(Timeouts::none());
    channel.advance(SECOND * 10_000);
    channel.write_inbound("GET / HT");
    channel.advance(SECOND * 10_000);
    channel.write_inbound("TP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(statuses(&sent(&mut channel)), [200]);
    channel.write_inbound(POST);
    channel.advance(SECOND * 10_000);
    assert!(channel.is_open());

    let mut channel = quick(timeouts().idle(None));
    channel.advance(SECOND * 10_000);
    channel.write_inbound(GET);
    channel.advance(SECOND * 10_000);
    assert_eq!(statuses(&sent(&mut channel)), [200]);
    channel.write_inbound("GET");
    channel.advance(SECOND * 10);
    assert_timed_out(&mut channel, "the head takes too long");
}

#[test]
fn the_defaults_are_on() {
    assert_eq!(ServerOptions::from(Limits::new()), ServerOptions::new());
    let mut channel = quick(Timeouts::default());
    channel.write_inbound("GET");
    channel.advance(SECOND * 20);
    assert_timed_out(&mut channel, "the head takes too long");
}
