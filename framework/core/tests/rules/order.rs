//! Rules 1, 2 and 3: what comes before what.

use fyke_buffer::ByteBuf;
use fyke_core::embedded::{EmbeddedChannel, MessageChannel};
use fyke_core::{
    ChannelOptions, Context, Ctx, DuplexContext, DuplexHandler, Event, EventFilter, InboundHandler,
    Never, Outgoing, Promise, Result, Sender,
};

use crate::support::{Letters, Log, Watch, both, on_read, on_write};

/// 1. Order is order of issue: what a handle sent and what a handler writes leave as they were
///    issued, from inside one method too.
#[test]
fn rule_01_order_is_order_of_issue() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let answer = |cx: &mut Ctx<'_, Never, u8>, _: u8| {
            let sender: Sender<u8> = cx.sender()?;
            sender.send(b'1').unwrap();
            cx.write(b'2');
            sender.clone().send(b'3').unwrap();
            cx.write(b'4');
            sender.send(b'5').unwrap();
            Ok(())
        };
        ch.pipeline().codec("letters", Letters).inbound("answer", on_read(answer))
    });
    channel.write_inbound("x");
    assert_eq!(channel.read_outbound(), b"12345");
}

/// 1, across senders: all handles of a channel feed one queue, and it is drained before the
/// channel's handlers run.
#[test]
fn rule_01_senders_of_a_channel_share_one_queue() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let echo = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            cx.write(msg);
            Ok(())
        };
        ch.pipeline().codec("letters", Letters).inbound("echo", on_read(echo))
    });
    let first: Sender<u8> = channel.channel().sender().unwrap();
    let second: Sender<u8> = channel.channel().sender().unwrap();
    first.send(b'a').unwrap();
    second.send(b'b').unwrap();
    first.clone().send(b'c').unwrap();
    second.send(b'd').unwrap();
    channel.write_inbound("e");
    first.send(b'f').unwrap();
    channel.write_inbound("g");
    assert_eq!(channel.read_outbound(), b"abcdefg");
}

/// 1, the fast path: encoding straight into the outbound queue looks at the queue of the handles
/// first.
#[test]
fn rule_01_direct_encoding_does_not_overtake_a_handle() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let answer = |cx: &mut Ctx<'_, Never, Outgoing>, _: ByteBuf| {
            let sender: Sender<Outgoing> = cx.sender()?;
            sender.send("1".into()).unwrap();
            let two = |dst: &mut ByteBuf| -> Result<()> {
                dst.write_u8(b'2');
                Ok(())
            };
            cx.encode(two)?;
            sender.send("3".into()).unwrap();
            cx.write("4".into());
            cx.encode(|dst| {
                dst.write_u8(b'5');
                Ok(())
            })
        };
        ch.pipeline().inbound("answer", on_read(answer))
    });
    channel.write_inbound("x");
    assert_eq!(channel.read_outbound(), b"12345");
}

/// 1, for a stage that stands in the handle's way: what a handle sent first passes it first.
#[test]
fn rule_01_a_duplex_stage_does_not_overtake_a_handle_either() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let answer = both(
            |cx: &mut Ctx<'_, u8, u8>, _: u8| {
                let sender: Sender<u8> = cx.sender()?;
                sender.send(b'1').unwrap();
                cx.write(b'2');
                sender.send(b'3').unwrap();
                cx.write(b'4');
                sender.send(b'5').unwrap();
                Ok(())
            },
            |cx: &mut Ctx<'_, u8, u8>, msg: u8, promise: Promise| {
                cx.write(b'<');
                cx.write_with(msg, promise);
                cx.write(b'>');
                Ok(())
            },
        );
        ch.pipeline().codec("letters", Letters).duplex("answer", answer)
    });
    channel.write_inbound("x");
    assert_eq!(channel.read_outbound(), b"<1>2<3>4<5>");
}

/// 1, through stages that pass on: they do not pull newer messages in front of older ones.
#[test]
fn rule_01_holds_through_outbound_stages() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let pass = || {
            on_write(|cx: &mut Ctx<'_, Never, u8>, msg: u8, promise: Promise| {
                cx.write_with(msg, promise);
                Ok(())
            })
        };
        let answer = |cx: &mut Ctx<'_, Never, u8>, _: u8| {
            let sender: Sender<u8> = cx.sender()?;
            for pair in 0..4 {
                sender.send(b'a' + 2 * pair).unwrap();
                cx.write(b'b' + 2 * pair);
            }
            Ok(())
        };
        ch.pipeline()
            .codec("letters", Letters)
            .outbound("near", pass())
            .outbound("far", pass())
            .inbound("answer", on_read(answer))
    });
    channel.write_inbound("x");
    assert_eq!(channel.read_outbound(), b"abcdefgh");
}

