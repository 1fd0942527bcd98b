//! `TrafficShapingHandler` and `RateLimit`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use fyke_buffer::{ByteBuf, CompositeBuf};
use fyke_clock::Instant;
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::handlers::{
    RateLimit, TrafficCounters, TrafficShapingConfig, TrafficShapingHandler,
};
use fyke_core::{ChannelOptions, CloseReason, Datagram, Outgoing};
use proptest::prelude::*;

use super::{ms, secs, send, send_datagram};

fn shaped(config: TrafficShapingConfig) -> EmbeddedChannel {
    EmbeddedChannel::new(move |ch| {
        ch.pipeline().duplex("shaping", TrafficShapingHandler::new(&config))
    })
}

#[test]
fn what_goes_out_leaves_at_the_rate_and_whole() {
    let counters = Arc::new(TrafficCounters::default());
    let config = TrafficShapingConfig::new().channel_write(100_000).counters(&counters);
    let mut channel = shaped(config);
    let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut sent = channel.write_outbound(Outgoing::from(data.clone())).unwrap();
    let mut got = ByteBuf::new();
    for second in 1..=9_u64 {
        channel.advance(secs(1));
        got.write_slice(&channel.read_outbound());
        // The burst, and the piece that makes the debt, come on top.
        let most = second * 100_000 + 10_000 + 16 * 1024;
        assert!((second * 100_000..=most).contains(&(got.readable() as u64)), "{second}");
        assert!(sent.try_result().is_none(), "the promise is the last piece's");
    }
    channel.advance(secs(1));
    got.write_slice(&channel.read_outbound());
    assert_eq!(got.as_slice(), data);
    assert!(sent.try_result().is_some_and(|result| result.is_ok()));
    assert_eq!(counters.written_bytes.load(Ordering::Relaxed), 1_000_000);
    assert_eq!(channel.pending_bytes(), 0, "nothing is accounted for any more");
}

#[test]
fn waiting_costs_one_timer_a_piece() {
    let mut channel = shaped(TrafficShapingConfig::new().channel_write(1_000));
    let before = channel.event_loop().stats().timers;
    send(&mut channel, vec![0; 10_000]);
    send(&mut channel, vec![0; 10_000]);
    channel.advance(secs(100));
    assert_eq!(channel.read_outbound().readable(), 20_000);
    assert!(channel.event_loop().stats().timers - before <= 2);
}

#[test]
fn what_waits_counts_towards_the_water_marks() {
    let mut channel = shaped(TrafficShapingConfig::new().channel_write(50_000));
    assert!(channel.is_writable());
    send(&mut channel, vec![0; 200_000]);
    assert!(!channel.is_writable() && !channel.is_reading());
    channel.advance(secs(2));
    assert!(!channel.is_writable());
    channel.advance(secs(2));
    assert!(channel.is_writable() && channel.is_reading());
}

#[test]
fn all_kinds_of_messages_are_cut_and_come_out_in_order() {
    let mut channel = shaped(TrafficShapingConfig::new().channel_write(1_000_000));
    let part = |byte: u8| vec![byte; 40_000];
    let mut rope = CompositeBuf::new();
    rope.push(Bytes::from(part(3)));
    rope.push(Bytes::from(part(4)));
    send(&mut channel, part(1));
    send(&mut channel, Bytes::from(part(2)));
    send(&mut channel, Outgoing::Composite(Box::new(rope)));
    send(&mut channel, ByteBuf::from(&part(5)[..]));
    send(&mut channel, Bytes::new());
    channel.advance(secs(1));
    let expected: Vec<u8> = (1..=5).flat_map(part).collect();
    assert_eq!(channel.read_outbound().as_slice(), expected);
}

