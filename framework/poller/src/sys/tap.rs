//! TAP devices: a network interface of the kernel whose other end of the wire is a descriptor
//! (Linux: `Documentation/networking/tuntap.rst`).
//!
//! What is read is a frame that the kernel sends, what is written is a frame that it receives; each
//! call moves one. With a virtio header in front of each, checksums and the cutting of long TCP
//! segments can be left to the other side.

use std::io::{self, IoSlice};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr;

use rustix::fs::{Mode, OFlags};
use rustix::io::retry_on_intr;

/// The device that makes them.
const CLONE_DEVICE: &str = "/dev/net/tun";

/// The most slices a frame may be in when it is written (UIO_MAXIOV).
pub const FRAME_SLICES_MAX: usize = 1024;

/// The longest name of an interface.
pub const INTERFACE_NAME_BYTES_MAX: usize = libc::IFNAMSIZ - 1;

/// How a device is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TapMode {
    /// A virtio header is in front of each frame.
    pub vnet_hdr: bool,
    /// The device has several queues, each a descriptor that was opened with this name.
    pub multi_queue: bool,
}

/// What we take off the kernel when it sends frames to us; all of it needs the virtio header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TapOffload {
    /// Frames may come without their transport checksum.
    pub checksum: bool,
    /// TCP segments longer than the link's may come; needs `checksum`.
    pub tcp_segments: bool,
    /// UDP datagrams of one size may come as one frame; needs `checksum`. Linux 6.2 and later.
    pub udp_segments: bool,
}

/// Opens the device called `name`, and makes it when there is none. The descriptor does not block.
/// A device that was made this way goes with its last descriptor.
///
/// # Errors
/// `NotFound` without `/dev/net/tun`; `PermissionDenied` without CAP_NET_ADMIN in the network
/// namespace; `ResourceBusy` when another descriptor has the device's only queue; `InvalidInput` for a
/// name that no interface can have, and for an existing device of the other kind of queues.
pub fn open_tap(name: &str, mode: TapMode) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let tap = retry_on_intr(|| rustix::fs::open(CLONE_DEVICE, flags, Mode::empty()))?;
    let mut bits = libc::IFF_TAP | libc::IFF_NO_PI;
    if mode.vnet_hdr {
        bits |= libc::IFF_VNET_HDR;
    }
    if mode.multi_queue {
        bits |= libc::IFF_MULTI_QUEUE;
    }
    let mut request = named(name)?;
    // The upper bits do not exist: all of them fit into the kernel's short.
    request.ifr_ifru.ifru_flags = bits as libc::c_short;
    interface_ioctl(&tap, libc::TUNSETIFF, &mut request)?;
    Ok(tap)
}

/// How many bytes the virtio header has: 10, or 12 with the number of buffers.
///
/// # Errors
/// `InvalidInput` for fewer than 10.
pub fn set_tap_header_len(tap: impl AsFd, bytes: usize) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    // SAFETY: TUNSETVNETHDRSZ reads one int, which lives through the call, and keeps no pointer.
    let result = unsafe {
        libc::ioctl(tap.as_fd().as_raw_fd(), libc::TUNSETVNETHDRSZ, ptr::from_ref(&bytes))
    };
    outcome(result)
}

/// Says what the kernel may leave to us from now on. It stays with the device, not the descriptor.
///
/// # Errors
/// `InvalidInput` when this kernel does not know one of them; nothing is changed then.
pub fn set_tap_offload(tap: impl AsFd, offload: TapOffload) -> io::Result<()> {
    let mut bits = 0;
    if offload.checksum {
        bits |= libc::TUN_F_CSUM;
    }
    if offload.tcp_segments {
        bits |= libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
    }
    if offload.udp_segments {
        bits |= libc::TUN_F_USO4 | libc::TUN_F_USO6;
    }
    // SAFETY: TUNSETOFFLOAD takes its bits as the argument itself: there is no pointer.
    let result = unsafe {
        libc::ioctl(tap.as_fd().as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(bits))
    };
    outcome(result)
}

/// Says whether the device stays when its last descriptor is closed.
///
/// # Errors
/// What the system says.
pub fn set_tap_persistent(tap: impl AsFd, on: bool) -> io::Result<()> {
    // SAFETY: TUNSETPERSIST takes its number as the argument itself: there is no pointer.
    let result = unsafe {
        libc::ioctl(tap.as_fd().as_raw_fd(), libc::TUNSETPERSIST, libc::c_ulong::from(on))
    };
    outcome(result)
}

