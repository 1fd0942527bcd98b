//! Everything around `tcp::Connection`: tables, and the ways in and out.
//!
//! The tables know no wire format and no device; [`ingress`] and [`egress`] are where bytes become
//! behaviour and behaviour becomes bytes.

pub(crate) mod addresses;
pub(crate) mod autoconf;
pub(crate) mod bounded;
pub(crate) mod cidr;
pub(crate) mod cookie;
pub(crate) mod egress;
pub(crate) mod fast_open;
pub(crate) mod groups;
pub(crate) mod hashed;
pub(crate) mod icmp_limit;
pub(crate) mod icmp_table;
pub(crate) mod ingress;
pub(crate) mod isn;
pub(crate) mod listener;
pub(crate) mod lru;
pub(crate) mod memory;
pub(crate) mod neighbor;
pub(crate) mod net;
pub(crate) mod ports;
pub(crate) mod reassembly;
pub(crate) mod routes;
pub(crate) mod steer;
pub(crate) mod syn_cache;
pub(crate) mod tcp_table;
pub(crate) mod time_wait;
pub(crate) mod timer;
pub(crate) mod tunnels;
pub(crate) mod tuple;
pub(crate) mod udp_table;

/// Makes room for one more entry by a quarter of what is there: doubling would waste up to half of
/// a table that is sized by the byte.
fn grow<T>(entries: &mut alloc::vec::Vec<T>) {
    if entries.len() == entries.capacity() {
        entries.reserve_exact((entries.len() / 4).max(64));
    }
}
