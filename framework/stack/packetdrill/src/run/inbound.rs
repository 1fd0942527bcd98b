//! Packets of the script, ready to be sent to the stack.

use std::net::SocketAddr;

use super::flow::{Flow, UnknownTimestamp};
use super::icmp::numbers;
use crate::packet::{Datagram, Icmp, IpHeader, Packet, Payload, Segment, protocol};
use crate::script::{
    Body, EcnSpec, IcmpSpec, IpSpec, OptionsSpec, PacketSpec, Quoted, SeqSpec, TcpSpec,
};

/// TTL of packets whose script does not say.
const TTL: u8 = 255;

/// Why a packet of the script cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unmakeable {
    UnknownTimestamp(u32),
    UnknownIcmp(String),
}

impl std::fmt::Display for Unmakeable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownTimestamp(value) => {
                write!(f, "the script echoes timestamp {value}, which it has not seen")
            }
            Self::UnknownIcmp(name) => write!(f, "unknown ICMP type or code: {name}"),
        }
    }
}

impl From<UnknownTimestamp> for Unmakeable {
    fn from(UnknownTimestamp(value): UnknownTimestamp) -> Self {
        Self::UnknownTimestamp(value)
    }
}

/// Makes the packet for a connection. `data` gives the bytes from an offset in the script's stream.
pub(crate) fn packet(
    spec: &PacketSpec,
    flow: &Flow,
    data: impl Fn(u32, usize) -> Vec<u8>,
) -> Result<Packet, Unmakeable> {
    let ip = header(&spec.ip, flow.remote, flow.local);
    let payload = match &spec.body {
        Body::Tcp(tcp) => Payload::Tcp(segment(tcp, flow, data)?),
        Body::Udp { ports, length } => {
            let (source_port, destination_port) =
                ports.unwrap_or((flow.remote.port(), flow.local.port()));
            let data = data(0, usize::from(*length));
            Payload::Udp(Datagram { source_port, destination_port, data })
        }
        Body::Icmp(icmp) => Payload::Icmp(message(icmp, flow)?),
        // Refused before it comes to this.
        Body::Other(_) => Payload::Other(u8::MAX, Vec::new()),
    };
    Ok(Packet { ip, payload })
}

fn header(spec: &IpSpec, source: SocketAddr, destination: SocketAddr) -> IpHeader {
    let ecn = match spec.tos.ecn {
        Some(EcnSpec::Bits(bits)) => bits,
        _ => 0,
    };
    let tos = spec.tos.all.unwrap_or(spec.tos.dscp.unwrap_or(0) << 2 | ecn);
    IpHeader {
        source: source.ip(),
        destination: destination.ip(),
        tos,
        ttl: spec.ttl.unwrap_or(TTL),
        flow_label: spec.flow_label.unwrap_or(0),
    }
}

fn segment(
    spec: &TcpSpec,
    flow: &Flow,
    data: impl Fn(u32, usize) -> Vec<u8>,
) -> Result<Segment, Unmakeable> {
    let (options, raw_options) = match &spec.options {
        OptionsSpec::Exact(options) => (options.clone(), None),
        OptionsSpec::Raw(bytes) => (Vec::new(), Some(bytes.clone())),
        OptionsSpec::Any => (Vec::new(), None),
    };
    let segment = Segment {
        seq: spec.seq.start.unwrap_or(0),
        ack: spec.ack.unwrap_or(0),
        flags: spec.flags.bits,
        ae: spec.flags.ae,
        window: spec.window.unwrap_or(0),
        urgent: spec.urgent,
        options,
        raw_options,
        ..Segment::default()
    };
    let mut segment = flow.live(segment, spec.seq.absolute)?;
    // The first byte of the stream has the number behind the SYN's.
    let isn = flow.live_remote_isn().unwrap_or(0);
    let first = segment.seq.wrapping_add(u32::from(segment.has(crate::packet::flag::SYN)));
    segment.data = data(first.wrapping_sub(isn).wrapping_sub(1), usize::from(spec.seq.length));
    Ok(segment)
}

fn message(spec: &IcmpSpec, flow: &Flow) -> Result<Icmp, Unmakeable> {
    let v6 = flow.local.is_ipv6();
    let (kind, code) = numbers(&spec.kind, spec.code.as_deref(), v6)?;
    let mtu = spec.mtu.unwrap_or(0);
    let rest = match (spec.id, v6) {
        (Some(id), _) => [(id >> 8) as u8, id as u8, 0, 0],
        (None, true) => mtu.to_be_bytes(),
        (None, false) => [0, 0, (mtu >> 8) as u8, mtu as u8],
    };
    // A message that does not say what it quotes quotes the first segment.
    let first =
        Quoted::Tcp { seq: SeqSpec { start: Some(0), length: 0, absolute: false }, udp: None };
    let body = quoted(spec.quoted.as_ref().unwrap_or(&first), flow);
    Ok(Icmp { kind, code, rest, body })
}

