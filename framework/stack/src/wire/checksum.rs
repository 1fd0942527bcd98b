//! The Internet checksum (RFC 1071): sums over several slices, pseudo-headers, incremental updates
//! (RFC 1624), and what is left to the device.
//!
//! The ones' complement sum does not depend on the byte order it is computed in, only its result
//! does. So bytes are added in the machine's order, 64 bits at a time, and swapped once at the end.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::IpProtocol;

/// What an emitter does about a transport checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ChecksumIntent {
    /// The field stays zero: nobody will look at it, as on a loopback.
    None,
    /// The field holds the sum of the pseudo-header; the device adds the rest (virtio's NEEDS_CSUM,
    /// Linux's CHECKSUM_PARTIAL).
    Partial,
    /// The field holds the whole checksum.
    #[default]
    Full,
}

/// A ones' complement sum that grows.
///
/// Slices may have odd lengths: the next one begins in the middle of a 16-bit word then.
///
/// ```
/// use fyke_stack::wire::Sum;
///
/// let mut whole = Sum::new();
/// whole.add(&[0x45, 0x00, 0x12, 0x34]);
/// let mut parts = Sum::new();
/// parts.add(&[0x45]);
/// parts.add(&[0x00, 0x12, 0x34]);
/// assert_eq!(whole.checksum(), parts.checksum());
/// assert_eq!(whole.checksum(), !(0x4500 + 0x1234));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Folded, as the number that stands on the wire.
    value: u16,
    /// Whether an odd number of bytes was added.
    odd: bool,
}

impl Sum {
    /// The sum of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { value: 0, odd: false }
    }

    /// Adds bytes.
    #[inline]
    pub fn add(&mut self, bytes: &[u8]) {
        let sum = fold(native_sum(bytes));
        // In the machine's order the first byte is the low one on a little-endian machine. A slice
        // that begins in the middle of a word has its bytes the other way round.
        let sum = u16::from_be_bytes(sum.to_ne_bytes());
        let sum = if self.odd { sum.swap_bytes() } else { sum };
        self.value = add16(self.value, sum);
        self.odd ^= bytes.len() & 1 != 0;
    }

    /// Adds one 16-bit word, which must begin at an even offset.
    #[inline]
    pub const fn add_word(&mut self, word: u16) {
        debug_assert!(!self.odd, "a word behind an odd number of bytes");
        self.value = add16(self.value, word);
    }

    /// With the bytes of several slices.
    #[must_use]
    pub fn with<'a>(mut self, slices: impl IntoIterator<Item = &'a [u8]>) -> Self {
        for slice in slices {
            self.add(slice);
        }
        self
    }

    /// The sum, not complemented: what a partial checksum field holds.
    #[must_use]
    #[inline]
    pub const fn folded(self) -> u16 {
        self.value
    }

    /// The checksum: the complement of the sum.
    #[must_use]
    #[inline]
    pub const fn checksum(self) -> u16 {
        !self.value
    }

    /// Whether bytes with their checksum field among them add up.
    #[must_use]
    #[inline]
    pub const fn is_valid(self) -> bool {
        self.value == 0xffff
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sum({:#06x}{})", self.value, if self.odd { ", odd" } else { "" })
    }
}

/// The checksum of one slice.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    Sum::new().with([bytes]).checksum()
}

/// A checksum after a 16-bit word under it was changed (RFC 1624, equation 3).
#[must_use]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    !add16(add16(!checksum, !old), new)
}

/// A checksum after bytes under it, at an even offset and of the same even number, were changed.
#[must_use]
pub fn update_bytes(checksum: u16, old: &[u8], new: &[u8]) -> u16 {
    debug_assert!(old.len() == new.len() && old.len().is_multiple_of(2));
    let old = Sum::new().with([old]).folded();
    update(checksum, old, Sum::new().with([new]).folded())
}

/// The addresses that a transport checksum covers besides the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PseudoHeader {
    /// RFC 9293, section 3.1.
    V4 {
        /// Who sends.
        source: Ipv4Addr,
        /// Who receives.
        destination: Ipv4Addr,
    },
    /// RFC 8200, section 8.1.
    V6 {
        /// Who sends.
        source: Ipv6Addr,
        /// The last destination, behind all routing headers.
        destination: Ipv6Addr,
    },
}

