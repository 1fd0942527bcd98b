//! Ethernet frames, ARP, and addresses.

use fyke_stack::wire::arp::{Message, Operation};
use fyke_stack::wire::ethernet::{EtherType, Frame, FrameKind, Header, VlanTag};
use fyke_stack::wire::{Emit, Error, MacAddress};

const ADDRESSES: [u8; 12] = [1, 0, 0x5e, 0, 0, 22, 2, 0, 0, 0, 0, 1];

fn frame(rest: &[u8]) -> Vec<u8> {
    [&ADDRESSES, rest].concat()
}

#[test]
fn lengths_are_told_from_types() {
    let bytes = frame(&[0, 3, 0xaa, 0xaa, 3, 0, 0, 0]);
    let length = Frame::parse(&bytes).unwrap();
    assert_eq!(length.kind(), FrameKind::Length(3));
    assert_eq!(length.payload(), [0xaa, 0xaa, 3], "without the padding");
    assert_eq!((length.ethertype(), length.header()), (None, None));

    let bytes = frame(&[0x05, 0xdd, 0, 0]);
    assert_eq!(Frame::parse(&bytes).err(), Some(Error::Unsupported), "neither length nor type");
    let bytes = frame(&[0x06, 0x00, 1]);
    assert_eq!(Frame::parse(&bytes).unwrap().ethertype(), Some(EtherType(0x0600)));
    let bytes = frame(&[0x05, 0xdc, 0, 0]);
    assert_eq!(Frame::parse(&bytes).err(), Some(Error::Truncated), "1500 bytes promised");
}

#[test]
fn vlan_tags() {
    let bytes = frame(&[0x81, 0, 0xb0, 5, 0x08, 0x00, 0x45]);
    let tagged = Frame::parse(&bytes).unwrap();
    let tag = tagged.vlan().unwrap();
    assert_eq!((tag.id(), tag.priority(), tag.drop_eligible()), (5, 5, true));
    assert_eq!(tagged.ethertype(), Some(EtherType::IPV4));
    assert_eq!(tagged.payload(), [0x45]);
    assert_eq!(tagged.header().unwrap().to_vec(), bytes[..18]);

    let bytes = frame(&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 0x08, 0x00]);
    let twice = Frame::parse(&bytes).unwrap();
    assert_eq!(twice.vlan(), Some(VlanTag { ethertype: EtherType::SERVICE_VLAN, control: 1 }));
    assert_eq!(twice.ethertype(), Some(EtherType::VLAN), "the inner tag is what it carries");
}

#[test]
fn arp_of_a_textbook() {
    // Request of a Linux host, padded to 46 bytes by its card.
    let bytes = [
        0, 1, 8, 0, 6, 4, 0, 1, 0x02, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let request = Message::parse(&bytes).unwrap();
    let mac = MacAddress([2, 0, 0, 0, 0, 1]);
    assert_eq!(request, Message::request(mac, [10, 0, 0, 1].into(), [10, 0, 0, 2].into()));
    assert_eq!(request.to_vec(), bytes[..28]);
    assert!(!request.is_probe() && !request.is_gratuitous());
    let reply = request.reply_to(MacAddress([2, 0, 0, 0, 0, 2]), request.target_ip);
    assert_eq!(reply.operation, Operation::Reply);
    assert_eq!((reply.target_mac, reply.target_ip), (mac, [10, 0, 0, 1].into()));

    let probe = Message { sender_ip: [0; 4].into(), ..request };
    assert!(probe.is_probe() && !probe.is_gratuitous());
    let announcement = Message { target_ip: request.sender_ip, ..request };
    assert!(announcement.is_gratuitous() && !announcement.is_probe());
    let nobody = Message { target_ip: [0; 4].into(), ..probe };
    assert!(!nobody.is_gratuitous(), "nobody's address is not announced");

    for at in 0..6 {
        let mut other = bytes;
        other[at] ^= 1;
        assert_eq!(Message::parse(&other), Err(Error::Unsupported), "byte {at}");
    }
}

#[test]
fn addresses() {
    assert!(MacAddress::BROADCAST.is_broadcast() && MacAddress::BROADCAST.is_multicast());
    assert!(!MacAddress::UNSPECIFIED.is_unicast() && !MacAddress::UNSPECIFIED.is_multicast());
    let group = MacAddress::for_ipv4_multicast([239, 129, 2, 3].into());
    assert_eq!(group.to_string(), "01:00:5e:01:02:03", "the highest of the 24 bits is dropped");
    let group = MacAddress::for_ipv6_multicast("ff02::1:ff00:2".parse().unwrap());
    assert_eq!(group.to_string(), "33:33:ff:00:00:02");
    let id = MacAddress([0x02, 0x11, 0x22, 0x33, 0x44, 0x55]).interface_id();
    assert_eq!(id, [0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55]);
    let header = Header {
        destination: MacAddress::BROADCAST,
        source: MacAddress([2, 0, 0, 0, 0, 1]),
        vlan: None,
        ethertype: EtherType::ARP,
    };
    assert_eq!(header.to_vec()[..6], [0xff; 6]);
}
