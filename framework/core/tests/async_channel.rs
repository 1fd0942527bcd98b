//! `AsyncChannel`: the last stage as a future, on virtual time.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use futures_sink::Sink;
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_core::async_channel::AsyncChannel;
use fyke_core::embedded::{EmbeddedChannel, MessageChannel};
use fyke_core::handlers::read_fn;
use fyke_core::{
    ChannelOptions, CloseReason, Ctx, Error, ErrorKind, Never, Outgoing, Result, Stage,
};

type Bytes = AsyncChannel<ByteBuf, Outgoing>;
type Numbers = AsyncChannel<u32, u32>;

/// Each byte is a message; 0xff is a mistake.
struct EachByte;

impl Decoder for EachByte {
    type Item = u8;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<u8>, CodecError> {
        match src.read_u8() {
            Ok(0xff) => Err(CodecError::Malformed { what: "0xff" }),
            Ok(byte) => Ok(Some(byte)),
            Err(_) => Ok(None),
        }
    }
}

/// Something that futures wait for and tests open, from any thread.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Gate {
    fn open(&self) {
        let mut gate = self.0.lock().unwrap();
        gate.0 = true;
        let wakers = std::mem::take(&mut gate.1);
        drop(gate);
        wakers.into_iter().for_each(Waker::wake);
    }

    async fn wait(&self) {
        poll_fn(|cx| {
            let mut gate = self.0.lock().unwrap();
            if gate.0 {
                return Poll::Ready(());
            }
            gate.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Polls both; the loser is dropped, as `select!` does.
async fn first_of<A: Future, B: Future>(a: A, b: B) -> Result<A::Output, B::Output> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(move |cx| match a.as_mut().poll(cx) {
        Poll::Ready(a) => Poll::Ready(Ok(a)),
        Poll::Pending => b.as_mut().poll(cx).map(Err),
    })
    .await
}

fn doubling() -> MessageChannel<u32, u32> {
    MessageChannel::new(|p| {
        p.inbound(
            "double",
            AsyncChannel::serve(|channel: Numbers| async move {
                while let Some(n) = channel.next().await {
                    channel.send(n * 2).await?;
                }
                Ok(())
            }),
        )
    })
}

#[test]
fn answers_in_order() {
    let mut channel = doubling();
    for n in 0..100 {
        channel.feed(n);
        assert_eq!(channel.written(), Some(n * 2));
    }
    assert!(channel.is_open());
}

#[test]
fn a_turns_answers_are_one_write() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let serve = |channel: AsyncChannel<u8, Outgoing>| async move {
            while let Some(byte) = channel.next().await {
                channel.send(vec![byte].into()).await?;
            }
            channel.send("!".into()).await
        };
        ch.pipeline().decoder("bytes", EachByte).inbound("app", AsyncChannel::serve(serve))
    });
    channel.write_inbound(b"abcdefgh");
    assert_eq!(channel.read_outbound(), b"abcdefgh");
    assert_eq!(channel.write_calls(), 1);
    channel.finish_inbound();
    assert_eq!(channel.read_outbound(), b"!");
}

#[test]
fn reading_is_paused_when_the_future_falls_behind_and_nothing_is_lost() {
    let gate = Gate::default();
    let init = gate.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let gate = init.clone();
        let serve = |channel: AsyncChannel<u8, Outgoing>| async move {
            gate.wait().await;
            while let Some(byte) = channel.next().await {
                channel.send(vec![byte].into()).await?;
            }
            Ok(())
        };
        let stage = AsyncChannel::serve(serve).inbound_messages(2, 10);
        ch.pipeline().decoder("bytes", EachByte).inbound("app", stage)
    });
    let input: Vec<u8> = (0..4000).map(|i| (i % 251) as u8).collect();
    for part in input.chunks(100) {
        channel.write_inbound(part);
    }
    assert!(!channel.is_reading());
    assert!(channel.read_outbound().is_empty());
    gate.open();
    channel.run_pending();
    assert_eq!(channel.read_outbound(), input);
    assert!(channel.is_reading());
}

