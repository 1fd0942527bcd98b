//! Channels over fyke's own TCP/IP stack, on whatever [`Device`] carries its frames.
//!
//! ```text
//! device.rs         what carries frames: a TAP device, a port of the simulated network, a test's list
//! tap.rs            a TAP device of the kernel
//! cable.rs          a cable in memory between two stacks
//! impaired.rs       a bad wire before a good device
//! factory.rs        a stack of its own on each loop
//! stack_options.rs  what a stack is made from
//! transport.rs      the stack, its device, the loop's turn
//! handle.rs         the stack seen from other threads
//! crew.rs           several loops that are one host
//! forward.rs        connections to any address, for gateways
//! sockets.rs        the stack's sockets as channels see them: verbs in, events out
//! stream.rs, listener.rs, datagram.rs   the verbs
//! table.rs          whom a socket's events are for
//! options.rs        socket options
//! error.rs          the stack's refusals as the kernel's errors
//! ```

mod cable;
mod crew;
mod datagram;
mod device;
mod error;
mod factory;
mod forward;
mod handle;
mod impaired;
mod listener;
mod options;
mod sockets;
mod stack_options;
mod stream;
mod table;
mod transport;

pub use cable::{CABLE_FRAMES_DEFAULT, Cable, CableDevice, CableEnd, CableOptions};
pub use crew::{Hub, Place};
pub use device::{Device, Frame};
pub use factory::Userspace;
pub use forward::Offer;
pub use handle::StackHandle;
pub use impaired::{Impaired, ImpairedCounters, Impairment};
pub use stack_options::StackOptions;
pub use transport::StackTransport;

#[cfg(all(feature = "os", target_os = "linux"))]
mod tap;
#[cfg(all(feature = "os", target_os = "linux"))]
pub use tap::{Tap, TapCounters, TapError, TapOptions, TapQueue};
