//! The one internal form of every kind of stage, and the adapters that give it to handlers.

use std::any::TypeId;

use fyke_buffer::{ByteBuf, Pool};

use crate::channel::core::ChannelCore;
use crate::env::Env;
use crate::error::Result;
use crate::event::{EventFilter, Notice, Signal};
use crate::event_loop::state::LoopState;
use crate::handler::{DuplexHandler, InboundHandler, Never, OutboundHandler};
use crate::pipeline::context::Ctx;
use crate::promise::Promise;

/// What a decoder leaves to its replacement.
pub(crate) struct Rest {
    pub(crate) bytes: ByteBuf,
    /// The peer has sent its last byte, and nobody behind has been told.
    pub(crate) ended: bool,
}

/// A stage as the pipeline runs it.
pub(crate) trait Runs: 'static {
    type In: 'static;
    type Out: 'static;
    type WriteIn: 'static;
    type WriteOut: 'static;
    /// Takes part in the inbound direction.
    const READS: bool;
    /// Takes part in the outbound direction.
    const WRITES: bool;
    /// Messages are pulled out of it after bytes were given to it.
    const PULLS: bool = false;
    /// A write is nothing but bytes appended, so a stage next to the transport needs no context.
    const ENCODES: bool = false;
    /// Some messages go past it ([`passes`](Self::passes)).
    const PASSES: bool = false;

    fn read(&mut self, cx: &mut Ctx<'_, Self::Out, Self::WriteOut>, msg: Self::In) -> Result<()>;

    fn write(
        &mut self,
        cx: &mut Ctx<'_, Self::Out, Self::WriteOut>,
        msg: Self::WriteIn,
        promise: Promise,
    ) -> Result<()>;

    fn notice(&mut self, cx: &mut Ctx<'_, Self::Out, Self::WriteOut>, notice: Notice)
    -> Result<()>;

    /// The next message; `None` when there is none without more bytes.
    fn pull(&mut self, core: &mut ChannelCore, lp: &mut LoopState) -> Result<Option<Self::Out>> {
        let _ = (core, lp);
        Ok(None)
    }

    /// After `pull` had nothing: whether the peer's last byte has been decoded, which is to be told
    /// now by [`ended`](Self::ended).
    fn take_ended(&mut self) -> bool {
        false
    }

    /// The peer's last byte has been decoded.
    fn ended(&mut self, cx: &mut Ctx<'_, Self::Out, Self::WriteOut>) -> Result<()> {
        cx.fire_read_closed();
        Ok(())
    }

    /// Takes `msg` and appends it as bytes; called only of a stage that [`ENCODES`](Self::ENCODES).
    /// `false`: it has been left where it was, as there is more to do about it.
    fn encode(
        &mut self,
        env: &Env,
        msg: &mut Option<Self::WriteIn>,
        dst: &mut ByteBuf,
    ) -> Result<bool> {
        let _ = (env, msg, dst);
        Ok(false)
    }

    /// Whether `read` would fire this message as it is; called only of a stage that
    /// [`PASSES`](Self::PASSES).
    fn passes(&self, msg: &Self::In) -> bool {
        let _ = msg;
        false
    }

    /// No pull will come before more bytes: hold as little as possible.
    fn settle(&mut self, pool: &Pool) {
        let _ = pool;
    }

    fn has_rest(&self) -> bool {
        false
    }

    fn take_rest(&mut self) -> Option<Rest> {
        None
    }

    fn removed(&mut self) {}

    fn filter(&self) -> EventFilter {
        EventFilter::NONE
    }

    /// Whose defaults are this stage's. A handler that wraps another one and calls its methods is not
    /// the one whose default ran.
    fn handler() -> TypeId;
}

/// Passes on what a stage has nothing to say to.
pub(super) fn pass<O: 'static, W: 'static>(cx: &mut Ctx<'_, O, W>, notice: Notice) -> Result<()> {
    match notice {
        // These are for one stage alone.
        Notice::Signal(Signal::Added) | Notice::Timer(_) | Notice::Offloaded(_) => {}
        Notice::Signal(signal) => cx.pass_signal(signal),
        Notice::Error(error) => cx.fire_error(error),
        Notice::Event(event) => cx.pass_event(event),
    }
    Ok(())
}

pub(crate) struct Inbound<H>(pub(crate) H);

impl<H: InboundHandler> Runs for Inbound<H> {
    type In = H::In;
    type Out = H::Out;
    type WriteIn = Never;
    type WriteOut = H::Write;
    const READS: bool = true;
    const WRITES: bool = false;

    #[inline(always)]
    fn read(&mut self, cx: &mut Ctx<'_, H::Out, H::Write>, msg: H::In) -> Result<()> {
        self.0.read(cx, msg)
    }

    fn write(&mut self, _: &mut Ctx<'_, H::Out, H::Write>, msg: Never, _: Promise) -> Result<()> {
        match msg {}
    }

    fn notice(&mut self, cx: &mut Ctx<'_, H::Out, H::Write>, notice: Notice) -> Result<()> {
        let h = &mut self.0;
        match notice {
            Notice::Signal(signal) => match signal {
                Signal::Added => h.added(cx),
                Signal::Registered => h.registered(cx),
                Signal::Active => h.active(cx),
                Signal::Inactive => h.inactive(cx),
                Signal::Unregistered => h.unregistered(cx),
                Signal::ReadComplete => h.read_complete(cx),
                Signal::ReadClosed => h.read_closed(cx),
                Signal::WritabilityChanged => h.writability_changed(cx),
                Signal::ShuttingDown => h.shutting_down(cx),
                Signal::Flush | Signal::Close | Signal::Shutdown => {
                    cx.pass_signal(signal);
                    Ok(())
                }
            },
            Notice::Error(error) => h.error(cx, error),
            Notice::Event(event) => h.event(cx, event),
            Notice::Timer(tag) => h.timer(cx, tag),
            Notice::Offloaded(result) => h.offloaded(cx, result),
        }
    }

    fn removed(&mut self) {
        self.0.removed();
    }

    fn filter(&self) -> EventFilter {
        self.0.events()
    }

    fn handler() -> TypeId {
        TypeId::of::<H>()
    }
}

pub(crate) struct Outbound<H>(pub(crate) H);

impl<H: OutboundHandler> Runs for Outbound<H> {
    type In = Never;
    type Out = Never;
    type WriteIn = H::In;
    type WriteOut = H::Out;
    const READS: bool = false;
    const WRITES: bool = true;

    fn read(&mut self, _: &mut Ctx<'_, Never, H::Out>, msg: Never) -> Result<()> {
        match msg {}
    }

    #[inline(always)]
    fn write(
        &mut self,
        cx: &mut Ctx<'_, Never, H::Out>,
        msg: H::In,
        promise: Promise,
    ) -> Result<()> {
        self.0.write(cx, msg, promise)
    }

    fn notice(&mut self, cx: &mut Ctx<'_, Never, H::Out>, notice: Notice) -> Result<()> {
        let h = &mut self.0;
        match notice {
            Notice::Signal(Signal::Added) => h.added(cx),
            Notice::Signal(Signal::Flush) => h.flush(cx),
            Notice::Signal(Signal::Close) => h.close(cx),
            Notice::Signal(Signal::Shutdown) => h.shutdown(cx),
            Notice::Event(event) => h.event(cx, event),
            Notice::Error(error) => h.error(cx, error),
            Notice::Timer(tag) => h.timer(cx, tag),
            Notice::Offloaded(result) => h.offloaded(cx, result),
            other @ Notice::Signal(_) => pass(cx, other),
        }
    }

    fn removed(&mut self) {
        self.0.removed();
    }

    fn filter(&self) -> EventFilter {
        self.0.events()
    }

    fn handler() -> TypeId {
        TypeId::of::<H>()
    }
}

pub(crate) struct Duplex<H>(pub(crate) H);

impl<H: DuplexHandler> Runs for Duplex<H> {
    type In = H::In;
    type Out = H::Out;
    type WriteIn = H::WriteIn;
    type WriteOut = H::WriteOut;
    const READS: bool = true;
    const WRITES: bool = true;
    const ENCODES: bool = H::ENCODES;
    const PASSES: bool = H::PASSES;

    #[inline(always)]
    fn passes(&self, msg: &H::In) -> bool {
        self.0.passes(msg)
    }

    #[inline(always)]
    fn encode(
        &mut self,
        env: &Env,
        msg: &mut Option<H::WriteIn>,
        dst: &mut ByteBuf,
    ) -> Result<bool> {
        // No closure: it would be called.
        let done = match msg {
            Some(msg) => self.0.encode(env, msg, dst),
            None => true,
        };
        if done {
            *msg = None;
        }
        Ok(done)
    }

    #[inline(always)]
    fn read(&mut self, cx: &mut Ctx<'_, H::Out, H::WriteOut>, msg: H::In) -> Result<()> {
        self.0.read(cx, msg)
    }

    #[inline(always)]
    fn write(
        &mut self,
        cx: &mut Ctx<'_, H::Out, H::WriteOut>,
        msg: H::WriteIn,
        promise: Promise,
    ) -> Result<()> {
        self.0.write(cx, msg, promise)
    }

    fn notice(&mut self, cx: &mut Ctx<'_, H::Out, H::WriteOut>, notice: Notice) -> Result<()> {
        let h = &mut self.0;
        match notice {
            Notice::Signal(signal) => match signal {
                Signal::Added => h.added(cx),
                Signal::Registered => h.registered(cx),
                Signal::Active => h.active(cx),
                Signal::Inactive => h.inactive(cx),
                Signal::Unregistered => h.unregistered(cx),
                Signal::ReadComplete => h.read_complete(cx),
                Signal::ReadClosed => h.read_closed(cx),
                Signal::WritabilityChanged => h.writability_changed(cx),
                Signal::ShuttingDown => h.shutting_down(cx),
                Signal::Flush => h.flush(cx),
                Signal::Close => h.close(cx),
                Signal::Shutdown => h.shutdown(cx),
            },
            Notice::Error(error) => h.error(cx, error),
            Notice::Event(event) => h.event(cx, event),
            Notice::Timer(tag) => h.timer(cx, tag),
            Notice::Offloaded(result) => h.offloaded(cx, result),
        }
    }

    fn removed(&mut self) {
        self.0.removed();
    }

    fn filter(&self) -> EventFilter {
        self.0.events()
    }

    fn handler() -> TypeId {
        TypeId::of::<H>()
    }
}
