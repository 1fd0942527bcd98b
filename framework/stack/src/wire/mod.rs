//! How every protocol looks on the wire: views over bytes, values to emit, checksums.
//!
//! Each protocol is there twice:
//!
//! * a **view** over `&[u8]` (`Packet`, `Frame`). Its `parse` checks every length once, so that no
//!   accessor can fail; the payload ends where the header's length field says, not where the frame's
//!   padding does. Checksums are not looked at until `checksum_is_valid` is asked, because a device
//!   may have looked already.
//! * a **value** (`Header`, `Message`) that implements [`Emit`]: the header alone. The payload stays
//!   where it is, and what is to be done about the checksum is said apart, by a [`ChecksumIntent`].
//!
//! Messages whose fields have fixed places (ARP, a fragment header, virtio's header) are values that
//! parse themselves.
//!
//! | layer | modules |
//! |---|---|
//! | link | [`ethernet`], [`arp`], [`virtio_net`] |
//! | internet | [`ipv4`], [`ipv6`] with extension headers |
//! | control | [`icmpv4`], [`icmpv6`], [`Quoted`] packets, [`ndp`], [`mld`], [`igmp`], [`multicast`] |
//! | transport | [`tcp`], [`udp`] |
//! | all of them | [`checksum`], [`pretty`] printing, [`pcapng`] captures |
//!
//! Every loop over what a peer sent ends: each step takes at least one byte, IPv6's extension
//! headers and their options have budgets besides, and printing looks only a few packets deep.
//!
//! Numbers are plain integers, addresses those of [`core::net`]. Nothing in here knows any other
//! module of the crate. Not here: jumbograms (RFC 2675), AH and ESP, the extensions of ICMP errors
//! (RFC 4884), and what is in an 802.3 frame.

pub mod arp;
pub mod checksum;
mod emit;
mod error;
pub mod ethernet;
pub mod icmp;
pub mod icmpv4;
pub mod icmpv6;
pub mod igmp;
pub mod ipv4;
pub mod ipv6;
mod mac;
pub mod mld;
pub mod multicast;
pub mod ndp;
mod option_bytes;
pub mod pcapng;
pub mod pretty;
mod protocol;
mod quoted;
pub mod tcp;
pub mod udp;
pub mod virtio_net;

pub use checksum::{ChecksumIntent, PseudoHeader, Sum};
pub use emit::Emit;
pub use error::Error;
pub use mac::{MacAddress, ParseMacError};
pub use protocol::IpProtocol;
pub use quoted::Quoted;
