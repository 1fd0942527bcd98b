//! A listener whose accept blocks, and that another thread can end.
//!
//! A `shutdown(2)` would end a thread that blocks in `accept(2)`, but resets whoever stands in the
//! queue, and their systems have told them that they are connected. So the thread waits for the
//! queue and for a bell, and once the bell has rung it takes those that are there before it stops.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use fyke_core::transport::Incoming;
use fyke_core::{Address, SocketOptions};
use fyke_poller::sys;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use rustix::io::Errno;
use socket2::SockRef;

use super::stream::check;
use crate::kernel::listener::{bind, new_socket, stream_kind};
use crate::kernel::stream::Accepted;
use crate::kernel::table::Kind;
use crate::kernel::unix::{BoundPath, from_peer, from_system};
use crate::kernel::{listener, options};

/// How many that stood in the queue are taken when the listener is closed: whoever goes on connecting
/// must not keep it open.
const ACCEPTED_AT_CLOSE_MAX: usize = 4096;

/// A listener whose [`accept`](Self::accept) blocks, and that another thread can end.
#[derive(Debug)]
pub struct BlockingListener {
    socket: OwnedFd,
    address: Address,
    kind: Kind,
    nodelay: bool,
    closed: AtomicBool,
    /// Rung when it is closed.
    bell: OwnedFd,
    /// How many were accepted since.
    accepted_at_close: AtomicUsize,
    /// A Unix path, removed when the listener stops.
    path: Mutex<Option<Box<BoundPath>>>,
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
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            accepted_at_close: AtomicUsize::new(0),
            path: Mutex::new(path),
        })
    }

    /// The address that was taken; a port 0 is filled in.
    #[must_use]
    pub fn local_address(&self) -> &Address {
        &self.address
    }

    /// Blocks until somebody connects. After [`close`](Self::close) it answers those who had connected
    /// before, then `None`, and from then on nobody can connect.
    ///
    /// # Errors
    /// No descriptor left, or the like; the listener lives on.
    pub fn accept(&self) -> io::Result<Option<(Incoming, Address)>> {
        loop {
            // Asked first: whoever connected before the close is in the queue by now.
            let closed = self.closed.load(Ordering::Acquire);
            if !closed {
                self.wait()?;
            } else if self.accepted_at_close.fetch_add(1, Ordering::Relaxed)
                >= ACCEPTED_AT_CLOSE_MAX
            {
                return Ok(self.stop());
            }
            match sys::accept_blocking(&self.socket) {
                Ok((fd, peer)) => {
                    let accepted = Accepted { fd, kind: self.kind, nodelay: self.nodelay };
                    return Ok(Some((Incoming::new(accepted), from_peer(peer))));
                }
                // The one that waited is gone already.
                Err(error) if is_gone(&error) => {}
                Err(_) if closed => return Ok(self.stop()),
                // Another thread was faster, or the bell has rung.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until somebody stands in the queue, or the bell has rung.
    fn wait(&self) -> io::Result<()> {
        let mut both = [&self.socket, &self.bell].map(|one| PollFd::new(one, PollFlags::IN));
        match rustix::event::poll(&mut both, None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses all who come from now on.
    fn stop<T>(&self) -> Option<T> {
        if let Err(error) = sys::shutdown(&self.socket, Shutdown::Both) {
            // As for one that has stopped already.
            tracing::debug!(%error, "the listener could not be shut down");
        }
        drop(self.path.lock().unwrap_or_else(PoisonError::into_inner).take());
        None
    }

    /// Ends the listening: see [`accept`](Self::accept), whose thread does it.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        // Full means rung already; nobody reads it, as it stays closed.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }
}

fn is_gone(error: &io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| listener::GONE.contains(&errno))
}
