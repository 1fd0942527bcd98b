//! A loop with several connections on a transport that the test plays, with level or edge
//! reports: what `EmbeddedChannel` is for one channel, made only of what the crate exports.

use std::any::Any;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fyke_buffer::{ByteBuf, Pool};
use fyke_clock::VirtualClock;
use fyke_core::driver::{Driver, Readiness, TransportId, Wakeup};
use fyke_core::event_loop::{Adopt, ChannelInit, ChannelSpec, LoopOptions};
use fyke_core::pipeline::IntoStages;
use fyke_core::transport::{
    CloseMode, Handle, Incoming, Read, Transport, TransportEvent, TransportFactory, TransportSeat,
    Wrote,
};
use fyke_core::{Address, ChannelKey, ChannelOptions, Datagram, EventLoop, Gather, SocketOptions};

/// How readiness is reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trigger {
    /// In every turn while there is something.
    Level,
    /// Once, when something comes.
    Edge,
}

#[derive(Default)]
pub(crate) struct Line {
    key: Option<ChannelKey>,
    inbound: VecDeque<u8>,
    ended: bool,
    end_reported: bool,
    /// Something has come that was not reported.
    news: bool,
    reading: bool,
    pub(crate) outbound: Vec<u8>,
    /// How many bytes each read asked for.
    pub(crate) wanted: Vec<usize>,
    /// Bytes that are taken until there is no room.
    pub(crate) room: Option<usize>,
    pub(crate) closed: Option<CloseMode>,
    pub(crate) shut_down: bool,
}

struct Lines {
    trigger: Trigger,
    /// Most bytes that one read gives.
    read_bytes_max: usize,
    lines: Vec<Line>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Lines>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap()
    }
}

pub(crate) struct Still;

impl Wakeup for Still {
    fn wake(&self) {}
}

impl Driver for Still {
    fn wait(&mut self, _: Option<Duration>, _: &mut Vec<Readiness>) -> io::Result<()> {
        Ok(())
    }

    fn waker(&self) -> Arc<dyn Wakeup> {
        Arc::new(Still)
    }

    fn registry(&self) -> &dyn Any {
        self
    }
}

/// The loop and its connections.
pub(crate) struct World {
    pub(crate) event_loop: EventLoop<Still, VirtualClock>,
    transport: TransportId,
    shared: Shared,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Trigger::Level, usize::MAX)
    }

    /// Reads give at most `read_bytes_max` bytes.
    pub(crate) fn with(trigger: Trigger, read_bytes_max: usize) -> Self {
        Self::with_options(trigger, read_bytes_max, LoopOptions::new(0, 0))
    }

    pub(crate) fn with_options(
        trigger: Trigger,
        read_bytes_max: usize,
        options: LoopOptions,
    ) -> Self {
        let lines = Lines { trigger, read_bytes_max, lines: Vec::new() };
        let shared = Shared(Arc::new(Mutex::new(lines)));
        let mut event_loop = EventLoop::new(Still, VirtualClock::new(), options);
        let transport = event_loop.transport(&shared).unwrap();
        Self { event_loop, transport, shared }
    }

    /// A connected channel; answers its line.
    pub(crate) fn connect<S: IntoStages>(
        &mut self,
        options: ChannelOptions,
        init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
    ) -> usize {
        let spec = ChannelSpec::new(options, init);
        self.adopt(&spec)
    }

    pub(crate) fn adopt(&mut self, spec: &ChannelSpec) -> usize {
        let line = self.shared.lock().lines.len();
        self.shared.lock().lines.push(Line { reading: true, ..Line::default() });
        let adopt = Adopt {
            transport: self.transport,
            incoming: Incoming::new(line),
            peer: Address::local("peer"),
            spec: spec.clone(),
        };
        self.event_loop.core().adopt(adopt).unwrap();
        line
    }

    /// Bytes of the peer arrive at `line`.
    pub(crate) fn feed(&mut self, line: usize, bytes: &[u8]) {
        let mut lines = self.shared.lock();
        lines.lines[line].inbound.extend(bytes);
        lines.lines[line].news = true;
    }

    /// The peer ends its side.
    pub(crate) fn end(&mut self, line: usize) {
        let mut lines = self.shared.lock();
        lines.lines[line].ended = true;
        lines.lines[line].news = true;
    }

    pub(crate) fn line<T>(&self, line: usize, look: impl FnOnce(&mut Line) -> T) -> T {
        look(&mut self.shared.lock().lines[line])
    }

    /// What has been sent on `line`.
    pub(crate) fn sent(&self, line: usize) -> Vec<u8> {
        self.line(line, |l| std::mem::take(&mut l.outbound))
    }

    /// One turn of the loop.
    pub(crate) fn turn(&mut self) {
        self.event_loop.turn(Some(Duration::ZERO)).unwrap();
    }

    /// So many turns that a small world has come to rest.
    pub(crate) fn settle(&mut self) {
        for _ in 0..200 {
            self.turn();
        }
    }

    pub(crate) fn advance(&mut self, time: Duration) {
        self.event_loop.clock().advance(time);
        self.settle();
    }
}