/// 1, on the way: what a handle sends while a message passes an outbound handler comes behind
/// that message.
#[test]
fn rule_01_a_message_on_its_way_stays_in_front() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let pass = |cx: &mut Ctx<'_, Never, u8>, msg: u8, promise: Promise| {
            if msg == b'1' {
                cx.channel().sender::<u8>()?.send(b'2').unwrap();
            }
            cx.write_with(msg, promise);
            Ok(())
        };
        let echo = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            cx.write(msg);
            Ok(())
        };
        ch.pipeline()
            .codec("letters", Letters)
            .outbound("pass", on_write(pass))
            .inbound("echo", on_read(echo))
    });
    channel.write_inbound("13");
    assert_eq!(channel.read_outbound(), b"123");
}

/// 2. The mailbox never overtakes: A, B, C stay A, B, C when each write of one triggers the next
///    from inside (Netty's nested re-entrancy).
#[test]
fn rule_02_nested_writes_keep_their_order() {
    let mut channel = MessageChannel::<u8, u8>::new(|p| {
        // A bounces off the duplex stage, which is busy with it when B comes, and so on.
        let bounce = both(
            |cx: &mut Ctx<'_, u8, u8>, msg: u8| {
                cx.fire_read(msg);
                Ok(())
            },
            |cx: &mut Ctx<'_, u8, u8>, msg: u8, promise: Promise| {
                cx.fire_read(msg);
                cx.write_with(msg, promise);
                Ok(())
            },
        );
        let next = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            if msg < b'E' {
                cx.write(msg + 1);
            }
            Ok(())
        };
        p.duplex("bounce", bounce).inbound("next", on_read(next))
    });
    channel.feed(b'@');
    assert_eq!(channel.drain_written(), b"ABCDE");
}

/// 2, with two answers to each message, which pile up in the inbox.
#[test]
fn rule_02_nested_answers_are_answered_in_turn() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = MessageChannel::<u32, u32>::new(move |p| {
        let seen = l.clone();
        let bounce = both(
            |cx: &mut Ctx<'_, u32, u32>, msg: u32| {
                cx.fire_read(msg);
                Ok(())
            },
            move |cx: &mut Ctx<'_, u32, u32>, msg: u32, promise: Promise| {
                seen.add(msg.to_string());
                cx.fire_read(msg);
                cx.write_with(msg, promise);
                Ok(())
            },
        );
        let next = |cx: &mut Ctx<'_, Never, u32>, msg: u32| {
            if msg < 8 {
                cx.write(msg * 2);
                cx.write(msg * 2 + 1);
            }
            Ok(())
        };
        p.duplex("bounce", bounce).inbound("next", on_read(next))
    });
    channel.feed(1);
    // A breadth-first walk: each wave is in order, and none overtakes the one before.
    assert_eq!(channel.drain_written(), (2..16).collect::<Vec<u32>>());
    assert_eq!(log.text(), "2 3 4 5 6 7 8 9 10 11 12 13 14 15");
}

struct Busy(Log);

impl DuplexHandler for Busy {
    type In = u8;
    type Out = u8;
    type WriteIn = u8;
    type WriteOut = u8;

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8) -> Result<()> {
        cx.fire_read(msg);
        cx.write(b'.');
        Ok(())
    }

    fn write(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8, promise: Promise) -> Result<()> {
        self.0.add(format!("write {}", char::from(msg)));
        cx.write_with(msg, promise);
        Ok(())
    }

    fn flush(&mut self, cx: &mut DuplexContext<'_, Self>) -> Result<()> {
        self.0.add("flush");
        cx.flush();
        Ok(())
    }

    fn close(&mut self, cx: &mut DuplexContext<'_, Self>) -> Result<()> {
        self.0.add("close");
        cx.close();
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<&'static str>()
    }

    fn event(&mut self, _: &mut DuplexContext<'_, Self>, event: Event) -> Result<()> {
        self.0.add(format!("event {}", event.take::<&'static str>().unwrap()));
        Ok(())
    }
}

/// 2, for everything: writes, signals and events of a busy stage share one inbox.
#[test]
fn rule_02_one_inbox_for_everything() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = MessageChannel::<u8, u8>::new(move |p| {
        let answer = |cx: &mut Ctx<'_, Never, u8>, _: u8| {
            cx.write(b'a');
            cx.fire_event_outbound("e1");
            cx.write(b'b');
            cx.flush();
            cx.fire_event_outbound("e2");
            cx.write(b'c');
            cx.close();
            Ok(())
        };
        p.duplex("busy", Busy(l.clone())).inbound("answer", on_read(answer))
    });
    channel.feed(b'x');
    let expected = ["write a", "event e1", "write b", "flush", "event e2", "write c", "close"];
    assert_eq!(log.take(), expected);
    assert_eq!(channel.drain_written(), b".abc");
}

