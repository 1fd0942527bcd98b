//! Many datagrams with one system call: `recvmmsg` and `sendmmsg`, which rustix has in part only.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

/// The most datagrams one call moves.
pub const BATCH_MAX: usize = 64;

/// One datagram that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How many bytes of it are in its buffer.
    pub len: usize,
    /// It was longer than its buffer and the rest is lost.
    pub truncated: bool,
    /// The sender; `None` when that is not an IP address.
    pub from: Option<SocketAddr>,
}

/// One datagram to send.
#[derive(Debug)]
pub struct Outbound<'a> {
    /// Its contents.
    pub data: IoSlice<'a>,
    /// Its destination; `None` is whom the socket is connected to.
    pub to: Option<SocketAddr>,
}

/// Receives up to one datagram a buffer (the first [`BATCH_MAX`] are used) and appends what it learned
/// to `received`, in the buffers' order. Returns how many. A blocking socket waits for the first only.
///
/// # Errors
/// `WouldBlock` when there is none; otherwise as for one datagram. An error behind the first datagram
/// comes with the next call.
pub fn recv_mmsg(
    socket: impl AsFd,
    buffers: &mut [IoSliceMut<'_>],
    received: &mut Vec<Received>,
) -> io::Result<usize> {
    let wanted = buffers.len().min(BATCH_MAX);
    let mut names = [Name::EMPTY; BATCH_MAX];
    let mut headers = [EMPTY_HEADER; BATCH_MAX];
    for ((header, name), buffer) in headers.iter_mut().zip(&mut names).zip(&mut buffers[..wanted]) {
        header.msg_hdr.msg_name = ptr::from_mut(&mut name.0).cast();
        header.msg_hdr.msg_namelen = size_of::<Name>() as libc::socklen_t;
        // IoSliceMut is documented to have the layout of `iovec`.
        header.msg_hdr.msg_iov = ptr::from_mut(buffer).cast();
        header.msg_hdr.msg_iovlen = 1;
    }
    let count = retry(|| {
        // SAFETY: the first `wanted` headers each point to one name and to one iovec whose memory is
        // borrowed mutably; all of it outlives the call. No time-out and no control data are passed.
        unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                headers.as_mut_ptr(),
                wanted as libc::c_uint,
                libc::MSG_WAITFORONE as _,
                ptr::null_mut(),
            )
        }
    })?;
    received.extend(headers[..count].iter().zip(&names).map(|(header, name)| Received {
        len: header.msg_len as usize,
        truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        from: name.decode(header.msg_hdr.msg_namelen),
    }));
    Ok(count)
}

