//! Bytes that both sides can make for themselves.

/// So many bytes of a sequence that repeats at no power of two.
pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at % 251) as u8 ^ (at / 251 % 239) as u8).collect()
}