/// 3. `writability_changed` comes after the running operation has unwound, once for many writes.
#[test]
fn rule_03_edges_come_after_the_operation_and_once() {
    let log = Log::new();
    let l = log.clone();
    let options = ChannelOptions::new().water_marks(2, 4);
    let mut channel = EmbeddedChannel::with_options(options, move |ch| {
        let seen = l.clone();
        let flood = move |cx: &mut Ctx<'_, Never, Outgoing>, _: ByteBuf| {
            for _ in 0..5 {
                cx.write("xy".into());
            }
            seen.add("read done");
            Ok(())
        };
        ch.pipeline()
            .inbound("watch", Watch::<ByteBuf, Outgoing>::new("", &l))
            .inbound("flood", on_read(flood))
    });
    log.take();
    channel.set_room(Some(0));
    channel.write_inbound("go");
    assert_eq!(log.text(), "read done read_complete writability_changed");
    assert!(!channel.is_writable());
    channel.set_room(Some(7));
    assert_eq!(log.text(), "", "three bytes wait, that is above the low mark");
    channel.set_room(None);
    assert_eq!(log.text(), "writability_changed");
    assert!(channel.is_writable());
}

/// 3, coalesced: above the mark and below it again within one operation is one edge, not two. It is
/// not none: a handler that found the channel unwritable in between waits to be told.
#[test]
fn rule_03_there_and_back_is_one_edge() {
    let log = Log::new();
    let l = log.clone();
    let options = ChannelOptions::new().water_marks(2, 4);
    let mut channel = EmbeddedChannel::with_options(options, move |ch| {
        let flood = |cx: &mut Ctx<'_, Never, Outgoing>, _: ByteBuf| {
            cx.write("0123456789".into());
            cx.flush();
            Ok(())
        };
        ch.pipeline()
            .inbound("watch", Watch::<ByteBuf, Outgoing>::new("", &l))
            .inbound("flood", on_read(flood))
    });
    log.take();
    channel.write_inbound("go");
    assert_eq!(channel.read_outbound(), b"0123456789");
    assert_eq!(log.text(), "read_complete writability_changed");
    assert!(channel.is_writable());
}

/// 3 and 4: a handler that writes as long as it may ends, is told when it may go on, and fills no
/// memory beyond the marks.
#[test]
fn rule_03_writing_while_writable_ends() {
    struct Fill {
        left: u32,
    }
    impl Fill {
        fn fill(&mut self, cx: &mut Context<'_, Self>) {
            while self.left > 0 && cx.is_writable() {
                self.left -= 1;
                cx.write(Outgoing::from("x"));
            }
        }
    }
    impl InboundHandler for Fill {
        type In = ByteBuf;
        type Out = Never;
        type Write = Outgoing;
        fn read(&mut self, cx: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
            self.fill(cx);
            Ok(())
        }
        fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
            self.fill(cx);
            Ok(())
        }
    }
    let options = ChannelOptions::new().water_marks(100, 200);
    let mut channel = EmbeddedChannel::with_options(options, |ch| {
        ch.pipeline().inbound("fill", Fill { left: 10_000 })
    });
    channel.set_room(Some(0));
    channel.write_inbound("go");
    assert!(channel.pending_bytes() < 200 + 40, "{} bytes wait", channel.pending_bytes());
    channel.set_room(None);
    assert_eq!(channel.read_outbound().len(), 10_000);
}

/// 1 and 2: a handle's event that was asked for before a write reaches the writing handler behind
/// what it has fired already, so its answer does not overtake.
#[test]
fn rule_02_an_event_of_a_handle_waits_for_what_was_fired() {
    struct Answer;
    struct Go;
    impl InboundHandler for Answer {
        type In = ByteBuf;
        type Out = Never;
        type Write = Outgoing;
        fn read(&mut self, cx: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
            cx.channel().fire_event(Go)?;
            for letter in ["a", "b", "c"] {
                cx.write(Outgoing::from(letter));
            }
            Ok(())
        }
        fn events(&self) -> EventFilter {
            EventFilter::of::<Go>()
        }
        fn event(&mut self, cx: &mut Context<'_, Self>, _: Event) -> Result<()> {
            cx.write(Outgoing::from("x"));
            cx.close();
            Ok(())
        }
    }
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().inbound("answer", Answer));
    channel.write_inbound("go");
    assert_eq!(channel.read_outbound(), b"abcx");
}
