//! A listener whose accept blocks, and that another thread can end.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use fyke_core::transport::Incoming;
use fyke_core::{Address, SocketOptions};
use fyke_poller::sys;
use rustix::io::Errno;
use socket2::SockRef;

use super::stream::check;
use crate::kernel::listener::{bind, new_socket, stream_kind};
use crate::kernel::stream::Accepted;
use crate::kernel::table::Kind;
use crate::kernel::unix::{BoundPath, from_peer, from_system};
use crate::kernel::{listener, options};

/// A listener whose [`accept`](Self::accept) blocks, and that another thread can end.
#[derive(Debug)]
pub struct BlockingListener {
    socket: OwnedFd,
    address: Address,
    kind: Kind,
    nodelay: bool,
    closed: AtomicBool,
    /// A Unix path is removed with the listener.
    _path: Option<Box<BoundPath>>,
}

impl BlockingListener {
    /// Listens on a TCP address or a Unix path.
    ///
    /// # Errors
    /// An address in use, a missing right, an option that does not fit.
    pub fn bind(address: &Address, socket_options: &SocketOptions) -> io::Result<Self> {
        let kind = stream_kind(address)?;
        check(kind, socket_options)?;
        let socket = new_socket(kind)?;
        socket.set_nonblocking(false)?;
        options::before_bind(SockRef::from(&socket), kind, address.as_inet(), socket_options)?;
        let path = bind(&socket, address)?;
        options::stream(SockRef::from(&socket), kind, false, socket_options)?;
        socket.listen(options::backlog(socket_options))?;
        let address = from_system(&socket.local_addr()?)?;
        Ok(Self {
            socket: socket.into(),
            address,
            kind,
            nodelay: socket_options.nodelay,
            closed: AtomicBool::new(false),
            _path: path,
        })
    }

    /// The address that was taken; a port 0 is filled in.
    #[must_use]
    pub fn local_address(&self) -> &Address {
        &self.address
    }

    /// Blocks until somebody connects; `None` after [`close`](Self::close).
    ///
    /// # Errors
    /// No descriptor left, or the like; the listener lives on.
    pub fn accept(&self) -> io::Result<Option<(Incoming, Address)>> {
        loop {
            let accepted = sys::accept_blocking(&self.socket);
            if self.closed.load(Ordering::Acquire) {
                return Ok(None);
            }
            match accepted {
                Ok((fd, peer)) => {
                    let accepted = Accepted { fd, kind: self.kind, nodelay: self.nodelay };
                    return Ok(Some((Incoming::new(accepted), from_peer(peer))));
                }
                // The one that waited is gone already.
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Stops listening, and ends an accept that blocks.
    pub fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            // A listener that is shut down refuses to accept: that is what unblocks.
            if let Err(error) = sys::shutdown(&self.socket, Shutdown::Both) {
                tracing::debug!(%error, "the listener could not be shut down");
            }
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| listener::GONE.contains(&errno))
}
