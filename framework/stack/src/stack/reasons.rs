//! One list of reasons, from which come the enum, its words and the counters: for the stack's drops
//! and for those of the simulated network.

/// Makes `DropReason`, documented by the attributes in front of it, and `Drops`, a counter of each.
#[doc(hidden)]
#[macro_export]
macro_rules! drop_reasons {
    (
        $(#[$about:meta])*
        enum DropReason {
            $($(#[$doc:meta])* $name:ident => $text:literal,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum DropReason {
            $($(#[$doc])* $name,)*
        }

        impl DropReason {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// A few words, for lists and for comments in captures.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        /// Drops by reason.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub struct Drops([u64; DropReason::ALL.len()]);

        impl Drops {
            pub(crate) fn add(&mut self, reason: DropReason) {
                self.0[reason as usize] += 1;
            }

            /// Of all reasons together.
            #[must_use]
            pub fn total(&self) -> u64 {
                self.0.iter().sum()
            }

            /// The reasons that occurred, with how often.
            pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
                let all = DropReason::ALL.iter().map(|reason| (*reason, self[*reason]));
                all.filter(|(_, count)| *count > 0)
            }
        }

        impl Default for Drops {
            fn default() -> Self {
                Self([0; DropReason::ALL.len()])
            }
        }

        impl ::core::ops::Index<DropReason> for Drops {
            type Output = u64;

            fn index(&self, reason: DropReason) -> &u64 {
                &self.0[reason as usize]
            }
        }

        impl ::core::fmt::Debug for Drops {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_map().entries(self.iter().map(|(reason, n)| (reason.text(), n))).finish()
            }
        }
    };
}
