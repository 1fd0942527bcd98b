//! The one internal form of every kind of stage, and the adapters that give it to handlers,
//! decoders and encoders.

use std::marker::PhantomData;

use fyke_buffer::ByteBuf;
use fyke_codec::{Decoder, Encoder};

use crate::error::{Error, Result};
use crate::event::{EventFilter, Notice, Signal};
use crate::handler::{DuplexHandler, InboundHandler, Never, OutboundHandler};
use crate::outgoing::Outgoing;
use crate::pipeline::context::Ctx;
use crate::promise::Promise;

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
    fn pull(&mut self, cx: &mut Ctx<'_, Self::Out, Self::WriteOut>) -> Result<Option<Self::Out>> {
        let _ = cx;
        Ok(None)
    }

    /// No pull will come before more bytes: hold as little as possible.
    fn settle(&mut self) {}

    fn has_rest(&self) -> bool {
        false
    }

    fn take_rest(&mut self) -> Option<ByteBuf> {
        None
    }

    fn removed(&mut self) {}

    fn filter(&self) -> EventFilter {
        EventFilter::NONE
    }
}

/// Passes on what a stage has nothing to say to.
fn pass<O: 'static, W: 'static>(cx: &mut Ctx<'_, O, W>, notice: Notice) -> Result<()> {
    match notice {
        Notice::Signal(signal) => cx.pass_signal(signal),
        Notice::Error(error) => cx.fire_error(error),
        Notice::Event(event) => cx.pass_event(event),
        Notice::Timer(_) | Notice::Offloaded(_) => {}
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

    #[inline]
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

    #[inline]
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
}

pub(crate) struct Duplex<H>(pub(crate) H);

impl<H: DuplexHandler> Runs for Duplex<H> {
    type In = H::In;
    type Out = H::Out;
    type WriteIn = H::WriteIn;
    type WriteOut = H::WriteOut;
    const READS: bool = true;
    const WRITES: bool = true;

    #[inline]
    fn read(&mut self, cx: &mut Ctx<'_, H::Out, H::WriteOut>, msg: H::In) -> Result<()> {
        self.0.read(cx, msg)
    }

    #[inline]
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
}

/// The bytes that a decoder has not used yet, and where it stands.
struct Intake<D> {
    decoder: D,
    rest: ByteBuf,
    /// The peer has sent its last byte, which the decoder is told before the stages behind it.
    ending: bool,
    /// The decoder has failed and is not called again.
    failed: bool,
}

/// An incomplete message is moved out of the loop's block when it leaves more than this unused.
const KEEP_SPARE_BYTES_MAX: usize = 512;

impl<D: Decoder> Intake<D> {
    fn new(decoder: D) -> Self {
        Self { decoder, rest: ByteBuf::new(), ending: false, failed: false }
    }

    #[inline]
    fn take_in(&mut self, bytes: ByteBuf) {
        if self.failed {
            return;
        }
        if self.rest.is_empty() {
            self.rest = bytes;
        } else {
            self.rest.write_slice(bytes.as_slice());
        }
    }

    #[inline]
    fn pull<W: 'static>(&mut self, cx: &mut Ctx<'_, D::Item, W>) -> Result<Option<D::Item>> {
        if self.failed {
            return Ok(None);
        }
        if !self.ending {
            if self.rest.is_empty() {
                return Ok(None);
            }
            return match self.decoder.decode(&mut self.rest) {
                Ok(item) => Ok(item),
                Err(error) => Err(self.fail(error.into())),
            };
        }
        match self.decoder.decode_eof(&mut self.rest) {
            Ok(Some(item)) => Ok(Some(item)),
            Ok(None) => {
                self.ending = false;
                self.rest = ByteBuf::new();
                cx.fire_read_closed();
                Ok(None)
            }
            Err(error) => {
                let error = self.fail(error.into());
                self.ending = false;
                Err(error)
            }
        }
    }

    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        self.failed = true;
        self.rest = ByteBuf::new();
        error
    }

    fn settle(&mut self) {
        if self.rest.is_empty() {
            self.rest = ByteBuf::new();
        } else if self.rest.capacity() - self.rest.readable() > KEEP_SPARE_BYTES_MAX
            && self.rest.readable() < self.rest.capacity() / 2
        {
            self.rest = ByteBuf::from(self.rest.as_slice());
        }
    }

    fn has_rest(&self) -> bool {
        self.ending || (!self.rest.is_empty() && !self.failed)
    }

    fn take_rest(&mut self) -> Option<ByteBuf> {
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then_some(rest)
    }

    /// Handles the end of the stream; anything else is the caller's.
    fn notice<W: 'static>(&mut self, cx: &mut Ctx<'_, D::Item, W>, notice: Notice) -> Result<()> {
        match notice {
            Notice::Signal(Signal::ReadClosed) if !self.failed => {
                self.ending = true;
                Ok(())
            }
            other => pass(cx, other),
        }
    }
}

