//! Writing a frame: one check for room, then plain copies.

use fyke_buffer::ByteBuf;
use fyke_codec::CodecError;

/// Appends `head` and `body`, or nothing when there is no room for both.
#[inline]
pub(super) fn append(dst: &mut ByteBuf, head: &[u8], body: &[u8]) -> Result<(), CodecError> {
    // Two slices never add up to more than `usize::MAX`: each is at most half of it.
    let size = head.len() + body.len();
    if dst.ensure_writable(size).is_err() {
        return Err(no_room());
    }
    let (front, back) = dst.spare_mut()[..size].split_at_mut(head.len());
    front.copy_from_slice(head);
    back.copy_from_slice(body);
    dst.advance_writer(size);
    Ok(())
}

#[cold]
fn no_room() -> CodecError {
    CodecError::Unencodable { what: "the frame does not fit into the outbound buffer" }
}
