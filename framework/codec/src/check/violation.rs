//! What can be wrong with a decoder.

use alloc::string::String;
use core::error::Error;
use core::fmt;

use super::{Feeding, ITEMS_WITHOUT_PROGRESS_MAX};

/// A rule of [`Decoder`](crate::Decoder) that a decoder has broken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The outcome depends on how the bytes arrived.
    Differs {
        /// The feeding with another outcome than the whole input at once.
        feeding: Feeding,
        /// What was different, in words.
        difference: String,
    },
    /// Items came without end while no byte was taken.
    NoProgress {
        /// The feeding in which it happened.
        feeding: Feeding,
    },
    /// The buffer holds something else than the last bytes that arrived: the decoder added bytes,
    /// changed them or took some from the end.
    Tampered {
        /// The feeding in which it happened.
        feeding: Feeding,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs { feeding, difference } => {
                write!(f, "the input {feeding} is decoded otherwise than all at once: {difference}")
            }
            Self::NoProgress { feeding } => write!(
                f,
                "the input {feeding}: more than {ITEMS_WITHOUT_PROGRESS_MAX} items and no byte taken"
            ),
            Self::Tampered { feeding } => write!(
                f,
                "the input {feeding}: the decoder did more to its buffer than take from the front"
            ),
        }
    }
}

impl Error for Violation {}
