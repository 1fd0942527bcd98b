//! Forms: urlencoded and multipart/form-data.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod multipart;
mod refused;
mod urlencoded;
