//! Channels over fyke's own TCP/IP stack, on whatever [`Device`] carries its frames.
//!
//! ```text
//! device.rs    what carries frames: a TAP device, a port of the simulated network, a test's list
//! ```

mod device;

pub use device::{Device, Frame};
