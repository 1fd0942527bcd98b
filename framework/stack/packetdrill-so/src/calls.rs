//! The functions of the table: pointers of C to values of Rust, and results back.
//!
//! All of them are called by packetdrill with the world it got, and with buffers as long as it says:
//! that is the contract every SAFETY note below refers to.
#![allow(clippy::not_unsafe_ptr_arg_deref, reason = "the table's types are C's; see the contract")]

use std::ffi::{c_int, c_uint, c_ulong, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use fyke_packetdrill::run::{Call, Returned};
use libc::{epoll_event, iovec, loff_t, msghdr, nfds_t, pollfd, sockaddr, socklen_t};

use crate::abi::{Interface, UserData};
use crate::device::{gettimeofday, netdev_receive, netdev_send, usleep};
use crate::memory::{address, fill, gather, pieces, put_address};
use crate::names;
use crate::options::{getsockopt, setsockopt};
use crate::preload;
use crate::world::World;

/// The table.
pub(crate) fn table(userdata: UserData) -> Interface {
    Interface {
        userdata,
        free,
        socket,
        bind,
        listen,
        accept,
        connect,
        read,
        readv,
        recv,
        recvfrom,
        recvmsg,
        write,
        writev,
        send,
        sendto,
        sendmsg,
        fcntl,
        ioctl,
        close,
        shutdown,
        getsockopt,
        setsockopt,
        poll,
        netdev_send,
        netdev_receive,
        usleep,
        gettimeofday,
        epoll_create,
        epoll_ctl,
        epoll_wait,
        pipe,
        splice,
    }
}

/// Runs `f` with the world; a panic becomes the error EIO, for it must not cross into C.
pub(crate) fn with(userdata: UserData, f: impl FnOnce(&World) -> Result<i64, c_int>) -> i64 {
    // SAFETY: it is the pointer `table` was made with, and `free` comes last.
    let world = unsafe { &*userdata.cast::<World>() };
    let result = catch_unwind(AssertUnwindSafe(|| f(world)));
    match result.unwrap_or(Err(libc::EIO)) {
        Ok(value) => value,
        Err(errno) => {
            // SAFETY: errno is this thread's own.
            unsafe { *libc::__errno_location() = errno };
            -1
        }
    }
}

pub(crate) fn value(returned: Returned) -> Result<i64, c_int> {
    match returned {
        Returned::Done(value, _) => Ok(value),
        Returned::Error(name) => Err(names::errno(name)),
        Returned::Blocked => Err(libc::EIO),
    }
}

/// A descriptor of the kernel's, so that numbers are unique and packetdrill can close them.
fn handle() -> Result<c_int, c_int> {
    // SAFETY: no pointers.
    match unsafe { libc::eventfd(0, 0) } {
        -1 => Err(libc::EMFILE),
        fd => Ok(fd),
    }
}

fn close_handle(fd: c_int) {
    // SAFETY: no pointers; the number is one `handle` gave out, or closing fails.
    unsafe { libc::close(fd) };
}

fn receive(userdata: UserData, fd: c_int, vector: &[iovec], flags: c_int) -> isize {
    let max = vector.iter().map(|piece| piece.iov_len).sum();
    let null = max > 0 && vector.iter().any(|piece| piece.iov_base.is_null());
    with(userdata, |world| {
        if null {
            return Err(libc::EFAULT);
        }
        match world.call(&Call::Receive(fd.into(), max, names::flags(flags))) {
            Returned::Done(n, data) => {
                let mut rest = data.as_slice();
                for piece in vector {
                    let n = fill(piece.iov_base, piece.iov_len, rest);
                    rest = &rest[n..];
                }
                Ok(n)
            }
            other => value(other),
        }
    }) as isize
}

fn transmit(userdata: UserData, fd: c_int, vector: &[iovec], flags: c_int) -> isize {
    let null = vector.iter().any(|piece| piece.iov_base.is_null() && piece.iov_len > 0);
    with(userdata, |world| {
        if null {
            return Err(libc::EFAULT);
        }
        value(world.call(&Call::Send(fd.into(), gather(vector), names::flags(flags))))
    }) as isize
}

extern "C" fn free(userdata: UserData) {
    preload::set(std::ptr::null_mut());
    // SAFETY: it came from Box::into_raw, and packetdrill frees it once.
    drop(unsafe { Box::from_raw(userdata.cast::<World>()) });
}

extern "C" fn socket(userdata: UserData, domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    with(userdata, |world| {
        let stream = kind & 0xf == libc::SOCK_STREAM;
        let tcp = protocol == 0 || protocol == libc::IPPROTO_TCP;
        if !matches!(domain, libc::AF_INET | libc::AF_INET6) || !stream || !tcp {
            return Err(libc::EPROTONOSUPPORT);
        }
        let fd = handle()?;
        world.begin();
        let made = value(world.call(&Call::Socket(fd.into())))?;
        if kind & libc::SOCK_NONBLOCK != 0 {
            value(world.call(&Call::SetNonBlocking(made, true)))?;
        }
        Ok(made)
    }) as c_int
}

extern "C" fn bind(userdata: UserData, fd: c_int, at: *const sockaddr, n: socklen_t) -> c_int {
    with(userdata, |world| value(world.call(&Call::Bind(fd.into(), address(at, n)?)))) as c_int
}

extern "C" fn listen(userdata: UserData, fd: c_int, backlog: c_int) -> c_int {
    let backlog = usize::try_from(backlog).unwrap_or(0);
    with(userdata, |world| value(world.call(&Call::Listen(fd.into(), backlog)))) as c_int
}

extern "C" fn accept(
    userdata: UserData,
    fd: c_int,
    from: *mut sockaddr,
    length: *mut socklen_t,
) -> c_int {
    with(userdata, |world| {
        let new = handle()?;
        match value(world.call(&Call::Accept(fd.into(), new.into()))) {
            Ok(accepted) => {
                if let Some(peer) = world.with(|machine| machine.peer(accepted)) {
                    put_address(peer, from, length);
                }
                Ok(accepted)
            }
            Err(errno) => {
                close_handle(new);
                Err(errno)
            }
        }
    }) as c_int
}

extern "C" fn connect(userdata: UserData, fd: c_int, to: *const sockaddr, n: socklen_t) -> c_int {
    with(userdata, |world| value(world.call(&Call::Connect(fd.into(), address(to, n)?)))) as c_int
}

fn one(base: *mut c_void, length: usize) -> [iovec; 1] {
    [iovec { iov_base: base, iov_len: length }]
}

extern "C" fn read(userdata: UserData, fd: c_int, data: *mut c_void, length: usize) -> isize {
    receive(userdata, fd, &one(data, length), 0)
}

extern "C" fn readv(userdata: UserData, fd: c_int, vector: *const iovec, count: c_int) -> isize {
    receive(userdata, fd, pieces(vector, count as usize), 0)
}

extern "C" fn recv(
    userdata: UserData,
    fd: c_int,
    data: *mut c_void,
    length: usize,
    flags: c_int,
) -> isize {
    receive(userdata, fd, &one(data, length), flags)
}

extern "C" fn recvfrom(
    userdata: UserData,
    fd: c_int,
    data: *mut c_void,
    length: usize,
    flags: c_int,
    _from: *mut sockaddr,
    _from_length: *mut socklen_t,
) -> isize {
    receive(userdata, fd, &one(data, length), flags)
}

extern "C" fn recvmsg(userdata: UserData, fd: c_int, message: *mut msghdr, flags: c_int) -> isize {
    // SAFETY: the message is packetdrill's and lives during the call.
    let Some(message) = (unsafe { message.as_mut() }) else { return -1 };
    message.msg_controllen = 0;
    message.msg_flags = 0;
    receive(userdata, fd, pieces(message.msg_iov, message.msg_iovlen), flags)
}

extern "C" fn write(userdata: UserData, fd: c_int, data: *const c_void, length: usize) -> isize {
    transmit(userdata, fd, &one(data.cast_mut(), length), 0)
}

extern "C" fn writev(userdata: UserData, fd: c_int, vector: *const iovec, count: c_int) -> isize {
    transmit(userdata, fd, pieces(vector, count as usize), 0)
}

extern "C" fn send(
    userdata: UserData,
    fd: c_int,
    data: *const c_void,
    length: usize,
    flags: c_int,
) -> isize {
    transmit(userdata, fd, &one(data.cast_mut(), length), flags)
}

extern "C" fn sendto(
    userdata: UserData,
    fd: c_int,
    data: *const c_void,
    length: usize,
    flags: c_int,
    _to: *const sockaddr,
    _to_length: socklen_t,
) -> isize {
    transmit(userdata, fd, &one(data.cast_mut(), length), flags)
}

extern "C" fn sendmsg(
    userdata: UserData,
    fd: c_int,
    message: *const msghdr,
    flags: c_int,
) -> isize {
    // SAFETY: the message is packetdrill's and lives during the call.
    let Some(message) = (unsafe { message.as_ref() }) else { return -1 };
    transmit(userdata, fd, pieces(message.msg_iov, message.msg_iovlen), flags)
}

extern "C" fn fcntl(userdata: UserData, fd: c_int, command: c_int, argument: usize) -> c_int {
    with(userdata, |world| match command {
        libc::F_GETFL => {
            let nonblocking = world.with(|machine| machine.is_nonblocking(fd.into()));
            Ok(i64::from(libc::O_RDWR | if nonblocking { libc::O_NONBLOCK } else { 0 }))
        }
        libc::F_SETFL => {
            let on = argument as c_int & libc::O_NONBLOCK != 0;
            value(world.call(&Call::SetNonBlocking(fd.into(), on)))
        }
        _ => Err(libc::EINVAL),
    }) as c_int
}

extern "C" fn ioctl(userdata: UserData, fd: c_int, request: c_ulong, argument: usize) -> c_int {
    const SIOCOUTQNSD: c_ulong = 0x894b;
    with(userdata, |world| {
        let queues = world.with(|machine| machine.queues(fd.into())).ok_or(libc::EINVAL)?;
        let found = match request {
            libc::FIONREAD => queues.0 as u64,
            libc::TIOCOUTQ => queues.1.into(),
            SIOCOUTQNSD => queues.2.into(),
            _ => return Err(libc::EINVAL),
        };
        let number = c_int::try_from(found).unwrap_or(c_int::MAX).to_ne_bytes();
        fill(argument as *mut c_void, number.len(), &number);
        Ok(0)
    }) as c_int
}

extern "C" fn close(userdata: UserData, fd: c_int) -> c_int {
    with(userdata, |world| {
        let closed = value(world.call(&Call::Close(fd.into())));
        close_handle(fd);
        closed
    }) as c_int
}

extern "C" fn shutdown(userdata: UserData, fd: c_int, how: c_int) -> c_int {
    with(userdata, |world| value(world.call(&Call::Shutdown(fd.into(), how.into())))) as c_int
}

extern "C" fn poll(userdata: UserData, list: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int {
    with(userdata, |world| {
        let list = if list.is_null() {
            &mut []
        } else {
            // SAFETY: the list is packetdrill's and as long as it says.
            unsafe { std::slice::from_raw_parts_mut(list, count as usize) }
        };
        let descriptors = list.iter().map(|item| item.fd.into()).collect();
        world.wait_ready(descriptors, timeout.into());
        let mut ready = 0;
        for item in list {
            let kinds = world.with(|machine| machine.ready(item.fd.into()));
            let bits = kinds.iter().fold(0, |bits, kind| bits | poll_bit(kind));
            let always = libc::POLLERR | libc::POLLHUP | libc::POLLNVAL;
            item.revents = bits & (item.events | always);
            ready += i64::from(item.revents != 0);
        }
        Ok(ready)
    }) as c_int
}

fn poll_bit(kind: &str) -> i16 {
    match kind {
        "IN" => libc::POLLIN,
        "OUT" => libc::POLLOUT,
        "ERR" => libc::POLLERR,
        "HUP" => libc::POLLHUP,
        "RDHUP" => libc::POLLRDHUP,
        _ => libc::POLLNVAL,
    }
}

extern "C" fn epoll_create(userdata: UserData, _size: c_int) -> c_int {
    with(userdata, |_| Err(libc::ENOSYS)) as c_int
}

extern "C" fn epoll_ctl(
    userdata: UserData,
    _epoll: c_int,
    _operation: c_int,
    _fd: c_int,
    _event: *mut epoll_event,
) -> c_int {
    with(userdata, |_| Err(libc::ENOSYS)) as c_int
}

extern "C" fn epoll_wait(
    userdata: UserData,
    _epoll: c_int,
    _events: *mut epoll_event,
    _max: c_int,
    _timeout: c_int,
) -> c_int {
    with(userdata, |_| Err(libc::ENOSYS)) as c_int
}

extern "C" fn pipe(userdata: UserData, _ends: *mut c_int) -> c_int {
    with(userdata, |_| Err(libc::ENOSYS)) as c_int
}

extern "C" fn splice(
    userdata: UserData,
    _from: c_int,
    _from_offset: *mut loff_t,
    _to: c_int,
    _to_offset: *mut loff_t,
    _length: usize,
    _flags: c_uint,
) -> isize {
    with(userdata, |_| Err(libc::ENOSYS)) as isize
}
