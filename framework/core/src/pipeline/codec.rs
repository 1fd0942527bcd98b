//! Decoders and encoders as stages. Decoders are pulled: one message at a time, and only while the
//! channel is not paused.

use std::any::TypeId;
use std::marker::PhantomData;

use fyke_buffer::ByteBuf;
use fyke_codec::{Decoder, Encoder};

use crate::error::{Error, Result};
use crate::event::{Notice, Signal};
use crate::handler::Never;
use crate::outgoing::Outgoing;
use crate::pipeline::cell::Op;
use crate::pipeline::context::Ctx;
use crate::pipeline::stage::{Rest, Runs, pass};
use crate::promise::Promise;

/// The bytes that a decoder has not used yet, and where it stands.
struct Intake<D> {
    decoder: D,
    rest: ByteBuf,
    /// The decoder may have more to give, without further bytes too: it has not said otherwise
    /// since the last bytes came.
    more: bool,
    /// The peer has sent its last byte, which the decoder is told before the stages behind it.
    ending: bool,
    /// The decoder has failed and is not called again.
    failed: bool,
}

/// An incomplete message is moved out of the loop's block when it leaves more than this unused.
const KEEP_SPARE_BYTES_MAX: usize = 512;
/// And out of bytes that somebody has lent when it is less than this: nobody knows what it keeps alive.
const KEEP_LENT_BYTES_MIN: usize = 32 * 1024;

impl<D: Decoder> Intake<D> {
    fn new(decoder: D) -> Self {
        Self { decoder, rest: ByteBuf::new(), more: false, ending: false, failed: false }
    }

    #[inline(always)]
    fn take_in(&mut self, bytes: ByteBuf) {
        if self.failed {
            return;
        }
        self.more = true;
        if self.rest.is_empty() {
            self.rest = bytes;
        } else {
            self.rest.write_slice(bytes.as_slice());
        }
    }

    #[inline(always)]
    fn pull(&mut self) -> Result<Option<D::Item>> {
        if self.ending || self.failed {
            return self.pull_last();
        }
        if !self.more && self.rest.is_empty() {
            return Ok(None);
        }
        match self.decoder.decode(&mut self.rest) {
            Ok(Some(item)) => Ok(Some(item)),
            Ok(None) => {
                self.more = false;
                Ok(None)
            }
            Err(error) => Err(self.fail(error.into())),
        }
    }

    /// Nothing will follow what is there.
    #[cold]
    fn pull_last(&mut self) -> Result<Option<D::Item>> {
        if self.failed {
            return Ok(None);
        }
        match self.decoder.decode_eof(&mut self.rest) {
            Ok(Some(item)) => Ok(Some(item)),
            Ok(None) => {
                self.rest = ByteBuf::new();
                Ok(None)
            }
            // The end is told behind the error, if the channel survives that.
            Err(error) => Err(self.fail(error.into())),
        }
    }

    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        self.failed = true;
        self.rest = ByteBuf::new();
        error
    }

    fn settle(&mut self) {
        let spare = self.rest.capacity() - self.rest.readable();
        if self.rest.is_empty() {
            self.rest = ByteBuf::new();
        } else if spare > KEEP_SPARE_BYTES_MAX && self.rest.readable() < self.rest.capacity() / 2
            || self.rest.is_lent() && self.rest.readable() < KEEP_LENT_BYTES_MIN
        {
            self.rest = ByteBuf::from(self.rest.as_slice());
        }
    }

    fn has_rest(&self) -> bool {
        self.ending || ((self.more || !self.rest.is_empty()) && !self.failed)
    }

    fn take_rest(&mut self) -> Option<Rest> {
        let (bytes, ended) = (std::mem::take(&mut self.rest), std::mem::take(&mut self.ending));
        (ended || !bytes.is_empty()).then_some(Rest { bytes, ended })
    }

    /// Handles the end of the stream; anything else is the caller's.
    fn notice<W: 'static>(&mut self, cx: &mut Ctx<'_, D::Item, W>, notice: Notice) -> Result<()> {
        match notice {
            Notice::Signal(Signal::ReadClosed) => {
                self.ending = true;
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
    fn pull(&mut self) -> Result<Option<D::Item>> {
        self.0.pull()
    }

    fn take_ended(&mut self) -> bool {
        std::mem::take(&mut self.0.ending)
    }

    fn settle(&mut self) {
        self.0.settle();
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
    fn encode(&mut self, msg: M, dst: &mut ByteBuf) -> Result<()> {
        Ok(self.encoder.encode(msg, dst)?)
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
    fn encode(&mut self, msg: M, dst: &mut ByteBuf) -> Result<()> {
        Ok(self.intake.decoder.encode(msg, dst)?)
    }

    fn notice(&mut self, cx: &mut Ctx<'_, C::Item, Outgoing>, notice: Notice) -> Result<()> {
        self.intake.notice(cx, notice)
    }

    #[inline(always)]
    fn pull(&mut self) -> Result<Option<C::Item>> {
        self.intake.pull()
    }

    fn take_ended(&mut self) -> bool {
        std::mem::take(&mut self.intake.ending)
    }

    fn settle(&mut self) {
        self.intake.settle();
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
