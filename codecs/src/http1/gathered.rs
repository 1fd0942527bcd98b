//! Messages on their way into a channel: small ones are copied into the outbound queue, large bodies
//! follow as they are.

use fyke_buffer::ByteBuf;
use fyke_codec::CodecError;
use fyke_core::{Ctx, Outgoing};

use super::Gather;

/// Lets `encode` append to the outbound queue, and sends what it leaves behind.
#[inline]
pub(super) fn write_gathered<O>(
    cx: &mut Ctx<'_, O, Outgoing>,
    encode: impl FnOnce(&mut ByteBuf) -> Result<Option<Gather>, CodecError>,
) -> Result<(), CodecError> {
    let mut rest = None;
    cx.encode(|dst| -> Result<(), CodecError> {
        rest = encode(dst)?;
        Ok(())
    })?;
    if let Some(Gather { body, behind }) = rest {
        cx.write(body.into());
        if !behind.is_empty() {
            cx.write(behind.into());
        }
    }
    Ok(())
}
