//! Socket options: which of them the stack has, and what they are called there. The others are
//! refused, never ignored.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fyke_core::{Keepalive, SocketOptions};
use fyke_stack::tcp::{Config, ConnectionOption, KeepAlive};
use fyke_stack::{ConnectOptions, ListenOptions, UdpOptions};

use super::error::invalid;

/// Different sets of habits whose configurations are remembered at most.
const HABITS_MAX: usize = 16;

/// The options that a TCP connection has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Habits {
    nodelay: bool,
    keepalive: Option<KeepAlive>,
    reset_on_close: bool,
    send_buffer_bytes: Option<u32>,
    receive_buffer_bytes: Option<u32>,
    user_timeout: Option<Duration>,
    quick_ack: Option<bool>,
    traffic_class: u8,
    hop_limit: Option<u8>,
}

impl Habits {
    /// What `options` ask of a connection.
    pub(super) fn of(options: &SocketOptions) -> io::Result<Self> {
        refuse(
            "TCP over the userspace stack",
            &[
                ("reuse_port", options.reuse_port),
                ("broadcast", options.broadcast),
                ("multicast_loop", options.multicast_loop.is_some()),
                ("multicast_ttl", options.multicast_ttl.is_some()),
                ("zero_copy", options.zero_copy.is_some()),
            ],
        )?;
        if options.linger.is_some_and(|linger| !linger.is_zero()) {
            return Err(invalid(
                "the option linger is zero for the userspace stack or not set: see close_linger",
            ));
        }
        Ok(Self {
            nodelay: options.nodelay,
            keepalive: options.keepalive.map(keep_alive).transpose()?,
            reset_on_close: options.linger.is_some(),
            send_buffer_bytes: bytes("send_buffer_bytes", options.send_buffer_bytes)?,
            receive_buffer_bytes: bytes("recv_buffer_bytes", options.recv_buffer_bytes)?,
            user_timeout: options.user_timeout.filter(|timeout| !timeout.is_zero()),
            quick_ack: options.quick_ack,
            traffic_class: octet("tos", options.tos)?.unwrap_or(0),
            hop_limit: hop_limit("ttl", options.ttl)?,
        })
    }

    fn config(&self, base: &Config) -> Config {
        let mut config = base.clone();
        config.nagle = !self.nodelay;
        config.keep_alive = self.keepalive.or(config.keep_alive);
        config.reset_on_close |= self.reset_on_close;
        if let Some(bytes) = self.send_buffer_bytes {
            (config.send_buffer_bytes, config.send_buffer_bytes_max) = (bytes, bytes);
        }
        if let Some(bytes) = self.receive_buffer_bytes {
            (config.receive_buffer_bytes, config.receive_buffer_bytes_max) = (bytes, bytes);
        }
        config.user_timeout = self.user_timeout.or(config.user_timeout);
        config
    }

    /// Whether acknowledgements are asked for at once, or not; each connection is told.
    pub(super) fn quick_ack(&self) -> Option<ConnectionOption> {
        self.quick_ack.map(ConnectionOption::QuickAck)
    }

    /// What a connection whose listener had the habits `had` has to be told to have these.
    pub(super) fn changes(&self, had: &Self) -> impl Iterator<Item = ConnectionOption> {
        let none = |same: bool, option| (!same).then_some(option);
        let buffer = |now: Option<u32>, had: Option<u32>| now.filter(|_| now != had);
        [
            none(self.nodelay == had.nodelay, ConnectionOption::NoDelay(self.nodelay)),
            none(self.keepalive == had.keepalive, ConnectionOption::KeepAlive(self.keepalive)),
            none(
                self.reset_on_close == had.reset_on_close,
                ConnectionOption::ResetOnClose(self.reset_on_close),
            ),
            none(
                self.user_timeout == had.user_timeout,
                ConnectionOption::UserTimeout(self.user_timeout),
            ),
            buffer(self.send_buffer_bytes, had.send_buffer_bytes)
                .map(ConnectionOption::SendBufferBytes),
            buffer(self.receive_buffer_bytes, had.receive_buffer_bytes)
                .map(ConnectionOption::ReceiveBufferBytes),
            self.quick_ack(),
        ]
        .into_iter()
        .flatten()
    }

    /// The traffic class, when it is not the one of the listener.
    pub(super) fn new_traffic_class(&self, had: &Self) -> Option<u8> {
        (self.traffic_class != had.traffic_class).then_some(self.traffic_class)
    }

    /// The hop limit, when it is not the one of the listener.
    pub(super) fn new_hop_limit(&self, had: &Self) -> Option<u8> {
        self.hop_limit.filter(|_| self.hop_limit != had.hop_limit)
    }
}

