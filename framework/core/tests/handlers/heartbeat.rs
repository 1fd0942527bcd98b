//! `HeartbeatHandler`: when it asks, what counts as an answer, when it gives up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::handlers::{
    AdaptiveConfig, Beat, DatagramHeartbeat, HeartbeatConfig, HeartbeatCounters, HeartbeatHandler,
    HeartbeatIdle, IntervalMemory, LearnedInterval, PayloadHeartbeat, beat_fns, tcp_keepalive,
};
use fyke_core::{Address, ChannelOptions, CloseReason, Datagram, Outgoing, Stage};
use proptest::prelude::*;

use super::{ms, secs, send};

fn every(interval: Duration) -> HeartbeatConfig {
    HeartbeatConfig::new(interval).jitter_percent(0)
}

/// `p` is a ping, `a` an answer; the rest is data.
fn channel(config: HeartbeatConfig) -> EmbeddedChannel {
    with_options(ChannelOptions::default(), config)
}

fn with_options(options: ChannelOptions, config: HeartbeatConfig) -> EmbeddedChannel {
    EmbeddedChannel::with_options(options, move |ch| {
        let codec = beat_fns(
            |_| Outgoing::from("p"),
            |msg: &ByteBuf| if *msg == b"a"[..] { Beat::Pong } else { Beat::Data },
        );
        ch.pipeline().inbound("heartbeat", HeartbeatHandler::new(codec, &config))
    })
}