#[test]
fn a_close_waits_for_what_was_written_and_nothing_follows_it() {
    let mut channel = shaped(TrafficShapingConfig::new().channel_write(10_000));
    send(&mut channel, vec![0; 50_000]);
    channel.channel().close();
    channel.run_pending();
    let late = channel.write_outbound(Outgoing::from("late")).unwrap();
    assert!(late.wait().is_err());
    channel.advance(secs(2));
    assert!(!channel.output_ended());
    channel.advance(secs(3));
    assert_eq!(channel.read_outbound().readable(), 50_000);
    assert!(channel.output_ended());
}

#[test]
fn a_connection_that_breaks_fails_what_waits() {
    let mut channel = shaped(TrafficShapingConfig::new().channel_write(10_000));
    let sent = channel.write_outbound(Outgoing::from(vec![0; 50_000])).unwrap();
    let behind = channel.write_outbound(Outgoing::from("x")).unwrap();
    channel.break_connection(std::io::ErrorKind::ConnectionReset.into());
    assert!(sent.wait().is_err_and(|error| error.is_closed()));
    assert!(behind.wait().is_err_and(|error| error.is_closed()));
}

#[test]
fn memory_does_not_grow_beyond_the_limit() {
    let config = TrafficShapingConfig::new().channel_write(1_000).held_bytes_max(100_000);
    let mut channel = shaped(config);
    send(&mut channel, vec![0; 80_000]);
    assert!(channel.is_open());
    let refused = channel.write_outbound(Outgoing::from(vec![0; 80_000])).unwrap();
    assert!(refused.wait().is_err());
    assert_eq!(channel.close_reason(), Some(CloseReason::Limit));
}

#[test]
fn what_comes_in_too_fast_pauses_reading_until_it_is_paid() {
    let counters = Arc::new(TrafficCounters::default());
    let config = TrafficShapingConfig::new().channel_read(10_000).counters(&counters);
    let mut channel = shaped(config);
    channel.write_inbound(vec![1; 500]);
    assert!(channel.is_reading(), "less than the burst of a tenth of a second");
    channel.write_inbound(vec![2; 20_500]);
    assert!(!channel.is_reading());
    channel.write_inbound(vec![3; 10]);
    assert_eq!(channel.drain_inbound::<ByteBuf>().len(), 2, "the third one lies unread");
    channel.advance(ms(1_999));
    assert!(!channel.is_reading());
    assert_eq!(channel.drain_inbound::<ByteBuf>().len(), 0);
    channel.advance(ms(1));
    let more = channel.drain_inbound::<ByteBuf>().len();
    assert_eq!(more, 1, "21000 bytes are paid but for the burst of 1000");
    channel.advance(ms(1));
    assert!(channel.is_reading());
    assert_eq!(counters.read_bytes.load(Ordering::Relaxed), 21_010);
    // The third one, on top of a debt of the burst, is a pause of a millisecond.
    assert_eq!(counters.pauses.load(Ordering::Relaxed), 2);
}

#[test]
fn an_application_that_pauses_itself_stays_paused() {
    let mut channel = shaped(TrafficShapingConfig::new().channel_read(10_000));
    channel.write_inbound(vec![1; 11_000]);
    channel.channel().set_auto_read(false).unwrap();
    channel.advance(secs(10));
    assert!(!channel.is_reading());
    channel.channel().set_auto_read(true).unwrap();
    channel.run_pending();
    assert!(channel.is_reading());
}

#[test]
fn a_pause_is_over_although_its_handler_has_left() {
    let mut channel = shaped(TrafficShapingConfig::new().channel_read(10_000));
    channel.write_inbound(vec![1; 11_000]);
    channel.run(|cx| cx.edit(|edit| _ = edit.remove("shaping")).unwrap());
    assert!(!channel.is_reading());
    channel.advance(secs(1));
    assert!(channel.is_reading());
}

