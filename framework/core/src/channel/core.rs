//! The state of a channel that is not its pipeline: what handlers' contexts act on.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fyke_clock::TimerKey;

use crate::address::Address;
use crate::channel::ChannelKey;
use crate::channel::attributes::LocalAttributes;
use crate::channel::datagrams::Datagrams;
use crate::channel::handle::Channel;
use crate::channel::mailbox::ChannelShared;
use crate::channel::outbound::Outbound;
use crate::channel::progress::Progress;
use crate::channel::span::ChannelSpan;
use crate::channel::splice::Splicer;
use crate::driver::TransportId;
use crate::error::{CloseReason, Error, LinkError};
use crate::event_loop::state::LoopState;
use crate::event_loop::timers::Timer;
use crate::options::ChannelOptions;
use crate::pipeline::edit::Plans;
use crate::pipeline::link::{END, Head};
use crate::pipeline::shape::Shape;
use crate::transport::{Handle, Membership};

/// Told once what became of a connect.
pub(crate) type OnConnect = Box<dyn FnOnce(Result<Channel, Error>) + Send>;

/// Where a channel is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Connecting,
    Open,
    /// What was written is still being sent.
    Closing,
    /// Our end has been sent; the peer's remaining bytes are dropped.
    Lingering,
    Closed,
}

/// What reached the tail of a test channel.
#[derive(Default)]
pub(crate) struct Captured {
    pub(crate) messages: VecDeque<Box<dyn Any>>,
    pub(crate) errors: VecDeque<Error>,
}

/// Whether the transport has reported the peer's end while it was not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PeerEnd {
    None,
    Reported,
    /// And handlers know.
    Told,
}

/// Its fields stand in the order in which they lie in memory: a channel's lines have left the cache when
/// its next turn comes, so what every turn looks at lies together, and what is tested most lies first,
/// where an instruction needs one byte to name it.
#[repr(C)]
pub(crate) struct ChannelCore {
    // Looked at in every turn.
    pub(crate) state: State,
    pub(crate) head: Head,
    pub(crate) transport: TransportId,
    pub(crate) peer_end: PeerEnd,
    /// The transport may have something to read: a bit that stays until it was found empty.
    pub(crate) read_ready: bool,
    /// What the transport was last told of our wish to read.
    pub(crate) reading: bool,
    pub(crate) input_ended: bool,
    /// It stands in the loop's ready list.
    pub(crate) queued: bool,
    /// The water marks were crossed and handlers have not been told.
    pub(crate) edge: bool,
    /// A handler asked whether it may write on in the same breath, was told no, and waits to be
    /// told otherwise.
    pub(crate) told_to_wait: Cell<bool>,
    /// Stages hold bytes that were not decoded.
    pub(crate) has_rests: bool,
    /// Stages hold messages that were put off.
    pub(crate) backlog: bool,
    /// The transport is full and will report when it is not.
    pub(crate) write_blocked: bool,
    /// The transport works on a write and will report when it is done.
    pub(crate) in_flight: bool,
    /// With auto-flush off: what waits has been asked to leave.
    pub(crate) flush_requested: bool,
    /// Our end is to be sent behind what is written.
    pub(crate) shutdown_requested: bool,
    pub(crate) abort_requested: bool,
    pub(crate) unwritable: bool,
    auto_read: bool,
    /// A stage has to hear from the peer before what is written can leave.
    pub(crate) reads_while_unwritable: bool,
    /// Some stage pulls messages out of bytes.
    pub(crate) pulls: bool,
    pub(crate) small_reads: u8,
    pub(crate) depth: u16,
    /// The slot whose code runs.
    pub(crate) running: u16,
    pub(crate) read_size: u32,
    demand: u32,
    /// Pieces of offloaded work that stages wait for.
    pub(super) offloads: u32,
    /// Pauses of reading that are not over.
    pub(super) pauses: u32,
    /// Who takes what is read as regions.
    pub(crate) splicer: Splicer,
    pub(crate) options: Arc<ChannelOptions>,
    pub(crate) handle: Option<Handle>,
    pub(crate) key: ChannelKey,
    pub(crate) shared: Option<Arc<ChannelShared>>,
    pub(crate) span: ChannelSpan,
    pub(crate) datagrams: Datagrams,
    pub(super) datagram_bytes: u64,
    /// Bytes that handlers hold.
    pub(super) accounted: u64,
    /// That of the options, but never above their limit: so a channel below it is below that, too.
    pub(super) high_water_mark: u64,
    pub(crate) outbound: Outbound,
    pub(crate) progress: Progress,
    pub(crate) plans: Plans,
    /// Mailbox entries that have been handled.
    pub(crate) drained: u64,

