//! What the parser notes of a head while it checks it.

/// What a head says about its connection and its framing, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    pub(crate) const CLOSE: u8 = 1;
    pub(crate) const KEEP_ALIVE: u8 = 1 << 1;
    pub(crate) const UPGRADE_OPTION: u8 = 1 << 2;
    pub(crate) const UPGRADE_FIELD: u8 = 1 << 3;
    pub(crate) const EXPECT: u8 = 1 << 4;
    pub(crate) const HOST: u8 = 1 << 5;
    pub(crate) const CHUNKED: u8 = 1 << 6;

    #[inline]
    pub(crate) const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }

    #[inline]
    pub(super) const fn set(&mut self, bits: u8) {
        self.0 |= bits;
    }

    #[inline]
    pub(super) const fn unset(&mut self, bits: u8) {
        self.0 &= !bits;
    }
}

/// Which names the fields of a head may have, so that what is not there need not be looked for: most
/// of what is asked for is not there.
///
/// One bit for each class of names; a bit that is set may stand for another name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(u64);

impl Names {
    /// The class of a name, whatever its case.
    #[inline]
    const fn bit(name: &[u8]) -> u64 {
        let (first, last) = match name {
            [] => return 0,
            [one] => (*one, *one),
            [first, .., last] => (*first, *last),
        };
        let (first, last) = ((first | 0x20) as u32, (last | 0x20) as u32);
        1 << ((first * 5 + last + name.len() as u32 * 3) % 64)
    }

    /// That class alone.
    pub(super) const fn of(name: &[u8]) -> Self {
        Self(Self::bit(name))
    }

    #[inline]
    pub(super) fn add_all(&mut self, names: Self) {
        self.0 |= names.0;
    }

    /// Whether there may be a field of that name.
    #[inline]
    pub(crate) fn may_have(self, name: &[u8]) -> bool {
        self.0 & Self::bit(name) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case_and_most_others_are_not() {
        let mut names = Names::default();
        for name in ["Host", "User-Agent", "ACCEPT", "x-a_b", "accept-Encoding", "T"] {
            names.add_all(Names::of(name.as_bytes()));
        }
        for name in ["host", "user-agent", "Accept", "X-A_B", "Accept-Encoding", "t"] {
            assert!(names.may_have(name.as_bytes()), "{name}");
        }
        let others = ["origin", "range", "if-match", "if-none-match", "cookie", "expect", ""];
        let found = others.iter().filter(|name| names.may_have(name.as_bytes())).count();
        assert!(found <= 1, "{found} of {}", others.len());
    }
}
