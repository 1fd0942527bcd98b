//! The transport: a stack, the device that carries its frames, and the loop's turn.
//!
//! ```text
//! wait -> ready -> poll: time, frames in batches -> Stack::input -> events
//!         channels: read, write (nothing leaves yet)
//!         turn_ended: Stack::poll_transmit -> device, flush
//! ```

use std::fmt;
use std::io;
use std::sync::Arc;

use fyke_buffer::Pool;
use fyke_clock::Instant;
use fyke_core::driver::Readiness;
use fyke_core::transport::{
    CloseMode, Handle, Incoming, Membership, Read, Transport, TransportEvent, TransportSeat, Wrote,
};
use fyke_core::{Address, ChannelKey, Datagram, Gather, SocketOptions};
use fyke_stack::{Stack, TxSink};

use super::crew::{Crew, Place};
use super::device::{Device, Frame};
use super::error::Failure;
use super::forward::{Forwarding, Offer, Policy};
use super::handle::find;
use super::options::Configs;
use super::sockets::Sockets;
use super::table::{Kind, Table};

/// Under what key the device reports.
const DEVICE_KEY: u64 = 0;
/// Under what key other loops tell of frames that they left for this one.
pub(super) const DESK_KEY: u64 = 1;
/// Frames that are received at a time.
const BATCH: usize = 64;
/// Frames that are received, and that are sent, in one turn at most: then channels have theirs.
const FRAMES_PER_TURN: usize = 1024;
/// Bytes that are received in one turn at most. Frames may stand for many; what a turn brings should
/// still be in the processor's cache when the channels read it.
const BYTES_PER_TURN: usize = 256 * 1024;

/// The transport of one loop over fyke's own stack.
///
/// [`Userspace`](super::Userspace) makes it from options. Who configures a [`Stack`] himself, as a
/// simulation does, makes it here.
pub struct StackTransport<D: Device> {
    sockets: Sockets,
    device: D,
    /// Pieces of files on their way.
    pool: Pool,
    frames: Vec<Frame>,
    /// The other loops of this host.
    crew: Option<Crew>,
    /// The device may have frames.
    receivable: bool,
    /// What happened when nobody was there to be told.
    late: Vec<TransportEvent>,
}

impl<D: Device> StackTransport<D> {
    /// A transport over `stack`, whose frames `device` carries.
    ///
    /// # Errors
    /// When the device does not work with the loop's driver.
    pub fn new(seat: TransportSeat<'_>, stack: Stack, mut device: D) -> io::Result<Self> {
        device.attach(&seat, DEVICE_KEY)?;
        let config = stack.config();
        let ports = config.ports.clone();
        let span = u64::from(ports.end() - ports.start()) + 1;
        let first = ports.start() + (seat.env.random() % span) as u16;
        let mut base = config.tcp.clone();
        base.gso_bytes_max = base.gso_bytes_max.max(config.offload.gso_bytes_max);
        Ok(Self {
            sockets: Sockets {
                now: seat.env.now(),
                id: seat.id,
                handle: seat.handle,
                streams: Table::new(),
                listeners: Table::new(),
                datagrams: Table::new(),
                configs: Configs::new(base),
                notices: Vec::new(),
                next_port: first,
                forwarding: None,
                stray: None,
                observers: Vec::new(),
                failure: None,
                stack,
            },
            device,
            pool: Pool::new(),
            frames: Vec::with_capacity(BATCH),
            crew: None,
            receivable: true,
            late: Vec::new(),
        })
    }

    /// The stack, to look at.
    #[must_use]
    pub fn stack(&self) -> &Stack {
        &self.sockets.stack
    }

    /// The stack, to change its addresses and routes. Connections belong to the channels.
    pub fn stack_mut(&mut self) -> &mut Stack {
        &mut self.sockets.stack
    }

