//! Blocks of pcapng (draft-ietf-opsawg-pcapng): a section, an interface, packets.

use std::time::Duration;

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
/// Packets begin with a header of IPv4 or IPv6.
const LINKTYPE_RAW: u16 = 101;
/// Times are in units of 10^-9 s.
const NANOSECONDS: u8 = 9;
const IF_TSRESOL: u16 = 9;

/// A block: type, length, body filled up to four bytes, length.
fn block(kind: u32, body: &[u8], out: &mut Vec<u8>) {
    let padding = body.len().wrapping_neg() % 4;
    // Bodies are packets of IP and short headers.
    let length = u32::try_from(body.len() + padding + 12).unwrap_or(u32::MAX).to_le_bytes();
    out.extend(kind.to_le_bytes());
    out.extend(length);
    out.extend(body);
    out.extend(&[0; 3][..padding]);
    out.extend(length);
}

/// The beginning of a file: its section, and its one interface.
#[must_use]
pub fn file_header() -> Vec<u8> {
    let mut out = Vec::new();
    let mut section = Vec::new();
    section.extend(BYTE_ORDER.to_le_bytes());
    section.extend(1_u16.to_le_bytes());
    section.extend(0_u16.to_le_bytes());
    // The length of the section is not known.
    section.extend(u64::MAX.to_le_bytes());
    block(SECTION_HEADER, &section, &mut out);
    let mut interface = Vec::new();
    interface.extend(LINKTYPE_RAW.to_le_bytes());
    interface.extend(0_u16.to_le_bytes());
    // Packets are cut where the program has not got their bytes, and nowhere else.
    interface.extend(0_u32.to_le_bytes());
    interface.extend(IF_TSRESOL.to_le_bytes());
    interface.extend(1_u16.to_le_bytes());
    interface.extend([NANOSECONDS, 0, 0, 0]);
    interface.extend(0_u32.to_le_bytes());
    block(INTERFACE, &interface, &mut out);
    out
}

/// Appends a packet of IP that was `length` bytes long, at a time since 1970. `packet` may be its
/// beginning only.
pub fn packet_block(unix_time: Duration, packet: &[u8], length: usize, out: &mut Vec<u8>) {
    let nanos = u64::try_from(unix_time.as_nanos()).unwrap_or(u64::MAX);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let mut body = Vec::with_capacity(packet.len() + 20);
    body.extend(0_u32.to_le_bytes());
    body.extend(((nanos >> 32) as u32).to_le_bytes());
    body.extend((nanos as u32).to_le_bytes());
    body.extend(count(packet.len()));
    body.extend(count(length.max(packet.len())));
    body.extend(packet);
    block(ENHANCED_PACKET, &body, out);
}
