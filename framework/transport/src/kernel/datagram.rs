//! Datagram endpoints: UDP and Unix, connected or not, many datagrams with one call.
//!
//! What comes back for an earlier datagram (ICMP port unreachable, say) is an error of the next
//! receive or send; the endpoint lives on.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use fyke_buffer::{ByteBuf, Pool};
use fyke_core::driver::Readiness;
use fyke_core::transport::{Handle, Membership, TransportEvent};
use fyke_core::{Address, ChannelKey, Datagram, SocketOptions};
use fyke_poller::sys::{self, BATCH_MAX, Outbound, PeerAddress, Received};
use rustix::event::{PollFd, PollFlags, Timespec};
use socket2::{InterfaceIndexOrAddress, SockRef};

use super::listener::{bind, new_socket};
use super::table::{Datagrams, Endpoint, Kind, Parts, Role};
use super::{Kernel, options, unix};

/// Datagrams that a receive is prepared for when little comes: a buffer of the pool each.
const BATCH_MIN: u8 = 4;

/// Unix datagrams that are received one by one in one call.
const SINGLE_MAX: usize = 16;

/// Larger than any datagram; more room is never used.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;

impl Kernel {
    pub(super) fn open_datagram(
        &mut self,
        owner: ChannelKey,
        local: Option<&Address>,
        peer: Option<&Address>,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        let local = local.or(options.local_address.as_ref());
        let kind = datagram_kind(local.or(peer))?;
        options::check(kind, options)?;
        let socket = new_socket(kind)?;
        options::before_bind(
            SockRef::from(&socket),
            kind,
            local.and_then(Address::as_inet),
            options,
        )?;
        options::datagram(SockRef::from(&socket), kind, options)?;
        let path = local.map(|local| bind(&socket, local)).transpose()?.flatten();
        if let Some(peer) = peer {
            socket.connect(&unix::to_system(peer)?)?;
        }
        let address = unix::from_system(&socket.local_addr()?)?;
        let role = Role::Datagram(Datagrams {
            connected: peer.is_some(),
            bytes_max: options.datagram_bytes_max.clamp(1, DATAGRAM_BYTES_MAX) as u32,
            batch: BATCH_MIN,
            error: None,
        });
        let parts = Parts { owner, kind, role, fd: socket.into(), path };
        Ok((self.table.insert(parts, &self.registry)?, address))
    }

    pub(super) fn receive_datagrams(
        &mut self,
        handle: Handle,
        batch: &mut Vec<Datagram>,
        pool: &Pool,
    ) -> io::Result<bool> {
        let Self { table, received, pending, .. } = self;
        let Endpoint { kind, role, fd, owner, watch, .. } = table.get(handle)?;
        let Role::Datagram(state) = role else { return Err(no_datagrams()) };
        if let Some(error) = state.error.take() {
            return Err(*error);
        }
        let result = match kind {
            Kind::Udp { .. } => receive_batch(fd, state, batch, pool, received),
            _ => receive_singly(fd, state, batch, pool),
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => {
                if watch.is_edge() {
                    // Datagrams behind the error make no edge of their own.
                    pending.push(TransportEvent::Readable(*owner));
                }
                Err(error)
            }
            more => more,
        }
    }