fn closed_for(channel: &EmbeddedChannel) -> Option<CloseReason> {
    channel.close_reason()
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[test]
fn a_silent_peer_is_found_out_within_misses_and_one_times_the_interval() {
    for misses in 1..5 {
        let counters = Arc::new(HeartbeatCounters::default());
        let mut channel = channel(every(secs(10)).misses(misses).counters(&counters));
        channel.advance(secs(u64::from(misses + 1) * 10) - ms(1));
        assert!(channel.is_open());
        assert_eq!(channel.read_outbound().readable(), misses as usize, "it was asked so often");
        channel.advance(ms(1));
        assert_eq!(closed_for(&channel), Some(CloseReason::TimedOut));
        let error = channel.take_error().expect("handlers are told why");
        assert_eq!(error.to_string(), "the answer to a heartbeat timed out");
        assert!(error.is_timeout());
        assert_eq!(channel.read_outbound(), b"", "not one ping more");
        let silent =
            (count(&counters.pings), count(&counters.missed), count(&counters.silent_peers));
        assert_eq!(silent, (u64::from(misses), u64::from(misses), 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The same, whatever the jitter, and wherever in the life of the channel the peer falls silent.
    #[test]
    fn also_with_jitter(misses in 1_u32..4, jitter in 0_u32..90, alive_ms in 0_u64..100_000) {
        let interval = secs(10);
        let mut channel = channel(HeartbeatConfig::new(interval).jitter_percent(jitter).misses(misses));
        let end = channel.now() + ms(alive_ms);
        while channel.now() < end {
            channel.advance(ms(500));
            if channel.read_outbound().readable() > 0 {
                channel.write_inbound("a");
            }
        }
        channel.write_inbound("the last word");
        channel.advance(interval * (misses + 1));
        prop_assert_eq!(closed_for(&channel), Some(CloseReason::TimedOut));
    }
}

#[test]
fn answers_keep_it_and_do_not_reach_the_application() {
    let counters = Arc::new(HeartbeatCounters::default());
    let mut channel = channel(every(secs(10)).misses(1).counters(&counters));
    for n in 1..=100 {
        channel.advance(secs(10));
        assert_eq!(channel.read_outbound(), b"p");
        channel.advance(ms(n));
        channel.write_inbound("a");
        channel.advance(secs(10) - ms(n) - ms(1));
        assert_eq!(channel.read_outbound(), b"", "a whole interval behind the last ping");
        channel.advance(ms(1));
        assert_eq!(channel.read_outbound(), b"p");
        channel.write_inbound("a");
    }
    assert!(channel.is_open());
    assert_eq!(channel.drain_inbound::<ByteBuf>().len(), 0);
    assert_eq!((count(&counters.pings), count(&counters.answered)), (200, 200));
    assert_eq!(count(&counters.last_rtt_micros), 0);
}

#[test]
fn the_time_to_an_answer_is_measured() {
    let counters = Arc::new(HeartbeatCounters::default());
    let mut channel = channel(every(secs(10)).counters(&counters));
    channel.advance(secs(10));
    channel.advance(Duration::from_micros(34_567));
    channel.write_inbound("a");
    assert_eq!(count(&counters.last_rtt_micros), 34_567);
    channel.advance(secs(25));
    channel.write_inbound("a");
    assert_eq!(count(&counters.last_rtt_micros), 34_567, "of two pings nobody knows which");
}

#[test]
fn who_talks_is_not_asked() {
    let mut channel = channel(every(secs(10)));
    for _ in 0..50 {
        channel.advance(secs(9));
        channel.write_inbound("data");
        send(&mut channel, "data");
    }
    assert_eq!(channel.read_outbound().readable(), 200, "nothing but the data");
    assert_eq!(channel.drain_inbound::<ByteBuf>().len(), 50);
}

#[test]
fn which_silence_counts_can_be_chosen() {
    let asked = |idle, reads: bool, writes: bool| {
        let mut channel = channel(every(secs(10)).idle(idle));
        for _ in 0..9 {
            channel.advance(secs(1));
            if reads {
                channel.write_inbound("x");
            }
            if writes {
                send(&mut channel, "x");
            }
        }
        let _ = channel.read_outbound();
        channel.advance(secs(1));
        channel.read_outbound() == b"p"[..]
    };
    let table: Vec<bool> = [HeartbeatIdle::Either, HeartbeatIdle::Writer, HeartbeatIdle::Reader]
        .into_iter()
        .flat_map(|idle| [asked(idle, true, false), asked(idle, false, true)])
        .collect();
    assert_eq!(table, [true, true, true, false, false, true]);
}

#[test]
fn any_message_is_an_answer() {
    let mut channel = channel(every(secs(10)).misses(1));
    channel.advance(secs(19));
    channel.write_inbound("data");
    channel.advance(secs(9));
    assert!(channel.is_open());
    channel.advance(secs(2) - ms(1));
    assert!(channel.is_open(), "the ping at 20 s may be answered until 30 s");
}

#[test]
fn bytes_that_make_no_message_yet_are_an_answer() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let codec = beat_fns(|_| Outgoing::from("p"), |_: &ByteBuf| Beat::Data);
        let heartbeat = HeartbeatHandler::new(codec, &every(secs(10)).misses(1));
        ch.pipeline().decoder("never", Never).inbound("heartbeat", heartbeat)
    });
    for _ in 0..20 {
        channel.advance(secs(9));
        channel.write_inbound("x");
    }
    assert!(channel.is_open(), "a large message arrives slowly");
    channel.advance(secs(20));
    assert!(!channel.is_open());
}

/// Waits for a message that never is whole.
struct Never;

impl Decoder for Never {
    type Item = ByteBuf;

    fn decode(&mut self, _: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        Ok(None)
    }
}

#[test]
fn a_shorter_time_for_answers_finds_out_sooner() {
    let mut channel = channel(every(secs(60)).timeout(secs(5)).misses(3));
    channel.advance(secs(75) - ms(1));
    assert!(channel.is_open());
    channel.advance(ms(1));
    assert_eq!(closed_for(&channel), Some(CloseReason::TimedOut));
}

#[test]
fn a_paused_channel_misses_no_answer() {
    let mut channel = channel(every(secs(10)).misses(1));
    channel.advance(secs(10));
    assert_eq!(channel.read_outbound(), b"p");
    channel.channel().set_auto_read(false).unwrap();
    channel.run_pending();
    channel.write_inbound("a"); // it lies there unread
    channel.advance(secs(1_003));
    assert!(channel.is_open());
    channel.channel().set_auto_read(true).unwrap();
    channel.run_pending();
    channel.advance(secs(5));
    assert!(channel.is_open());
}

#[test]
fn after_a_pause_the_peer_has_its_whole_time() {
    let mut channel = channel(every(secs(10)).misses(1));
    channel.advance(secs(15));
    channel.channel().set_auto_read(false).unwrap();
    channel.run_pending();
    channel.advance(secs(100));
    channel.channel().set_auto_read(true).unwrap();
    channel.run_pending();
    channel.advance(secs(10) - ms(1));
    assert!(channel.is_open());
    channel.advance(ms(1));
    assert_eq!(closed_for(&channel), Some(CloseReason::TimedOut));
}

#[test]
fn above_the_water_marks_no_answer_is_missed() {
    let options = ChannelOptions::default().water_marks(10, 20);
    let mut channel = with_options(options, every(secs(10)).misses(1));
    channel.advance(secs(10)); // asked
    channel.set_room(Some(0));
    send(&mut channel, vec![1; 100]);
    assert!(!channel.is_reading());
    channel.advance(secs(1_000));
    assert!(channel.is_open());
    channel.set_room(None);
    assert!(channel.is_reading());
    channel.advance(secs(10) - ms(1));
    assert!(channel.is_open());
    channel.advance(ms(1));
    assert!(!channel.is_open());
}

#[test]
fn a_ping_that_waits_to_be_sent_is_not_missed() {
    let mut channel = channel(every(secs(10)).misses(1));
    channel.advance(secs(9));
    channel.set_room(Some(0));
    channel.advance(secs(1)); // the ping is written, and stays
    assert_eq!(channel.pending_bytes(), 1);
    channel.advance(secs(500));
    assert!(channel.is_open());
    assert_eq!(channel.pending_bytes(), 1, "one ping is enough");
    channel.set_room(None);
    assert_eq!(channel.read_outbound(), b"p");
    channel.advance(secs(9));
    assert!(channel.is_open());
    channel.advance(secs(11));
    assert!(!channel.is_open(), "now it has gone, and is not answered");
}

#[test]
fn where_something_waits_to_be_sent_no_ping_is_needed() {
    let mut channel = channel(every(secs(10)));
    channel.set_room(Some(0));
    send(&mut channel, "data");
    channel.advance(secs(100));
    assert_eq!(channel.pending_bytes(), 4);
    channel.set_room(None);
    assert_eq!(channel.read_outbound(), b"data");
}

#[test]
fn no_answer_is_missed_while_the_peer_acknowledges_and_one_is_when_it_does_not() {
    let mut channel = channel(every(secs(10)).misses(1));
    channel.expect_acks();
    channel.advance(secs(5));
    send(&mut channel, vec![1; 1000]);
    channel.advance(secs(5)); // nothing read for ten seconds: asked, behind those bytes
    assert_eq!(channel.read_outbound().readable(), 1001);
    for _ in 0..10 {
        channel.advance(secs(9));
        channel.acknowledge(100); // slow, and therefore alive
    }
    assert!(channel.is_open());
    channel.advance(secs(10) - ms(1));
    assert!(channel.is_open());
    channel.advance(ms(1));
    assert_eq!(closed_for(&channel), Some(CloseReason::TimedOut), "nothing moves any more");
}

#[test]
fn who_pushes_all_the_time_finds_out_a_dead_peer_nevertheless() {
    let mut channel = channel(every(secs(10)).misses(2));
    for _ in 0..29 {
        channel.advance(secs(1));
        send(&mut channel, "push");
    }
    assert!(channel.is_open());
    channel.advance(secs(1));
    assert_eq!(closed_for(&channel), Some(CloseReason::TimedOut));
}

#[test]
fn a_message_costs_no_timer() {
    let mut channel = channel(every(secs(10)));
    let before = channel.event_loop().stats().timers;
    for _ in 0..1_000 {
        channel.advance(ms(10));
        channel.write_inbound("x");
        send(&mut channel, "x");
    }
    assert!(channel.event_loop().stats().timers - before <= 2);
}

#[test]
fn jitter_spreads_the_pings_and_never_makes_an_interval_longer() {
    let mut channel = channel(HeartbeatConfig::new(secs(10)).jitter_percent(50));
    let (mut last, mut gaps) = (channel.now(), Vec::new());
    while gaps.len() < 50 {
        channel.advance(ms(50));
        if channel.read_outbound().readable() > 0 {
            channel.write_inbound("a");
            gaps.push(channel.now().saturating_duration_since(last));
            last = channel.now();
        }
    }
    assert!(gaps.iter().all(|gap| (secs(5)..=secs(10)).contains(gap)), "{gaps:?}");
    gaps.sort();
    assert!(gaps[49] - gaps[0] > secs(3), "spread over the whole range: {gaps:?}");
}

#[test]
fn pings_are_answered_and_of_those_of_a_slow_reader_only_the_last() {
    let counters = Arc::new(HeartbeatCounters::default());
    let options = ChannelOptions::default().water_marks(10, 20).pause_when_unwritable(false);
    let config = HeartbeatConfig::answer_only().counters(&counters);
    let mut channel = EmbeddedChannel::with_options(options, move |ch| {
        let codec = beat_fns(|_| Outgoing::from("never"), |_: &ByteBuf| Beat::Ping);
        ch.pipeline().inbound("heartbeat", HeartbeatHandler::new(Answering(codec), &config))
    });
    channel.write_inbound("1");
    assert_eq!(channel.read_outbound(), b"pong 1;");
    channel.set_room(Some(0));
    send(&mut channel, vec![b'.'; 30]);
    for n in 2..100_u8 {
        channel.write_inbound(n.to_string().as_str());
    }
    assert_eq!(channel.pending_bytes(), 30, "a flood of pings fills nothing");
    channel.set_room(None);
    assert!(channel.read_outbound().ends_with(b".pong 99;"));
    assert_eq!(count(&counters.pongs), 2);
    channel.advance(secs(100_000));
    assert_eq!(channel.read_outbound(), b"", "who only answers never asks");
    assert!(channel.is_open());
}

struct Answering<C>(C);

impl<C: fyke_core::handlers::HeartbeatCodec<Read = ByteBuf, Write = Outgoing>>
    fyke_core::handlers::HeartbeatCodec for Answering<C>
{
    type Read = ByteBuf;
    type Write = Outgoing;

    fn ping(&mut self, number: u64) -> Outgoing {
        self.0.ping(number)
    }

    fn beat(&mut self, message: &ByteBuf) -> Beat {
        self.0.beat(message)
    }

    fn pong(&mut self, ping: ByteBuf) -> Option<Outgoing> {
        let text = format!("pong {};", String::from_utf8_lossy(&ping));
        Some(Outgoing::from(text.into_bytes()))
    }
}

#[test]
fn a_handler_that_is_put_in_later_begins_then() {
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline());
    channel.advance(secs(100));
    channel.run(|cx| {
        let codec = beat_fns(|_| Outgoing::from("p"), |_: &ByteBuf| Beat::Data);
        let heartbeat = Stage::inbound(HeartbeatHandler::new(codec, &every(secs(10))));
        cx.edit(|edit| _ = edit.add_last("heartbeat", heartbeat)).unwrap();
    });
    channel.advance(secs(10) - ms(1));
    assert_eq!(channel.read_outbound(), b"");
    channel.advance(ms(1));
    assert_eq!(channel.read_outbound(), b"p");
}

