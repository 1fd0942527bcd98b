//! What is written is read again; random and damaged bytes are refused or wait, and never more.

use std::net::SocketAddr;

use fyke_buffer::ByteBuf;
use fyke_codecs::proxy_protocol::{ProxyEndpoints, ProxyHeader, ProxyTransport, ProxyVersion, Tlv};
use proptest::prelude::*;

use crate::{decode, decode_in};

fn endpoints() -> impl Strategy<Value = ProxyEndpoints> {
    let transport = prop_oneof![Just(ProxyTransport::Stream), Just(ProxyTransport::Datagram)];
    let path = prop::collection::vec(1_u8.., 0..=108);
    prop_oneof![
        (transport.clone(), any::<([u8; 4], u16, [u8; 4], u16)>()).prop_map(|(transport, a)| {
            let source = SocketAddr::from((a.0, a.1));
            ProxyEndpoints::Inet { transport, source, destination: (a.2, a.3).into() }
        }),
        (transport.clone(), any::<([u8; 16], u16, [u8; 16], u16)>()).prop_map(|(transport, a)| {
            let source = SocketAddr::from((a.0, a.1));
            ProxyEndpoints::Inet { transport, source, destination: (a.2, a.3).into() }
        }),
        (transport, path.clone(), path).prop_map(|(transport, source, destination)| {
            ProxyEndpoints::Unix { transport, source, destination }
        }),
    ]
}

fn tlvs() -> impl Strategy<Value = Vec<Tlv>> {
    let kind = any::<u8>().prop_filter("it is checked", |kind| *kind != Tlv::CRC32C);
    let tlv = (kind, prop::collection::vec(any::<u8>(), 0..40));
    prop::collection::vec(tlv.prop_map(|(kind, value)| Tlv::new(kind, value)), 0..4)
}

fn encoded(header: &ProxyHeader, checksum: bool) -> Vec<u8> {
    let mut out = ByteBuf::new();
    header.encode(ProxyVersion::V2, checksum, &mut out).expect("it can be said");
    out.to_vec()
}

proptest! {
    #[test]
    fn version_2_comes_back(endpoints in endpoints(), tlvs in tlvs(), checksum: bool) {
        let mut header = ProxyHeader::proxy(endpoints);
        header.tlvs = tlvs;
        let (mut back, rest) = decode(&encoded(&header, checksum)).unwrap().expect("complete");
        if checksum {
            prop_assert_eq!(back.tlvs.pop().map(|tlv| tlv.kind), Some(Tlv::CRC32C));
        }
        prop_assert_eq!(back, header);
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn version_1_comes_back(a: ([u8; 16], u16, [u8; 16], u16), v4: bool) {
        let (source, destination): (SocketAddr, SocketAddr) = if v4 {
            let four = |a: [u8; 16]| [a[0], a[1], a[2], a[3]];
            ((four(a.0), a.1).into(), (four(a.2), a.3).into())
        } else {
            ((a.0, a.1).into(), (a.2, a.3).into())
        };
        let header = ProxyHeader::tcp(source, destination);
        let mut out = ByteBuf::new();
        header.encode(ProxyVersion::V1, false, &mut out).unwrap();
        prop_assert!(out.readable() <= 107);
        prop_assert_eq!(decode(&out).unwrap(), Some((header, Vec::new())));
    }

    #[test]
    fn a_changed_bit_is_noticed_by_the_checksum(endpoints in endpoints(), bit in 0_usize..8192) {
        let mut bytes = encoded(&ProxyHeader::proxy(endpoints), true);
        // Behind the fixed part, whose changes have meanings of their own.
        let bit = 16 * 8 + bit % ((bytes.len() - 16) * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        // A changed type of the checksum's TLV takes the checksum away; nothing else goes unseen.
        let at = bytes.len() - 7;
        if bit / 8 != at {
            prop_assert!(decode_in(&bytes, &[]).is_err());
        }
    }

    #[test]
    fn random_bytes_do_no_harm(
        begin in 0_usize..4,
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let begin: &[u8] = [b"".as_slice(), b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11"][begin];
        // Whatever it says, every way to cut it says the same.
        let _ = decode(&[begin, &bytes].concat());
    }

    #[test]
    fn damaged_lines_do_no_harm(at in 0_usize..47, byte: u8) {
        let mut line = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nxx".to_vec();
        line[at] = byte;
        let _ = decode(&line);
    }
}
