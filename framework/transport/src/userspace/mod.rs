//! Channels over fyke's own TCP/IP stack, on whatever [`Device`] carries its frames.
//!
//! ```text
//! device.rs    what carries frames: a TAP device, a port of the simulated network, a test's list
//! tap.rs       a TAP device of the kernel
//! ```

mod device;

pub use device::{Device, Frame};
#[cfg(all(feature = "os", target_os = "linux"))]
mod tap;
#[cfg(all(feature = "os", target_os = "linux"))]
pub use tap::{Tap, TapCounters, TapError, TapOptions, TapQueue};
