//! Tables for the number accessors: every type, both byte orders, edge values, short buffers.

use fyke_buffer::{ByteBuf, OutOfBounds};

/// Each value in its own buffer: written, laid out as expected, read, got, set; and with one
/// byte too few it is an error that changes nothing.
macro_rules! table {
    ($name:ident: $size:literal, $read:ident $get:ident $set:ident $write:ident $try_write:ident;
     $($value:expr => $bytes:expr),+ $(,)?) => {
        #[test]
        fn $name() {
            $({
                let (value, bytes): (_, [u8; $size]) = ($value, $bytes);
                let mut buf = ByteBuf::from(&[0xEE]);
                buf.$write(value);
                assert_eq!(buf[1..], bytes, "layout");
                assert_eq!(buf.$get(1), Ok(value));
                assert_eq!(buf.reader_index(), 0, "get moves nothing");
                buf.skip(1).unwrap();
                assert_eq!(buf.$read(), Ok(value));
                assert!(buf.is_empty());
                assert_eq!(buf.$get(1), Ok(value), "also what was read already");

                buf.written_over(0);
                buf.$set(1, value).unwrap();
                assert_eq!(buf.$get(1), Ok(value), "set");
                assert_eq!(buf.get_u8(0), Ok(0), "set touches only its own bytes");

                let mut short = ByteBuf::from(&bytes[..$size - 1]);
                let error = OutOfBounds { needed: $size, available: $size - 1 };
                assert_eq!(short.$read(), Err(error));
                assert_eq!(short.$get(0), Err(error));
                assert_eq!(short.$set(0, value), Err(error));
                assert_eq!(short, &bytes[..$size - 1], "unchanged");
                assert!(short.$get(usize::MAX).is_err());
                assert!(short.$set(usize::MAX, value).is_err());

                let mut full = ByteBuf::with_max_capacity($size - 1);
                let error = full.$try_write(value).unwrap_err();
                assert_eq!((error.needed, error.max), ($size, $size - 1));
                assert!(full.is_empty());
                full.set_max_capacity($size);
                full.$try_write(value).unwrap();
                assert_eq!(full, &bytes);
            })+
        }
    };
}

trait WrittenOver {
    fn written_over(&mut self, byte: u8);
}

impl WrittenOver for ByteBuf {
    fn written_over(&mut self, byte: u8) {
        self.set_reader_index(0).unwrap();
        self.fill(byte);
    }
}

table!(u8_: 1, read_u8 get_u8 set_u8 write_u8 try_write_u8;
    0 => [0], 1 => [1], u8::MAX => [0xFF]);
table!(i8_: 1, read_i8 get_i8 set_i8 write_i8 try_write_i8;
    0 => [0], -1 => [0xFF], i8::MIN => [0x80], i8::MAX => [0x7F]);
table!(u16_be: 2, read_u16 get_u16 set_u16 write_u16 try_write_u16;
    0 => [0, 0], 0x0102 => [1, 2], u16::MAX => [0xFF; 2]);
table!(u16_le: 2, read_u16_le get_u16_le set_u16_le write_u16_le try_write_u16_le;
    0 => [0, 0], 0x0102 => [2, 1], u16::MAX => [0xFF; 2]);
table!(i16_be: 2, read_i16 get_i16 set_i16 write_i16 try_write_i16;
    -2 => [0xFF, 0xFE], i16::MIN => [0x80, 0], i16::MAX => [0x7F, 0xFF]);
table!(i16_le: 2, read_i16_le get_i16_le set_i16_le write_i16_le try_write_i16_le;
    -2 => [0xFE, 0xFF], i16::MIN => [0, 0x80], i16::MAX => [0xFF, 0x7F]);
table!(u24_be: 3, read_u24 get_u24 set_u24 write_u24 try_write_u24;
    0 => [0; 3], 0x01_0203 => [1, 2, 3], 0xFF_FFFF => [0xFF; 3]);
table!(u24_le: 3, read_u24_le get_u24_le set_u24_le write_u24_le try_write_u24_le;
    0 => [0; 3], 0x01_0203 => [3, 2, 1], 0xFF_FFFF => [0xFF; 3]);
table!(i24_be: 3, read_i24 get_i24 set_i24 write_i24 try_write_i24;
    -2 => [0xFF, 0xFF, 0xFE], -0x80_0000 => [0x80, 0, 0], 0x7F_FFFF => [0x7F, 0xFF, 0xFF]);
table!(i24_le: 3, read_i24_le get_i24_le set_i24_le write_i24_le try_write_i24_le;
    -2 => [0xFE, 0xFF, 0xFF], -0x80_0000 => [0, 0, 0x80], 0x7F_FFFF => [0xFF, 0xFF, 0x7F]);
table!(u32_be: 4, read_u32 get_u32 set_u32 write_u32 try_write_u32;
    0 => [0; 4], 0x0102_0304 => [1, 2, 3, 4], u32::MAX => [0xFF; 4]);
table!(u32_le: 4, read_u32_le get_u32_le set_u32_le write_u32_le try_write_u32_le;
    0 => [0; 4], 0x0102_0304 => [4, 3, 2, 1], u32::MAX => [0xFF; 4]);
