//! One case of a whole stack, for the fuzzer and for tests: the input is a list of what the wire and
//! the application do to it.
//!
//! Most frames are nearly right: segments with true checksums whose numbers are near those of the
//! stack, its own frames thrown back and damaged, datagrams in pieces, errors that quote. Nothing
//! may panic, spin, or grow beyond its limits.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::ConnectionOption;
use fyke_stack::wire::ethernet::{EtherType, Header as EthernetHeader};
use fyke_stack::wire::tcp::{Header, Options, Packet};
use fyke_stack::wire::{ChecksumIntent, Emit, IpProtocol, MacAddress, PseudoHeader, ipv4, ipv6};
use fyke_stack::{
    ConnectOptions, ListenOptions, ListenerId, Medium, Offload, RxMeta, Seed, Stack, StackConfig,
    TcpId, UdpId, UdpOptions,
};

#[path = "ingress_wire.rs"]
mod wire;

use wire::{ends, ip};

/// Steps of an input; what is behind them is not looked at.
const STEPS_MAX: usize = 400;
/// Frames that one step may lead to: what connections may have in flight, and no storm.
const FRAMES_MAX: usize = 20_000;

const OURS: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const THEIRS: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
const OURS4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const THEIRS4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const OURS6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const THEIRS6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

/// Bytes of the input, zeros when there are none left.
struct Bits<'a>(&'a [u8]);

impl<'a> Bits<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn some(&mut self, most: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(most.min(self.0.len()));
        self.0 = tail;
        head
    }
}

/// What the peer of a four-tuple believes.
#[derive(Clone, Copy, Default)]
struct Flow {
    ours: u16,
    theirs: u16,
    six: bool,
    /// Its next number, and the next it expects.
    seq: u32,
    ack: u32,
}

struct Host {
    stack: Stack,
    now: Instant,
    ethernet: bool,
    listener: ListenerId,
    udp: UdpId,
    ids: Vec<TcpId>,
    flows: Vec<Flow>,
    sent: Vec<Bytes>,
}

/// Runs a case.
///
/// # Panics
/// When a property does not hold.
pub(crate) fn check(input: &[u8]) {
    let mut bits = Bits(input);
    let mut host = Host::new(bits.byte());
    for _ in 0..STEPS_MAX {
        if bits.0.is_empty() {
            break;
        }
        host.step(&mut bits);
        host.settle();
    }
    host.finish();
}

