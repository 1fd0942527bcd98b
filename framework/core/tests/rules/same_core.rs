//! Rules 10, 12 and 13: the same results however the world reports, the same core in tests, and a
//! loop that reports itself.

use std::time::Duration;

use fyke_core::embedded::EmbeddedChannel;
use fyke_core::event_loop::ChannelInit;
use fyke_core::{ChannelOptions, Ctx, IntoStages, Never, Stages};

use crate::support::world::{Trigger, World};
use crate::support::{Letters, Log, Watch, on_read};

/// Echoes letters; pauses at 'p' until a timer... of the test calls for more.
fn pipeline(ch: &ChannelInit<'_>, log: &Log) -> Stages {
    let seen = log.clone();
    let echo = move |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
        seen.add(char::from(msg).to_string());
        cx.write(msg.to_ascii_uppercase());
        Ok(())
    };
    ch.pipeline()
        .codec("letters", Letters)
        .inbound("watch", Watch::<u8, u8>::new("", log))
        .inbound("echo", on_read(echo))
        .into_stages()
        .unwrap()
}

fn options(budget: usize) -> ChannelOptions {
    ChannelOptions::new().read_bytes_per_turn(budget).water_marks(4, 8)
}

/// What a channel logs and sends when `script` is played in pieces.
fn play(trigger: Trigger, read_bytes_max: usize, budget: usize) -> (Vec<String>, Vec<u8>) {
    let log = Log::new();
    let l = log.clone();
    let mut world = World::with(trigger, read_bytes_max);
    let line = world.connect(options(budget), move |ch| pipeline(ch, &l));
    world.line(line, |l| l.room = Some(5));
    world.feed(line, b"abcdefghijklmnopqrstuvwxyz");
    world.settle();
    world.feed(line, b"0123");
    world.end(line);
    for _ in 0..10 {
        world.line(line, |l| l.room = Some(5));
        world.settle();
    }
    (log.take(), world.sent(line))
}

fn without_edges(log: Vec<String>) -> Vec<String> {
    let turns = ["read_complete", "writability_changed"];
    log.into_iter().filter(|line| !turns.contains(&line.as_str())).collect()
}

/// 10. LT and ET share one ready list: the same trace gives the same event log, with any size of
///     reads and any budget; a quantum per turn re-queues.
#[test]
fn rule_10_level_and_edge_give_the_same_log() {
    for read_bytes_max in [1, 3, 7, usize::MAX] {
        for budget in [1, 2, 5, 1024] {
            let (level, sent) = play(Trigger::Level, read_bytes_max, budget);
            let (edge, sent_too) = play(Trigger::Edge, read_bytes_max, budget);
            assert_eq!(without_edges(level.clone()), without_edges(edge));
            assert_eq!(sent, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123");
            assert_eq!(sent, sent_too);
            let letters = level.iter().filter(|line| line.len() == 1).count();
            assert_eq!(letters, 30);
        }
    }
}

/// 10. One busy channel has its quantum and no more before the next one has its turn.
#[test]
fn rule_10_a_quantum_per_turn() {
    let log = Log::new();
    let mut world = World::with(Trigger::Edge, 2);
    let (first, second) = (log.clone(), log.clone());
    let note = |log: Log, name: &'static str| {
        move |_: &mut Ctx<'_, Never, u8>, _: u8| {
            log.add(name);
            Ok(())
        }
    };
    let a = world.connect(ChannelOptions::new().read_bytes_per_turn(4), move |ch| {
        ch.pipeline().codec("letters", Letters).inbound("note", on_read(note(first.clone(), "a")))
    });
    let b = world.connect(ChannelOptions::new().read_bytes_per_turn(4), move |ch| {
        ch.pipeline().codec("letters", Letters).inbound("note", on_read(note(second.clone(), "b")))
    });
    world.feed(a, b"0123456789");
    world.feed(b, b"01");
    world.settle();
    assert_eq!(log.text(), "a a a a b b a a a a a a");
}