/// The packet as the stack is supposed to have sent it: its IP header and 8 bytes (RFC 792) or more.
fn quoted(spec: &Quoted, flow: &Flow) -> Vec<u8> {
    let ip = header(&IpSpec { ttl: Some(64), ..IpSpec::default() }, flow.local, flow.remote);
    let (number, length, head) = match spec {
        Quoted::Tcp { seq, .. } => {
            let segment = Segment {
                source_port: flow.local.port(),
                destination_port: flow.remote.port(),
                seq: flow.quoted_live(seq.start.unwrap_or(0)),
                ..Segment::default()
            };
            (protocol::TCP, 20 + usize::from(seq.length), segment.to_bytes(&ip))
        }
        Quoted::Udp(length) => {
            let mut head = flow.local.port().to_be_bytes().to_vec();
            head.extend(flow.remote.port().to_be_bytes());
            head.extend((length + 8).to_be_bytes());
            head.extend([0, 0]);
            (protocol::UDP, usize::from(*length) + 8, head)
        }
        Quoted::Raw(length) => (u8::MAX, usize::from(*length), vec![0; 8]),
        // Refused before it comes to this.
        Quoted::Other(_) => (u8::MAX, 8, vec![0; 8]),
    };
    let mut out = ip.to_bytes(number, length);
    out.extend(head);
    out
}

/// The bytes of the script's stream from an offset: no two neighbouring blocks are alike, so that
/// data that is lost, doubled or moved shows.
pub(crate) fn pattern(offset: u32, length: usize) -> Vec<u8> {
    let byte = |at: u32| (at ^ at >> 8 ^ at >> 16).wrapping_mul(167) as u8;
    (0..length as u32).map(|i| byte(offset.wrapping_add(i))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::run::flow::Stage;
    use crate::script::{Action, parse};

    fn make(text: &str, local: &str, remote: &str) -> Result<Packet, Unmakeable> {
        let script = parse(Path::new("t"), &format!("0 < {text}"), &BTreeMap::new()).unwrap();
        let Action::Packet(spec) = script.events[0].action.clone() else { panic!() };
        let flow = Flow::new(Stage::Passive, local.parse().unwrap(), remote.parse().unwrap());
        packet(&spec, &flow, pattern)
    }

    #[test]
    fn packets_can_be_read_back() {
        let v4 = ("192.168.0.1:80", "192.0.2.1:9");
        let v6 = ("[fd00::1]:80", "[fd00::2]:9");
        for (local, remote) in [v4, v6] {
            let texts =
                ["(ttl 7) S 5:8(3) win 9 <mss 1460>", "udp (7)", "icmp unreachable [1:5(4)]"];
            for text in texts {
                let packet = make(text, local, remote).unwrap();
                let back = Packet::from_bytes(&packet.to_bytes()).unwrap();
                assert_eq!(back, packet, "{text}");
            }
        }
    }

    #[test]
    fn icmp_names_have_numbers_of_their_version() {
        let kind = |text: &str, local, remote| match make(text, local, remote)?.payload {
            Payload::Icmp(icmp) => Ok((icmp.kind, icmp.code, icmp.rest[3])),
            _ => panic!(),
        };
        let v4 = |text| kind(text, "192.168.0.1:80", "192.0.2.1:9");
        let v6 = |text| kind(text, "[fd00::1]:80", "[fd00::2]:9");
        assert_eq!(v4("icmp unreachable frag_needed mtu 40 [1:2(1)]"), Ok((3, 4, 40)));
        assert_eq!(v6("icmp packet_too_big mtu 41"), Ok((2, 0, 41)));
        assert_eq!(v4("icmp parameter_problem code_3"), Ok((12, 3, 0)));
        assert_eq!(v6("icmp source_quench"), Err(Unmakeable::UnknownIcmp("source_quench".into())));
    }

    #[test]
    fn the_pattern_tells_places_apart() {
        let start = pattern(0, 4000);
        for shift in [1, 255, 256, 1000, 1460] {
            assert_ne!(&start[..64], &pattern(shift, 64)[..], "{shift}");
        }
        assert_eq!(start[100..200], pattern(100, 100)[..]);
    }
}
