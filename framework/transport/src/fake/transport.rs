//! The verbs of the waist, answered late and in parts.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::io;

use fyke_buffer::{ByteBuf, Pool};
use fyke_clock::Instant;
use fyke_core::driver::Readiness;
use fyke_core::transport::{
    CloseMode, Handle, Incoming, Membership, Read, Transport, TransportEvent, Wrote,
};
use fyke_core::{Address, ChannelKey, Datagram, Gather, SocketOptions};

use super::late::LateEvents;
use super::plan::Plan;
use super::script::{ReadStep, WriteStep};
use crate::local::LocalTransport;

/// See the [module](super).
pub(super) struct FakeTransport {
    inner: Box<dyn Transport>,
    plan: Plan,
    late: LateEvents,
    open: HashMap<Handle, Open>,
    owners: HashMap<ChannelKey, Handle>,
    /// The time of the last turn: while something is owed, the next one is wanted at once.
    now: Instant,
    /// Reused for the inner transport's events.
    inner_events: Vec<TransportEvent>,
}

/// What is known of one handle.
struct Open {
    owner: ChannelKey,
    listens: bool,
    reading: bool,
    /// A write has been answered `InFlight` and `Written` has not been told.
    in_flight: bool,
    /// The inner transport said that there is more, and has not said the contrary since.
    inner_more: bool,
    /// Read from the inner transport and not handed over yet.
    stash: ByteBuf,
    letters: VecDeque<Datagram>,
}

impl Open {
    fn has_rest(&self) -> bool {
        self.inner_more || !self.stash.is_empty() || !self.letters.is_empty()
    }

    /// The event that makes the channel come and take something.
    fn come_and_take(&self) -> TransportEvent {
        if self.listens {
            TransportEvent::Acceptable(self.owner)
        } else {
            TransportEvent::Readable(self.owner)
        }
    }
}

impl FakeTransport {
    pub(super) fn new(inner: Box<dyn Transport>, plan: Plan) -> Self {
        Self {
            inner,
            plan,
            late: LateEvents::default(),
            open: HashMap::new(),
            owners: HashMap::new(),
            now: Instant::ZERO,
            inner_events: Vec::new(),
        }
    }

    fn opened(&mut self, owner: ChannelKey, handle: Handle, listens: bool) {
        let open = Open {
            owner,
            listens,
            reading: true,
            in_flight: false,
            inner_more: false,
            stash: ByteBuf::new(),
            letters: VecDeque::new(),
        };
        self.open.insert(handle, open);
        self.owners.insert(owner, handle);
    }

    fn of(&mut self, handle: Handle) -> io::Result<&mut Open> {
        self.open.get_mut(&handle).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Owes `event`, unless one like it is owed already.
    fn owe(&mut self, handle: Handle, turns: u32, event: TransportEvent) {
        let repeats = matches!(
            event,
            TransportEvent::Readable(_)
                | TransportEvent::Writable(_)
                | TransportEvent::Acceptable(_)
                | TransportEvent::PeerClosed(_)
        );
        if !(repeats && self.late.holds(handle, &event)) {
            self.late.hold(handle, turns, event);
        }
    }

    /// Offers at most `bytes_max` to the inner transport, where it can be told so.
    fn offer(
        &mut self,
        handle: Handle,
        out: &mut Gather<'_>,
        bytes_max: usize,
    ) -> io::Result<Wrote> {
        match (&mut *self.inner as &mut dyn Any).downcast_mut::<LocalTransport>() {
            Some(local) => local.write_at_most(handle, out, bytes_max),
            None => self.inner.write(handle, out),
        }
    }

    /// Holds the inner transport's events back.
    fn absorb(&mut self) {
        let mut events = std::mem::take(&mut self.inner_events);
        for event in events.drain(..) {
            let Some(&handle) = owner_of(&event).and_then(|owner| self.owners.get(&owner)) else {
                continue;
            };
            let more = matches!(event, TransportEvent::Readable(_) | TransportEvent::Acceptable(_));
            if let (true, Some(open)) = (more, self.open.get_mut(&handle)) {
                // It may be told while there is still something in our own hands; what is handed
                // out then must not look like the last.
                open.inner_more = true;
            }
            let turns = self.plan.event_turns();
            self.owe(handle, turns, event);
        }
        self.inner_events = events;
    }

    /// Hands out the events whose turn has come.
    fn release(&mut self, events: &mut Vec<TransportEvent>) {
        for (handle, event) in self.late.due() {
            let Some(open) = self.open.get_mut(&handle) else { continue };
            match &event {
                // Told again when reading goes on: `has_rest` knows.
                TransportEvent::Readable(_) | TransportEvent::Acceptable(_) if !open.reading => {
                    continue;
                }
                // `Written` is going to say the same.
                TransportEvent::Writable(_) if open.in_flight => continue,
                TransportEvent::Written(..) => open.in_flight = false,
                _ => {}
            }
            events.push(event);
        }
    }

    /// Answers a read of which `piece` is handed over.
    fn hand_over(&mut self, handle: Handle, piece: ByteBuf, hide_rest: bool) -> io::Result<Read> {
        let open = self.of(handle)?;
        let (rest, owner) = (open.has_rest(), open.owner);
        if rest && hide_rest {
            self.owe(handle, 1, TransportEvent::Readable(owner));
        }
        Ok(Read::Data { bytes: piece, more: rest && !hide_rest })
    }
}

impl Transport for FakeTransport {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn listen(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        let (handle, address) = self.inner.listen(owner, address, options)?;
        self.opened(owner, handle, true);
        Ok((handle, address))
    }