/// A decoder as a stage: skipped outwards.
pub(crate) struct DecoderStage<D>(Intake<D>);

impl<D: Decoder> DecoderStage<D> {
    pub(crate) fn new(decoder: D) -> Self {
        Self(Intake::new(decoder))
    }
}

impl<D: Decoder> Runs for DecoderStage<D> {
    type In = ByteBuf;
    type Out = D::Item;
    type WriteIn = Never;
    type WriteOut = Never;
    const READS: bool = true;
    const WRITES: bool = false;
    const PULLS: bool = true;

    #[inline]
    fn read(&mut self, _: &mut Ctx<'_, D::Item, Never>, bytes: ByteBuf) -> Result<()> {
        self.0.take_in(bytes);
        Ok(())
    }

    fn write(&mut self, _: &mut Ctx<'_, D::Item, Never>, msg: Never, _: Promise) -> Result<()> {
        match msg {}
    }

    fn notice(&mut self, cx: &mut Ctx<'_, D::Item, Never>, notice: Notice) -> Result<()> {
        self.0.notice(cx, notice)
    }

    #[inline]
    fn pull(&mut self, cx: &mut Ctx<'_, D::Item, Never>) -> Result<Option<D::Item>> {
        self.0.pull(cx)
    }

    fn settle(&mut self) {
        self.0.settle();
    }

    fn has_rest(&self) -> bool {
        self.0.has_rest()
    }

    fn take_rest(&mut self) -> Option<ByteBuf> {
        self.0.take_rest()
    }
}

/// An encoder as a stage: skipped inwards.
pub(crate) struct EncoderStage<E, M> {
    encoder: E,
    message: PhantomData<fn() -> M>,
}

impl<E, M> EncoderStage<E, M> {
    pub(crate) fn new(encoder: E) -> Self {
        Self { encoder, message: PhantomData }
    }
}

impl<E: Encoder<M>, M: 'static> Runs for EncoderStage<E, M> {
    type In = Never;
    type Out = Never;
    type WriteIn = M;
    type WriteOut = Outgoing;
    const READS: bool = false;
    const WRITES: bool = true;

    fn read(&mut self, _: &mut Ctx<'_, Never, Outgoing>, msg: Never) -> Result<()> {
        match msg {}
    }

    #[inline]
    fn write(&mut self, cx: &mut Ctx<'_, Never, Outgoing>, msg: M, promise: Promise) -> Result<()> {
        encode(&mut self.encoder, cx, msg, promise)
    }

    fn notice(&mut self, cx: &mut Ctx<'_, Never, Outgoing>, notice: Notice) -> Result<()> {
        pass(cx, notice)
    }
}

/// Encodes where the transport will read from; a failure breaks the promise, or is an error of the
/// pipeline when nobody observes the promise.
#[inline]
fn encode<O: 'static, E: Encoder<M>, M>(
    encoder: &mut E,
    cx: &mut Ctx<'_, O, Outgoing>,
    msg: M,
    promise: Promise,
) -> Result<()> {
    match cx.encode(|dst| encoder.encode(msg, dst)) {
        Ok(()) => {
            cx.promise_behind(promise);
            Ok(())
        }
        Err(error) if promise.is_observed() => {
            promise.fail(error.into());
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// A codec: decoder and encoder in one value.
pub(crate) struct CodecStage<C, M> {
    intake: Intake<C>,
    message: PhantomData<fn() -> M>,
}

impl<C: Decoder, M> CodecStage<C, M> {
    pub(crate) fn new(codec: C) -> Self {
        Self { intake: Intake::new(codec), message: PhantomData }
    }
}

impl<C: Decoder + Encoder<M>, M: 'static> Runs for CodecStage<C, M> {
    type In = ByteBuf;
    type Out = C::Item;
    type WriteIn = M;
    type WriteOut = Outgoing;
    const READS: bool = true;
    const WRITES: bool = true;
    const PULLS: bool = true;

    #[inline]
    fn read(&mut self, _: &mut Ctx<'_, C::Item, Outgoing>, bytes: ByteBuf) -> Result<()> {
        self.intake.take_in(bytes);
        Ok(())
    }

    #[inline]
    fn write(
        &mut self,
        cx: &mut Ctx<'_, C::Item, Outgoing>,
        msg: M,
        promise: Promise,
    ) -> Result<()> {
        encode(&mut self.intake.decoder, cx, msg, promise)
    }

    fn notice(&mut self, cx: &mut Ctx<'_, C::Item, Outgoing>, notice: Notice) -> Result<()> {
        self.intake.notice(cx, notice)
    }

    #[inline]
    fn pull(&mut self, cx: &mut Ctx<'_, C::Item, Outgoing>) -> Result<Option<C::Item>> {
        self.intake.pull(cx)
    }

    fn settle(&mut self) {
        self.intake.settle();
    }

    fn has_rest(&self) -> bool {
        self.intake.has_rest()
    }

    fn take_rest(&mut self) -> Option<ByteBuf> {
        self.intake.take_rest()
    }
}
