//! What everybody hears is answered once.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::Flags;
use fyke_stack::wire::ethernet::{EtherType, Frame as View, FrameKind, Header};
use fyke_stack::wire::ndp::{NdpOption, PrefixInformation, RouterAdvertisement};
use fyke_stack::wire::{
    ChecksumIntent, Emit, IpProtocol, MacAddress, PseudoHeader, arp, icmpv4, icmpv6, ipv4, ipv6,
    ndp,
};
use fyke_stack::{DropReason, Event, RxMeta};

use super::{COUNTS, Host, MAC_A, MAC_B, Wire, config, tally};
use crate::frames::{Frame, ip};

fn ethernet(ethertype: EtherType, payload: &[u8]) -> Bytes {
    let mut bytes = Header { destination: MAC_B, source: MAC_A, vlan: None, ethertype }.to_vec();
    bytes.extend_from_slice(payload);
    bytes.into()
}

/// An IP packet from A to B on the link.
fn framed(packet: &[u8]) -> Bytes {
    let v4 = packet[0] >> 4 == 4;
    ethernet(if v4 { EtherType::IPV4 } else { EtherType::IPV6 }, packet)
}

fn is(frame: &Bytes, ethertype: EtherType) -> bool {
    View::parse(frame).unwrap().kind() == FrameKind::Type(ethertype)
}

fn arps(frames: &[Bytes]) -> Vec<arp::Message> {
    let arps = frames.iter().filter(|frame| is(frame, EtherType::ARP));
    arps.map(|frame| arp::Message::parse(View::parse(frame).unwrap().payload()).unwrap()).collect()
}

#[test]
fn one_stack_answers_who_has_an_address_and_all_learn_who_asked() {
    for count in COUNTS {
        let mut wire = Wire::new(1, count);
        let own: IpAddr = "10.0.0.1".parse().unwrap();
        let target = "10.0.0.2".parse().unwrap();
        let request = arp::Message::request(MAC_A, "10.0.0.1".parse().unwrap(), target);
        for _ in 0..5 {
            wire.b.input(wire.now, &ethernet(EtherType::ARP, &request.to_vec()));
            let answers = arps(&wire.b.transmit(wire.now));
            assert_eq!(answers, [request.reply_to(MAC_B, target)]);
        }
        for stack in &wire.b.stacks {
            assert!(stack.neighbors().any(|it| it.address == own && it.mac == Some(MAC_A)));
        }
    }
}

#[test]
fn a_segment_for_nobody_has_one_reset() {
    for count in COUNTS {
        let mut wire = Wire::new(1, count);
        for (source, destination) in
            [("10.0.0.1", "10.0.0.2:81"), ("2001:db8::1", "[2001:db8::2]:81")]
        {
            for port in 1..=100 {
                let source = crate::world::at(source, port);
                let syn = framed(&Frame::new(&source, destination, Flags::SYN, 5, 0).bytes());
                wire.b.input(wire.now, &syn);
            }
        }
        wire.settle();
        assert_eq!(wire.b.resets(), 200);
        assert_eq!(wire.b.drops(DropReason::OtherShard), 0);
        let spread = wire.b.stacks.iter().filter(|stack| stack.counters().resets_out > 20).count();
        assert_eq!(spread, usize::from(count));
    }
}

#[test]
fn what_comes_to_the_wrong_stack_is_dropped_in_silence() {
    let mut wire = Wire::new(1, 4);
    let syn = framed(&Frame::syn("10.0.0.1:5", "10.0.0.2:81", 5).bytes());
    let echo = icmpv4::Message::EchoRequest { identifier: 3, sequence: 1 };
    let mut body = echo.to_vec();
    icmpv4::Message::fill_checksum(&mut body, &[]);
    let address = |text: &str| text.parse().unwrap();
    let ping = framed(&ip(address("10.0.0.1"), address("10.0.0.2"), IpProtocol::ICMPV4, &body));
    let mut datagram = [0, 5, 0, 9, 0, 8, 0, 0].to_vec();
    let port = framed(&ip(address("10.0.0.1"), address("10.0.0.2"), IpProtocol::UDP, &datagram));
    datagram[3] = 10;
    let unknown = framed(&ip(address("10.0.0.1"), address("10.0.0.2"), IpProtocol(99), &datagram));
    for frame in [syn, ping, port, unknown] {
        for stack in &mut wire.b.stacks {
            stack.input(wire.now, frame.clone(), RxMeta::default());
        }
        let answers = wire.b.transmit(wire.now);
        assert_eq!(answers.iter().filter(|frame| is(frame, EtherType::IPV4)).count(), 1);
        wire.settle();
    }
    assert_eq!(wire.b.drops(DropReason::OtherShard), 9);
}

#[test]
fn the_first_tells_of_fragments_that_never_became_whole() {
    for count in COUNTS {
        let mut wire = Wire::new(1, count);
        let (from, to) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut header = ipv4::Header::new(from, to, IpProtocol::UDP, 16);
        header.more_fragments = true;
        let mut first = header.to_vec();
        first.extend_from_slice(&[0; 16]);
        wire.b.input(wire.now, &framed(&first));
        wire.advance(Duration::from_secs(31));
        let errors = tally(&wire.b.sent, |frame| is(frame, EtherType::IPV4));
        assert_eq!(errors.values().copied().collect::<Vec<_>>(), [1], "{count}");
        assert_eq!(wire.b.drops(DropReason::FragmentTimeout), u64::from(count));
    }
}

