//! Heartbeats of protocols that have none of their own, and of TCP.

use std::time::Duration;

use bytes::Bytes;
use fyke_buffer::ByteBuf;

use super::{Beat, HeartbeatCodec};
use crate::address::Address;
use crate::options::Keepalive;
use crate::outgoing::Datagram;

/// Pings and pongs as frames of a given content: for length-prefixed frames, lines and whatever
/// else cuts bytes into messages of type [`ByteBuf`].
///
/// Both sides use the same two contents and may both ask. Frames of these contents never reach the
/// application. [`HeartbeatHandler`](super::HeartbeatHandler) has an example.
#[derive(Clone, Debug)]
#[must_use]
pub struct PayloadHeartbeat {
    ping: Bytes,
    pong: Bytes,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// Ping and pong differ.
    Both,
    /// They are the same, and this side asks.
    Asks,
    /// They are the same, and this side answers.
    Answers,
}

impl PayloadHeartbeat {
    /// Frames with these contents.
    ///
    /// # Panics
    /// When they are the same: two that answer the same frame with it would never stop. Use
    /// [`empty_asking`](Self::empty_asking) and [`empty_answering`](Self::empty_answering).
    pub fn new(ping: impl Into<Bytes>, pong: impl Into<Bytes>) -> Self {
        let (ping, pong) = (ping.into(), pong.into());
        assert_ne!(ping, pong, "a ping and its pong must differ");
        Self { ping, pong, role: Role::Both }
    }

    /// Empty frames both, at the side that asks (the client, as a rule): one that arrives is an
    /// answer.
    pub const fn empty_asking() -> Self {
        Self { ping: Bytes::new(), pong: Bytes::new(), role: Role::Asks }
    }

    /// Empty frames both, at the side that answers. It must not ask: its configuration is
    /// [`HeartbeatConfig::answer_only`](super::HeartbeatConfig::answer_only).
    pub const fn empty_answering() -> Self {
        Self { ping: Bytes::new(), pong: Bytes::new(), role: Role::Answers }
    }

    fn beat_of(&self, content: &[u8]) -> Beat {
        if content == self.pong && self.role != Role::Answers {
            Beat::Pong
        } else if content == self.ping && self.role != Role::Asks {
            Beat::Ping
        } else {
            Beat::Data
        }
    }
}

impl HeartbeatCodec for PayloadHeartbeat {
    type Read = ByteBuf;
    type Write = ByteBuf;

    fn ping(&mut self, _: u64) -> ByteBuf {
        self.ping[..].into()
    }

    #[inline]
    fn beat(&mut self, message: &ByteBuf) -> Beat {
        self.beat_of(message)
    }

    fn pong(&mut self, _: ByteBuf) -> Option<ByteBuf> {
        Some(self.pong[..].into())
    }
}

/// Pings and pongs as datagrams.
///
/// A ping may end with `@` and a number of milliseconds: its pong is sent after that time. So an
/// adaptive interval is learned: a client's own packets make a new mapping where a NAT box has lost
/// the old one, mostly with the same port, and what the server sent meanwhile is gone unseen; only
/// a pong that comes by itself after a silence proves that the mapping has survived it. A pong ends
/// with the address at which its sender sees the asker, in text, so that a client notices another
/// port, too.
///
/// The asker's endpoint is connected to its peer (`connect_datagram` of the bootstrap); the
/// answering one may serve many.
#[derive(Clone, Debug)]
#[must_use]
pub struct DatagramHeartbeat {
    ping: Bytes,
    pong: Bytes,
}

/// A pong's address in text is no longer than this.
const ADDRESS_BYTES_MAX: usize = 64;

/// More than a century.
const MILLISECOND_DIGITS_MAX: usize = 13;

impl DatagramHeartbeat {
    /// Datagrams that are `ping`, and such that begin with `pong`.
    ///
    /// # Panics
    /// When one begins like the other, and might be taken for it.
    pub fn new(ping: impl Into<Bytes>, pong: impl Into<Bytes>) -> Self {
        let (ping, pong) = (ping.into(), pong.into());
        assert!(!ping.starts_with(&pong), "a ping must not begin like a pong");
        assert!(!pong.starts_with(&ping), "a pong must not begin like a ping");
        Self { ping, pong }
    }
}