#[test]
fn without_auto_read_one_message_is_read_for_each_next() {
    let gate = Gate::default();
    let init = gate.clone();
    let options = ChannelOptions::new().auto_read(false);
    let mut channel = EmbeddedChannel::with_options(options, move |ch| {
        let gate = init.clone();
        let serve = |channel: AsyncChannel<u8, Outgoing>| async move {
            for _ in 0..2 {
                let byte = channel.next().await.unwrap_or(0);
                channel.send(vec![byte].into()).await?;
            }
            gate.wait().await;
            while let Some(byte) = channel.next().await {
                channel.send(vec![byte].into()).await?;
            }
            Ok(())
        };
        ch.pipeline().decoder("bytes", EachByte).inbound("app", AsyncChannel::serve(serve))
    });
    channel.write_inbound(b"abcde");
    assert_eq!(channel.read_outbound(), b"ab");
    assert!(!channel.is_reading());
    gate.open();
    channel.run_pending();
    assert_eq!(channel.read_outbound(), b"cde");
    assert!(channel.is_reading());
}

#[test]
fn sending_waits_for_the_peer() {
    const MESSAGES: usize = 2000;
    let sent = Arc::new(Mutex::new(0_usize));
    let count = Arc::clone(&sent);
    let mut channel = EmbeddedChannel::new(move |ch| {
        let count = Arc::clone(&count);
        ch.pipeline().inbound(
            "source",
            AsyncChannel::serve(|channel: Bytes| async move {
                for n in 0..MESSAGES {
                    channel.send(vec![n as u8; 1024].into()).await?;
                    *count.lock().unwrap() += 1;
                }
                channel.close().await
            }),
        )
    });
    // The wire has taken all so far. Now it takes nothing.
    assert_eq!(*sent.lock().unwrap(), MESSAGES);
    assert_eq!(channel.read_outbound().readable(), MESSAGES * 1024);
    assert!(!channel.is_open());

    let (sent, gate) = (Arc::new(Mutex::new(0_usize)), Gate::default());
    let init = (Arc::clone(&sent), gate.clone());
    let mut channel = EmbeddedChannel::new(move |ch| {
        let (count, gate) = init.clone();
        ch.pipeline().inbound(
            "source",
            AsyncChannel::serve(|channel: Bytes| async move {
                gate.wait().await;
                for n in 0..MESSAGES {
                    channel.send(vec![n as u8; 1024].into()).await?;
                    *count.lock().unwrap() += 1;
                }
                channel.close().await
            }),
        )
    });
    channel.set_room(Some(0));
    gate.open();
    channel.run_pending();
    // The high water mark is 64 KiB; it may be passed by what one turn sends.
    const PENDING_MAX: u64 = (64 + 2 * 32) * 1024;
    assert!(channel.pending_bytes() <= PENDING_MAX, "{}", channel.pending_bytes());
    assert!(*sent.lock().unwrap() < 130);
    let mut received = Vec::new();
    while channel.close_reason().is_none() && received.len() < MESSAGES * 1024 {
        channel.set_room(Some(10_000));
        received.extend_from_slice(&channel.read_outbound());
        assert!(channel.pending_bytes() <= PENDING_MAX);
    }
    assert_eq!(received.len(), MESSAGES * 1024);
    assert!(received.chunks(1024).enumerate().all(|(n, m)| m.iter().all(|b| *b == n as u8)));
}

#[test]
fn a_permit_loses_nothing_in_a_select() {
    let mut channel = MessageChannel::<u32, u32>::new(|p| {
        let serve = |channel: Numbers| async move {
            let mut answer = None;
            loop {
                match answer {
                    // The reservation is dropped whenever a message wins.
                    Some(n) => match first_of(channel.next(), channel.reserve()).await {
                        Ok(Some(more)) => answer = Some(n + more),
                        Ok(None) => return Ok(()),
                        Err(permit) => {
                            permit?.send(n)?;
                            answer = None;
                        }
                    },
                    None => match channel.next().await {
                        Some(n) => answer = Some(n),
                        None => return Ok(()),
                    },
                }
            }
        };
        p.inbound("sum", AsyncChannel::serve(serve).outbound_messages_max(1))
    });
    let mut expected = 0;
    for n in 0..50 {
        channel.feed(n);
        expected += n;
    }
    assert_eq!(channel.drain_written().into_iter().sum::<u32>(), expected);
}