    // And not.
    /// The pipeline's, as it will be when `plans` have been applied.
    pub(crate) shape: Option<Rc<Shape>>,
    pub(crate) attributes: LocalAttributes,
    /// What lives as long as the connection. Few have one: a thin pointer to the fat one.
    pub(crate) guard: Option<Box<Box<dyn Any + Send>>>,
    pub(crate) peer: Option<Address>,
    pub(crate) close_timer: Option<TimerKey>,
    /// What waited to be sent when that timer began: less now means that the peer still reads.
    pub(crate) close_pending: u64,
    /// Timers of its handlers, some of which may have expired.
    pub(crate) timers: Vec<TimerKey>,
    /// Who waits for the connect.
    pub(crate) on_connect: Option<Box<OnConnect>>,
    pub(crate) lingered: usize,
    /// With a test channel: where messages and errors that reach the tail go.
    pub(crate) captured: Option<Rc<RefCell<Captured>>>,
    /// Messages that reached the tail and were dropped there.
    pub(crate) unhandled: u32,
    pub(crate) reason: Option<CloseReason>,
    pub(crate) output_ended: bool,
    /// Handlers have been asked to close.
    pub(crate) close_asked: bool,
    was_active: bool,
}

impl ChannelCore {
    pub(crate) fn new(
        key: ChannelKey,
        transport: TransportId,
        head: Head,
        options: Arc<ChannelOptions>,
        peer: Option<Address>,
    ) -> Self {
        let (auto_read, read_size) = (options.auto_read, options.read_bytes_min as u32);
        let high_water_mark = options.high_water_mark.min(options.outbound_bytes_max) as u64;
        Self {
            key,
            transport,
            handle: None,
            head,
            state: State::Connecting,
            options,
            shape: None,
            plans: Plans::default(),
            shared: None,
            attributes: LocalAttributes::default(),
            guard: None,
            peer,
            span: ChannelSpan::default(),
            reason: None,
            close_timer: None,
            close_pending: 0,
            timers: Vec::new(),
            on_connect: None,
            outbound: Outbound::default(),
            progress: Progress::default(),
            datagrams: Datagrams::default(),
            datagram_bytes: 0,
            accounted: 0,
            high_water_mark,
            unwritable: false,
            edge: false,
            told_to_wait: Cell::new(false),
            write_blocked: false,
            in_flight: false,
            flush_requested: false,
            shutdown_requested: false,
            output_ended: false,
            abort_requested: false,
            close_asked: false,
            was_active: false,
            auto_read,
            reads_while_unwritable: false,
            demand: 0,
            offloads: 0,
            pauses: 0,
            read_ready: false,
            input_ended: false,
            peer_end: PeerEnd::None,
            reading: true,
            queued: false,
            read_size,
            small_reads: 0,
            lingered: 0,
            splicer: Splicer::NOBODY,
            has_rests: false,
            backlog: false,
            pulls: false,
            depth: 0,
            running: END,
            drained: 0,
            unhandled: 0,
            captured: None,
        }
    }

    pub(crate) fn set_active(&mut self) {
        self.state = State::Open;
        self.was_active = true;
    }

    pub(crate) fn was_active(&self) -> bool {
        self.was_active
    }

