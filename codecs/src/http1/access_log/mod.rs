//! A line for each request: the common and the combined log format.

#[cfg(feature = "pipeline")]
mod handler;
mod line;

#[cfg(feature = "pipeline")]
pub use handler::AccessLog;
pub use line::{AccessEntry, AccessFormat};
