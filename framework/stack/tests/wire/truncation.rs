//! Every length that is too short is refused, for each protocol.

use fyke_stack::wire::mld::RecordKind;
use fyke_stack::wire::ndp::{NdpOption, PrefixInformation};
use fyke_stack::wire::{
    Emit, Error, IpProtocol, MacAddress, Quoted, arp, ethernet, icmpv4, icmpv6, igmp, ipv4, ipv6,
    mld, ndp, tcp, udp, virtio_net,
};

/// Whether a parser takes bytes.
type Parse = fn(&[u8]) -> Result<(), Error>;

/// All of `bytes` are taken, and no shorter piece of them.
fn whole_or_nothing(name: &str, bytes: &[u8], parse: Parse) {
    assert_eq!(parse(bytes), Ok(()), "{name}");
    for length in 0..bytes.len() {
        assert!(parse(&bytes[..length]).is_err(), "{name}: {length} of {} bytes", bytes.len());
    }
}

fn discovery(bytes: &[u8]) -> Result<(), Error> {
    ndp::Packet::parse(&icmpv6::Packet::parse(bytes)?).map(drop)
}

fn listener(bytes: &[u8]) -> Result<(), Error> {
    mld::Packet::parse(&icmpv6::Packet::parse(bytes)?).map(drop)
}

