//! Reading and writing numbers: big-endian (network order) without, little-endian with `_le`.
//!
//! For each type: `read_*` and `write_*` move an index, `get_*` and `set_*` look at an absolute
//! index below the writer index and move nothing.

use crate::ByteBuf;
use crate::error::{CapacityExceeded, OutOfBounds};

impl ByteBuf {
    #[inline]
    fn get_array<const N: usize>(&self, index: usize) -> Result<[u8; N], OutOfBounds> {
        let bytes = self.window.written();
        match bytes.get(index..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(&array) => Ok(array),
            None => Err(beyond(index, N, bytes.len())),
        }
    }

    #[inline]
    fn set_array<const N: usize>(
        &mut self,
        index: usize,
        array: [u8; N],
    ) -> Result<(), OutOfBounds> {
        let bytes = self.window.written_mut();
        let available = bytes.len();
        match bytes.get_mut(index..).and_then(|rest| rest.first_chunk_mut::<N>()) {
            Some(place) => {
                *place = array;
                Ok(())
            }
            None => Err(beyond(index, N, available)),
        }
    }
}

#[cold]
#[inline(never)]
fn beyond(index: usize, size: usize, available: usize) -> OutOfBounds {
    OutOfBounds { needed: index.saturating_add(size), available }
}

/// The five accessors of one type in one byte order.
macro_rules! accessors {
    ($($what:literal: $type:ty, $from:expr, $into:expr;
       $read:ident $get:ident $set:ident $write:ident $try_write:ident;)*) => {
        impl ByteBuf {$(
            #[doc = concat!("Reads ", $what, " at the reader index.")]
            ///
            /// # Errors
            /// When too few bytes are readable; then nothing is read.
            #[inline]
            pub fn $read(&mut self) -> Result<$type, OutOfBounds> {
                self.read_array().map($from)
            }

            #[doc = concat!("Gets ", $what, " at an absolute index; no index moves.")]
            ///
            /// # Errors
            /// When that is not all before the writer index.
            #[inline]
            pub fn $get(&self, index: usize) -> Result<$type, OutOfBounds> {
                self.get_array(index).map($from)
            }

            #[doc = concat!("Sets ", $what, " at an absolute index; no index moves.")]
            ///
            /// # Errors
            /// When that is not all before the writer index; then nothing changes.
            #[inline]
            pub fn $set(&mut self, index: usize, value: $type) -> Result<(), OutOfBounds> {
                let into: fn($type) -> _ = $into;
                self.set_array(index, into(value))
            }

            #[doc = concat!("Writes ", $what, " at the writer index.")]
            ///
            /// # Panics
            /// When that would go beyond `max_capacity`.
            #[inline]
            #[track_caller]
            pub fn $write(&mut self, value: $type) {
                let into: fn($type) -> _ = $into;
                self.write_array(into(value));
            }

            #[doc = concat!("Writes ", $what, " at the writer index.")]
            ///
            /// # Errors
            /// When that would go beyond `max_capacity`; then nothing is written.
            #[inline]
            pub fn $try_write(&mut self, value: $type) -> Result<(), CapacityExceeded> {
                let into: fn($type) -> _ = $into;
                self.try_write_array(into(value))
            }
        )*}
    };
}

accessors! {
    "an unsigned byte": u8, |[a]: [u8; 1]| a, |v| [v];
    read_u8 get_u8 set_u8 write_u8 try_write_u8;
    "a signed byte": i8, i8::from_be_bytes, i8::to_be_bytes;
    read_i8 get_i8 set_i8 write_i8 try_write_i8;
    "a `u16`": u16, u16::from_be_bytes, u16::to_be_bytes;
    read_u16 get_u16 set_u16 write_u16 try_write_u16;
    "a little-endian `u16`": u16, u16::from_le_bytes, u16::to_le_bytes;
    read_u16_le get_u16_le set_u16_le write_u16_le try_write_u16_le;
    "an `i16`": i16, i16::from_be_bytes, i16::to_be_bytes;
    read_i16 get_i16 set_i16 write_i16 try_write_i16;
    "a little-endian `i16`": i16, i16::from_le_bytes, i16::to_le_bytes;
    read_i16_le get_i16_le set_i16_le write_i16_le try_write_i16_le;
    "a `u32`": u32, u32::from_be_bytes, u32::to_be_bytes;
    read_u32 get_u32 set_u32 write_u32 try_write_u32;
    "a little-endian `u32`": u32, u32::from_le_bytes, u32::to_le_bytes;
    read_u32_le get_u32_le set_u32_le write_u32_le try_write_u32_le;
    "an `i32`": i32, i32::from_be_bytes, i32::to_be_bytes;
    read_i32 get_i32 set_i32 write_i32 try_write_i32;
    "a little-endian `i32`": i32, i32::from_le_bytes, i32::to_le_bytes;
    read_i32_le get_i32_le set_i32_le write_i32_le try_write_i32_le;
    "a `u64`": u64, u64::from_be_bytes, u64::to_be_bytes;
    read_u64 get_u64 set_u64 write_u64 try_write_u64;
    "a little-endian `u64`": u64, u64::from_le_bytes, u64::to_le_bytes;
    read_u64_le get_u64_le set_u64_le write_u64_le try_write_u64_le;
    "an `i64`": i64, i64::from_be_bytes, i64::to_be_bytes;
    read_i64 get_i64 set_i64 write_i64 try_write_i64;
    "a little-endian `i64`": i64, i64::from_le_bytes, i64::to_le_bytes;
    read_i64_le get_i64_le set_i64_le write_i64_le try_write_i64_le;
    "a `u128`": u128, u128::from_be_bytes, u128::to_be_bytes;
    read_u128 get_u128 set_u128 write_u128 try_write_u128;
    "a little-endian `u128`": u128, u128::from_le_bytes, u128::to_le_bytes;
    read_u128_le get_u128_le set_u128_le write_u128_le try_write_u128_le;
    "an `i128`": i128, i128::from_be_bytes, i128::to_be_bytes;
    read_i128 get_i128 set_i128 write_i128 try_write_i128;
    "a little-endian `i128`": i128, i128::from_le_bytes, i128::to_le_bytes;
    read_i128_le get_i128_le set_i128_le write_i128_le try_write_i128_le;
    "an `f32`": f32, f32::from_be_bytes, f32::to_be_bytes;
    read_f32 get_f32 set_f32 write_f32 try_write_f32;
    "a little-endian `f32`": f32, f32::from_le_bytes, f32::to_le_bytes;
    read_f32_le get_f32_le set_f32_le write_f32_le try_write_f32_le;
    "an `f64`": f64, f64::from_be_bytes, f64::to_be_bytes;
    read_f64 get_f64 set_f64 write_f64 try_write_f64;
    "a little-endian `f64`": f64, f64::from_le_bytes, f64::to_le_bytes;
    read_f64_le get_f64_le set_f64_le write_f64_le try_write_f64_le;
}

