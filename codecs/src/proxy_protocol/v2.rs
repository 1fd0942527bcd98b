//! Version 2: binary (section 2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use fyke_buffer::ByteBuf;
use fyke_codec::CodecError;

use super::crc32c::crc32c;
use super::header::{ProxyCommand, ProxyEndpoints, ProxyHeader, ProxyTransport};
use super::tlv::{self, Tlv};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and transport, length.
const FIXED_BYTES: usize = 16;
const VERSION: u8 = 0x20;
const UNIX_PATH_BYTES: usize = 108;

const UNSPEC: u8 = 0x0;
const INET: u8 = 0x1;
const INET6: u8 = 0x2;
const UNIX: u8 = 0x3;

const fn malformed<T>(what: &'static str) -> Result<T, CodecError> {
    Err(CodecError::malformed(what))
}

/// The header at the beginning of `bytes`, and its length; `None` when more bytes are needed. What
/// is wrong with the fixed part is found as soon as it is there.
pub(super) fn decode(
    bytes: &[u8],
    header_bytes_max: usize,
) -> Result<Option<(ProxyHeader, usize)>, CodecError> {
    let rest = bytes.get(SIGNATURE.len()..).unwrap_or_default();
    let command = match rest.first() {
        None => return Ok(None),
        Some(byte) if byte & 0xF0 != VERSION => return malformed("PROXY: an unknown version"),
        Some(byte) => match byte & 0x0F {
            0 => ProxyCommand::Local,
            1 => ProxyCommand::Proxy,
            _ => return malformed("PROXY: an unknown command"),
        },
    };
    let Some(&family) = rest.get(1) else { return Ok(None) };
    if family >> 4 > UNIX || family & 0x0F > 2 {
        return malformed("PROXY: an unknown family or transport");
    }
    let Some(&[high, low]) = rest.get(2..4) else { return Ok(None) };
    let length = FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if length > header_bytes_max {
        let (size, limit) = (length as u64, header_bytes_max as u64);
        return Err(CodecError::TooLarge { what: "a PROXY header", size, limit });
    }
    let Some(whole) = bytes.get(..length) else { return Ok(None) };
    let (endpoints, rest) = endpoints(family, &whole[FIXED_BYTES..])?;
    let tlvs = match command {
        // What a local connection says of addresses is to be ignored, and the rest with it where
        // the addresses are not of a known kind.
        ProxyCommand::Local => return Ok(Some((ProxyHeader::local(), length))),
        ProxyCommand::Proxy if endpoints == ProxyEndpoints::Unknown => Vec::new(),
        ProxyCommand::Proxy => tlv::parse(rest)?,
    };
    check_sum(whole, rest, &tlvs)?;
    Ok(Some((ProxyHeader { command, endpoints, tlvs }, length)))
}

/// The addresses, and what follows them.
fn endpoints(family: u8, bytes: &[u8]) -> Result<(ProxyEndpoints, &[u8]), CodecError> {
    let transport = match family & 0x0F {
        1 => ProxyTransport::Stream,
        2 => ProxyTransport::Datagram,
        _ => return Ok((ProxyEndpoints::Unknown, bytes)),
    };
    let short = CodecError::malformed("PROXY: shorter than its addresses");
    match family >> 4 {
        INET => {
            let (b, rest) = bytes.split_first_chunk::<12>().ok_or(short)?;
            let ip = |at: usize| IpAddr::V4(Ipv4Addr::new(b[at], b[at + 1], b[at + 2], b[at + 3]));
            let port = |at: usize| u16::from_be_bytes([b[at], b[at + 1]]);
            let source = SocketAddr::new(ip(0), port(8));
            let destination = SocketAddr::new(ip(4), port(10));
            Ok((ProxyEndpoints::Inet { transport, source, destination }, rest))
        }
        INET6 => {
            let (b, rest) = bytes.split_first_chunk::<36>().ok_or(short)?;
            let ip = |at: usize| {
                let octets: [u8; 16] = std::array::from_fn(|i| b[at + i]);
                IpAddr::V6(Ipv6Addr::from(octets))
            };
            let port = |at: usize| u16::from_be_bytes([b[at], b[at + 1]]);
            let source = SocketAddr::new(ip(0), port(32));
            let destination = SocketAddr::new(ip(16), port(34));
            Ok((ProxyEndpoints::Inet { transport, source, destination }, rest))
        }
        UNIX => {
            let (b, rest) = bytes.split_first_chunk::<{ 2 * UNIX_PATH_BYTES }>().ok_or(short)?;
            let path = |b: &[u8]| {
                let length = b.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                b[..length].to_vec()
            };
            let source = path(&b[..UNIX_PATH_BYTES]);
            let destination = path(&b[UNIX_PATH_BYTES..]);
            Ok((ProxyEndpoints::Unix { transport, source, destination }, rest))
        }
        _ => Ok((ProxyEndpoints::Unknown, bytes)),
    }
}

