//! Forms: urlencoded, and multipart/form-data (RFC 7578).

mod multipart;
pub(crate) mod percent;
mod urlencoded;

pub use multipart::{
    FormError, MultipartDecoder, MultipartLimits, MultipartPart, PartHead, boundary_of,
};
pub use urlencoded::{UrlEncodedDecoder, UrlEncodedLimits, urlencoded};