    pub(super) fn send_datagrams(
        &mut self,
        handle: Handle,
        batch: &[Datagram],
    ) -> io::Result<usize> {
        let Self { table, registry, pending, .. } = self;
        let endpoint = table.get(handle)?;
        let Role::Datagram(state) = &endpoint.role else { return Err(no_datagrams()) };
        if endpoint.watch.is_blocked() {
            return Ok(0);
        }
        let mut sent = 0;
        let mut full = false;
        while sent < batch.len() && !full {
            let rest = &batch[sent..];
            let result = match endpoint.kind {
                Kind::Udp { .. } if rest.len() > 1 => send_batch(&endpoint.fd, rest),
                _ => send_one(&endpoint.fd, &rest[0]).map(|()| 1),
            };
            match result {
                Ok(n) => sent += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !state.connected && has_room(&endpoint.fd) {
                        // A Unix receiver's queue is full, of which nothing will tell the end.
                        return after(sent, receiver_full(), pending, endpoint.owner);
                    }
                    full = true;
                }
                Err(error) => return after(sent, error, pending, endpoint.owner),
            }
        }
        endpoint.ask(registry, |watch| if full { watch.note_full() } else { watch.note_room() })?;
        Ok(sent)
    }

    pub(super) fn change_membership(
        &mut self,
        handle: Handle,
        membership: Membership,
    ) -> io::Result<()> {
        let socket = SockRef::from(&self.table.get(handle)?.fd);
        let Membership { group, interface_index, join } = membership;
        match group {
            IpAddr::V4(group) => {
                let interface = InterfaceIndexOrAddress::Index(interface_index);
                if join {
                    socket.join_multicast_v4_n(&group, &interface)
                } else {
                    socket.leave_multicast_v4_n(&group, &interface)
                }
            }
            IpAddr::V6(group) if join => socket.join_multicast_v6(&group, interface_index),
            IpAddr::V6(group) => socket.leave_multicast_v6(&group, interface_index),
        }
    }
}

/// Reports what a readiness means for a datagram endpoint: an error is something to receive, and an
/// end there is none.
pub(super) fn ready(endpoint: &mut Endpoint, ready: &Readiness) -> Readiness {
    if ready.hangup
        && !endpoint.watch.is_reading()
        && !endpoint.watch.is_edge()
        && let Role::Datagram(state) = &mut endpoint.role
        && let Ok(Some(error)) = SockRef::from(&endpoint.fd).take_error()
    {
        // Nobody receives now, and a pending error is a level that cannot be masked.
        state.error.get_or_insert_with(|| Box::new(error));
    }
    Readiness {
        readable: ready.readable || ready.hangup,
        peer_closed: false,
        hangup: false,
        ..*ready
    }
}

/// The rest of a batch whose front was sent: the error is of the first that is left, and comes when
/// that is tried again.
fn after(
    sent: usize,
    error: io::Error,
    pending: &mut Vec<TransportEvent>,
    owner: ChannelKey,
) -> io::Result<usize> {
    if sent == 0 {
        return Err(error);
    }
    pending.push(TransportEvent::Writable(owner));
    Ok(sent)
}

