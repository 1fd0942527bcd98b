//! `multipart/form-data` (RFC 7578, RFC 2046 section 5.1), as a stream of parts.
//!
//! | what | where |
//! |---|---|
//! | the boundary out of a `Content-Type` | `boundary` |
//! | a part's head: name, file name, type | `part` |
//! | [`MultipartDecoder`] | `decoder` |

mod boundary;
mod decoder;
mod limits;
mod part;

use core::fmt;

pub use boundary::boundary_of;
pub use decoder::{MultipartDecoder, MultipartPart};
pub use limits::MultipartLimits;
pub use part::PartHead;

use fyke_codec::CodecError;

/// What is wrong with a form. Travels as [`CodecError::Protocol`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormError {
    /// The bytes are no such form.
    Malformed(&'static str),
    /// A limit was reached.
    TooLarge(&'static str),
}

impl FormError {
    /// The `FormError` inside a codec's error, if there is one.
    #[must_use]
    pub fn of(error: &CodecError) -> Option<&Self> {
        match error {
            CodecError::Protocol { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "malformed form: {what}"),
            Self::TooLarge(what) => write!(f, "form over the limit: {what}"),
        }
    }
}

impl core::error::Error for FormError {}

impl From<FormError> for CodecError {
    #[cold]
    fn from(error: FormError) -> Self {
        Self::peer(error)
    }
}
