//! Handlers that every server can use. Names are Netty's where Netty has one.
//!
//! | handler | what it does |
//! |---|---|
//! | [`LoggingHandler`] | logs everything that passes, bytes as a hex dump |
//! | [`IdleStateHandler`] | tells when nothing has come or gone for a while |
//! | [`ReadTimeoutHandler`], [`WriteTimeoutHandler`] | close channels whose peer sends nothing, or takes nothing |
//! | [`read_fn`], [`write_fn`] | make handlers of closures |

mod from_fn;
mod idle;
mod logging;
mod silence;
mod timeout;

pub use from_fn::{ReadFn, WriteFn, read_fn, write_fn};
pub use idle::{IdleState, IdleStateEvent, IdleStateHandler};
pub use logging::{ByteFormat, LogMessage, LogStyle, LoggingHandler};
pub use timeout::{ReadTimeoutHandler, TimeoutCounter, WriteTimeoutHandler};
