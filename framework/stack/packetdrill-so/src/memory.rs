//! C's buffers as Rust's slices, and back.
//!
//! The contract all SAFETY notes refer to: packetdrill's buffers are as long as it says and live during
//! the call they are passed to.

use std::ffi::{c_int, c_void};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libc::{iovec, sockaddr, socklen_t};

/// The bytes of a buffer.
pub(crate) fn bytes<'a>(data: *const c_void, length: usize) -> &'a [u8] {
    if data.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: a buffer of packetdrill's is as long as it says and lives during the call.
    unsafe { std::slice::from_raw_parts(data.cast(), length) }
}

/// Writes into a buffer what fits; says how much that was.
pub(crate) fn fill(data: *mut c_void, length: usize, from: &[u8]) -> usize {
    let n = from.len().min(length);
    if !data.is_null() && n > 0 {
        // SAFETY: a buffer of packetdrill's is as long as it says, and `n` is not longer.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), data.cast(), n) };
    }
    n
}

/// A socket address.
pub(crate) fn address(data: *const sockaddr, length: socklen_t) -> Result<SocketAddr, c_int> {
    let raw = bytes(data.cast(), length as usize);
    let family = raw.get(..2).map(|b| u16::from_ne_bytes([b[0], b[1]]));
    let port = raw.get(2..4).map(|b| u16::from_be_bytes([b[0], b[1]])).ok_or(libc::EINVAL)?;
    let ip = match family.map(c_int::from) {
        Some(libc::AF_INET) => {
            let octets = raw.get(4..8).and_then(|b| <[u8; 4]>::try_from(b).ok());
            IpAddr::V4(Ipv4Addr::from(octets.ok_or(libc::EINVAL)?))
        }
        Some(libc::AF_INET6) => {
            let octets = raw.get(8..24).and_then(|b| <[u8; 16]>::try_from(b).ok());
            IpAddr::V6(Ipv6Addr::from(octets.ok_or(libc::EINVAL)?)).to_canonical()
        }
        _ => return Err(libc::EAFNOSUPPORT),
    };
    Ok(SocketAddr::new(ip, port))
}

/// Writes a socket address.
pub(crate) fn put_address(at: SocketAddr, data: *mut sockaddr, length: *mut socklen_t) {
    if data.is_null() || length.is_null() {
        return;
    }
    let mut raw = Vec::new();
    match at.ip() {
        IpAddr::V4(ip) => {
            raw.extend((libc::AF_INET as u16).to_ne_bytes());
            raw.extend(at.port().to_be_bytes());
            raw.extend(ip.octets());
            raw.extend([0; 8]);
        }
        IpAddr::V6(ip) => {
            raw.extend((libc::AF_INET6 as u16).to_ne_bytes());
            raw.extend(at.port().to_be_bytes());
            raw.extend([0; 4]);
            raw.extend(ip.octets());
            raw.extend([0; 4]);
        }
    }
    // SAFETY: the caller's length goes with the caller's buffer.
    let room = unsafe { *length } as usize;
    fill(data.cast(), room, &raw);
    // SAFETY: as above.
    unsafe { *length = raw.len() as socklen_t };
}

/// The pieces of a vector.
pub(crate) fn pieces<'a>(vector: *const iovec, count: usize) -> &'a [iovec] {
    if vector.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: a vector of packetdrill's has as many pieces as it says.
    unsafe { std::slice::from_raw_parts(vector, count) }
}

pub(crate) fn gather(vector: &[iovec]) -> Vec<u8> {
    vector.iter().flat_map(|piece| bytes(piece.iov_base, piece.iov_len)).copied().collect()
}