#[test]
fn a_permit_keeps_its_place_and_gives_it_back() {
    let log = Log::default();
    let init = log.clone();
    let mut channel = MessageChannel::<u32, u32>::new(move |p| {
        let log = init.clone();
        let serve = |channel: Numbers| async move {
            let permit = channel.reserve().await?;
            let full = channel.try_send(1).is_err();
            drop(permit);
            let free = channel.try_send(2).is_ok();
            log.add(format!("{full} {free}"));
            channel.next().await;
            Ok(())
        };
        p.inbound("app", AsyncChannel::serve(serve).outbound_messages_max(1))
    });
    assert_eq!(log.take(), ["true true"]);
    assert_eq!(channel.drain_written(), [2]);
}

fn closing(log: &Log) -> EmbeddedChannel {
    let init = log.clone();
    EmbeddedChannel::new(move |ch| {
        let log = init.clone();
        ch.pipeline().inbound(
            "app",
            AsyncChannel::serve(|channel: Bytes| async move {
                channel.next().await;
                channel.send("good".into()).await?;
                channel.send("bye".into()).await?;
                log.add("closing");
                let result = channel.close().await;
                log.add(format!("closed {}", result.is_ok()));
                log.add(format!("next {:?}", channel.next().await.is_some()));
                log.add(format!("send {:?}", channel.send("late".into()).await.is_ok()));
                Ok(())
            }),
        )
    })
}

#[test]
fn close_means_flushed() {
    let log = Log::default();
    let mut channel = closing(&log);
    channel.hold_writes(true);
    channel.write_inbound(b"?");
    assert_eq!(log.take(), ["closing"]);
    channel.complete_write(Some(3));
    assert!(log.take().is_empty(), "not everything has been taken");
    channel.complete_write(None);
    assert_eq!(log.take(), ["closed true", "next false", "send false"]);
    assert_eq!(channel.read_outbound(), b"goodbye");
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
}

#[test]
fn close_fails_when_the_connection_breaks_before() {
    let log = Log::default();
    let mut channel = closing(&log);
    channel.set_room(Some(0));
    channel.write_inbound(b"?");
    assert_eq!(log.take(), ["closing"]);
    channel.break_connection(io::ErrorKind::ConnectionReset.into());
    assert_eq!(log.take(), ["closed false", "next false", "send false"]);
    assert!(channel.close_reason().is_some());
}

#[test]
fn flush_waits_for_the_transport_and_works_again() {
    let log = Log::default();
    let init = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let log = init.clone();
        ch.pipeline().inbound(
            "app",
            AsyncChannel::serve(|channel: Bytes| async move {
                while let Some(msg) = channel.next().await {
                    channel.send(msg.into()).await?;
                    channel.flush().await?;
                    log.add("flushed");
                }
                // Nothing has been sent since.
                channel.flush().await
            }),
        )
    });
    channel.hold_writes(true);
    for _ in 0..3 {
        channel.write_inbound(b"abc");
        assert!(log.take().is_empty());
        channel.complete_write(None);
        assert_eq!(log.take(), ["flushed"]);
    }
    assert_eq!(channel.read_outbound(), b"abcabcabc");
}

/// Sends, and closes when the gate opens: long after the message has left.
fn closing_later(gate: &Gate, log: &Log) -> EmbeddedChannel {
    let init = (gate.clone(), log.clone());
    EmbeddedChannel::new(move |ch| {
        let (gate, log) = init.clone();
        ch.pipeline().inbound(
            "app",
            AsyncChannel::serve(|channel: Bytes| async move {
                channel.next().await;
                channel.send("message".into()).await?;
                gate.wait().await;
                log.add(format!("{}", channel.close().await.is_ok()));
                Ok(())
            }),
        )
    })
}

