//! Frames made by hand: a TCP segment between any two ends.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use fyke_stack::tcp::Flags;
use fyke_stack::wire::tcp::{Header, Options, Packet, TcpOption};
use fyke_stack::wire::{ChecksumIntent, Emit, IpProtocol, PseudoHeader, ipv4, ipv6};

/// A segment to be put on the wire.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(source: &str, destination: &str, flags: Flags, seq: u32, ack: u32) -> Self {
        let (source, destination): (SocketAddr, SocketAddr) =
            (source.parse().unwrap(), destination.parse().unwrap());
        let header = Header {
            source_port: source.port(),
            destination_port: destination.port(),
            seq,
            ack,
            flags: flags.bits(),
            window: 65_535,
            urgent: 0,
            options: Options::EMPTY,
        };
        Self { source, destination, header, payload: Vec::new() }
    }

    pub(crate) fn syn(source: &str, destination: &str, seq: u32) -> Self {
        Self::new(source, destination, Flags::SYN, seq, 0)
    }

    pub(crate) fn option(mut self, option: TcpOption<'_>) -> Self {
        assert!(self.header.options.push(option));
        self
    }

    pub(crate) fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// The IP packet.
    pub(crate) fn bytes(&self) -> Bytes {
        let mut segment = self.header.to_vec();
        let pseudo = PseudoHeader::new(self.source.ip(), self.destination.ip()).unwrap();
        Header::fill_checksum(&mut segment, &pseudo, &[&self.payload], ChecksumIntent::Full);
        segment.extend_from_slice(&self.payload);
        ip(self.source.ip(), self.destination.ip(), IpProtocol::TCP, &segment)
    }
}

/// An IP packet around a payload.
pub(crate) fn ip(
    source: IpAddr,
    destination: IpAddr,
    protocol: IpProtocol,
    payload: &[u8],
) -> Bytes {
    let len = payload.len() as u16;
    let mut bytes = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            ipv4::Header::new(source, destination, protocol, len).to_vec()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            ipv6::Header::new(source, destination, protocol, len).to_vec()
        }
        _ => panic!("two families"),
    };
    bytes.extend_from_slice(payload);
    bytes.into()
}

/// What a packet of the stack's says, when it is TCP.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

impl Seen {
    pub(crate) fn flags(&self) -> Flags {
        Flags::from_bits(self.header.flags)
    }
}

/// Parses a packet the stack sent, and checks all its checksums.
#[track_caller]
pub(crate) fn parse(bytes: &Bytes) -> Seen {
    let (source, destination, payload): (IpAddr, IpAddr, &[u8]) = if bytes[0] >> 4 == 4 {
        let packet = ipv4::Packet::parse(bytes).unwrap();
        assert!(packet.checksum_is_valid());
        assert_eq!(packet.protocol(), IpProtocol::TCP);
        (packet.source().into(), packet.destination().into(), packet.payload())
    } else {
        let packet = ipv6::Packet::parse(bytes).unwrap();
        assert_eq!(packet.next_header(), IpProtocol::TCP);
        (packet.source().into(), packet.destination().into(), packet.payload())
    };
    let segment = Packet::parse(payload).unwrap();
    assert!(segment.checksum_is_valid(&PseudoHeader::new(source, destination).unwrap()));
    Seen {
        source: SocketAddr::new(source, segment.source_port()),
        destination: SocketAddr::new(destination, segment.destination_port()),
        header: segment.header(),
        payload: segment.payload().to_vec(),
    }
}