fn receive_batch(
    fd: &OwnedFd,
    state: &mut Datagrams,
    batch: &mut Vec<Datagram>,
    pool: &Pool,
    received: &mut Vec<Received>,
) -> io::Result<bool> {
    let wanted = usize::from(state.batch);
    let bytes_max = state.bytes_max as usize;
    let first = batch.len();
    batch.extend((0..wanted).map(|_| empty(pool, bytes_max)));
    let mut rooms: [IoSliceMut<'_>; BATCH_MAX] = std::array::from_fn(|_| IoSliceMut::new(&mut []));
    for (room, datagram) in rooms.iter_mut().zip(&mut batch[first..]) {
        *room = IoSliceMut::new(room_of(&mut datagram.payload, bytes_max));
    }
    received.clear();
    let result = sys::recv_mmsg(fd, &mut rooms[..wanted], received);
    let count = result.as_ref().map_or(0, |&count| count);
    batch.truncate(first + count);
    state.batch = next_batch(state.batch, count);
    result?;
    for (datagram, received) in batch[first..].iter_mut().zip(&*received) {
        datagram.payload.advance_writer(received.len);
        datagram.truncated = received.truncated;
        datagram.peer = received.from.map(Address::Inet);
    }
    // A batch that is not full has emptied the socket, or an error ended it, which only a connected
    // socket has.
    Ok(count == wanted || state.connected)
}

/// Grows and shrinks with what comes.
fn next_batch(batch: u8, count: usize) -> u8 {
    let count = count as u8;
    if count == batch {
        batch.saturating_mul(2).min(BATCH_MAX as u8)
    } else if count < batch / 4 {
        (batch / 2).max(BATCH_MIN)
    } else {
        batch
    }
}

/// Unix datagrams: their senders are paths, which the batched call does not tell.
fn receive_singly(
    fd: &OwnedFd,
    state: &mut Datagrams,
    batch: &mut Vec<Datagram>,
    pool: &Pool,
) -> io::Result<bool> {
    let bytes_max = state.bytes_max as usize;
    for received in 0..SINGLE_MAX {
        let mut datagram = empty(pool, bytes_max);
        let (length, truncated, peer) =
            match sys::recv_from(fd, room_of(&mut datagram.payload, bytes_max)) {
                Ok(found) => found,
                Err(error) if received == 0 => return Err(error),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                // What came before it is handed over first.
                Err(error) => {
                    state.error = Some(Box::new(error));
                    return Ok(true);
                }
            };
        datagram.payload.advance_writer(length);
        datagram.truncated = truncated;
        datagram.peer = Some(unix::from_peer(peer));
        batch.push(datagram);
    }
    Ok(true)
}

fn empty(pool: &Pool, bytes_max: usize) -> Datagram {
    Datagram { peer: None, local: None, payload: pool.take(bytes_max), truncated: false }
}

/// Pooled buffers may be larger than asked for; the limit is what was asked.
fn room_of(buf: &mut ByteBuf, bytes_max: usize) -> &mut [u8] {
    let room = buf.spare_mut();
    let length = room.len().min(bytes_max);
    &mut room[..length]
}

/// Sends the front of `batch`, which are datagrams of UDP.
fn send_batch(fd: &OwnedFd, batch: &[Datagram]) -> io::Result<usize> {
    let batch = &batch[..batch.len().min(BATCH_MAX)];
    let mut out: [Outbound<'_>; BATCH_MAX] =
        std::array::from_fn(|_| Outbound { data: IoSlice::new(&[]), to: None });
    let mut filled = 0;
    for (slot, datagram) in out.iter_mut().zip(batch) {
        let to = match &datagram.peer {
            None => None,
            Some(Address::Inet(to)) => Some(*to),
            // Its turn comes, as the first of a batch.
            Some(_) if filled > 0 => break,
            Some(other) => return Err(wrong_family(other)),
        };
        *slot = Outbound { data: IoSlice::new(datagram.payload.as_slice()), to };
        filled += 1;
    }
    sys::send_mmsg(fd, &out[..filled])
}

fn send_one(fd: &OwnedFd, datagram: &Datagram) -> io::Result<()> {
    let to = match &datagram.peer {
        None => None,
        Some(Address::Inet(to)) => Some(PeerAddress::Inet(*to)),
        Some(Address::Unix(path)) => {
            Some(PeerAddress::Unix(path.as_deref().map(std::path::Path::to_path_buf)))
        }
        Some(other) => return Err(wrong_family(other)),
    };
    sys::send_to(fd, datagram.payload.as_slice(), to.as_ref())
}

/// The socket itself could take a datagram.
fn has_room(fd: &OwnedFd) -> bool {
    let mut asked = [PollFd::new(fd, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut asked, Some(&now)).is_ok()
        && asked[0].revents().contains(PollFlags::OUT)
}

fn datagram_kind(address: Option<&Address>) -> io::Result<Kind> {
    match address {
        Some(Address::Inet(address)) => Ok(Kind::Udp { v6: address.is_ipv6() }),
        Some(Address::Unix(_)) => Ok(Kind::UnixDatagram),
        Some(other) => Err(wrong_family(other)),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a datagram endpoint needs an address to bind or a peer",
        )),
    }
}

fn wrong_family(address: &Address) -> io::Error {
    let text = format!("the kernel transport cannot send datagrams to {address}");
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn no_datagrams() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "this is no datagram endpoint")
}

fn receiver_full() -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, "the receiver's queue is full")
}
