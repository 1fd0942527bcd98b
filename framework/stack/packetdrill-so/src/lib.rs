//! fyke-stack as a shared object for upstream packetdrill: its parser and its checks judge us.
//!
//! ```text
//! cargo build --release -p fyke-packetdrill-so
//! packetdrill --so_filename=target/release/libfyke_packetdrill_so.so [--so_flags=freebsd] script.pkt
//! ```
//!
//! The flags are a list: `freebsd` for that preset instead of Linux's, and settings by their names,
//! like `net.ipv4.tcp_timestamps=0`. What a script does to the real kernel with `sysctl` before its first
//! socket counts, too: run it where that harms nobody (`unshare -n`).
//!
//! packetdrill calls through a table of function pointers. Its main thread injects and sniffs packets;
//! a second thread makes the blocking calls. Time is virtual: `usleep` and waiting for a packet move it
//! at once, so a script of a minute takes milliseconds.
//!
//! | file | what it is |
//! |---|---|
//! | `abi` | the table, as packetdrill declares it |
//! | `calls`, `options`, `device` | the functions in it: pointers of C to values of Rust |
//! | `memory` | C's buffers as slices |
//! | `preload` | `getsockopt` for assertions about `tcp_info`, with `LD_PRELOAD` |
//! | `world` | the stack, its clock and the calls that wait, for two threads |
//! | `sysctl` | the real kernel's settings, as a script changed them |
//! | `names` | numbers of errors and options of Linux |
#![deny(unsafe_op_in_unsafe_fn)]

mod abi;
mod calls;
mod device;
mod memory;
mod names;
mod options;
mod preload;
mod sysctl;
mod world;

use std::ffi::{CStr, c_char};

use abi::Interface;
use fyke_packetdrill::run::System;
use world::World;

/// Fills the table; packetdrill calls it once, from its main thread.
///
/// # Safety
///
/// `flags` is null or a C string; `interface` points to a table that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn packetdrill_interface_init(
    flags: *const c_char,
    interface: *mut Interface,
) {
    let flags = if flags.is_null() {
        c""
    } else {
        // SAFETY: not null, so it is a C string by this function's contract.
        unsafe { CStr::from_ptr(flags) }
    };
    let flags = flags.to_string_lossy();
    let words = || flags.split(',').map(str::trim);
    let freebsd = words().any(|word| word == "freebsd");
    let system = if freebsd { System::FreeBsd } else { System::Linux };
    let changes: Vec<_> = words().filter_map(|word| word.split_once('=')).collect();
    let world = Box::into_raw(Box::new(World::new(system, &changes)));
    preload::set(world);
    // SAFETY: the caller's table may be written, by this function's contract.
    unsafe { interface.write(calls::table(world.cast())) };
}