/// Sends the front of `datagrams` (at most [`BATCH_MAX`]) and returns how many went.
///
/// # Errors
/// What became of the first; a later one that fails ends the batch before it.
pub fn send_mmsg(socket: impl AsFd, datagrams: &[Outbound<'_>]) -> io::Result<usize> {
    let wanted = datagrams.len().min(BATCH_MAX);
    let mut names = [Name::EMPTY; BATCH_MAX];
    let mut headers = [EMPTY_HEADER; BATCH_MAX];
    for ((header, name), datagram) in headers.iter_mut().zip(&mut names).zip(&datagrams[..wanted]) {
        if let Some(to) = datagram.to {
            header.msg_hdr.msg_namelen = name.encode(to);
            header.msg_hdr.msg_name = ptr::from_mut(&mut name.0).cast();
        }
        // IoSlice is documented to have the layout of `iovec`; sending only reads it.
        header.msg_hdr.msg_iov = ptr::from_ref(&datagram.data).cast_mut().cast();
        header.msg_hdr.msg_iovlen = 1;
    }
    retry(|| {
        // SAFETY: the first `wanted` headers each point to one iovec over borrowed memory and to one
        // name of the stated length, or to none; all of it outlives the call, which writes only
        // `msg_len` of the headers.
        unsafe {
            libc::sendmmsg(
                socket.as_fd().as_raw_fd(),
                headers.as_mut_ptr(),
                wanted as libc::c_uint,
                libc::MSG_NOSIGNAL as _,
            )
        }
    })
}

/// Buffers for [`recv_mmsg`] that are kept from call to call.
#[derive(Debug)]
pub struct RecvBatch {
    storage: Vec<u8>,
    size: usize,
    received: Vec<Received>,
}

impl RecvBatch {
    /// `count` buffers (1 to [`BATCH_MAX`]) of `size` bytes each.
    pub fn new(count: usize, size: usize) -> RecvBatch {
        let (count, size) = (count.clamp(1, BATCH_MAX), size.max(1));
        RecvBatch { storage: vec![0; count * size], size, received: Vec::with_capacity(count) }
    }

    /// Forgets the last batch and receives the next; returns how many datagrams came.
    ///
    /// # Errors
    /// As for [`recv_mmsg`].
    pub fn recv(&mut self, socket: impl AsFd) -> io::Result<usize> {
        self.received.clear();
        let mut buffers: [IoSliceMut<'_>; BATCH_MAX] =
            std::array::from_fn(|_| IoSliceMut::new(&mut []));
        let mut count = 0;
        for (slot, buffer) in buffers.iter_mut().zip(self.storage.chunks_exact_mut(self.size)) {
            *slot = IoSliceMut::new(buffer);
            count += 1;
        }
        recv_mmsg(socket, &mut buffers[..count], &mut self.received)
    }

    /// How many datagrams the last call brought.
    pub fn len(&self) -> usize {
        self.received.len()
    }

    /// Whether it brought none.
    pub fn is_empty(&self) -> bool {
        self.received.is_empty()
    }

    /// The datagrams of the last call.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Received)> {
        let buffers = self.storage.chunks_exact(self.size);
        // The kernel's length is at most the buffer's, because MSG_TRUNC was not asked for.
        self.received
            .iter()
            .zip(buffers)
            .map(|(received, buffer)| (&buffer[..received.len.min(buffer.len())], *received))
    }
}

/// Room for an IPv4 or IPv6 address.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Name(libc::sockaddr_in6);

const _: () = assert!(size_of::<libc::sockaddr_in>() <= size_of::<Name>());
const _: () = assert!(align_of::<libc::sockaddr_in>() <= align_of::<Name>());

impl Name {
    // SAFETY: `sockaddr_in6` consists of integers, for which zero is a value.
    const EMPTY: Name = Name(unsafe { mem::zeroed() });

    fn decode(&self, len: libc::socklen_t) -> Option<SocketAddr> {
        let len = len as usize;
        match libc::c_int::from(self.0.sin6_family) {
            libc::AF_INET if len >= size_of::<libc::sockaddr_in>() => {
                // SAFETY: a name is larger than, and as aligned as, a `sockaddr_in` (asserted above),
                // and that consists of integers.
                let v4 = unsafe { ptr::from_ref(&self.0).cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 if len >= size_of::<libc::sockaddr_in6>() => {
                let ip = Ipv6Addr::from(self.0.sin6_addr.s6_addr);
                let port = u16::from_be(self.0.sin6_port);
                let flow = self.0.sin6_flowinfo;
                Some(SocketAddrV6::new(ip, port, flow, self.0.sin6_scope_id).into())
            }
            _ => None,
        }
    }

    /// Writes `address` and returns the length of what it wrote.
    fn encode(&mut self, address: SocketAddr) -> libc::socklen_t {
        match address {
            SocketAddr::V4(address) => {
                let v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
                    sin_zero: [0; 8],
                };
                // SAFETY: a name is larger than, and as aligned as, a `sockaddr_in` (asserted above).
                unsafe { ptr::from_mut(&mut self.0).cast::<libc::sockaddr_in>().write(v4) };
                size_of::<libc::sockaddr_in>() as libc::socklen_t
            }
            SocketAddr::V6(address) => {
                self.0 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: address.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                };
                size_of::<libc::sockaddr_in6>() as libc::socklen_t
            }
        }
    }
}

// SAFETY: `mmsghdr` consists of integers and pointers, for which zero is a value.
const EMPTY_HEADER: libc::mmsghdr = unsafe { mem::zeroed() };

fn retry(mut call: impl FnMut() -> libc::c_int) -> io::Result<usize> {
    loop {
        if let Ok(count) = usize::try_from(call()) {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::unix::net::UnixDatagram;

    fn socket(address: &str) -> UdpSocket {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    fn batch_crosses(address: &str) {
        let (ours, theirs) = (socket(address), socket(address));
        let to = Some(theirs.local_addr().unwrap());
        let texts = ["one", "", "three", "much too long for it", "five"];
        let out: Vec<_> =
            texts.iter().map(|text| Outbound { data: IoSlice::new(text.as_bytes()), to }).collect();
        assert_eq!(send_mmsg(&ours, &out).unwrap(), 5);

        let mut batch = RecvBatch::new(4, 8);
        assert_eq!(batch.recv(&theirs).unwrap(), 4);
        let from = Some(ours.local_addr().unwrap());
        let got: Vec<_> = batch.iter().collect();
        let received = |len, truncated| Received { len, truncated, from };
        assert_eq!(got[0], (&b"one"[..], received(3, false)));
        assert_eq!(got[1], (&b""[..], received(0, false)));
        assert_eq!(got[2], (&b"three"[..], received(5, false)));
        assert_eq!(got[3], (&b"much too"[..], received(8, true)));

        assert_eq!(batch.recv(&theirs).unwrap(), 1);
        assert_eq!(batch.iter().next().unwrap().0, b"five");
        assert_eq!(batch.recv(&theirs).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(batch.is_empty());
    }

    #[test]
    fn a_batch_crosses_over_ipv4() {
        batch_crosses("127.0.0.1:0");
    }

    #[test]
    fn a_batch_crosses_over_ipv6() {
        batch_crosses("[::1]:0");
    }

    #[test]
    fn a_connected_socket_needs_no_destination() {
        let (ours, theirs) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        ours.connect(theirs.local_addr().unwrap()).unwrap();
        let out = [Outbound { data: IoSlice::new(b"x"), to: None }];
        assert_eq!(send_mmsg(&ours, &out).unwrap(), 1);
        let mut buffer = [0; 2];
        let mut received = Vec::new();
        let buffers = &mut [IoSliceMut::new(&mut buffer)];
        assert_eq!(recv_mmsg(&theirs, buffers, &mut received).unwrap(), 1);
        assert_eq!(received[0].from, ours.local_addr().ok());
    }

    #[test]
    fn no_more_than_a_batch_goes_at_once() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        ours.set_nonblocking(true).unwrap();
        let out: Vec<_> =
            (0..BATCH_MAX + 9).map(|_| Outbound { data: IoSlice::new(b"x"), to: None }).collect();
        let mut sent = 0;
        let mut got = 0;
        let mut batch = RecvBatch::new(usize::MAX, 4);
        while sent < out.len() {
            let count = send_mmsg(&ours, &out[sent..]).unwrap();
            assert!(count <= BATCH_MAX);
            sent += count;
            while let Ok(count) = batch.recv(&theirs) {
                got += count;
                assert!(batch.iter().all(|(data, from)| data == b"x" && from.from.is_none()));
            }
        }
        assert_eq!(got, out.len());
    }
}
