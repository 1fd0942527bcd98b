//! What the loop promises beside its channels: one wake for a batch, reads that follow what
//! arrives, and random numbers that follow from the seed.
#![allow(missing_docs, reason = "a test")]

mod support;

use std::any::Any;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fyke_clock::VirtualClock;
use fyke_core::driver::{Driver, Readiness, Wakeup};
use fyke_core::event_loop::{LoopHandle, LoopOptions};
use fyke_core::{ChannelOptions, Ctx, EventLoop, Never, Outgoing};

use support::on_read;
use support::world::{Trigger, World};

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakeup for Wakes {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

type Meanwhile = Box<dyn FnOnce() + Send>;

/// Sleeps just as long as it takes to run what the test wants to happen meanwhile.
#[derive(Default)]
struct Sleeper {
    wakes: Arc<Wakes>,
    meanwhile: Arc<Mutex<Vec<Meanwhile>>>,
}

impl Driver for Sleeper {
    fn wait(&mut self, _: Option<Duration>, _: &mut Vec<Readiness>) -> io::Result<()> {
        let all = std::mem::take(&mut *self.meanwhile.lock().unwrap());
        all.into_iter().for_each(|run| run());
        Ok(())
    }

    fn waker(&self) -> Arc<dyn Wakeup> {
        Arc::clone(&self.wakes) as Arc<dyn Wakeup>
    }

    fn registry(&self) -> &dyn Any {
        self
    }
}

/// Many threads give a sleeping loop many tasks: it is woken once, and runs them all.
#[test]
fn a_batch_of_tasks_wakes_a_sleeping_loop_once() {
    let driver = Sleeper::default();
    let (wakes, meanwhile) = (Arc::clone(&driver.wakes), Arc::clone(&driver.meanwhile));
    let mut event_loop = EventLoop::new(driver, VirtualClock::new(), LoopOptions::new(0, 0));
    let handle: LoopHandle = event_loop.core().handle().clone();
    let ran = Arc::new(AtomicUsize::new(0));
    for round in 1..=3 {
        let (handle, counter) = (handle.clone(), Arc::clone(&ran));
        meanwhile.lock().unwrap().push(Box::new(move || {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for _ in 0..250 {
                            let counter = Arc::clone(&counter);
                            let task = move |_: &mut _| {
                                counter.fetch_add(1, Ordering::SeqCst);
                            };
                            handle.execute(task).unwrap();
                        }
                    });
                }
            });
        }));
        event_loop.turn(None).unwrap();
        assert_eq!(wakes.0.load(Ordering::SeqCst), round, "one wake for a thousand tasks");
        // A turn has a budget, so the rest may take some more; it does not sleep in between.
        for _ in 0..1000 {
            event_loop.turn(Some(Duration::ZERO)).unwrap();
        }
        assert_eq!(ran.load(Ordering::SeqCst), 1000 * round);
    }
}

/// A loop that works is not woken: it looks for itself before it sleeps.
#[test]
fn a_loop_that_does_not_sleep_is_not_woken() {
    let driver = Sleeper::default();
    let wakes = Arc::clone(&driver.wakes);
    let mut event_loop = EventLoop::new(driver, VirtualClock::new(), LoopOptions::new(0, 0));
    let handle = event_loop.core().handle().clone();
    let again = handle.clone();
    handle.execute(move |_| again.execute(|_| {}).unwrap()).unwrap();
    let before = wakes.0.load(Ordering::SeqCst);
    event_loop.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(wakes.0.load(Ordering::SeqCst), before);
}

fn counts(event_loop: &mut EventLoop<Sleeper, VirtualClock>) -> (u64, u64) {
    event_loop.turn(Some(Duration::ZERO)).unwrap();
    let stats = event_loop.stats();
    (stats.tasks, stats.timers)
}

/// However many there are, in one turn only so many run; then channels have their turn.
#[test]
fn tasks_and_timers_have_a_budget_each_turn() {
    let mut options = LoopOptions::new(0, 0);
    (options.tasks_per_turn, options.timers_per_turn) = (4, 3);
    let mut event_loop = EventLoop::new(Sleeper::default(), VirtualClock::new(), options);
    for _ in 0..10 {
        event_loop.handle().execute(|_| {}).unwrap();
        event_loop.core().schedule(Duration::ZERO, |_| {});
    }
    let turns: Vec<_> = (0..5).map(|_| counts(&mut event_loop)).collect();
    assert_eq!(turns, [(4, 3), (8, 6), (10, 9), (10, 10), (10, 10)]);
}

fn reading_world(bytes: usize, turns: usize) -> Vec<usize> {
    let mut world = World::with(Trigger::Level, usize::MAX);
    let options = ChannelOptions::new().read_bytes_per_turn(1 << 20);
    let swallow = |_: &mut Ctx<'_, Never, Outgoing>, _| Ok(());
    let line = world.connect(options, move |ch| ch.pipeline().inbound("sink", on_read(swallow)));
    world.line(line, |l| l.wanted.reserve(64));
    world.feed(line, &vec![b'x'; bytes]);
    for _ in 0..turns {
        world.turn();
    }
    // A trickle: what a read asked for shrinks again.
    for _ in 0..12 {
        world.feed(line, b"x");
        world.turn();
    }
    world.line(line, |l| l.wanted.clone())
}

/// The size of reads follows what arrives: four times as much when one was filled, a quarter after
/// two that would have fitted into that, and always within the limits of the options.
#[test]
fn the_size_of_reads_follows_what_arrives() {
    let options = ChannelOptions::new();
    let (min, max) = (options.read_bytes_min, options.read_bytes_max);
    let wanted = reading_world(300_000, 1);
    let (&first, &largest) = (wanted.first().unwrap(), wanted.iter().max().unwrap());
    assert_eq!(first, min, "a new channel asks for little");
    assert_eq!(largest, max, "a busy one for as much as it may: {wanted:?}");
    for pair in wanted.windows(2) {
        let grown = pair[1] == (pair[0] * 4).min(max);
        let shrunk = pair[1] == (pair[0] / 4).max(min);
        assert!(pair[0] == pair[1] || grown || shrunk, "{wanted:?}");
    }
    assert_eq!(*wanted.last().unwrap(), min, "and an idle one for little again: {wanted:?}");
}

/// Random numbers of handlers on a loop with this seed.
fn numbers(seed: u64) -> Vec<u64> {
    let mut world = World::with_options(Trigger::Level, usize::MAX, LoopOptions::new(0, seed));
    let drawn = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&drawn);
    let spec = move |ch: &mut fyke_core::event_loop::ChannelInit<'_>| {
        let to = Arc::clone(&to);
        let draw = move |cx: &mut Ctx<'_, Never, Outgoing>, _| {
            to.lock().unwrap().push(cx.env().random());
            Ok(())
        };
        ch.pipeline().inbound("draw", on_read(draw))
    };
    let lines = [(); 3].map(|()| world.connect(ChannelOptions::new(), spec.clone()));
    for line in lines.into_iter().chain(lines) {
        world.feed(line, b"x");
        world.settle();
    }
    std::mem::take(&mut *drawn.lock().unwrap())
}

#[test]
fn the_same_seed_gives_the_same_random_numbers() {
    let (a, b, other) = (numbers(7), numbers(7), numbers(8));
    assert_eq!(a.len(), 6);
    assert_eq!(a, b);
    assert_ne!(a, other);
}
