//! The end of a loop: told, given time, cut, reported.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use fyke_core::event_loop::ShutdownReport;
use fyke_core::{Channel, ChannelOptions, CloseReason, Context, InboundHandler, Result};

use crate::support::world::World;
use crate::support::{Letters, Log, Tell};

fn second() -> Duration {
    Duration::from_secs(1)
}

/// Finishes its work before it lets the channel close: so many seconds.
struct Busy(Log, u64);

impl InboundHandler for Busy {
    type In = u8;
    type Out = u8;
    type Write = u8;

    fn read(&mut self, _: &mut Context<'_, Self>, _: u8) -> Result<()> {
        Ok(())
    }

    fn shutting_down(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.add("told");
        match self.1 {
            0 => cx.fire_shutting_down(),
            seconds => _ = cx.schedule(second() * u32::try_from(seconds).unwrap(), 0),
        }
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, _: u64) -> Result<()> {
        cx.write(b'.');
        cx.fire_shutting_down();
        Ok(())
    }
}

fn busy(world: &mut World, log: &Log, seconds: u64) -> (usize, Channel) {
    let (tell, told) = std::sync::mpsc::channel();
    let l = log.clone();
    let line = world.connect(ChannelOptions::default(), move |ch| {
        ch.pipeline()
            .codec("letters", Letters)
            .inbound("tell", Tell::<u8, u8>::new(&tell))
            .inbound("busy", Busy(l.clone(), seconds))
    });
    (line, told.recv().unwrap())
}

fn shutdown(world: &mut World, deadline: Duration) -> Receiver<ShutdownReport> {
    let (tell, report) = std::sync::mpsc::channel();
    let core = world.event_loop.core();
    core.shutdown(deadline, move |report| tell.send(report).unwrap());
    report
}

#[test]
fn an_idle_loop_ends_at_once() {
    let mut world = World::new();
    let report = shutdown(&mut world, second() * 5);
    world.turn();
    assert_eq!(report.recv().unwrap(), ShutdownReport { channels: 0, cut: 0 });
    assert!(world.event_loop.has_ended());
    assert!(world.event_loop.handle().execute(|_| ()).is_err());
    // Asked again it answers at once.
    assert!(shutdown(&mut world, second()).try_recv().is_ok());
}

#[test]
fn handlers_are_told_and_finish_their_work() {
    let (mut world, log) = (World::new(), Log::new());
    let (quick, quick_channel) = busy(&mut world, &log, 0);
    let (slow, slow_channel) = busy(&mut world, &log, 3);
    let report = shutdown(&mut world, second() * 5);
    world.settle();
    assert_eq!(log.text(), "told told");
    world.advance(second());
    assert_eq!(quick_channel.close_reason(), Some(CloseReason::Shutdown));
    assert!(world.line(quick, |l| l.closed.is_some()), "nobody waits long for a peer's end now");
    assert_eq!(slow_channel.close_reason(), None);
    world.advance(second() * 2);
    world.advance(second());
    assert_eq!(world.sent(slow), b".");
    assert_eq!(slow_channel.close_reason(), Some(CloseReason::Shutdown));
    assert_eq!(report.try_recv().unwrap(), ShutdownReport { channels: 2, cut: 0 });
}

#[test]
fn what_is_not_done_at_the_deadline_is_cut_and_counted() {
    let (mut world, log) = (World::new(), Log::new());
    let (_, never) = busy(&mut world, &log, 1000);
    // This one closes in order, but its peer takes nothing of what is still to be sent.
    let (stuck_line, stuck) = busy(&mut world, &log, 0);
    let (_, fine) = busy(&mut world, &log, 0);
    world.line(stuck_line, |l| l.room = Some(0));
    stuck.sender::<u8>().unwrap().send(b'x').unwrap();
    world.settle();
    let report = shutdown(&mut world, second() * 5);
    world.advance(second() * 4);
    assert!(report.try_recv().is_err());
    world.advance(second());
    assert_eq!(report.try_recv().unwrap(), ShutdownReport { channels: 3, cut: 2 });
    assert_eq!(never.close_reason(), Some(CloseReason::ShutdownDeadline));
    assert_eq!(stuck.close_reason(), Some(CloseReason::ShutdownDeadline));
    assert_eq!(fine.close_reason(), Some(CloseReason::Shutdown));
}

#[test]
fn a_second_call_shortens_the_time() {
    let (mut world, log) = (World::new(), Log::new());
    let (_, channel) = busy(&mut world, &log, 1000);
    let first = shutdown(&mut world, second() * 5);
    world.settle();
    let second_call = shutdown(&mut world, Duration::ZERO);
    world.settle();
    assert_eq!(log.text(), "told", "once");
    assert_eq!(channel.close_reason(), Some(CloseReason::ShutdownDeadline));
    assert_eq!(first.try_recv().unwrap(), second_call.try_recv().unwrap());
}

#[test]
fn a_channel_that_comes_late_is_told_too() {
    let (mut world, log) = (World::new(), Log::new());
    let (_, _slow) = busy(&mut world, &log, 2);
    let report = shutdown(&mut world, second() * 5);
    world.settle();
    let (_, late) = busy(&mut world, &log, 0);
    world.advance(second());
    assert_eq!(log.text(), "told told");
    assert_eq!(late.close_reason(), Some(CloseReason::Shutdown));
    world.advance(second());
    world.advance(second());
    assert_eq!(report.try_recv().unwrap().cut, 0);
}
