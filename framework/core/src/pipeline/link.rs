//! Typed links: how a message gets from one stage to the next.
//!
//! A link is a plain function pointer that names the receiving stage's concrete type, found once,
//! when the pipeline is linked: the producer offers an empty `Option<ReadLink<Out>>` as
//! `&mut dyn Any`, and the receiver fills it if, and only if, it is an `Option<ReadLink<In>>`.
//! So a hop is one indirect call and one type compare; nothing is boxed, and relinking allocates
//! nothing.

use std::any::{Any, TypeId, type_name};

use fyke_buffer::ByteBuf;

use crate::channel::LocalChannel;
use crate::event::{EventFilter, Notice};
use crate::event_loop::state::LoopState;
use crate::handler::Never;
use crate::outgoing::{Datagram, Outgoing};
use crate::pipeline::stage::Rest;
use crate::promise::Promise;

/// Delivers a `T` to the stage in a slot.
///
/// The message is taken out of where the sender has it. Passed by value it would be copied once
/// more to be passed, and by halves: the processor cannot forward those stores to the loads of the
/// receiver, which costs more than all the rest of a hop.
pub(crate) type DeliverRead<T> = fn(&mut LocalChannel, &mut LoopState, u16, &mut Option<T>);
/// Delivers a `T` on its way out to the stage in a slot, or to the head.
pub(crate) type DeliverWrite<T> =
    fn(&mut LocalChannel, &mut LoopState, u16, &mut Option<T>, Promise);

pub(crate) struct ReadLink<T> {
    pub(crate) deliver: DeliverRead<T>,
    pub(crate) slot: u16,
}

pub(crate) struct WriteLink<T> {
    pub(crate) deliver: DeliverWrite<T>,
    pub(crate) slot: u16,
}

impl<T> Clone for ReadLink<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for ReadLink<T> {}
impl<T> Clone for WriteLink<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for WriteLink<T> {}

/// A type by identity and by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypeRow {
    id: TypeId,
    pub(crate) name: &'static str,
}

impl TypeRow {
    pub(crate) fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>(), name: type_name::<T>() }
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// Nothing can ever be sent over it, so it fits everything.
    pub(crate) fn is_never(&self) -> bool {
        self.id == TypeId::of::<Never>()
    }
}

/// What is known of a stage without its type: one static table for each kind of stage.
pub(crate) struct Vtable {
    pub(crate) reads: bool,
    pub(crate) writes: bool,
    /// Pulls messages out of bytes it holds.
    pub(crate) pulls: bool,
    pub(crate) read_in: fn() -> TypeRow,
    pub(crate) read_out: fn() -> TypeRow,
    pub(crate) write_in: fn() -> TypeRow,
    pub(crate) write_out: fn() -> TypeRow,
    /// Fills an `Option<ReadLink<In>>`.
    pub(crate) offer_read: fn(u16, &mut dyn Any),
    /// Fills an `Option<WriteLink<WriteIn>>`.
    pub(crate) offer_write: fn(u16, &mut dyn Any),
    /// Finds the links of the stage to its neighbours.
    pub(crate) link: fn(&mut dyn Any, &Neighbours),
    pub(crate) notice: fn(&mut LocalChannel, &mut LoopState, u16, Notice),
    /// Goes on with what the stage holds: its inbox, and bytes not yet decoded.
    pub(crate) resume: fn(&mut LocalChannel, &mut LoopState, u16),
    pub(crate) take_rest: fn(&mut dyn Any) -> Option<Rest>,
    pub(crate) removed: fn(&mut dyn Any),
    pub(crate) filter: fn(&dyn Any) -> EventFilter,
}

/// The stages next to one.
pub(crate) struct Neighbours {
    pub(crate) next_in: Option<(&'static Vtable, u16)>,
    pub(crate) next_out: Option<(&'static Vtable, u16)>,
    pub(crate) head: Head,
    /// No stage behind this one pulls.
    pub(crate) last_puller: bool,
}

/// What the transport's end of a pipeline exchanges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Head {
    /// `ByteBuf` in, `Outgoing` out.
    Stream,
    /// `Datagram` in and out.
    Datagram,
}

/// The slot number that stands for the head (outwards) and for the tail (inwards).
pub(crate) const END: u16 = u16::MAX;

impl Head {
    pub(crate) fn gives(self) -> TypeRow {
        match self {
            Self::Stream => TypeRow::of::<ByteBuf>(),
            Self::Datagram => TypeRow::of::<Datagram>(),
        }
    }

    pub(crate) fn takes(self) -> TypeRow {
        match self {
            Self::Stream => TypeRow::of::<Outgoing>(),
            Self::Datagram => TypeRow::of::<Datagram>(),
        }
    }

    /// Fills an `Option<WriteLink<T>>` of the type the head takes.
    pub(crate) fn offer_write(self, into: &mut dyn Any) {
        match self {
            Self::Stream => fill(into, WriteLink { deliver: head_write, slot: END }),
            Self::Datagram => fill(into, WriteLink { deliver: head_send, slot: END }),
        }
    }
}

fn head_write(
    channel: &mut LocalChannel,
    _: &mut LoopState,
    _: u16,
    msg: &mut Option<Outgoing>,
    promise: Promise,
) {
    if let Some(msg) = msg.take() {
        channel.core.write(msg, promise);
    }
}

fn head_send(
    channel: &mut LocalChannel,
    _: &mut LoopState,
    _: u16,
    msg: &mut Option<Datagram>,
    promise: Promise,
) {
    if let Some(msg) = msg.take() {
        channel.core.send(msg, promise);
    }
}

/// Puts `link` into `into` when that is an `Option` of its type.
pub(crate) fn fill<L: 'static>(into: &mut dyn Any, link: L) {
    if let Some(place) = into.downcast_mut::<Option<L>>() {
        *place = Some(link);
    }
}
