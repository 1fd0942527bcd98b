//! Building a pipeline: neighbours that do not fit do not compile.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use fyke_buffer::ByteBuf;
use fyke_codec::{Decoder, Encoder};

use crate::error::{Error, Result};
use crate::handler::{DuplexHandler, InboundHandler, OutboundHandler};
use crate::outgoing::{Datagram, Outgoing};
use crate::pipeline::cell::Cell;
use crate::pipeline::codec::{CodecStage, DecoderStage, EncoderStage};
use crate::pipeline::codec_handler::{CodecHandler, CodecHandlerStage};
use crate::pipeline::link::Vtable;
use crate::pipeline::slot::Pipeline;
use crate::pipeline::stage::{Duplex, Inbound, Outbound, Runs};

/// A stage without its type: what run-time edits put into a pipeline.
pub struct Stage {
    pub(crate) vtable: &'static Vtable,
    pub(crate) cell: Box<dyn Any>,
}

struct Table<H>(PhantomData<H>);

impl<H: Runs> Table<H> {
    const VTABLE: &'static Vtable = &Cell::<H>::VTABLE;
}

impl Stage {
    fn of<H: Runs>(stage: H) -> Self {
        Self { vtable: Table::<H>::VTABLE, cell: Box::new(Cell::new(stage)) }
    }

    /// An inbound handler.
    #[must_use]
    pub fn inbound<H: InboundHandler>(handler: H) -> Self {
        Self::of(Inbound(handler))
    }

    /// An outbound handler.
    #[must_use]
    pub fn outbound<H: OutboundHandler>(handler: H) -> Self {
        Self::of(Outbound(handler))
    }

    /// A handler of both directions.
    #[must_use]
    pub fn duplex<H: DuplexHandler>(handler: H) -> Self {
        Self::of(Duplex(handler))
    }

    /// A decoder.
    #[must_use]
    pub fn decoder<D: Decoder>(decoder: D) -> Self {
        Self::of(DecoderStage::new(decoder))
    }

    /// An encoder of `M`.
    #[must_use]
    pub fn encoder<M: 'static, E: Encoder<M>>(encoder: E) -> Self {
        Self::of(EncoderStage::<E, M>::new(encoder))
    }

    /// A codec that encodes `M`.
    #[must_use]
    pub fn codec<M: 'static, C: Decoder + Encoder<M>>(codec: C) -> Self {
        Self::of(CodecStage::<C, M>::new(codec))
    }

    /// A codec that is a handler, too.
    #[must_use]
    pub fn codec_handler<H: CodecHandler>(handler: H) -> Self {
        Self::of(CodecHandlerStage::new(handler))
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("in", &(self.vtable.read_in)().name)
            .field("out", &(self.vtable.read_out)().name)
            .finish_non_exhaustive()
    }
}

/// A pipeline that is being built, from the transport inwards: `R` is what flows inwards behind the
/// last stage so far, `W` what the next stage must write.
///
/// Stages have names, for edits, logs and errors. Types that do not fit do not compile; a name that
/// is used twice is an error when the channel is made.
#[must_use = "hand it to the bootstrap"]
pub struct PipelineBuilder<R = ByteBuf, W = Outgoing> {
    pipeline: Pipeline,
    types: PhantomData<fn(R) -> W>,
}

impl PipelineBuilder {
    /// The pipeline of a stream channel: bytes in, bytes out.
    pub fn stream() -> Self {
        Self { pipeline: Pipeline::default(), types: PhantomData }
    }
}

impl PipelineBuilder<Datagram, Datagram> {
    /// The pipeline of a datagram channel.
    pub fn datagram() -> Self {
        Self { pipeline: Pipeline::default(), types: PhantomData }
    }
}