table!(i32_be: 4, read_i32 get_i32 set_i32 write_i32 try_write_i32;
    -2 => [0xFF, 0xFF, 0xFF, 0xFE], i32::MIN => [0x80, 0, 0, 0]);
table!(i32_le: 4, read_i32_le get_i32_le set_i32_le write_i32_le try_write_i32_le;
    -2 => [0xFE, 0xFF, 0xFF, 0xFF], i32::MIN => [0, 0, 0, 0x80]);
table!(u48_be: 6, read_u48 get_u48 set_u48 write_u48 try_write_u48;
    0 => [0; 6], 0x0102_0304_0506 => [1, 2, 3, 4, 5, 6], (1 << 48) - 1 => [0xFF; 6]);
table!(u48_le: 6, read_u48_le get_u48_le set_u48_le write_u48_le try_write_u48_le;
    0 => [0; 6], 0x0102_0304_0506 => [6, 5, 4, 3, 2, 1], (1 << 48) - 1 => [0xFF; 6]);
table!(i48_be: 6, read_i48 get_i48 set_i48 write_i48 try_write_i48;
    -2 => [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE], -(1 << 47) => [0x80, 0, 0, 0, 0, 0],
    (1 << 47) - 1 => [0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
table!(i48_le: 6, read_i48_le get_i48_le set_i48_le write_i48_le try_write_i48_le;
    -2 => [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], -(1 << 47) => [0, 0, 0, 0, 0, 0x80],
    (1 << 47) - 1 => [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]);
table!(u64_be: 8, read_u64 get_u64 set_u64 write_u64 try_write_u64;
    0x0102_0304_0506_0708 => [1, 2, 3, 4, 5, 6, 7, 8], u64::MAX => [0xFF; 8]);
table!(u64_le: 8, read_u64_le get_u64_le set_u64_le write_u64_le try_write_u64_le;
    0x0102_0304_0506_0708 => [8, 7, 6, 5, 4, 3, 2, 1], u64::MAX => [0xFF; 8]);
table!(i64_be: 8, read_i64 get_i64 set_i64 write_i64 try_write_i64;
    -1 => [0xFF; 8], i64::MIN => [0x80, 0, 0, 0, 0, 0, 0, 0]);
table!(i64_le: 8, read_i64_le get_i64_le set_i64_le write_i64_le try_write_i64_le;
    -1 => [0xFF; 8], i64::MIN => [0, 0, 0, 0, 0, 0, 0, 0x80]);
table!(u128_be: 16, read_u128 get_u128 set_u128 write_u128 try_write_u128;
    1 => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], u128::MAX => [0xFF; 16]);
table!(u128_le: 16, read_u128_le get_u128_le set_u128_le write_u128_le try_write_u128_le;
    1 => [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], u128::MAX => [0xFF; 16]);
table!(i128_be: 16, read_i128 get_i128 set_i128 write_i128 try_write_i128;
    i128::MIN => [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], -1 => [0xFF; 16]);
table!(i128_le: 16, read_i128_le get_i128_le set_i128_le write_i128_le try_write_i128_le;
    i128::MIN => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80], -1 => [0xFF; 16]);
table!(f32_be: 4, read_f32 get_f32 set_f32 write_f32 try_write_f32;
    1.0 => [0x3F, 0x80, 0, 0], -0.0 => [0x80, 0, 0, 0], f32::INFINITY => [0x7F, 0x80, 0, 0]);
table!(f32_le: 4, read_f32_le get_f32_le set_f32_le write_f32_le try_write_f32_le;
    1.0 => [0, 0, 0x80, 0x3F], f32::MIN_POSITIVE => [0, 0, 0x80, 0]);
table!(f64_be: 8, read_f64 get_f64 set_f64 write_f64 try_write_f64;
    1.0 => [0x3F, 0xF0, 0, 0, 0, 0, 0, 0], f64::NEG_INFINITY => [0xFF, 0xF0, 0, 0, 0, 0, 0, 0]);
table!(f64_le: 8, read_f64_le get_f64_le set_f64_le write_f64_le try_write_f64_le;
    1.0 => [0, 0, 0, 0, 0, 0, 0xF0, 0x3F]);

#[test]
fn a_nan_keeps_its_bits() {
    let bits = 0x7FF4_0000_0000_1234;
    let mut buf = ByteBuf::new();
    buf.write_f64(f64::from_bits(bits));
    assert_eq!(buf.read_f64().unwrap().to_bits(), bits);
}

#[test]
fn odd_widths_ignore_the_bits_above() {
    let mut buf = ByteBuf::new();
    buf.write_u24(0xAB00_0001);
    buf.write_u24_le(0xAB00_0001);
    buf.write_u48(0xABCD_0000_0000_0001);
    buf.write_i24(-0x100_0000);
    assert_eq!(buf.read_u24(), Ok(1));
    assert_eq!(buf.read_u24_le(), Ok(1));
    assert_eq!(buf.read_u48(), Ok(1));
    assert_eq!(buf.read_i24(), Ok(0));
}

#[test]
fn get_and_set_end_at_the_writer_index_not_at_the_capacity() {
    let mut buf = ByteBuf::with_capacity(64);
    buf.write_u16(7);
    assert_eq!(buf.get_u32(0), Err(OutOfBounds { needed: 4, available: 2 }));
    assert!(buf.set_u8(2, 1).is_err());
}
