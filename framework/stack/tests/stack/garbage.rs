//! Garbage never panics, never grows anything, and never silences a host.

use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::Flags;
use fyke_stack::wire::tcp::{SackBlocks, TcpOption};
use fyke_stack::{ConnectOptions, Event, Medium, RxChecksum, RxMeta, StackConfig, UdpOptions};
use proptest::prelude::*;

use crate::ethernet::{MAC_CLIENT, MAC_SERVER};

use crate::frames::Frame;
use crate::world::{CLIENT, CLIENT6, SERVER, SERVER6, World, addr, at};

/// A small generator of its own, so that a failing run is replayed by its seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn samples() -> Vec<Bytes> {
    let (from, to) = (at(CLIENT, 4000), at(SERVER, 80));
    let (from6, to6) = (at(CLIENT6, 4000), at(SERVER6, 80));
    let mut samples = Vec::new();
    for (from, to) in [(from, to), (from6, to6)] {
        let syn = Frame::syn(&from, &to, 100)
            .option(TcpOption::MaximumSegmentSize(1460))
            .option(TcpOption::SackPermitted)
            .option(TcpOption::Timestamps { value: 1, echo: 0 })
            .option(TcpOption::WindowScale(7));
        samples.push(syn.bytes());
        for flags in [Flags::ACK, Flags::RST, Flags::FIN | Flags::ACK, Flags::SYN | Flags::ACK] {
            let blocks = SackBlocks::new(&[(1, 2), (5, 9)]);
            let frame = Frame::new(&from, &to, flags, 101, 1).option(TcpOption::Sack(blocks));
            samples.push(frame.payload(&[7; 50]).bytes());
        }
    }
    samples
}

/// Changes a few bytes, cuts the end, or doubles a part.
pub(crate) fn mutate(random: &mut Random, frame: &[u8]) -> Bytes {
    let mut bytes = frame.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_within(at..),
            2 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            _ if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            _ => bytes.push(random.next() as u8),
        }
    }
    bytes.into()
}

#[test]
fn a_million_mutations_of_valid_frames_do_no_harm() {
    let mut world = World::new();
    let listener = world.listen("[::]:80");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut samples = samples();
    for round in 0..1_u32 << 20 {
        let sample = samples[random.below(samples.len())].clone();
        let frame = mutate(&mut random, &sample);
        // Without verification mutations get deeper; with it the checksum's path is taken.
        let checksum = if round % 8 == 0 { RxChecksum::None } else { RxChecksum::Valid };
        let gso_size = if round % 16 == 0 { random.next() as u16 } else { 0 };
        world.server.stack.input(world.now, frame, RxMeta { checksum, gso_size });
        if round % 64 == 0 {
            world.now += Duration::from_millis(random.next() % 300);
            world.server.stack.handle_timeout(world.now);
            let sent = world.server.transmit(world.now);
            // What it says itself comes back in pieces, so that mutations hit real numbers.
            if let Some(sent) = sent.last()
                && samples.len() < 64
            {
                samples.push(sent.clone());
            }
            while let Some(id) = world.server.stack.accept(listener) {
                let _ = world.server.stack.write(world.now, id, "hello".into());
                if random.below(2) == 0 {
                    let _ = world.server.stack.close(world.now, id);
                }
            }
            world.server.take_events();
        }
    }
    let usage = world.server.stack.usage();
    assert!(usage.embryos <= 4096 && usage.table_bytes < 4 << 20, "{usage:?}");
    let client = world.connect(&at(SERVER, 80));
    world.settle();
    assert_eq!(world.client.take_events(), [Event::Connected(client)]);
}