// ---- learned intervals ----

fn known(survived: u64, lost: Option<u64>) -> LearnedInterval {
    let (survived, lost) = (secs(survived), lost.map(secs));
    LearnedInterval { survived, lost, ..LearnedInterval::default() }
}

/// A TCP connection through a box that forgets; answers how long it was silent before each ping.
fn through(
    forgets: Duration,
    memory: &IntervalMemory,
    pings: usize,
) -> (Vec<u64>, EmbeddedChannel) {
    let config =
        HeartbeatConfig::adaptive(AdaptiveConfig::new(), memory.clone(), "home").jitter_percent(0);
    let mut channel = channel(config);
    let (mut gaps, mut passed) = (Vec::new(), channel.now());
    while gaps.len() < pings && channel.is_open() {
        channel.advance(ms(250));
        if channel.read_outbound().readable() == 0 {
            continue;
        }
        let gap = channel.now().saturating_duration_since(passed);
        gaps.push(gap.as_secs());
        passed = channel.now();
        if gap < forgets {
            channel.write_inbound("a");
        } else {
            channel.advance(secs(30)); // nothing comes through any more
        }
    }
    (gaps, channel)
}

#[test]
fn an_interval_is_learned_and_remembered_for_the_next_connection() {
    let memory = IntervalMemory::new();
    let (gaps, first) = through(secs(60), &memory, 10);
    assert_eq!(gaps, [15, 22, 33, 50, 76]);
    assert_eq!(closed_for(&first), Some(CloseReason::TimedOut));
    let learned = memory.get("home").expect("it was remembered");
    assert!(learned.survived >= secs(50) && learned.lost.is_some_and(|lost| lost >= secs(75)));
    let (gaps, mut second) = through(secs(60), &memory, 20);
    assert!(second.is_open());
    assert!(gaps.iter().all(|gap| (45..50).contains(gap)), "{gaps:?}");
}

