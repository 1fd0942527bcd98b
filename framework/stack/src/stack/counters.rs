//! What was counted: traffic, and every drop with its reason.

crate::drop_reasons! {
    /// Why a packet was not taken further. Each has a counter in [`Counters::drops`].
    enum DropReason {
        /// Too short for the header it should have, or lengths that contradict each other.
        Malformed => "malformed",
        /// An IEEE 802.3 length where an EtherType should be.
        Ethernet8023 => "802.3 length frame",
        /// An EtherType that nobody here speaks.
        UnknownEtherType => "unknown EtherType",
        /// The frame is for another station.
        OtherStation => "for another station",
        /// IPv4 header checksum.
        IpChecksum => "IP header checksum",
        /// A source or destination that cannot be (RFC 1122, section 3.2.1.3; RFC 6890).
        Martian => "martian address",
        /// A source route, which RFC 7126 says to drop.
        SourceRoute => "source route",
        /// The destination is none of our addresses.
        NotOurs => "not our address",
        /// More IPv6 extension headers than the limit, or in an order that is not allowed.
        ExtensionHeaders => "extension header chain",
        /// A routing header of type 0 (RFC 5095).
        RoutingHeader => "routing header type 0",
        /// No protocol of ours.
        UnknownProtocol => "unknown IP protocol",
        /// TCP, UDP or ICMP checksum.
        TransportChecksum => "transport checksum",
        /// Fragments that overlap (RFC 5722).
        FragmentOverlap => "overlapping fragments",
        /// More fragments than the limit.
        FragmentCount => "too many fragments",
        /// A fragment behind the end, or beyond 65535 bytes.
        FragmentBounds => "fragment out of bounds",
        /// The rest of a datagram did not come in time.
        FragmentTimeout => "reassembly timed out",
        /// A datagram's fragments made room for later ones.
        FragmentEvicted => "reassembly evicted",
        /// A SYN, RST or other segment that no connection and no listener wants.
        TcpNoSocket => "no TCP socket",
        /// Flags that make no sense together.
        TcpFlags => "impossible TCP flags",
        /// The SYN cache is full and cookies are off.
        SynCacheFull => "SYN cache full",
        /// The accept queue of the listener is full.
        AcceptQueueFull => "accept queue full",
        /// An ACK to a listener that is no valid cookie.
        BadCookie => "no valid SYN cookie",
        /// A segment for an embryonic connection that is not acceptable.
        SynReceivedUnacceptable => "unacceptable in SYN-RECEIVED",
        /// A segment for a connection in TIME-WAIT that needs no answer.
        TimeWait => "in TIME-WAIT",
        /// Nobody is bound to the UDP port.
        UdpNoSocket => "no UDP socket",
        /// The UDP socket's receive queue is full.
        UdpQueueFull => "UDP receive queue full",
        /// An ICMP error whose quoted packet is none of ours.
        IcmpNoSocket => "ICMP error about nothing of ours",
        /// An ICMP message that means nothing to us.
        IcmpIgnored => "ICMP ignored",
        /// The ICMP endpoint's receive queue is full.
        IcmpQueueFull => "ICMP receive queue full",
        /// An ICMP error was not sent: the token bucket is empty.
        IcmpRateLimited => "ICMP rate limited",
        /// A message of neighbour discovery that does not follow RFC 4861.
        NdInvalid => "invalid neighbour discovery",
        /// An ARP packet that makes no sense or is not for us.
        ArpIgnored => "ARP ignored",
        /// Requests for one neighbour come too fast.
        NeighborRateLimited => "neighbour requests limited",
        /// The neighbour did not answer.
        NeighborUnreachable => "neighbour unreachable",
        /// The queue behind an unresolved neighbour is full.
        NeighborQueueFull => "neighbour queue full",
        /// No route leads to the destination.
        NoRoute => "no route",
        /// Longer than the MTU and not to be fragmented.
        TooLong => "longer than the MTU",
        /// The queue of packets to be sent is full.
        OutboxFull => "send queue full",
        /// The queue of the own loopback is full.
        LoopbackFull => "loopback queue full",
        /// Forwarder mode: the application ignored the request, or too many wait.
        ForwardIgnored => "forward request ignored",
        /// The limit of connections is reached.
        ConnectionLimit => "connection limit",
        /// It is for another of the stacks that are one host.
        OtherShard => "another loop's",
        /// Protocol 41 from a host that no tunnel leads to (RFC 4213, section 3.6).
        TunnelSource => "no tunnel from there",
        /// Something in a tunnel that is no IPv6 packet, or has a source that is not behind it.
        TunnelInner => "not for the inside of a tunnel",
        /// A router marked congestion on a tunnel's packet, and the inner one takes no part in ECN
        /// (RFC 6040, section 4.2).
        TunnelCongestion => "congestion in the tunnel",
        /// Sockets hold all the bytes they may: the text of a segment, a SYN, a datagram.
        BuffersFull => "socket buffers full",
        /// A group message that does not follow its protocol.
        MulticastInvalid => "invalid group message",
    }
}

/// What a stack counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Frames given to [`input`](crate::Stack::input).
    pub frames_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Frames given to the device.
    pub frames_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// TCP segments in.
    pub segments_in: u64,
    /// TCP segments out; a super-segment counts once.
    pub segments_out: u64,
    /// Resets sent for segments that no connection wanted.
    pub resets_out: u64,
    /// UDP datagrams in.
    pub datagrams_in: u64,
    /// UDP datagrams out.
    pub datagrams_out: u64,
    /// ARP messages in that make sense.
    pub arp_in: u64,
    /// Fragments in; those that are kept, and those that their datagram is dropped with.
    pub fragments_in: u64,
    /// IGMP messages in.
    pub igmp_in: u64,
    /// ICMP messages in.
    pub icmp_in: u64,
    /// ICMP messages out.
    pub icmp_out: u64,
    /// Echo requests sent for ICMP endpoints; fragments of one count once.
    pub echo_requests_out: u64,
    /// Answers to them that an endpoint took.
    pub echo_replies_in: u64,
    /// SYN cookies sent.
    pub cookies_out: u64,
    /// Connections made from a cookie.
    pub cookies_accepted: u64,
    /// Connections that ended in TIME-WAIT and were reused for a new SYN (RFC 6191).
    pub time_waits_reused: u64,
    /// Connections ended because memory was short and their peers took nothing.
    pub evicted: u64,
    /// Datagrams put together from fragments.
    pub reassembled: u64,
    /// Segments sent to find out what a path carries (RFC 4821).
    pub mtu_probes_out: u64,
    /// Searches whose result became what is known of a path.
    pub mtu_searches_done: u64,
    /// Fragments sent.
    pub fragments_out: u64,
    /// Drops by reason.
    pub drops: Drops,
    /// How much was looked at: the figure that must not grow with the number of sockets.
    pub work: Work,
}

/// Steps that touched a socket or a table. The O(1) tests look at these and at no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Work {
    /// Lookups in the connection table.
    pub lookups: u64,
    /// Connections that were asked for segments.
    pub polls: u64,
    /// Timers that expired.
    pub timers: u64,
    /// Times a connection's timer entry was moved.
    pub timer_moves: u64,
}
