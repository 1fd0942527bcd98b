//! A handler of a stream's bytes on a datagram channel.

use fyke_buffer::ByteBuf;
use fyke_core::{Context, InboundHandler, Never, Outgoing, PipelineBuilder, Result};

struct Echo;

impl InboundHandler for Echo {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, bytes: ByteBuf) -> Result<()> {
        cx.write(bytes.into());
        Ok(())
    }
}

fn main() {
    let _ = PipelineBuilder::datagram().inbound("echo", Echo);
}
