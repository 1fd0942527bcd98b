//! The header before each frame of a TAP device with IFF_VNET_HDR: what is left to the device, and
//! what it left to us (virtio 1.2, section 5.1.6; Linux's `virtio_net.h`).
//!
//! Numbers are in the machine's byte order, which is what a TAP device speaks unless told otherwise.

use super::emit::{Emit, fixed};
use super::{Error, Sum};

/// Bytes of a header without the number of buffers.
pub const HEADER_LEN: usize = 10;
/// Bytes of a header with it.
pub const HEADER_LEN_WITH_BUFFERS: usize = 12;

const NEEDS_CHECKSUM: u8 = 1;
const DATA_VALID: u8 = 2;

const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_UDP_FRAGMENTS: u8 = 3;
const GSO_TCPV6: u8 = 4;
const GSO_UDP: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// What is known about a frame's transport checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Checksum {
    /// It is whole, and nobody has looked at it.
    #[default]
    Unchecked,
    /// It is whole, and was found right.
    Valid,
    /// Its field holds the pseudo-header's sum; the rest is to be added.
    Partial {
        /// Where the checksummed bytes begin in the frame.
        start: u16,
        /// Where the field is, from `start`.
        offset: u16,
    },
}

/// How a frame larger than the link's is to be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GsoKind {
    /// TCP segments over IPv4.
    TcpV4,
    /// TCP segments over IPv6.
    TcpV6,
    /// UDP datagrams.
    Udp,
    /// IP fragments of one UDP datagram.
    UdpFragments,
}

/// A frame that stands for several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gso {
    /// How it is cut.
    pub kind: GsoKind,
    /// Whether TCP's CWR is set and belongs on the first segment only.
    pub ecn: bool,
    /// Payload bytes of each piece; never zero.
    pub size: u16,
}

/// The header as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// The transport checksum.
    pub checksum: Checksum,
    /// How the frame is cut.
    pub gso: Option<Gso>,
    /// Bytes of all headers, a hint to the device; zero when not known.
    pub header_len: u16,
    /// How many buffers the frame is in, when the header has the field.
    pub buffers: Option<u16>,
}

impl Header {
    /// The header in the front of `bytes`, and the frame behind it.
    ///
    /// # Errors
    /// When bytes are missing, the kind of segmentation is not known or its size is zero, or the
    /// partial checksum's field is outside the frame.
    pub fn parse(bytes: &[u8], with_buffers: bool) -> Result<(Self, &[u8]), Error> {
        let (head, mut frame) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(Error::Truncated)?;
        let word = |at: usize| u16::from_ne_bytes([head[at], head[at + 1]]);
        let mut buffers = None;
        if with_buffers {
            let (number, rest) = frame.split_first_chunk().ok_or(Error::Truncated)?;
            buffers = Some(u16::from_ne_bytes(*number));
            frame = rest;
        }
        let checksum = if head[0] & NEEDS_CHECKSUM != 0 {
            let (start, offset) = (word(6), word(8));
            if usize::from(start) + usize::from(offset) + 2 > frame.len() {
                return Err(Error::Length);
            }
            Checksum::Partial { start, offset }
        } else if head[0] & DATA_VALID != 0 {
            Checksum::Valid
        } else {
            Checksum::Unchecked
        };
        let kind = match head[1] & !GSO_ECN {
            GSO_NONE => None,
            GSO_TCPV4 => Some(GsoKind::TcpV4),
            GSO_TCPV6 => Some(GsoKind::TcpV6),
            GSO_UDP => Some(GsoKind::Udp),
            GSO_UDP_FRAGMENTS => Some(GsoKind::UdpFragments),
            _ => return Err(Error::Unsupported),
        };
        let gso = kind.map(|kind| Gso { kind, ecn: head[1] & GSO_ECN != 0, size: word(4) });
        if gso.is_some_and(|gso| gso.size == 0) {
            return Err(Error::Length);
        }
        Ok((Self { checksum, gso, header_len: word(2), buffers }, frame))
    }
}

impl Emit for Header {
    fn wire_len(&self) -> usize {
        if self.buffers.is_some() { HEADER_LEN_WITH_BUFFERS } else { HEADER_LEN }
    }

    fn emit(&self, out: &mut [u8]) {
        let (head, rest) = fixed::<HEADER_LEN>(out);
        let (flags, start, offset) = match self.checksum {
            Checksum::Unchecked => (0, 0, 0),
            Checksum::Valid => (DATA_VALID, 0, 0),
            Checksum::Partial { start, offset } => (NEEDS_CHECKSUM, start, offset),
        };
        let (kind, size) = match self.gso {
            None => (GSO_NONE, 0),
            Some(Gso { kind, ecn, size }) => {
                let kind = match kind {
                    GsoKind::TcpV4 => GSO_TCPV4,
                    GsoKind::TcpV6 => GSO_TCPV6,
                    GsoKind::Udp => GSO_UDP,
                    GsoKind::UdpFragments => GSO_UDP_FRAGMENTS,
                };
                (kind | if ecn { GSO_ECN } else { 0 }, size)
            }
        };
        head[..2].copy_from_slice(&[flags, kind]);
        head[2..4].copy_from_slice(&self.header_len.to_ne_bytes());
        head[4..6].copy_from_slice(&size.to_ne_bytes());
        head[6..8].copy_from_slice(&start.to_ne_bytes());
        head[8..10].copy_from_slice(&offset.to_ne_bytes());
        if let Some(buffers) = self.buffers {
            let (number, _) = fixed::<2>(rest);
            *number = buffers.to_ne_bytes();
        }
    }
}

/// Makes a partial checksum whole, as the device would.
///
/// A result of zero is written as all ones, which is the same number and does not mean "none" to
/// UDP. Nothing is written, and the answer is `false`, when the field is outside the frame.
#[must_use]
pub fn complete_checksum(frame: &mut [u8], start: u16, offset: u16) -> bool {
    let Some(covered) = frame.get_mut(usize::from(start)..) else { return false };
    let checksum = match Sum::new().with([&*covered]).checksum() {
        0 => 0xffff,
        other => other,
    };
    let at = usize::from(offset);
    match covered.get_mut(at..at + 2) {
        Some(field) => {
            field.copy_from_slice(&checksum.to_be_bytes());
            true
        }
        None => false,
    }
}
