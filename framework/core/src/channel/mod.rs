//! Channels: connections and datagram endpoints with their pipelines.
//!
//! | file | idea |
//! |---|---|
//! | `core` | the state that contexts act on |
//! | `offload` | work that blocks, and its way back |
//! | `turn` | what happens when a channel has its turn |
//! | `read` | reading with a budget, in sizes that follow what arrives |
//! | `splice` | reading without looking |
//! | `write` | what is taken to be sent: limits, water marks |
//! | `flush` | sending what was taken |
//! | `close` | how a channel ends |
//! | `outbound`, `datagrams` | what waits to be sent, and promises |
//! | `progress` | whether what was written still moves |
//! | `span` | what its log lines have in common |
//! | `mailbox`, `sender`, `handle` | the channel seen from other threads |
//! | `group` | many channels at once |

pub(crate) mod attributes;
mod close;
pub(crate) mod core;
pub(crate) mod datagrams;
mod flush;
pub(crate) mod group;
pub(crate) mod handle;
pub(crate) mod mailbox;
mod offload;
pub mod outbound;
pub(crate) mod progress;
mod read;
pub(crate) mod sender;
pub(crate) mod span;
pub(crate) mod splice;
pub(crate) mod turn;
mod write;

use std::any::Any;

use fyke_buffer::ByteBuf;

use self::core::ChannelCore;
use crate::error::{CloseReason, Error};
use crate::event::{Event, Notice, Signal};
use crate::event_loop::state::LoopState;
use crate::outgoing::Datagram;
use crate::pipeline::link::{END, Head, ReadLink, WriteLink};
use crate::pipeline::slot::Pipeline;
use crate::promise::Promise;

pub use group::ChannelGroup;
pub use handle::{Channel, ChannelId};
pub use mailbox::MAILBOX_ENTRIES_MAX;
pub use sender::{Permit, SendError, SendFailure, Sender};

/// A place in a loop's table, with a generation so that late events find nobody.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ChannelKey {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl ChannelKey {
    /// A key for tests of transports.
    #[must_use]
    pub const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }

    /// The place in the table.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }
}

/// A channel on its loop. Its fields lie in this order, see [`ChannelCore`].
#[repr(C)]
pub(crate) struct LocalChannel {
    pub(crate) core: ChannelCore,
    pub(crate) pipeline: Pipeline,
    /// The first stage that reads.
    pub(crate) first_in: u16,
    head_stream: Option<ReadLink<ByteBuf>>,
    head_datagram: Option<ReadLink<Datagram>>,
}

impl LocalChannel {
    pub(crate) fn new(core: ChannelCore) -> Self {
        Self {
            core,
            pipeline: Pipeline::default(),
            first_in: END,
            head_stream: None,
            head_datagram: None,
        }
    }

    /// Finds the head's link to the first stage that reads.
    pub(crate) fn link_head(&mut self) {
        self.head_stream = None;
        self.head_datagram = None;
        let Some(first) = self.pipeline.get(self.first_in) else { return };
        match self.core.head {
            Head::Stream => (first.vtable.offer_read)(self.first_in, &mut self.head_stream),
            Head::Datagram => (first.vtable.offer_read)(self.first_in, &mut self.head_datagram),
        }
    }

    #[inline]
    fn head_read(&mut self, state: &mut LoopState, bytes: ByteBuf) {
        match self.head_stream {
            Some(link) => (link.deliver)(self, state, link.slot, &mut Some(bytes)),
            None => self.tail_read(Some(bytes)),
        }
    }

    fn head_receive(&mut self, state: &mut LoopState, datagram: Datagram) {
        match self.head_datagram {
            Some(link) => (link.deliver)(self, state, link.slot, &mut Some(datagram)),
            None => self.tail_read(Some(datagram)),
        }
    }

