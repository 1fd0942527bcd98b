//! Opening connections: the local end by route and by chance (RFC 6056), ports that come back from
//! TIME-WAIT (RFC 6191).

use alloc::sync::Arc;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;

use super::Stack;
use super::error::StackError;
use super::ids::TcpId;
use crate::interface::egress::Look;
use crate::interface::net::Path;
use crate::interface::steer::Flow;
use crate::interface::tcp_table::{Place, Socket};
use crate::interface::tuple::FourTuple;
use crate::tcp::{Config, Connection, Initial, SeqNum};

/// How a connection is made.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// The local address and port; either may be unspecified.
    pub local: Option<SocketAddr>,
    /// The habits of the connection; those of the stack when `None`.
    pub config: Option<Arc<Config>>,
    /// The traffic class (DSCP) of its packets.
    pub traffic_class: u8,
    /// The TTL or hop limit of its packets; that of the stack when `None`.
    pub hop_limit: Option<u8>,
    /// Fast Open (RFC 7413): these bytes go with the SYN when the peer has given us a cookie, and
    /// first of all after the handshake otherwise. They may reach the peer's program twice.
    pub fast_open: Option<Bytes>,
}

/// How long a tuple rests at least before it carries a new connection: the timestamp clock must have
/// moved on.
const TIME_WAIT_MIN: Duration = Duration::from_secs(1);

/// Whether an address can be a peer's.
fn is_peer(remote: SocketAddr) -> bool {
    let ip = remote.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    remote.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

impl Stack {
    /// Opens a connection; [`Event::Connected`](crate::Event::Connected) or
    /// [`Event::Closed`](crate::Event::Closed) follows. What is written meanwhile is sent then.
    ///
    /// # Errors
    /// When the peer's address is of no use, no route leads there, the local address is none of
    /// ours or taken, or a limit is reached. [`OtherShard`](StackError::OtherShard) when the local
    /// port was chosen by the caller and another loop owns the connection it makes. `LimitReached`,
    /// too, when the first bytes are more than the send buffer takes.
    pub fn connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        options: ConnectOptions,
    ) -> Result<TcpId, StackError> {
        if !is_peer(remote) {
            return Err(StackError::InvalidAddress);
        }
        if self.tcp.sockets.len() >= self.net.config.limits.connections_max {
            return Err(StackError::LimitReached);
        }
        self.net.now = now;
        let tuple = self.choose_local(remote, options.local)?;
        let last = self.leave_time_wait(&tuple);
        let config = options.config.unwrap_or_else(|| Arc::clone(&self.tcp.config));
        let initial = self.initial(&tuple, self.created_after(now, &tuple, last));
        let connection = self.begin(now, remote, config, initial, options.fast_open)?;
        let hop_limit = options.hop_limit.unwrap_or_else(|| self.net.hop_limit(remote.ip()));
        let look = Look { hop_limit, traffic_class: options.traffic_class };
        let id = self.tcp.insert_socket(Socket::new(tuple, connection, look));
        self.touch(now, id);
        Ok(id)
    }

    /// How many bytes the next SYN to a peer can bring by Fast Open; `None` when it has given us no
    /// cookie.
    #[must_use]
    pub fn fast_open_bytes(&self, peer: IpAddr) -> Option<usize> {
        let headers = if peer.is_ipv4() { 40 } else { 60 };
        let path_mss = self.net.path_mtu(peer).saturating_sub(headers);
        self.tcp.fast_peers.room(self.net.now, peer, path_mss)
    }

    /// The connection of an active open, with what goes out first.
    fn begin(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        config: Arc<Config>,
        initial: Initial,
        first: Option<Bytes>,
    ) -> Result<Connection, StackError> {
        let Some(first) = first else { return Ok(Connection::connect(config, initial, now)) };
        let mut new = match self.tcp.fast_peers.look(now, remote.ip()) {
            Some(fast) => Connection::connect_fast(config, initial, fast, now),
            None => Connection::connect(config, initial, now),
        };
        let len = first.len();
        if new.write(first, now) < len { Err(StackError::LimitReached) } else { Ok(new) }
    }

    /// The local end towards a peer: what was asked for, or by route and by chance.
    fn choose_local(
        &mut self,
        remote: SocketAddr,
        local: Option<SocketAddr>,
    ) -> Result<FourTuple, StackError> {
        let asked = local.map(|local| local.ip()).filter(|ip| !ip.is_unspecified());
        if asked.is_some_and(|ip| ip.is_ipv4() != remote.is_ipv4()) {
            return Err(StackError::InvalidAddress);
        }
        if asked.is_some_and(|ip| !self.net.accepts(ip)) {
            return Err(StackError::AddressNotAvailable);
        }
        let Some(path) = self.net.path(remote.ip()) else {
            return Err(StackError::Unreachable);
        };
        // What never leaves the host never comes back through the wrong loop.
        let shard = self.net.config.shard.clone().filter(|_| path != Path::Loopback);
        let ip = asked.or_else(|| self.net.source_for(remote.ip()));
        let ip = ip.ok_or(StackError::Unreachable)?;
        if let Some(port) = local.map(|local| local.port()).filter(|port| *port != 0) {
            let tuple = FourTuple::new((ip, port).into(), remote);
            if let Some(shard) = shard.filter(|shard| !shard.owns(&Flow::Tcp(tuple))) {
                return Err(StackError::OtherShard(shard.shards().owner_of_tuple(&tuple)));
            }
            let free = self.tcp.lookup(&tuple).is_none() || self.is_reusable(&tuple);
            return if free { Ok(tuple) } else { Err(StackError::AddressInUse) };
        }
        let with = |port| FourTuple::new((ip, port).into(), remote);
        let hash = with(0).secret_hash(&self.net.secrets.port);
        let owned = |tuple| shard.as_ref().is_none_or(|shard| shard.owns(&Flow::Tcp(tuple)));
        // The ports are borrowed while the table is asked about each of them.
        let mut ports = self.tcp.ports.take();
        let fresh = |port| !owned(with(port)) || self.tcp.is_taken(&with(port));
        let spent = |port| !owned(with(port)) || !self.is_reusable(&with(port));
        let port = ports.select(hash, fresh).or_else(|| ports.select(hash, spent));
        self.tcp.ports = ports;
        port.map(with).ok_or(StackError::NoPorts)
    }

    /// Whether a tuple in TIME-WAIT may carry a new connection of ours: the peer can tell its
    /// segments from old ones by their timestamps, which have moved on (RFC 6191).
    fn is_reusable(&self, tuple: &FourTuple) -> bool {
        let Some(Place::TimeWait(index)) = self.tcp.lookup(tuple) else { return false };
        let old = self.tcp.waits.expires(index).is_some_and(|expires| {
            self.net.now + self.net.config.tcp.time_wait >= expires + TIME_WAIT_MIN
        });
        let stamped = self.tcp.waits.at(index).is_some_and(|it| it.timestamp.is_some());
        old && stamped && self.net.config.tcp.time_wait_reuse
    }

    /// Ends the TIME-WAIT of a tuple; says the last number it used.
    fn leave_time_wait(&mut self, tuple: &FourTuple) -> Option<SeqNum> {
        let Some(Place::TimeWait(index)) = self.tcp.lookup(tuple) else { return None };
        self.net.counters.time_waits_reused += 1;
        self.tcp.remove_wait(index).map(|remains| remains.snd_nxt)
    }
}