/// A checksum that is there has to be right: over the whole header, with zeros in its own place.
fn check_sum(whole: &[u8], tlv_bytes: &[u8], tlvs: &[Tlv]) -> Result<(), CodecError> {
    let mut at = whole.len() - tlv_bytes.len();
    for tlv in tlvs {
        let value = at + 3;
        at = value + tlv.value.len();
        if tlv.kind != Tlv::CRC32C {
            continue;
        }
        let Ok(sum) = <[u8; 4]>::try_from(&tlv.value[..]) else {
            return malformed("PROXY: a checksum has four bytes");
        };
        let covered = whole[..value].iter().chain(&[0; 4]).chain(&whole[at..]);
        if crc32c(covered) != u32::from_be_bytes(sum) {
            return malformed("PROXY: the checksum is wrong");
        }
    }
    Ok(())
}

fn family_of(endpoints: &ProxyEndpoints) -> u8 {
    let (family, transport) = match endpoints {
        ProxyEndpoints::Unknown => return UNSPEC,
        ProxyEndpoints::Inet { transport, source: SocketAddr::V4(_), .. } => (INET, transport),
        ProxyEndpoints::Inet { transport, .. } => (INET6, transport),
        ProxyEndpoints::Unix { transport, .. } => (UNIX, transport),
    };
    let transport = match transport {
        ProxyTransport::Stream => 1,
        ProxyTransport::Datagram => 2,
    };
    family << 4 | transport
}

fn write_endpoints(endpoints: &ProxyEndpoints, body: &mut Vec<u8>) -> Result<(), CodecError> {
    match endpoints {
        ProxyEndpoints::Unknown => {}
        ProxyEndpoints::Inet { source, destination, .. } => {
            match (source.ip(), destination.ip()) {
                (IpAddr::V4(from), IpAddr::V4(to)) => {
                    body.extend([from.octets(), to.octets()].concat());
                }
                (IpAddr::V6(from), IpAddr::V6(to)) => {
                    body.extend([from.octets(), to.octets()].concat());
                }
                _ => {
                    let what = "PROXY: the addresses are of two families";
                    return Err(CodecError::Unencodable { what });
                }
            }
            body.extend(source.port().to_be_bytes());
            body.extend(destination.port().to_be_bytes());
        }
        ProxyEndpoints::Unix { source, destination, .. } => {
            for path in [source, destination] {
                if path.len() > UNIX_PATH_BYTES {
                    let what = "PROXY: a path has more than 108 bytes";
                    return Err(CodecError::Unencodable { what });
                }
                body.extend(path);
                body.resize(body.len() + UNIX_PATH_BYTES - path.len(), 0);
            }
        }
    }
    Ok(())
}

pub(super) fn encode(
    header: &ProxyHeader,
    checksum: bool,
    out: &mut ByteBuf,
) -> Result<(), CodecError> {
    let too_long = || CodecError::Unencodable { what: "PROXY: a header has 65535 bytes at most" };
    let command = match header.command {
        ProxyCommand::Local => 0,
        ProxyCommand::Proxy => 1,
    };
    let mut body = Vec::new();
    write_endpoints(&header.endpoints, &mut body)?;
    let mut put = |kind: u8, value: &[u8]| {
        let length = u16::try_from(value.len()).map_err(|_| too_long())?;
        body.push(kind);
        body.extend(length.to_be_bytes());
        body.extend(value);
        Ok::<_, CodecError>(())
    };
    for tlv in &header.tlvs {
        put(tlv.kind, &tlv.value)?;
    }
    if checksum {
        put(Tlv::CRC32C, &[0; 4])?;
    }
    let length = u16::try_from(body.len()).map_err(|_| too_long())?;
    let family = family_of(&header.endpoints);
    let mut whole =
        [SIGNATURE, &[VERSION | command, family], &length.to_be_bytes(), &body].concat();
    if checksum {
        let (sum, at) = (crc32c(&whole), whole.len() - 4);
        whole[at..].copy_from_slice(&sum.to_be_bytes());
    }
    out.write_slice(&whole);
    Ok(())
}
