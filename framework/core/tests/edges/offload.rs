//! Offloaded work whose jobs the test runs when it likes.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use fyke_core::event_loop::LoopOptions;
use fyke_core::{
    Channel, ChannelOptions, CloseReason, Ctx, DuplexContext, DuplexHandler, Never, Offloaded,
    Promise, Result, Sender, Stage,
};

use crate::support::world::{Trigger, World};
use crate::support::{Jobs, Letters, Log, Tell, Watch, on_read};

/// Small letters are made large elsewhere; a digit is work of so many parts; `!` panics there.
struct Slow;

impl DuplexHandler for Slow {
    type In = u8;
    type Out = u8;
    type WriteIn = u8;
    type WriteOut = u8;

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8) -> Result<()> {
        match msg {
            b'a'..=b'z' => cx.offload(move || msg.to_ascii_uppercase()),
            b'0'..=b'9' => (b'0'..msg).for_each(|part| cx.offload(move || part + 1)),
            b'!' => cx.offload(|| -> u8 { panic!("expected: work") }),
            _ => cx.fire_read(msg),
        }
        Ok(())
    }

    fn write(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8, promise: Promise) -> Result<()> {
        cx.write_with(msg, promise);
        Ok(())
    }

    fn offloaded(&mut self, cx: &mut DuplexContext<'_, Self>, result: Offloaded) -> Result<()> {
        cx.fire_read(result.take::<u8>()?);
        Ok(())
    }
}

struct Scene {
    world: World,
    line: usize,
    jobs: Jobs,
    log: Log,
    told: Receiver<Channel>,
}

fn scene() -> Scene {
    let jobs = Jobs::default();
    let mut options = LoopOptions::new(0, 0);
    options.offload = Arc::new(jobs.clone());
    let mut world = World::with_options(Trigger::Level, usize::MAX, options);
    let log = Log::new();
    let (tell, told) = std::sync::mpsc::channel();
    let l = log.clone();
    let line = world.connect(ChannelOptions::default(), move |ch| {
        let seen = l.clone();
        let answer = move |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            seen.add(char::from(msg).to_string());
            cx.write(msg);
            Ok(())
        };
        ch.pipeline()
            .codec("letters", Letters)
            .inbound("tell", Tell::<u8, u8>::new(&tell))
            .duplex("slow", Slow)
            .inbound("answer", on_read(answer))
    });
    Scene { world, line, jobs, log, told }
}

impl Scene {
    fn feed(&mut self, bytes: &[u8]) {
        self.world.feed(self.line, bytes);
        self.world.settle();
    }

    fn run_job(&mut self, index: usize) {
        crate::support::quietly(|| self.jobs.run(index));
        self.world.settle();
    }

    fn sent(&self) -> Vec<u8> {
        self.world.sent(self.line)
    }
}

#[test]
fn input_waits_for_the_work_and_goes_on_in_order() {
    let mut s = scene();
    s.feed(b"AbCd");
    s.feed(b"E");
    assert_eq!((s.log.text().as_str(), s.jobs.len()), ("A", 1));
    s.run_job(0);
    assert_eq!((s.log.text().as_str(), s.jobs.len()), ("B C", 1));
    s.run_job(0);
    assert_eq!(s.log.text(), "D E");
    assert_eq!(s.sent(), b"ABCDE");
}

