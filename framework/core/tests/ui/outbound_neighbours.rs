//! A handler that writes text in front of nothing that takes text.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Encoder};
use fyke_core::{Context, InboundHandler, Never, PipelineBuilder, Result};

struct Numbers;

impl Encoder<u64> for Numbers {
    fn encode(&mut self, number: u64, dst: &mut ByteBuf) -> Result<(), CodecError> {
        dst.write_u64(number);
        Ok(())
    }
}

struct Greet;

impl InboundHandler for Greet {
    type In = ByteBuf;
    type Out = Never;
    type Write = String;

    fn read(&mut self, cx: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
        cx.write("hello".to_owned());
        Ok(())
    }
}

fn main() {
    let _ = PipelineBuilder::stream().encoder::<u64, _>("numbers", Numbers).inbound("greet", Greet);
}
