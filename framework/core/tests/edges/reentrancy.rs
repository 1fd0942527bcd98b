//! Messages to a busy handler, and how deep the stack gets.

use fyke_core::embedded::{EmbeddedChannel, MessageChannel};
use fyke_core::{
    Context, Ctx, DuplexContext, DuplexHandler, Event, EventFilter, InboundHandler, Never, Promise,
    Result,
};

use crate::support::{Letters, Log, both, on_read};

/// Two duplex handlers that bounce a message to and fro do it in bounded stack, in order.
#[test]
fn ping_pong_is_bounded_in_depth() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = MessageChannel::<u32, u32>::new(move |p| {
        let ping = both(
            |cx: &mut Ctx<'_, u32, u32>, n: u32| {
                cx.fire_read(n);
                Ok(())
            },
            |cx: &mut Ctx<'_, u32, u32>, n: u32, promise: Promise| {
                match n {
                    0 => cx.write_with(n, promise),
                    _ => cx.fire_read(n - 1),
                }
                Ok(())
            },
        );
        let done = l.clone();
        let pong = both(
            move |cx: &mut Ctx<'_, u32, u32>, n: u32| {
                if n == 0 {
                    done.add("done");
                }
                cx.write(n);
                Ok(())
            },
            |cx: &mut Ctx<'_, u32, u32>, n: u32, promise: Promise| {
                cx.write_with(n, promise);
                Ok(())
            },
        );
        p.duplex("ping", ping).duplex("pong", pong)
    });
    channel.feed(300_000);
    assert_eq!(log.text(), "done");
    assert_eq!(channel.drain_written(), [0]);
    // And with several balls in the air.
    for n in [5, 1000, 70, 2] {
        channel.feed(n);
    }
    assert_eq!(channel.drain_written(), [0, 0, 0, 0]);
}

struct Ball(u32);

struct Bouncer {
    outwards: bool,
    log: Log,
}

impl DuplexHandler for Bouncer {
    type In = u8;
    type Out = u8;
    type WriteIn = u8;
    type WriteOut = u8;

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8) -> Result<()> {
        cx.fire_read(msg);
        Ok(())
    }

    fn write(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8, promise: Promise) -> Result<()> {
        cx.write_with(msg, promise);
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<Ball>()
    }

    fn event(&mut self, cx: &mut DuplexContext<'_, Self>, event: Event) -> Result<()> {
        let Ok(Ball(n)) = event.take::<Ball>() else { return Ok(()) };
        match (n, self.outwards) {
            (0, _) => self.log.add("done"),
            (n, true) => cx.fire_event_outbound(Ball(n - 1)),
            (n, false) => cx.fire_event(Ball(n - 1)),
        }
        Ok(())
    }
}

#[test]
fn bounced_events_are_bounded_in_depth() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .codec("letters", Letters)
            .duplex("near", Bouncer { outwards: false, log: l.clone() })
            .duplex("far", Bouncer { outwards: true, log: l.clone() })
    });
    channel.fire_event(Ball(200_001));
    assert_eq!(log.text(), "done");
}

/// A handler that writes from inside `read`, and whose writes come back as reads, hears them in
/// the order in which they were caused, each after the one before was finished.
#[test]
fn a_busy_handler_finishes_first() {
    struct Twice(Log);
    impl InboundHandler for Twice {
        type In = u8;
        type Out = Never;
        type Write = u8;

        fn read(&mut self, cx: &mut Context<'_, Self>, msg: u8) -> Result<()> {
            self.0.add(format!("({}", char::from(msg)));
            if msg.is_ascii_uppercase() {
                cx.write(msg.to_ascii_lowercase());
                cx.write(msg.to_ascii_lowercase() + 1);
            }
            self.0.add(")");
            Ok(())
        }
    }
    let log = Log::new();
    let l = log.clone();
    let mut channel = MessageChannel::<u8, u8>::new(move |p| {
        let mirror = both(
            |cx: &mut Ctx<'_, u8, u8>, msg: u8| {
                cx.fire_read(msg);
                Ok(())
            },
            |cx: &mut Ctx<'_, u8, u8>, msg: u8, promise: Promise| {
                cx.write_with(msg, promise);
                cx.fire_read(msg);
                Ok(())
            },
        );
        p.duplex("mirror", mirror).inbound("twice", Twice(l.clone()))
    });
    channel.feed(b'A');
    channel.feed(b'X');
    assert_eq!(log.text(), "(A ) (a ) (b ) (X ) (x ) (y )");
    assert_eq!(channel.drain_written(), b"abxy");
}

/// The messages of one buffer and the answers to them do not mix.
#[test]
fn a_pulled_codec_takes_writes_in_between() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let answer = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            cx.write(msg);
            cx.flush();
            cx.write(msg.to_ascii_uppercase());
            Ok(())
        };
        ch.pipeline().codec("letters", Letters).inbound("answer", on_read(answer))
    });
    channel.write_inbound("abc");
    assert_eq!(channel.read_outbound(), b"aAbBcC");
    assert_eq!(channel.write_calls(), 4);
}