    /// The device.
    pub fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Offers every SYN that nobody listens for to `policy`; see
    /// [`StackOptions::forward`](super::StackOptions::forward). The stack's configuration says whether
    /// that means SYNs to any address, or only to its own.
    pub fn forward(&mut self, policy: impl Fn(Offer) + Send + Sync + 'static) {
        self.set_policy(Arc::new(policy));
    }

    pub(super) fn set_policy(&mut self, policy: Policy) {
        let seat = (self.sockets.handle.clone(), self.sockets.id);
        self.sockets.forwarding = Some(Forwarding::new(policy, seat, find::<D>));
    }

    /// Takes part in a host of several loops. The stack was made with the place's
    /// [`shard`](Place::shard).
    pub fn join(&mut self, place: Place) {
        let Sockets { handle, id, stack, .. } = &self.sockets;
        self.crew = Some(place.sit(handle.clone(), *id, stack.config().medium));
    }

    pub(super) fn sockets(&mut self) -> &mut Sockets {
        &mut self.sockets
    }

    /// Takes frames until there are none or the turn's share is used.
    fn receive(&mut self) -> io::Result<()> {
        let (mut left, mut bytes) = (FRAMES_PER_TURN, BYTES_PER_TURN);
        while self.receivable && left > 0 && bytes > 0 {
            let more = self.device.receive(&mut self.frames, BATCH.min(left));
            left = left.saturating_sub(self.frames.len().max(1));
            let received = self.frames.iter().map(|frame| frame.bytes.len()).sum();
            bytes = bytes.saturating_sub(received);
            if let Some(crew) = &mut self.crew {
                crew.sort(&mut self.frames);
            }
            self.input();
            self.receivable = more?;
        }
        Ok(())
    }

    fn input(&mut self) {
        for frame in self.frames.drain(..) {
            self.sockets.stack.input(self.sockets.now, frame.bytes, frame.meta);
        }
    }

    /// Takes what other loops have received for this one.
    fn take_handed(&mut self, events: &mut Vec<TransportEvent>) {
        if let Some(crew) = self.crew.as_ref().filter(|_| self.sockets.failure.is_none()) {
            crew.take(&mut self.frames);
            self.input();
            self.sockets.report(events);
        }
    }

    fn receive_and_report(&mut self, events: &mut Vec<TransportEvent>) {
        if self.sockets.failure.is_some() {
            return;
        }
        let received = self.receive();
        self.sockets.report(events);
        if let Err(error) = received {
            self.fail(&error, events);
        }
    }

    /// Sends what the stack has, as long as the device takes it.
    fn transmit(&mut self) -> io::Result<()> {
        let Sockets { stack, now, failure, .. } = &mut self.sockets;
        if failure.is_some() {
            return Ok(());
        }
        if stack.wants_transmit() && TxSink::ready(&self.device) {
            stack.poll_transmit(*now, &mut self.device, FRAMES_PER_TURN);
        }
        self.device.flush()
    }

    /// The device is gone, and with it every channel of this transport; nothing else is.
    fn fail(&mut self, error: &io::Error, events: &mut Vec<TransportEvent>) {
        let device = self.device.name();
        tracing::error!(device, %error, "the device is gone: its channels end");
        let failure = Failure::new(device, error);
        self.receivable = false;
        self.sockets.fail(failure, events);
    }
}

