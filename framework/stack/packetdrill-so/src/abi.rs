//! The table of functions, member by member in packetdrill's order. `fcntl` and `ioctl` are variadic
//! there; a third parameter as wide as a register is where x86-64 and AArch64 pass the argument.

use std::ffi::{c_int, c_longlong, c_uint, c_ulong, c_void};

use libc::{
    epoll_event, iovec, loff_t, msghdr, nfds_t, pollfd, sockaddr, socklen_t, timeval, timezone,
};

/// What packetdrill hands back with every call: our world.
pub(crate) type UserData = *mut c_void;

type Read = extern "C" fn(UserData, c_int, *mut c_void, usize) -> isize;
type Vector = extern "C" fn(UserData, c_int, *const iovec, c_int) -> isize;

/// `struct packetdrill_interface`.
#[repr(C)]
#[derive(Debug)]
pub struct Interface {
    pub(crate) userdata: UserData,
    pub(crate) free: extern "C" fn(UserData),
    pub(crate) socket: extern "C" fn(UserData, c_int, c_int, c_int) -> c_int,
    pub(crate) bind: extern "C" fn(UserData, c_int, *const sockaddr, socklen_t) -> c_int,
    pub(crate) listen: extern "C" fn(UserData, c_int, c_int) -> c_int,
    pub(crate) accept: extern "C" fn(UserData, c_int, *mut sockaddr, *mut socklen_t) -> c_int,
    pub(crate) connect: extern "C" fn(UserData, c_int, *const sockaddr, socklen_t) -> c_int,
    pub(crate) read: Read,
    pub(crate) readv: Vector,
    pub(crate) recv: extern "C" fn(UserData, c_int, *mut c_void, usize, c_int) -> isize,
    pub(crate) recvfrom: extern "C" fn(
        UserData,
        c_int,
        *mut c_void,
        usize,
        c_int,
        *mut sockaddr,
        *mut socklen_t,
    ) -> isize,
    pub(crate) recvmsg: extern "C" fn(UserData, c_int, *mut msghdr, c_int) -> isize,
    pub(crate) write: extern "C" fn(UserData, c_int, *const c_void, usize) -> isize,
    pub(crate) writev: Vector,
    pub(crate) send: extern "C" fn(UserData, c_int, *const c_void, usize, c_int) -> isize,
    pub(crate) sendto: extern "C" fn(
        UserData,
        c_int,
        *const c_void,
        usize,
        c_int,
        *const sockaddr,
        socklen_t,
    ) -> isize,
    pub(crate) sendmsg: extern "C" fn(UserData, c_int, *const msghdr, c_int) -> isize,
    pub(crate) fcntl: extern "C" fn(UserData, c_int, c_int, usize) -> c_int,
    pub(crate) ioctl: extern "C" fn(UserData, c_int, c_ulong, usize) -> c_int,
    pub(crate) close: extern "C" fn(UserData, c_int) -> c_int,
    pub(crate) shutdown: extern "C" fn(UserData, c_int, c_int) -> c_int,
    pub(crate) getsockopt:
        extern "C" fn(UserData, c_int, c_int, c_int, *mut c_void, *mut socklen_t) -> c_int,
    pub(crate) setsockopt:
        extern "C" fn(UserData, c_int, c_int, c_int, *const c_void, socklen_t) -> c_int,
    pub(crate) poll: extern "C" fn(UserData, *mut pollfd, nfds_t, c_int) -> c_int,
    pub(crate) netdev_send: extern "C" fn(UserData, *const c_void, usize) -> c_int,
    pub(crate) netdev_receive:
        extern "C" fn(UserData, *mut c_void, *mut usize, *mut c_longlong) -> c_int,
    pub(crate) usleep: extern "C" fn(UserData, c_uint) -> c_int,
    pub(crate) gettimeofday: extern "C" fn(UserData, *mut timeval, *mut timezone) -> c_int,
    pub(crate) epoll_create: extern "C" fn(UserData, c_int) -> c_int,
    pub(crate) epoll_ctl: extern "C" fn(UserData, c_int, c_int, c_int, *mut epoll_event) -> c_int,
    pub(crate) epoll_wait: extern "C" fn(UserData, c_int, *mut epoll_event, c_int, c_int) -> c_int,
    pub(crate) pipe: extern "C" fn(UserData, *mut c_int) -> c_int,
    pub(crate) splice:
        extern "C" fn(UserData, c_int, *mut loff_t, c_int, *mut loff_t, usize, c_uint) -> isize,
}
