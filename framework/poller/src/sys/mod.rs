//! The system calls, and all unsafe code of this crate: everything exported from here is safe to call.
//!
//! Where rustix or socket2 has a call, it is used; the rest is written on libc. Every call that a signal
//! can interrupt is repeated, except the waits, whose caller has to look at its clock anyway.

#[cfg(target_os = "linux")]
pub(crate) mod readiness;
