//! `ReadTimeoutHandler` and `WriteTimeoutHandler`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fyke_core::embedded::EmbeddedChannel;
use fyke_core::handlers::{ReadTimeoutHandler, TimeoutCounter, WriteTimeoutHandler};
use fyke_core::{ChannelOptions, CloseReason, Datagram, Outgoing};

use super::{ms, secs, send, send_datagram};

fn read_timeout(counter: &TimeoutCounter) -> EmbeddedChannel {
    let counter = Arc::clone(counter);
    EmbeddedChannel::new(move |ch| {
        let timeout = ReadTimeoutHandler::new(secs(10)).counter(Arc::clone(&counter));
        ch.pipeline().inbound("timeout", timeout)
    })
}

#[test]
fn a_peer_that_sends_nothing_is_let_go_at_the_time() {
    let counter = TimeoutCounter::default();
    let mut channel = read_timeout(&counter);
    channel.advance(secs(4));
    channel.write_inbound("x");
    channel.advance(ms(9_999));
    assert!(channel.is_open());
    send(&mut channel, "bye");
    channel.advance(ms(1));
    assert!(!channel.is_open());
    assert_eq!(channel.read_outbound(), b"bye", "what was written is still sent");
    assert!(channel.output_ended());
    let error = channel.take_error().expect("handlers are told");
    assert!(error.is_timeout());
    assert_eq!(error.to_string(), "reading from the peer timed out");
    channel.advance(secs(5));
    assert_eq!(channel.close_reason(), Some(CloseReason::TimedOut));
    assert_eq!(counter.load(Ordering::Relaxed), 1);
}

#[test]
fn a_read_timeout_stands_still_while_nothing_is_read() {
    let counter = TimeoutCounter::default();
    let mut channel = read_timeout(&counter);
    channel.channel().set_auto_read(false).unwrap();
    channel.run_pending();
    channel.advance(secs(1000));
    assert!(channel.is_open());
    channel.channel().set_auto_read(true).unwrap();
    channel.run_pending();
    channel.advance(ms(9_999));
    assert!(channel.is_open());
    channel.advance(ms(1));
    assert!(!channel.is_open());
    assert_eq!(counter.load(Ordering::Relaxed), 1);
}

fn write_timeout(counter: &TimeoutCounter) -> EmbeddedChannel {
    let counter = Arc::clone(counter);
    EmbeddedChannel::new(move |ch| {
        let timeout = WriteTimeoutHandler::<Outgoing>::new(secs(10)).counter(Arc::clone(&counter));
        ch.pipeline().outbound("timeout", timeout)
    })
}

#[test]
fn a_slow_write_never_times_out_and_a_stuck_one_does_exactly() {
    let counter = TimeoutCounter::default();
    let mut channel = write_timeout(&counter);
    channel.advance(ms(3_300));
    channel.set_room(Some(1));
    send(&mut channel, vec![7; 100]);
    for _ in 0..50 {
        channel.advance(ms(9_999));
        channel.set_room(Some(1));
    }
    assert!(channel.is_open(), "it has been leaving for minutes, but it moves");
    channel.advance(ms(9_999));
    assert!(channel.is_open());
    channel.advance(ms(1));
    assert_eq!(channel.close_reason(), Some(CloseReason::TimedOut), "at once, without a farewell");
    assert_eq!(
        channel.take_error().map(|e| e.to_string()).as_deref(),
        Some("writing to the peer timed out")
    );
    assert_eq!(counter.load(Ordering::Relaxed), 1);
}

#[test]
fn a_channel_that_writes_nothing_does_not_time_out() {
    let counter = TimeoutCounter::default();
    let mut channel = write_timeout(&counter);
    channel.advance(secs(1000));
    send(&mut channel, "x");
    channel.advance(secs(1000));
    channel.set_room(Some(0));
    channel.advance(secs(1000));
    assert!(channel.is_open(), "a full transport harms nobody who has nothing to send");
    send(&mut channel, "x");
    channel.advance(ms(9_999));
    assert!(channel.is_open());
    channel.advance(ms(1));
    assert!(!channel.is_open());
}

#[test]
fn a_write_in_flight_can_be_stuck() {
    let counter = TimeoutCounter::default();
    let mut channel = write_timeout(&counter);
    channel.hold_writes(true);
    send(&mut channel, "abc");
    channel.advance(secs(9));
    channel.complete_write(Some(1)); // the rest is in flight again
    channel.advance(secs(9));
    assert!(channel.is_open());
    channel.advance(secs(1));
    assert!(!channel.is_open());
}

#[test]
fn where_the_transport_knows_acknowledgements_are_what_counts() {
    let counter = TimeoutCounter::default();
    let mut channel = write_timeout(&counter);
    channel.expect_acks();
    send(&mut channel, "abc");
    channel.advance(secs(9));
    channel.acknowledge(2);
    // The transport takes more, but the peer gets nothing of it any more.
    for _ in 0..9 {
        channel.advance(secs(1));
        send(&mut channel, "d");
    }
    assert!(channel.is_open());
    channel.advance(secs(1));
    assert!(!channel.is_open(), "ten seconds after the last acknowledgement");
    assert_eq!(counter.load(Ordering::Relaxed), 1);
}

#[test]
fn all_acknowledged_is_nothing_to_wait_for() {
    let counter = TimeoutCounter::default();
    let mut channel = write_timeout(&counter);
    channel.expect_acks();
    send(&mut channel, "abc");
    channel.advance(secs(5));
    channel.acknowledge(3);
    channel.advance(secs(1000));
    assert!(channel.is_open());
    send(&mut channel, "abc");
    channel.advance(ms(9_999));
    assert!(channel.is_open(), "counted from the new bytes, not from the old acknowledgement");
    channel.advance(ms(1));
    assert!(!channel.is_open());
}

#[test]
fn what_nobody_has_flushed_is_not_stuck() {
    let options = ChannelOptions::default().auto_flush(false);
    let mut channel = EmbeddedChannel::with_options(options, |ch| {
        ch.pipeline().outbound("timeout", WriteTimeoutHandler::<Outgoing>::new(secs(10)))
    });
    send(&mut channel, "abc");
    channel.advance(secs(100));
    assert!(channel.is_open());
}

#[test]
fn datagrams_can_be_stuck_too() {
    let mut channel = EmbeddedChannel::datagram(|ch| {
        ch.datagrams().outbound("timeout", WriteTimeoutHandler::<Datagram>::new(secs(10)))
    });
    let datagram = || Datagram::connected("x");
    channel.set_room(Some(1));
    send_datagram(&mut channel, datagram());
    channel.advance(secs(100));
    assert!(channel.is_open());
    send_datagram(&mut channel, datagram());
    channel.advance(ms(9_999));
    assert!(channel.is_open());
    channel.advance(ms(1));
    assert!(!channel.is_open());
}