impl TransportFactory for Shared {
    fn key(&self) -> &'static str {
        "world"
    }

    fn create(&self, _: TransportSeat<'_>) -> io::Result<Box<dyn Transport>> {
        Ok(Box::new(self.clone()))
    }
}

impl Transport for Shared {
    fn name(&self) -> &'static str {
        "world"
    }

    fn listen(
        &mut self,
        _: ChannelKey,
        _: &Address,
        _: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn accept(&mut self, _: Handle) -> io::Result<Option<(Incoming, Address)>> {
        Ok(None)
    }

    fn adopt(
        &mut self,
        owner: ChannelKey,
        incoming: Incoming,
        _: &SocketOptions,
    ) -> io::Result<Handle> {
        let line: usize = incoming.take().map_err(|_| io::ErrorKind::InvalidInput)?;
        self.lock().lines[line].key = Some(owner);
        Ok(Handle(line as u64))
    }

    fn connect(&mut self, _: ChannelKey, _: &Address, _: &SocketOptions) -> io::Result<Handle> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn datagram(
        &mut self,
        _: ChannelKey,
        _: Option<&Address>,
        _: Option<&Address>,
        _: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn read(&mut self, handle: Handle, want: usize, pool: &Pool) -> io::Result<Read> {
        let mut lines = self.lock();
        let most = lines.read_bytes_max;
        let edge = lines.trigger == Trigger::Edge;
        let line = &mut lines.lines[handle.0 as usize];
        if line.wanted.len() < line.wanted.capacity() {
            line.wanted.push(want);
        }
        if line.inbound.is_empty() {
            return Ok(if line.ended { Read::End } else { Read::WouldBlock });
        }
        let n = line.inbound.len().min(want).min(most);
        let mut bytes = pool.take(n);
        for byte in line.inbound.drain(..n) {
            bytes.write_u8(byte);
        }
        // With level reports a short read may be called drained; the next report corrects it.
        let more = if edge { true } else { !line.inbound.is_empty() };
        Ok(Read::Data { bytes, more })
    }

    fn receive(&mut self, _: Handle, _: &mut Vec<Datagram>, _: &Pool) -> io::Result<bool> {
        Ok(false)
    }

    fn write(&mut self, handle: Handle, out: &mut Gather<'_>) -> io::Result<Wrote> {
        let mut lines = self.lock();
        let line = &mut lines.lines[handle.0 as usize];
        let offered = usize::try_from(out.offered()).unwrap();
        let n = line.room.map_or(offered, |room| room.min(offered));
        // Like `writev`, without a buffer in between: the tests of allocations count this, too.
        let mut slices = [IoSlice::new(&[]); 64];
        let filled = out.slices(&mut slices);
        let mut rest = n;
        for slice in &slices[..filled] {
            let taken = slice.len().min(rest);
            line.outbound.extend_from_slice(&slice[..taken]);
            rest -= taken;
        }
        if let Some(room) = &mut line.room {
            *room -= n;
        }
        Ok(Wrote::Now(n))
    }

    fn send(&mut self, _: Handle, batch: &[Datagram]) -> io::Result<usize> {
        Ok(batch.len())
    }

    fn set_reading(&mut self, handle: Handle, on: bool) {
        self.lock().lines[handle.0 as usize].reading = on;
    }

    fn shutdown(&mut self, handle: Handle) -> io::Result<()> {
        self.lock().lines[handle.0 as usize].shut_down = true;
        Ok(())
    }

    fn close(&mut self, handle: Handle, mode: CloseMode) {
        let mut lines = self.lock();
        let line = &mut lines.lines[handle.0 as usize];
        line.closed = Some(mode);
        line.key = None;
    }

    fn local_address(&self, _: Handle) -> io::Result<Address> {
        Ok(Address::local("here"))
    }

    fn ready(&mut self, _: Readiness, _: &mut Vec<TransportEvent>) {}

    fn poll(&mut self, _: fyke_clock::Instant, events: &mut Vec<TransportEvent>) {
        let mut lines = self.lock();
        let level = lines.trigger == Trigger::Level;
        for line in &mut lines.lines {
            let Some(key) = line.key else { continue };
            let readable = if level {
                line.reading && (!line.inbound.is_empty() || line.ended)
            } else {
                std::mem::take(&mut line.news)
            };
            if line.ended && !std::mem::replace(&mut line.end_reported, true) {
                events.push(TransportEvent::PeerClosed(key));
            }
            if readable {
                events.push(TransportEvent::Readable(key));
            }
            if line.room.is_none_or(|room| room > 0) {
                events.push(TransportEvent::Writable(key));
            }
        }
    }
}

/// The bytes of a buffer as text.
pub(crate) fn text(bytes: &ByteBuf) -> String {
    String::from_utf8_lossy(bytes.as_slice()).into_owned()
}
