//! A host of four stacks and one of a single stack with the same seed hear the same frames, in order
//! or damaged, and say the same: the address, the numbers, and how often.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::Flags;
use fyke_stack::wire::{Emit, IpProtocol, icmpv4, icmpv6, ipv6, udp};
use fyke_stack::{Medium, RxChecksum, RxMeta, StackConfig, UdpOptions};

use super::Host;
use crate::frames::{Frame, ip};
use crate::world::{CLIENT, CLIENT6, SERVER, SERVER6, addr, at};

const SEEDS: u32 = 150;
const FRAMES: u32 = 60;
/// Ports of TCP that are listened at, of UDP that are bound, and others.
const PORTS: [u16; 4] = [80, 81, 5000, 9];
/// What the device has verified, so that damage reaches what is behind the checksums.
const VALID: RxMeta = RxMeta { checksum: RxChecksum::Valid, gso_size: 0 };

/// A generator that needs nothing.
struct Rng(u32);

impl Rng {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % bound
    }

    fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len() as u32) as usize]
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A packet such as a peer, a scanner or an attacker might send.
fn packet(rng: &mut Rng) -> Bytes {
    let (peer, us) = rng.pick(&[(CLIENT, SERVER), (CLIENT6, SERVER6)]);
    let port = rng.pick(&PORTS);
    let from = at(peer, 1000 + rng.below(8) as u16);
    let v4 = address(us).is_ipv4();
    match rng.below(8) {
        0..=3 => {
            let flags = rng.pick(&[
                Flags::SYN,
                Flags::SYN,
                Flags::ACK,
                Flags::RST,
                Flags::FIN | Flags::ACK,
                Flags::SYN | Flags::ACK,
            ]);
            let seq = rng.pick(&[100, 101, 0x8000_0000]);
            Frame::new(&from, &at(us, port), flags, seq, rng.below(3)).bytes()
        }
        4 => {
            let length = rng.pick(&[0, 5, 1200]);
            let header = udp::Header {
                source_port: 1000,
                destination_port: port,
                payload_len: length as u16,
            };
            let mut body = header.to_vec();
            body.resize(body.len() + length, 3);
            ip(address(peer), address(us), IpProtocol::UDP, &body)
        }
        5 | 6 => {
            let (identifier, sequence) = (rng.below(20) as u16, 1);
            let (protocol, mut body) = if v4 {
                let message = icmpv4::Message::EchoRequest { identifier, sequence };
                (IpProtocol::ICMPV4, message.to_vec())
            } else {
                let message = icmpv6::Message::EchoRequest { identifier, sequence };
                (IpProtocol::ICMPV6, message.to_vec())
            };
            body.extend_from_slice(&[9; 32]);
            ip(address(peer), address(us), protocol, &body)
        }
        _ => {
            // In two pieces, of which one may be all that comes.
            let (from, to) = (CLIENT6.parse().unwrap(), SERVER6.parse().unwrap());
            let mut packet = ipv6::Header::new(from, to, IpProtocol::FRAGMENT, 24).to_vec();
            let fragment = ipv6::FragmentHeader {
                next_header: rng.pick(&[IpProtocol::UDP, IpProtocol::ICMPV6, IpProtocol(200)]),
                offset: rng.pick(&[0, 16]),
                more: rng.below(2) == 0,
                identification: rng.below(3),
            };
            packet.extend_from_slice(&fragment.to_vec());
            let [high, low] = port.to_be_bytes();
            packet.extend_from_slice(&[3, 232, high, low, 0, 32, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
            packet.into()
        }
    }
}

/// The same with a byte or two changed, or cut.
fn damaged(rng: &mut Rng, packet: Bytes) -> Bytes {
    let mut bytes = packet.to_vec();
    for _ in 0..rng.below(3) {
        let at = rng.below(bytes.len() as u32) as usize;
        bytes[at] = rng.below(256) as u8;
    }
    if rng.below(10) == 0 {
        bytes.truncate(rng.below(bytes.len() as u32) as usize);
    }
    bytes.into()
}

fn host(count: u16, now: Instant) -> Host {
    let mut config = StackConfig::new(Medium::RawIp);
    // Each stack has its own bucket: a limit is not what this is about.
    config.limits.icmp_errors_per_second = u32::MAX;
    config.limits.icmp_errors_per_second_each = u32::MAX;
    let mut host = Host::new(count, &config, 77, now);
    host.add(now, &["10.0.0.2/24", "2001:db8::2/64"]);
    for stack in &mut host.stacks {
        for port in [80, 81] {
            stack.listen(addr(&at("::", port)), Default::default()).unwrap();
        }
    }
    // On some loop or other.
    let last = host.stacks.last_mut().unwrap();
    last.udp_bind(addr("[::]:5000"), UdpOptions::default()).unwrap();
    host
}

#[test]
fn four_stacks_say_what_one_would() {
    let (mut said, mut heard) = (0, 0);
    for seed in 1..=SEEDS {
        let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9));
        let mut now = Instant::from_nanos(1_000_000_000);
        let (mut one, mut four) = (host(1, now), host(4, now));
        for step in 0..FRAMES {
            let whole = packet(&mut rng);
            let frame = damaged(&mut rng, whole);
            one.input_with(now, &frame, VALID);
            four.input_with(now, &frame, VALID);
            if rng.below(4) == 0 {
                now += Duration::from_millis(u64::from(rng.below(9000)));
                for stack in one.stacks.iter_mut().chain(&mut four.stacks) {
                    stack.handle_timeout(now);
                }
            }
            let (mut single, mut several) = (one.transmit(now), four.transmit(now));
            single.sort();
            several.sort();
            assert_eq!(single, several, "seed {seed}, step {step}, after {frame:02x?}");
            said += single.len();
            heard += 1;
        }
        // No frame got lost on the way to its owner, either.
        let counted = |host: &Host, of: fn(&fyke_stack::Counters) -> u64| -> u64 {
            host.stacks.iter().map(|stack| of(stack.counters())).sum()
        };
        let segments = |counters: &fyke_stack::Counters| counters.segments_in;
        assert_eq!(counted(&one, segments), counted(&four, segments), "seed {seed}");
        let datagrams = four.stacks[3].udp_listing().next().unwrap().unread;
        assert_eq!(one.stacks[0].udp_listing().next().unwrap().unread, datagrams, "seed {seed}");
    }
    assert!(said > heard / 4, "{said} of {heard}: they did not have much to say");
}
