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

/// Bytes that are masked at a time: four vectors of the smallest kind.
const BLOCK: usize = 64;

/// Masks or unmasks `data` in place, and returns the key for the bytes that follow it.
///
/// There is no loop over what is left behind the blocks: a last block that ends where the data ends
/// is masked instead. It was read before the bytes that it has in common with the block in front of it
/// were masked, so each byte is masked once.
#[inline]
pub fn mask(data: &mut [u8], key: [u8; 4]) -> [u8; 4] {
    let key = u32::from_le_bytes(key);
    // The part of a round that the data ends with is over. What begins a whole number of rounds before
    // that end begins with this key, too.
    let next = key.rotate_right(8 * (data.len() as u32 % 4));
    let (twice, next_twice) = (twice(key), twice(next));
    match data.len() {
        128.. => blocks(data, twice, next_twice),
        64.. => both_ends::<64>(data, twice, next_twice),
        32.. => both_ends::<32>(data, twice, next_twice),
        16.. => both_ends::<16>(data, twice, next_twice),
        8.. => both_ends::<8>(data, twice, next_twice),
        _ => {
            for (byte, key) in data.iter_mut().zip(twice.to_le_bytes()) {
                *byte ^= key;
            }
        }
    }
    next.to_le_bytes()
}

const fn twice(key: u32) -> u64 {
    (key as u64) << 32 | key as u64
}

#[inline(always)]
fn blocks(data: &mut [u8], key: u64, next: u64) {
    let Some(last) = data.last_chunk::<BLOCK>() else { return };
    let last = xor(last, next);
    for block in data.as_chunks_mut::<BLOCK>().0 {
        *block = xor(block, key);
    }
    if let Some(place) = data.last_chunk_mut() {
        *place = last;
    }
}

/// The first `N` bytes and the last: there are at least `N`, and no more than twice as many.
#[inline(always)]
fn both_ends<const N: usize>(data: &mut [u8], key: u64, next: u64) {
    let (Some(first), Some(last)) = (data.first_chunk::<N>(), data.last_chunk::<N>()) else {
        return;
    };
    let (first, last) = (xor(first, key), xor(last, next));
    if let Some(place) = data.first_chunk_mut() {
        *place = first;
    }
    if let Some(place) = data.last_chunk_mut() {
        *place = last;
    }
}

/// `N` bytes, which are whole words, masked. That the number is known is all the compiler needs to use
/// vectors.
#[inline(always)]
fn xor<const N: usize>(bytes: &[u8; N], key: u64) -> [u8; N] {
    let mut masked = *bytes;
    for word in masked.as_chunks_mut().0 {
        *word = (u64::from_le_bytes(*word) ^ key).to_le_bytes();
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_every_cut_gives_the_same_bytes() {
        let key = [0x11, 0x22, 0x44, 0x88];
        let plain: Vec<u8> = (0..400).map(|n| n as u8).collect();
        let expected: Vec<u8> = plain.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
        for len in 0..plain.len() {
            for cut in [0, 1, 2, 3, 5, 31, 32, 33, 64, 67, 131, 190] {
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
