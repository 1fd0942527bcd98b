//! Writing a frame: one check for room, then plain copies.

use fyke_buffer::ByteBuf;
use fyke_codec::CodecError;

/// Appends `header` and `body`, or nothing when there is no room for both.
#[inline(always)]
pub(super) fn append_header<const N: usize>(
    header: [u8; N],
    body: &[u8],
    dst: &mut ByteBuf,
) -> Result<(), CodecError> {
    // No overflow: a slice is at most half of the address space.
    let size = N + body.len();
    if dst.ensure_writable(size).is_err() {
        return Err(no_room());
    }
    let room = &mut dst.spare_mut()[..size];
    if let Some((front, back)) = room.split_first_chunk_mut() {
        *front = header;
        back.copy_from_slice(body);
    }
    dst.advance_writer(size);
    Ok(())
}

/// Appends `first` and `second`, or nothing when there is no room for both.
#[inline]
pub(super) fn append(first: &[u8], second: &[u8], dst: &mut ByteBuf) -> Result<(), CodecError> {
    // No overflow: a slice is at most half of the address space.
    let size = first.len() + second.len();
    if dst.ensure_writable(size).is_err() {
        return Err(no_room());
    }
    let (front, back) = dst.spare_mut()[..size].split_at_mut(first.len());
    front.copy_from_slice(first);
    back.copy_from_slice(second);
    dst.advance_writer(size);
    Ok(())
}

#[cold]
fn no_room() -> CodecError {
    CodecError::Unencodable { what: "the frame does not fit into the outbound buffer" }
}
