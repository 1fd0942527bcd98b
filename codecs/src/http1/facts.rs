//! What the encoder has to know of a request.

use super::{Method, RequestHead, Version};

/// What an answer has to know of its request, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts(u8);

impl Facts {
    pub(crate) const HEAD: u8 = 1;
    pub(crate) const HTTP10: u8 = 1 << 1;
    pub(crate) const KEEP_ALIVE: u8 = 1 << 2;
    pub(crate) const UPGRADE: u8 = 1 << 3;
    /// The client waits for `100 Continue` and has not got it.
    pub(crate) const EXPECT: u8 = 1 << 4;

    #[inline]
    pub(crate) fn of(head: &RequestHead) -> Self {
        let bit = |is: bool, bit: u8| if is { bit } else { 0 };
        Self(
            bit(head.method() == Method::Head, Self::HEAD)
                | bit(head.version() == Version::Http10, Self::HTTP10)
                | bit(head.keep_alive(), Self::KEEP_ALIVE)
                | bit(head.wants_upgrade(), Self::UPGRADE)
                | bit(head.expects_continue(), Self::EXPECT),
        )
    }

    /// Those of nearly every request: the connection stays, and nothing else is asked for.
    #[inline]
    pub(crate) const fn are_usual(self) -> bool {
        self.0 == Self::KEEP_ALIVE
    }

    /// Those of a request that could not be read.
    pub(crate) const fn of_unread(is_head: bool) -> Self {
        Self(if is_head { Self::HEAD } else { 0 })
    }

    #[inline]
    pub(crate) const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    #[inline]
    pub(crate) const fn unset(&mut self, bit: u8) {
        self.0 &= !bit;
    }
}
