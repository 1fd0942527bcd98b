//! IPv4 headers.

use fyke_stack::wire::ipv4::{Header, Ipv4Option, Options, Packet};
use fyke_stack::wire::{Emit, Error, IpProtocol};

/// A SYN of a browser, with padding of the link behind it.
const SYN: &[u8] = &[
    0x45, 0x00, 0x00, 0x28, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06, 0x00, 0x00, 0xac, 0x10, 0x0a, 0x63,
    0xac, 0x10, 0x0a, 0x0c, 0xd4, 0x31, 0x00, 0x50, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00,
    0x50, 0x02, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
];

#[test]
fn fields() {
    let packet = Packet::parse(SYN).unwrap();
    assert_eq!(packet.total_len(), 40);
    assert_eq!(packet.payload().len(), 20, "without the padding");
    assert_eq!(packet.as_bytes().len(), 40);
    assert_eq!(packet.identification(), 0x1c46);
    assert!(packet.dont_fragment() && !packet.is_fragment());
    assert_eq!(packet.ttl(), 64);
    assert_eq!(packet.protocol(), IpProtocol::TCP);
    assert_eq!(packet.source().to_string(), "172.16.10.99");
    assert_eq!(packet.destination().to_string(), "172.16.10.12");
    assert!(!packet.checksum_is_valid());
    let emitted = packet.header().to_vec();
    assert_eq!(emitted[10..12], [0xb1, 0xfa], "computed by hand");
    assert_eq!((&emitted[..10], &emitted[12..]), (&SYN[..10], &SYN[12..20]));
}

#[test]
fn lengths_that_contradict() {
    let with = |at: usize, value: u8| {
        let mut bytes = SYN.to_vec();
        bytes[at] = value;
        Packet::parse(&bytes).map(|_| ())
    };
    assert_eq!(with(0, 0x65), Err(Error::Version));
    assert_eq!(with(0, 0x44), Err(Error::Length), "a header of 16 bytes");
    assert_eq!(with(3, 19), Err(Error::Length), "a total shorter than the header");
    assert_eq!(with(3, 47), Err(Error::Truncated));
    for length in 0..40 {
        assert_eq!(Packet::parse(&SYN[..length]).err(), Some(Error::Truncated), "{length} bytes");
    }
    assert!(Packet::parse_quoted(&SYN[..28]).is_ok_and(|quoted| quoted.payload().len() == 8));
}

#[test]
fn options_and_source_routes() {
    let mut header = Header::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), IpProtocol::UDP, 0);
    assert!(header.options.push(Ipv4Option::RouterAlert(0)));
    assert!(header.options.push(Ipv4Option::LooseSourceRoute(&[4, 192, 0, 2, 1])));
    let bytes = header.to_vec();
    assert_eq!(bytes.len(), 32);
    let packet = Packet::parse(&bytes).unwrap();
    assert!(packet.checksum_is_valid());
    assert!(packet.has_source_route());
    let options: Vec<_> = packet.options().collect();
    let route = Ipv4Option::LooseSourceRoute(&[4, 192, 0, 2, 1]);
    assert_eq!(options, [Ipv4Option::RouterAlert(0), route, Ipv4Option::EndOfList]);

    let stops = Options::from_bytes(&[1, 131, 0, 7, 7]);
    let mut options = stops.iter();
    assert_eq!(options.next(), Some(Ipv4Option::Nop));
    assert_eq!(options.next(), None, "a length of zero");
    assert_eq!(options.rest(), [131, 0, 7, 7]);
}
