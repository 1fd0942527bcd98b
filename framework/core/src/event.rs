//! What travels a pipeline besides messages: user events, lifecycle signals, results of offloaded
//! work.

use std::any::{Any, TypeId};
use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::outgoing::FileRegion;

/// A user event: any value, for the handlers that asked for its type.
pub struct Event {
    value: Box<dyn Any>,
    pub(crate) outbound: bool,
}

impl Event {
    pub(crate) fn new(value: Box<dyn Any>, outbound: bool) -> Self {
        Self { value, outbound }
    }

    /// Whether it is a `T`.
    #[must_use]
    pub fn is<T: 'static>(&self) -> bool {
        self.value.is::<T>()
    }

    /// A look at it as a `T`.
    #[must_use]
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    /// It, if it is a `T`.
    ///
    /// # Errors
    /// The event again, if it is not.
    pub fn take<T: 'static>(self) -> Result<T, Self> {
        let outbound = self.outbound;
        self.value.downcast().map(|b| *b).map_err(|value| Self { value, outbound })
    }

    pub(crate) fn type_id_of_value(&self) -> TypeId {
        (*self.value).type_id()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("outbound", &self.outbound).finish_non_exhaustive()
    }
}

/// A user event: the peer has sent its last byte, while this channel does not read. What is
/// unread stays readable, and `read_closed` comes behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerClosed;

/// A user event: bytes that have arrived and were left where they are, for the handler that asked for
/// them so ([`Ctx::splice_reads`](crate::Ctx::splice_reads)). Write the region to another channel,
/// once: it cannot be sent twice. One that is dropped is dropped with its bytes.
#[derive(Debug)]
pub struct Spliced(pub FileRegion);

/// Which types of user events a handler wants.
#[derive(Clone, Copy, Debug)]
pub struct EventFilter(Filter);

#[derive(Clone, Copy, Debug)]
enum Filter {
    All,
    Some([Option<TypeId>; 4]),
}

impl EventFilter {
    /// None.
    pub const NONE: Self = Self(Filter::Some([None; 4]));
    /// All.
    pub const ALL: Self = Self(Filter::All);

    /// Only `T`.
    #[must_use]
    pub fn of<T: 'static>() -> Self {
        Self::NONE.and::<T>()
    }

    /// Also `T` (at most four types; beyond that use [`EventFilter::ALL`]).
    ///
    /// # Panics
    /// At the fifth type.
    #[must_use]
    pub fn and<T: 'static>(mut self) -> Self {
        if let Filter::Some(types) = &mut self.0 {
            let free = types.iter_mut().find(|t| t.is_none());
            *free.expect("an EventFilter names at most four types") = Some(TypeId::of::<T>());
        }
        self
    }

    pub(crate) fn matches(&self, event: &Event) -> bool {
        match &self.0 {
            Filter::All => true,
            Filter::Some(types) => types.contains(&Some(event.type_id_of_value())),
        }
    }
}

/// A lifecycle signal. The inbound ones run from the head to the tail, the others back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    Added,
    Registered,
    Active,
    Inactive,
    Unregistered,
    ReadComplete,
    ReadClosed,
    WritabilityChanged,
    ShuttingDown,
    Flush,
    Close,
    Shutdown,
}

impl Signal {
    pub(crate) fn is_outbound(self) -> bool {
        matches!(self, Self::Flush | Self::Close | Self::Shutdown)
    }
}

/// What work given to [`Ctx::offload`](crate::pipeline::context::Ctx::offload) came to.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::{Context, InboundHandler, Never, Offloaded, Outgoing, Result};
///
/// struct Shout;
/// impl InboundHandler for Shout {
///     type In = ByteBuf;
///     type Out = Never;
///     type Write = Outgoing;
///     fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
///         cx.offload(move || msg.to_ascii_uppercase()); // on a thread that may block
///         Ok(())
///     }
///     fn offloaded(&mut self, cx: &mut Context<'_, Self>, result: Offloaded) -> Result<()> {
///         cx.write(result.take::<Vec<u8>>()?.into());
///         Ok(())
///     }
/// }
///
/// let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().inbound("shout", Shout));
/// channel.write_inbound(b"hello");
/// assert_eq!(channel.read_outbound(), b"HELLO");
/// ```
pub struct Offloaded(Result<Box<dyn Any + Send>, String>);

impl Offloaded {
    pub(crate) fn new(result: Result<Box<dyn Any + Send>, String>) -> Self {
        Self(result)
    }

    /// The result of the work, which must be of the type that the work gave.
    ///
    /// # Errors
    /// When the work panicked, was refused (no thread or no room was left for it), or gave another
    /// type.
    pub fn take<T: 'static>(self) -> Result<T> {
        match self.0 {
            Err(message) => Err(ErrorKind::Panic { stage: "offloaded work", message }.into()),
            Ok(value) => value
                .downcast()
                .map(|b| *b)
                .map_err(|_| Error::handler("offloaded work gave another type than was taken")),
        }
    }
}

impl fmt::Debug for Offloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offloaded").field("ok", &self.0.is_ok()).finish()
    }
}

/// Everything that reaches a stage and has no message type.
#[derive(Debug)]
pub(crate) enum Notice {
    Signal(Signal),
    Error(Error),
    Event(Event),
    Timer(u64),
    Offloaded(Offloaded),
}

impl Notice {
    /// Whether it is on its way from the tail to the head.
    pub(crate) fn is_outbound(&self) -> bool {
        match self {
            Self::Signal(signal) => signal.is_outbound(),
            Self::Event(event) => event.outbound,
            Self::Error(_) | Self::Timer(_) | Self::Offloaded(_) => false,
        }
    }
}
