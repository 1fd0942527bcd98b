//! Neighbour discovery: messages, options, and options that make a message invalid.

use std::net::Ipv6Addr;

use fyke_stack::wire::ndp::{
    Message, NdpOption, Packet, PrefixInformation, RecursiveDns, RouterAdvertisement,
    solicited_node,
};
use fyke_stack::wire::{Emit, Error, MacAddress, icmpv6};
use proptest::collection::vec;
use proptest::prelude::*;

use super::case::bytes_of;

/// A router advertisement as radvd sends it: 64 as hop limit, a prefix, an MTU, a link-layer
/// address and a name server.
const ADVERTISEMENT: [u8; 88] = [
    134, 0, 0x12, 0x34, 64, 0x40, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, //
    3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0, //
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    5, 1, 0, 0, 0, 0, 0x05, 0xdc, //
    1, 1, 0x02, 0, 0, 0, 0, 0xfe, //
    25, 3, 0, 0, 0, 0, 0x02, 0x58, //
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53,
];

fn parse(bytes: &[u8]) -> Result<Packet<'_>, Error> {
    Packet::parse(&icmpv6::Packet::parse(bytes)?)
}

#[test]
fn a_router_advertisement() {
    let packet = parse(&ADVERTISEMENT).unwrap();
    let advertisement = RouterAdvertisement {
        hop_limit: 64,
        managed: false,
        other: true,
        lifetime_s: 1800,
        reachable_ms: 0,
        retransmit_ms: 0,
    };
    assert_eq!(packet.message, Message::RouterAdvertisement(advertisement));
    let server: Ipv6Addr = "2001:db8::53".parse().unwrap();
    let servers = [server.octets()];
    let options = [
        NdpOption::Prefix(PrefixInformation {
            prefix_len: 64,
            on_link: true,
            autonomous: true,
            valid_lifetime_s: 86_400,
            preferred_lifetime_s: 14_400,
            prefix: "2001:db8::".parse().unwrap(),
        }),
        NdpOption::Mtu(1500),
        NdpOption::SourceLinkLayer(MacAddress([2, 0, 0, 0, 0, 0xfe])),
        NdpOption::RecursiveDns(RecursiveDns { lifetime_s: 600, servers: &servers }),
    ];
    assert!(packet.options().eq(options));
    let mut emitted = packet.message.to_vec();
    for option in options {
        option.append(&mut emitted);
    }
    emitted[2..4].copy_from_slice(&ADVERTISEMENT[2..4]);
    assert_eq!(emitted, ADVERTISEMENT);
    let Some(NdpOption::RecursiveDns(dns)) = packet.options().last() else { panic!() };
    assert!(dns.addresses().eq([server]));
}

#[test]
fn a_bad_option_makes_the_message_invalid() {
    let with = |at: usize, value: u8| {
        let mut bytes = ADVERTISEMENT;
        bytes[at] = value;
        parse(&bytes).map(|packet| packet.options().count())
    };
    assert_eq!(with(17, 0), Err(Error::Length), "a length of zero");
    assert_eq!(with(49, 0), Err(Error::Length), "a length of zero behind a good option");
    assert_eq!(with(17, 200), Err(Error::Length), "longer than the message");
    assert_eq!(with(1, 1), Err(Error::Unsupported), "another code than zero");
    assert_eq!(with(0, 138), Err(Error::Unsupported), "another message");
    // A known option with a length it cannot have is an unknown one and is skipped.
    assert_eq!(with(17, 5), Ok(3), "a prefix of 40 bytes swallows the MTU");
    let mut bytes = ADVERTISEMENT;
    bytes[17] = 5;
    let option = parse(&bytes).unwrap().options().next();
    assert!(matches!(option, Some(NdpOption::Unknown { kind: 3, .. })), "{option:?}");
}

#[test]
fn options_stop_at_a_length_of_zero() {
    use fyke_stack::wire::ndp::OptionsIter;
    let mut options = OptionsIter::new(&[5, 1, 0, 0, 0, 0, 5, 0, 1, 0, 9, 9, 9, 9, 9, 9]);
    assert_eq!(options.next(), Some(NdpOption::Mtu(1280)));
    assert_eq!(options.next(), None);
}

#[test]
fn the_group_of_a_target() {
    let target = "2001:db8::1234:5678".parse().unwrap();
    assert_eq!(solicited_node(target), "ff02::1:ff34:5678".parse::<Ipv6Addr>().unwrap());
}

fn message() -> impl Strategy<Value = Message> {
    let address = || any::<[u8; 16]>().prop_map(Ipv6Addr::from);
    prop_oneof![
        Just(Message::RouterSolicitation),
        any::<(u8, bool, bool, u16, u32, u32)>().prop_map(
            |(hop_limit, managed, other, lifetime_s, reachable_ms, retransmit_ms)| {
                Message::RouterAdvertisement(RouterAdvertisement {
                    hop_limit,
                    managed,
                    other,
                    lifetime_s,
                    reachable_ms,
                    retransmit_ms,
                })
            }
        ),
        address().prop_map(|target| Message::NeighborSolicitation { target }),
        (address(), any::<(bool, bool, bool)>()).prop_map(
            |(target, (router, solicited, override_known))| {
                Message::NeighborAdvertisement { target, router, solicited, override_known }
            }
        ),
        (address(), address())
            .prop_map(|(target, destination)| Message::Redirect { target, destination }),
    ]
}

proptest! {
    #[test]
    fn messages_with_options(
        message in message(), mac: [u8; 6], mtu: u32, lifetime_s: u32,
        servers in vec(any::<[u8; 16]>(), 1..4), quoted in vec(any::<u8>(), 0..100),
        kind in 30u8.., data in vec(any::<u8>(), 0..60),
        prefix: ([u8; 16], u8, bool, bool, u32, u32),
    ) {
        let quoted = &quoted[..quoted.len() / 8 * 8];
        // With type and length a multiple of eight, as the value asks for.
        let data = &data[..(data.len() + 2) / 8 * 8 - if data.len() < 6 { 0 } else { 2 }];
        let unknown = NdpOption::Unknown { kind, data };
        let (octets, prefix_len, on_link, autonomous, valid_lifetime_s, preferred_lifetime_s) = prefix;
        let options = [
            NdpOption::TargetLinkLayer(MacAddress(mac)),
            NdpOption::Prefix(PrefixInformation {
                prefix_len, on_link, autonomous, valid_lifetime_s, preferred_lifetime_s,
                prefix: octets.into(),
            }),
            NdpOption::RecursiveDns(RecursiveDns { lifetime_s, servers: &servers }),
            NdpOption::RedirectedHeader(quoted),
            NdpOption::Mtu(mtu),
        ];
        let mut bytes = bytes_of(&message);
        for option in &options {
            bytes.extend(bytes_of(option));
        }
        if data.len() >= 6 {
            bytes.extend(bytes_of(&unknown));
        }
        let packet = parse(&bytes).unwrap();
        prop_assert_eq!(packet.message, message);
        let read: Vec<_> = packet.options().collect();
        prop_assert_eq!(&read[..5], &options);
        prop_assert_eq!(read.get(5), (data.len() >= 6).then_some(&unknown));
    }
}