#[test]
fn a_late_close_means_flushed_too() {
    // All has been sent already.
    let (gate, log) = (Gate::default(), Log::default());
    let mut channel = closing_later(&gate, &log);
    channel.write_inbound(b"?");
    gate.open();
    channel.run_pending();
    assert_eq!(log.take(), ["true"]);
    // The peer takes it late.
    let (gate, log) = (Gate::default(), Log::default());
    let mut channel = closing_later(&gate, &log);
    channel.set_room(Some(3));
    channel.write_inbound(b"?");
    gate.open();
    channel.run_pending();
    channel.advance(Duration::from_secs(1));
    assert!(log.take().is_empty());
    channel.set_room(None);
    channel.advance(Duration::from_millis(5));
    assert_eq!(log.take(), ["true"]);
    assert_eq!(channel.read_outbound(), b"message");
    assert!(channel.output_ended());
    // The peer takes it never.
    let (gate, log) = (Gate::default(), Log::default());
    let mut channel = closing_later(&gate, &log);
    channel.set_room(Some(3));
    channel.write_inbound(b"?");
    gate.open();
    channel.run_pending();
    channel.advance(Duration::from_secs(61));
    assert_eq!(log.take(), ["false"]);
    assert!(channel.close_reason().is_some());
    // The connection breaks, while somebody waits and before.
    for wait_first in [true, false] {
        let (gate, log) = (Gate::default(), Log::default());
        let mut channel = closing_later(&gate, &log);
        channel.set_room(Some(3));
        channel.write_inbound(b"?");
        if wait_first {
            gate.open();
            channel.run_pending();
        }
        channel.break_connection(io::ErrorKind::ConnectionReset.into());
        gate.open();
        channel.run_pending();
        assert_eq!(log.take(), ["false"]);
    }
}

#[test]
fn the_end_of_the_future_closes_the_channel() {
    let mut channel = EmbeddedChannel::new(|ch| {
        ch.pipeline().inbound(
            "hello",
            AsyncChannel::serve(|channel: Bytes| async move { channel.send("hello".into()).await }),
        )
    });
    assert_eq!(channel.read_outbound(), b"hello");
    assert!(!channel.is_open());
    assert!(channel.output_ended());
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
    assert!(channel.take_error().is_none());
}

#[test]
fn its_error_goes_to_the_tail_behind_what_was_sent() {
    let mut channel = EmbeddedChannel::new(|ch| {
        ch.pipeline().inbound(
            "app",
            AsyncChannel::serve(|channel: Bytes| async move {
                channel.send("sorry".into()).await?;
                Err(Error::handler("no bread"))
            }),
        )
    });
    assert_eq!(channel.read_outbound(), b"sorry");
    assert_eq!(channel.take_error().unwrap().to_string(), "no bread");
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Handler));
}

#[test]
fn after_the_peers_end_what_came_is_still_answered() {
    let gate = Gate::default();
    let init = gate.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let gate = init.clone();
        let serve = |channel: AsyncChannel<u8, Outgoing>| async move {
            gate.wait().await;
            while let Some(byte) = channel.next().await {
                channel.send(vec![byte].into()).await?;
            }
            channel.send("!".into()).await
        };
        let stage = AsyncChannel::serve(serve).inbound_messages(1, 4);
        ch.pipeline().decoder("bytes", EachByte).inbound("app", stage)
    });
    channel.write_inbound(b"0123456789");
    channel.finish_inbound();
    assert!(channel.is_open(), "half open until the future ends");
    gate.open();
    channel.run_pending();
    assert_eq!(channel.read_outbound(), b"0123456789!");
    assert!(channel.close_reason().is_some());
}

