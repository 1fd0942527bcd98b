//! Cross-origin requests (the CORS protocol of the Fetch standard, section 3.3).
//!
//! A browser asks before it sends a request to another origin that a form could not have sent, and it
//! shows a page no answer from another origin that does not allow it. Nobody else is bound by any of
//! this: it protects browsers' users, and no server.

mod config;
#[cfg(feature = "pipeline")]
mod handler;

pub use config::{CorsConfig, CorsError};
#[cfg(feature = "pipeline")]
pub use handler::CorsHandler;