    /// Whether messages still travel through the pipeline.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open | State::Connecting)
    }

    /// Whether anything can still be written.
    #[inline(always)]
    pub(super) fn takes_writes(&self) -> bool {
        self.is_open() && !self.shutdown_requested && !self.abort_requested
    }

    /// Asks for the end at once; it comes when what runs has returned.
    pub(crate) fn abort_with(&mut self, reason: CloseReason) {
        self.reason.get_or_insert(reason);
        self.abort_requested = true;
    }

    // ---- reading ----

    pub(crate) fn set_auto_read(&mut self, on: bool) {
        self.auto_read = on;
    }

    pub(crate) fn request_read(&mut self) {
        self.demand = self.demand.saturating_add(1);
    }

    /// A message was handed to the application.
    #[inline]
    pub(crate) fn demand_met(&mut self) {
        self.demand = self.demand.saturating_sub(1);
    }

    /// Whether another message may be handed to the application: paused means paused, in the
    /// middle of a buffer too.
    #[inline]
    pub(crate) fn may_pull(&self) -> bool {
        self.state == State::Open
            && !self.abort_requested
            && (self.auto_read || self.demand > 0)
            && (!self.unwritable
                || !self.options.pause_when_unwritable
                || self.reads_while_unwritable)
            && self.offloads | self.pauses == 0
    }

    /// Takes nothing in for so long, whoever else wants to.
    pub(crate) fn pause_reading(&mut self, state: &mut LoopState, time: Duration) {
        let deadline = state.env.now() + time;
        let timer = state.timers.schedule(deadline, Timer::ReadOn(self.key));
        self.keep_timer(state, timer);
        self.pauses += 1;
    }

    #[inline]
    pub(crate) fn wants_reading(&self) -> bool {
        match self.state {
            State::Open => !self.input_ended && self.may_pull() && !self.has_rests,
            State::Lingering => !self.input_ended,
            _ => false,
        }
    }

    // ---- timers ----

    /// Remembers a handler's timer, so that it does not outlive the channel.
    pub(crate) fn keep_timer(&mut self, state: &LoopState, timer: TimerKey) {
        if self.timers.len() == self.timers.capacity() {
            // Before it grows: many of them have expired by now.
            self.timers.retain(|&key| state.timers.get(key).is_some());
        }
        self.timers.push(timer);
    }

    // ---- handles ----

    /// The ticket up to which handles have written, if anything of theirs waits.
    #[inline]
    pub(crate) fn mailbox_issued(&self) -> Option<u64> {
        let issued = self.shared.as_ref()?.issued();
        (issued != self.drained).then_some(issued)
    }

    pub(crate) fn handle(&mut self, state: &LoopState) -> Channel {
        if self.shared.is_none() {
            let local = self.local_address(state);
            let shared = ChannelShared::new(
                self.key,
                state.handle.clone(),
                self.peer.clone(),
                local,
                self.is_writable(),
            );
            if let Some(shape) = &self.shape {
                // There are no senders yet that could be in the way.
                let _ = shared.set_tail(shape.tail);
            }
            if self.state == State::Closed {
                shared.close(self.reason.unwrap_or(CloseReason::Local));
            }
            self.shared = Some(Arc::new(shared));
        }
        match &self.shared {
            Some(shared) => Channel::of(Arc::clone(shared)),
            None => unreachable!("it was made above"),
        }
    }

    pub(crate) fn set_shape(&mut self, shape: Rc<Shape>) -> Result<(), LinkError> {
        if let Some(shared) = &self.shared {
            shared.set_tail(shape.tail)?;
        }
        self.shape = Some(shape);
        Ok(())
    }

    // ---- the transport ----

    pub(crate) fn local_address(&self, state: &LoopState) -> Option<Address> {
        state.transport(self.transport)?.local_address(self.handle?).ok()
    }

    pub(crate) fn membership(
        &mut self,
        state: &mut LoopState,
        membership: Membership,
    ) -> io::Result<()> {
        let handle = self.handle.ok_or(io::ErrorKind::NotConnected)?;
        let transport = state.transport_mut(self.transport).ok_or(io::ErrorKind::NotConnected)?;
        transport.membership(handle, membership)
    }
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "(no message)".to_owned(),
    }
}
