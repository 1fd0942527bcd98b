//! The same cells with smoltcp and its Reno at both ends: in each we are at least as good.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use crate::sim::{Path, Random};

const BUFFER_BYTES: usize = 1 << 20;

/// Ethernet, which the medium of raw IP leaves out.
const FRAME_BYTES: u64 = 14;

/// A device that is two queues.
#[derive(Default)]
struct Port {
    received: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

struct Sending<'a>(&'a mut Vec<Vec<u8>>);

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let done = f(&mut packet);
        self.0.push(packet);
        done
    }
}

impl Device for Port {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sending<'_>)> {
        let packet = self.received.pop_front()?;
        Some((Received(packet), Sending(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        Some(Sending(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

struct End {
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    port: Port,
    read: u64,
}

impl End {
    fn new(address: [u8; 4], seed: u64) -> Self {
        let mut port = Port::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut port, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            let [a, b, c, d] = address;
            addresses.push(IpCidr::new(IpAddress::v4(a, b, c, d), 24)).unwrap();
        });
        let buffer = || SocketBuffer::new(vec![0; BUFFER_BYTES]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_congestion_control(CongestionControl::Reno);
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        Self { interface, sockets, handle, port, read: 0 }
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    fn turn(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.interface.poll(now, &mut self.port, &mut self.sockets);
        let socket = self.sockets.get_mut::<Socket<'_>>(self.handle);
        let zeros = [0; 4096];
        while socket.can_send() && socket.send_slice(&zeros).is_ok_and(|n| n > 0) {}
        while socket.can_recv() {
            self.read += socket.recv(|bytes| (bytes.len(), bytes.len() as u64)).unwrap();
        }
        self.interface.poll(now, &mut self.port, &mut self.sockets);
        std::mem::take(&mut self.port.sent)
    }

    fn next(&mut self, now: Instant) -> Option<Instant> {
        self.interface.poll_at(now, &self.sockets)
    }
}

/// By time and order: to which end, and the packet.
type Arrival = (Instant, u64, usize, Vec<u8>);

/// Payload bytes in a second that reach the application, between two times.
pub fn goodput(path: &Path, seed: u64, first: Duration, look: Duration) -> f64 {
    let mut random = Random(seed);
    let mut ends = [End::new([10, 0, 0, 1], seed), End::new([10, 0, 0, 2], !seed)];
    ends[1].socket().listen(80).unwrap();
    let End { interface, sockets, handle, .. } = &mut ends[0];
    let client = sockets.get_mut::<Socket<'_>>(*handle);
    client.connect(interface.context(), (IpAddress::v4(10, 0, 0, 2), 80), 50_000).unwrap();

    let mut arrivals: BinaryHeap<Reverse<Arrival>> = BinaryHeap::new();
    let (mut now, mut order, mut before) = (Instant::ZERO, 0, None);
    // In nanoseconds: at full speed a packet takes less than the clock of smoltcp shows.
    let mut free_at = 0_u64;
    let micros = |time: Duration| time.as_micros() as i64;
    while now.total_micros() < micros(first + look) {
        if before.is_none() && now.total_micros() >= micros(first) {
            before = Some(ends[1].read);
        }
        while arrivals.peek().is_some_and(|Reverse(arrival)| arrival.0 <= now) {
            let Some(Reverse((_, _, to, packet))) = arrivals.pop() else { break };
            ends[to].port.received.push_back(packet);
        }
        for (from, end) in ends.iter_mut().enumerate() {
            for packet in end.turn(now) {
                let now_nanos = now.total_micros() as u64 * 1_000;
                let mut leaves = now_nanos;
                if from == 0 {
                    let bytes = FRAME_BYTES + packet.len() as u64;
                    free_at = free_at.max(now_nanos);
                    let queued = (free_at - now_nanos) * path.rate / 1_000_000_000;
                    let lossy = packet.len() > 100;
                    let full = queued + bytes > path.queue_bytes;
                    if full || (lossy && random.chance(path.loss)) {
                        continue;
                    }
                    free_at += bytes * 1_000_000_000 / path.rate;
                    leaves = free_at;
                }
                let at = leaves / 1_000 + path.rtt.as_micros() as u64 / 2;
                order += 1;
                let at = Instant::from_micros(at as i64);
                arrivals.push(Reverse((at, order, 1 - from, packet)));
            }
        }
        let arrival = arrivals.peek().map(|Reverse(arrival)| arrival.0);
        // What it wanted to do now it has done in its turns.
        let timers = ends.iter_mut().filter_map(|end| end.next(now)).filter(|at| *at > now);
        let soon = now + smoltcp::time::Duration::from_millis(10);
        now = timers.chain(arrival).min().unwrap_or(soon).clamp(now, soon);
    }
    (ends[1].read - before.unwrap_or(0)) as f64 / look.as_secs_f64()
}
