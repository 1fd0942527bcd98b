//! Timers of handlers and of the loop, and futures on it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{Context, Ctx, InboundHandler, Never, Outgoing, Result, Stage};

use crate::support::{Letters, Log, on_read};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// `a` to `z` start a timer of 1 to 26 ms; `-` cancels the last one, `+` moves it to 100 ms.
struct Timers {
    name: &'static str,
    log: Log,
    last: Option<fyke_clock::TimerKey>,
}

impl Timers {
    fn new(name: &'static str, log: &Log) -> Self {
        Self { name, log: log.clone(), last: None }
    }
}

impl InboundHandler for Timers {
    type In = u8;
    type Out = u8;
    type Write = u8;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: u8) -> Result<()> {
        match (msg, self.last) {
            (b'-', Some(timer)) => self.log.add(format!("cancelled:{}", cx.cancel(timer))),
            (b'+', Some(timer)) => {
                self.log.add(format!("moved:{}", cx.reschedule(timer, ms(100))));
            }
            (b'a'..=b'z', _) => {
                let delay = u64::from(msg - b'a' + 1);
                self.last = Some(cx.schedule(ms(delay), delay));
            }
            _ => cx.fire_read(msg),
        }
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, tag: u64) -> Result<()> {
        let now = cx.env().now().as_nanos() / 1_000_000;
        self.log.add(format!("{}{tag}@{now}", self.name));
        cx.write(b'.');
        Ok(())
    }
}

fn channel(log: &Log) -> EmbeddedChannel {
    let l = log.clone();
    EmbeddedChannel::new(move |ch| {
        ch.pipeline().codec("letters", Letters).inbound("timers", Timers::new("", &l))
    })
}

#[test]
fn timers_expire_at_their_time_and_in_order() {
    let log = Log::new();
    let mut channel = channel(&log);
    channel.write_inbound("cab");
    channel.advance(ms(2));
    assert_eq!(log.text(), "1@1 2@2");
    channel.advance(ms(100));
    assert_eq!(log.text(), "3@3");
    assert_eq!(channel.read_outbound(), b"...", "what a timer writes is sent");
}

#[test]
fn timers_are_cancelled_and_moved() {
    let log = Log::new();
    let mut channel = channel(&log);
    channel.write_inbound("c-");
    channel.advance(ms(10));
    assert_eq!(log.text(), "cancelled:true");
    channel.write_inbound("-+");
    assert_eq!(log.text(), "cancelled:false moved:false");
    channel.write_inbound("c+");
    channel.advance(ms(99));
    assert_eq!(log.text(), "moved:true");
    channel.advance(ms(1));
    assert_eq!(log.text(), "3@110");
    channel.write_inbound("-");
    assert_eq!(log.text(), "cancelled:false");
}

#[test]
fn a_removed_stages_timer_does_not_fire_elsewhere() {
    let log = Log::new();
    let mut channel = channel(&log);
    channel.write_inbound("c");
    let l = log.clone();
    channel.run(move |cx| {
        // The same type, the same name and the same place.
        let stage = Stage::inbound(Timers::new("new", &l));
        cx.edit(|e| _ = e.replace("timers", "timers", stage)).unwrap();
    });
    channel.advance(ms(1));
    channel.write_inbound("b");
    channel.advance(ms(100));
    assert_eq!(log.text(), "new2@3");
}

#[test]
fn a_closed_channels_timer_does_not_fire() {
    let log = Log::new();
    let mut channel = channel(&log);
    channel.write_inbound("c");
    channel.channel().abort();
    channel.advance(ms(10));
    assert_eq!(log.text(), "");
}

#[test]
fn a_fixed_rate_does_not_drift_and_can_be_ended() {
    let log = Log::new();
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().codec::<u8, _>("letters", Letters));
    let clock = channel.clock();
    let l = log.clone();
    let rate = channel.event_loop().schedule_at_fixed_rate(ms(5), ms(10), move |core| {
        l.add((core.env().now().as_nanos() / 1_000_000).to_string());
        true
    });
    channel.advance(ms(26));
    assert_eq!(log.text(), "5 15 25");
    // The loop is late: what was missed is made up, and the ones behind keep their times.
    clock.advance(ms(20));
    channel.run_pending();
    assert_eq!(log.text(), "46 46");
    channel.advance(ms(9));
    assert_eq!(log.text(), "55");
    rate.cancel();
    channel.advance(ms(100));
    assert_eq!(log.text(), "");

    let l = log.clone();
    let mut left = 3;
    let _ = channel.event_loop().schedule_at_fixed_rate(ms(1), ms(1), move |_| {
        l.add("x");
        left -= 1;
        left > 0
    });
    channel.advance(ms(100));
    assert_eq!(log.text(), "x x x", "it ends itself");
}

#[test]
fn a_task_of_the_loop_is_cancelled() {
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().codec::<u8, _>("letters", Letters));
    let log = Log::new();
    let l = log.clone();
    let timer = channel.event_loop().schedule(ms(5), move |_| l.add("late"));
    assert!(channel.event_loop().cancel(timer));
    assert!(!channel.event_loop().cancel(timer));
    channel.advance(ms(10));
    assert_eq!(log.text(), "");
}

#[test]
fn futures_need_not_be_send() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let write = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            let state = Rc::new(RefCell::new(vec![msg]));
            let written = cx.write_with_promise(msg);
            let channel = cx.channel();
            let kept = Rc::clone(&state);
            cx.spawn(async move {
                let result = written.await;
                kept.borrow_mut().push(if result.is_ok() { b'+' } else { b'-' });
                let seen = kept.borrow().clone();
                channel.set_attribute(seen);
            });
            Ok(())
        };
        ch.pipeline().codec("letters", Letters).inbound("write", on_read(write))
    });
    channel.set_room(Some(0));
    channel.write_inbound("a");
    assert_eq!(channel.channel().attribute::<Vec<u8>>(), None);
    channel.set_room(None);
    assert_eq!(channel.channel().attribute::<Vec<u8>>().unwrap(), b"a+");
    channel.set_room(Some(0));
    channel.write_inbound("b");
    channel.channel().abort();
    channel.run_pending();
    assert_eq!(channel.channel().attribute::<Vec<u8>>().unwrap(), b"b-");
}

/// A channel takes its handlers' timers with it: peers that come and go leave nothing behind.
#[test]
fn timers_do_not_outlive_their_channel() {
    struct Long;
    impl InboundHandler for Long {
        type In = ByteBuf;
        type Out = Never;
        type Write = Outgoing;
        fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
            for hours in 1..20 {
                cx.schedule(Duration::from_secs(3600 * hours), hours);
            }
            Ok(())
        }
        fn read(&mut self, cx: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
            cx.abort();
            Ok(())
        }
    }
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().inbound("long", Long));
    channel.advance(Duration::from_secs(3600 * 2));
    assert_eq!(channel.event_loop().stats().timers, 2);
    channel.write_inbound("end");
    assert!(!channel.is_open());
    channel.advance(Duration::from_secs(3600 * 100));
    assert_eq!(channel.event_loop().stats().timers, 2, "nothing was left to expire");
}
