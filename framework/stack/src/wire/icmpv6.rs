//! ICMP for IPv6 (RFC 4443). Neighbour discovery and group management are messages of it.

use super::checksum::{self, ChecksumIntent, PseudoHeader};
use super::emit::Emit;
use super::icmp::{self, Fields, two_words};
use super::{Error, IpProtocol};
use core::ops::Deref;

/// Bytes before the payload: errors and echoes have as many.
pub const HEADER_LEN: usize = icmp::HEADER_LEN;
/// Where the checksum is, for a device that completes it.
pub const CHECKSUM_OFFSET: usize = 2;

/// Codes of [`Message::Unreachable`].
pub mod unreachable {
    /// No route.
    pub const NO_ROUTE: u8 = 0;
    /// A filter says no.
    pub const ADMIN_PROHIBITED: u8 = 1;
    /// The source address reaches less far than the destination's.
    pub const BEYOND_SCOPE: u8 = 2;
    /// The address does not answer.
    pub const ADDRESS: u8 = 3;
    /// Nobody listens on the port.
    pub const PORT: u8 = 4;
    /// A filter does not like the source address.
    pub const SOURCE_POLICY: u8 = 5;
    /// The route says to reject.
    pub const REJECT_ROUTE: u8 = 6;
}

/// Codes of [`Message::TimeExceeded`].
pub mod time_exceeded {
    /// The hop limit came to zero on the way.
    pub const TRANSIT: u8 = 0;
    /// Fragments were missing for too long.
    pub const REASSEMBLY: u8 = 1;
}

/// Codes of [`Message::ParameterProblem`].
pub mod parameter_problem {
    /// A header field is wrong.
    pub const HEADER_FIELD: u8 = 0;
    /// A next header is not known.
    pub const NEXT_HEADER: u8 = 1;
    /// An option is not known.
    pub const OPTION: u8 = 2;
    /// The first fragment does not hold all headers (RFC 7112).
    pub const INCOMPLETE_CHAIN: u8 = 3;
}

const UNREACHABLE: u8 = 1;
const PACKET_TOO_BIG: u8 = 2;
const TIME_EXCEEDED: u8 = 3;
const PARAMETER_PROBLEM: u8 = 4;
/// The type of an echo request, whatever its code.
pub const ECHO_REQUEST: u8 = 128;
/// The type of an echo reply, whatever its code.
pub const ECHO_REPLY: u8 = 129;

/// The first eight bytes of a message; the payload stands behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// The destination is not reachable; see [`mod@unreachable`].
    Unreachable {
        /// Why.
        code: u8,
    },
    /// The packet is too large for the next link.
    PacketTooBig {
        /// The next link's.
        mtu: u32,
    },
    /// It took too long; see [`time_exceeded`].
    TimeExceeded {
        /// What.
        code: u8,
    },
    /// Something in the packet cannot be processed; see [`parameter_problem`].
    ParameterProblem {
        /// What.
        code: u8,
        /// Which byte of the quoted packet.
        pointer: u32,
    },
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
            Self::Unreachable { code } => (UNREACHABLE, code, [0; 4]),
            Self::PacketTooBig { mtu } => (PACKET_TOO_BIG, 0, mtu.to_be_bytes()),
            Self::TimeExceeded { code } => (TIME_EXCEEDED, code, [0; 4]),
            Self::ParameterProblem { code, pointer } => {
                (PARAMETER_PROBLEM, code, pointer.to_be_bytes())
            }
            Self::EchoRequest { identifier, sequence } => {
                (ECHO_REQUEST, 0, two_words(identifier, sequence))
            }
            Self::EchoReply { identifier, sequence } => {
                (ECHO_REPLY, 0, two_words(identifier, sequence))
            }
            Self::Other { kind, code, rest } => (kind, code, rest),
        }
    }

    /// Whether it reports an error, so that it quotes a packet and must not be answered by an error
    /// (RFC 4443, section 2.4).
    #[must_use]
    pub const fn is_error(&self) -> bool {
        self.parts().0 < 128
    }
}

/// Fills in the checksum of any emitted ICMPv6 message.
///
/// `message` is what was emitted, no more and no less; `payload` is what will stand behind it.
pub fn fill_checksum(
    message: &mut [u8],
    addresses: &PseudoHeader,
    payload: &[&[u8]],
    intent: ChecksumIntent,
) {
    let length = message.len() + payload.iter().map(|slice| slice.len()).sum::<usize>();
    let pseudo = addresses.sum(IpProtocol::ICMPV6, length);
    checksum::fill(message, CHECKSUM_OFFSET, pseudo, payload, intent);
}

impl Emit for Message {
    fn wire_len(&self) -> usize {
        HEADER_LEN
    }

    /// The checksum field is zero; see [`fill_checksum`].
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
    /// A message that fills `bytes`: the upper layer of an IPv6 packet.
    ///
    /// # Errors
    /// When there are fewer than eight bytes; no message of ours has fewer.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        Fields::parse(bytes).map(Self)
    }

    /// What it says.
    #[must_use]
    pub fn message(&self) -> Message {
        let (kind, code, [a, b, c, d]) = (self.kind(), self.code(), self.rest());
        let (first, second) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let number = u32::from_be_bytes([a, b, c, d]);
        match (kind, code) {
            (UNREACHABLE, _) => Message::Unreachable { code },
            // The code is the sender's to leave zero and the receiver's to ignore (section 3.2).
            (PACKET_TOO_BIG, _) => Message::PacketTooBig { mtu: number },
            (TIME_EXCEEDED, _) => Message::TimeExceeded { code },
            (PARAMETER_PROBLEM, _) => Message::ParameterProblem { code, pointer: number },
            (ECHO_REQUEST, 0) => Message::EchoRequest { identifier: first, sequence: second },
            (ECHO_REPLY, 0) => Message::EchoReply { identifier: first, sequence: second },
            _ => Message::Other { kind, code, rest: [a, b, c, d] },
        }
    }

    /// Whether the checksum is right between the two addresses.
    #[must_use]
    pub fn checksum_is_valid(&self, addresses: &PseudoHeader) -> bool {
        addresses.sum(IpProtocol::ICMPV6, self.as_bytes().len()).with([self.as_bytes()]).is_valid()
    }
}