impl Host {
    fn new(habits: u8) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let on = |bit: u8| habits & 1 << bit != 0;
        let medium = if on(0) { Medium::Ethernet(OURS) } else { Medium::RawIp };
        let mut config =
            if on(1) { StackConfig::freebsd(medium) } else { StackConfig::new(medium) };
        config.any_address = on(2);
        config.slaac = on(3);
        config.limits.syn_cookies = !on(4);
        config.limits.syn_cache_entries_max = if on(5) { 2 } else { 64 };
        config.limits.reassembly_bytes_max = 1 << 16;
        config.limits.time_wait_entries_max = 8;
        config.limits.connections_max = 32;
        config.proxy_arp = on(6);
        if on(7) {
            config.offload = Offload { checksum: true, gso_bytes_max: 65_535 };
        }
        let mut stack = Stack::new(config, Seed::from(7), now);
        for address in ["10.0.0.1/24", "2001:db8::1/64"] {
            stack.add_address(now, address.parse().unwrap()).unwrap();
        }
        if on(0) {
            stack.set_neighbor(now, THEIRS4.into(), THEIRS);
            stack.set_neighbor(now, THEIRS6.into(), THEIRS);
        }
        let any = |port| SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
        let listener = stack.listen(any(80), ListenOptions::default()).unwrap();
        let udp = stack.udp_bind(any(53), UdpOptions::default()).unwrap();
        let mut host = Self {
            stack,
            now,
            ethernet: on(0),
            listener,
            udp,
            ids: Vec::new(),
            flows: vec![Flow { ours: 80, theirs: 4000, ..Flow::default() }],
            sent: Vec::new(),
        };
        // Addresses on a link are tried before they are used.
        host.pass(Duration::from_secs(5));
        host.settle();
        host
    }

    fn step(&mut self, bits: &mut Bits<'_>) {
        let step = bits.byte();
        match step & 0x0f {
            0..=4 => self.segment(bits, step >> 4),
            5 => self.throw_back(bits),
            6 => self.raw(bits),
            7 => self.pieces(bits),
            8 => self.error(bits),
            9 => self.pass(Duration::from_millis(u64::from(bits.byte()) << (step >> 4))),
            10 => self.connect(bits),
            11 => self.handshake(bits, step >> 4),
            12 => self.control(bits),
            _ => self.application(bits, step >> 4),
        }
    }

    /// Puts a link header in front where there is a link.
    fn give(&mut self, packet: &[u8], meta: RxMeta) {
        let mut bytes = Vec::new();
        if self.ethernet {
            let six = packet.first().is_some_and(|first| first >> 4 == 6);
            let ethertype = if six { EtherType::IPV6 } else { EtherType::IPV4 };
            let header =
                EthernetHeader { destination: OURS, source: THEIRS, vlan: None, ethertype };
            header.append(&mut bytes);
        }
        bytes.extend_from_slice(packet);
        self.stack.input(self.now, bytes.into(), meta);
    }

    /// A segment of a flow, near its numbers, with its checksum right.
    fn segment(&mut self, bits: &mut Bits<'_>, which: u8) {
        let at = usize::from(which) % self.flows.len();
        let (flags, offsets) = (bits.byte(), bits.byte());
        let offset = |bits: &mut Bits<'_>, how: u8| match how & 3 {
            0 | 1 => 0,
            2 => i32::from(bits.byte().cast_signed()),
            _ => i32::from(bits.word().cast_signed()) << ((how >> 2 & 3) * 5),
        };
        let flow = self.flows[at];
        let seq = flow.seq.wrapping_add_signed(offset(bits, offsets));
        let ack = flow.ack.wrapping_add_signed(offset(bits, offsets >> 4));
        let (window, lengths) = (bits.word(), bits.byte());
        let options = bits.some(usize::from(lengths & 0x0f) * 3).to_vec();
        let payload = vec![flags; usize::from(lengths >> 4) * 97];
        self.send(flow, u16::from(flags), seq, ack, window, &options, &payload);
        if offsets & 3 == 0 && flags & 4 == 0 {
            let control = u32::from(flags & 1) + u32::from(flags >> 1 & 1);
            self.flows[at].seq = seq.wrapping_add(payload.len() as u32 + control);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of a header")]
    fn send(
        &mut self,
        flow: Flow,
        flags: u16,
        seq: u32,
        ack: u32,
        window: u16,
        options: &[u8],
        payload: &[u8],
    ) {
        let header = Header {
            source_port: flow.theirs,
            destination_port: flow.ours,
            seq,
            ack,
            flags,
            window,
            urgent: window,
            options: Options::from_bytes(&options[..options.len().min(40)]),
        };
        let mut segment = header.to_vec();
        let (from, to) = ends(flow.six);
        let pseudo = PseudoHeader::new(from, to).unwrap();
        Header::fill_checksum(&mut segment, &pseudo, &[payload], ChecksumIntent::Full);
        segment.extend_from_slice(payload);
        self.give(&ip(from, to, IpProtocol::TCP, &segment), RxMeta::default());
    }

    /// A whole handshake with the listener, so that what follows finds a connection.
    fn handshake(&mut self, bits: &mut Bits<'_>, which: u8) {
        let flow = Flow {
            ours: 80,
            theirs: 4000 + u16::from(which),
            six: bits.byte() & 1 != 0,
            seq: u32::from(bits.word()) << 16,
            ack: 0,
        };
        self.flows.retain(|known| (known.theirs, known.ours) != (flow.theirs, flow.ours));
        self.flows.push(flow);
        let syn: &[u8] = match bits.byte() & 3 {
            0 => &[2, 4, 5, 0xb4],
            1 => &[2, 4, 5, 0xb4, 4, 2, 3, 3, 7, 0],
            _ => &[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 3, 3, 14, 0],
        };
        self.send(flow, 2, flow.seq, 0, 60_000, syn, b"");
        self.settle();
        let Some(flow) = self.flows.last_mut() else { return };
        flow.seq = flow.seq.wrapping_add(1);
        let flow = *flow;
        self.send(flow, 16, flow.seq, flow.ack, 60_000, b"", b"");
        self.settle();
    }

    fn connect(&mut self, bits: &mut Bits<'_>) {
        let six = bits.byte() & 1 != 0;
        let remote = SocketAddr::new(ends(six).0, 7000);
        let made = self.stack.connect(self.now, remote, ConnectOptions::default());
        let Ok(id) = made else { return };
        if let Some((local, _)) = self.stack.endpoints(id) {
            let seq = u32::from(bits.word()) << 16;
            let flow = Flow { ours: local.port(), theirs: 7000, six, seq, ack: 0 };
            self.flows.push(flow);
            if self.flows.len() > 16 {
                self.flows.remove(0);
            }
        }
        self.ids.push(id);
    }

    fn application(&mut self, bits: &mut Bits<'_>, how: u8) {
        let which = usize::from(bits.byte());
        let Some(&id) = self.ids.get(which % self.ids.len().max(1)) else { return };
        let now = self.now;
        // What the connection's state refuses is refused: that is part of the case.
        match how {
            0..=4 => {
                let _ = self.stack.read(now, id, usize::from(bits.word()) + 1);
            }
            5..=8 => {
                let data = vec![how; usize::from(bits.word() & 0x3fff)];
                let _ = self.stack.write(now, id, data.into());
            }
            9 => {
                let _ = self.stack.shutdown(now, id);
            }
            10 => {
                let _ = self.stack.close(now, id);
            }
            11 => {
                let _ = self.stack.abort(now, id);
            }
            12 => {
                let option = ConnectionOption::ReceiveBufferBytes(u32::from(bits.word()));
                let _ = self.stack.set_option(now, id, option);
            }
            13 => {
                let _ = self.stack.set_option(now, id, ConnectionOption::NoDelay(true));
            }
            _ => {
                let to = Some(SocketAddr::new(ends(how == 14).0, 53));
                let data = vec![how; usize::from(bits.word() & 0x1fff)];
                let _ = self.stack.udp_send(now, self.udp, to, data.into());
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..10_000 {
            let Some(next) = self.stack.poll_timeout().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.stack.handle_timeout(self.now);
            self.settle();
        }
        self.now = self.now.max(end);
        self.stack.handle_timeout(self.now);
        let next = self.stack.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "a timer spins");
    }

    /// The stack sends and says what happened; its limits hold.
    fn settle(&mut self) {
        let mut sent: Vec<Bytes> = Vec::new();
        self.stack.poll_transmit(self.now, &mut sent, FRAMES_MAX);
        assert!(sent.len() < FRAMES_MAX, "a storm");
        for frame in &sent {
            self.hear(frame);
        }
        self.sent.extend(sent);
        let old = self.sent.len().saturating_sub(256);
        self.sent.drain(..old);
        while let Some(id) = self.stack.accept(self.listener) {
            self.ids.push(id);
        }
        let mut events = 0;
        while self.stack.poll_event().is_some() {
            events += 1;
            assert!(events < 10_000, "events without an end");
        }
        while self.stack.udp_receive(self.udp).is_ok() {}
        let (usage, limits) = (self.stack.usage(), &self.stack.config().limits);
        assert!(usage.embryos <= limits.syn_cache_entries_max, "{usage:?}");
        assert!(usage.time_waits <= limits.time_wait_entries_max, "{usage:?}");
        assert!(usage.connections <= limits.connections_max, "{usage:?}");
        assert!(usage.reassembly.1 <= limits.reassembly_bytes_max, "{usage:?}");
        assert!(usage.outbox <= limits.outbox_packets_max, "{usage:?}");
    }

    /// The peer learns what the stack's numbers are.
    fn hear(&mut self, frame: &Bytes) {
        let Some(packet) = frame.get(if self.ethernet { 14 } else { 0 }..) else { return };
        let (protocol, payload) = match packet.first().map(|first| first >> 4) {
            Some(4) => match ipv4::Packet::parse(packet) {
                Ok(packet) if !packet.is_fragment() => (packet.protocol(), packet.payload()),
                _ => return,
            },
            Some(6) => match ipv6::Packet::parse(packet) {
                Ok(packet) => (packet.next_header(), packet.payload()),
                Err(_) => return,
            },
            _ => return,
        };
        if protocol != IpProtocol::TCP {
            return;
        }
        let segment = Packet::parse(payload).expect("what we send parses");
        let mine = |flow: &&mut Flow| {
            (flow.ours, flow.theirs) == (segment.source_port(), segment.destination_port())
        };
        if let Some(flow) = self.flows.iter_mut().find(mine) {
            let control = u32::from(segment.flags() & 1) + u32::from(segment.flags() >> 1 & 1);
            let end = segment.seq().wrapping_add(segment.payload().len() as u32 + control);
            flow.ack = end;
        }
    }

    /// The application leaves; in the end nothing is left of anybody.
    fn finish(&mut self) {
        for id in std::mem::take(&mut self.ids) {
            let _ = self.stack.close(self.now, id);
        }
        self.settle();
        for id in std::mem::take(&mut self.ids) {
            let _ = self.stack.abort(self.now, id);
        }
        for _ in 0..40 {
            self.pass(Duration::from_secs(60));
            for id in std::mem::take(&mut self.ids) {
                let _ = self.stack.abort(self.now, id);
            }
            self.settle();
        }
        let usage = self.stack.usage();
        assert_eq!((usage.connections, usage.embryos, usage.time_waits), (0, 0, 0), "{usage:?}");
        assert_eq!(usage.reassembly, (0, 0));
    }
}
