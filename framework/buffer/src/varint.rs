//! Variable-length integers: LEB128, 7 bits a byte, low bits first, as protobuf and DWARF have
//! them; signed ones in zig-zag (0, -1, 1, -2, ...).
//!
//! Decoding takes padded encodings (`80 00` for 0) as protobuf does, up to the length the type
//! can need; what is longer or does not fit is an error, however much of it has arrived.

use crate::ByteBuf;
use crate::error::{CapacityExceeded, VarintError};

const U32_BYTES_MAX: usize = 5;
const U64_BYTES_MAX: usize = 10;

/// Decodes a varint of at most `max` bytes and `bits` bits.
#[inline]
fn decode(bytes: &[u8], max: usize, bits: u32) -> Result<Option<(u64, usize)>, VarintError> {
    // Most are a single byte.
    if let Some(&first) = bytes.first()
        && first < 0x80
    {
        return Ok(Some((u64::from(first), 1)));
    }
    decode_long(bytes, max, bits)
}

fn decode_long(bytes: &[u8], max: usize, bits: u32) -> Result<Option<(u64, usize)>, VarintError> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(max).enumerate() {
        let low = u64::from(byte & 0x7f);
        if at + 1 == max {
            if byte >= 0x80 {
                return Err(VarintError::TooLong);
            }
            // The last byte holds what is left of the width: 4 bits of 32, 1 bit of 64.
            if low >> (bits - 7 * at as u32) != 0 {
                return Err(VarintError::Overflow);
            }
        }
        value |= low << (7 * at);
        if byte < 0x80 {
            return Ok(Some((value, at + 1)));
        }
    }
    Ok(None)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

impl ByteBuf {
    /// How many bytes `value` takes as a varint (1 to 10).
    #[inline]
    #[must_use]
    pub const fn varint_len(value: u64) -> usize {
        // 7 bits a byte, and one byte for zero.
        ((63 - (value | 1).leading_zeros()) / 7 + 1) as usize
    }

    #[inline]
    fn try_write_varint(&mut self, mut value: u64) -> Result<(), CapacityExceeded> {
        let room = self.window.claim(Self::varint_len(value))?;
        if let Some((last, others)) = room.split_last_mut() {
            for place in others {
                *place = value as u8 | 0x80;
                value >>= 7;
            }
            *last = value as u8;
        }
        Ok(())
    }
}

/// The accessors of one varint type.
macro_rules! varints {
    ($($what:literal: $type:ty, $max:expr, $bits:literal, $from:expr, $into:expr;
       $peek:ident $read:ident $write:ident $try_write:ident;)*) => {
        impl ByteBuf {$(
            #[doc = concat!("Looks at ", $what, " at the reader index: its value and its length in bytes,")]
            /// or `None` when it has not arrived completely. No index moves.
            ///
            /// # Errors
            /// When the bytes are too long or too large for the type.
            #[inline]
            pub fn $peek(&self) -> Result<Option<($type, usize)>, VarintError> {
                let into: fn(u64) -> $type = $from;
                Ok(decode(self, $max, $bits)?.map(|(value, length)| (into(value), length)))
            }

            #[doc = concat!("Reads ", $what, " at the reader index.")]
            ///
            /// # Errors
            /// When the bytes end inside it, or are too long or too large for the type; then
            /// nothing is read.
            #[inline]
            pub fn $read(&mut self) -> Result<$type, VarintError> {
                let (value, length) = self.$peek()?.ok_or(VarintError::Incomplete)?;
                // Cannot fail: the varint was found in the readable bytes.
                let _ = self.window.advance_reader(length);
                Ok(value)
            }

            #[doc = concat!("Writes ", $what, " at the writer index.")]
            ///
            /// # Panics
            /// When that would go beyond `max_capacity`.
            #[inline]
            #[track_caller]
            pub fn $write(&mut self, value: $type) {
                if let Err(error) = self.$try_write(value) {
                    panic!("{error}");
                }
            }

            #[doc = concat!("Writes ", $what, " at the writer index.")]
            ///
            /// # Errors
            /// When that would go beyond `max_capacity`; then nothing is written.
            #[inline]
            pub fn $try_write(&mut self, value: $type) -> Result<(), CapacityExceeded> {
                let from: fn($type) -> u64 = $into;
                self.try_write_varint(from(value))
            }
        )*}
    };
}

varints! {
    "a varint of 32 bits": u32, U32_BYTES_MAX, 32, |v| v as u32, u64::from;
    peek_varint_u32 read_varint_u32 write_varint_u32 try_write_varint_u32;
    "a varint of 64 bits": u64, U64_BYTES_MAX, 64, |v| v, |v| v;
    peek_varint_u64 read_varint_u64 write_varint_u64 try_write_varint_u64;
    "a zig-zag varint of 32 bits": i32, U32_BYTES_MAX, 32,
        |v| unzigzag(v) as i32, |v| zigzag(i64::from(v));
    peek_varint_i32 read_varint_i32 write_varint_i32 try_write_varint_i32;
    "a zig-zag varint of 64 bits": i64, U64_BYTES_MAX, 64, unzigzag, zigzag;
    peek_varint_i64 read_varint_i64 write_varint_i64 try_write_varint_i64;
}