impl PseudoHeader {
    /// From two addresses of one family; `None` when they are of different ones.
    #[must_use]
    pub const fn new(source: IpAddr, destination: IpAddr) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some(Self::V4 { source, destination }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self::V6 { source, destination }),
            _ => None,
        }
    }

    /// The pseudo-header's sum for a transport header and payload of `length` bytes in all.
    #[must_use]
    pub fn sum(&self, protocol: IpProtocol, length: usize) -> Sum {
        // 2^16 is 1 modulo 2^16 - 1, so wider numbers are added as they are and folded once. IPv4's
        // length has 16 bits, IPv6's has 32, and the upper half of a short one adds nothing.
        let fixed = u64::from(protocol.0) + (length as u64 & 0xffff_ffff);
        let addresses = match *self {
            Self::V4 { source, destination } => {
                u64::from(source.to_bits()) + u64::from(destination.to_bits())
            }
            Self::V6 { source, destination } => {
                let words = |address: Ipv6Addr| {
                    let bits = address.to_bits();
                    halves(bits as u64) + halves((bits >> 64) as u64)
                };
                words(source) + words(destination)
            }
        };
        Sum { value: fold(fixed + addresses), odd: false }
    }
}

/// Writes the checksum at `at` of an emitted header whose field is zero.
pub(super) fn fill(
    header: &mut [u8],
    at: usize,
    pseudo: Sum,
    payload: &[&[u8]],
    intent: ChecksumIntent,
) -> u16 {
    let value = match intent {
        ChecksumIntent::None => 0,
        ChecksumIntent::Partial => pseudo.folded(),
        ChecksumIntent::Full => pseudo.with([&*header]).with(payload.iter().copied()).checksum(),
    };
    header[at..at + 2].copy_from_slice(&value.to_be_bytes());
    value
}

/// `a + b` with the carry added back.
#[inline]
const fn add16(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum + carry as u16 // cannot overflow: with a carry the sum is at most 0xfffe
}

/// A sum of many words as one word.
#[inline]
const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// Lanes the sum of a long slice is spread over.
const LANES: usize = 8;

/// A sum of all words, equal to theirs modulo 2^16 - 1, in the machine's byte order.
#[inline]
fn native_sum(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<{ LANES * 8 }>();
    let mut sum = if blocks.is_empty() { 0 } else { sum_of_blocks(blocks) };
    // A few words only, one after the other: a vector would not be filled.
    let (words, rest) = rest.as_chunks::<8>();
    for word in words {
        sum = add64(sum, u64::from_ne_bytes(*word));
    }
    if let Some((word, rest)) = rest.split_first_chunk::<4>() {
        sum = add64(sum, u64::from(u32::from_ne_bytes(*word)));
        return sum_of_last(sum, rest);
    }
    sum_of_last(sum, rest)
}

/// With the last bytes, of which there are less than four.
#[inline]
fn sum_of_last(sum: u64, bytes: &[u8]) -> u64 {
    let word = match *bytes {
        [] => return sum,
        // The missing byte is a zero (RFC 1071, section 4.1).
        [a] => u32::from(u16::from_ne_bytes([a, 0])),
        [a, b] => u32::from(u16::from_ne_bytes([a, b])),
        [a, b, c, ..] => u32::from_ne_bytes([a, b, c, 0]),
    };
    add64(sum, u64::from(word))
}

/// `a + b` with the carry added back.
#[inline]
const fn add64(a: u64, b: u64) -> u64 {
    let (sum, carry) = a.overflowing_add(b);
    sum + carry as u64 // cannot overflow: with a carry the sum is at most 2^64 - 2
}

/// The sum of long slices, where the time goes.
///
/// Each lane keeps the wrapping sum of its 64-bit words and, apart, the sum of their upper halves.
/// The sum of the lower halves is the difference of the two, and exact, because it cannot reach
/// 2^64. That takes three instructions for each vector and no comparison.
///
/// Not inlined: with what follows the loop in sight, LLVM cuts the vectors up.
#[inline(never)]
fn sum_of_blocks(blocks: &[[u8; LANES * 8]]) -> u64 {
    let (mut whole, mut upper) = ([0u64; LANES], [0u64; LANES]);
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for lane in 0..LANES {
            let word = u64::from_ne_bytes(words[lane]);
            whole[lane] = whole[lane].wrapping_add(word);
            upper[lane] = upper[lane].wrapping_add(word >> 32);
        }
    }
    let whole = whole.iter().copied().fold(0, u64::wrapping_add);
    let upper = upper.iter().copied().fold(0, u64::wrapping_add);
    halves(whole.wrapping_sub(upper << 32)) + halves(upper)
}

/// A number of 33 bits that is the same modulo 2^32 - 1, hence modulo 2^16 - 1.
#[inline]
const fn halves(sum: u64) -> u64 {
    (sum & 0xffff_ffff) + (sum >> 32)
}
