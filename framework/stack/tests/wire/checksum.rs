//! The checksum against a model that adds word by word.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fyke_stack::wire::checksum::{checksum, update, update_bytes};
use fyke_stack::wire::{IpProtocol, PseudoHeader, Sum};
use proptest::prelude::*;

/// RFC 1071, section 4.1, as simple as it can be.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0u64;
    for pair in bytes.chunks(2) {
        sum += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[test]
fn examples() {
    // RFC 1071, section 3.
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(checksum(&bytes), !0xddf2);
    assert_eq!(checksum(&[]), 0xffff);
    assert_eq!(checksum(&[0xff; 1500]), 0, "all ones are a zero, never two kinds of it");
    assert_eq!(checksum(&[0; 1500]), 0xffff);
    // RFC 1624, section 4: the update that RFC 1141's formula gets wrong.
    assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0);
}

#[test]
fn every_length_and_alignment() {
    let bytes: Vec<u8> =
        (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for length in 0..600 {
        for at in [0, 1, 2, 3, 7, 8, 13] {
            let slice = &bytes[at..at + length];
            assert_eq!(checksum(slice), naive(slice), "{length} bytes at {at}");
        }
    }
    let large = vec![0xff; 65_535];
    assert_eq!(checksum(&large), naive(&large), "carries of the largest datagram");
}

#[test]
fn pseudo_headers_are_the_bytes_of_the_rfcs() {
    let (source, destination) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 7));
    let addresses = PseudoHeader::new(IpAddr::V4(source), IpAddr::V4(destination)).unwrap();
    let mut bytes = Vec::new();
    bytes.extend(source.octets());
    bytes.extend(destination.octets());
    bytes.extend([0, 6, 0x05, 0xdc]);
    assert_eq!(addresses.sum(IpProtocol::TCP, 1500).checksum(), naive(&bytes));

    let (source, destination): (Ipv6Addr, Ipv6Addr) =
        ("2001:db8::1".parse().unwrap(), "fe80::abcd".parse().unwrap());
    let addresses = PseudoHeader::new(IpAddr::V6(source), IpAddr::V6(destination)).unwrap();
    let mut bytes = Vec::new();
    bytes.extend(source.octets());
    bytes.extend(destination.octets());
    bytes.extend(70_000u32.to_be_bytes());
    bytes.extend([0, 0, 0, 58]);
    assert_eq!(addresses.sum(IpProtocol::ICMPV6, 70_000).checksum(), naive(&bytes));

    let mixed = PseudoHeader::new(IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(destination));
    assert_eq!(mixed, None);
}

proptest! {
    #[test]
    fn slices_of_any_length_add_up(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8)) {
        let whole = parts.concat();
        let sum = Sum::new().with(parts.iter().map(Vec::as_slice));
        prop_assert_eq!(sum.checksum(), naive(&whole));
    }

    #[test]
    fn updates_are_what_a_new_sum_is(
        mut bytes in prop::collection::vec(any::<u8>(), 8..80),
        at in any::<prop::sample::Index>(),
        new in any::<[u8; 4]>(),
    ) {
        bytes.push(1); // nothing but zeros has two checksums: 0xffff, and 0 after an update
        let at = at.index((bytes.len() - 4) / 2) * 2;
        let before = checksum(&bytes);
        let old: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        bytes[at..at + 4].copy_from_slice(&new);
        prop_assert_eq!(update_bytes(before, &old, &new), naive(&bytes));
    }
}
