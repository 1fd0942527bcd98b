//! What heartbeats cost that have nothing to say: many silent channels on one loop, in virtual time.
//!
//! `cargo bench -p fyke-benches --bench heartbeats [-- CHANNELS MINUTES]`
//!
//! The loop's clock goes on by a millisecond a turn, as if it slept in between; what is measured is
//! the processor time of the turns. Set beside the virtual time it is what share of a core they
//! would take.
#![allow(missing_docs, reason = "a bench")]

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fyke::buffer::Pool;
use fyke::clock::{Clock, VirtualClock};
use fyke::core::driver::{Driver, Readiness, TransportId, Wakeup};
use fyke::core::event_loop::{Adopt, ChannelSpec, EventLoop, LoopOptions};
use fyke::core::transport::{
    CloseMode, Handle, Incoming, Read, Transport, TransportEvent, TransportFactory, TransportSeat,
    Wrote,
};
use fyke::core::{ChannelKey, Gather};
use fyke::handlers::{HeartbeatConfig, HeartbeatHandler, IdleStateHandler, PayloadHeartbeat};
use fyke::prelude::*;
use fyke::{Address, ChannelInit, Datagram, IntoStages};
use fyke_codecs::frames::LengthField;
use rustix::time::{ClockId, clock_gettime};

const INTERVAL: Duration = Duration::from_secs(60);
const TURN: Duration = Duration::from_millis(1);

/// A driver under which nothing ever happens.
struct Still;

struct Nobody;

impl Wakeup for Nobody {
    fn wake(&self) {}
}

impl Driver for Still {
    fn wait(&mut self, _: Option<Duration>, _: &mut Vec<Readiness>) -> io::Result<()> {
        Ok(())
    }

    fn waker(&self) -> Arc<dyn Wakeup> {
        Arc::new(Nobody)
    }

    fn registry(&self) -> &dyn Any {
        self
    }
}

/// Connections whose peers answer every write with a pong, one turn later.
#[derive(Default)]
struct Memory {
    owners: Vec<ChannelKey>,
    answering: Vec<usize>,
    answered: Vec<bool>,
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Transport for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn listen(
        &mut self,
        _: ChannelKey,
        _: &Address,
        _: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        unsupported()
    }

    fn accept(&mut self, _: Handle) -> io::Result<Option<(Incoming, Address)>> {
        unsupported()
    }

    fn adopt(&mut self, owner: ChannelKey, _: Incoming, _: &SocketOptions) -> io::Result<Handle> {
        self.owners.push(owner);
        self.answered.push(false);
        Ok(Handle(self.owners.len() as u64 - 1))
    }

    fn connect(&mut self, _: ChannelKey, _: &Address, _: &SocketOptions) -> io::Result<Handle> {
        unsupported()
    }

    fn datagram(
        &mut self,
        _: ChannelKey,
        _: Option<&Address>,
        _: Option<&Address>,
        _: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        unsupported()
    }

    fn read(&mut self, connection: Handle, _: usize, pool: &Pool) -> io::Result<Read> {
        if !std::mem::take(&mut self.answered[connection.0 as usize]) {
            return Ok(Read::WouldBlock);
        }
        let mut bytes = pool.take(64);
        bytes.write_slice(b"\0\x04pong");
        Ok(Read::Data { bytes, more: false })
    }

    fn receive(&mut self, _: Handle, _: &mut Vec<Datagram>, _: &Pool) -> io::Result<bool> {
        unsupported()
    }

    fn write(&mut self, connection: Handle, out: &mut Gather<'_>) -> io::Result<Wrote> {
        self.answering.push(connection.0 as usize);
        Ok(Wrote::Now(out.offered() as usize))
    }

    fn send(&mut self, _: Handle, _: &[Datagram]) -> io::Result<usize> {
        unsupported()
    }

    fn set_reading(&mut self, _: Handle, _: bool) {}

    fn shutdown(&mut self, _: Handle) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self, _: Handle, _: CloseMode) {}

    fn local_address(&self, _: Handle) -> io::Result<Address> {
        Ok(Address::local("memory"))
    }

    fn ready(&mut self, _: Readiness, _: &mut Vec<TransportEvent>) {}

    fn poll(&mut self, _: fyke::clock::Instant, events: &mut Vec<TransportEvent>) {
        for connection in self.answering.drain(..) {
            self.answered[connection] = true;
            events.push(TransportEvent::Readable(self.owners[connection]));
        }
    }
}

struct Factory;

impl TransportFactory for Factory {
    fn key(&self) -> &'static str {
        "memory"
    }

    fn create(&self, _: TransportSeat<'_>) -> io::Result<Box<dyn Transport>> {
        Ok(Box::new(Memory::default()))
    }
}

