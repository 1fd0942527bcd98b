//! A decoder of letters in front of a handler of numbers.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_core::{Context, InboundHandler, Never, Outgoing, PipelineBuilder, Result};

struct Letters;

impl Decoder for Letters {
    type Item = char;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<char>, CodecError> {
        Ok(src.read_u8().ok().map(char::from))
    }
}

struct Sum(u64);

impl InboundHandler for Sum {
    type In = u64;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, _: &mut Context<'_, Self>, number: u64) -> Result<()> {
        self.0 += number;
        Ok(())
    }
}

fn main() {
    let _ = PipelineBuilder::stream().decoder("letters", Letters).inbound("sum", Sum(0));
}
