//! What a router counted: traffic, and every drop with its reason.

crate::drop_reasons! {
    /// Why a router did not take a frame further. Each has a counter in
    /// [`RouterCounters::drops`].
    enum DropReason {
        /// The frame is for another station.
        OtherStation => "for another station",
        /// Lengths that contradict each other, a wrong header checksum, or no IP.
        Malformed => "malformed",
        /// A source or destination that cannot be (RFC 1812, section 5.3.7; RFC 6890).
        Martian => "martian address",
        /// A source route, which RFC 7126 says to drop.
        SourceRoute => "source route",
        /// TTL or hop limit came to zero.
        TimeExceeded => "TTL exceeded",
        /// No route leads there.
        NoRoute => "no route",
        /// An address that does not leave its link, a group, or the router's own address and nothing
        /// that it answers.
        NotForwarded => "not forwarded",
        /// Longer than the next link carries, and not to be fragmented.
        FragmentationNeeded => "fragmentation needed",
        /// The neighbour did not answer.
        NeighborUnreachable => "neighbour unreachable",
        /// Too many packets wait for a neighbour.
        NeighborQueueFull => "neighbour queue full",
        /// Nobody inside asked for it.
        NatNoMapping => "no NAT mapping",
        /// There is a mapping, but not for this peer.
        NatFiltered => "NAT filter",
        /// The NAT box has no port or no room left.
        NatExhausted => "NAT ports exhausted",
        /// One inside address has all that it may have of the NAT box.
        NatHostLimit => "NAT limit of one host",
        /// Something a NAT box cannot translate.
        NatUntranslatable => "not translatable",
        /// A fragment whose datagram's first one did not come to the NAT box in time.
        NatFragment => "NAT fragment without a first",
        /// Protocol 41 that no tunnel may have sent, or a mark of congestion that its inside would
        /// not understand (RFC 4213, section 3.6; RFC 6040, section 4.2).
        Tunnel => "not for the tunnel",
    }
}

/// What a router counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RouterCounters {
    /// Frames given to [`input`](crate::router::Router::input).
    pub frames_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Frames given to the sink.
    pub frames_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Packets that were taken further.
    pub forwarded: u64,
    /// Packets for the box itself, handed to the stack behind the local port.
    pub delivered: u64,
    /// Packets that a NAT box has changed.
    pub translated: u64,
    /// Fragments made.
    pub fragments_out: u64,
    /// ICMP errors sent.
    pub errors_out: u64,
    /// ICMP errors not sent, because there were too many.
    pub errors_limited: u64,
    /// Drops by reason.
    pub drops: Drops,
}
