//! NAT: what one inside address may have of the box, who gets in, and errors on their way through
//! (RFC 4787, RFC 5382, RFC 5508). More is in the simulation's tests.

use std::time::Duration;

use fyke_stack::nat::{NatConfig, NatFiltering, NatMapping};
use fyke_stack::router::DropReason;
use fyke_stack::wire::{icmpv4, ipv4, tcp as flags};

use crate::rig::*;

fn question(host: u8, port: u16, peer: u8) -> Vec<u8> {
    udp(&format!("192.168.1.{host}:{port}"), &format!("203.0.113.{peer}:53"), b"x")
}

#[test]
fn one_host_does_not_use_up_the_ports() {
    let config = NatConfig::new().ports(2000..=2099).mappings_per_host_max(30);
    let mut rig = Rig::nat(config);
    let mut limited = 0;
    for port in 5000..6000 {
        let seen = rig.input(rig.lan, &question(9, port, 7));
        limited += seen.dropped.iter().filter(|it| **it == DropReason::NatHostLimit).count();
    }
    assert_eq!(limited, 970);
    for host in 10..13 {
        for port in 5000..5020 {
            rig.out(&question(host, port, 7));
        }
    }
    // A port that it has stays usable.
    rig.out(&question(9, 5000, 7));
    let now = rig.now;
    assert_eq!(rig.router.nat_mut().unwrap().mappings(now), 90);
    // When its time is over others come.
    rig.pass(Duration::from_secs(121));
    rig.out(&question(9, 7777, 7));
    let now = rig.now;
    assert_eq!(rig.router.nat_mut().unwrap().mappings(now), 1);
}

#[test]
fn one_host_does_not_use_up_the_sessions() {
    let mut rig = Rig::nat(NatConfig::new().sessions_max(100).sessions_per_host_max(40));
    let mut reasons = Vec::new();
    for peer in 0..50 {
        reasons.extend(rig.input(rig.lan, &question(9, 5000, peer)).dropped);
    }
    assert_eq!(reasons, [DropReason::NatHostLimit; 10]);
    for host in 10..13 {
        for peer in 0..30 {
            reasons.extend(rig.input(rig.lan, &question(host, 5000, peer)).dropped);
        }
    }
    assert_eq!(reasons[10..], [DropReason::NatExhausted; 30]);
}

#[test]
fn rfc4787_4_2_1_the_inside_port_is_kept_when_it_is_free() {
    let mut rig = Rig::nat(NatConfig::new());
    assert_eq!(ends(&rig.out(&question(9, 5000, 7))).0, "198.51.100.2:5000");
    let other = ends(&rig.out(&question(10, 5000, 7))).0;
    assert_ne!(other, "198.51.100.2:5000");
    assert_eq!(ends(&rig.out(&question(10, 5000, 8))).0, other, "endpoint independent");
    // Below the range: by chance.
    assert_ne!(ends(&rig.out(&question(9, 80, 7))).0, "198.51.100.2:80");
    let mut rig = Rig::nat(NatConfig::new().mapping(NatMapping::AddressAndPortDependent));
    let one = ends(&rig.out(&question(9, 5000, 7))).0;
    assert_ne!(ends(&rig.out(&question(9, 5000, 8))).0, one);
}

/// Inside addresses are no addresses outside, whoever routes them to the box.
#[test]
fn nobody_outside_reaches_an_inside_address() {
    let mut rig = Rig::nat(NatConfig::new().filtering(NatFiltering::EndpointIndependent));
    for to in ["192.168.1.9:5000", "192.168.1.1:80"] {
        let packet = udp("203.0.113.7:53", to, b"x");
        assert_eq!(rig.refused(rig.wan, &packet), DropReason::NatNoMapping, "{to}");
    }
    let packet = tcp("203.0.113.7:53", "198.51.100.2:22", flags::SYN);
    assert_eq!(rig.refused(rig.wan, &packet), DropReason::NatNoMapping);
    // IPv6 is not translated, and goes both ways.
    rig.back(&udp("[2001:db8:7::7]:53", "[fd00:1::9]:5000", b"x"));
}

