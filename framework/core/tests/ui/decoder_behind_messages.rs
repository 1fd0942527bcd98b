//! A decoder of bytes behind one that has made messages of them.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_core::{PipelineBuilder, Result};

struct Letters;

impl Decoder for Letters {
    type Item = u8;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<u8>, CodecError> {
        Ok(src.read_u8().ok())
    }
}

fn main() {
    let _ = PipelineBuilder::stream().decoder("first", Letters).decoder("second", Letters);
}
