//! What a descriptor stands for.

use std::net::SocketAddr;
use std::time::Duration;

use fyke_stack::tcp::{CloseReason, ConnectionOption, KeepAlive};
use fyke_stack::{ListenerId, TcpId};

use super::super::cookies::Key;
use super::super::settings::{self, Settings};
use super::super::system::System;
use super::Errno;
use super::Source;
use super::notices::Notices;
use super::poll::Epoll;

/// What a descriptor stands for.
#[derive(Debug)]
pub(crate) enum File {
    Socket(Box<Socket>),
    Epoll(Epoll),
    Source(Source),
}

/// A TCP socket.
#[derive(Debug, Default)]
pub(crate) struct Socket {
    pub(crate) place: Place,
    pub(crate) nonblocking: bool,
    pub(super) options: Options,
    /// The end of the connection was told to the application.
    pub(super) told: bool,
    /// A connect was answered with success.
    pub(super) connected: bool,
    /// A connect was answered, and waits for data to go with its SYN.
    pub(super) deferred: Option<SocketAddr>,
    /// Connections that may wait to be accepted.
    pub(super) backlog: usize,
    /// Bytes read so far.
    pub(super) received: u32,
    pub(super) read_shut: bool,
    pub(super) write_shut: bool,
    /// The last write said that more follows.
    pub(super) more: bool,
    /// The error queue.
    pub(super) notices: Notices,
}

/// Where a socket is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// It was made.
    #[default]
    Fresh,
    /// It has an address.
    Bound(SocketAddr),
    /// It listens.
    Listening(ListenerId, SocketAddr),
    /// It has a connection, or had one.
    Tcp(TcpId),
}

/// Options a socket was given, for the connection it may get.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) no_delay: Option<bool>,
    pub(super) cork: Option<bool>,
    pub(super) quick_ack: Option<bool>,
    pub(super) reuse: Option<bool>,
    pub(super) keep_alive: bool,
    pub(super) keep_idle: Option<Duration>,
    pub(super) keep_interval: Option<Duration>,
    pub(super) keep_count: Option<u8>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) user_timeout: Option<Duration>,
    pub(super) segment_max: Option<u16>,
    pub(super) send_buffer: Option<u32>,
    pub(super) receive_buffer: Option<u32>,
    pub(super) not_sent_low_water: Option<u32>,
    pub(super) syn_retries: Option<u8>,
    pub(super) linger: Option<Duration>,
    pub(super) traffic_class: u8,
    pub(super) hop_limit: Option<u8>,
    pub(super) congestion: Option<String>,
    pub(super) defer_accept: bool,
    pub(super) no_options: bool,
    /// Data opens the connection (FreeBSD).
    pub(super) fast_open: bool,
    /// MSG_ZEROCOPY counts (SO_ZEROCOPY).
    pub(super) zero_copy: bool,
    /// The bits of SO_TIMESTAMPING.
    pub(super) timestamping: i64,
    /// Connections a listener opens fast (Linux).
    pub(super) fast_open_queue: Option<usize>,
    /// The first write opens the connection (Linux).
    pub(super) fast_open_connect: bool,
    /// Keys of the listener's own.
    pub(super) fast_open_keys: Vec<Key>,
}

impl Options {
    /// When and how often the socket probes, by its own options or the system's settings.
    pub(super) fn probing(&self, settings: &Settings) -> KeepAlive {
        KeepAlive {
            idle: self.keep_idle.unwrap_or(settings.keep_alive.idle),
            interval: self.keep_interval.unwrap_or(settings.keep_alive.interval),
            probes: self.keep_count.unwrap_or(settings.keep_alive.probes),
        }
    }

    /// The habits of a connection: the system's settings with the socket's options.
    pub(super) fn config(&self, settings: &Settings) -> fyke_stack::tcp::Config {
        let mut config = settings.stack.tcp.clone();
        if let Some(mss) = self.segment_max {
            config.mss_max = mss;
        }
        if self.no_options {
            config.plain_syn = true;
            config.timestamps = false;
            config.sack = false;
            config.window_scaling = false;
        }
        if let Some(limit) = self.connect_timeout {
            config.syn_timeout = Some(limit);
        }
        if let Some(bytes) = self.receive_room(settings.system) {
            config.receive_buffer_bytes = bytes;
            if settings.system == System::Linux {
                // A size that was asked for does not grow, and the window scale follows from it.
                config.receive_buffer_bytes_max = bytes;
            }
        }
        if let Some(bytes) = self.send_buffer {
            config.send_buffer_bytes = bytes;
            config.send_buffer_bytes_max = bytes;
        }
        if let Some(bytes) = self.not_sent_low_water {
            config.not_sent_low_water_bytes = bytes;
        }
        if let Some(retries) = self.syn_retries {
            config.syn_retries = retries;
        }
        if let Some(algorithm) = self.congestion.as_deref().and_then(settings::algorithm) {
            config.congestion.algorithm = algorithm;
        }
        config.nagle &= !self.no_delay.unwrap_or(false);
        config.user_timeout = self.user_timeout.or(config.user_timeout);
        config.keep_alive = self.keep_alive.then(|| self.probing(settings));
        config.reset_on_close = self.linger == Some(Duration::ZERO);
        config
    }

    /// What a receive buffer of the asked size holds: Linux counts in it what it adds to the bytes
    /// itself, and offers half of it as a window.
    pub(super) fn receive_room(&self, system: System) -> Option<u32> {
        let share = if system == System::Linux { 2 } else { 1 };
        self.receive_buffer.map(|bytes| bytes / share)
    }

    /// What cannot be said in the habits and is said to each connection.
    pub(super) fn late(&self) -> Vec<ConnectionOption> {
        let cork = self.cork.map(ConnectionOption::Cork);
        let quick_ack = self.quick_ack.map(ConnectionOption::QuickAck);
        cork.into_iter().chain(quick_ack).collect()
    }
}

/// The error that stands for the end of a connection; none when it ended in order.
pub(super) fn errno(reason: CloseReason, system: System) -> Option<Errno> {
    Some(match reason {
        CloseReason::Finished | CloseReason::FinWait2Timeout => return None,
        CloseReason::Aborted | CloseReason::ClosedWithUnreadData => return None,
        CloseReason::Reset => "ECONNRESET",
        CloseReason::Refused => "ECONNREFUSED",
        CloseReason::TimedOut | CloseReason::UserTimeout | CloseReason::KeepAliveTimeout => {
            "ETIMEDOUT"
        }
        CloseReason::Unreachable => "EHOSTUNREACH",
        CloseReason::PortUnreachable => "ECONNREFUSED",
        CloseReason::OutOfMemory => "ENOMEM",
        _ if system == System::Linux => "EPROTO",
        _ => "ECONNABORTED",
    })
}
