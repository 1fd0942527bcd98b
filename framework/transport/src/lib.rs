//! Transports for fyke's loops: kernel sockets, blocking threads, memory (part of fyke).
#![forbid(unsafe_code)]

pub mod blocking;
mod driver;
pub mod fake;
mod kernel;
pub mod local;

pub use blocking::{Blocking, BlockingDriver, BlockingFactory, BlockingListener};
pub use driver::{PollerDriver, PollerRegistry};
pub use fake::Fake;
pub use kernel::{FileSource, Kernel, KernelFactory};
pub use local::{Local, LocalNetwork};