// Widths Rust has no type for live in the next larger one. As in Netty, writing ignores the
// bits above the width; reading a signed one extends the sign.
accessors! {
    "a 24-bit unsigned integer (of a value written, the low 24 bits)": u32,
        |[a, b, c]: [u8; 3]| u32::from_be_bytes([0, a, b, c]),
        |v| { let [_, a, b, c] = v.to_be_bytes(); [a, b, c] };
    read_u24 get_u24 set_u24 write_u24 try_write_u24;
    "a little-endian 24-bit unsigned integer (of a value written, the low 24 bits)": u32,
        |[a, b, c]: [u8; 3]| u32::from_le_bytes([a, b, c, 0]),
        |v| { let [a, b, c, _] = v.to_le_bytes(); [a, b, c] };
    read_u24_le get_u24_le set_u24_le write_u24_le try_write_u24_le;
    "a 24-bit signed integer (of a value written, the low 24 bits)": i32,
        |[a, b, c]: [u8; 3]| i32::from_be_bytes([a, b, c, 0]) >> 8,
        |v| { let [_, a, b, c] = v.to_be_bytes(); [a, b, c] };
    read_i24 get_i24 set_i24 write_i24 try_write_i24;
    "a little-endian 24-bit signed integer (of a value written, the low 24 bits)": i32,
        |[a, b, c]: [u8; 3]| i32::from_le_bytes([0, a, b, c]) >> 8,
        |v| { let [a, b, c, _] = v.to_le_bytes(); [a, b, c] };
    read_i24_le get_i24_le set_i24_le write_i24_le try_write_i24_le;
    "a 48-bit unsigned integer (of a value written, the low 48 bits)": u64,
        |[a, b, c, d, e, f]: [u8; 6]| u64::from_be_bytes([0, 0, a, b, c, d, e, f]),
        |v| { let [_, _, a, b, c, d, e, f] = v.to_be_bytes(); [a, b, c, d, e, f] };
    read_u48 get_u48 set_u48 write_u48 try_write_u48;
    "a little-endian 48-bit unsigned integer (of a value written, the low 48 bits)": u64,
        |[a, b, c, d, e, f]: [u8; 6]| u64::from_le_bytes([a, b, c, d, e, f, 0, 0]),
        |v| { let [a, b, c, d, e, f, _, _] = v.to_le_bytes(); [a, b, c, d, e, f] };
    read_u48_le get_u48_le set_u48_le write_u48_le try_write_u48_le;
    "a 48-bit signed integer (of a value written, the low 48 bits)": i64,
        |[a, b, c, d, e, f]: [u8; 6]| i64::from_be_bytes([a, b, c, d, e, f, 0, 0]) >> 16,
        |v| { let [_, _, a, b, c, d, e, f] = v.to_be_bytes(); [a, b, c, d, e, f] };
    read_i48 get_i48 set_i48 write_i48 try_write_i48;
    "a little-endian 48-bit signed integer (of a value written, the low 48 bits)": i64,
        |[a, b, c, d, e, f]: [u8; 6]| i64::from_le_bytes([0, 0, a, b, c, d, e, f]) >> 16,
        |v| { let [a, b, c, d, e, f, _, _] = v.to_le_bytes(); [a, b, c, d, e, f] };
    read_i48_le get_i48_le set_i48_le write_i48_le try_write_i48_le;
}
