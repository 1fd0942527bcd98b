//! Addresses of sockets, and the paths that Unix sockets leave behind in the file system.

use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use fyke_core::Address;
use fyke_poller::sys::PeerAddress;
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

/// `address` as the kernel takes it.
pub(crate) fn to_system(address: &Address) -> io::Result<SockAddr> {
    match address {
        Address::Inet(address) => Ok((*address).into()),
        Address::Unix(Some(path)) => SockAddr::unix(path),
        other => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("the kernel transport cannot use the address {other}"),
        )),
    }
}

/// `address` as the kernel gave it.
pub(crate) fn from_system(address: &SockAddr) -> io::Result<Address> {
    if let Some(inet) = address.as_socket() {
        return Ok(Address::Inet(inet));
    }
    if !address.is_unix() {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "an address of an unknown family"));
    }
    let path = address.as_pathname().map(Path::to_path_buf).or_else(|| {
        let name = address.as_abstract_namespace()?;
        Some(std::ffi::OsString::from_vec([b"\0", name].concat()).into())
    });
    Ok(Address::Unix(path.map(Into::into)))
}

/// A peer as `accept` and `recvfrom` tell it.
pub(crate) fn from_peer(peer: PeerAddress) -> Address {
    match peer {
        PeerAddress::Inet(address) => Address::Inet(address),
        PeerAddress::Unix(path) => Address::Unix(path.map(Into::into)),
    }
}

/// A path in the file system that one of our sockets is bound to. It is removed when dropped, unless
/// somebody else's socket is there by then.
#[derive(Debug)]
pub(crate) struct BoundPath {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl BoundPath {
    /// The path that a socket has just been bound to; `None` for names that leave nothing behind.
    fn of(address: &Address) -> io::Result<Option<Box<Self>>> {
        let Address::Unix(Some(path)) = address else { return Ok(None) };
        if path.as_os_str().as_bytes().first().is_none_or(|&first| first == 0) {
            return Ok(None);
        }
        let found = fs::symlink_metadata(path)?;
        let (device, inode) = (found.dev(), found.ino());
        Ok(Some(Box::new(Self { path: path.to_path_buf(), device, inode })))
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "a socket's path stays behind");
        }
    }
}

/// Binds a Unix socket. A path whose socket is dead (nobody listens there any more, its process has
/// ended without removing it) is taken over; one that is alive, or no socket, is `AddrInUse`.
pub(crate) fn bind(socket: &Socket, address: &Address) -> io::Result<Option<Box<BoundPath>>> {
    let name = to_system(address)?;
    match socket.bind(&name) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(&name) => {
            // Two servers that start at the same moment may both come here. The later one wins the
            // path, and the earlier one is never reached: a lock file would be needed to tell.
            if let Some(path) = name.as_pathname() {
                fs::remove_file(path)?;
            }
            socket.bind(&name)?;
        }
        result => result?,
    }
    BoundPath::of(address)
}

/// Whether a dead socket is at `name`. A live one does not notice that it was asked: a datagram
/// socket cannot connect to a stream listener, but the refusal differs from that of a dead one.
fn is_stale(name: &SockAddr) -> bool {
    let is_socket = name
        .as_pathname()
        .and_then(|path| fs::symlink_metadata(path).ok())
        .is_some_and(|found| found.file_type().is_socket());
    if !is_socket {
        return false;
    }
    let Ok(probe) = Socket::new(Domain::UNIX, Type::DGRAM, None) else { return false };
    let refused = Some(Errno::CONNREFUSED.raw_os_error());
    probe.connect(name).is_err_and(|error| error.raw_os_error() == refused)
}
