//! Calls about how long packets may be.

use core::net::IpAddr;

use fyke_clock::Instant;

use super::Stack;

impl Stack {
    /// The link carries longer packets from now on, or shorter ones.
    ///
    /// Connections whose segments are too long for it send shorter ones at once: this looks at all
    /// of them. Those that search for what their path carries
    /// ([`MtuProbing`](crate::tcp::MtuProbing)) try longer ones, the others stay as they are.
    pub fn set_mtu(&mut self, now: Instant, mtu: u16) {
        self.net.now = now;
        let narrower = mtu < self.net.config.mtu;
        self.net.autoconf.link_mtu_max = None;
        self.net.config.mtu = mtu;
        if narrower {
            self.narrow_paths(now);
        }
    }

    /// The longest IP packet on the way to a destination, as far as is known: what the link takes,
    /// or less when a router, or a search of a connection's, said so not long ago.
    #[must_use]
    pub fn path_mtu(&self, destination: IpAddr) -> u16 {
        self.net.path_mtu(destination)
    }
}

/// The fixed headers of IP and TCP.
pub(crate) const fn tcp_headers(remote: IpAddr) -> u16 {
    if remote.is_ipv4() { 40 } else { 60 }
}
