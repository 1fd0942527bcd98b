//! Ethernet II frames, with a VLAN tag or not; IEEE 802.3 frames are told apart.

use core::fmt;

use super::emit::{Emit, fixed};
use super::{Error, MacAddress};

/// Bytes of a header without a tag.
pub const HEADER_LEN: usize = 14;
/// Bytes a VLAN tag adds.
pub const VLAN_TAG_LEN: usize = 4;
/// A frame shorter than this is padded on a wire. The frame check sequence is not counted.
pub const FRAME_LEN_MIN: usize = 60;

/// The largest value of the type field that is a length (IEEE 802.3, section 3.2.6).
const LENGTH_MAX: u16 = 1500;
/// The smallest one that is a type.
const TYPE_MIN: u16 = 0x0600;

/// What an Ethernet frame carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: Self = Self(0x0800);
    /// ARP.
    pub const ARP: Self = Self(0x0806);
    /// A VLAN tag (IEEE 802.1Q).
    pub const VLAN: Self = Self(0x8100);
    /// IPv6.
    pub const IPV6: Self = Self(0x86dd);
    /// A service VLAN tag (IEEE 802.1ad).
    pub const SERVICE_VLAN: Self = Self(0x88a8);
}

impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::IPV4 => f.write_str("IPv4"),
            Self::ARP => f.write_str("ARP"),
            Self::VLAN => f.write_str("802.1Q"),
            Self::IPV6 => f.write_str("IPv6"),
            Self::SERVICE_VLAN => f.write_str("802.1ad"),
            Self(other) => write!(f, "{other:#06x}"),
        }
    }
}

impl fmt::Debug for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A VLAN tag, as it stands behind its own type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VlanTag {
    /// Whose tag it is: [`EtherType::VLAN`] or [`EtherType::SERVICE_VLAN`].
    pub ethertype: EtherType,
    /// Priority, drop eligibility and the VLAN's number.
    pub control: u16,
}

impl VlanTag {
    /// The VLAN's number, 12 bits.
    #[must_use]
    pub const fn id(self) -> u16 {
        self.control & 0x0fff
    }

    /// The priority, 3 bits.
    #[must_use]
    pub const fn priority(self) -> u8 {
        (self.control >> 13) as u8
    }

    /// Whether it may be dropped before others.
    #[must_use]
    pub const fn drop_eligible(self) -> bool {
        self.control & 0x1000 != 0
    }
}

/// How a frame says what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Ethernet II: the payload's type.
    Type(EtherType),
    /// IEEE 802.3: the payload's length; what it is stands in a logical link header.
    Length(u16),
}

/// A frame whose lengths have been checked.
///
/// The payload of an Ethernet II frame may have padding at its end, which only the layer above can
/// tell; that of an 802.3 frame is cut at its length.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    addresses: &'a [u8; 12],
    vlan: Option<VlanTag>,
    kind: FrameKind,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// A frame without its frame check sequence. Of several VLAN tags the outermost is taken.
    ///
    /// # Errors
    /// When bytes are missing, or the type field is neither a length nor a type.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (addresses, rest) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
        let (first, rest) = word(rest)?;
        let (vlan, field, rest) = match EtherType(first) {
            ethertype @ (EtherType::VLAN | EtherType::SERVICE_VLAN) => {
                let (control, rest) = word(rest)?;
                let (field, rest) = word(rest)?;
                (Some(VlanTag { ethertype, control }), field, rest)
            }
            _ => (None, first, rest),
        };
        let (kind, payload) = match field {
            0..=LENGTH_MAX => {
                let payload = rest.get(..usize::from(field)).ok_or(Error::Truncated)?;
                (FrameKind::Length(field), payload)
            }
            TYPE_MIN.. => (FrameKind::Type(EtherType(field)), rest),
            _ => return Err(Error::Unsupported),
        };
        Ok(Self { addresses, vlan, kind, payload })
    }

    /// The value that emits the same header; `None` of an 802.3 frame, which we never send.
    #[must_use]
    pub fn header(&self) -> Option<Header> {
        Some(Header {
            destination: self.destination(),
            source: self.source(),
            vlan: self.vlan,
            ethertype: self.ethertype()?,
        })
    }

    /// Who shall receive.
    #[must_use]
    pub const fn destination(&self) -> MacAddress {
        let [a, b, c, d, e, f, ..] = *self.addresses;
        MacAddress([a, b, c, d, e, f])
    }

    /// Who sends.
    #[must_use]
    pub const fn source(&self) -> MacAddress {
        let [.., a, b, c, d, e, f] = *self.addresses;
        MacAddress([a, b, c, d, e, f])
    }

    /// The outermost VLAN tag.
    #[must_use]
    pub const fn vlan(&self) -> Option<VlanTag> {
        self.vlan
    }

    /// Type or length.
    #[must_use]
    pub const fn kind(&self) -> FrameKind {
        self.kind
    }

    /// The payload's type, unless it is an 802.3 frame.
    #[must_use]
    pub const fn ethertype(&self) -> Option<EtherType> {
        match self.kind {
            FrameKind::Type(ethertype) => Some(ethertype),
            FrameKind::Length(_) => None,
        }
    }

    /// What the frame carries.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// The first two bytes and the rest.
fn word(bytes: &[u8]) -> Result<(u16, &[u8]), Error> {
    let (word, rest) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
    Ok((u16::from_be_bytes(*word), rest))
}

/// An Ethernet II header to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Who shall receive.
    pub destination: MacAddress,
    /// Who sends.
    pub source: MacAddress,
    /// A VLAN tag.
    pub vlan: Option<VlanTag>,
    /// What the frame carries.
    pub ethertype: EtherType,
}

impl Emit for Header {
    fn wire_len(&self) -> usize {
        HEADER_LEN + if self.vlan.is_some() { VLAN_TAG_LEN } else { 0 }
    }

    fn emit(&self, out: &mut [u8]) {
        let (addresses, mut rest) = fixed::<12>(out);
        addresses[..6].copy_from_slice(&self.destination.octets());
        addresses[6..].copy_from_slice(&self.source.octets());
        if let Some(tag) = self.vlan {
            let (bytes, behind) = fixed::<VLAN_TAG_LEN>(rest);
            bytes[..2].copy_from_slice(&tag.ethertype.0.to_be_bytes());
            bytes[2..].copy_from_slice(&tag.control.to_be_bytes());
            rest = behind;
        }
        let (bytes, _) = fixed::<2>(rest);
        *bytes = self.ethertype.0.to_be_bytes();
    }
}
