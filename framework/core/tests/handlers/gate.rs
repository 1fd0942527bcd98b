//! `AcceptGate` and `IpRules`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fyke_clock::Instant;
use fyke_core::Address;
use fyke_core::event_loop::{AcceptGate, Cidr, IpRules, Refused};
use fyke_core::transport::Incoming;
use proptest::prelude::*;

use super::{ms, secs};

fn admit(gate: &Arc<AcceptGate>, peer: &str) -> Result<Incoming, Refused> {
    admit_at(gate, peer, Instant::ZERO)
}

fn admit_at(gate: &Arc<AcceptGate>, peer: &str, now: Instant) -> Result<Incoming, Refused> {
    gate.admit(Incoming::new(()), &peer.parse().unwrap(), now)
}

#[test]
fn connections_of_one_peer_are_counted_until_they_are_gone() {
    let gate = Arc::new(AcceptGate::new().connections_per_peer_max(2));
    let first = admit(&gate, "192.0.2.1:1").unwrap();
    let _second = admit(&gate, "192.0.2.1:2").unwrap();
    assert_eq!(admit(&gate, "192.0.2.1:3").unwrap_err(), Refused::Peer);
    let _mapped = admit(&gate, "[::ffff:192.0.2.1]:3").expect_err("the same one");
    let _other = admit(&gate, "192.0.2.2:1").unwrap();
    assert_eq!(gate.connections(), 3, "who was refused does not count");
    // The transport takes what is inside; the guard is the channel's then.
    let first = first.guarded(());
    drop(first);
    let _third = admit(&gate, "192.0.2.1:3").unwrap();
    assert_eq!(gate.connections(), 3);
    assert_eq!(gate.counters().admitted.load(Ordering::Relaxed), 4);
    assert_eq!(gate.counters().refused_peer.load(Ordering::Relaxed), 2);
}

#[test]
fn a_peer_of_ipv6_is_its_network() {
    let gate = Arc::new(AcceptGate::new().connections_per_peer_max(1));
    let _one = admit(&gate, "[2001:db8:0:1::1]:1").unwrap();
    assert_eq!(admit(&gate, "[2001:db8:0:1:ffff::2]:1").unwrap_err(), Refused::Peer);
    let _other = admit(&gate, "[2001:db8:0:2::1]:1").unwrap();
}

#[test]
fn connections_are_counted_in_total() {
    let gate = Arc::new(AcceptGate::new().connections_max(2));
    let one = admit(&gate, "192.0.2.1:1").unwrap();
    let _two = admit(&gate, "unix:/run/x.sock").expect("peers without an address count, too");
    assert_eq!(admit(&gate, "192.0.2.3:1").unwrap_err(), Refused::Full);
    drop(one);
    let _three = admit(&gate, "192.0.2.3:1").unwrap();
    assert_eq!(gate.counters().refused_full.load(Ordering::Relaxed), 1);
}

#[test]
fn new_connections_come_at_a_rate() {
    let gate = Arc::new(AcceptGate::new().new_per_second(10, 5));
    let now = Instant::ZERO + secs(60);
    let mut kept: Vec<_> =
        (0..100).filter_map(|_| admit_at(&gate, "192.0.2.1:1", now).ok()).collect();
    assert!((5..=6).contains(&kept.len()), "{}", kept.len());
    assert_eq!(gate.connections(), kept.len(), "who was refused is not counted");
    kept.extend(
        (0..100).filter_map(|n| admit_at(&gate, "192.0.2.1:1", now + ms(10) * (n + 1)).ok()),
    );
    assert!((15..=16).contains(&kept.len()), "{}", kept.len());
    assert_eq!(admit_at(&gate, "192.0.2.1:1", now + secs(1)).unwrap_err(), Refused::Rate);
}

#[test]
fn rules_are_asked_first_and_take_nothing_from_the_rest() {
    let rules = IpRules::deny_all().allow("10.0.0.0/8".parse().unwrap());
    let gate = Arc::new(AcceptGate::new().rules(rules).new_per_second(1, 1));
    for _ in 0..100 {
        assert_eq!(admit(&gate, "192.0.2.1:1").unwrap_err(), Refused::Rule);
    }
    let _one = admit(&gate, "10.0.0.1:1").unwrap();
    assert_eq!(gate.counters().refused_by_rule.load(Ordering::Relaxed), 100);
}

#[test]
fn networks_are_read_and_shown() {
    for text in ["192.0.2.0/24", "0.0.0.0/0", "255.255.255.255/32", "2001:db8::/32", "::/0"] {
        assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
    }
    assert_eq!("192.0.2.1".parse::<Cidr>().unwrap().to_string(), "192.0.2.1/32");
    for text in [
        "",
        "/8",
        "192.0.2.0/33",
        "::/129",
        "192.0.2/24",
        "x/8",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/8 ",
    ] {
        assert!(text.parse::<Cidr>().is_err(), "{text}");
    }
}

proptest! {
    /// The rules decide as a list does that is searched from one end to the other.
    #[test]
    fn the_longest_prefix_decides(
        rules in prop::collection::vec((any::<u32>(), 0_u8..=32, any::<bool>()), 0..20),
        ips in prop::collection::vec(any::<u32>(), 20),
        default: bool,
    ) {
        // Few addresses, so that networks overlap.
        let near = |n: u32| Ipv4Addr::from_bits(n & 0xE000_0007);
        let rules: Vec<(Cidr, u8, bool)> = rules
            .into_iter()
            .map(|(ip, prefix, allow)| (Cidr::new(near(ip).into(), prefix).unwrap(), prefix, allow))
            .collect();
        let mut built = if default { IpRules::allow_all() } else { IpRules::deny_all() };
        for &(network, _, allow) in &rules {
            built = if allow { built.allow(network) } else { built.deny(network) };
        }
        for ip in ips.into_iter().map(near) {
            // Of the same network the last rule counts: max_by_key takes the last one of equals.
            let longest = rules.iter().filter(|(n, ..)| n.contains(ip.into())).max_by_key(|r| r.1);
            let expected = longest.map_or(default, |r| r.2);
            prop_assert_eq!(built.allows(ip.into()), expected);
            prop_assert_eq!(built.allows(IpAddr::V6(ip.to_ipv6_mapped())), expected);
        }
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it(bits: u128, prefix in 0_u8..=128, flip in 0_u8..128) {
        let network = Cidr::new(Ipv6Addr::from_bits(bits).into(), prefix).unwrap();
        let ip = Ipv6Addr::from_bits(bits ^ (1 << (127 - flip)));
        prop_assume!(IpAddr::V6(ip).to_canonical().is_ipv6());
        prop_assert_eq!(network.contains(ip.into()), flip >= prefix);
    }
}

#[test]
fn an_address_is_a_peer_like_any_other() {
    let peer: Address = "192.0.2.1:1".parse().unwrap();
    let gate = Arc::new(AcceptGate::new().connections_per_peer_max(0));
    assert_eq!(gate.admit(Incoming::new(()), &peer, Instant::ZERO).unwrap_err(), Refused::Peer);
    assert_eq!(gate.connections(), 0);
}
