//! Every frame is accounted for once: it is taken by a protocol, or kept as a fragment, or dropped for
//! one reason.
//!
//! The frames are those that a kernel was asked about (`tests/kernel`), changed in a few places and made
//! sound again, so that they get as far as a frame can.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::wire::{IpProtocol, MacAddress, PseudoHeader, Sum, ipv4, ipv6};
use fyke_stack::{
    Counters, DropReason, IcmpOptions, ListenOptions, Medium, RxMeta, Stack, StackConfig,
    UdpOptions,
};

use crate::garbage::Random;
use crate::world::{Host, addr};

/// Reasons why an answer did not leave, rather than why a frame was not taken.
const OF_ANSWERS: [DropReason; 2] = [DropReason::IcmpRateLimited, DropReason::OutboxFull];

fn samples() -> Vec<Vec<u8>> {
    let lines = include_str!("../kernel/cases.txt").lines();
    let questions = lines.filter_map(|line| line.strip_prefix("> "));
    let whole = questions.filter(|hex| !hex.contains('+'));
    let byte = |hex: &str, at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    whole.map(|hex| (0..hex.len()).step_by(2).map(|at| byte(hex, at)).collect()).collect()
}

/// Makes the checksums of a frame right again, as far as its headers tell where they are.
fn mend(frame: &mut [u8]) {
    let Some(packet) = frame.get_mut(14..) else { return };
    let (header_len, protocol, pseudo) = if let Ok(view) = ipv4::Packet::parse(packet) {
        let (source, destination) = (view.source(), view.destination());
        (view.header_len(), view.protocol(), PseudoHeader::V4 { source, destination })
    } else if let Ok(view) = ipv6::Packet::parse(packet)
        && let Ok(upper) = view.upper_layer()
    {
        let (source, destination) = (view.source(), view.destination());
        (upper.payload_at, upper.protocol, PseudoHeader::V6 { source, destination })
    } else {
        return;
    };
    let (header, body) = packet.split_at_mut(header_len);
    if header[0] >> 4 == 4 {
        header[10..12].fill(0);
        let sum = Sum::new().with([&header[..]]).checksum();
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    let (at, bare) = match protocol {
        IpProtocol::TCP => (16, false),
        IpProtocol::UDP => (6, false),
        IpProtocol::ICMPV6 => (2, false),
        IpProtocol::ICMPV4 | IpProtocol::IGMP => (2, true),
        _ => return,
    };
    if body.len() < at + 2 {
        return;
    }
    body[at..at + 2].fill(0);
    let length = body.len();
    let sum = if bare { Sum::new() } else { pseudo.sum(protocol, length) };
    let sum = sum.with([&body[..]]).checksum();
    body[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// A sample with a few bytes changed, behind the link's addresses.
fn frame(random: &mut Random, samples: &[Vec<u8>]) -> Bytes {
    let mut frame = samples[random.below(samples.len())].clone();
    for _ in 0..random.below(4) {
        let at = 12 + random.below(frame.len().min(120) - 12);
        match random.below(4) {
            0 => frame[at] = [0, 1, 0x3a, 0x3c, 0x7f, 0x80, 0xff][random.below(7)],
            1 => frame[at] ^= 1 << random.below(8),
            2 => frame[at] = random.next() as u8,
            // Another sample's bytes at the same place.
            _ => {
                let other = &samples[random.below(samples.len())];
                let end = frame.len().min(other.len()).min(at + 8);
                if at < end {
                    frame[at..end].copy_from_slice(&other[at..end]);
                }
            }
        }
    }
    if random.below(8) > 0 {
        mend(&mut frame);
    }
    frame.into()
}

fn host(now: Instant) -> Host {
    let mut config = StackConfig::new(Medium::Ethernet(MacAddress([2, 0, 0, 0, 0, 1])));
    config.duplicate_address_probes = 0;
    config.slaac = true;
    config.limits.reassembly_bytes_max = 1 << 30;
    // So few that cookies are sent, and asked for.
    config.limits.syn_cache_entries_max = 1;
    let own = ["10.99.0.1/24", "2001:db8:99::1/64", "fe80::1/64"];
    let mut host = Host::new(config, &own, 1, now);
    host.stack.udp_bind(addr("[::]:7777"), UdpOptions::default()).unwrap();
    host.stack.listen(addr("[::]:80"), ListenOptions::default()).unwrap();
    host.stack.icmp_open(IcmpOptions::default()).unwrap();
    host
}

/// How many protocols took something, and how many reasons there were not to.
fn account(before: &Counters, after: &Counters) -> (u64, u64) {
    let taken = |of: fn(&Counters) -> u64| of(after) - of(before);
    let protocols: [fn(&Counters) -> u64; 6] = [
        |it| it.segments_in,
        |it| it.datagrams_in,
        |it| it.icmp_in,
        |it| it.arp_in,
        |it| it.igmp_in,
        |it| it.fragments_in,
    ];
    let answers: u64 = OF_ANSWERS.iter().map(|why| after.drops[*why] - before.drops[*why]).sum();
    let dropped = after.drops.total() - before.drops.total() - answers;
    (protocols.into_iter().map(taken).sum(), dropped)
}

/// Which rule a frame broke, if any.
fn broken(stack: &mut Stack, now: Instant, frame: &Bytes) -> Option<&'static str> {
    let before = *stack.counters();
    stack.input(now, frame.clone(), RxMeta::default());
    let after = *stack.counters();
    // The fragment that makes a datagram whole is taken as one, and the datagram by its protocol.
    let whole = after.reassembled - before.reassembled;
    match account(&before, &after) {
        (_, dropped) if dropped > 1 => Some("dropped twice"),
        (taken, _) if taken > 1 + whole => Some("taken twice"),
        (0, 0) => Some("neither taken nor dropped"),
        _ => None,
    }
}

#[test]
fn every_frame_is_taken_or_dropped_once() {
    let (samples, mut random) = (samples(), Random(0x2545_f491_4f6c_dd1d));
    let mut now = Instant::from_nanos(1_000_000_000);
    let (mut host, mut wrong) = (host(now), BTreeMap::<_, Vec<Bytes>>::new());
    for _ in 0..200_000 {
        let frame = frame(&mut random, &samples);
        if let Some(rule) = broken(&mut host.stack, now, &frame) {
            wrong.entry(rule).or_default().push(frame);
        }
        now += std::time::Duration::from_micros(100);
        host.stack.handle_timeout(now);
        host.transmit(now);
        host.take_events();
    }
    let mut words = String::new();
    for (rule, frames) in &wrong {
        writeln!(words, "{} frames {rule}:", frames.len()).unwrap();
        frames.iter().take(5).for_each(|it| writeln!(words, "  {it:02x}").unwrap());
    }
    assert!(wrong.is_empty(), "{words}");
}