#[test]
fn a_shared_limit_is_shared_in_turns() {
    let limit = Arc::new(RateLimit::new(1_000_000));
    let config = TrafficShapingConfig::new().shared_write(&limit);
    let mut channels = [shaped(config.clone()), shaped(config.clone()), shaped(config)];
    for channel in &mut channels {
        send(channel, vec![0; 1_000_000]);
    }
    let mut sent = [0; 3];
    for _ in 0..1_500 {
        for (channel, sent) in channels.iter_mut().zip(&mut sent) {
            channel.advance(ms(1));
            *sent += channel.read_outbound().readable();
        }
    }
    let all: usize = sent.iter().sum();
    assert!((1_500_000..1_700_000).contains(&all), "{sent:?}");
    let (least, most) = (sent.iter().min().unwrap(), sent.iter().max().unwrap());
    assert!(most - least <= 150_000, "nobody waits for all of another one: {sent:?}");
}

#[test]
fn the_strictest_limit_counts() {
    let (tenant, server) = (Arc::new(RateLimit::new(20_000)), Arc::new(RateLimit::new(1_000_000)));
    let config = TrafficShapingConfig::new()
        .channel_write(500_000)
        .shared_write(&tenant)
        .shared_write(&server);
    let mut channel = shaped(config);
    send(&mut channel, vec![0; 1_000_000]);
    channel.advance(secs(10));
    let sent = channel.read_outbound().readable();
    assert!((200_000..240_000).contains(&sent), "{sent}");
}

#[test]
fn datagrams_are_shaped_whole() {
    let config = TrafficShapingConfig::new().channel_write(10_000);
    let mut channel = EmbeddedChannel::datagram(move |ch| {
        let shaping = TrafficShapingHandler::<Datagram, Datagram>::new(&config);
        ch.datagrams().duplex("shaping", shaping)
    });
    for _ in 0..10 {
        send_datagram(&mut channel, Datagram::connected(vec![0; 30_000]));
    }
    channel.advance(secs(9));
    let sent = channel.sent_datagrams();
    assert!((3..=4).contains(&sent.len()), "{}", sent.len());
    assert!(sent.iter().all(|datagram| datagram.payload.readable() == 30_000));
}

#[test]
fn shaping_can_be_used_with_small_options_too() {
    let options = ChannelOptions::default().water_marks(1, 2);
    let config = TrafficShapingConfig::new().channel_write(10);
    let mut channel = EmbeddedChannel::with_options(options, move |ch| {
        ch.pipeline().duplex("shaping", TrafficShapingHandler::new(&config))
    });
    send(&mut channel, vec![0; 100]);
    channel.advance(secs(100));
    assert_eq!(channel.read_outbound().readable(), 100, "it does not wait for itself");
}

proptest! {
    /// Over any time no more than the rate, the burst and one message; and nobody who keeps to the
    /// rate ever waits.
    #[test]
    fn a_limit_holds_over_any_time(
        rate in 1_u64..1_000_000,
        burst in 1_u64..100_000,
        takes in prop::collection::vec((0_u64..100_000_000, 1_u64..5_000), 1..100),
    ) {
        let limit = RateLimit::new(rate).burst(burst);
        let (mut now, mut used): (_, Vec<(Instant, u64)>) = (Instant::ZERO + secs(1), Vec::new());
        for (pause, units) in takes {
            now += Duration::from_nanos(pause);
            used.push((now + limit.take(now, units), units));
        }
        for (at, &(from, _)) in used.iter().enumerate() {
            let mut sum = 0;
            for &(to, units) in &used[at..] {
                sum += units;
                let time = to.saturating_duration_since(from).as_secs_f64();
                let most = time * rate as f64 + burst as f64 + units as f64 + used[at].1 as f64 + 1.0;
                prop_assert!(sum as f64 <= most * 1.000_001, "{sum} in {time}");
            }
        }
    }

    #[test]
    fn who_keeps_to_the_rate_never_waits(rate in 1_u64..1_000_000, units in 1_u64..5_000) {
        let limit = RateLimit::new(rate).burst(1);
        let mut now = Instant::ZERO;
        for _ in 0..50 {
            prop_assert!(limit.try_take(now, units));
            now += Duration::from_nanos(units * 1_000_000_000 / rate + 1);
        }
    }
}
