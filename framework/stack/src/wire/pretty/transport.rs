//! TCP, UDP, tunnels, and what is neither.

use core::fmt::{self, Display, Formatter};

use super::{Carried, DEPTH_MAX, broken, control, ip};
use crate::wire::tcp::{self, TcpOption};
use crate::wire::{Error, IpProtocol, udp};

/// Addresses, ports, and the transport's header.
pub(super) fn print(f: &mut Formatter<'_>, carried: &Carried<'_>) -> fmt::Result {
    let Carried { source, destination, protocol, payload, depth, .. } = *carried;
    match protocol {
        IpProtocol::TCP => return tcp(f, carried),
        IpProtocol::UDP => return udp(f, carried),
        _ => write!(f, "{source} > {destination}: ")?,
    }
    match protocol {
        IpProtocol::ICMPV4 => control::icmpv4(f, carried),
        IpProtocol::ICMPV6 => control::icmpv6(f, carried),
        IpProtocol::IGMP => control::igmp(f, payload),
        IpProtocol::IPV4 | IpProtocol::IPV6 if depth < DEPTH_MAX => ip(f, payload, depth + 1),
        other => write!(f, "{other}, length {}", payload.len()),
    }
}

/// Addresses with the ports that there are, and why there is no more.
fn cut(f: &mut Formatter<'_>, carried: &Carried<'_>, what: &str, error: Error) -> fmt::Result {
    let Carried { source, destination, payload, .. } = carried;
    match payload.first_chunk() {
        Some(&[a, b, c, d]) => {
            let (from, to) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            write!(f, "{source}.{from} > {destination}.{to}: ")?;
        }
        None => write!(f, "{source} > {destination}: ")?,
    }
    match payload.get(4..8) {
        // Of a quoted segment the first eight bytes are all there is, as a rule.
        Some(&[a, b, c, d]) if what == "tcp" && carried.is_cut => {
            write!(f, "tcp, seq {}", u32::from_be_bytes([a, b, c, d]))
        }
        // Of a datagram in fragments, or a quoted one, the length is known.
        Some(&[a, b, ..]) if what == "udp" && error == Error::Truncated => {
            let length = u16::from_be_bytes([a, b]).saturating_sub(udp::HEADER_LEN as u16);
            write!(f, "UDP, length {length}, {} here", payload.len() - udp::HEADER_LEN)
        }
        _ => broken(f, what, error, payload.len()),
    }
}

fn tcp(f: &mut Formatter<'_>, carried: &Carried<'_>) -> fmt::Result {
    let Carried { source, destination, payload, .. } = carried;
    let segment = match tcp::Packet::parse(payload) {
        Ok(segment) => segment,
        Err(error) => return cut(f, carried, "tcp", error),
    };
    let (from, to) = (segment.source_port(), segment.destination_port());
    write!(f, "{source}.{from} > {destination}.{to}: Flags [{}]", Flags(segment.flags()))?;
    let (seq, length) = (segment.seq(), segment.payload().len());
    if length > 0 {
        let end = seq.wrapping_add(u32::try_from(length).unwrap_or(u32::MAX));
        write!(f, ", seq {seq}:{end}")?;
    } else if segment.flags() & (tcp::SYN | tcp::FIN | tcp::RST) != 0 {
        write!(f, ", seq {seq}")?;
    }
    if segment.flags() & tcp::ACK != 0 {
        write!(f, ", ack {}", segment.ack())?;
    }
    write!(f, ", win {}", segment.window())?;
    if segment.flags() & tcp::URG != 0 {
        write!(f, ", urg {}", segment.urgent())?;
    }
    let mut separator = ", options [";
    let mut options = segment.options();
    for option in options.by_ref() {
        write!(f, "{separator}{}", Shown(option))?;
        separator = ",";
    }
    if !options.rest().is_empty() {
        write!(f, "{separator}malformed")?;
        separator = ",";
    }
    if separator == "," {
        f.write_str("]")?;
    }
    write!(f, ", length {length}")
}

/// Control bits by tcpdump's letters.
struct Flags(u16);

impl Display for Flags {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const LETTERS: [(u16, char); 9] = [
            (tcp::FIN, 'F'),
            (tcp::SYN, 'S'),
            (tcp::RST, 'R'),
            (tcp::PSH, 'P'),
            (tcp::URG, 'U'),
            (tcp::CWR, 'W'),
            (tcp::ECE, 'E'),
            (tcp::AE, 'e'),
            (tcp::ACK, '.'),
        ];
        let mut set = LETTERS.iter().filter(|(bit, _)| self.0 & bit != 0).peekable();
        if set.peek().is_none() {
            return f.write_str("none");
        }
        set.try_for_each(|(_, letter)| write!(f, "{letter}"))
    }
}

struct Shown<'a>(TcpOption<'a>);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            TcpOption::EndOfList => f.write_str("eol"),
            TcpOption::Nop => f.write_str("nop"),
            TcpOption::MaximumSegmentSize(size) => write!(f, "mss {size}"),
            TcpOption::WindowScale(shift) => write!(f, "wscale {shift}"),
            TcpOption::SackPermitted => f.write_str("sackOK"),
            TcpOption::Sack(blocks) => {
                f.write_str("sack ")?;
                let mut blocks = blocks.as_slice().iter();
                blocks.try_for_each(|(left, right)| write!(f, "{{{left}:{right}}}"))
            }
            TcpOption::Timestamps { value, echo } => write!(f, "TS val {value} ecr {echo}"),
            TcpOption::FastOpen([]) => f.write_str("tfo cookiereq"),
            TcpOption::FastOpen(cookie) => write!(f, "tfo cookie {}", Hex(cookie)),
            TcpOption::FastOpenExperiment([]) => f.write_str("exp-tfo cookiereq"),
            TcpOption::FastOpenExperiment(cookie) => write!(f, "exp-tfo cookie {}", Hex(cookie)),
            TcpOption::Unknown { kind, data } => write!(f, "unknown-{kind} 0x{}", Hex(data)),
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn udp(f: &mut Formatter<'_>, carried: &Carried<'_>) -> fmt::Result {
    let Carried { source, destination, payload, .. } = carried;
    let datagram = match udp::Packet::parse(payload) {
        Ok(datagram) => datagram,
        Err(error) => return cut(f, carried, "udp", error),
    };
    let (from, to) = (datagram.source_port(), datagram.destination_port());
    let length = datagram.payload().len();
    write!(f, "{source}.{from} > {destination}.{to}: UDP, length {length}")
}
