//! A row a rule, named by the section of the specification.

use std::net::SocketAddr;

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::proxy_protocol::{
    ProxyCommand, ProxyEndpoints, ProxyHeader, ProxyProtocolDecoder, ProxyTransport, ProxyVersion,
    Tlv,
};

use crate::decode;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 2 by its parts.
fn v2(version_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[version_command, family], &length, body].concat()
}

const INET: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 7, 0xDC, 0x04, 0x01, 0xBB];

fn inet6() -> Vec<u8> {
    let mut body = vec![0; 36];
    (body[0], body[1], body[15]) = (0x20, 0x01, 1);
    (body[16], body[17], body[31]) = (0x20, 0x01, 2);
    body[32..].copy_from_slice(&[0xDC, 0x04, 0x01, 0xBB]);
    body
}

fn ip(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn version_1_is_accepted() {
    for (section, line, source, destination) in [
        (
            "2.1",
            "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n",
            "192.0.2.1:56324",
            "198.51.100.7:443",
        ),
        (
            "2.1 longest TCP4",
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            "255.255.255.255:65535",
            "255.255.255.255:65535",
        ),
        ("2.1 ports from 0", "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0", "0.0.0.0:0"),
        ("2.1 TCP6", "PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "[2001:db8::1]:1", "[::1]:2"),
        (
            "2.1 longest TCP6",
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
        ),
    ] {
        let (header, rest) = decode(line.as_bytes()).unwrap().expect(section);
        assert_eq!(header, ProxyHeader::tcp(ip(source), ip(destination)), "{section}");
        assert!(rest.is_empty(), "{section}");
    }
    // What follows UNKNOWN is ignored, up to the longest line.
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(107 - 16));
    for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 x 1 2\r\n", &longest] {
        let (header, _) = decode(line.as_bytes()).unwrap().expect(line);
        assert_eq!(header.endpoints, ProxyEndpoints::Unknown);
        assert_eq!(header.source(), None);
    }
}

