//! `getsockopt` of the C library, for descriptors that are ours.
//!
//! packetdrill asks for `tcp_info` not through the table but through the C library. With the shared
//! object also in `LD_PRELOAD` the question comes here; without it scripts that assert about `tcp_info`
//! fail, and all others run.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::socklen_t;

use crate::options;
use crate::world::World;

/// The world that packetdrill was given last; there is one at a time.
static WORLD: AtomicPtr<World> = AtomicPtr::new(std::ptr::null_mut());

/// Makes a world the one that answers, or nobody.
pub(crate) fn set(world: *mut World) {
    WORLD.store(world, Ordering::Release);
}

/// `getsockopt` as the C library has it.
///
/// # Safety
///
/// As for the C library's: `data` has room for `*length` bytes.
#[allow(unreachable_pub, reason = "the linker reaches it")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    data: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    let world = WORLD.load(Ordering::Acquire);
    // SAFETY: a world is here from when it is made until just before it is freed.
    let ours = unsafe { world.as_ref() }.is_some_and(|world| world.has(fd));
    if ours {
        return options::getsockopt(world.cast(), fd, level, name, data, length);
    }
    // SAFETY: the very arguments the C library would pass.
    let result = unsafe { libc::syscall(libc::SYS_getsockopt, fd, level, name, data, length) };
    result as c_int
}