/// Everything two hosts say to each other on Ethernet: ARP, discovery, groups, UDP in pieces, TCP.
fn conversation() -> (World, Vec<Bytes>) {
    let mut configs = [MAC_CLIENT, MAC_SERVER].map(crate::ethernet::config);
    configs.iter_mut().for_each(|config| {
        config.duplicate_address_probes = 1;
        config.slaac = true;
    });
    let [client, server] = configs;
    let mut world = World::with(client, server);
    world.advance(Duration::from_secs(5));
    let one = world.client.stack.udp_bind(addr("[::]:5000"), UdpOptions::default()).unwrap();
    world.server.stack.udp_bind(addr("[::]:5000"), UdpOptions::default()).unwrap();
    for group in ["239.1.2.3", "ff05::5"] {
        world.client.stack.udp_join(world.now, one, group.parse().unwrap()).unwrap();
    }
    world.advance(Duration::from_secs(2));
    for (server, client) in [(SERVER, CLIENT), (SERVER6, CLIENT6)] {
        for port in [5000, 5001] {
            let to = Some(addr(&at(server, port)));
            world.client.stack.udp_send(world.now, one, to, vec![1; 4000].into()).unwrap();
            world.client.stack.udp_send(world.now, one, to, vec![1; 40].into()).unwrap();
        }
        world.settle();
        world.client.take_events();
        let (id, _) = world.established(&at(server, 80));
        world.client.stack.write(world.now, id, vec![2; 5000].into()).unwrap();
        world.settle();
        world.client.stack.close(world.now, id).unwrap();
        world.advance(Duration::from_secs(1));
        assert!(!client.is_empty());
    }
    let mut samples = world.client.sent.clone();
    // What the server sent, too: as if its answers came back to it from somewhere else.
    samples.extend(world.server.sent.iter().map(|frame| {
        let mut turned = frame.to_vec();
        turned[..6].copy_from_slice(&MAC_SERVER.octets());
        turned[6..12].copy_from_slice(&MAC_CLIENT.octets());
        Bytes::from(turned)
    }));
    (world, samples)
}

#[test]
fn mutations_of_everything_on_a_link_do_no_harm() {
    let (mut world, samples) = conversation();
    assert!(samples.len() > 40, "{}", samples.len());
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for round in 0..1_u32 << 18 {
        let sample = samples[random.below(samples.len())].clone();
        let frame = mutate(&mut random, &sample);
        let checksum = if round % 4 == 0 { RxChecksum::None } else { RxChecksum::Valid };
        let gso_size = if round % 16 == 0 { random.next() as u16 } else { 0 };
        world.server.stack.input(world.now, frame, RxMeta { checksum, gso_size });
        if round % 64 == 0 {
            world.now += Duration::from_millis(random.next() % 500);
            world.server.stack.handle_timeout(world.now);
            let next = world.server.stack.poll_timeout();
            assert!(next.is_none_or(|next| next > world.now), "a timer spins");
            world.server.transmit(world.now);
            world.server.take_events();
        }
    }
    let usage = world.server.stack.usage();
    assert!(usage.reassembly.1 <= 4 << 20 && usage.outbox <= 1024, "{usage:?}");
    assert!(world.server.stack.neighbors().count() <= 1536);
    assert!(world.server.stack.addresses().count() <= 64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_do_no_harm(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20),
        version in prop::bool::ANY,
    ) {
        let mut world = World::new();
        world.listen("[::]:80");
        world.client.stack.connect(world.now, addr("10.0.0.2:80"), ConnectOptions::default()).unwrap();
        for mut frame in frames {
            if let Some(first) = frame.first_mut() {
                *first = *first & 0xf | if version { 0x60 } else { 0x40 };
            }
            let meta = RxMeta { checksum: RxChecksum::Valid, ..RxMeta::default() };
            world.client.stack.input(world.now, frame.into(), meta);
        }
        world.client.transmit(world.now);
        prop_assert_eq!(world.client.stack.usage().connections, 1);
    }
}

#[test]
fn no_frame_is_too_short() {
    let mut world =
        World::with(StackConfig::new(Medium::RawIp), StackConfig::freebsd(Medium::RawIp));
    world.listen("[::]:80");
    for sample in samples() {
        for len in 0..sample.len() {
            world.server.stack.input(world.now, sample.slice(..len), RxMeta::default());
        }
    }
    assert!(world.server.transmit(world.now).is_empty());
    assert_eq!(
        world.server.stack.counters().drops.total(),
        world.server.stack.counters().frames_in
    );
}
