//! How wide a length field is, and reading and writing its number.

use fyke_buffer::ByteBuf;
use fyke_codec::CodecError;

use super::append::append_header;

/// The width of a length field (Netty: `lengthFieldLength`); the discriminant is its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// One byte: up to 255.
    U8 = 1,
    /// Two bytes: up to 65 535.
    U16 = 2,
    /// Three bytes: up to 16 777 215.
    U24 = 3,
    /// Four bytes.
    U32 = 4,
    /// Eight bytes.
    U64 = 8,
}

impl Width {
    /// The width of that many bytes; `None` unless it is 1, 2, 3, 4 or 8.
    #[must_use]
    pub const fn from_bytes(bytes: usize) -> Option<Self> {
        Some(match bytes {
            1 => Self::U8,
            2 => Self::U16,
            3 => Self::U24,
            4 => Self::U32,
            8 => Self::U64,
            _ => return None,
        })
    }

    /// The width in bytes.
    #[must_use]
    #[inline]
    pub const fn bytes(self) -> usize {
        self as usize
    }

    /// The largest number the field can carry.
    #[must_use]
    #[inline]
    pub const fn max(self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes())
    }

    /// The number at the front of `field`; `None` when it is not all there.
    #[inline]
    pub(super) fn read(self, little_endian: bool, field: &[u8]) -> Option<u64> {
        Some(match (self, little_endian) {
            (Self::U8, _) => u64::from(*field.first()?),
            (Self::U16, false) => u64::from(u16::from_be_bytes(*field.first_chunk()?)),
            (Self::U16, true) => u64::from(u16::from_le_bytes(*field.first_chunk()?)),
            (Self::U24, little_endian) => {
                let [a, b, c] = *field.first_chunk()?;
                let raw = if little_endian { [a, b, c, 0] } else { [c, b, a, 0] };
                u64::from(u32::from_le_bytes(raw))
            }
            (Self::U32, false) => u64::from(u32::from_be_bytes(*field.first_chunk()?)),
            (Self::U32, true) => u64::from(u32::from_le_bytes(*field.first_chunk()?)),
            (Self::U64, false) => u64::from_be_bytes(*field.first_chunk()?),
            (Self::U64, true) => u64::from_le_bytes(*field.first_chunk()?),
        })
    }

    /// Appends a field of this width that holds `length`, and `body` behind it.
    #[inline]
    pub(super) fn append(
        self,
        little_endian: bool,
        length: u64,
        body: &[u8],
        dst: &mut ByteBuf,
    ) -> Result<(), CodecError> {
        if length > self.max() {
            return Err(too_narrow());
        }
        match (self, little_endian) {
            // The usual one is worth the room in the caller: a store of known size and a copy.
            (Self::U32, false) => append_header((length as u32).to_be_bytes(), body, dst),
            _ => self.append_other(little_endian, length, body, dst),
        }
    }

    /// The other kinds of field, out of line: one call more, much less code for each caller.
    #[inline(never)]
    fn append_other(
        self,
        little_endian: bool,
        length: u64,
        body: &[u8],
        dst: &mut ByteBuf,
    ) -> Result<(), CodecError> {
        let [a, b, c, ..] = length.to_le_bytes();
        match (self, little_endian) {
            (Self::U8, _) => append_header([a], body, dst),
            (Self::U16, false) => append_header([b, a], body, dst),
            (Self::U16, true) => append_header([a, b], body, dst),
            (Self::U24, false) => append_header([c, b, a], body, dst),
            (Self::U24, true) => append_header([a, b, c], body, dst),
            (Self::U32, false) => append_header((length as u32).to_be_bytes(), body, dst),
            (Self::U32, true) => append_header((length as u32).to_le_bytes(), body, dst),
            (Self::U64, false) => append_header(length.to_be_bytes(), body, dst),
            (Self::U64, true) => append_header(length.to_le_bytes(), body, dst),
        }
    }
}

#[cold]
fn too_narrow() -> CodecError {
    CodecError::Unencodable { what: "the length field is too narrow for the frame" }
}
