//! The system calls, and all unsafe code of this crate: everything exported from here is safe to call.
//!
//! Where rustix or socket2 has a call, it is used; the rest is written on libc. Every call that a signal
//! can interrupt is repeated, except the waits, whose caller has to look at its clock anyway. No send
//! raises SIGPIPE, except [`sendfile`] and [`splice`](fn@splice), which cannot be told not to; Rust's
//! start-up code ignores that signal.

mod accept;
mod datagram;
mod datagram_batch;
mod file;
mod file_mapped;
mod options;
#[cfg(target_os = "linux")]
mod packet;
#[cfg(target_os = "linux")]
pub(crate) mod readiness;
pub(crate) mod signal;
mod splice;
mod stream;
#[cfg(target_os = "linux")]
mod tap;
#[cfg(target_os = "linux")]
mod tap_interface;
mod zerocopy;

pub use accept::{PeerAddress, accept, accept_blocking};
pub use datagram::{recv_from, send_to};
pub use datagram_batch::{BATCH_MAX, Outbound, Received, RecvBatch, recv_mmsg, send_mmsg};
pub use file::sendfile;
pub use file_mapped::Mapping;
pub use options::{
    set_ip_bind_address_no_port, set_tcp_defer_accept, set_tcp_fast_open, set_tcp_fast_open_connect,
};
#[cfg(target_os = "linux")]
pub use packet::{PacketSocket, Seen};
pub use splice::{pipe, read_pipe, splice};
pub use stream::{recv, recv_vectored, send, send_vectored, shutdown};
#[cfg(target_os = "linux")]
pub use tap::{
    FRAME_SLICES_MAX, INTERFACE_NAME_BYTES_MAX, TapMode, TapOffload, open_tap, read_frame,
    set_tap_header_len, set_tap_offload, set_tap_persistent, write_frame, write_whole_frame,
};
#[cfg(target_os = "linux")]
pub use tap_interface::Interface;
pub use zerocopy::{
    Completion, ZERO_COPY_SLICES_MAX, send_zero_copy, set_zero_copy, zero_copy_completion,
};
