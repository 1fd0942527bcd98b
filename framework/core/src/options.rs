//! Options of channels: what the socket is asked for, and how the channel behaves.

use std::time::Duration;

use crate::address::Address;

/// TCP keep-alive: after `idle`, a probe every `interval`, dead after `count` without answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Between probes.
    pub interval: Duration,
    /// Probes before the peer is given up.
    pub count: u32,
}

/// Sending from where the bytes lie instead of copying them into the socket (`MSG_ZEROCOPY`).
///
/// It pays for large writes to a network card: a page that is pinned and reported costs more than a few
/// kilobytes copied. Where the kernel copies nevertheless, as it does on loopback, a channel notices and
/// stops asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ZeroCopy {
    /// Writes of at least so many bytes are sent so (16 KiB); smaller ones are copied.
    pub bytes_min: usize,
    /// Goes on even when the kernel reports that it copied. For measuring; off by default.
    pub forced: bool,
}

impl Default for ZeroCopy {
    fn default() -> Self {
        Self { bytes_min: 16 * 1024, forced: false }
    }
}

/// What a transport's endpoint is asked for. An option that is asked for and that the transport or
/// the kind of socket does not have is refused with an error when the socket is made, never
/// ignored; what is left at its default is not asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SocketOptions {
    /// `TCP_NODELAY`: small writes leave at once. On by default, as the loop gathers writes itself.
    pub nodelay: bool,
    /// `SO_KEEPALIVE` and its three timings.
    pub keepalive: Option<Keepalive>,
    /// `SO_LINGER` of the kernel. With a time it makes closing wait, and the whole loop with it;
    /// [`ChannelOptions::close_linger`] does not. None by default.
    pub linger: Option<Duration>,
    /// `SO_REUSEADDR` of listeners, so that a server can be restarted; it does not allow two
    /// servers on one port. Of datagram endpoints only those of multicast groups get it. On by
    /// default.
    pub reuse_address: bool,
    /// `SO_REUSEPORT`: several sockets on one port. Off by default.
    pub reuse_port: bool,
    /// How many connections may wait to be accepted (4096; the kernel has a limit of its own).
    pub backlog: u32,
    /// `SO_SNDBUF` in bytes. None, here and below, leaves the system's default.
    pub send_buffer_bytes: Option<usize>,
    /// `SO_RCVBUF` in bytes.
    pub recv_buffer_bytes: Option<usize>,
    /// `IP_TOS` or `IPV6_TCLASS`.
    pub tos: Option<u32>,
    /// `IP_TTL` or `IPV6_UNICAST_HOPS`.
    pub ttl: Option<u32>,
    /// `TCP_USER_TIMEOUT`: how long written bytes may stay unacknowledged.
    pub user_timeout: Option<Duration>,
    /// `TCP_QUICKACK`.
    pub quick_ack: Option<bool>,
    /// `IPV6_V6ONLY`; `Some(false)` is dual stack.
    pub only_v6: Option<bool>,
    /// `SO_BROADCAST`. Off by default.
    pub broadcast: bool,
    /// `IP_MULTICAST_LOOP`.
    pub multicast_loop: Option<bool>,
    /// `IP_MULTICAST_TTL`.
    pub multicast_ttl: Option<u32>,
    /// `MSG_ZEROCOPY` of large writes. None (the default) copies all.
    pub zero_copy: Option<ZeroCopy>,
    /// The local address that a connection is made from.
    pub local_address: Option<Address>,
    /// Largest datagram in bytes that is received whole (2048); longer ones are cut and say so, see
    /// [`Datagram::truncated`](crate::Datagram::truncated).
    pub datagram_bytes_max: usize,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            nodelay: true,
            keepalive: None,
            linger: None,
            reuse_address: true,
            reuse_port: false,
            backlog: 4096,
            send_buffer_bytes: None,
            recv_buffer_bytes: None,
            tos: None,
            ttl: None,
            user_timeout: None,
            quick_ack: None,
            only_v6: None,
            broadcast: false,
            multicast_loop: None,
            multicast_ttl: None,
            zero_copy: None,
            local_address: None,
            datagram_bytes_max: 2048,
        }
    }
}