/// Configurations by habits, so that connections of the same options share one.
#[derive(Debug)]
pub(super) struct Configs {
    base: Config,
    known: Vec<(Habits, Arc<Config>)>,
}

impl Configs {
    pub(super) fn new(base: Config) -> Self {
        Self { base, known: Vec::new() }
    }

    fn config(&mut self, habits: &Habits) -> Arc<Config> {
        if let Some((_, config)) = self.known.iter().find(|(known, _)| known == habits) {
            return Arc::clone(config);
        }
        let config = Arc::new(habits.config(&self.base));
        if self.known.len() == HABITS_MAX {
            self.known.remove(0);
        }
        self.known.push((*habits, Arc::clone(&config)));
        config
    }

    pub(super) fn connect(&mut self, habits: &Habits) -> ConnectOptions {
        let mut connect = ConnectOptions::default();
        connect.config = Some(self.config(habits));
        connect.traffic_class = habits.traffic_class;
        connect.hop_limit = habits.hop_limit;
        connect
    }

    pub(super) fn listen(&mut self, habits: &Habits, options: &SocketOptions) -> ListenOptions {
        let mut listen = ListenOptions::default();
        listen.backlog = usize::try_from(options.backlog).unwrap_or(usize::MAX);
        listen.config = Some(self.config(habits));
        listen.traffic_class = habits.traffic_class;
        listen.hop_limit = habits.hop_limit;
        listen.ipv6_only = options.only_v6.unwrap_or(false);
        listen
    }
}

/// What `options` ask of a datagram endpoint.
pub(super) fn udp(options: &SocketOptions) -> io::Result<UdpOptions> {
    refuse(
        "UDP over the userspace stack",
        &[
            ("keepalive", options.keepalive.is_some()),
            ("linger", options.linger.is_some()),
            ("user_timeout", options.user_timeout.is_some()),
            ("quick_ack", options.quick_ack.is_some()),
            ("reuse_port", options.reuse_port),
            ("send_buffer_bytes", options.send_buffer_bytes.is_some()),
            ("zero_copy", options.zero_copy.is_some()),
        ],
    )?;
    let mut udp = UdpOptions::default();
    udp.hop_limit = hop_limit("ttl", options.ttl)?;
    if let Some(limit) = octet("multicast_ttl", options.multicast_ttl)? {
        udp.multicast_hop_limit = limit;
    }
    udp.multicast_loop = options.multicast_loop.unwrap_or(udp.multicast_loop);
    udp.traffic_class = octet("tos", options.tos)?.unwrap_or(0);
    udp.broadcast = options.broadcast;
    udp.receive_bytes_max = options.recv_buffer_bytes;
    udp.ipv6_only = options.only_v6.unwrap_or(false);
    Ok(udp)
}

/// Refuses `only_v6` where there is no IPv6.
pub(super) fn check_family(options: &SocketOptions, v6: bool) -> io::Result<()> {
    refuse("IPv4", &[("only_v6", options.only_v6.is_some() && !v6)])
}

fn refuse(whom: &str, table: &[(&str, bool)]) -> io::Result<()> {
    match table.iter().find(|(_, asked)| *asked) {
        None => Ok(()),
        Some((name, _)) => Err(invalid(format!("the option {name} does not exist for {whom}"))),
    }
}

fn keep_alive(keepalive: Keepalive) -> io::Result<KeepAlive> {
    let Keepalive { idle, interval, count } = keepalive;
    match u8::try_from(count) {
        Ok(probes) if probes > 0 && !idle.is_zero() && !interval.is_zero() => {
            Ok(KeepAlive { idle, interval, probes })
        }
        _ => Err(invalid("keepalive: the times are more than zero and the probes 1 to 255")),
    }
}

fn octet(name: &str, value: Option<u32>) -> io::Result<Option<u8>> {
    let octet = |value| u8::try_from(value).map_err(|_| out_of_range(name, value, 0));
    value.map(octet).transpose()
}

fn hop_limit(name: &str, value: Option<u32>) -> io::Result<Option<u8>> {
    match octet(name, value)? {
        Some(0) => Err(out_of_range(name, 0, 1)),
        limit => Ok(limit),
    }
}

fn out_of_range(name: &str, value: u32, least: u8) -> io::Error {
    invalid(format!("the option {name} is {value}, but {least} to 255 is what there is"))
}

fn bytes(name: &str, value: Option<usize>) -> io::Result<Option<u32>> {
    let count = |value: usize| match u32::try_from(value) {
        Ok(bytes) if bytes <= 1 << 30 => Ok(bytes.max(BUFFER_BYTES_MIN)),
        _ => Err(invalid(format!("{name} is {value}, the limit is 1 GiB"))),
    };
    value.map(count).transpose()
}

/// The kernel, too, gives no less than a few segments.
const BUFFER_BYTES_MIN: u32 = 4096;