#[test]
fn version_1_is_refused() {
    for (section, line) in [
        ("2.1 two spaces", "PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
        ("2.1 a family that is none", "PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n"),
        ("2.1 in lower case", "PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n"),
        ("2.1 families do not fit", "PROXY TCP4 ::1 ::1 1 2\r\n"),
        ("2.1 families do not fit", "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"),
        ("2.1 an octet with a zero in front", "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n"),
        ("2.1 an octet too large", "PROXY TCP4 256.2.3.4 5.6.7.8 1 2\r\n"),
        ("2.1 an address in part", "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n"),
        ("2.1 a port too large", "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n"),
        ("2.1 a port with a sign", "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n"),
        ("2.1 a port with a zero in front", "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"),
        ("2.1 a port is missing", "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"),
        ("2.1 a port is empty", "PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n"),
        ("2.1 a field too many", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"),
        ("2.1 a space at the end", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"),
        ("2.1 LF alone", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"),
        ("2.1 LF inside", "PROXY UNKNOWN\nGET / HTTP/1.1\r\n"),
        ("2.1 no family", "PROXY \r\n"),
        ("2.1 UNKNOWN and something", "PROXY UNKNOWNX\r\n"),
        ("2 no header", "GET / HTTP/1.1\r\n"),
        ("2 in lower case", "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
    ] {
        let error = decode(line.as_bytes()).expect_err(section);
        assert!(error.contains("PROXY: "), "{section}: {error}");
    }
    // 107 bytes are the longest line, and a peer need not be heard longer.
    let long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(107 - 15));
    assert!(decode(long.as_bytes()).unwrap_err().contains("more than 107 bytes"));
    assert!(decode(&[b"PROXY ".as_slice(), &[b'f'; 101]].concat()).is_err());
    assert!(decode(b"PROXY TCP4 \xff\xfe\r\n").is_err());
}

#[test]
fn version_2_is_accepted() {
    let inet = ProxyHeader::tcp(ip("192.0.2.1:56324"), ip("198.51.100.7:443"));
    let (header, rest) = decode(&[&v2(0x21, 0x11, &INET)[..], b"rest"].concat()).unwrap().unwrap();
    assert_eq!((header, &rest[..]), (inet.clone(), &b"rest"[..]), "2.2 TCP over IPv4");
    let (header, _) = decode(&v2(0x21, 0x21, &inet6())).unwrap().unwrap();
    assert_eq!(header, ProxyHeader::tcp(ip("[2001::1]:56324"), ip("[2001::2]:443")), "2.2 IPv6");
    let (header, _) = decode(&v2(0x21, 0x12, &INET)).unwrap().unwrap();
    let expected = ProxyTransport::Datagram;
    assert!(
        matches!(header.endpoints, ProxyEndpoints::Inet { transport, .. } if transport == expected)
    );
    let mut paths = vec![0; 216];
    paths[..4].copy_from_slice(b"/one");
    paths[108..113].copy_from_slice(b"\0abst");
    let (header, _) = decode(&v2(0x21, 0x31, &paths)).unwrap().unwrap();
    let unix = ProxyEndpoints::Unix {
        transport: ProxyTransport::Stream,
        source: b"/one".to_vec(),
        destination: b"\0abst".to_vec(),
    };
    assert_eq!(header.endpoints, unix, "2.2 Unix");
    for (section, bytes) in [
        ("2.2 LOCAL, without anything", v2(0x20, 0x00, &[])),
        ("2.2 LOCAL, what it says is ignored", v2(0x20, 0x11, &INET)),
        ("2.2 LOCAL, broken TLVs are, too", v2(0x20, 0x00, &[1, 2, 3])),
    ] {
        let (header, _) = decode(&bytes).unwrap().expect(section);
        assert_eq!(header, ProxyHeader::local(), "{section}");
    }
    for family in [0x00, 0x01, 0x10, 0x20] {
        let (header, rest) = decode(&v2(0x21, family, b"whatever it is")).unwrap().unwrap();
        assert_eq!(
            header.endpoints,
            ProxyEndpoints::Unknown,
            "2.2 UNSPEC is skipped by its length"
        );
        assert_eq!(header.command, ProxyCommand::Proxy);
        assert!(rest.is_empty());
    }
}

#[test]
fn version_2_is_refused() {
    for (section, bytes) in [
        ("2.2 version 1 in the binary form", v2(0x11, 0x11, &INET)),
        ("2.2 version 3", v2(0x31, 0x11, &INET)),
        ("2.2 an unknown command", v2(0x22, 0x11, &INET)),
        ("2.2 an unknown family", v2(0x21, 0x41, &INET)),
        ("2.2 an unknown transport", v2(0x21, 0x13, &INET)),
        ("2.2 shorter than its addresses", v2(0x21, 0x11, &INET[..11])),
        ("2.2 IPv6 with the length of IPv4", v2(0x21, 0x21, &INET)),
        ("2.2 half a TLV", v2(0x21, 0x11, &[&INET[..], &[1, 0]].concat())),
        ("2.2 a TLV beyond the end", v2(0x21, 0x11, &[&INET[..], &[1, 0, 5, b'h']].concat())),
        (
            "2.2.4 a checksum of three bytes",
            v2(0x21, 0x11, &[&INET[..], &[3, 0, 3, 1, 2, 3]].concat()),
        ),
        ("2.2.4 a wrong checksum", v2(0x21, 0x11, &[&INET[..], &[3, 0, 4, 1, 2, 3, 4]].concat())),
        ("2.2 the signature changes", b"\r\n\r\n\0\r\nQUIT\r".to_vec()),
    ] {
        let error = decode(&bytes).expect_err(section);
        assert!(error.contains("PROXY: "), "{section}: {error}");
    }
}

#[test]
fn a_header_has_a_limit() {
    let bytes = v2(0x21, 0x11, &[&INET[..], &[4, 0x10, 0], &[0; 4096]].concat());
    let mut src = ByteBuf::from(&bytes[..16]);
    // It is refused when its length is known, before the rest has come.
    let error = ProxyProtocolDecoder::new().decode(&mut src).expect_err("it is too long");
    assert!(matches!(error, CodecError::TooLarge { size: 4127, limit: 4096, .. }), "{error}");
    let mut src = ByteBuf::from(&bytes[..]);
    let mut decoder = ProxyProtocolDecoder::new().header_bytes_max(4127);
    assert_eq!(decoder.decode(&mut src).unwrap().unwrap().tlvs[0].value.len(), 4096);
}

#[test]
fn tlvs() {
    let mut body = INET.to_vec();
    for (kind, value) in [(Tlv::ALPN, &b"h2"[..]), (Tlv::AUTHORITY, b"fyke.test"), (0xEA, b"")] {
        body.extend([kind, 0, value.len() as u8]);
        body.extend(value);
    }
    // 2.2.6: TLS, a verified certificate, version and cipher.
    let ssl = [&[0x03, 0, 0, 0, 0][..], &[0x21, 0, 7], b"TLSv1.3", &[0x23, 0, 2], b"AB"].concat();
    body.extend([Tlv::SSL, 0, ssl.len() as u8]);
    body.extend(&ssl);
    let (header, _) = decode(&v2(0x21, 0x11, &body)).unwrap().unwrap();
    let kinds: Vec<_> = header.tlvs.iter().map(|tlv| tlv.kind).collect();
    assert_eq!(kinds, [Tlv::ALPN, Tlv::AUTHORITY, 0xEA, Tlv::SSL]);
    assert_eq!(header.tlvs[1].value, b"fyke.test");
    assert_eq!(header.tlvs[0].ssl().unwrap(), None);
    let ssl = header.tlvs[3].ssl().unwrap().expect("it is of TLS");
    assert!(ssl.is_tls() && ssl.is_verified());
    assert_eq!(ssl.get(fyke_codecs::proxy_protocol::SslInfo::VERSION), Some(&b"TLSv1.3"[..]));
    assert_eq!(ssl.get(fyke_codecs::proxy_protocol::SslInfo::CN), None);
    assert!(Tlv::new(Tlv::SSL, [1, 0, 0, 0]).ssl().is_err());
    assert!(Tlv::new(Tlv::SSL, [1, 0, 0, 0, 0, 9]).ssl().is_err());
    assert!(!Tlv::new(Tlv::SSL, [3, 0, 0, 0, 1]).ssl().unwrap().unwrap().is_verified());
}

#[test]
fn what_cannot_be_said() {
    let mut out = ByteBuf::new();
    let (four, six) = (ip("1.2.3.4:5"), ip("[::1]:5"));
    let unencodable = |header: ProxyHeader, version, out: &mut ByteBuf| {
        assert!(matches!(header.encode(version, false, out), Err(CodecError::Unencodable { .. })));
    };
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        unencodable(ProxyHeader::tcp(four, six), version, &mut out);
        unencodable(ProxyHeader::tcp(six, four), version, &mut out);
    }
    let tlv = ProxyHeader::tcp(four, four).tlv(Tlv::new(Tlv::ALPN, "h2"));
    unencodable(tlv, ProxyVersion::V1, &mut out);
    let huge = ProxyHeader::tcp(four, four).tlv(Tlv::new(Tlv::NOOP, vec![0; 65_536]));
    unencodable(huge, ProxyVersion::V2, &mut out);
    let path = ProxyEndpoints::Unix {
        transport: ProxyTransport::Stream,
        source: vec![b'x'; 109],
        destination: Vec::new(),
    };
    unencodable(ProxyHeader::proxy(path), ProxyVersion::V2, &mut out);
    assert!(out.is_empty());
    ProxyHeader::local().encode(ProxyVersion::V1, false, &mut out).unwrap();
    assert_eq!(out, b"PROXY UNKNOWN\r\n"[..]);
}