#[test]
fn one_stack_asks_whether_an_address_is_free_and_all_have_it_then() {
    for count in COUNTS {
        let mut wire = Wire::new(1, 1);
        let mut config = config(MAC_B);
        config.duplicate_address_probes = 2;
        config.arp_probes = 3;
        wire.b = Host::new(count, &config, 5, wire.now);
        wire.b.add(wire.now, &["10.0.0.7/24", "2001:db8::7/64"]);
        wire.advance(Duration::from_secs(6));
        let probes = arps(&wire.b.sent);
        let asked = probes.iter().filter(|message| message.is_probe()).count();
        let told = probes.iter().filter(|message| message.is_gratuitous()).count();
        assert_eq!((asked, told), (3, 2), "{count}");
        let six = wire.b.sent.iter().filter(|frame| is(frame, EtherType::IPV6));
        // Reports of its group are in a hop-by-hop header, and from one stack, too.
        let (reports, others): (Vec<_>, Vec<_>) = six.partition(|frame| frame[14 + 6] == 0);
        assert_eq!(reports.len(), 2);
        assert_eq!(others.len(), 3, "two questions and an announcement");
        let ready = wire.b.take_events();
        assert_eq!(ready.len(), 2 * usize::from(count));
        assert!(ready.iter().all(|(_, event)| matches!(event, Event::AddressReady(_))));
        // Somebody else claims it: all hear of it, one defends.
        wire.b.sent.clear();
        let mine = "10.0.0.7".parse().unwrap();
        let claim = arp::Message::request(MacAddress([2, 0, 0, 0, 9, 9]), mine, mine);
        wire.b.input(wire.now, &ethernet(EtherType::ARP, &claim.to_vec()));
        wire.settle();
        assert_eq!(arps(&wire.b.sent).len(), 1);
        let conflicts = wire.b.take_events();
        let conflict = Event::AddressConflict(mine.into());
        assert_eq!(
            conflicts.iter().filter(|(_, event)| *event == conflict).count(),
            conflicts.len()
        );
        assert_eq!(conflicts.len(), usize::from(count));
    }
}

#[test]
fn an_address_that_another_host_has_is_none_of_any_stack() {
    for count in COUNTS {
        let mut wire = Wire::new(1, 1);
        let mut config = config(MAC_B);
        config.duplicate_address_probes = 1;
        config.arp_probes = 3;
        wire.b = Host::new(count, &config, 5, wire.now);
        // Host A has both.
        wire.b.add(wire.now, &["10.0.0.1/24", "2001:db8::1/64"]);
        wire.advance(Duration::from_secs(6));
        let conflicts = wire.b.take_events();
        assert_eq!(conflicts.len(), 2 * usize::from(count));
        assert!(conflicts.iter().all(|(_, event)| matches!(event, Event::AddressConflict(_))));
    }
}

#[test]
fn a_router_gives_all_stacks_the_same_address() {
    for count in COUNTS {
        let mut wire = Wire::new(1, 1);
        let mut config = config(MAC_B);
        config.slaac = true;
        wire.b = Host::new(count, &config, 5, wire.now);
        wire.advance(Duration::from_secs(4));
        let asked = tally(&wire.b.sent, |frame| is(frame, EtherType::IPV6) && frame[54] == 133);
        assert!(asked.values().all(|times| *times == 1) && !asked.is_empty(), "{asked:?}");
        let advertisement = advertisement();
        wire.b.input(wire.now, &advertisement);
        let made: Vec<Vec<_>> = wire
            .b
            .stacks
            .iter()
            .map(|stack| stack.addresses().map(|own| own.cidr.address()).collect())
            .collect();
        assert_eq!(made[0].len(), 2, "the link's own and the prefix's");
        assert!(made.iter().all(|own| *own == made[0]), "{made:?}");
    }
}

/// A router that tells a prefix.
fn advertisement() -> Bytes {
    let source: Ipv6Addr = "fe80::99".parse().unwrap();
    let destination: Ipv6Addr = "ff02::1".parse().unwrap();
    let message = ndp::Message::RouterAdvertisement(RouterAdvertisement {
        hop_limit: 64,
        lifetime_s: 1800,
        ..RouterAdvertisement::default()
    });
    let mut body = message.to_vec();
    let prefix = PrefixInformation {
        prefix_len: 64,
        on_link: true,
        autonomous: true,
        valid_lifetime_s: 3600,
        preferred_lifetime_s: 1800,
        prefix: "2001:db8:5::".parse().unwrap(),
    };
    NdpOption::Prefix(prefix).append(&mut body);
    let pseudo = PseudoHeader::V6 { source, destination };
    icmpv6::fill_checksum(&mut body, &pseudo, &[], ChecksumIntent::Full);
    let mut header = ipv6::Header::new(source, destination, IpProtocol::ICMPV6, body.len() as u16);
    header.hop_limit = 255;
    let mut packet = header.to_vec();
    packet.extend_from_slice(&body);
    let mut frame = framed(&packet).to_vec();
    frame[..6].copy_from_slice(&MacAddress::for_ipv6_multicast(destination).octets());
    frame.into()
}
