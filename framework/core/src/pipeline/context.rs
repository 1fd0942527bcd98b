//! What a handler's method can do: [`Ctx`].
//!
//! The operations that a method fires are kept in order and leave after it has returned. The first
//! one lies here, on the stack; further ones spill into a queue of the stage.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_clock::TimerKey;
use tracing::Instrument as _;

use crate::address::Address;
use crate::capabilities::Capabilities;
use crate::channel::core::ChannelCore;
use crate::channel::handle::Channel;
use crate::channel::sender::Sender;
use crate::channel::splice::Splicer;
use crate::driver::TransportId;
use crate::env::Env;
use crate::error::{CloseReason, LinkError, Result};
use crate::event::Signal;
use crate::event_loop::state::LoopState;
use crate::event_loop::timers::Timer;
use crate::options::ChannelOptions;
use crate::pipeline::cell::{Fired, FiredKind, Op, Place, Spill};
use crate::pipeline::edit::Edit;
use crate::promise::{Promise, WriteFuture};
use crate::transport::Membership;

/// The context of a handler's method: `O` is what it fires inwards, `W` what it writes.
///
/// Not `Send`; it lives as long as the method runs. See [`Context`](crate::handler::Context),
/// [`OutboundContext`](crate::handler::OutboundContext) and
/// [`DuplexContext`](crate::handler::DuplexContext) for its names in handlers.
pub struct Ctx<'a, O, W> {
    pub(super) fired: &'a mut Fired<O, W>,
    spill: &'a mut Spill<O, W>,
    pub(super) core: &'a mut ChannelCore,
    pub(super) state: &'a mut LoopState,
    pub(super) place: Place,
}

/// With so many operations of one method waiting to leave, the channel counts as not writable.
const FIRED_MAX: usize = 32;

impl<'a, O, W> Ctx<'a, O, W> {
    #[inline]
    pub(crate) fn new(
        fired: &'a mut Fired<O, W>,
        spill: &'a mut Spill<O, W>,
        core: &'a mut ChannelCore,
        state: &'a mut LoopState,
        place: Place,
    ) -> Self {
        Self { fired, spill, core, state, place }
    }

    /// The ticket up to which handles have to be heard before this method writes.
    #[inline]
    pub(super) fn drain_first(&self) -> Option<u64> {
        if self.place.passing { None } else { self.core.mailbox_issued() }
    }

    #[inline]
    pub(super) fn is_first(&self) -> bool {
        self.fired.kind == FiredKind::Nothing
    }

    /// Makes the place for the next operation free. What lies there goes to the spill, where what
    /// was fired earlier lies already: so the message at hand is never passed to a cold function,
    /// which would keep it in memory on the hot path, too.
    ///
    /// It does not unwind (a queue that cannot grow aborts), so no message has to be kept in memory
    /// to be dropped in that case.
    #[cold]
    #[inline(never)]
    #[allow(improper_ctypes_definitions, reason = "it is called from Rust only")]
    pub(super) extern "C" fn make_room(&mut self) {
        if let Some(op) = self.fired.take() {
            self.spill.get_or_insert_default().push_back(op);
        }
    }

    pub(super) fn push(&mut self, op: Op<O, W>) {
        if !self.is_first() {
            self.make_room();
        }
        self.fired.kind = FiredKind::Other;
        self.fired.other = Some(op);
    }

    /// Makes the place free for a write, behind what handles have to be heard of first. Does not
    /// unwind either.
    #[cold]
    #[inline(never)]
    #[allow(improper_ctypes_definitions, reason = "it is called from Rust only")]
    extern "C" fn make_way(&mut self, up_to: Option<u64>) {
        if let Some(ticket) = up_to {
            self.push(Op::Drain(ticket));
        }
        if !self.is_first() {
            self.make_room();
        }
    }

    // ---- messages ----

    /// Passes a message on to the next handler.
    #[inline(always)]
    pub fn fire_read(&mut self, msg: O) {
        if !self.is_first() {
            self.make_room();
        }
        self.fired.kind = FiredKind::Read;
        put(&mut self.fired.read, msg);
    }

    /// Sends a message towards the transport. It is flushed at the end of the turn.
    #[inline(always)]
    pub fn write(&mut self, msg: W) {
        self.write_with(msg, Promise::NONE);
    }

