//! The same parts where they belong: this one compiles, so that the others fail for their reasons.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};
use fyke_core::{Context, InboundHandler, Never, PipelineBuilder, Result};

struct Letters;

impl Decoder for Letters {
    type Item = u8;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<u8>, CodecError> {
        Ok(src.read_u8().ok())
    }
}

impl Encoder<u64> for Letters {
    fn encode(&mut self, number: u64, dst: &mut ByteBuf) -> Result<(), CodecError> {
        dst.write_u64(number);
        Ok(())
    }
}

struct Widen;

impl InboundHandler for Widen {
    type In = u8;
    type Out = Never;
    type Write = u64;

    fn read(&mut self, cx: &mut Context<'_, Self>, letter: u8) -> Result<()> {
        cx.write(u64::from(letter));
        Ok(())
    }
}

fn main() {
    let _ = PipelineBuilder::stream().codec("letters", Letters).inbound("widen", Widen);
}