#[test]
fn an_error_of_the_pipeline_ends_the_input() {
    let taken = Log::default();
    let init = taken.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let log = init.clone();
        let serve = |channel: AsyncChannel<u8, Outgoing>| async move {
            loop {
                match channel.try_next().await {
                    Ok(Some(byte)) => log.add(format!("{byte}")),
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        assert!(matches!(error.kind(), ErrorKind::Codec(_)));
                        log.add("error");
                        channel.send("400".into()).await?;
                    }
                }
            }
        };
        ch.pipeline().decoder("bytes", EachByte).inbound("app", AsyncChannel::serve(serve))
    });
    channel.write_inbound(b"\x01\x02\xff\x03");
    assert_eq!(taken.take(), ["1", "2", "error"]);
    assert_eq!(channel.read_outbound(), b"400");
    assert!(channel.take_error().is_none(), "it was handled");
    assert!(!channel.is_open());
}

#[test]
fn an_error_that_nobody_takes_is_unhandled() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let serve = |channel: AsyncChannel<u8, Outgoing>| async move {
            while channel.next().await.is_some() {}
            Ok(())
        };
        ch.pipeline().decoder("bytes", EachByte).inbound("app", AsyncChannel::serve(serve))
    });
    channel.write_inbound(b"\x01\xff");
    assert!(matches!(channel.take_error().unwrap().kind(), ErrorKind::Codec(_)));
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Protocol));
}

#[test]
fn the_future_goes_on_when_the_channel_has_ended() {
    let (gate, log) = (Gate::default(), Log::default());
    let init = (gate.clone(), log.clone());
    let mut channel = EmbeddedChannel::new(move |ch| {
        let (gate, log) = init.clone();
        ch.pipeline().inbound(
            "app",
            AsyncChannel::serve(|channel: Bytes| async move {
                log.add(format!("{:?}", channel.next().await.is_some()));
                gate.wait().await;
                log.add(format!("{:?}", channel.send("late".into()).await.is_ok()));
                log.add(format!("{:?}", channel.flush().await.is_ok()));
                Ok(())
            }),
        )
    });
    channel.break_connection(io::ErrorKind::ConnectionReset.into());
    assert_eq!(log.take(), ["false"]);
    assert_eq!(channel.close_reason(), Some(CloseReason::PeerReset));
    gate.open();
    channel.run_pending();
    assert_eq!(log.take(), ["false", "true"], "nothing was sent, so nothing was lost");
}

#[test]
fn a_panic_after_the_end_hurts_nobody() {
    let gate = Gate::default();
    let init = gate.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let gate = init.clone();
        ch.pipeline().inbound(
            "app",
            AsyncChannel::serve(|channel: Bytes| async move {
                while channel.next().await.is_some() {}
                gate.wait().await;
                panic!("too late");
            }),
        )
    });
    channel.channel().abort();
    channel.run_pending();
    gate.open();
    channel.run_pending();
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
}

#[test]
fn a_panic_closes_the_channel_and_frees_who_waits() {
    let mut channel = EmbeddedChannel::new(|ch| {
        ch.pipeline().inbound(
            "app",
            AsyncChannel::serve(|channel: Bytes| async move {
                let clone = channel.clone();
                channel.next().await;
                assert!(clone.next().await.is_none(), "on purpose");
                Ok(())
            }),
        )
    });
    channel.write_inbound(b"1");
    channel.write_inbound(b"2");
    assert_eq!(channel.close_reason(), Some(CloseReason::Panic));
}

#[test]
fn another_thread_wakes_it() {
    let gate = Gate::default();
    let init = gate.clone();
    let mut channel = MessageChannel::<u32, u32>::new(move |p| {
        let gate = init.clone();
        p.inbound(
            "app",
            AsyncChannel::serve(|channel: Numbers| async move {
                gate.wait().await;
                channel.send(7).await?;
                channel.next().await;
                Ok(())
            }),
        )
    });
    assert_eq!(channel.written(), None);
    std::thread::spawn(move || gate.open()).join().unwrap();
    channel.run_pending();
    assert_eq!(channel.written(), Some(7));
}

