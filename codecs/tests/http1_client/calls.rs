//! Calls, each with a promise of its answer.

use std::time::Duration;

use fyke_codecs::http1::Method;
use fyke_codecs::http1::client::{
    CallError, CallLimits, ClientLimits, ClientRequest, HttpCall, ResponseFuture, pooled_client,
};
use fyke_core::embedded::EmbeddedChannel;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn channel(limits: CallLimits) -> EmbeddedChannel {
    EmbeddedChannel::new(move |ch| pooled_client(ch.pipeline(), ClientLimits::new(), limits, 100))
}

fn call(channel: &mut EmbeddedChannel, target: &str) -> ResponseFuture {
    send(channel, ClientRequest::new(Method::Get, "a", target))
}

fn send(channel: &mut EmbeddedChannel, request: ClientRequest) -> ResponseFuture {
    let (call, answer) = HttpCall::new(request);
    drop(channel.write_outbound(call).expect("it takes calls"));
    answer
}

fn targets(channel: &mut EmbeddedChannel) -> Vec<String> {
    let text = String::from_utf8(channel.read_outbound().to_vec()).expect("text");
    let lines = text.lines().filter(|line| line.starts_with("GET "));
    lines.map(|line| line.split(' ').nth(1).unwrap_or_default().to_owned()).collect()
}

fn body(answer: &mut ResponseFuture) -> Vec<u8> {
    let outcome = answer.try_outcome().expect("it has been answered");
    outcome.expect("it has a response").body.to_vec()
}

#[test]
fn one_call_after_the_other() {
    let mut channel = channel(CallLimits::new());
    let (mut first, mut second) = (call(&mut channel, "/1"), call(&mut channel, "/2"));
    assert_eq!(targets(&mut channel), ["/1"]);
    channel.write_inbound(OK);
    assert_eq!(body(&mut first), b"hi");
    assert!(second.try_outcome().is_none());
    assert_eq!(targets(&mut channel), ["/2"]);
    channel.write_inbound(OK);
    assert_eq!(body(&mut second), b"hi");
    assert!(channel.is_open());
}

#[test]
fn several_in_flight_when_asked_for() {
    let mut channel = channel(CallLimits::new().in_flight_max(2));
    let mut answers: Vec<_> = ["/1", "/2", "/3"].map(|target| call(&mut channel, target)).into();
    assert_eq!(targets(&mut channel), ["/1", "/2"]);
    channel.write_inbound(OK.repeat(2).as_str());
    assert_eq!(targets(&mut channel), ["/3"]);
    channel.write_inbound(OK);
    assert!(answers.iter_mut().all(|answer| body(answer) == b"hi"));
}

#[test]
fn the_queue_is_bounded_and_the_abandoned_are_not_sent() {
    let mut channel = channel(CallLimits::new().waiting_max(2));
    let mut first = call(&mut channel, "/1");
    let abandoned = call(&mut channel, "/2");
    let mut third = call(&mut channel, "/3");
    let refused = call(&mut channel, "/4").try_outcome();
    assert!(matches!(refused, Some(Err(CallError::QueueFull))), "{refused:?}");
    drop(abandoned);
    channel.write_inbound(OK);
    assert_eq!(targets(&mut channel), ["/1", "/3"]);
    channel.write_inbound(OK);
    assert_eq!((body(&mut first), body(&mut third)), (b"hi".to_vec(), b"hi".to_vec()));
}

#[test]
fn an_answer_that_does_not_come_in_time() {
    let limits = CallLimits::new().response_timeout(Duration::from_secs(5));
    let mut channel = channel(limits);
    channel.advance(Duration::from_secs(4));
    let (mut first, mut second) = (call(&mut channel, "/1"), call(&mut channel, "/2"));
    channel.advance(Duration::from_millis(4999));
    assert!(first.try_outcome().is_none());
    channel.advance(Duration::from_millis(1));
    assert!(matches!(first.try_outcome(), Some(Err(CallError::TimedOut))));
    assert!(matches!(second.try_outcome(), Some(Err(CallError::Unsent(_)))));
    assert!(!channel.is_open());
}

#[test]
fn an_idle_connection_is_closed() {
    let mut channel = channel(CallLimits::new().idle_timeout(Duration::from_secs(5)));
    channel.advance(Duration::from_secs(4));
    let mut first = call(&mut channel, "/1");
    channel.advance(Duration::from_secs(4));
    channel.write_inbound(OK);
    assert_eq!(body(&mut first), b"hi");
    channel.advance(Duration::from_millis(4999));
    assert!(channel.is_open());
    channel.advance(Duration::from_millis(1));
    assert!(!channel.is_open());
    assert!(matches!(call(&mut channel, "/2").try_outcome(), Some(Err(CallError::Unsent(_)))));
}

#[test]
fn the_end_of_the_connection_tells_the_sent_from_the_unsent() {
    for end in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"] {
        let mut channel = channel(CallLimits::new());
        let (mut first, mut second) = (call(&mut channel, "/1"), call(&mut channel, "/2"));
        channel.write_inbound(end);
        channel.finish_inbound();
        let outcome = first.try_outcome().expect("it is decided");
        assert!(matches!(outcome, Err(CallError::Closed | CallError::Failed(_))), "{outcome:?}");
        assert!(matches!(second.try_outcome(), Some(Err(CallError::Unsent(_)))));
    }
    // A last response is one, and those behind it have not been sent.
    let mut channel = channel(CallLimits::new());
    let (mut first, mut second) = (call(&mut channel, "/1"), call(&mut channel, "/2"));
    channel.write_inbound("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(body(&mut first), b"hi");
    assert_eq!(targets(&mut channel), ["/1"]);
    assert!(matches!(second.try_outcome(), Some(Err(CallError::Unsent(_)))));
}

#[test]
fn a_loop_that_shuts_down_lets_the_response_come_and_sends_no_more() {
    let mut channel = channel(CallLimits::new());
    let (mut first, mut second) = (call(&mut channel, "/1"), call(&mut channel, "/2"));
    channel.event_loop().shutdown(Duration::from_secs(5), |_| {});
    channel.run_pending();
    assert!(matches!(second.try_outcome(), Some(Err(CallError::Unsent(_)))));
    assert!(first.try_outcome().is_none());
    channel.write_inbound(OK);
    assert_eq!(body(&mut first), b"hi");
    assert_eq!(targets(&mut channel), ["/1"]);
    assert!(!channel.is_open());
}

#[test]
fn a_malformed_response_fails_its_call_and_gives_the_reason() {
    let mut channel = channel(CallLimits::new());
    let mut first = call(&mut channel, "/1");
    channel.write_inbound("HTTP/1.1 200 OK\nX: y\n\n");
    let Some(Err(CallError::Failed(error))) = first.try_outcome() else {
        panic!("it is malformed")
    };
    assert!(error.to_string().contains("line feed"), "{error}");
    assert!(!channel.is_open());
}

#[test]
fn what_cannot_be_sent_fails_alone() {
    let mut channel = channel(CallLimits::new());
    let mut bad = send(&mut channel, ClientRequest::new(Method::Get, "a", "/ /"));
    assert!(matches!(bad.try_outcome(), Some(Err(CallError::Failed(_)))));
    let mut good = call(&mut channel, "/1");
    channel.write_inbound(OK);
    assert_eq!(body(&mut good), b"hi");
    // A call that never reaches the handler has not been sent.
    let (call, mut answer) = HttpCall::new(ClientRequest::new(Method::Get, "a", "/"));
    drop(call);
    assert!(matches!(answer.try_outcome(), Some(Err(CallError::Unsent(_)))));
}