    /// Sends a message, with a promise to keep when the transport has taken it.
    #[inline(always)]
    pub fn write_with(&mut self, msg: W, promise: Promise) {
        // What handles wrote before this call goes first: order is order of issue.
        let up_to = self.drain_first();
        if up_to.is_some() || !self.is_first() {
            self.make_way(up_to);
        }
        self.fired.kind = FiredKind::Write;
        put(&mut self.fired.write, msg);
        std::mem::forget(std::mem::replace(&mut self.fired.promise, promise));
    }

    /// Sends a message; the future is ready when the transport has taken it (one allocation).
    pub fn write_with_promise(&mut self, msg: W) -> WriteFuture {
        let (promise, future) = Promise::new();
        self.write_with(msg, promise);
        future
    }

    /// Sends what was written now instead of at the end of the turn.
    pub fn flush(&mut self) {
        self.signal(Signal::Flush);
    }

    /// Closes the channel after what was written has been sent.
    pub fn close(&mut self) {
        self.signal(Signal::Close);
    }

    /// Closes the channel, once what was written has been sent, for a reason of the handler's.
    pub fn close_with(&mut self, reason: CloseReason) {
        self.core.reason.get_or_insert(reason);
        self.close();
    }

    /// Why the channel closes, once somebody has said so: a handler that has a farewell to send
    /// finds here what it is about.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.core.reason
    }

    /// Ends our direction after what was written has been sent; the peer may go on.
    pub fn shutdown(&mut self) {
        self.signal(Signal::Shutdown);
    }

    /// Closes the channel at once: what waits is dropped, and the peer sees a reset where the
    /// protocol has one.
    pub fn abort(&mut self) {
        self.core.abort_requested = true;
    }

    // ---- the pipeline ----

    /// Changes the pipeline: several edits, one transaction. They are checked here, against the
    /// pipeline as all edits before will leave it, and applied when this method has returned and
    /// what it fired before has left. Edits of several stages are applied in the order in which
    /// they were asked for. What the stage fires after an edit that removes the stage itself is
    /// dropped. [`Edit`] has an example.
    ///
    /// # Errors
    /// When the pipeline would not fit together; nothing is changed then.
    pub fn edit<R>(&mut self, edit: impl FnOnce(&mut Edit) -> R) -> Result<(), LinkError> {
        let ticket = Edit::plan(self.core, &mut self.state.shapes, edit)?;
        self.push(Op::Edit(ticket));
        Ok(())
    }

    // ---- reading ----

    /// Reads without being asked, or only on [`request_read`](Self::request_read).
    pub fn set_auto_read(&mut self, on: bool) {
        self.core.set_auto_read(on);
    }

    /// Whether messages are taken in at present: not while reading is switched off, the channel is
    /// not writable, or work is offloaded. Who waits for a peer to send has to wait for this first.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.core.may_pull()
    }

    /// With auto-read off: asks for one more message. Bytes that make no whole message do not
    /// count, so the request stands until a message arrives.
    pub fn request_read(&mut self) {
        self.core.request_read();
    }

    /// From now on, takes what arrives as [`Spliced`](crate::Spliced) events instead of messages,
    /// where the transport can do that, or not any more. The bytes do not enter the program; they can
    /// be written to another channel. What cannot be left outside still comes to
    /// [`read`](crate::InboundHandler::read), so a handler has to take both.
    ///
    /// Only the first handler that reads may ask: one in front of it would have to see the bytes.
    /// When it is not, or not any more, nothing is spliced.
    pub fn splice_reads(&mut self, on: bool) {
        let Place { slot, stage, .. } = self.place;
        self.core.splicer = if on { Splicer { slot, stage } } else { Splicer::NOBODY };
    }

    // ---- writing ----

    /// Whether the channel is below its water marks.
    ///
    /// What this method has written counts only after it has returned, so after some dozens of
    /// writes the answer is no, and `writability_changed` follows: a handler may well write while
    /// this says yes, and go on when it is told.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        if self.spill.as_ref().is_some_and(|spill| spill.len() >= FIRED_MAX) {
            self.core.told_to_wait.set(true);
            return false;
        }
        self.core.is_writable()
    }

    /// Bytes that wait to be sent, those that handlers hold included.
    #[must_use]
    pub fn pending_bytes(&self) -> u64 {
        self.core.pending_bytes()
    }

    /// Tells the channel that this handler holds `bytes` more (or fewer) of outbound data, so that
    /// they count towards the water marks.
    pub fn account(&mut self, bytes: i64) {
        self.core.account(bytes);
    }

    // ---- the world ----

    /// Time, date and randomness.
    pub fn env(&mut self) -> &mut Env {
        &mut self.state.env
    }

    /// A buffer of at least `capacity` bytes from the loop's pool.
    #[must_use]
    pub fn buffer(&self, capacity: usize) -> ByteBuf {
        self.state.pool.take(capacity)
    }

    /// Calls this handler's `timer` with `tag` after `delay`, unless the channel has ended by then.
    /// Costs no allocation once warm.
    pub fn schedule(&mut self, delay: Duration, tag: u64) -> TimerKey {
        let deadline = self.state.env.now() + delay;
        let timer = Timer::Stage {
            channel: self.core.key,
            slot: self.place.slot,
            stage: self.place.stage,
            tag,
        };
        let key = self.state.timers.schedule(deadline, timer);
        self.core.keep_timer(self.state, key);
        key
    }

    /// Cancels a timer of [`schedule`](Self::schedule); `false` when it has expired already.
    pub fn cancel(&mut self, timer: TimerKey) -> bool {
        self.state.timers.cancel(timer).is_some()
    }

    /// Moves a timer to `delay` from now; `false` when it has expired already.
    pub fn reschedule(&mut self, timer: TimerKey, delay: Duration) -> bool {
        let deadline = self.state.env.now() + delay;
        self.state.timers.reschedule(timer, deadline)
    }

    /// Runs work that blocks on another thread; [`Offloaded`](crate::Offloaded) has an example.
    /// This stage's input waits, in order, until `offloaded` has been called with the result.
    pub fn offload<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static) {
        self.core.offload(self.state, self.place.slot, self.place.stage, move || Box::new(work()));
        self.push(Op::Wait);
    }

    /// Runs a future on this loop, in the channel's span. It need not be `Send`.
    pub fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        match self.core.span.get() {
            None => self.state.spawn(future),
            Some(span) => self.state.spawn(future.instrument(span.clone())),
        }
    }

    // ---- the channel ----

    /// A handle of this channel for any thread.
    pub fn channel(&mut self) -> Channel {
        self.core.handle(self.state)
    }

    /// A typed sender of this channel for any thread; see [`Channel::sender`].
    ///
    /// # Errors
    /// When the tail of the pipeline does not take `M`.
    pub fn sender<M: Send + 'static>(&mut self) -> Result<Sender<M>, LinkError> {
        self.channel().sender()
    }

    /// The channel's options.
    #[must_use]
    pub fn options(&self) -> &Arc<ChannelOptions> {
        &self.core.options
    }

    /// The address of the other side.
    #[must_use]
    pub fn peer_address(&self) -> Option<&Address> {
        self.core.peer.as_ref()
    }

    /// The address of our side.
    #[must_use]
    pub fn local_address(&self) -> Option<Address> {
        self.core.local_address(self.state)
    }

    /// The transport that the channel lives on.
    #[must_use]
    pub fn transport(&self) -> TransportId {
        self.core.transport
    }

    /// What the transport can do beyond moving bytes; nothing when the channel is closed.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        let transport = self.state.transport(self.core.transport);
        match (transport, self.core.handle) {
            (Some(transport), Some(handle)) => transport.capabilities(handle),
            _ => Capabilities::new(),
        }
    }

    /// Joins or leaves a multicast group (datagram channels).
    ///
    /// # Errors
    /// Those of the transport.
    pub fn membership(&mut self, membership: Membership) -> std::io::Result<()> {
        self.core.membership(self.state, membership)
    }

    /// A value that handlers of this channel share, by its type. It need not be `Send`.
    #[must_use]
    pub fn attribute<T: 'static>(&self) -> Option<&T> {
        self.core.attributes.get()
    }

    /// The same, to change it.
    pub fn attribute_mut<T: 'static>(&mut self) -> Option<&mut T> {
        self.core.attributes.get_mut()
    }

    /// Sets the value of its type; answers the one before.
    pub fn set_attribute<T: 'static>(&mut self, value: T) -> Option<T> {
        self.core.attributes.set(value)
    }
}

/// Puts a message where none is, which the compiler need not find out to drop it.
#[inline(always)]
fn put<T>(place: &mut Option<T>, msg: T) {
    std::mem::forget(place.replace(msg));
}

impl<O, W> fmt::Debug for Ctx<'_, O, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx").field("channel", &self.core.key).finish_non_exhaustive()
    }
}