/// 12. The test double runs the same core with another driver: the same script gives the same log
///     on an `EmbeddedChannel` and on a loop made of public parts.
#[test]
fn rule_12_the_test_double_is_the_same_core() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::with_options(options(1024), move |ch| pipeline(ch, &l));
    channel.set_room(Some(5));
    channel.write_inbound("abcdefghijklmnopqrstuvwxyz");
    channel.write_inbound("0123");
    channel.finish_inbound();
    let mut sent = Vec::new();
    for _ in 0..10 {
        sent.extend_from_slice(channel.read_outbound().as_slice());
        channel.set_room(Some(5));
    }
    let (world, sent_there) = play(Trigger::Edge, usize::MAX, 1024);
    assert_eq!(without_edges(log.take()), without_edges(world));
    assert_eq!(sent, sent_there);
    assert!(channel.event_loop().stats().turns > 0, "it is a loop that did it");
}

/// 13. The loop reports itself: turns, bytes, timers, the longest turn, and the name of the handler
///     that blocked it.
#[test]
fn rule_13_the_loop_names_the_handler_that_blocks_it() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let block = |cx: &mut Ctx<'_, u8, u8>, msg: u8| {
            if msg == b'!' {
                // A ticker would do this while the handler computes.
                cx.channel().event_loop().tick();
                cx.channel().event_loop().tick();
            }
            cx.fire_read(msg);
            Ok(())
        };
        let quick = |cx: &mut Ctx<'_, u8, u8>, msg: u8| {
            cx.channel().event_loop().tick();
            cx.fire_read(msg);
            Ok(())
        };
        ch.pipeline()
            .codec("letters", Letters)
            .inbound("quick", on_read(quick))
            .inbound("blocks", on_read(block))
    });
    channel.write_inbound("ab");
    assert_eq!(channel.event_loop().stats().stalls, 0, "a tick between two methods is nothing");
    channel.write_inbound("!");
    let stats = channel.event_loop().stats();
    assert_eq!((stats.stalls, stats.stalled_by), (1, Some("blocks")));
}

/// 13, what blocks and is no handler is not blamed on the next handler.
#[test]
fn rule_13_a_task_that_blocks_is_not_blamed_on_a_handler() {
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().codec("letters", Letters));
    let handle = channel.event_loop().handle();
    let sender = channel.channel().sender::<u8>().unwrap();
    let ticker = handle.clone();
    handle
        .execute(move |core| {
            (0..5).for_each(|_| ticker.tick());
            // Work for a handler in the same turn, behind this task.
            core.schedule(Duration::ZERO, |_| {});
        })
        .unwrap();
    sender.send(b'x').unwrap();
    handle.execute(|_| {}).unwrap();
    channel.run_pending();
    let stats = channel.event_loop().stats();
    assert_ne!(stats.stalled_by, Some("letters"));
}

/// 13, figures.
#[test]
fn rule_13_the_loop_counts_what_it_does() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let clock = std::sync::Arc::new(std::sync::Mutex::new(None::<fyke_clock::VirtualClock>));
        let _ = clock;
        let echo = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            cx.write(msg);
            Ok(())
        };
        ch.pipeline().codec("letters", Letters).inbound("echo", on_read(echo))
    });
    let clock = channel.clock();
    channel.write_inbound("12345");
    channel.event_loop().schedule(Duration::from_millis(3), move |_| {
        clock.advance(Duration::from_millis(40));
    });
    channel.advance(Duration::from_millis(3));
    let stats = channel.event_loop().stats();
    assert_eq!((stats.bytes_in, stats.bytes_out), (5, 5));
    assert_eq!((stats.timers, stats.channels), (1, 1));
    assert_eq!(stats.turn_max, Duration::from_millis(40));
    assert!(stats.busy >= stats.turn_max && stats.turns >= 2);
}
