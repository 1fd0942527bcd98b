//! What a loop allocates once it is warm: nothing a message, a timer, an answer; and what a channel
//! and an edit cost. The figures are printed with `--nocapture`.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_core::IntoStages;
use fyke_core::event_loop::{ChannelInit, ChannelSpec};
use fyke_core::{
    ChannelOptions, Context, Ctx, Edit, InboundHandler, Never, Outgoing, Result, Sender, Stage,
    Stages,
};

use support::world::World;
use support::{Frames, Letters, Tell, frame, on_read};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller keeps the contract of `System.alloc`, which is the same.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        BYTES.set(BYTES.get() + layout.size());
        // SAFETY: see above.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller keeps the contract of `System.dealloc`, which is the same.
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: see above.
        unsafe { System.dealloc(memory, layout) }
    }

    // SAFETY: the caller keeps the contract of `System.realloc`, which is the same.
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        BYTES.set(BYTES.get() + size.saturating_sub(layout.size()));
        // SAFETY: see above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations, and their bytes, while `run` runs.
fn allocations(run: impl FnOnce()) -> (usize, usize) {
    let before = (COUNT.get(), BYTES.get());
    run();
    (COUNT.get() - before.0, BYTES.get() - before.1)
}

/// Feeds `bytes` so often, a turn each, and answers what that allocates once warm.
fn per_rounds(
    rounds: usize,
    bytes: &[u8],
    init: impl Fn(&mut ChannelInit<'_>) -> Stages + Send + Sync + 'static,
) -> usize {
    let mut world = World::new();
    let line = world.connect(ChannelOptions::default(), init);
    let mut round = |check: bool| {
        world.feed(line, bytes);
        world.turn();
        world.line(line, |l| {
            assert!(!check || !l.outbound.is_empty(), "it has answered");
            l.outbound.clear();
        });
        // Timers run too.
        world.event_loop.clock().advance(Duration::from_millis(1));
    };
    (0..300).for_each(|_| round(true));
    let (count, size) = allocations(|| (0..rounds).for_each(|_| round(true)));
    println!("{count} allocations of {size} bytes in {rounds} rounds");
    count
}

fn echo<T: 'static>() -> impl InboundHandler<In = T, Out = Never, Write = T> {
    on_read(|cx: &mut Ctx<'_, Never, T>, msg: T| {
        cx.write(msg);
        Ok(())
    })
}

#[test]
fn a_raw_echo_allocates_nothing() {
    let count = per_rounds(1000, &[b'x'; 64], |ch| {
        let echo = |cx: &mut Ctx<'_, Never, Outgoing>, bytes: ByteBuf| {
            cx.write(bytes.into());
            Ok(())
        };
        ch.pipeline().inbound("echo", on_read(echo)).into_stages().unwrap()
    });
    assert_eq!(count, 0);
}

#[test]
fn a_codec_and_an_echo_allocate_nothing() {
    let ten: Vec<u8> = (0..10).flat_map(|_| frame(&[b'x'; 64])).collect();
    let count = per_rounds(1000, &ten, |ch| {
        ch.pipeline().codec("frames", Frames).inbound("echo", echo()).into_stages().unwrap()
    });
    assert_eq!(count, 0);
    // Frames that lie across reads: the rest waits in a buffer of its own, exactly as long.
    let torn: Vec<u8> = [&ten[..], &ten[..40], &ten[40..66]].concat();
    let count = per_rounds(1000, &torn, |ch| {
        ch.pipeline().codec("frames", Frames).inbound("echo", echo()).into_stages().unwrap()
    });
    assert_eq!(count, 0);
}

/// Several operations of one method spill into a queue, which stays.
#[test]
fn several_answers_to_a_message_allocate_nothing() {
    let count = per_rounds(1000, b"abc", |ch| {
        let chatty = |cx: &mut Ctx<'_, u8, u8>, msg: u8| {
            for _ in 0..5 {
                cx.write(msg);
            }
            cx.flush();
            cx.write(msg);
            Ok(())
        };
        ch.pipeline()
            .codec("letters", Letters)
            .inbound("chatty", on_read(chatty))
            .into_stages()
            .unwrap()
    });
    assert_eq!(count, 0);
}

/// Re-arms its timer with each message, as an idle handler does, and starts another one.
#[derive(Default)]
struct Idle(Option<fyke_clock::TimerKey>);

impl InboundHandler for Idle {
    type In = u8;
    type Out = Never;
    type Write = u8;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: u8) -> Result<()> {
        let moved = self.0.is_some_and(|timer| cx.reschedule(timer, Duration::from_secs(30)));
        if !moved {
            self.0 = Some(cx.schedule(Duration::from_secs(30), 1));
        }
        let short = cx.schedule(Duration::from_secs(5), 2);
        cx.cancel(short);
        cx.schedule(Duration::from_millis(3), 3);
        cx.write(msg);
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, _: u64) -> Result<()> {
        cx.write(b'.');
        Ok(())
    }
}

#[test]
fn timers_allocate_nothing() {
    let count = per_rounds(1000, b"abc", |ch| {
        ch.pipeline()
            .codec("letters", Letters)
            .inbound("idle", Idle::default())
            .into_stages()
            .unwrap()
    });
    assert_eq!(count, 0);
}

