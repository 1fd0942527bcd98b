//! A channel without a network, on virtual time: for tests, fuzzers and benches.
//!
//! It runs the same loop, channel and pipeline as a real one; only the driver and the transport
//! are others. Nothing happens by itself: bytes arrive when they are written, time passes when it
//! is advanced.

mod acks;
mod feed;
mod wire;

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_clock::{Clock, Instant, VirtualClock};

use self::wire::{EmbeddedTransport, StillDriver, Wire};
use crate::address::Address;
use crate::channel::core::{Captured, ChannelCore, State};
use crate::channel::turn::Work;
use crate::channel::{Channel, ChannelKey};
use crate::error::{CloseReason, Error, LinkError, Result};
use crate::event_loop::{ChannelInit, ChannelSpec, EventLoop, LoopCore, LoopOptions};
use crate::handler::Never;
use crate::options::ChannelOptions;
use crate::outgoing::Datagram;
use crate::pipeline::link::{Head, TypeRow};
use crate::pipeline::{Ctx, IntoStages};
use crate::promise::{Promise, WriteFuture};
use crate::transport::{Incoming, TransportEvent};

pub use feed::MessageChannel;

/// See the [module](self).
///
/// ```
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::{Context, InboundHandler, Never, Outgoing, Result};
/// use fyke_buffer::ByteBuf;
///
/// struct Echo;
/// impl InboundHandler for Echo {
///     type In = ByteBuf;
///     type Out = Never;
///     type Write = Outgoing;
///     fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
///         cx.write(msg.into());
///         Ok(())
///     }
/// }
///
/// let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().inbound("echo", Echo));
/// channel.write_inbound(b"hello");
/// assert_eq!(channel.read_outbound(), b"hello");
/// ```
pub struct EmbeddedChannel {
    event_loop: EventLoop<StillDriver, VirtualClock>,
    key: ChannelKey,
    wire: Rc<RefCell<Wire>>,
    handle: Channel,
    captured: Rc<RefCell<Captured>>,
}

impl EmbeddedChannel {
    /// A connected channel with default options.
    ///
    /// # Panics
    /// When the pipeline cannot be built.
    pub fn new<S: IntoStages>(
        init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
    ) -> Self {
        Self::with_options(ChannelOptions::default(), init)
    }

    /// A connected channel.
    ///
    /// # Panics
    /// When the pipeline cannot be built.
    pub fn with_options<S: IntoStages>(
        options: ChannelOptions,
        init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
    ) -> Self {
        let spec = ChannelSpec::new(options, init);
        match Self::build(&spec, Head::Stream) {
            Ok(channel) => channel,
            Err(error) => panic!("the pipeline cannot be built: {error}"),
        }
    }

    /// A datagram channel.
    ///
    /// # Panics
    /// When the pipeline cannot be built.
    pub fn datagram<S: IntoStages>(
        init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
    ) -> Self {
        let spec = ChannelSpec::new(ChannelOptions::default(), init);
        match Self::build(&spec, Head::Datagram) {
            Ok(channel) => channel,
            Err(error) => panic!("the pipeline cannot be built: {error}"),
        }
    }

    /// A connected channel, or why its pipeline cannot be built.
    ///
    /// # Errors
    /// Those of the initialiser, and of a pipeline that does not fit together.
    pub fn try_new<S: IntoStages>(
        options: ChannelOptions,
        init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::build(&ChannelSpec::new(options, init), Head::Stream)
    }

    fn build(spec: &ChannelSpec, head: Head) -> Result<Self> {
        let clock = VirtualClock::new();
        let mut event_loop = EventLoop::new(StillDriver, clock, LoopOptions::new(0, 0));
        let wire = Rc::new(RefCell::new(Wire::default()));
        let transport = event_loop.core().state.next_transport_id();
        let table = Box::new(EmbeddedTransport(Rc::clone(&wire)));
        event_loop.core().state.add_transport("embedded", table);
        let captured = Rc::<RefCell<Captured>>::default();
        let core = event_loop.core();
        let (handle, key) =
            core.adopt_embedded(transport, head, Incoming::new(()), spec, Rc::clone(&captured))?;
        let mut this = Self { event_loop, key, wire, handle, captured };
        this.run_pending();
        Ok(this)
    }

    // ---- the transport's end ----

