//! Lines for frames: those of the capture, and those that are broken.

use fyke_stack::wire::{Emit, IpProtocol, ipv4, ipv6, pretty, tcp};

use super::samples::capture;

/// Some lines of the capture, each of a kind of its own.
const LINES: &[&str] = &[
    "ARP, Request who-has 10.0.0.2 tell 10.0.0.1",
    "ARP, Reply 10.0.0.2 is-at 02:00:00:00:00:02",
    "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 4660, seq 1, length 24",
    "IP6 2001:db8::1 > ff02::1:ff00:2: ICMP6, neighbor solicitation, who has 2001:db8::2, source 02:00:00:00:00:01, length 32",
    "IP6 2001:db8::2 > 2001:db8::1: ICMP6, neighbor advertisement, tgt is 2001:db8::2, router, solicited, override, target 02:00:00:00:00:02, length 32",
    "IP6 fe80::ff:fe00:1 > ff02::2: ICMP6, router solicitation, source 02:00:00:00:00:01, length 16",
    "IP 10.0.0.2 > 10.0.0.1: ICMP time exceeded in-transit (IP 10.0.0.1 > 10.9.0.9: ICMP echo request, id 4660, seq 1, length 24), length 52",
    "IP 10.0.0.2 > 10.0.0.1: ICMP need to frag (mtu 1280) (IP 10.0.0.1 > 10.9.0.9: ICMP echo request, id 4660, seq 1, length 528), length 556",
    "IP6 2001:db8::2 > 2001:db8::1: ICMP6, packet too big, mtu 1280 (IP6 2001:db8::1 > 2001:db8:9::9: ICMP6, echo request, id 4660, seq 1, length 1192), length 1240",
    "IP 10.0.0.1 > 224.0.0.2: igmp leave 239.1.2.2",
    "IP 10.0.0.1 > 224.0.0.22: igmp v3 report, AllowNewSources 239.9.9.9 [10.0.0.7]",
    "IP6 fe80::ff:fe00:1 > ff02::2: ICMP6, multicast listener done ff02::121, length 24",
];

#[test]
fn the_capture() {
    let capture = capture();
    let lines: Vec<_> = capture.iter().map(|p| pretty::frame(p.bytes).to_string()).collect();
    for line in LINES {
        assert!(lines.iter().any(|printed| printed == line), "{line}\nin\n{}", lines.join("\n"));
    }
    let broken: Vec<_> = lines.iter().filter(|line| line.contains('[')).collect();
    // Brackets are around flags, options and sources, and around nothing that did not parse.
    let fine = |line: &str| line.contains("Flags [") || line.contains("report");
    assert!(broken.iter().all(|line| fine(line)), "{broken:#?}");
    let syn = lines.iter().find(|line| line.contains("Flags [S]")).unwrap();
    assert!(syn.contains(", win 64240, options [mss 1460,sackOK,TS val "), "{syn}");
    assert!(syn.ends_with(" ecr 0,nop,wscale 10], length 0"), "{syn}");
    assert!(lines.iter().any(|line| line.contains("tfo cookiereq")));
    let frame = format!("{:#}", pretty::frame(capture[0].bytes));
    assert!(frame.starts_with("02:00:00:00:00:01 > 33:33:00:00:00:16, IP6 "), "{frame}");
}

/// A segment between 10.0.0.1 and 10.0.0.2.
fn segment(header: &tcp::Header, payload: &[u8]) -> Vec<u8> {
    let length = (header.wire_len() + payload.len()) as u16;
    let ip = ipv4::Header::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), IpProtocol::TCP, length);
    [&ip.to_vec(), &header.to_vec(), payload].concat()
}

#[test]
fn segments() {
    use tcp::TcpOption;
    let blocks = tcp::SackBlocks::new(&[(5, 9), (20, 30)]);
    let options = [TcpOption::Nop, TcpOption::Nop, TcpOption::Sack(blocks)];
    let header = tcp::Header {
        source_port: 1,
        destination_port: 2,
        seq: u32::MAX,
        ack: 4,
        flags: tcp::ACK | tcp::PSH,
        window: 9,
        urgent: 0,
        options: tcp::Options::new(&options).unwrap(),
    };
    let bytes = segment(&header, b"abc");
    assert_eq!(
        pretty::packet(&bytes).to_string(),
        "IP 10.0.0.1.1 > 10.0.0.2.2: Flags [P.], seq 4294967295:2, ack 4, win 9, \
         options [nop,nop,sack {5:9}{20:30}], length 3"
    );
    let options = tcp::Options::from_bytes(&[1, 1, 8, 0]);
    let header = tcp::Header { flags: 0, options, ..header };
    assert_eq!(
        pretty::packet(&segment(&header, b"")).to_string(),
        "IP 10.0.0.1.1 > 10.0.0.2.2: Flags [none], win 9, options [nop,nop,malformed], length 0"
    );
    assert_eq!(
        pretty::packet(&bytes[..28]).to_string(),
        "IP 10.0.0.1.1 > 10.0.0.2.2: tcp, seq 4294967295",
        "eight bytes, as an error quotes them"
    );
}

#[test]
fn tunnels_are_looked_into_but_not_for_ever() {
    let mut packet = segment(&tcp::Header::default(), b"");
    for _ in 0..6 {
        let length = packet.len() as u16;
        let header = ipv4::Header::new([1; 4].into(), [2; 4].into(), IpProtocol::IPV4, length);
        packet = [header.to_vec(), packet].concat();
    }
    let hop = "IP 1.1.1.1 > 2.2.2.2: ";
    let printed = pretty::packet(&packet).to_string();
    assert_eq!(printed, format!("{}ipv4, length 80", hop.repeat(4)));
    let inner =
        ipv6::Header::new([0x20; 16].into(), [0x21; 16].into(), IpProtocol::NO_NEXT, 0).to_vec();
    let outer =
        ipv4::Header::new([1; 4].into(), [2; 4].into(), IpProtocol::IPV6, inner.len() as u16);
    assert_eq!(
        pretty::packet(&[outer.to_vec(), inner].concat()).to_string(),
        "IP 1.1.1.1 > 2.2.2.2: IP6 2020:2020:2020:2020:2020:2020:2020:2020 > \
         2121:2121:2121:2121:2121:2121:2121:2121: no next header, length 0"
    );
}

#[test]
fn what_does_not_parse_is_named() {
    let print = |bytes: &[u8]| pretty::packet(bytes).to_string();
    assert_eq!(print(&[]), "[ip: the packet is shorter than its header says], length 0");
    assert_eq!(print(&[0x55; 3]), "[ip: another version of the protocol], length 3");
    assert_eq!(print(&[0x45; 3]), "[ip: the packet is shorter than its header says], length 3");
    let ethernet = |rest: &[u8]| pretty::frame(&[&[2; 12], rest].concat()).to_string();
    assert_eq!(ethernet(&[0, 2, 1, 1]), "802.3, length 2");
    assert_eq!(ethernet(&[0x88, 0xcc, 1]), "ethertype 0x88cc, length 1");
    assert_eq!(
        ethernet(&[0x81, 0, 0x20, 7, 0x88, 0xcc]),
        "vlan 7, p 1, ethertype 0x88cc, length 0"
    );
    assert_eq!(ethernet(&[8, 6, 1]), "[arp: the packet is shorter than its header says], length 1");
}