#[test]
fn a_dead_mapping_is_found_out_soon_also_with_long_intervals() {
    let memory = IntervalMemory::new();
    memory.set("home", known(500, None));
    let config = HeartbeatConfig::adaptive(AdaptiveConfig::new(), memory, "home").misses(3);
    let mut channel = channel(config.jitter_percent(0));
    channel.advance(secs(630) - ms(1));
    assert!(channel.is_open());
    channel.advance(ms(1));
    assert!(!channel.is_open(), "three times ten seconds behind the first ping");
}

#[test]
fn a_reset_in_answer_to_a_ping_is_a_lost_mapping() {
    let memory = IntervalMemory::new();
    let counters = Arc::new(HeartbeatCounters::default());
    memory.set("home", known(20, None));
    let config = HeartbeatConfig::adaptive(AdaptiveConfig::new(), memory.clone(), "home");
    let mut channel = channel(config.jitter_percent(0).counters(&counters));
    channel.advance(secs(30));
    channel.break_connection(std::io::ErrorKind::ConnectionReset.into());
    assert_eq!(count(&counters.lost_mappings), 1);
    assert_eq!(memory.get("home"), Some(known(20, Some(30))));
}

// ---- ready-made ----

fn frames(
    codec: PayloadHeartbeat,
    config: HeartbeatConfig,
) -> fyke_core::embedded::MessageChannel<ByteBuf, ByteBuf> {
    fyke_core::embedded::MessageChannel::new(move |p| {
        p.inbound("heartbeat", HeartbeatHandler::new(codec.clone(), &config))
    })
}