#[test]
fn a_fixed_rate_allocates_nothing_a_run() {
    let mut world = World::new();
    let mut runs = 0;
    let (tell, told) = std::sync::mpsc::channel();
    let period = Duration::from_millis(1);
    let _ = world.event_loop.core().schedule_at_fixed_rate(period, period, move |_| {
        runs += 1;
        if runs == 1000 {
            tell.send(()).unwrap();
        }
        true
    });
    let mut run = |rounds: usize| {
        for _ in 0..rounds {
            world.event_loop.clock().advance(period);
            world.turn();
        }
    };
    run(300);
    let (count, _) = allocations(|| run(600));
    run(100);
    assert!(told.try_recv().is_ok());
    assert_eq!(count, 0);
}

#[test]
fn messages_of_a_handle_allocate_nothing() {
    let mut world = World::new();
    let (tell, told) = std::sync::mpsc::channel();
    let line = world.connect(ChannelOptions::default(), move |ch| {
        ch.pipeline().codec("letters", Letters).inbound("tell", Tell::<u8, u8>::new(&tell))
    });
    let sender: Sender<u8> = told.recv().unwrap().sender().unwrap();
    let mut round = || {
        (0..10).for_each(|_| sender.send(b'x').unwrap());
        world.turn();
        world.line(line, |l| {
            assert_eq!(l.outbound.len(), 10);
            l.outbound.clear();
        });
    };
    (0..300).for_each(|_| round());
    let (count, _) = allocations(|| (0..1000).for_each(|_| round()));
    assert_eq!(count, 0);
}

fn pass() -> impl InboundHandler<In = u8, Out = u8, Write = u8> {
    on_read(|cx: &mut Ctx<'_, u8, u8>, msg: u8| {
        cx.fire_read(msg);
        Ok(())
    })
}

const NAMES: [&str; 16] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];

/// A codec and so many handlers.
fn stages(ch: &ChannelInit<'_>, handlers: usize) -> Result<Stages> {
    let pipeline = ch.pipeline().codec::<u8, _>("letters", Letters);
    match handlers {
        0 => pipeline.into_stages(),
        1 => pipeline.inbound("a", pass()).into_stages(),
        3 => pipeline.inbound("a", pass()).inbound("b", pass()).inbound("c", pass()).into_stages(),
        7 => pipeline
            .inbound("a", pass())
            .inbound("b", pass())
            .inbound("c", pass())
            .inbound("d", pass())
            .inbound("e", pass())
            .inbound("f", pass())
            .inbound("g", pass())
            .into_stages(),
        _ => unreachable!("the tests use no other number"),
    }
}

/// Allocations of making one channel with so many handlers behind a codec: of the first one on a
/// loop, and of one of the later ones. What the test's transport allocates is taken off.
fn per_channel(handlers: usize) -> (usize, usize, usize) {
    /// The boxed connection, and the peer's name.
    const OF_THE_TEST: usize = 2;
    let spec = ChannelSpec::new(ChannelOptions::default(), move |ch| stages(ch, handlers));
    let mut world = World::new();
    let first = allocations(|| _ = world.adopt(&spec)).0;
    (0..70).for_each(|_| _ = world.adopt(&spec));
    // Tables grow now and then; the smallest of some is what a channel costs by itself.
    let later = (0..20).map(|_| allocations(|| _ = world.adopt(&spec))).min().unwrap();
    (first - OF_THE_TEST, later.0 - OF_THE_TEST, later.1)
}

/// 11. A million channels share one immutable shape: a channel costs itself, its list of stages,
///     and one allocation a stage.
#[test]
fn rule_11_a_channel_costs_itself_and_its_stages() {
    for handlers in [0, 1, 3, 7] {
        let (first, later, bytes) = per_channel(handlers);
        let stages = handlers + 1;
        println!("{stages} stages: {later} allocations of {bytes} bytes (the first: {first})");
        assert!(first > later, "the shape is made once");
        assert_eq!(later, 2 + stages, "the channel, its list of stages, and its stages");
    }
}

/// Relinking allocates nothing: an edit costs the same in a long pipeline.
#[test]
fn an_edit_costs_the_same_in_a_long_pipeline() {
    fn per_edit(handlers: usize) -> usize {
        let mut world = World::new();
        let (tell, told) = std::sync::mpsc::channel();
        let spec = ChannelSpec::new(ChannelOptions::default(), move |ch| {
            let pipeline = ch.pipeline().codec("letters", Letters);
            pipeline.inbound("tell", Tell::<u8, u8>::new(&tell)).into_stages()
        });
        world.adopt(&spec);
        let channel = told.recv().unwrap();
        channel
            .execute(move |cx| {
                for name in &NAMES[..handlers] {
                    cx.edit(|e| _ = e.add_last(name, Stage::inbound(pass()))).unwrap();
                }
            })
            .unwrap();
        world.settle();
        let replace = |e: &mut Edit| _ = e.replace("a", "a", Stage::inbound(pass()));
        let mut counts = Vec::new();
        for _ in 0..20 {
            channel.execute(move |cx| cx.edit(replace).unwrap()).unwrap();
            counts.push(allocations(|| world.turn()).0);
        }
        counts.into_iter().min().unwrap()
    }
    let (short, long) = (per_edit(1), per_edit(16));
    println!("an edit: {short} allocations, in a long pipeline {long}");
    assert_eq!(short, long);
    assert!(short <= 8);
}