/// How a channel behaves, and what its socket is asked for. Shared by all channels of a bootstrap.
///
/// ```
/// use std::time::Duration;
///
/// use fyke_core::{ChannelOptions, SocketOptions};
///
/// let options = ChannelOptions::new()
///     .water_marks(16 * 1024, 64 * 1024)
///     .connect_timeout(Duration::from_secs(5))
///     .socket(SocketOptions::new().backlog(128));
/// assert_eq!(options.high_water_mark, 64 * 1024);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ChannelOptions {
    /// For the transport.
    pub socket: SocketOptions,
    /// Below so many outbound bytes a channel becomes writable again (32 KiB).
    pub low_water_mark: usize,
    /// Above so many outbound bytes a channel is not writable (64 KiB).
    pub high_water_mark: usize,
    /// A write that would take the outbound bytes beyond this fails and closes the channel
    /// (64 MiB): memory does not grow for a peer that does not read. Pieces of files take none and
    /// do not count.
    pub outbound_bytes_max: usize,
    /// A channel that is not writable reads nothing until it is again. On by default: a slow
    /// reader stops its own input instead of filling the server's memory.
    pub pause_when_unwritable: bool,
    /// Whether the channel reads without being asked. On by default.
    pub auto_read: bool,
    /// Whether the peer's end of stream leaves our direction open. Off by default: when all that
    /// was received has been handled and all that was written is sent, the channel closes.
    pub allow_half_closure: bool,
    /// Bytes that one channel may read in one turn of the loop (256 KiB); then others have theirs.
    pub read_bytes_per_turn: usize,
    /// Smallest read in bytes (1 KiB). Reads grow and shrink with what arrives.
    pub read_bytes_min: usize,
    /// Largest read in bytes (64 KiB).
    pub read_bytes_max: usize,
    /// A connect that takes longer fails (30 s).
    pub connect_timeout: Duration,
    /// When we close first: how long the peer's remaining bytes are read and dropped, so that a
    /// reset does not destroy our last answer on its way (2 s). Zero closes at once.
    pub close_linger: Duration,
    /// When the channel closes: how long the peer may take nothing of what is still to be sent
    /// (30 s).
    pub close_timeout: Duration,
    /// Sends what was written at the end of the channel's turn. On by default; off, it leaves at
    /// `flush()` only.
    pub auto_flush: bool,
    /// How many bytes are dropped while lingering at most (1 MiB).
    pub close_linger_bytes_max: usize,
    /// Whether the channel has a [`tracing`] span in which its handlers, its offloaded work and the
    /// futures that its handlers spawn run, so that what they log says which connection it is
    /// about. On by default, and next to free while nobody collects spans of level `DEBUG` and
    /// target `fyke::channel`, which is looked at when a channel begins. The span is called
    /// `channel` and has the fields `id`, `transport`, `local` and `peer`, and from the end on
    /// `bytes_in`, `bytes_out` and `reason`.
    pub span: bool,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self {
            socket: SocketOptions::default(),
            low_water_mark: 32 * 1024,
            high_water_mark: 64 * 1024,
            outbound_bytes_max: 64 * 1024 * 1024,
            pause_when_unwritable: true,
            auto_read: true,
            allow_half_closure: false,
            read_bytes_per_turn: 256 * 1024,
            read_bytes_min: 1024,
            read_bytes_max: 64 * 1024,
            connect_timeout: Duration::from_secs(30),
            close_linger: Duration::from_secs(2),
            close_timeout: Duration::from_secs(30),
            auto_flush: true,
            close_linger_bytes_max: 1024 * 1024,
            span: true,
        }
    }
}

macro_rules! setters {
    ($type:ty { $($(#[$doc:meta])* $name:ident : $field:ty),* $(,)? }) => {
        impl $type {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(mut self, value: $field) -> Self {
                self.$name = value;
                self
            })*
        }
    };
}

setters!(ChannelOptions {
    /// Sets [`Self::socket`].
    socket: SocketOptions,
    /// Sets [`Self::outbound_bytes_max`].
    outbound_bytes_max: usize,
    /// Sets [`Self::pause_when_unwritable`].
    pause_when_unwritable: bool,
    /// Sets [`Self::auto_read`].
    auto_read: bool,
    /// Sets [`Self::allow_half_closure`].
    allow_half_closure: bool,
    /// Sets [`Self::read_bytes_per_turn`].
    read_bytes_per_turn: usize,
    /// Sets [`Self::read_bytes_min`].
    read_bytes_min: usize,
    /// Sets [`Self::read_bytes_max`].
    read_bytes_max: usize,
    /// Sets [`Self::connect_timeout`].
    connect_timeout: Duration,
    /// Sets [`Self::close_linger`].
    close_linger: Duration,
    /// Sets [`Self::close_linger_bytes_max`].
    close_linger_bytes_max: usize,
    /// Sets [`Self::close_timeout`].
    close_timeout: Duration,
    /// Sets [`Self::auto_flush`].
    auto_flush: bool,
    /// Sets [`Self::span`].
    span: bool,
});

setters!(SocketOptions {
    /// Sets [`Self::nodelay`].
    nodelay: bool,
    /// Sets [`Self::keepalive`].
    keepalive: Option<Keepalive>,
    /// Sets [`Self::linger`].
    linger: Option<Duration>,
    /// Sets [`Self::reuse_address`].
    reuse_address: bool,
    /// Sets [`Self::reuse_port`].
    reuse_port: bool,
    /// Sets [`Self::backlog`].
    backlog: u32,
    /// Sets [`Self::send_buffer_bytes`].
    send_buffer_bytes: Option<usize>,
    /// Sets [`Self::recv_buffer_bytes`].
    recv_buffer_bytes: Option<usize>,
    /// Sets [`Self::tos`].
    tos: Option<u32>,
    /// Sets [`Self::ttl`].
    ttl: Option<u32>,
    /// Sets [`Self::user_timeout`].
    user_timeout: Option<Duration>,
    /// Sets [`Self::quick_ack`].
    quick_ack: Option<bool>,
    /// Sets [`Self::only_v6`].
    only_v6: Option<bool>,
    /// Sets [`Self::broadcast`].
    broadcast: bool,
    /// Sets [`Self::multicast_loop`].
    multicast_loop: Option<bool>,
    /// Sets [`Self::multicast_ttl`].
    multicast_ttl: Option<u32>,
    /// Sets [`Self::zero_copy`].
    zero_copy: Option<ZeroCopy>,
    /// Sets [`Self::local_address`].
    local_address: Option<Address>,
    /// Sets [`Self::datagram_bytes_max`].
    datagram_bytes_max: usize,
});

impl ChannelOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets both water marks, in bytes.
    ///
    /// # Panics
    /// When `low > high`.
    #[must_use]
    pub fn water_marks(mut self, low: usize, high: usize) -> Self {
        assert!(low <= high, "the low water mark {low} is above the high one {high}");
        self.low_water_mark = low;
        self.high_water_mark = high;
        self
    }
}

impl SocketOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}
