//! A few bytes of type-length-value options in a header, as IPv4 and TCP have them.

use core::fmt;

/// The two kinds of one byte, the same in both protocols.
pub(super) const END_OF_LIST: u8 = 0;
pub(super) const NOP: u8 = 1;

/// An option before anybody asked what it means.
pub(super) enum RawOption<'a> {
    /// No option follows.
    EndOfList,
    /// One byte that says nothing.
    Nop,
    /// A type, a length, and the data behind these.
    Data {
        /// The type.
        kind: u8,
        /// What stands behind the length.
        data: &'a [u8],
    },
}

/// The first option of `bytes`, which are those behind it then. `None` without a step: there is none,
/// or its length is less than its own two bytes or more than what is left.
#[inline]
pub(super) fn next_option<'a>(bytes: &mut &'a [u8]) -> Option<RawOption<'a>> {
    let (&kind, rest) = bytes.split_first()?;
    match kind {
        END_OF_LIST => {
            *bytes = &[];
            return Some(RawOption::EndOfList);
        }
        NOP => {
            *bytes = rest;
            return Some(RawOption::Nop);
        }
        _ => {}
    }
    let length = usize::from(*rest.first()?);
    let data = bytes.get(2..length)?;
    *bytes = &bytes[length..];
    Some(RawOption::Data { kind, data })
}

/// Up to `N` bytes of options, kept as they stand on the wire.
#[derive(Clone, Copy)]
pub(super) struct OptionBytes<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> OptionBytes<N> {
    pub(super) const EMPTY: Self = Self { bytes: [0; N], len: 0 };

    /// The first `N` of `bytes`.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut options = Self::EMPTY;
        let kept = &bytes[..bytes.len().min(N)];
        options.bytes[..kept.len()].copy_from_slice(kept);
        options.len = kept.len() as u8;
        options
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Adds an option with its type, its length and its data in parts; all of it or nothing.
    pub(super) fn push(&mut self, kind: u8, data: &[&[u8]]) -> bool {
        let before = self.len;
        let length = 2 + data.iter().map(|part| part.len()).sum::<usize>();
        if length > N - usize::from(before) {
            return false;
        }
        let mut pushed = self.push_raw(&[kind, length as u8]);
        for part in data {
            pushed &= self.push_raw(part);
        }
        pushed
    }

    /// Adds bytes, all or none of them.
    #[inline]
    pub(super) fn push_raw(&mut self, bytes: &[u8]) -> bool {
        let at = usize::from(self.len);
        match self.bytes[at..].get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len += bytes.len() as u8;
                true
            }
            None => false,
        }
    }

    /// The length with padding, as a header counts it.
    pub(super) fn padded_len(&self) -> usize {
        usize::from(self.len).next_multiple_of(4)
    }

    /// Writes the options; the padding is zeros, which both protocols read as the list's end.
    pub(super) fn emit_padded(&self, out: &mut [u8]) {
        let (options, padding) = out.split_at_mut(usize::from(self.len));
        options.copy_from_slice(self.as_slice());
        padding.fill(0);
    }
}

impl<const N: usize> Default for OptionBytes<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Equal are options that say the same bytes; what is behind them does not count.
impl<const N: usize> PartialEq for OptionBytes<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<const N: usize> Eq for OptionBytes<N> {}

impl<const N: usize> fmt::Debug for OptionBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x?}", self.as_slice())
    }
}
