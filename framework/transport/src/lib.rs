//! Transports for fyke's loops: kernel sockets, blocking threads, memory, the userspace stack (part of
//! fyke).
#![forbid(unsafe_code)]

#[cfg(feature = "os")]
pub mod blocking;
#[cfg(feature = "os")]
mod driver;
pub mod fake;
#[cfg(feature = "os")]
mod kernel;
pub mod local;
pub mod userspace;

#[cfg(feature = "os")]
pub use blocking::{Blocking, BlockingDriver, BlockingFactory, BlockingListener};
#[cfg(feature = "os")]
pub use driver::{PollerDriver, PollerRegistry};
pub use fake::Fake;
#[cfg(feature = "os")]
pub use kernel::{FileSource, Kernel, KernelFactory, ZeroCopyStats};
pub use local::{Local, LocalNetwork};
