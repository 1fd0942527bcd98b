//! Masking (RFC 6455 section 5.3): four bytes, over and over, by exclusive or.

/// Where a client's masking keys come from.
///
/// Section 10.3 wants keys nobody can predict: seed a cryptographic generator. There is none in here,
/// as a codec has no source of randomness of its own. Any `FnMut() -> [u8; 4]` will do.
pub trait Masks: Send + 'static {
    /// The key for the next frame.
    fn next_mask(&mut self) -> [u8; 4];
}

impl<F: FnMut() -> [u8; 4] + Send + 'static> Masks for F {
    fn next_mask(&mut self) -> [u8; 4] {
        self()
    }
}

/// Bytes that are masked at a time: two vectors of the smallest kind.
const BLOCK: usize = 32;

/// Masks or unmasks `data` in place, and returns the key for the bytes that follow it.
///
/// The blocks are arrays of fixed length, which is all the compiler needs to use vectors.
#[inline]
pub fn mask(data: &mut [u8], key: [u8; 4]) -> [u8; 4] {
    let len = data.len();
    let wide: [u8; BLOCK] = core::array::from_fn(|at| key[at % 4]);
    let (blocks, mut rest) = data.as_chunks_mut::<BLOCK>();
    for block in blocks {
        xor(block, &wide);
    }
    // What is left is less than a block: each size comes once at most.
    rest = piece::<16>(rest, &wide);
    rest = piece::<8>(rest, &wide);
    rest = piece::<4>(rest, &wide);
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
    let mut next = key;
    next.rotate_left(len % 4);
    next
}

#[inline(always)]
fn xor<const N: usize>(block: &mut [u8; N], wide: &[u8; BLOCK]) {
    for (byte, key) in block.iter_mut().zip(wide) {
        *byte ^= key;
    }
}

/// Masks the first `N` bytes, if there are as many, and returns the others.
#[inline(always)]
fn piece<'a, const N: usize>(data: &'a mut [u8], wide: &[u8; BLOCK]) -> &'a mut [u8] {
    if data.len() < N {
        return data;
    }
    let (piece, rest) = data.split_at_mut(N);
    if let Some(piece) = piece.first_chunk_mut::<N>() {
        xor(piece, wide);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_every_cut_gives_the_same_bytes() {
        let key = [0x11, 0x22, 0x44, 0x88];
        let plain: Vec<u8> = (0..200).map(|n| n as u8).collect();
        let expected: Vec<u8> = plain.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
        for len in 0..plain.len() {
            for cut in [0, 1, 2, 3, 5, 31, 32, 33, 64, 67] {
                let mut data = plain[..len].to_vec();
                let cut = cut.min(len);
                let (first, second) = data.split_at_mut(cut);
                let key = mask(first, key);
                mask(second, key);
                assert_eq!(data, expected[..len], "{len} cut at {cut}");
            }
        }
    }
}
