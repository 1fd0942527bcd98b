//! The header of TCP (RFC 9293, section 3.1).

mod options;

pub use options::{Options, OptionsIter, SackBlocks, TcpOption};

use super::checksum::{self, ChecksumIntent, PseudoHeader};
use super::emit::{Emit, fixed};
use super::{Error, IpProtocol, Sum};

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;
/// Most bytes of options.
pub const OPTIONS_LEN_MAX: usize = 40;
/// Where the checksum is, for a device that completes it.
pub const CHECKSUM_OFFSET: usize = 16;

/// No more data from the sender.
pub const FIN: u16 = 0x001;
/// Synchronise sequence numbers.
pub const SYN: u16 = 0x002;
/// Reset the connection.
pub const RST: u16 = 0x004;
/// Push.
pub const PSH: u16 = 0x008;
/// The acknowledgement number counts.
pub const ACK: u16 = 0x010;
/// The urgent pointer counts.
pub const URG: u16 = 0x020;
/// ECN echo (RFC 3168).
pub const ECE: u16 = 0x040;
/// Congestion window reduced (RFC 3168).
pub const CWR: u16 = 0x080;
/// Accurate ECN (RFC 9768), formerly the nonce sum.
pub const AE: u16 = 0x100;

/// All twelve bits beside the data offset; three of them are still reserved.
const FLAGS_MASK: u16 = 0x0fff;

/// A segment whose lengths have been checked.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// All of it: a sum over one slice costs less than over three.
    bytes: &'a [u8],
    fixed: &'a [u8; HEADER_LEN],
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// A segment that fills `bytes`: the payload of an IP packet, which ends where IP says.
    ///
    /// # Errors
    /// When the data offset is too small or bytes of the header are missing.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (fixed, rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(Error::Truncated)?;
        let header_len = usize::from(fixed[12] >> 4) * 4;
        let options_len = header_len.checked_sub(HEADER_LEN).ok_or(Error::Length)?;
        let (options, payload) = rest.split_at_checked(options_len).ok_or(Error::Truncated)?;
        Ok(Self { bytes, fixed, options, payload })
    }

    /// The value that emits the same header.
    #[must_use]
    pub fn header(&self) -> Header {
        Header {
            source_port: self.source_port(),
            destination_port: self.destination_port(),
            seq: self.seq(),
            ack: self.ack(),
            flags: self.flags(),
            window: self.window(),
            urgent: self.urgent(),
            options: Options::from_bytes(self.options),
        }
    }

    /// Bytes of the header with its options.
    #[must_use]
    pub const fn header_len(&self) -> usize {
        HEADER_LEN + self.options.len()
    }

    /// The sender's port.
    #[must_use]
    pub const fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.fixed[0], self.fixed[1]])
    }

    /// The receiver's port.
    #[must_use]
    pub const fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// The sequence number of the first byte, or of the SYN.
    #[must_use]
    pub const fn seq(&self) -> u32 {
        u32::from_be_bytes([self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]])
    }

    /// The acknowledgement number; counts with [`ACK`].
    #[must_use]
    pub const fn ack(&self) -> u32 {
        u32::from_be_bytes([self.fixed[8], self.fixed[9], self.fixed[10], self.fixed[11]])
    }

    /// The control bits and the three reserved ones above them.
    #[must_use]
    pub const fn flags(&self) -> u16 {
        u16::from_be_bytes([self.fixed[12], self.fixed[13]]) & FLAGS_MASK
    }

    /// The window, not scaled.
    #[must_use]
    pub const fn window(&self) -> u16 {
        u16::from_be_bytes([self.fixed[14], self.fixed[15]])
    }

    /// The checksum.
    #[must_use]
    pub const fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.fixed[16], self.fixed[17]])
    }

    /// Whether the checksum is right between the two addresses.
    #[must_use]
    pub fn checksum_is_valid(&self, addresses: &PseudoHeader) -> bool {
        addresses.sum(IpProtocol::TCP, self.bytes.len()).with([self.bytes]).is_valid()
    }

    /// The urgent pointer; counts with [`URG`].
    #[must_use]
    pub const fn urgent(&self) -> u16 {
        u16::from_be_bytes([self.fixed[18], self.fixed[19]])
    }

    /// The options, one after the other.
    #[must_use]
    pub const fn options(&self) -> OptionsIter<'a> {
        OptionsIter::new(self.options)
    }

    /// The options' bytes with their padding.
    #[must_use]
    pub const fn options_bytes(&self) -> &'a [u8] {
        self.options
    }

    /// The data.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// A TCP header to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// The sequence number of the first byte, or of the SYN.
    pub seq: u32,
    /// The acknowledgement number.
    pub ack: u32,
    /// The control bits; the low twelve bits count.
    pub flags: u16,
    /// The window, not scaled.
    pub window: u16,
    /// The urgent pointer.
    pub urgent: u16,
    /// The options, in the order they shall stand.
    pub options: Options,
}

impl Header {
    /// Fills in the checksum of an emitted header.
    ///
    /// `header` is what [`emit`](Emit::emit) wrote, no more and no less; `payload` is what will
    /// stand behind it, in as many slices as it happens to be in.
    pub fn fill_checksum(
        header: &mut [u8],
        addresses: &PseudoHeader,
        payload: &[&[u8]],
        intent: ChecksumIntent,
    ) {
        let length = header.len() + payload.iter().map(|slice| slice.len()).sum::<usize>();
        let pseudo = addresses.sum(IpProtocol::TCP, length);
        Self::fill_checksum_from(header, pseudo, payload, intent);
    }

    /// The same, from the sum of the pseudo-header, which segments of one connection have in common
    /// but for the length.
    pub fn fill_checksum_from(
        header: &mut [u8],
        pseudo: Sum,
        payload: &[&[u8]],
        intent: ChecksumIntent,
    ) {
        checksum::fill(header, CHECKSUM_OFFSET, pseudo, payload, intent);
    }
}

impl Emit for Header {
    fn wire_len(&self) -> usize {
        HEADER_LEN + self.options.padded_len()
    }

    /// The checksum field is zero; see [`fill_checksum`](Self::fill_checksum).
    fn emit(&self, out: &mut [u8]) {
        let header_len = self.wire_len();
        let (head, options) = fixed::<HEADER_LEN>(&mut out[..header_len]);
        let word = (header_len as u16 / 4) << 12 | (self.flags & FLAGS_MASK);
        head[0..2].copy_from_slice(&self.source_port.to_be_bytes());
        head[2..4].copy_from_slice(&self.destination_port.to_be_bytes());
        head[4..8].copy_from_slice(&self.seq.to_be_bytes());
        head[8..12].copy_from_slice(&self.ack.to_be_bytes());
        head[12..14].copy_from_slice(&word.to_be_bytes());
        head[14..16].copy_from_slice(&self.window.to_be_bytes());
        head[16..18].fill(0);
        head[18..20].copy_from_slice(&self.urgent.to_be_bytes());
        self.options.emit_padded(options);
    }
}