impl<R: 'static, W: 'static> PipelineBuilder<R, W> {
    /// Room for so many stages, so that the list of them does not grow in steps.
    pub(crate) fn with_room(stages: usize) -> Self {
        let slots = Vec::with_capacity(stages);
        Self { pipeline: Pipeline { slots, ..Pipeline::default() }, types: PhantomData }
    }

    fn with<R2, W2>(mut self, name: &'static str, stage: Stage) -> PipelineBuilder<R2, W2> {
        self.pipeline.insert(self.pipeline.last, name, stage.vtable, stage.cell);
        PipelineBuilder { pipeline: self.pipeline, types: PhantomData }
    }

    /// Adds an inbound handler.
    pub fn inbound<H>(self, name: &'static str, handler: H) -> PipelineBuilder<H::Out, W>
    where
        H: InboundHandler<In = R, Write = W>,
    {
        self.with(name, Stage::inbound(handler))
    }

    /// Adds an outbound handler.
    pub fn outbound<H>(self, name: &'static str, handler: H) -> PipelineBuilder<R, H::In>
    where
        H: OutboundHandler<Out = W>,
    {
        self.with(name, Stage::outbound(handler))
    }

    /// Adds a handler of both directions.
    pub fn duplex<H>(self, name: &'static str, handler: H) -> PipelineBuilder<H::Out, H::WriteIn>
    where
        H: DuplexHandler<In = R, WriteOut = W>,
    {
        self.with(name, Stage::duplex(handler))
    }
}

impl<W: 'static> PipelineBuilder<ByteBuf, W> {
    /// Adds a decoder.
    pub fn decoder<D: Decoder>(
        self,
        name: &'static str,
        decoder: D,
    ) -> PipelineBuilder<D::Item, W> {
        self.with(name, Stage::decoder(decoder))
    }
}

impl<R: 'static> PipelineBuilder<R, Outgoing> {
    /// Adds an encoder.
    pub fn encoder<M: 'static, E: Encoder<M>>(
        self,
        name: &'static str,
        encoder: E,
    ) -> PipelineBuilder<R, M> {
        self.with(name, Stage::encoder::<M, E>(encoder))
    }
}

impl PipelineBuilder<ByteBuf, Outgoing> {
    /// Adds a codec: what it encodes is what the next stage writes.
    pub fn codec<M: 'static, C: Decoder + Encoder<M>>(
        self,
        name: &'static str,
        codec: C,
    ) -> PipelineBuilder<C::Item, M> {
        self.with(name, Stage::codec::<M, C>(codec))
    }

    /// Adds a codec that is a handler, too.
    pub fn codec_handler<H: CodecHandler>(
        self,
        name: &'static str,
        handler: H,
    ) -> PipelineBuilder<H::Out, H::WriteIn> {
        self.with(name, Stage::codec_handler(handler))
    }
}

impl<R, W> fmt::Debug for PipelineBuilder<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pipeline.fmt(f)
    }
}

/// A built pipeline, whatever flows behind its last stage.
#[derive(Debug)]
pub struct Stages(pub(crate) Pipeline);

impl<R, W> From<PipelineBuilder<R, W>> for Stages {
    fn from(builder: PipelineBuilder<R, W>) -> Self {
        Self(builder.pipeline)
    }
}

/// What an initialiser may answer: a builder, built stages, or a failure.
pub trait IntoStages {
    /// The stages.
    ///
    /// # Errors
    /// Why the channel cannot be served; it is closed then.
    fn into_stages(self) -> Result<Stages>;
}

impl<R, W> IntoStages for PipelineBuilder<R, W> {
    fn into_stages(self) -> Result<Stages> {
        Ok(self.into())
    }
}

impl IntoStages for Stages {
    fn into_stages(self) -> Result<Stages> {
        Ok(self)
    }
}

impl<T: IntoStages, E: Into<Error>> IntoStages for Result<T, E> {
    fn into_stages(self) -> Result<Stages> {
        self.map_err(Into::into).and_then(IntoStages::into_stages)
    }
}
