//! Decoders and encoders as stages. Decoders are pulled: one message at a time, and only while the
//! channel is not paused.

use std::any::TypeId;
use std::marker::PhantomData;

use fyke_buffer::{ByteBuf, Pool};
use fyke_codec::{Decoder, Encoder};

use crate::channel::core::ChannelCore;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::event::{Notice, Signal};
use crate::event_loop::state::LoopState;
use crate::handler::Never;
use crate::outgoing::Outgoing;
use crate::pipeline::cell::Op;
use crate::pipeline::context::Ctx;
use crate::pipeline::intake::Intake;
use crate::pipeline::stage::{Rest, Runs, pass};
use crate::promise::Promise;

impl<D: Decoder> Intake<D> {
    /// Handles the end of the stream; anything else is the caller's.
    fn notice<W: 'static>(&mut self, cx: &mut Ctx<'_, D::Item, W>, notice: Notice) -> Result<()> {
        match notice {
            Notice::Signal(Signal::ReadClosed) => {
                self.end();
                Ok(())
            }
            Notice::Signal(Signal::ReadComplete) => {
                cx.pass_read_complete::<D>();
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

    #[inline(always)]
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

    #[inline(always)]
    fn pull(&mut self, _: &mut ChannelCore, _: &mut LoopState) -> Result<Option<D::Item>> {
        self.0.decode()
    }

    fn take_ended(&mut self) -> bool {
        self.0.take_ended()
    }

    fn settle(&mut self, pool: &Pool) {
        self.0.settle(pool);
    }

    fn has_rest(&self) -> bool {
        self.0.has_rest()
    }

    fn take_rest(&mut self) -> Option<Rest> {
        self.0.take_rest()
    }

    fn handler() -> TypeId {
        TypeId::of::<D>()
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
    const ENCODES: bool = true;

    fn read(&mut self, _: &mut Ctx<'_, Never, Outgoing>, msg: Never) -> Result<()> {
        match msg {}
    }

    #[inline(always)]
    fn write(&mut self, cx: &mut Ctx<'_, Never, Outgoing>, msg: M, promise: Promise) -> Result<()> {
        encode(&mut self.encoder, cx, msg, promise)
    }

    #[inline(always)]
    fn encode(&mut self, _: &Env, msg: &mut Option<M>, dst: &mut ByteBuf) -> Result<bool> {
        if let Some(msg) = msg.take() {
            self.encoder.encode(msg, dst)?;
        }
        Ok(true)
    }

    fn notice(&mut self, cx: &mut Ctx<'_, Never, Outgoing>, notice: Notice) -> Result<()> {
        pass(cx, notice)
    }

    fn handler() -> TypeId {
        TypeId::of::<E>()
    }
}

impl<O> Ctx<'_, O, Outgoing> {
    /// Lets `encode` append bytes where the transport will read them, when this stage is next to
    /// the transport; otherwise into a buffer that is written like any message.
    ///
    /// # Errors
    /// Those of `encode`; nothing is sent then.
    #[inline]
    pub fn encode<E>(
        &mut self,
        encode: impl FnOnce(&mut ByteBuf) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.place.direct
            && self.is_first()
            && self.core.takes_direct_writes()
            && self.drain_first().is_none()
        {
            return self.core.encode(self.state, encode);
        }
        let mut buf = self.state.pool.take(1024);
        encode(&mut buf)?;
        if !buf.is_empty() {
            self.write(Outgoing::Buf(buf));
        }
        Ok(())
    }

    /// A promise for everything written so far.
    #[inline]
    pub fn promise_behind(&mut self, promise: Promise) {
        if promise.is_observed() {
            self.push(Op::Write(Outgoing::Buf(ByteBuf::new()), promise));
        }
    }
}

/// Encodes where the transport will read from; a failure breaks the promise, or is an error of the
/// pipeline when nobody observes the promise.
#[inline(always)]
fn encode<O: 'static, E: Encoder<M>, M>(
    encoder: &mut E,
    cx: &mut Ctx<'_, O, Outgoing>,
    msg: M,
    promise: Promise,
) -> Result<()> {
    // The error becomes one pointer wide before it is passed on.
    match cx.encode(|dst| encoder.encode(msg, dst).map_err(Error::from)) {
        Ok(()) => {
            cx.promise_behind(promise);
            Ok(())
        }
        Err(error) if promise.is_observed() => {
            promise.fail(error);
            Ok(())
        }
        Err(error) => Err(error),
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
    const ENCODES: bool = true;

    #[inline(always)]
    fn read(&mut self, _: &mut Ctx<'_, C::Item, Outgoing>, bytes: ByteBuf) -> Result<()> {
        self.intake.take_in(bytes);
        Ok(())
    }

    #[inline(always)]
    fn write(
        &mut self,
        cx: &mut Ctx<'_, C::Item, Outgoing>,
        msg: M,
        promise: Promise,
    ) -> Result<()> {
        encode(&mut self.intake.decoder, cx, msg, promise)
    }

    #[inline(always)]
    fn encode(&mut self, _: &Env, msg: &mut Option<M>, dst: &mut ByteBuf) -> Result<bool> {
        if let Some(msg) = msg.take() {
            self.intake.decoder.encode(msg, dst)?;
        }
        Ok(true)
    }

    fn notice(&mut self, cx: &mut Ctx<'_, C::Item, Outgoing>, notice: Notice) -> Result<()> {
        self.intake.notice(cx, notice)
    }

    #[inline(always)]
    fn pull(&mut self, _: &mut ChannelCore, _: &mut LoopState) -> Result<Option<C::Item>> {
        self.intake.decode()
    }

    fn take_ended(&mut self) -> bool {
        self.intake.take_ended()
    }

    fn settle(&mut self, pool: &Pool) {
        self.intake.settle(pool);
    }

    fn has_rest(&self) -> bool {
        self.intake.has_rest()
    }

    fn take_rest(&mut self) -> Option<Rest> {
        self.intake.take_rest()
    }

    fn handler() -> TypeId {
        TypeId::of::<C>()
    }
}