/// Reads one frame into `room` and returns how long it is. One that fills all the room may have been
/// cut. ([`recv_vectored`](super::recv_vectored) reads one into several places.)
///
/// # Errors
/// `WouldBlock` when there is none; EBADFD when the device is gone.
pub fn read_frame(tap: impl AsFd, room: &mut [u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::io::read(&tap, &mut *room))?)
}

/// Writes one frame that is in `slices`, of which there are at most [`FRAME_SLICES_MAX`].
///
/// # Errors
/// `WouldBlock` when there is no room; `InvalidInput` when the kernel does not take such a frame, and
/// for too many slices; EIO while the interface is down; EBADFD when the device is gone.
pub fn write_frame(tap: impl AsFd, slices: &[IoSlice<'_>]) -> io::Result<()> {
    if slices.len() > FRAME_SLICES_MAX {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    retry_on_intr(|| rustix::io::writev(&tap, slices))?;
    Ok(())
}

/// As [`write_frame`], for a frame in one piece, which the kernel takes with less ado.
///
/// # Errors
/// As for [`write_frame`].
pub fn write_whole_frame(tap: impl AsFd, frame: &[u8]) -> io::Result<()> {
    retry_on_intr(|| rustix::io::write(&tap, frame))?;
    Ok(())
}

/// A request about the interface called `name`.
pub(super) fn named(name: &str) -> io::Result<libc::ifreq> {
    let bytes = name.as_bytes();
    let illegal = |byte: &u8| matches!(byte, 0 | b'/' | b':' | b'%') || byte.is_ascii_whitespace();
    if bytes.is_empty() || bytes.len() > INTERFACE_NAME_BYTES_MAX || bytes.iter().any(illegal) {
        let text = format!("{name:?} is no name for a network interface");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    // SAFETY: `ifreq` is a C structure of integers, arrays and a union of such (one of its members is a
    // pointer, for which null is a value): zero bytes are a value of it.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(bytes) {
        *place = *byte as libc::c_char;
    }
    Ok(request)
}

/// One of the calls that are given an `ifreq`.
pub(super) fn interface_ioctl(
    fd: impl AsFd,
    call: libc::Ioctl,
    request: &mut libc::ifreq,
) -> io::Result<()> {
    // SAFETY: the callers in this folder pass only calls that read and write one `ifreq` and keep no
    // pointer to it (netdevice(7), and TUNSETIFF); the one given outlives the call.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), call, ptr::from_mut(request)) };
    outcome(result)
}

pub(super) fn outcome(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn a_name_that_no_interface_can_have_is_refused_before_the_kernel_sees_it() {
        let long = "x".repeat(INTERFACE_NAME_BYTES_MAX + 1);
        for name in ["", "a b", "a/b", "a:1", "tap%d", "nul\0", &long] {
            assert_eq!(named(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
        let request = named("fyke0").unwrap();
        let name: Vec<u8> = request.ifr_name.iter().map(|byte| *byte as u8).collect();
        assert_eq!(&name[..6], b"fyke0\0");
    }

    #[test]
    fn each_call_moves_one_frame() {
        // A pair of datagram sockets has what counts here.
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        write_frame(&theirs, &[IoSlice::new(b"on"), IoSlice::new(b"e")]).unwrap();
        write_frame(&theirs, &[IoSlice::new(b"three")]).unwrap();
        let mut room = [0; 4];
        assert_eq!(read_frame(&ours, &mut room).unwrap(), 3);
        assert_eq!(room, *b"one\0");
        assert_eq!(read_frame(&ours, &mut room).unwrap(), 4);
        assert_eq!(read_frame(&ours, &mut room).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_frame_in_too_many_slices_is_not_written_in_part() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let slices = vec![IoSlice::new(b"x"); FRAME_SLICES_MAX + 1];
        let error = write_frame(&ours, &slices).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = read_frame(&theirs, &mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn what_is_no_tap_says_so() {
        let (ours, _theirs) = UnixDatagram::pair().unwrap();
        set_tap_header_len(&ours, 10).unwrap_err();
        set_tap_offload(&ours, TapOffload::default()).unwrap_err();
    }
}