impl<D: Device> Transport for StackTransport<D> {
    fn name(&self) -> &'static str {
        "userspace"
    }

    fn listen(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        self.sockets.listen(owner, address, options)
    }

    fn accept(&mut self, listener: Handle) -> io::Result<Option<(Incoming, Address)>> {
        self.sockets.accept(listener)
    }

    fn adopt(
        &mut self,
        owner: ChannelKey,
        incoming: Incoming,
        options: &SocketOptions,
    ) -> io::Result<Handle> {
        self.sockets.adopt(owner, incoming, options)
    }

    fn connect(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<Handle> {
        self.sockets.connect(owner, address, options)
    }

    fn datagram(
        &mut self,
        owner: ChannelKey,
        bind: Option<&Address>,
        peer: Option<&Address>,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        self.sockets.datagram(owner, bind, peer, options)
    }

    #[inline]
    fn read(&mut self, connection: Handle, want: usize, pool: &Pool) -> io::Result<Read> {
        self.sockets.read(connection, want, pool)
    }

    fn receive(
        &mut self,
        endpoint: Handle,
        batch: &mut Vec<Datagram>,
        pool: &Pool,
    ) -> io::Result<bool> {
        self.sockets.receive(endpoint, batch, pool)
    }

    #[inline]
    fn write(&mut self, connection: Handle, out: &mut Gather<'_>) -> io::Result<Wrote> {
        self.sockets.write(connection, out, &self.pool)
    }

    fn send(&mut self, endpoint: Handle, batch: &[Datagram]) -> io::Result<usize> {
        self.sockets.send(endpoint, batch)
    }

    fn set_reading(&mut self, connection: Handle, on: bool) {
        self.sockets.set_reading(connection, on);
    }

    fn shutdown(&mut self, connection: Handle) -> io::Result<()> {
        self.sockets.shutdown(connection)
    }

    fn close(&mut self, handle: Handle, mode: CloseMode) {
        if Kind::of(handle) == Kind::Datagram && mode == CloseMode::Orderly {
            // What was sent leaves before its socket is gone.
            if let Err(error) = self.transmit() {
                let mut late = std::mem::take(&mut self.late);
                self.fail(&error, &mut late);
                self.late = late;
            }
        }
        self.sockets.close(handle, mode);
    }

    fn local_address(&self, handle: Handle) -> io::Result<Address> {
        self.sockets.local_address(handle)
    }

    fn membership(&mut self, endpoint: Handle, membership: Membership) -> io::Result<()> {
        self.sockets.membership(endpoint, membership)
    }

    fn is_delivering(&self) -> bool {
        self.sockets.failure.is_none() && self.sockets.is_delivering()
    }

    fn reports_acks(&self) -> bool {
        self.sockets.stack.config().report_acks
    }

    fn next_deadline(&self) -> Option<Instant> {
        let Sockets { stack, now, failure, .. } = &self.sockets;
        if !self.late.is_empty() {
            return Some(*now);
        }
        if failure.is_some() {
            return None;
        }
        let sendable = stack.wants_transmit() && TxSink::ready(&self.device);
        if self.receivable || sendable || self.sockets.has_news() {
            return Some(*now);
        }
        stack.poll_timeout()
    }

    fn ready(&mut self, readiness: Readiness, events: &mut Vec<TransportEvent>) {
        match readiness.token.key() {
            DEVICE_KEY => {}
            DESK_KEY => return self.take_handed(events),
            other => return self.sockets.abandoned(other),
        }
        if self.sockets.failure.is_some() {
            return;
        }
        Device::ready(&mut self.device, readiness);
        self.receivable = true;
        let Readiness { readable, writable, peer_closed, hangup, .. } = readiness;
        if !(readable || writable || peer_closed || hangup) {
            // Somebody has notified the loop: this turn's poll is over, and need not be waited for.
            self.receive_and_report(events);
        }
    }

    fn poll(&mut self, now: Instant, events: &mut Vec<TransportEvent>) {
        self.sockets.now = now;
        events.append(&mut self.late);
        if self.sockets.failure.is_some() {
            return;
        }
        if self.sockets.stack.poll_timeout().is_some_and(|at| at <= now) {
            self.sockets.stack.handle_timeout(now);
        }
        self.receive_and_report(events);
    }

    fn turn_ended(&mut self, now: Instant) {
        self.sockets.now = now;
        if let Err(error) = self.transmit() {
            let mut late = std::mem::take(&mut self.late);
            self.fail(&error, &mut late);
            self.late = late;
        }
    }
}

impl<D: Device> fmt::Debug for StackTransport<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackTransport")
            .field("device", &self.device.name())
            .field("stack", &self.sockets.stack)
            .field("streams", &self.sockets.streams.len())
            .finish_non_exhaustive()
    }
}
