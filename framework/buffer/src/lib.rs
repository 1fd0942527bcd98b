//! Byte buffers with a reader and a writer index, pools and ropes (part of fyke).
//!
//! - [`ByteBuf`]: one window of bytes with two indexes; splitting and freezing share, they never copy.
//! - [`Pool`]: blocks that come back by themselves when the last handle is dropped, on any thread.
//! - [`CompositeBuf`]: a rope of buffers, for gathering writes and for reading over segment edges.
//! - [`HexDump`]: bytes as people like to read them.
//!
//! ```
//! use fyke_buffer::ByteBuf;
//!
//! let mut buf = ByteBuf::with_capacity(64);
//! buf.write_u16(5);
//! buf.write_slice(b"hello, world");
//!
//! let length = usize::from(buf.read_u16()?);
//! let frame = buf.read_bytes(length)?; // shares the block, copies nothing
//! assert_eq!(frame, b"hello");
//! assert_eq!(buf, b", world");
//! # Ok::<(), fyke_buffer::OutOfBounds>(())
//! ```
//!
//! Coming from Netty: dropping a handle is `release()`, there is nothing to call; `retain` is
//! not needed because `split_to` and `freeze` count for you.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

mod access;
mod byte_buf;
mod composite;
mod cursor;
mod error;
mod hex;
mod pool;
mod search;
mod segment;
mod slices;
mod split;
#[allow(unsafe_code)]
mod storage;
mod traits;
mod varint;

pub use byte_buf::{ByteBuf, Mark};
pub use composite::CompositeBuf;
pub use cursor::Cursor;
pub use error::{CapacityExceeded, OutOfBounds, VarintError};
pub use hex::HexDump;
pub use pool::{Pool, PoolOptions, PoolStats};
pub use segment::Segment;
