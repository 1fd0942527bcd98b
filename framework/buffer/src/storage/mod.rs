//! The storage below [`ByteBuf`](crate::ByteBuf): the only unsafe code of this crate.
//!
//! ```text
//!   Window A            Window B (the rest)
//!   [start .. +cap)     [start .. +cap)          windows of one block never overlap
//!        |                   |
//!   +--------+------------------------------------------+
//!   | Header | data, always initialised ...             |   one allocation
//!   +--------+------------------------------------------+
//!      refs = number of windows; home = the pool it goes back to
//! ```
//!
//! - [`block`]: allocation, reference count, the way home.
//! - [`window`]: a part of a block with its two indexes; the checked API everything stands on.
//! - [`free_list`]: the lock-free stack blocks come back on.
//! - [`try_lock`]: a lock that is never waited for.
//! - [`buf_mut`]: the `bytes::BufMut` implementation, whose trait is unsafe to implement.

mod block;
mod buf_mut;
mod free_list;
mod try_lock;
mod window;

pub(crate) use block::{Block, Idle};
pub(crate) use free_list::{Chain, FreeList};
pub(crate) use try_lock::TryLock;
pub(crate) use window::Window;