#[test]
fn link_and_internet() {
    let ethertype = ethernet::EtherType::IPV6;
    let mac = MacAddress([2, 0, 0, 0, 0, 1]);
    let vlan = ethernet::VlanTag { ethertype: ethernet::EtherType::VLAN, control: 7 };
    let header = ethernet::Header { destination: mac, source: mac, vlan: None, ethertype };
    let frame: Parse = |bytes| ethernet::Frame::parse(bytes).map(drop);
    whole_or_nothing("ethernet", &header.to_vec(), frame);
    let tagged = ethernet::Header { vlan: Some(vlan), ..header };
    whole_or_nothing("vlan", &tagged.to_vec(), frame);
    let mut length = [mac.octets(), mac.octets()].concat();
    length.extend([0, 5, 1, 2, 3, 4, 5]);
    whole_or_nothing("802.3", &length, frame);
    let request = arp::Message::request(mac, [10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    whole_or_nothing("arp", &request.to_vec(), |bytes| arp::Message::parse(bytes).map(drop));

    let mut header = ipv4::Header::new([10; 4].into(), [11; 4].into(), IpProtocol::UDP, 4);
    assert!(header.options.push(ipv4::Ipv4Option::RouterAlert(0)));
    let packet = [header.to_vec(), vec![0; 4]].concat();
    whole_or_nothing("ipv4", &packet, |bytes| ipv4::Packet::parse(bytes).map(drop));
    whole_or_nothing("quoted ipv4", &packet[..24], |bytes| Quoted::parse_v4(bytes).map(drop));

    let options = [ipv6::Ipv6Option::RouterAlert(0)];
    let hops = ipv6::OptionsHeader { next_header: IpProtocol::UDP, options: &options };
    let header = ipv6::Header::new([1; 16].into(), [2; 16].into(), IpProtocol::HOP_BY_HOP, 8 + 4);
    let packet = [header.to_vec(), hops.to_vec(), vec![0; 4]].concat();
    whole_or_nothing("ipv6", &packet, |bytes| ipv6::Packet::parse(bytes).map(drop));
    whole_or_nothing("quoted ipv6", &packet[..48], |bytes| Quoted::parse_v6(bytes).map(drop));
    whole_or_nothing("virtio", &[0; 10], |b| virtio_net::Header::parse(b, false).map(drop));
    whole_or_nothing("virtio", &[0; 12], |b| virtio_net::Header::parse(b, true).map(drop));
}

#[test]
fn transport_and_control() {
    let options = tcp::Options::new(&[tcp::TcpOption::MaximumSegmentSize(9)]).unwrap();
    let header = tcp::Header { options, ..tcp::Header::default() };
    whole_or_nothing("tcp", &header.to_vec(), |bytes| tcp::Packet::parse(bytes).map(drop));
    let header = udp::Header { source_port: 1, destination_port: 2, payload_len: 3 };
    let datagram = [header.to_vec(), vec![1; 3]].concat();
    whole_or_nothing("udp", &datagram, |bytes| udp::Packet::parse(bytes).map(drop));
    whole_or_nothing("icmp", &[0; 8], |bytes| icmpv4::Packet::parse(bytes).map(drop));
    whole_or_nothing("icmp6", &[0; 8], |bytes| icmpv6::Packet::parse(bytes).map(drop));

    let (one, two) = ([0xfe; 16].into(), [0xfd; 16].into());
    let messages = [
        ndp::Message::RouterSolicitation,
        ndp::Message::RouterAdvertisement(ndp::RouterAdvertisement::default()),
        ndp::Message::NeighborSolicitation { target: one },
        ndp::Message::NeighborAdvertisement {
            target: one,
            router: false,
            solicited: true,
            override_known: true,
        },
        ndp::Message::Redirect { target: one, destination: two },
    ];
    for message in messages {
        whole_or_nothing("ndp", &message.to_vec(), discovery);
    }
    // Behind the fixed part, what is cut is an option, and then the whole message is refused.
    let prefix = PrefixInformation {
        prefix_len: 64,
        on_link: true,
        autonomous: true,
        valid_lifetime_s: 1,
        preferred_lifetime_s: 1,
        prefix: one,
    };
    let mut message = messages[1].to_vec();
    let fixed = message.len();
    NdpOption::Prefix(prefix).append(&mut message);
    for length in fixed + 1..message.len() {
        assert_eq!(discovery(&message[..length]), Err(Error::Length), "{length} bytes");
    }
}

#[test]
fn groups() {
    let four = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
    let record = |kind| igmp::Record { kind, group: [239, 0, 0, 1].into(), sources: &four };
    let records = [record(RecordKind::ModeIsInclude), record(RecordKind::BlockOldSources)];
    let igmp: Parse = |bytes| igmp::Packet::parse(bytes).map(drop);
    whole_or_nothing("igmp", &igmp::Message::ReportV3(&records).to_vec(), igmp);
    whole_or_nothing("igmp", &igmp::Message::Leave(four[0]).to_vec(), igmp);
    let query = igmp::Query::V3 {
        max_response_ms: 1000,
        group: four[0],
        suppress: true,
        robustness: 2,
        interval_s: 125,
    };
    let query = igmp::Message::Query(query, &four).to_vec();
    for length in (0..8).chain(9..query.len()) {
        assert!(igmp(&query[..length]).is_err(), "{length} bytes");
    }
    assert_eq!(igmp(&query[..8]), Ok(()), "a query of version 2");

    let six = [[1; 16].into(), [2; 16].into()];
    let record = |kind| mld::Record { kind, group: [0xff; 16].into(), sources: &six };
    let records = [record(RecordKind::ModeIsExclude), record(RecordKind::AllowNewSources)];
    whole_or_nothing("mld", &mld::Message::ReportV2(&records).to_vec(), listener);
    whole_or_nothing("mld", &mld::Message::ReportV1(six[0]).to_vec(), listener);
    whole_or_nothing("mld", &mld::Message::Done(six[0]).to_vec(), listener);
    let v2 = mld::QueryV2 { suppress: false, robustness: 7, interval_s: 1 };
    let query = mld::Query { max_response_ms: 1, group: six[0], v2: Some(v2) };
    let query = mld::Message::Query(query, &six).to_vec();
    for length in (0..24).chain(25..query.len()) {
        assert!(listener(&query[..length]).is_err(), "{length} bytes");
    }
    assert_eq!(listener(&query[..24]), Ok(()), "a query of version 1");
}
