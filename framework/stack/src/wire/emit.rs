//! Values that can be written as they stand on the wire.

use alloc::vec;
use alloc::vec::Vec;

/// A header or message as a value: it knows its length and writes itself.
pub trait Emit {
    /// How many bytes [`emit`](Self::emit) writes.
    #[must_use]
    fn wire_len(&self) -> usize;

    /// Writes the value into the front of `out` and leaves the rest alone.
    ///
    /// # Panics
    /// When `out` is shorter than [`wire_len`](Self::wire_len).
    fn emit(&self, out: &mut [u8]);

    /// Writes the value behind what is in `out`.
    fn append(&self, out: &mut Vec<u8>) {
        let at = out.len();
        out.resize(at + self.wire_len(), 0);
        self.emit(&mut out[at..]);
    }

    /// The value's bytes.
    #[must_use]
    fn to_vec(&self) -> Vec<u8> {
        let mut out = vec![0; self.wire_len()];
        self.emit(&mut out);
        out
    }
}

/// The front of `out` as an array, and the rest.
///
/// # Panics
/// When `out` is shorter than `N`: the caller did not ask [`Emit::wire_len`].
#[track_caller]
pub(super) fn fixed<const N: usize>(out: &mut [u8]) -> (&mut [u8; N], &mut [u8]) {
    let available = out.len();
    match out.split_first_chunk_mut::<N>() {
        Some(split) => split,
        None => panic!("{available} bytes for a header of at least {N}"),
    }
}
