//! Server-sent events (the HTML standard, section 9.2): a response that goes on and on.
//!
//! A stream begins with [`event_stream`], the head of its response, and goes on with [`SseEvent`]s as
//! parts of the body, which a [`Sender`](https://docs.rs/fyke-core) of the channel takes from any
//! thread: its `try_send` and `reserve` hold producers back when the client does not keep up. An
//! [`SseKeepAlive`] in the pipeline keeps idle streams alive and ends those nobody reads.

mod event;
#[cfg(feature = "pipeline")]
mod keep_alive;

pub use event::{SseError, SseEvent, event_stream};
#[cfg(feature = "pipeline")]
pub use keep_alive::SseKeepAlive;
