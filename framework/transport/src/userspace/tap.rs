//! A TAP device of the kernel under the stack: the kernel is the other host on the wire.
//!
//! ```text
//! options.rs   what device, how many queues, the kernel's side of it; opening
//! queue.rs     one queue of an open device: what crosses from the opener's thread to the loop's
//! device.rs    the queue as the Device of a stack; frames from the kernel
//! send.rs      frames to the kernel, and those that it does not take
//! header.rs    the virtio header in front of each frame
//! cut.rs       super-segments in pieces, where the kernel is not asked to cut them
//! merge.rs     segments that follow each other as one, where the kernel does not put them together
//! acks.rs      of acknowledgements in a row the first and the last
//! blocks.rs    the memory that received frames share
//! datagrams.rs frames that stand for several datagrams are cut
//! error.rs     why a device could not be opened, in words
//! ```
//!
//! ```no_run
//! use fyke_transport::userspace::{Device, TapOptions};
//!
//! let queues = TapOptions::new("fyke0").address("10.7.0.1/24".parse().unwrap()).open()?;
//! for queue in queues {
//!     let tap = queue.into_device(); // on the loop that it shall live on
//!     println!("{}: {:?}", tap.name(), tap.offload());
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

mod acks;
mod blocks;
mod counters;
mod cut;
mod datagrams;
mod device;
mod error;
mod header;
mod merge;
mod options;
mod queue;
mod send;

pub use counters::TapCounters;
pub use device::Tap;
pub use error::TapError;
pub use options::TapOptions;
pub use queue::TapQueue;