#[test]
fn read_complete_does_not_go_past_messages_that_wait() {
    let jobs = Jobs::default();
    let mut options = LoopOptions::new(0, 0);
    options.offload = Arc::new(jobs.clone());
    let mut world = World::with_options(Trigger::Level, usize::MAX, options);
    let log = Log::new();
    let l = log.clone();
    let line = world.connect(ChannelOptions::default(), move |ch| {
        let seen = l.clone();
        let sink = move |_: &mut Ctx<'_, Never, u8>, msg: u8| {
            seen.add(char::from(msg).to_string());
            Ok(())
        };
        ch.pipeline()
            .codec("letters", Letters)
            .duplex("slow", Slow)
            .inbound("watch", Watch::<u8, u8>::new("", &l))
            .inbound("sink", on_read(sink))
    });
    let feed = |world: &mut World, bytes: &[u8]| {
        world.feed(line, bytes);
        world.settle();
    };
    feed(&mut world, b"A");
    log.take();
    // Slow has shown that it says nothing to it, and now it has something that comes first.
    feed(&mut world, b"b");
    assert_eq!(log.text(), "");
    jobs.run(0);
    world.settle();
    assert_eq!(log.text(), "B read_complete");
}

#[test]
fn writes_wait_too_and_the_result_does_not_let_others_overtake() {
    let mut s = scene();
    let channel = s.told.recv().unwrap();
    let sender: Sender<u8> = channel.sender().unwrap();
    s.feed(b"a");
    sender.send(b'1').unwrap();
    sender.send(b'2').unwrap();
    s.world.settle();
    assert_eq!(s.sent(), b"", "the stage stands in the way of the handle's messages");
    s.run_job(0);
    // The answer to the result was written after the two.
    assert_eq!(s.sent(), b"12A");
}

#[test]
fn all_parts_of_the_work_are_waited_for() {
    let mut s = scene();
    s.feed(b"3X");
    assert_eq!(s.jobs.len(), 3);
    s.run_job(1);
    assert_eq!(s.log.text(), "2", "a result is told when it is there");
    s.run_job(0);
    assert_eq!(s.log.text(), "1");
    s.run_job(0);
    assert_eq!(s.log.text(), "3 X", "and the input goes on behind the last one");
}

#[test]
fn refused_and_panicking_work_is_an_error() {
    for refused in [true, false] {
        let mut s = scene();
        let channel = s.told.recv().unwrap();
        s.feed(if refused { b"ax" } else { b"!x" });
        match refused {
            true => s.jobs.refuse(),
            false => s.run_job(0),
        }
        s.world.end(s.line);
        s.world.settle();
        assert_eq!(channel.close_reason(), Some(CloseReason::Panic));
        assert_eq!(s.log.text(), "");
    }
}

#[test]
fn a_result_for_nobody_is_dropped() {
    // The stage has been removed meanwhile.
    let mut s = scene();
    let channel = s.told.recv().unwrap();
    s.feed(b"aB");
    channel.execute(|cx| cx.edit(|e| _ = e.remove("slow")).unwrap()).unwrap();
    s.world.settle();
    s.run_job(0);
    assert_eq!(s.log.text(), "B");
    // Another one stands in its place.
    let mut s = scene();
    let channel = s.told.recv().unwrap();
    s.feed(b"aB");
    channel
        .execute(|cx| cx.edit(|e| _ = e.replace("slow", "slow", Stage::duplex(Slow))).unwrap())
        .unwrap();
    s.world.settle();
    s.run_job(0);
    assert_eq!(s.log.text(), "B");
    // The channel is gone.
    let mut s = scene();
    let channel = s.told.recv().unwrap();
    s.feed(b"aB");
    channel.abort();
    s.world.settle();
    s.run_job(0);
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
    // The loop is gone.
    let mut s = scene();
    s.feed(b"aB");
    let Scene { world, jobs, .. } = s;
    drop(world);
    jobs.run(0);
}

/// What waits for a stage still reaches it when the channel ends, and then the end.
#[test]
fn the_end_comes_behind_what_waited() {
    let mut s = scene();
    let channel = s.told.recv().unwrap();
    s.feed(b"aB");
    s.world.end(s.line);
    s.world.settle();
    assert_eq!(channel.close_reason(), None, "the end waits behind the work");
    s.run_job(0);
    assert_eq!(s.log.text(), "A B");
    assert_eq!(s.sent(), b"AB");
    assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd));
}
