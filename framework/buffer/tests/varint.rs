//! Varints: tables of edge values, cut-off, padded, overlong and overflowing ones.

use fyke_buffer::{ByteBuf, VarintError};
use proptest::prelude::*;

const U32: &[(u32, &[u8])] = &[
    (0, &[0]),
    (1, &[1]),
    (127, &[0x7F]),
    (128, &[0x80, 1]),
    (300, &[0xAC, 2]),
    (16_383, &[0xFF, 0x7F]),
    (16_384, &[0x80, 0x80, 1]),
    ((1 << 28) - 1, &[0xFF, 0xFF, 0xFF, 0x7F]),
    (1 << 28, &[0x80, 0x80, 0x80, 0x80, 1]),
    (u32::MAX, &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
];

const U64: &[(u64, &[u8])] = &[
    (1 << 32, &[0x80, 0x80, 0x80, 0x80, 0x10]),
    ((1 << 63) - 1, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
    (1 << 63, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]),
    (u64::MAX, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
];

const ZIGZAG: &[(i64, u64)] = &[
    (0, 0),
    (-1, 1),
    (1, 2),
    (-2, 3),
    (i32::MAX as i64, u32::MAX as u64 - 1),
    (i32::MIN as i64, u32::MAX as u64),
    (i64::MAX, u64::MAX - 1),
    (i64::MIN, u64::MAX),
];

#[test]
fn table_of_32_bits() {
    for &(value, bytes) in U32 {
        let mut buf = ByteBuf::new();
        buf.write_varint_u32(value);
        assert_eq!(buf, bytes);
        assert_eq!(ByteBuf::varint_len(value.into()), bytes.len());
        assert_eq!(buf.peek_varint_u32(), Ok(Some((value, bytes.len()))));
        assert_eq!(buf.peek_varint_u64(), Ok(Some((value.into(), bytes.len()))));
        assert_eq!(buf.read_varint_u32(), Ok(value));
        assert!(buf.is_empty());
    }
}

#[test]
fn table_of_64_bits() {
    for &(value, bytes) in U64 {
        let mut buf = ByteBuf::new();
        buf.write_varint_u64(value);
        assert_eq!(buf, bytes);
        assert_eq!(ByteBuf::varint_len(value), bytes.len());
        assert_eq!(buf.read_varint_u64(), Ok(value));
        assert!(buf.is_empty());
    }
}

#[test]
fn table_of_zigzag() {
    for &(value, unsigned) in ZIGZAG {
        let mut buf = ByteBuf::new();
        buf.write_varint_i64(value);
        assert_eq!(buf.peek_varint_u64().unwrap().unwrap().0, unsigned);
        if let Ok(narrow) = i32::try_from(value) {
            let mut other = ByteBuf::new();
            other.write_varint_i32(narrow);
            assert_eq!(other, buf, "the same bytes for both widths");
            assert_eq!(other.read_varint_i32(), Ok(narrow));
        } else {
            assert!(buf.peek_varint_i32().is_err());
        }
        assert_eq!(buf.read_varint_i64(), Ok(value));
    }
}

#[test]
fn every_cut_off_varint_waits_and_takes_nothing() {
    for &(_, bytes) in U64 {
        for cut in 0..bytes.len() {
            let mut buf = ByteBuf::from(&bytes[..cut]);
            assert_eq!(buf.peek_varint_u64(), Ok(None));
            assert_eq!(buf.read_varint_u64(), Err(VarintError::Incomplete));
            assert_eq!(buf.readable(), cut);
        }
    }
    assert_eq!(ByteBuf::from(&[0x80; 4]).peek_varint_u32(), Ok(None));
    assert_eq!(ByteBuf::from(&[0x80; 9]).peek_varint_u64(), Ok(None));
}

#[test]
fn padded_ones_are_taken_up_to_the_longest() {
    assert_eq!(ByteBuf::from(&[0x80, 0]).read_varint_u32(), Ok(0));
    assert_eq!(ByteBuf::from(&[0x81, 0x80, 0x80, 0x80, 0]).read_varint_u32(), Ok(1));
    let mut longest = [0x80; 10];
    longest[9] = 0;
    assert_eq!(ByteBuf::from(&longest).peek_varint_u64(), Ok(Some((0, 10))));
    assert_eq!(ByteBuf::from(&longest).peek_varint_u32(), Err(VarintError::TooLong));
}

#[test]
fn what_does_not_fit_is_an_error_and_takes_nothing() {
    let overflow: &[&[u8]] = &[&[0xFF, 0xFF, 0xFF, 0xFF, 0x10], &[0x80, 0x80, 0x80, 0x80, 0x7F]];
    for bytes in overflow {
        let mut buf = ByteBuf::from(*bytes);
        assert_eq!(buf.read_varint_u32(), Err(VarintError::Overflow));
        assert_eq!(buf.read_varint_i32(), Err(VarintError::Overflow));
        assert_eq!(buf.readable(), bytes.len());
        assert!(buf.read_varint_u64().is_ok());
    }
    let mut wide = [0xFF; 10];
    wide[9] = 2;
    assert_eq!(ByteBuf::from(&wide).peek_varint_u64(), Err(VarintError::Overflow));
    assert_eq!(ByteBuf::from(&[0x80; 5]).peek_varint_u32(), Err(VarintError::TooLong));
    assert_eq!(ByteBuf::from(&[0xFF; 10]).peek_varint_u64(), Err(VarintError::TooLong));
    assert_eq!(ByteBuf::from(&[0xFF; 4000]).peek_varint_i64(), Err(VarintError::TooLong));
}

#[test]
fn writing_stops_at_the_maximum() {
    let mut buf = ByteBuf::with_max_capacity(2);
    let error = buf.try_write_varint_u32(16_384).unwrap_err();
    assert_eq!((error.needed, error.max), (3, 2));
    assert!(buf.is_empty());
    buf.try_write_varint_i32(-1).unwrap();
    assert_eq!(buf, &[1]);
}

/// The slow, obviously right way.
fn reference(bytes: &[u8], bits: u32) -> Result<Option<(u64, usize)>, VarintError> {
    let max = bits.div_ceil(7) as usize;
    let Some(end) = bytes.iter().take(max).position(|byte| byte & 0x80 == 0) else {
        return if bytes.len() < max { Ok(None) } else { Err(VarintError::TooLong) };
    };
    let value =
        bytes[..=end].iter().rev().fold(0_u128, |all, byte| all << 7 | u128::from(byte & 0x7F));
    if value >> bits != 0 { Err(VarintError::Overflow) } else { Ok(Some((value as u64, end + 1))) }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_comes_back(value: u64, shift in 0..64_u32) {
        let value = value >> shift;
        let mut buf = ByteBuf::new();
        buf.write_varint_u64(value);
        buf.write_varint_i64(value as i64);
        buf.write_varint_u32(value as u32);
        buf.write_varint_i32(value as i32);
        prop_assert_eq!(buf.read_varint_u64(), Ok(value));
        prop_assert_eq!(buf.read_varint_i64(), Ok(value as i64));
        prop_assert_eq!(buf.read_varint_u32(), Ok(value as u32));
        prop_assert_eq!(buf.read_varint_i32(), Ok(value as i32));
        prop_assert!(buf.is_empty());
    }

    #[test]
    fn any_bytes_decode_like_the_reference(bytes in proptest::collection::vec(prop_oneof![Just(0x80), Just(0xFF), any::<u8>()], 0..12)) {
        let buf = ByteBuf::from(&bytes[..]);
        prop_assert_eq!(buf.peek_varint_u64(), reference(&bytes, 64));
        let narrow = buf.peek_varint_u32().map(|found| found.map(|(value, length)| (value.into(), length)));
        prop_assert_eq!(narrow, reference(&bytes, 32));
    }
}
