//! `IdleStateHandler`: what is idle, when exactly, and what it costs.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::handlers::{IdleState, IdleStateEvent, IdleStateHandler};
use fyke_core::{Context, Event, EventFilter, InboundHandler, Never, Outgoing, Result, Stage};

use super::{ms, secs, send};
use crate::support::Log;

/// Logs idle events with their time in milliseconds; `w` makes it write at each of them.
struct Watch {
    log: Log,
    writes: bool,
}

impl InboundHandler for Watch {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        match msg.as_slice() {
            b"pause" => cx.set_auto_read(false),
            b"echo" => cx.write("x".into()),
            _ => {}
        }
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<IdleStateEvent>()
    }

    fn event(&mut self, cx: &mut Context<'_, Self>, event: Event) -> Result<()> {
        let idle = event.take::<IdleStateEvent>().expect("it asked for no other");
        let what = match idle.state {
            IdleState::Reader => "r",
            IdleState::Writer => "w",
            IdleState::All => "a",
        };
        let first = if idle.first { "!" } else { "" };
        let now = cx.env().now().as_nanos();
        assert_eq!(now % 1_000_000, 0, "exact to the nanosecond");
        self.log.add(format!("{what}{first}@{}", now / 1_000_000));
        if self.writes {
            cx.write("ping".into());
        }
        Ok(())
    }
}

type Idle = IdleStateHandler<ByteBuf, Outgoing>;

fn channel(log: &Log, idle: impl Fn() -> Idle + Send + Sync + 'static) -> EmbeddedChannel {
    let log = log.clone();
    EmbeddedChannel::new(move |ch| {
        let watch = Watch { log: log.clone(), writes: false };
        ch.pipeline().inbound("idle", idle()).inbound("watch", watch)
    })
}

fn timers(channel: &mut EmbeddedChannel) -> u64 {
    channel.event_loop().stats().timers
}

#[test]
fn a_silent_reader_is_told_at_its_time_and_each_time_again() {
    let log = Log::new();
    let mut channel = channel(&log, || Idle::new().reader(secs(10)));
    channel.advance(ms(9_999));
    assert_eq!(log.text(), "");
    channel.advance(ms(20_001));
    assert_eq!(log.text(), "r!@10000 r@20000 r@30000");
    channel.advance(ms(1_234));
    channel.write_inbound("x");
    channel.advance(ms(19_999));
    assert_eq!(log.text(), "r!@41234", "counted from the message, and the first one again");
}

#[test]
fn messages_move_the_time_but_arm_no_timers() {
    let log = Log::new();
    let mut channel = channel(&log, || Idle::new().reader(secs(10)).writer(secs(10)).all(secs(5)));
    let before = timers(&mut channel);
    for _ in 0..10_000 {
        channel.advance(ms(1));
        channel.write_inbound("echo");
    }
    assert_eq!(log.text(), "");
    assert!(timers(&mut channel) - before <= 3, "10000 messages in 10 s cost two timers or three");
    channel.advance(secs(5));
    assert_eq!(log.text(), "a!@15000");
    channel.advance(secs(5));
    assert_eq!(log.text(), "r!@20000 w!@20000 a@20000", "all due ones at once, in Netty's order");
}

#[test]
fn what_is_sent_counts_for_the_writer_and_for_all_but_not_for_the_reader() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let idle = Idle::new().writer(secs(3)).reader(secs(10));
        ch.pipeline().inbound("idle", idle).inbound("watch", Watch { log: l.clone(), writes: true })
    });
    channel.advance(secs(9));
    assert_eq!(log.text(), "w!@3000 w!@6000 w!@9000", "what is written at an event is activity");
    channel.advance(secs(1));
    assert_eq!(log.text(), "r!@10000");
    channel.advance(secs(3));
    assert_eq!(log.text(), "w!@13000");
}

#[test]
fn a_slow_write_is_activity_and_a_stuck_one_is_not() {
    let log = Log::new();
    let mut channel = channel(&log, || Idle::new().writer(secs(10)));
    channel.set_room(Some(0));
    send(&mut channel, "abcdefgh");
    for _ in 0..3 {
        channel.advance(secs(9));
        channel.set_room(Some(1));
    }
    assert_eq!(log.text(), "");
    channel.advance(secs(10));
    assert_eq!(log.text(), "w!@37000");
}

#[test]
fn while_reading_is_paused_nobody_is_silent() {
    let log = Log::new();
    let mut channel = channel(&log, || Idle::new().reader(secs(10)).all(secs(10)));
    channel.advance(secs(5));
    channel.write_inbound("pause");
    channel.advance(secs(100));
    assert_eq!(log.text(), "");
    channel.advance(ms(3_500));
    channel.channel().set_auto_read(true).unwrap();
    channel.run_pending();
    channel.advance(ms(9_999));
    assert_eq!(log.text(), "");
    channel.advance(ms(1));
    assert_eq!(log.text(), "r!@118500 a!@118500", "ten seconds after it read on, exactly");
}

/// Messages of four bytes.
struct Fours;

impl Decoder for Fours {
    type Item = ByteBuf;

    fn decode(&mut self, src: &mut ByteBuf) -> std::result::Result<Option<ByteBuf>, CodecError> {
        Ok((src.readable() >= 4).then(|| src.split_to(4)))
    }
}

#[test]
fn behind_a_decoder_only_whole_messages_count() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let watch = Watch { log: l.clone(), writes: false };
        let idle = Idle::new().reader(secs(10));
        ch.pipeline().decoder("fours", Fours).inbound("idle", idle).inbound("watch", watch)
    });
    for _ in 0..3 {
        channel.advance(secs(4));
        channel.write_inbound("x");
    }
    assert_eq!(log.text(), "r!@10000", "bytes that drip in are silence");
}

#[test]
fn a_handler_that_is_put_in_later_counts_from_then_on() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline().inbound("watch", Watch { log: l.clone(), writes: false })
    });
    channel.advance(secs(7));
    channel.run(|cx| {
        let idle = Stage::inbound(Idle::new().reader(secs(10)).writer(ms(0)));
        cx.edit(|edit| _ = edit.add_first("idle", idle)).unwrap();
    });
    channel.advance(secs(20));
    assert_eq!(log.text(), "r!@17000 r@27000", "a time of zero is not watched");
}

#[test]
fn nothing_is_told_of_a_channel_that_closes_and_no_timer_is_left() {
    let log = Log::new();
    let mut channel = channel(&log, || Idle::new().all(secs(10)));
    channel.advance(secs(9));
    channel.run(|cx| cx.close());
    let before = timers(&mut channel);
    channel.advance(secs(100));
    assert_eq!(log.text(), "");
    assert!(timers(&mut channel) - before <= 2, "the last one, and the end of lingering");
}
