//! Handlers that every server can use. Names are Netty's where Netty has one.
//!
//! | handler | what it does |
//! |---|---|
//! | [`LoggingHandler`] | logs everything that passes, bytes as a hex dump |
//! | [`read_fn`], [`write_fn`] | make handlers of closures |

mod from_fn;
mod logging;

pub use from_fn::{ReadFn, WriteFn, read_fn, write_fn};
pub use logging::{ByteFormat, LogMessage, LogStyle, LoggingHandler};
