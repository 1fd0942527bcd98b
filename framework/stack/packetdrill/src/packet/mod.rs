//! Packets as they are on the wire, written and read here anew.
//!
//! Not a line is shared with the stack under test: a mistake in its codec shows instead of
//! cancelling out.

mod checksum;
mod decode;
mod encode;
mod options;
mod text;

use std::net::IpAddr;

use crate::script::OptionSpec;

pub(crate) use text::{flags, options};

/// Protocol numbers of the IP header.
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
}

/// TCP's flag bits.
pub mod flag {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgment number counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
    /// ECN echo.
    pub const ECE: u8 = 0x40;
    /// Congestion window reduced.
    pub const CWR: u8 = 0x80;
}

/// An IP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Its IP header.
    pub ip: IpHeader,
    /// What it carries.
    pub payload: Payload,
}

/// The IP header of a packet, either version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpHeader {
    /// Where it comes from.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// Type of service or traffic class.
    pub tos: u8,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// The flow label; zero for IPv4.
    pub flow_label: u32,
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A TCP segment.
    Tcp(Segment),
    /// A UDP datagram.
    Udp(Datagram),
    /// An ICMP message.
    Icmp(Icmp),
    /// Another protocol: its number and its bytes.
    Other(u8, Vec<u8>),
}

/// A TCP segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number, as it stands there, whether or not it counts.
    pub ack: u32,
    /// CWR ECE URG ACK PSH RST SYN FIN.
    pub flags: u8,
    /// The ninth flag, AE.
    pub ae: bool,
    /// The window, unscaled.
    pub window: u16,
    /// The urgent pointer.
    pub urgent: u16,
    /// Options in their order.
    pub options: Vec<OptionSpec>,
    /// Bytes to send instead of `options`, for what no encoder would produce.
    pub raw_options: Option<Vec<u8>>,
    /// Data.
    pub data: Vec<u8>,
}

impl Segment {
    /// Whether this flag is set.
    #[must_use]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The sequence number behind the data, without SYN and FIN.
    #[must_use]
    pub fn data_end(&self) -> u32 {
        self.seq.wrapping_add(self.data.len() as u32)
    }
}

/// A UDP datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Data.
    pub data: Vec<u8>,
}

/// An ICMP message of either version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icmp {
    /// Its type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// The four bytes behind the checksum.
    pub rest: [u8; 4],
    /// What follows.
    pub body: Vec<u8>,
}

/// Bytes that are not a packet, or not a sound one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "malformed packet: {}", self.0)
    }
}

impl std::error::Error for Malformed {}
