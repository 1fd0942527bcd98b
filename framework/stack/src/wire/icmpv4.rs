//! ICMP for IPv4 (RFC 792, RFC 1191, RFC 1122 section 3.2.2).

use core::net::Ipv4Addr;
use core::ops::Deref;

use super::checksum::{self, ChecksumIntent};
use super::emit::Emit;
use super::icmp::{self, Fields, two_words};
use super::{Error, Sum};

/// Bytes before the payload: every message has as many.
pub const HEADER_LEN: usize = icmp::HEADER_LEN;

/// Codes of [`Message::Unreachable`].
pub mod unreachable {
    /// No route to the network.
    pub const NET: u8 = 0;
    /// The host does not answer.
    pub const HOST: u8 = 1;
    /// Nobody there speaks the protocol.
    pub const PROTOCOL: u8 = 2;
    /// Nobody listens on the port.
    pub const PORT: u8 = 3;
    /// Too large for the next link and not to be fragmented.
    pub const FRAGMENTATION_NEEDED: u8 = 4;
    /// The source route failed.
    pub const SOURCE_ROUTE_FAILED: u8 = 5;
    /// The network is not known.
    pub const NET_UNKNOWN: u8 = 6;
    /// The host is not known.
    pub const HOST_UNKNOWN: u8 = 7;
    /// The network is prohibited.
    pub const NET_PROHIBITED: u8 = 9;
    /// The host is prohibited.
    pub const HOST_PROHIBITED: u8 = 10;
    /// A filter says no (RFC 1812, section 5.2.7.1).
    pub const ADMIN_PROHIBITED: u8 = 13;
}

/// Codes of [`Message::TimeExceeded`].
pub mod time_exceeded {
    /// The TTL came to zero on the way.
    pub const TRANSIT: u8 = 0;
    /// Fragments were missing for too long.
    pub const REASSEMBLY: u8 = 1;
}

/// The type of an echo reply, whatever its code.
pub const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const REDIRECT: u8 = 5;
/// The type of an echo request, whatever its code.
pub const ECHO_REQUEST: u8 = 8;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;

/// The first eight bytes of a message; the payload stands behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// Are you there? The payload comes back.
    EchoRequest {
        /// Whose request it is.
        identifier: u16,
        /// Which one of them.
        sequence: u16,
    },
    /// I am.
    EchoReply {
        /// The request's.
        identifier: u16,
        /// The request's.
        sequence: u16,
    },
    /// The destination is not reachable; see [`mod@unreachable`].
    Unreachable {
        /// Why.
        code: u8,
    },
    /// The packet is too large for the next link; code 4 of unreachable.
    FragmentationNeeded {
        /// The next link's; zero from routers older than RFC 1191.
        mtu: u16,
    },
    /// Use another router.
    Redirect {
        /// For a network or a host, with or without regard to the type of service.
        code: u8,
        /// The better router.
        gateway: Ipv4Addr,
    },
    /// It took too long; see [`time_exceeded`].
    TimeExceeded {
        /// What.
        code: u8,
    },
    /// A header field is wrong.
    ParameterProblem {
        /// Zero when the pointer counts.
        code: u8,
        /// Which byte of the quoted packet is wrong.
        pointer: u8,
    },
    /// Any other message.
    Other {
        /// Its type.
        kind: u8,
        /// Its code.
        code: u8,
        /// The four bytes behind the checksum.
        rest: [u8; 4],
    },
}

impl Message {
    /// Type, code, and the four bytes behind the checksum.
    const fn parts(&self) -> (u8, u8, [u8; 4]) {
        match *self {
            Self::EchoRequest { identifier, sequence } => {
                (ECHO_REQUEST, 0, two_words(identifier, sequence))
            }
            Self::EchoReply { identifier, sequence } => {
                (ECHO_REPLY, 0, two_words(identifier, sequence))
            }
            Self::Unreachable { code } => (UNREACHABLE, code, [0; 4]),
            Self::FragmentationNeeded { mtu } => {
                (UNREACHABLE, unreachable::FRAGMENTATION_NEEDED, two_words(0, mtu))
            }
            Self::Redirect { code, gateway } => (REDIRECT, code, gateway.octets()),
            Self::TimeExceeded { code } => (TIME_EXCEEDED, code, [0; 4]),
            Self::ParameterProblem { code, pointer } => {
                (PARAMETER_PROBLEM, code, [pointer, 0, 0, 0])
            }
            Self::Other { kind, code, rest } => (kind, code, rest),
        }
    }

    /// Whether it reports an error, so that it quotes a packet and must not be answered by an error
    /// (RFC 1122, section 3.2.2).
    #[must_use]
    pub const fn is_error(&self) -> bool {
        // 4 is source quench, which nobody sends any more (RFC 6633).
        matches!(self.parts().0, UNREACHABLE | 4 | REDIRECT | TIME_EXCEEDED | PARAMETER_PROBLEM)
    }

    /// Fills in the checksum of an emitted message; `payload` is what will stand behind it.
    pub fn fill_checksum(header: &mut [u8], payload: &[&[u8]]) {
        checksum::fill(header, 2, Sum::new(), payload, ChecksumIntent::Full);
    }
}

impl Emit for Message {
    fn wire_len(&self) -> usize {
        HEADER_LEN
    }

    /// The checksum field is zero; see [`fill_checksum`](Self::fill_checksum).
    fn emit(&self, out: &mut [u8]) {
        icmp::emit(self.parts(), out);
    }
}

/// A message whose length has been checked.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a>(Fields<'a>);

/// Its type, code, checksum and payload.
impl<'a> Deref for Packet<'a> {
    type Target = Fields<'a>;

    fn deref(&self) -> &Fields<'a> {
        &self.0
    }
}

impl<'a> Packet<'a> {
    /// A message that fills `bytes`: the payload of an IPv4 datagram.
    ///
    /// # Errors
    /// When there are fewer than eight bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        Fields::parse(bytes).map(Self)
    }

    /// What it says.
    #[must_use]
    pub fn message(&self) -> Message {
        let (kind, code, [a, b, c, d]) = (self.kind(), self.code(), self.rest());
        let (first, second) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        match (kind, code) {
            (ECHO_REQUEST, 0) => Message::EchoRequest { identifier: first, sequence: second },
            (ECHO_REPLY, 0) => Message::EchoReply { identifier: first, sequence: second },
            (UNREACHABLE, unreachable::FRAGMENTATION_NEEDED) => {
                Message::FragmentationNeeded { mtu: second }
            }
            (UNREACHABLE, _) => Message::Unreachable { code },
            (REDIRECT, _) => Message::Redirect { code, gateway: Ipv4Addr::new(a, b, c, d) },
            (TIME_EXCEEDED, _) => Message::TimeExceeded { code },
            (PARAMETER_PROBLEM, _) => Message::ParameterProblem { code, pointer: a },
            _ => Message::Other { kind, code, rest: [a, b, c, d] },
        }
    }

    /// Whether the checksum is right.
    #[must_use]
    pub fn checksum_is_valid(&self) -> bool {
        Sum::new().with([self.as_bytes()]).is_valid()
    }
}
