//! One case of a whole host, for the fuzzer and for tests: frames, calls and time as the bytes say.
//!
//! Nothing may panic or grow beyond its limits, and no timer may spin.
//!
//! The input is a list of steps: a byte that says what, one that says how much, and for a frame as
//! many bytes. One of the kinds of frames is the inside of a tunnel's packet.

use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::wire::ethernet::{self, EtherType};
use fyke_stack::wire::{Emit, IpProtocol, MacAddress, ipv4};
use fyke_stack::{
    ConnectOptions, Event, ListenOptions, Medium, Route, RxChecksum, RxMeta, Seed, Stack,
    StackConfig, TcpId, Tunnel, UdpOptions,
};

const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);

/// Little enough that a case reaches it.
const SOCKET_BYTES_MAX: usize = 20_000;

/// A host and what an application would remember about it.
struct Host {
    stack: Stack,
    now: Instant,
    ids: Vec<TcpId>,
}

fn host(medium: Medium, slaac: bool) -> Host {
    let mut config = StackConfig::new(medium);
    config.slaac = slaac;
    config.limits.syn_cache_entries_max = 8;
    config.limits.connections_max = 16;
    config.limits.time_wait_entries_max = 4;
    config.limits.reassembly_bytes_max = 20_000;
    config.limits.neighbors_max = 4;
    config.limits.socket_bytes_max = SOCKET_BYTES_MAX;
    config.limits.neighbors_pending_max = 4;
    let now = Instant::from_nanos(1_000_000_000);
    let mut stack = Stack::new(config, Seed::from(1), now);
    for address in ["10.0.0.2/24", "2001:db8::2/64"] {
        stack.add_address(now, address.parse().unwrap()).unwrap();
    }
    let tunnel = Tunnel::new([10, 0, 0, 2].into(), [10, 0, 0, 9].into());
    let tunnel = stack.add_tunnel(now, tunnel).unwrap();
    stack.add_route(Route::through("fd00::/16".parse().unwrap(), tunnel)).unwrap();
    stack.listen("[::]:80".parse().unwrap(), ListenOptions::default()).unwrap();
    let udp = stack.udp_bind("[::]:5000".parse().unwrap(), UdpOptions::default()).unwrap();
    stack.udp_join(now, udp, "239.1.2.3".parse().unwrap()).unwrap();
    Host { stack, now, ids: Vec::new() }
}

impl Host {
    fn frame(&mut self, bytes: &[u8], trusted: bool) {
        let checksum = if trusted { RxChecksum::Valid } else { RxChecksum::None };
        let meta = RxMeta { checksum, ..RxMeta::default() };
        self.stack.input(self.now, Bytes::copy_from_slice(bytes), meta);
    }

    /// What the other end of the tunnel sends around some bytes.
    fn tunneled(&mut self, inner: &[u8], ecn: u8) {
        let (remote, local) = ([10, 0, 0, 9].into(), [10, 0, 0, 2].into());
        let header = ipv4::Header::new(remote, local, IpProtocol::IPV6, inner.len() as u16);
        let mut bytes = match self.stack.config().medium {
            Medium::Ethernet(destination) => {
                let source = MacAddress([2, 0, 0, 0, 0, 9]);
                let ethertype = EtherType::IPV4;
                ethernet::Header { destination, source, vlan: None, ethertype }.to_vec()
            }
            _ => Vec::new(),
        };
        ipv4::Header { traffic_class: ecn, ..header }.append(&mut bytes);
        bytes.extend_from_slice(inner);
        self.frame(&bytes, true);
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        // A long step makes up for what happens every second meanwhile, but not for ever.
        let due = |stack: &Stack| stack.poll_timeout().is_some_and(|next| next <= self.now);
        for _ in 0..64 {
            self.stack.handle_timeout(self.now);
            if !due(&self.stack) {
                return;
            }
        }
        panic!("a timer spins");
    }

    fn speak(&mut self) {
        let mut frames: Vec<Bytes> = Vec::new();
        self.stack.poll_transmit(self.now, &mut frames, 64);
        while let Some(event) = self.stack.poll_event() {
            match event {
                Event::Acceptable(listener) => {
                    while let Some(id) = self.stack.accept(listener) {
                        self.ids.push(id);
                    }
                }
                Event::UdpReadable(id) => while self.stack.udp_receive(id).is_ok() {},
                _ => {}
            }
        }
    }

    fn call(&mut self, what: u8, how: u8) {
        let now = self.now;
        if what == 0 {
            let remote = (std::net::Ipv4Addr::new(10, 0, 0, how), 80).into();
            if let Ok(id) = self.stack.connect(now, remote, ConnectOptions::default()) {
                self.ids.push(id);
            }
            return;
        }
        let Some(id) = self.ids.get(usize::from(how) % self.ids.len().max(1)).copied() else {
            return;
        };
        match what {
            1 => drop(self.stack.write(now, id, vec![how; usize::from(how) * 50].into())),
            2 => drop(self.stack.read(now, id, usize::from(how))),
            3 => drop(self.stack.shutdown(now, id)),
            4 => drop(self.stack.close(now, id)),
            _ => drop(self.stack.abort(now, id)),
        }
    }

    fn check(&self) {
        let usage = self.stack.usage();
        assert!(usage.embryos <= 8 && usage.connections <= 16 && usage.time_waits <= 4);
        assert!(usage.reassembly.1 <= 20_000 && usage.outbox <= 1024, "{usage:?}");
        assert!(self.stack.neighbors().count() <= 8);
        // One write may pass the limit by a buffer, and each connection by a segment.
        assert!(usage.socket_bytes <= SOCKET_BYTES_MAX + 90_000 + 16 * 1500, "{usage:?}");
        assert!(usage.connections > 0 || usage.socket_bytes == 0, "{usage:?}");
    }
}

/// Lets the bytes happen to a host on Ethernet and to one without a link.
///
/// # Panics
/// When a property does not hold.
pub(crate) fn check(input: &[u8]) {
    let hosts = [host(Medium::Ethernet(MAC), true), host(Medium::RawIp, false)];
    for mut host in hosts {
        let mut rest = input;
        while let [what, how, behind @ ..] = rest {
            rest = behind;
            match what % 8 {
                kind @ 0..=3 => {
                    let (frame, behind) = rest.split_at(rest.len().min(usize::from(*how)));
                    rest = behind;
                    match kind {
                        3 => host.tunneled(frame, how & 3),
                        _ => host.frame(frame, kind != 0),
                    }
                }
                4 => host.pass(u64::from(*how) * u64::from(*how)),
                5 => host.speak(),
                _ => host.call(how % 6, how / 6),
            }
        }
        host.speak();
        host.pass(200_000);
        host.speak();
        host.check();
    }
}