    /// A message that no stage took.
    #[cold]
    pub(crate) fn tail_read<T: 'static>(&mut self, msg: Option<T>) {
        let Some(msg) = msg else { return };
        if let Some(captured) = &self.core.captured {
            captured.borrow_mut().messages.push_back(Box::new(msg) as Box<dyn Any>);
            return;
        }
        if self.core.unhandled == 0 {
            tracing::warn!(
                message_type = std::any::type_name::<T>(),
                "a message reached the end of the pipeline and was dropped"
            );
        }
        self.core.unhandled = self.core.unhandled.saturating_add(1);
    }

    /// A message from a handle: into the last stage that writes, or to the head.
    pub(crate) fn write_from_tail<M: 'static>(
        &mut self,
        state: &mut LoopState,
        msg: M,
        promise: Promise,
    ) {
        if !self.core.is_open() {
            promise.fail(Error::closed());
            return;
        }
        let mut link: Option<WriteLink<M>> = None;
        let last = self.last_writer();
        match self.pipeline.get(last) {
            Some(s) => (s.vtable.offer_write)(last, &mut link),
            None => self.core.head.offer_write(&mut link),
        }
        match link {
            Some(link) => (link.deliver)(self, state, link.slot, &mut Some(msg), promise),
            // Edits that would break a sender are refused, so this does not happen.
            None => drop(promise),
        }
    }

    // ---- notices ----

    /// Lets a notice go on from a stage to the next one in its direction.
    pub(crate) fn notify_from(
        &mut self,
        state: &mut LoopState,
        slot: u16,
        notice: Notice,
        outbound: bool,
    ) {
        let s = &self.pipeline.slots[slot as usize];
        let next = if outbound { s.next_out } else { s.next_in };
        self.notify(state, next, notice, outbound);
    }

    /// The next stage that reads, by slot and id.
    pub(crate) fn stage_behind(&self, slot: u16) -> (u16, u32) {
        let next = self.pipeline.slots[slot as usize].next_in;
        (next, self.pipeline.get(next).map_or(0, |s| s.id))
    }

    /// Delivers a notice to `slot`, or, when that is the end of the line, to the head or tail.
    pub(crate) fn notify(
        &mut self,
        state: &mut LoopState,
        slot: u16,
        notice: Notice,
        outbound: bool,
    ) {
        let mut at = slot;
        while let Some(s) = self.pipeline.get(at) {
            let skip = s.is_dead()
                || match (&notice, s.stage.as_deref()) {
                    (Notice::Event(event), Some(cell)) => !(s.vtable.filter)(cell).matches(event),
                    (Notice::Signal(Signal::ReadComplete), _) => s.lets_read_complete_past(),
                    _ => false,
                };
            if !skip {
                (s.vtable.notice)(self, state, at, notice);
                return;
            }
            at = if outbound { s.next_out } else { s.next_in };
        }
        match outbound {
            true => self.head_notice(state, notice),
            false => self.tail_notice(state, notice),
        }
    }

    /// A signal, from the head through the stages.
    pub(crate) fn fire(&mut self, state: &mut LoopState, signal: Signal) {
        self.notify(state, self.first_in, Notice::Signal(signal), false);
    }

    /// `read_complete`, from the head to the first stage that has something to say to it: mostly there
    /// is none, and no notice is made.
    #[inline]
    pub(crate) fn fire_read_complete(&mut self, state: &mut LoopState) {
        let mut at = self.first_in;
        while let Some(s) = self.pipeline.get(at) {
            if !s.is_dead() && !s.lets_read_complete_past() {
                (s.vtable.notice)(self, state, at, Notice::Signal(Signal::ReadComplete));
                return;
            }
            at = s.next_in;
        }
    }

    /// An error of the transport, from the head through the stages.
    pub(crate) fn fire_error(&mut self, state: &mut LoopState, error: Error) {
        self.notify(state, self.first_in, Notice::Error(error), false);
    }

    pub(crate) fn fire_event(&mut self, state: &mut LoopState, event: Box<dyn Any>) {
        self.notify(state, self.first_in, Notice::Event(Event::new(event, false)), false);
    }

    /// A signal from the tail outwards, as if a last handler had fired it.
    pub(crate) fn fire_outwards(&mut self, state: &mut LoopState, signal: Signal) {
        let last = self.last_writer();
        self.notify(state, last, Notice::Signal(signal), true);
    }

    /// The last stage that writes; `END` stands for the head when there is none.
    pub(crate) fn last_writer(&self) -> u16 {
        let mut at = self.pipeline.last;
        while let Some(s) = self.pipeline.get(at) {
            if s.vtable.writes {
                return at;
            }
            at = s.prev;
        }
        END
    }

    fn head_notice(&mut self, state: &mut LoopState, notice: Notice) {
        match notice {
            Notice::Signal(Signal::Flush) => self.flush(state),
            Notice::Signal(Signal::Close) => self.begin_close(state, CloseReason::Local),
            Notice::Signal(Signal::Shutdown) => self.core.request_shutdown(),
            Notice::Event(event) => {
                tracing::trace!(?event, "nobody took a user event");
            }
            Notice::Signal(_) | Notice::Error(_) | Notice::Timer(_) | Notice::Offloaded(_) => {}
        }
    }

    fn tail_notice(&mut self, state: &mut LoopState, notice: Notice) {
        match notice {
            Notice::Signal(Signal::ReadClosed) => {
                if !self.core.options.allow_half_closure {
                    self.ask_to_close(state, CloseReason::PeerEnd);
                }
            }
            Notice::Signal(Signal::ShuttingDown) => {
                self.ask_to_close(state, CloseReason::Shutdown);
            }
            Notice::Error(error) => self.unhandled_error(state, error),
            Notice::Event(event) => {
                tracing::trace!(?event, "nobody took a user event");
            }
            Notice::Signal(_) | Notice::Timer(_) | Notice::Offloaded(_) => {}
        }
    }
}