#[test]
fn a_future_that_wakes_itself_does_not_hold_the_loop() {
    let mut channel = MessageChannel::<u32, u32>::new(|p| {
        p.inbound(
            "app",
            AsyncChannel::serve(|channel: Numbers| async move {
                for n in 0..100 {
                    let mut yielded = false;
                    poll_fn(|cx| {
                        cx.waker().wake_by_ref();
                        match std::mem::replace(&mut yielded, true) {
                            true => Poll::Ready(()),
                            false => Poll::Pending,
                        }
                    })
                    .await;
                    channel.send(n).await?;
                }
                channel.next().await;
                Ok(())
            }),
        )
    });
    assert_eq!(channel.drain_written(), (0..100).collect::<Vec<_>>());
}

#[test]
fn the_loops_shutdown_lets_it_finish() {
    let mut channel = EmbeddedChannel::new(|ch| {
        ch.pipeline().inbound(
            "app",
            AsyncChannel::serve(|channel: Bytes| async move {
                while channel.next().await.is_some() {}
                assert!(channel.is_shutting_down());
                channel.send("bye".into()).await
            }),
        )
    });
    let report = Arc::new(Mutex::new(None));
    let told = Arc::clone(&report);
    channel.event_loop().shutdown(Duration::from_secs(5), move |r| {
        *told.lock().unwrap() = Some(r);
    });
    channel.finish_inbound();
    channel.run_pending();
    assert_eq!(channel.read_outbound(), b"bye");
    assert_eq!(channel.close_reason(), Some(CloseReason::Shutdown));
    assert_eq!(report.lock().unwrap().as_ref().map(|r| r.cut), Some(0));
}

#[test]
fn clones_in_other_tasks_send_and_receive() {
    // A task of the loop answers, the channel's own future only keeps the channel open.
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline().inbound(
            "app",
            AsyncChannel::serve(|channel: Bytes| async move {
                let clone = channel.clone();
                SPAWN.with_borrow_mut(|spawn| {
                    spawn.push_back(Box::pin(async move {
                        while let Some(msg) = clone.next().await {
                            let _ = clone.send(msg.into()).await;
                            clone.flush().await.unwrap();
                        }
                        let _ = clone.send("late".into()).await;
                    }));
                });
                std::future::pending().await
            }),
        )
    });
    let task = SPAWN.with_borrow_mut(VecDeque::pop_front).unwrap();
    channel.event_loop().spawn(task);
    channel.run_pending();
    for part in [b"ab", b"cd", b"ef"] {
        channel.write_inbound(part);
        assert_eq!(channel.read_outbound(), part);
    }
    channel.finish_inbound();
    assert_eq!(channel.read_outbound(), b"late", "the future has not ended");
    assert!(channel.is_open());
}

thread_local! {
    static SPAWN: std::cell::RefCell<VecDeque<Pin<Box<dyn Future<Output = ()>>>>> =
        const { std::cell::RefCell::new(VecDeque::new()) };
}

#[test]
fn added_to_a_running_pipeline_it_starts_by_itself() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let upgrade = |cx: &mut Ctx<'_, Never, Outgoing>, _: ByteBuf| {
            let serve = |channel: Bytes| async move {
                channel.send("welcome ".into()).await?;
                while let Some(msg) = channel.next().await {
                    channel.send(msg.into()).await?;
                }
                Ok(())
            };
            cx.write("101 ".into());
            cx.edit(|edit| {
                edit.replace("http", "app", Stage::inbound(AsyncChannel::serve(serve)));
            })?;
            Ok(())
        };
        ch.pipeline().inbound("http", read_fn(upgrade))
    });
    channel.write_inbound(b"upgrade");
    assert_eq!(channel.read_outbound(), b"101 welcome ");
    channel.write_inbound(b"hello");
    assert_eq!(channel.read_outbound(), b"hello");
}

#[test]
fn added_above_the_water_mark_it_waits_and_then_sends() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let upgrade = |cx: &mut Ctx<'_, Never, Outgoing>, _: ByteBuf| {
            let serve = |channel: Bytes| async move {
                channel.send("behind".into()).await?;
                channel.next().await;
                Ok(())
            };
            cx.write(vec![0; 100_000].into());
            cx.edit(|edit| {
                edit.replace("http", "app", Stage::inbound(AsyncChannel::serve(serve)));
            })?;
            Ok(())
        };
        ch.pipeline().inbound("http", read_fn(upgrade))
    });
    channel.set_room(Some(0));
    channel.write_inbound(b"upgrade");
    assert_eq!(channel.pending_bytes(), 100_000);
    channel.set_room(None);
    channel.advance(Duration::from_millis(20));
    assert_eq!(channel.read_outbound().readable(), 100_006);
}