impl HeartbeatCodec for DatagramHeartbeat {
    type Read = Datagram;
    type Write = Datagram;

    const ASKS_LATE: bool = true;

    fn ping(&mut self, _: u64) -> Datagram {
        Datagram::connected(&self.ping[..])
    }

    fn late_ping(&mut self, _: u64, after: Duration) -> Option<Datagram> {
        let mut payload = ByteBuf::with_capacity(self.ping.len() + 1 + MILLISECOND_DIGITS_MAX);
        payload.write_slice(&self.ping);
        payload.write_slice(format!("@{}", after.as_millis()).as_bytes());
        Some(Datagram { peer: None, local: None, payload, truncated: false })
    }

    fn beat(&mut self, message: &Datagram) -> Beat {
        let content = message.payload.as_slice();
        if let Some(rest) = content.strip_prefix(&self.ping[..]) {
            return match rest.strip_prefix(b"@").and_then(milliseconds) {
                Some(after) => Beat::PingLater(after),
                None if rest.is_empty() => Beat::Ping,
                None => Beat::Data,
            };
        }
        match content.strip_prefix(&self.pong[..]) {
            Some([]) => Beat::Pong,
            Some(seen_as) if seen_as.len() <= ADDRESS_BYTES_MAX => Beat::PongSeenAs(fnv(seen_as)),
            _ => Beat::Data,
        }
    }

    fn pong(&mut self, ping: Datagram) -> Option<Datagram> {
        let mut payload = ByteBuf::with_capacity(self.pong.len() + ADDRESS_BYTES_MAX);
        payload.write_slice(&self.pong);
        if let Some(Address::Inet(seen_as)) = &ping.peer {
            payload.write_slice(seen_as.to_string().as_bytes());
        }
        Some(Datagram { peer: ping.peer, local: ping.local, payload, truncated: false })
    }
}

fn milliseconds(digits: &[u8]) -> Option<Duration> {
    let fits = (1..=MILLISECOND_DIGITS_MAX).contains(&digits.len());
    if !fits || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0, |all, digit| all * 10 + u64::from(digit - b'0'));
    Some(Duration::from_millis(number))
}

/// FNV-1a: tells addresses apart, and protects nobody from anything.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// TCP's own heartbeat (RFC 9293 section 3.8.4), for [`SocketOptions::keepalive`]: the first probe
/// after `interval` of silence, further ones as far apart, and the connection fails with a time-out
/// after `misses` unanswered ones. That is within `(misses + 1) x interval`, too.
///
/// The kernel and our own stack send the probes; no handler is needed and no message is made. It
/// keeps a NAT's mapping alive, but what it asks is the peer's TCP: an application that hangs
/// answers. Bytes that are on their way are not watched by it but by
/// [`SocketOptions::user_timeout`]; set both. Kernels count in whole seconds: shorter intervals are
/// one second.
///
/// ```
/// use std::time::Duration;
///
/// use fyke_core::handlers::tcp_keepalive;
/// use fyke_core::{ChannelOptions, SocketOptions};
///
/// let interval = Duration::from_secs(45);
/// let socket = SocketOptions::new()
///     .keepalive(Some(tcp_keepalive(interval, 3)))
///     .user_timeout(Some(interval * 4));
/// let options = ChannelOptions::new().socket(socket);
/// # let _ = options;
/// ```
///
/// [`SocketOptions::keepalive`]: crate::SocketOptions::keepalive
/// [`SocketOptions::user_timeout`]: crate::SocketOptions::user_timeout
#[must_use]
pub fn tcp_keepalive(interval: Duration, misses: u32) -> Keepalive {
    let interval = interval.max(Duration::from_secs(1));
    Keepalive { idle: interval, interval, count: misses.max(1) }
}