/// RFC 5508, section 4.2: an error reaches whom it is about, and quotes what that host sent.
#[test]
fn rfc5508_4_2_errors_go_through_both_ways() {
    let mut rig = Rig::nat(NatConfig::new());
    let inside = udp("192.168.1.9:5000", "203.0.113.7:53", b"question");
    let sent = rig.out(&inside);
    let message = icmpv4::Message::FragmentationNeeded { mtu: 900 };
    let error = rig.back(&complaint("203.0.113.254", OUTSIDE, message, &sent));
    assert_eq!(ipv4::Packet::parse(&error).unwrap().destination().to_string(), INSIDE);
    let (_, told, quote) = error_v4(&error);
    // But for the hop that was counted, and the sums over it.
    assert_eq!((told, &quote[12..24]), (message, &inside[12..24]));
    // About something that never was.
    let other = udp("198.51.100.2:5001", "203.0.113.7:53", b"question");
    let forged = complaint("203.0.113.254", OUTSIDE, message, &other);
    assert_eq!(rig.refused(rig.wan, &forged), DropReason::NatNoMapping);
    // From inside about what came in.
    let came = rig.back(&udp("203.0.113.7:53", "198.51.100.2:5000", b"answer"));
    let message = icmpv4::Message::Unreachable { code: 3 };
    let error = rig.out(&complaint(INSIDE, PEER, message, &came));
    let (from, _, quote) = error_v4(&error);
    let quoted = ipv4::Packet::parse_quoted(&quote).unwrap();
    assert_eq!((from.as_str(), quoted.destination().to_string().as_str()), (OUTSIDE, OUTSIDE));
}

/// RFC 5508, REQ-3: an error that was damaged on its way is dropped; the box, which works the
/// checksum out anew, would make it look sound. 3 a says the same of the packet it quotes.
#[test]
fn rfc5508_req_3_damaged_errors_are_dropped_and_not_repaired() {
    let mut rig = Rig::nat(NatConfig::new());
    let sent = rig.out(&udp("192.168.1.9:5000", "203.0.113.7:53", b"question"));
    let came = rig.back(&udp("203.0.113.7:53", "198.51.100.2:5000", b"answer"));
    let message = icmpv4::Message::FragmentationNeeded { mtu: 900 };
    for (port, error) in [
        (rig.wan, complaint("203.0.113.254", OUTSIDE, message, &sent)),
        (rig.lan, complaint(INSIDE, PEER, message, &came)),
    ] {
        let mut damaged = error.clone();
        // The MTU: 900 becomes 901.
        damaged[27] ^= 1;
        assert_eq!(rig.refused(port, &damaged), DropReason::NatUntranslatable);
        assert_eq!(rig.input(port, &error).sent.len(), 1, "the sound one");
    }
    let mut quoted = sent.to_vec();
    // The quoted identification, which its header's sum covers; the error's own sum is right.
    quoted[4] ^= 1;
    let error = complaint("203.0.113.254", OUTSIDE, message, &quoted);
    assert_eq!(rig.refused(rig.wan, &error), DropReason::NatUntranslatable);
}

/// RFC 7857, section 2.2: a RST leaves the session a few minutes; when whoever it was said to be
/// from goes on, somebody made it up, and the session lives as long as before.
#[test]
fn rfc7857_2_2_a_session_goes_on_after_a_forged_reset() {
    let (inside, peer, outside) = ("192.168.1.9:5000", "203.0.113.7:80", "198.51.100.2:5000");
    for forged in [true, false] {
        let mut rig = Rig::nat(NatConfig::new());
        rig.out(&tcp(inside, peer, flags::SYN));
        rig.back(&tcp(peer, outside, flags::SYN | flags::ACK));
        rig.out(&tcp(inside, peer, flags::ACK));
        rig.back(&tcp(peer, outside, flags::RST));
        // What the inside had under way proves nothing.
        rig.out(&tcp(inside, peer, flags::ACK));
        if forged {
            rig.back(&tcp(peer, outside, flags::ACK));
        }
        rig.pass(Duration::from_secs(3600));
        let now = rig.now;
        assert_eq!(rig.router.nat_mut().unwrap().sessions(now), usize::from(forged));
    }
}