#[test]
fn removed_it_is_dropped_and_its_clones_are_closed() {
    struct Bomb(Log);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.add("dropped");
        }
    }
    let log = Log::default();
    let init = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let bomb = Bomb(init.clone());
        ch.pipeline().inbound(
            "app",
            AsyncChannel::serve(|channel: Bytes| async move {
                let _bomb = bomb;
                while channel.next().await.is_some() {}
                Ok(())
            }),
        )
    });
    channel.run(|cx| {
        cx.edit(|edit| {
            edit.remove("app");
        })
        .unwrap();
    });
    assert_eq!(log.take(), ["dropped"]);
    assert!(channel.is_open());
}

#[test]
fn half_closure_and_going_on() {
    let mut channel = EmbeddedChannel::new(|ch| {
        ch.pipeline().inbound(
            "app",
            AsyncChannel::serve(|channel: Bytes| async move {
                channel.send("question".into()).await?;
                channel.shutdown().await?;
                assert!(channel.send("more".into()).await.is_err());
                let answer = channel.next().await;
                assert_eq!(answer.unwrap(), b"answer");
                Ok(())
            }),
        )
    });
    assert_eq!(channel.read_outbound(), b"question");
    assert!(channel.output_ended());
    assert!(channel.is_open());
    channel.write_inbound(b"answer");
    assert!(!channel.is_open());
    assert!(channel.take_error().is_none());
}

#[test]
fn it_is_a_stream_and_a_sink() {
    let mut channel = MessageChannel::<u32, u32>::new(|p| {
        p.inbound(
            "app",
            AsyncChannel::serve(|mut channel: Numbers| async move {
                async fn forward<T>(from: &mut (impl Stream<Item = T> + Unpin)) -> Option<T> {
                    poll_fn(|cx| Pin::new(&mut *from).poll_next(cx)).await
                }
                while let Some(n) = forward(&mut channel).await {
                    let mut sink = Pin::new(&mut channel);
                    poll_fn(|cx| sink.as_mut().poll_ready(cx)).await?;
                    sink.as_mut().start_send(n + 1)?;
                    poll_fn(|cx| sink.as_mut().poll_flush(cx)).await?;
                    if n == 2 {
                        poll_fn(|cx| sink.as_mut().poll_close(cx)).await?;
                    }
                }
                Ok(())
            }),
        )
    });
    for n in 0..3 {
        channel.feed(n);
        assert_eq!(channel.written(), Some(n + 1));
    }
    assert!(!channel.is_open());
}

#[test]
fn polled_from_outside_after_the_end_it_does_not_hang() {
    thread_local! {
        static KEPT: std::cell::RefCell<Option<Bytes>> = const { std::cell::RefCell::new(None) };
    }
    let mut channel = EmbeddedChannel::new(|ch| {
        ch.pipeline().inbound(
            "app",
            AsyncChannel::serve(|channel: Bytes| async move {
                KEPT.set(Some(channel.clone()));
                channel.next().await;
                Ok(())
            }),
        )
    });
    let kept = KEPT.take().unwrap();
    kept.try_send("unsent".into()).unwrap();
    channel.set_room(Some(0));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(kept.flush()).poll(&mut cx).is_pending());
    channel.channel().abort();
    channel.run_pending();
    assert!(matches!(pin!(kept.flush()).poll(&mut cx), Poll::Ready(Err(_))));
    assert!(matches!(pin!(kept.next()).poll(&mut cx), Poll::Ready(None)));
    assert!(matches!(pin!(kept.send("x".into())).poll(&mut cx), Poll::Ready(Err(_))));
    assert!(matches!(pin!(kept.close()).poll(&mut cx), Poll::Ready(Err(_))));
    assert!(kept.is_closed());
}