/// Swallows what is written: what is left is the bookkeeping.
struct Swallow;

impl OutboundHandler for Swallow {
    type In = ByteBuf;
    type Out = ByteBuf;

    fn write(
        &mut self,
        _: &mut OutboundContext<'_, Self>,
        _: ByteBuf,
        promise: Promise,
    ) -> Result<()> {
        promise.succeed();
        Ok(())
    }
}

struct Measured {
    share_of_a_core: f64,
    timers: u64,
    bytes_out: u64,
}

fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

fn measure<S: IntoStages>(
    channels: usize,
    time: Duration,
    init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
) -> Measured {
    let clock = VirtualClock::new();
    let mut event_loop = EventLoop::new(Still, clock, LoopOptions::new(0, 7));
    let transport: TransportId = event_loop.transport(&Factory).expect("it cannot fail");
    let spec = ChannelSpec::new(ChannelOptions::default(), init);
    for _ in 0..channels {
        let (incoming, peer) = (Incoming::new(()), Address::local("peer"));
        let adopt = Adopt { transport, incoming, peer, spec: spec.clone() };
        event_loop.core().adopt(adopt).expect("it is adopted");
    }
    // A first round, so that everything is warm and the beats are spread.
    let mut turns = |time: Duration| {
        let end = event_loop.clock().now() + time;
        while event_loop.clock().now() < end {
            let next = event_loop.clock().now() + TURN;
            event_loop.clock().set(next);
            event_loop.turn(Some(Duration::ZERO)).expect("a still driver does not fail");
        }
        (event_loop.stats().timers, event_loop.stats().bytes_out)
    };
    let before = turns(INTERVAL * 2);
    let began = processor_time();
    let after = turns(time);
    let used = processor_time() - began;
    Measured {
        share_of_a_core: used.as_secs_f64() / time.as_secs_f64(),
        timers: after.0 - before.0,
        bytes_out: after.1 - before.1,
    }
}

fn report(name: &str, time: Duration, idle: f64, measured: &Measured) {
    let own = (measured.share_of_a_core - idle).max(0.0);
    let beats = measured.timers.max(1) as f64;
    println!(
        "{name:<44} {:>6.3} % of a core, {:>5.0} ns a timer, {:>6.0} timers/s, {:>8} bytes sent",
        own * 100.0,
        own * time.as_secs_f64() * 1e9 / beats,
        measured.timers as f64 / time.as_secs_f64(),
        measured.bytes_out,
    );
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let channels = numbers.first().copied().unwrap_or(100_000);
    let time = Duration::from_secs(60 * numbers.get(1).copied().unwrap_or(10) as u64);
    println!("{channels} silent channels on one loop, {} virtual minutes", time.as_secs() / 60);

    let nothing = measure(channels, time, |ch| {
        ch.pipeline().codec::<ByteBuf, _>("frames", LengthField::u16())
    });
    println!(
        "{:<44} {:>6.3} % of a core (turns with nothing to do; taken off below)",
        "no heartbeats",
        nothing.share_of_a_core * 100.0
    );
    let idle = nothing.share_of_a_core;

    let config = HeartbeatConfig::new(INTERVAL).misses(u32::MAX);
    let bookkeeping = measure(channels, time, move |ch| {
        let heartbeat = HeartbeatHandler::new(PayloadHeartbeat::new("ping", "pong"), &config);
        let frames = ch.pipeline().codec("frames", LengthField::u16());
        frames.outbound("swallow", Swallow).inbound("heartbeat", heartbeat)
    });
    report("heartbeats of 60 s without the sends", time, idle, &bookkeeping);

    let idle_state = measure(channels, time, |ch| {
        let frames = ch.pipeline().codec("frames", LengthField::u16());
        frames.inbound("idle", IdleStateHandler::<ByteBuf, ByteBuf>::new().all(INTERVAL))
    });
    report("IdleStateHandler of 60 s", time, idle, &idle_state);

    let config = HeartbeatConfig::new(INTERVAL);
    let whole = measure(channels, time, move |ch| {
        let heartbeat = HeartbeatHandler::new(PayloadHeartbeat::new("ping", "pong"), &config);
        ch.pipeline().codec("frames", LengthField::u16()).inbound("heartbeat", heartbeat)
    });
    report("heartbeats of 60 s, sent and answered", time, idle, &whole);
    // All were asked in time: in each minute but one at the edge.
    let minutes = (time.as_secs() / 60).saturating_sub(1) as usize;
    assert!(whole.bytes_out as usize >= channels * minutes * "..ping".len());
}
