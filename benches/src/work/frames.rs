//! A length-prefixed echo: frames of 64 bytes, 512 of a read, as from a busy socket.

use std::hint::black_box;

use fyke::embedded::EmbeddedChannel;
use fyke::prelude::*;
use fyke::{IntoStages, PipelineBuilder, Stages};
use fyke_codecs::frames::LengthField;

/// Frames of one read.
pub const FRAMES: usize = 512;
const PAYLOAD: [u8; 64] = [b'x'; 64];

/// Passes frames on.
struct Pass;

impl InboundHandler for Pass {
    type In = ByteBuf;
    type Out = ByteBuf;
    type Write = ByteBuf;

    fn read(&mut self, cx: &mut Context<'_, Self>, frame: ByteBuf) -> Result<()> {
        cx.fire_read(frame);
        Ok(())
    }
}

/// Passes frames on, both ways.
struct PassBoth;

impl DuplexHandler for PassBoth {
    type In = ByteBuf;
    type Out = ByteBuf;
    type WriteIn = ByteBuf;
    type WriteOut = ByteBuf;

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, frame: ByteBuf) -> Result<()> {
        cx.fire_read(frame);
        Ok(())
    }

    fn write(
        &mut self,
        cx: &mut DuplexContext<'_, Self>,
        frame: ByteBuf,
        promise: Promise,
    ) -> Result<()> {
        cx.write_with(frame, promise);
        Ok(())
    }
}

struct Echo;

impl InboundHandler for Echo {
    type In = ByteBuf;
    type Out = Never;
    type Write = ByteBuf;

    fn read(&mut self, cx: &mut Context<'_, Self>, frame: ByteBuf) -> Result<()> {
        cx.write(frame);
        Ok(())
    }
}

/// Drops frames.
struct Sink;

impl InboundHandler for Sink {
    type In = ByteBuf;
    type Out = Never;
    type Write = ByteBuf;

    fn read(&mut self, _: &mut Context<'_, Self>, frame: ByteBuf) -> Result<()> {
        black_box(frame.len());
        Ok(())
    }
}

const NAMES: [&str; 16] = [
    "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14",
    "p15",
];

/// [`FRAMES`] frames, as they come from the wire.
#[must_use]
pub fn input() -> ByteBuf {
    let mut input = ByteBuf::with_capacity(FRAMES * (4 + PAYLOAD.len()));
    for _ in 0..FRAMES {
        input.write_u32(PAYLOAD.len() as u32);
        input.write_slice(&PAYLOAD);
    }
    input
}

/// The codec, so many handlers that pass frames on (at most 16), and one that drops them.
///
/// # Panics
/// For more than 16 handlers.
#[must_use]
pub fn passing(hops: usize) -> EmbeddedChannel {
    EmbeddedChannel::with_options(options(), move |ch| {
        let start: PipelineBuilder<ByteBuf, ByteBuf> =
            ch.pipeline().codec("frames", LengthField::u32());
        let passed = NAMES[..hops].iter().fold(start, |p, name| p.inbound(name, Pass));
        passed.inbound("sink", Sink)
    })
}

/// The codec, so many handlers that pass frames on both ways, and one that sends them back.
///
/// # Panics
/// For more than 16 handlers.
#[must_use]
pub fn echoing(hops: usize) -> EmbeddedChannel {
    EmbeddedChannel::with_options(options(), move |ch| -> Result<Stages> {
        let start: PipelineBuilder<ByteBuf, ByteBuf> =
            ch.pipeline().codec("frames", LengthField::u32());
        let passed = NAMES[..hops].iter().fold(start, |p, name| p.duplex(name, PassBoth));
        passed.inbound("echo", Echo).into_stages()
    })
}

fn options() -> ChannelOptions {
    ChannelOptions::default().water_marks(1 << 20, 1 << 21)
}