#[test]
fn empty_frames_are_asked_by_one_side_and_answered_by_the_other() {
    let mut client = frames(PayloadHeartbeat::empty_asking(), every(secs(10)).misses(1));
    let mut server = frames(PayloadHeartbeat::empty_answering(), HeartbeatConfig::answer_only());
    for _ in 0..10 {
        client.advance(secs(10));
        server.advance(secs(10));
        let ping = client.written().expect("it asks");
        assert!(ping.is_empty());
        server.feed(ping);
        client.feed(server.written().expect("it answers"));
        assert!(client.written().is_none() && server.written().is_none(), "and that is all");
    }
    client.feed("data".into());
    assert_eq!(client.read_inbound::<ByteBuf>().as_deref(), Some(&b"data"[..]));
    assert!(
        client.read_inbound::<ByteBuf>().is_none() && server.read_inbound::<ByteBuf>().is_none()
    );
}

#[test]
fn with_two_contents_both_sides_may_ask() {
    let codec = || PayloadHeartbeat::new("ping", "pong");
    let mut one = frames(codec(), every(secs(10)).misses(1));
    let mut other = frames(codec(), every(secs(10)).misses(1));
    for _ in 0..10 {
        one.advance(secs(10));
        other.advance(secs(10));
        for _ in 0..3 {
            one.drain_written().into_iter().for_each(|frame| other.feed(frame));
            other.drain_written().into_iter().for_each(|frame| one.feed(frame));
        }
        assert!(one.drain_written().is_empty() && other.drain_written().is_empty());
    }
    assert!(one.is_open() && other.is_open());
}

#[test]
#[should_panic(expected = "a ping and its pong must differ")]
fn the_same_content_for_both_is_refused() {
    let _ = PayloadHeartbeat::new("x", "x");
}

pub(super) fn endpoint(config: HeartbeatConfig) -> EmbeddedChannel {
    EmbeddedChannel::datagram(move |ch| {
        let codec = DatagramHeartbeat::new("ping", "pong ");
        ch.datagrams().inbound("heartbeat", HeartbeatHandler::new(codec, &config))
    })
}

pub(super) fn from(peer: &str, payload: &str) -> Datagram {
    Datagram::to(peer.parse().unwrap(), payload)
}

pub(super) fn sent(channel: &mut EmbeddedChannel) -> Vec<(Option<Address>, Vec<u8>)> {
    channel.sent_datagrams().into_iter().map(|d| (d.peer, d.payload.to_vec())).collect()
}

#[test]
fn a_datagram_pong_says_where_it_sees_the_asker() {
    let mut server = endpoint(HeartbeatConfig::answer_only());
    server.receive_inbound(from("192.0.2.1:4000", "ping"));
    server.receive_inbound(from("192.0.2.1:4000", "data"));
    let peer: Address = "192.0.2.1:4000".parse().unwrap();
    assert_eq!(sent(&mut server), [(Some(peer), b"pong 192.0.2.1:4000".to_vec())]);
    assert_eq!(server.drain_inbound::<Datagram>().len(), 1);
}

#[test]
fn tcp_has_a_heartbeat_of_its_own() {
    let keepalive = tcp_keepalive(secs(45), 3);
    assert_eq!((keepalive.idle, keepalive.interval, keepalive.count), (secs(45), secs(45), 3));
    let shortest = tcp_keepalive(ms(10), 0);
    assert_eq!((shortest.idle, shortest.count), (secs(1), 1), "what kernels can do");
}
