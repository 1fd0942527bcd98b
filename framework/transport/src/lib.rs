//! Transports for fyke's loops: kernel sockets, blocking threads, memory (part of fyke).
#![forbid(unsafe_code)]

mod driver;
mod kernel;

pub use driver::{PollerDriver, PollerRegistry};
pub use kernel::{FileSource, Kernel, KernelFactory};
