//! IGMP and MLD: versions told apart, times with exponents, what the capture's host reported.

use std::net::{Ipv4Addr, Ipv6Addr};

use fyke_stack::wire::igmp::{self, RecordKind};
use fyke_stack::wire::{Emit, Error, IpProtocol, icmpv6, ipv4, ipv6, mld};
use proptest::prelude::*;

use super::samples::capture;

#[test]
fn what_linux_reports_over_ipv4() {
    let mut seen = Vec::new();
    for frame in capture() {
        let Ok(packet) = ipv4::Packet::parse(&frame.bytes[14..]) else { continue };
        if packet.protocol() != IpProtocol::IGMP {
            continue;
        }
        assert!(igmp::checksum_is_valid(packet.payload()));
        assert!(packet.options().eq([ipv4::Ipv4Option::RouterAlert(0)]), "RFC 2236, section 2");
        assert_eq!(packet.ttl(), 1);
        let said = match igmp::Packet::parse(packet.payload()).unwrap() {
            igmp::Packet::ReportV1(group) => format!("v1 {group}"),
            igmp::Packet::ReportV2(group) => format!("v2 {group}"),
            igmp::Packet::Leave(group) => format!("leave {group}"),
            igmp::Packet::ReportV3(records) => format!("v3 {records:?}"),
            other => panic!("{other:?}"),
        };
        if seen.last() != Some(&said) {
            seen.push(said); // each is sent twice
        }
    }
    let record = |kind: &str, group: &str, sources: &str| {
        format!("v3 [RecordView {{ kind: {kind}, group: {group}, sources: [{sources}] }}]")
    };
    let expected = [
        record("ChangeToExclude", "239.1.2.3", ""),
        record("ChangeToInclude", "239.1.2.3", ""),
        record("AllowNewSources", "239.9.9.9", "10.0.0.7"),
        record("BlockOldSources", "239.9.9.9", "10.0.0.7"),
        "v2 239.1.2.2".to_owned(),
        "leave 239.1.2.2".to_owned(),
        "v1 239.1.2.1".to_owned(),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn what_linux_reports_over_ipv6() {
    let group: Ipv6Addr = "ff02::122".parse().unwrap();
    let older: Ipv6Addr = "ff02::121".parse().unwrap();
    let (mut joined, mut left, mut reported, mut done) = (0, 0, 0, 0);
    for frame in capture() {
        let Ok(packet) = ipv6::Packet::parse(&frame.bytes[14..]) else { continue };
        let upper = packet.upper_layer().unwrap();
        if packet.next_header() != IpProtocol::HOP_BY_HOP || upper.protocol != IpProtocol::ICMPV6 {
            continue;
        }
        let message = icmpv6::Packet::parse(upper.payload).unwrap();
        let Ok(message) = mld::Packet::parse(&message) else { continue };
        match message {
            mld::Packet::ReportV2(records) => {
                assert_eq!(packet.destination(), mld::ALL_MLDV2_ROUTERS);
                for record in records.iter().filter(|record| record.group == group) {
                    assert!(record.sources.is_empty());
                    match record.kind {
                        RecordKind::ChangeToExclude => joined += 1,
                        RecordKind::ChangeToInclude => left += 1,
                        other => panic!("{other:?}"),
                    }
                }
            }
            mld::Packet::ReportV1(group) => reported += u8::from(group == older),
            mld::Packet::Done(group) => done += u8::from(group == older),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((joined, left, reported, done), (2, 2, 1, 1));
}

#[test]
fn queries_are_told_apart_by_length_and_time() {
    let group = Ipv4Addr::new(239, 1, 2, 3);
    let parse = |bytes: &[u8]| match igmp::Packet::parse(bytes) {
        Ok(igmp::Packet::Query(query, sources)) => Ok((query, sources.iter().collect::<Vec<_>>())),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    let v1 = igmp::Message::Query(igmp::Query::V1, &[]).to_vec();
    assert_eq!(parse(&v1), Ok((igmp::Query::V1, vec![])));
    let v2 = igmp::Query::V2 { max_response_ms: 10_000, group };
    let bytes = igmp::Message::Query(v2, &[]).to_vec();
    assert_eq!(bytes[1], 100, "tenths of a second");
    assert_eq!(parse(&bytes), Ok((v2, vec![])));
    let v3 = igmp::Query::V3 {
        max_response_ms: 10_000,
        group,
        suppress: true,
        robustness: 2,
        interval_s: 125,
    };
    let bytes = igmp::Message::Query(v3, &[group]).to_vec();
    assert_eq!(parse(&bytes), Ok((v3, vec![group])));
    assert_eq!(parse(&bytes[..9]), Err(Error::Length), "RFC 3376, section 7.1");
    assert_eq!(igmp::Packet::parse(&[0x99; 8]), Err(Error::Unsupported));
}

#[test]
fn auxiliary_data_is_skipped() {
    let mut bytes = vec![0x22, 0, 0, 0, 0, 0, 0, 2];
    bytes.extend([4, 2, 0, 0, 239, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9]);
    bytes.extend([3, 0, 0, 0, 239, 0, 0, 2]);
    let Ok(igmp::Packet::ReportV3(records)) = igmp::Packet::parse(&bytes) else { panic!() };
    let groups: Vec<_> = records.iter().map(|record| record.group.octets()[3]).collect();
    assert_eq!(groups, [1, 2]);
    bytes[9] = 200;
    assert_eq!(igmp::Packet::parse(&bytes), Err(Error::Truncated));
}

proptest! {
    /// Times are rounded down to what the field can say, by less than one part in sixteen or 4096.
    #[test]
    fn times_survive_within_their_precision(tenths in 1u32..31_744, interval_s in 0u32..31_744, ms in 0u32..8_387_584) {
        let group = Ipv4Addr::UNSPECIFIED;
        let query = igmp::Query::V3 {
            max_response_ms: tenths * 100, group, suppress: false, robustness: 0, interval_s,
        };
        let bytes = igmp::Message::Query(query, &[]).to_vec();
        let Ok(igmp::Packet::Query(igmp::Query::V3 { max_response_ms, interval_s: read, .. }, _)) =
            igmp::Packet::parse(&bytes) else { panic!("{bytes:?}") };
        let close = |read: u32, sent: u32, part: u32| read <= sent && sent - read <= sent / part;
        prop_assert!(close(max_response_ms / 100, tenths, 16), "{} of {}", max_response_ms, tenths);
        prop_assert!(close(read, interval_s, 16), "{} of {}", read, interval_s);

        let v2 = mld::QueryV2 { suppress: true, robustness: 7, interval_s };
        let query = mld::Query { max_response_ms: ms, group: Ipv6Addr::UNSPECIFIED, v2: Some(v2) };
        let bytes = mld::Message::Query(query, &[]).to_vec();
        let message = icmpv6::Packet::parse(&bytes).unwrap();
        let Ok(mld::Packet::Query(read, _)) = mld::Packet::parse(&message) else { panic!() };
        prop_assert!(close(read.max_response_ms, ms, 4096), "{} of {}", read.max_response_ms, ms);
        prop_assert_eq!(read.v2.map(|v2| (v2.suppress, v2.robustness)), Some((true, 7)));
    }
}