    fn accept(&mut self, listener: Handle) -> io::Result<Option<(Incoming, Address)>> {
        let owner = self.of(listener)?.owner;
        let part = self.plan.part(1);
        if part.count == 0 {
            self.owe(listener, part.turns, TransportEvent::Acceptable(owner));
            return Ok(None);
        }
        let accepted = self.inner.accept(listener)?;
        self.of(listener)?.inner_more = accepted.is_some();
        Ok(accepted)
    }

    fn adopt(
        &mut self,
        owner: ChannelKey,
        incoming: Incoming,
        options: &SocketOptions,
    ) -> io::Result<Handle> {
        let handle = self.inner.adopt(owner, incoming, options)?;
        self.opened(owner, handle, false);
        Ok(handle)
    }

    fn connect(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<Handle> {
        let handle = self.inner.connect(owner, address, options)?;
        self.opened(owner, handle, false);
        Ok(handle)
    }

    fn datagram(
        &mut self,
        owner: ChannelKey,
        bind: Option<&Address>,
        peer: Option<&Address>,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        let (handle, address) = self.inner.datagram(owner, bind, peer, options)?;
        self.opened(owner, handle, false);
        Ok((handle, address))
    }

    fn read(&mut self, connection: Handle, want: usize, pool: &Pool) -> io::Result<Read> {
        let owner = self.of(connection)?.owner;
        let (bytes_max, hide_rest) = match self.plan.read() {
            ReadStep::Pass => (usize::MAX, false),
            ReadStep::Piece { bytes_max, hide_rest } => (bytes_max.max(1), hide_rest),
            ReadStep::Nothing { turns } => {
                self.owe(connection, turns, TransportEvent::Readable(owner));
                return Ok(Read::WouldBlock);
            }
        };
        let want = want.min(bytes_max).max(1);
        if self.of(connection)?.stash.is_empty() {
            let read = self.inner.read(connection, want, pool)?;
            let open = self.of(connection)?;
            let Read::Data { bytes, more } = read else {
                open.inner_more = false;
                return Ok(read);
            };
            open.inner_more = more;
            open.stash = bytes;
        }
        let open = self.of(connection)?;
        let piece = if open.stash.readable() <= want {
            std::mem::take(&mut open.stash)
        } else {
            open.stash.split_to(want)
        };
        self.hand_over(connection, piece, hide_rest)
    }

    fn receive(
        &mut self,
        endpoint: Handle,
        batch: &mut Vec<Datagram>,
        pool: &Pool,
    ) -> io::Result<bool> {
        if self.of(endpoint)?.letters.is_empty() {
            let mut received = Vec::new();
            let more = self.inner.receive(endpoint, &mut received, pool)?;
            let open = self.of(endpoint)?;
            open.letters.extend(received);
            open.inner_more = more;
        }
        let waiting = self.of(endpoint)?.letters.len();
        let part = self.plan.part(waiting);
        let open = self.of(endpoint)?;
        batch.extend(open.letters.drain(..part.count));
        let (rest, owner) = (open.has_rest(), open.owner);
        if rest && part.count == 0 {
            self.owe(endpoint, part.turns, TransportEvent::Readable(owner));
        }
        Ok(rest && part.count > 0)
    }

    /// # Panics
    /// When a write is in flight: the contract forbids another one, and this is a tool for tests.
    fn write(&mut self, connection: Handle, out: &mut Gather<'_>) -> io::Result<Wrote> {
        let open = self.of(connection)?;
        let owner = open.owner;
        assert!(!open.in_flight, "{owner:?} writes while a write is in flight");
        let (bytes_max, turns, completes) = match self.plan.write() {
            WriteStep::Pass => (usize::MAX, 0, false),
            WriteStep::Now { bytes_max, turns } => (bytes_max, turns, false),
            WriteStep::InFlight { bytes_max, turns } => (bytes_max.max(1), turns, true),
        };
        let taken = match bytes_max {
            0 => 0,
            _ => match self.offer(connection, out, bytes_max)? {
                Wrote::Now(taken) => taken,
                Wrote::InFlight => {
                    self.of(connection)?.in_flight = true;
                    return Ok(Wrote::InFlight);
                }
            },
        };
        if completes && taken > 0 {
            self.of(connection)?.in_flight = true;
            self.owe(connection, turns, TransportEvent::Written(owner, taken));
            return Ok(Wrote::InFlight);
        }
        // Stopped by us and not by the inner transport, which reports for itself.
        if taken == bytes_max {
            self.owe(connection, turns, TransportEvent::Writable(owner));
        }
        Ok(Wrote::Now(taken))
    }

    fn send(&mut self, endpoint: Handle, batch: &[Datagram]) -> io::Result<usize> {
        let owner = self.of(endpoint)?.owner;
        let part = self.plan.part(batch.len());
        if part.count < batch.len() {
            self.owe(endpoint, part.turns, TransportEvent::Writable(owner));
        }
        if part.count == 0 {
            return Ok(0);
        }
        self.inner.send(endpoint, &batch[..part.count])
    }

    fn set_reading(&mut self, connection: Handle, on: bool) {
        self.inner.set_reading(connection, on);
        let Some(open) = self.open.get_mut(&connection) else { return };
        open.reading = on;
        if on && open.has_rest() {
            let event = open.come_and_take();
            self.owe(connection, 1, event);
        }
    }

    fn shutdown(&mut self, connection: Handle) -> io::Result<()> {
        self.inner.shutdown(connection)
    }

    fn close(&mut self, handle: Handle, mode: CloseMode) {
        self.inner.close(handle, mode);
        self.late.forget(handle);
        if let Some(open) = self.open.remove(&handle) {
            self.owners.remove(&open.owner);
        }
    }

    fn local_address(&self, handle: Handle) -> io::Result<Address> {
        self.inner.local_address(handle)
    }

    fn membership(&mut self, endpoint: Handle, membership: Membership) -> io::Result<()> {
        self.inner.membership(endpoint, membership)
    }

    fn next_deadline(&self) -> Option<Instant> {
        let owes = !self.late.is_empty() || !self.inner_events.is_empty();
        if owes { Some(self.now) } else { self.inner.next_deadline() }
    }

    fn ready(&mut self, readiness: Readiness, _: &mut Vec<TransportEvent>) {
        self.inner.ready(readiness, &mut self.inner_events);
    }

    fn poll(&mut self, now: Instant, events: &mut Vec<TransportEvent>) {
        self.now = now;
        self.late.begin_turn();
        self.inner.poll(now, &mut self.inner_events);
        self.absorb();
        self.release(events);
    }
}

fn owner_of(event: &TransportEvent) -> Option<ChannelKey> {
    match event {
        TransportEvent::Acceptable(owner)
        | TransportEvent::Readable(owner)
        | TransportEvent::Writable(owner)
        | TransportEvent::PeerClosed(owner)
        | TransportEvent::Written(owner, _)
        | TransportEvent::Acked(owner, _)
        | TransportEvent::Connected(owner, _)
        | TransportEvent::Failed(owner, _) => Some(*owner),
        _ => None,
    }
}