    /// Bytes arrive. What follows from that happens before this returns.
    pub fn write_inbound(&mut self, bytes: impl Into<ByteBuf>) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            self.wire.borrow_mut().inbound.push_back(bytes);
        }
        self.readable();
    }

    /// A datagram arrives.
    pub fn receive_inbound(&mut self, datagram: Datagram) {
        self.wire.borrow_mut().datagrams_in.push_back(datagram);
        self.readable();
    }

    /// The peer sends its end, behind what it has sent before.
    pub fn finish_inbound(&mut self) {
        self.wire.borrow_mut().ended = true;
        self.event(TransportEvent::PeerClosed(self.key));
        self.readable();
    }

    /// The connection breaks.
    pub fn break_connection(&mut self, error: io::Error) {
        self.event(TransportEvent::Failed(self.key, error));
    }

    /// Takes what has been sent.
    #[must_use]
    pub fn read_outbound(&mut self) -> ByteBuf {
        self.wire.borrow_mut().read_outbound()
    }

    /// Takes the datagrams that have been sent.
    #[must_use]
    pub fn sent_datagrams(&mut self) -> Vec<Datagram> {
        std::mem::take(&mut self.wire.borrow_mut().datagrams_out)
    }

    /// How many write operations the transport has seen.
    #[must_use]
    pub fn write_calls(&self) -> usize {
        self.wire.borrow().write_calls
    }

    /// From now on the transport takes only so many bytes more (`None`: any number). What waits is
    /// sent when there is room.
    pub fn set_room(&mut self, room: Option<usize>) {
        self.wire.borrow_mut().room = room;
        self.event(TransportEvent::Writable(self.key));
    }

    /// From now on writes stay in flight until [`complete_write`](Self::complete_write).
    pub fn hold_writes(&mut self, hold: bool) {
        self.wire.borrow_mut().hold = hold;
    }

    /// Completes the write in flight with `n` bytes taken, or all.
    pub fn complete_write(&mut self, n: Option<usize>) {
        let taken = self.wire.borrow_mut().complete(n);
        if let Some(taken) = taken {
            self.event(TransportEvent::Written(self.key, taken));
        }
    }

    /// Whether our end has been sent.
    #[must_use]
    pub fn output_ended(&self) -> bool {
        self.wire.borrow().shut_down
    }

    fn readable(&mut self) {
        self.event(TransportEvent::Readable(self.key));
    }

    fn event(&mut self, event: TransportEvent) {
        self.event_loop.core().turn_of(self.key, Work::Event(event));
        self.run_pending();
    }

    // ---- the application's end ----

    /// The next message that reached the tail.
    ///
    /// # Panics
    /// When it is not a `T`.
    pub fn read_inbound<T: 'static>(&mut self) -> Option<T> {
        let message = self.captured.borrow_mut().messages.pop_front()?;
        match message.downcast() {
            Ok(message) => Some(*message),
            Err(_) => panic!("the next message is no {}", std::any::type_name::<T>()),
        }
    }

    /// All messages that reached the tail.
    pub fn drain_inbound<T: 'static>(&mut self) -> Vec<T> {
        std::iter::from_fn(|| self.read_inbound()).collect()
    }

    /// Writes a message into the tail, as a handle would.
    ///
    /// # Errors
    /// When the last stage that writes does not take `M`.
    pub fn write_outbound<M: 'static>(&mut self, msg: M) -> Result<WriteFuture, LinkError> {
        let (promise, future) = Promise::new();
        let takes = self.channel_core().and_then(|core| core.shape.as_ref().map(|s| s.tail));
        if let Some(takes) = takes {
            let writes = TypeRow::of::<M>();
            if !takes.is(&writes) {
                return Err(LinkError::Mismatch {
                    direction: "outbound",
                    from: "test",
                    produces: writes.name,
                    to: "tail",
                    takes: takes.name,
                });
            }
        }
        self.event_loop.core().with_channel(self.key, move |channel, state| {
            channel.write_from_tail(state, msg, promise);
        });
        self.run_pending();
        Ok(future)
    }

    /// Runs `task` with a context behind the last stage.
    pub fn run(&mut self, task: impl FnOnce(&mut Ctx<'_, Never, Never>) + 'static) {
        self.event_loop.core().with_channel(self.key, move |channel, state| {
            channel.run_at_tail(state, task);
        });
        self.run_pending();
    }

    /// Fires a user event at the head.
    pub fn fire_event<E: 'static>(&mut self, event: E) {
        self.event_loop.core().with_channel(self.key, move |channel, state| {
            channel.fire_event(state, Box::new(event));
        });
        self.run_pending();
    }

    /// A copy of an attribute of the channel.
    pub fn attribute<T: Clone + 'static>(&mut self) -> Option<T> {
        self.channel_core()?.attributes.get().cloned()
    }

    /// The first error that reached the tail and was not taken yet.
    pub fn take_error(&mut self) -> Option<Error> {
        self.captured.borrow_mut().errors.pop_front()
    }

    /// A handle of the channel.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.handle.clone()
    }

    /// Whether it is neither closed nor about to be.
    #[must_use]
    pub fn is_open(&mut self) -> bool {
        self.channel_core().is_some_and(|core| core.state == State::Open)
    }

    /// Whether it is below its water marks.
    #[must_use]
    pub fn is_writable(&mut self) -> bool {
        self.channel_core().is_some_and(|core| core.is_writable())
    }

    /// Whether it asks the transport to read.
    #[must_use]
    pub fn is_reading(&mut self) -> bool {
        self.channel_core().is_some_and(|core| core.reading)
    }

    /// Bytes that wait to be sent.
    #[must_use]
    pub fn pending_bytes(&mut self) -> u64 {
        self.channel_core().map_or(0, |core| core.pending_bytes())
    }

    /// Why it is closed.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.handle.close_reason()
    }

    /// The names of the stages, from the head to the tail.
    #[must_use]
    pub fn stages(&mut self) -> Vec<&'static str> {
        let channel = self.event_loop.core().channel_mut(self.key);
        channel.map_or_else(Vec::new, |channel| {
            channel.pipeline.order().map(|s| channel.pipeline.slots[s as usize].name).collect()
        })
    }

    fn channel_core(&mut self) -> Option<&mut ChannelCore> {
        self.event_loop.core().channel_mut(self.key).map(|channel| &mut channel.core)
    }

    // ---- time ----

    /// The loop's time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.event_loop.clock().now()
    }

    /// Lets time pass: timers expire on the way, each at its time.
    pub fn advance(&mut self, time: Duration) {
        self.run_pending();
        let end = self.now() + time;
        while let Some(next) = self.event_loop.core().state.timers.next_deadline() {
            if next > end {
                break;
            }
            self.event_loop.clock().set(next.max(self.now()));
            self.run_pending();
        }
        self.event_loop.clock().set(end);
        self.run_pending();
    }

    /// Runs the loop until nothing is left to do now.
    pub fn run_pending(&mut self) {
        for _ in 0..TURNS_MAX {
            // The driver of an embedded channel cannot fail.
            let _ = self.event_loop.turn(Some(Duration::ZERO));
            if self.event_loop.is_idle() {
                return;
            }
        }
        panic!("an embedded channel does not come to rest within {TURNS_MAX} turns");
    }

    /// The loop's table, to schedule and to spawn.
    pub fn event_loop(&mut self) -> &mut LoopCore {
        self.event_loop.core()
    }

    /// The clock, which may be advanced from inside handlers to play one that blocks.
    #[must_use]
    pub fn clock(&self) -> VirtualClock {
        self.event_loop.clock().clone()
    }
}

/// A channel that has more to do than so many turns is caught in a loop.
const TURNS_MAX: usize = 100_000;

impl fmt::Debug for EmbeddedChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedChannel").field("channel", &self.handle).finish_non_exhaustive()
    }
}

impl LoopCore {
    fn adopt_embedded(
        &mut self,
        transport: crate::driver::TransportId,
        head: Head,
        incoming: Incoming,
        spec: &ChannelSpec,
        captured: Rc<RefCell<Captured>>,
    ) -> Result<(Channel, ChannelKey)> {
        let peer = Address::local("embedded-peer");
        let mut channel = self.new_channel(transport, head, spec, Some(peer));
        let key = channel.core.key;
        let table = self.state.transport_mut(transport).ok_or_else(Error::closed)?;
        channel.core.handle =
            Some(table.adopt(key, incoming, &Arc::clone(spec.options()).socket)?);
        channel.core.captured = Some(captured);
        channel.core.set_active();
        let handle = channel.core.handle(&self.state);
        self.install(channel, spec)?;
        Ok((handle, key))
    }
}
