//! Why frames do not arrive, each reason with its counter.

fyke_stack::drop_reasons! {
    /// Why the network did not take a frame further.
    enum DropReason {
        /// A link lost it, each frame by itself.
        Loss => "random loss",
        /// A link lost it in a burst.
        BurstLoss => "burst loss",
        /// The queue in front of a link is full.
        QueueFull => "queue full",
        /// The link is down.
        LinkDown => "link down",
        /// More frames are under way than the link's limit.
        InFlightLimit => "too many frames under way",
        /// Longer than the link carries.
        Mtu => "longer than the link's MTU",
        /// A partition is between the two hosts.
        Partition => "partition",
        /// Nothing is plugged into the port.
        NotConnected => "nothing plugged in",
        /// The receive ring of a host that is paused or slow is full.
        RingFull => "receive ring full",
        /// It waited in a host that was restarted.
        Restarted => "host restarted",
        /// The switch came back to the port it came from.
        SamePort => "destination is where it came from",
        /// The frame is for another station.
        OtherStation => "for another station",
        /// Lengths that contradict each other, a wrong header checksum, or no IP.
        Malformed => "malformed",
        /// An address that cannot be on the wire.
        Martian => "martian address",
        /// TTL or hop limit came to zero.
        TimeExceeded => "TTL exceeded",
        /// No route leads there.
        NoRoute => "no route",
        /// The router's address, but nothing the router answers.
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
        /// A fragment whose first one did not come to the NAT box.
        NatFragment => "NAT fragment without a first",
        /// Something a NAT box cannot translate.
        NatUntranslatable => "not translatable",
    }
}

impl Drops {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(all, more)| *all += more);
    }
}
