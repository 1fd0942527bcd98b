//! Version 1: a line of text (section 2.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use fyke_buffer::ByteBuf;
use fyke_codec::CodecError;

use super::header::{ProxyCommand, ProxyEndpoints, ProxyHeader, ProxyTransport};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line, with its end.
const LINE_BYTES_MAX: usize = 107;

const fn malformed<T>(what: &'static str) -> Result<T, CodecError> {
    Err(CodecError::malformed(what))
}

/// The header at the beginning of `bytes`, and its length; `None` when more bytes are needed.
pub(super) fn decode(bytes: &[u8]) -> Result<Option<(ProxyHeader, usize)>, CodecError> {
    let window = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return match bytes.len() {
            LINE_BYTES_MAX.. => malformed("PROXY: the line has more than 107 bytes"),
            _ if window.contains(&b'\n') => malformed("PROXY: the line ends without CR"),
            _ => Ok(None),
        };
    };
    let line = &window[..end];
    if line.contains(&b'\n') {
        return malformed("PROXY: the line ends without CR");
    }
    let Ok(text) = std::str::from_utf8(&line[SIGNATURE.len()..]) else {
        return malformed("PROXY: the line is no text");
    };
    let endpoints = endpoints(text)?;
    Ok(Some((ProxyHeader::proxy(endpoints), end + 2)))
}

fn endpoints(text: &str) -> Result<ProxyEndpoints, CodecError> {
    // Whatever follows this is to be ignored.
    if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        return Ok(ProxyEndpoints::Unknown);
    }
    let mut fields = text.split(' ');
    let mut next = || fields.next().ok_or(CodecError::malformed("PROXY: a field is missing"));
    let family = next()?;
    let (source, destination) = (address(family, next()?)?, address(family, next()?)?);
    let (source_port, destination_port) = (port(next()?)?, port(next()?)?);
    if fields.next().is_some() {
        return malformed("PROXY: more fields than there are");
    }
    Ok(ProxyEndpoints::Inet {
        transport: ProxyTransport::Stream,
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    })
}

fn address(family: &str, text: &str) -> Result<IpAddr, CodecError> {
    let parsed = match family {
        "TCP4" => text.parse::<Ipv4Addr>().map(IpAddr::V4),
        "TCP6" => text.parse::<Ipv6Addr>().map(IpAddr::V6),
        _ => return malformed("PROXY: a family that is none"),
    };
    parsed.map_err(|_| CodecError::malformed("PROXY: an address that is none"))
}

/// Decimal digits without a sign, and without zeros in front.
fn port(text: &str) -> Result<u16, CodecError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    let port = text.parse().ok().filter(|_| canonical);
    port.ok_or(CodecError::malformed("PROXY: a port that is none"))
}

pub(super) fn encode(header: &ProxyHeader, out: &mut ByteBuf) -> Result<(), CodecError> {
    if !header.tlvs.is_empty() {
        return Err(CodecError::Unencodable { what: "PROXY: version 1 has no TLVs" });
    }
    let line = match (header.command, &header.endpoints) {
        (
            ProxyCommand::Proxy,
            ProxyEndpoints::Inet { transport: ProxyTransport::Stream, source, destination },
        ) => {
            let family = match (source, destination) {
                (SocketAddr::V4(_), SocketAddr::V4(_)) => "TCP4",
                (SocketAddr::V6(_), SocketAddr::V6(_)) => "TCP6",
                _ => {
                    let what = "PROXY: the addresses are of two families";
                    return Err(CodecError::Unencodable { what });
                }
            };
            let (from, to) = (source.ip(), destination.ip());
            format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port())
        }
        _ => "PROXY UNKNOWN\r\n".to_owned(),
    };
    out.write_str(&line);
    Ok(())
}
