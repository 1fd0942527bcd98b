//! Which socket options make sense in memory. The others are refused, never ignored.

use std::io;
use std::sync::Arc;

use fyke_core::{Address, SocketOptions};

/// Refuses options that this transport does not have.
pub(super) fn check(options: &SocketOptions) -> io::Result<()> {
    let refused = [
        ("keepalive", options.keepalive.is_some()),
        ("linger", options.linger.is_some()),
        ("reuse_port", options.reuse_port),
        ("tos", options.tos.is_some()),
        ("ttl", options.ttl.is_some()),
        ("user_timeout", options.user_timeout.is_some()),
        ("quick_ack", options.quick_ack.is_some()),
        ("only_v6", options.only_v6.is_some()),
        ("broadcast", options.broadcast),
        ("multicast_loop", options.multicast_loop.is_some()),
        ("multicast_ttl", options.multicast_ttl.is_some()),
        ("zero_copy", options.zero_copy.is_some()),
    ];
    match refused.iter().find(|(_, set)| *set) {
        None => Ok(()),
        Some((name, _)) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("the local transport has no option `{name}`"),
        )),
    }
}

/// The name in `address`.
pub(super) fn name(address: &Address) -> io::Result<&Arc<str>> {
    match address {
        Address::Local(name) => Ok(name),
        other => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("the local transport has no address {other}"),
        )),
    }
}
