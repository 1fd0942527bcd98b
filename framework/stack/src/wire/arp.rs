//! ARP for IPv4 over Ethernet (RFC 826, RFC 5227).

use core::net::Ipv4Addr;

use super::emit::{Emit, fixed};
use super::{Error, MacAddress};

/// Bytes of a message.
pub const MESSAGE_LEN: usize = 28;

/// Hardware type Ethernet, protocol type IPv4, address lengths of 6 and 4.
const ETHERNET_AND_IPV4: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];

/// What a message wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Who has the target's address?
    Request,
    /// The sender has its own.
    Reply,
    /// Something else, as reverse ARP.
    Other(u16),
}

impl From<u16> for Operation {
    fn from(number: u16) -> Self {
        match number {
            1 => Self::Request,
            2 => Self::Reply,
            other => Self::Other(other),
        }
    }
}

impl From<Operation> for u16 {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Request => 1,
            Operation::Reply => 2,
            Operation::Other(other) => other,
        }
    }
}

/// A message. All of its fields have fixed places, so that the value is its own view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// What it wants.
    pub operation: Operation,
    /// The sender's hardware address.
    pub sender_mac: MacAddress,
    /// The sender's protocol address; zero in a probe.
    pub sender_ip: Ipv4Addr,
    /// The target's hardware address; means nothing in a request.
    pub target_mac: MacAddress,
    /// The target's protocol address.
    pub target_ip: Ipv4Addr,
}

impl Message {
    /// A message in the front of `bytes`; what is behind it is padding.
    ///
    /// # Errors
    /// When bytes are missing, or the addresses are not those of Ethernet and IPv4.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: &[u8; MESSAGE_LEN] = bytes.first_chunk().ok_or(Error::Truncated)?;
        let (kinds, rest) = bytes.split_at(6);
        if kinds != ETHERNET_AND_IPV4 {
            return Err(Error::Unsupported);
        }
        let take = |at: usize| {
            let mac = MacAddress::from_slice(&rest[at..]).unwrap_or_default();
            let ip = rest[at + 6..].first_chunk::<4>().copied().unwrap_or_default();
            (mac, Ipv4Addr::from(ip))
        };
        let (sender_mac, sender_ip) = take(2);
        let (target_mac, target_ip) = take(12);
        let operation = Operation::from(u16::from_be_bytes([rest[0], rest[1]]));
        Ok(Self { operation, sender_mac, sender_ip, target_mac, target_ip })
    }

    /// Asks who has `target_ip`. With an unspecified `sender_ip` it is a probe (RFC 5227), with
    /// `sender_ip` itself an announcement.
    #[must_use]
    pub const fn request(sender_mac: MacAddress, sender_ip: Ipv4Addr, target_ip: Ipv4Addr) -> Self {
        let target_mac = MacAddress::UNSPECIFIED;
        Self { operation: Operation::Request, sender_mac, sender_ip, target_mac, target_ip }
    }

    /// The answer to a request for `sender_ip`.
    #[must_use]
    pub const fn reply_to(&self, sender_mac: MacAddress, sender_ip: Ipv4Addr) -> Self {
        Self {
            operation: Operation::Reply,
            sender_mac,
            sender_ip,
            target_mac: self.sender_mac,
            target_ip: self.sender_ip,
        }
    }

    /// Whether it asks for an address without claiming one (RFC 5227, section 1.1).
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.operation == Operation::Request && self.sender_ip.is_unspecified()
    }

    /// Whether it tells everybody about the sender's own address (RFC 5227, section 1.1).
    #[must_use]
    pub fn is_gratuitous(&self) -> bool {
        self.sender_ip == self.target_ip && !self.sender_ip.is_unspecified()
    }
}

impl Emit for Message {
    fn wire_len(&self) -> usize {
        MESSAGE_LEN
    }

    fn emit(&self, out: &mut [u8]) {
        let (out, _) = fixed::<MESSAGE_LEN>(out);
        out[..6].copy_from_slice(&ETHERNET_AND_IPV4);
        out[6..8].copy_from_slice(&u16::from(self.operation).to_be_bytes());
        out[8..14].copy_from_slice(&self.sender_mac.octets());
        out[14..18].copy_from_slice(&self.sender_ip.octets());
        out[18..24].copy_from_slice(&self.target_mac.octets());
        out[24..28].copy_from_slice(&self.target_ip.octets());
    }
}
