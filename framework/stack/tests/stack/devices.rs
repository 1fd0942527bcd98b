//! The device's side: offload, the segmenter, back-pressure, fairness, captures, the forwarder.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::CloseReason;
use fyke_stack::wire::pcapng::{Block, Reader, Sink};
use fyke_stack::{
    Capture, Direction, DropReason, Event, ForwardDecision, ListenOptions, Medium, Offload,
    PcapngCapture, RxChecksum, RxMeta, Segmenter, StackConfig, TxChecksum, TxFrame, TxSink,
};

use crate::frames::{Frame, parse};
use crate::world::{CLIENT, Host, SERVER, SERVER6, World, addr, at};

/// What a device with offload gets.
#[derive(Default)]
struct Device {
    frames: Vec<(Bytes, u16, TxChecksum)>,
}

impl TxSink for Device {
    fn transmit(&mut self, frame: TxFrame<'_>) {
        let size = frame.gso.map_or(0, |gso| gso.size);
        self.frames.push((frame.to_bytes(), size, frame.checksum));
    }
}

fn offloading() -> StackConfig {
    let mut config = StackConfig::new(Medium::RawIp);
    config.offload = Offload { checksum: true, gso_bytes_max: 60_000 };
    config
}

/// Connects two offloading hosts by carrying frames with what the devices say about them.
fn connected(server: &str) -> (World, fyke_stack::TcpId, fyke_stack::TcpId) {
    let mut world = World::with(offloading(), offloading());
    let listener = world.listen(&at(server, 80));
    let client = world.connect(&at(server, 80));
    for _ in 0..3 {
        carry(world.now, &mut world.client, &mut world.server);
        carry(world.now, &mut world.server, &mut world.client);
    }
    let accepted = world.server.stack.accept(listener).unwrap();
    (world, client, accepted)
}

fn carry(now: Instant, from: &mut Host, to: &mut Host) -> Vec<u16> {
    let mut device = Device::default();
    from.stack.poll_transmit(now, &mut device, usize::MAX);
    let mut sizes = Vec::new();
    for (bytes, gso_size, checksum) in device.frames {
        assert!(matches!(checksum, TxChecksum::Partial { offset: 16, .. }));
        sizes.push(gso_size);
        to.stack.input(now, bytes, RxMeta { checksum: RxChecksum::Partial, gso_size });
    }
    sizes
}

#[test]
fn super_segments_go_through_a_device_that_cuts() {
    let (mut world, client, server) = connected(SERVER);
    world.client.stack.write(world.now, client, vec![7; 14_000].into()).unwrap();
    let sizes = carry(world.now, &mut world.client, &mut world.server);
    assert_eq!(sizes.iter().filter(|size| **size == 1448).count(), 1, "{sizes:?}");
    carry(world.now, &mut world.server, &mut world.client);
    carry(world.now, &mut world.client, &mut world.server);
    assert_eq!(world.server.read_all(world.now, server).0, vec![7; 14_000]);
}

#[test]
fn the_segmenter_makes_of_them_what_any_device_can_send() {
    for server in [SERVER, SERVER6] {
        let (mut world, client, accepted) = connected(server);
        world.client.stack.write(world.now, client, vec![7; 10_000].into()).unwrap();
        let mut frames: Vec<Bytes> = Vec::new();
        world.client.stack.poll_transmit(world.now, &mut Segmenter::new(&mut frames), 64);
        assert!(frames.len() >= 7 && frames.iter().all(|frame| frame.len() <= 1500));
        let seen: Vec<_> = frames.iter().map(parse).collect();
        for pair in seen.windows(2) {
            let end = pair[0].header.seq.wrapping_add(pair[0].payload.len() as u32);
            assert_eq!(end, pair[1].header.seq);
            assert!(!pair[0].flags().contains(fyke_stack::tcp::Flags::FIN));
        }
        for frame in frames {
            world.server.stack.input(world.now, frame, RxMeta::default());
        }
        assert_eq!(world.server.read_all(world.now, accepted).0, vec![7; 10_000]);
        assert_eq!(world.server.stack.counters().drops.total(), 0);
    }
}

/// A device with room for so many frames.
struct Narrow {
    room: usize,
    frames: Vec<Bytes>,
}

impl TxSink for Narrow {
    fn ready(&self) -> bool {
        self.frames.len() < self.room
    }

    fn transmit(&mut self, frame: TxFrame<'_>) {
        assert!(self.ready());
        self.frames.push(frame.to_bytes());
    }
}

#[test]
fn a_device_without_room_costs_time_and_no_frames() {
    let mut world = World::new();
    let (client, server) = world.established(&at(SERVER, 80));
    world.client.stack.write(world.now, client, vec![7; 14_000].into()).unwrap();
    let mut turns = 0;
    while world.client.stack.wants_transmit() {
        let mut device = Narrow { room: 1, frames: Vec::new() };
        world.client.stack.poll_transmit(world.now, &mut device, usize::MAX);
        turns += device.frames.len();
        for frame in device.frames {
            world.server.stack.input(world.now, frame, RxMeta::default());
        }
    }
    assert!(turns >= 10);
    let (bytes, _) = world.server.read_all(world.now, server);
    assert_eq!(bytes, vec![7; bytes.len()]);
    assert_eq!(world.client.stack.info(client).unwrap().bytes_sent_again, 0);
    assert_eq!(bytes.len(), 14_000);
}

#[test]
fn the_budget_is_kept_and_every_connection_has_its_turn() {
    let mut config = StackConfig::new(Medium::RawIp);
    config.limits.segments_per_turn = 2;
    let mut world = World::with(config.clone(), config);
    let listener = world.listen(&at(SERVER, 80));
    let clients: Vec<_> = (0..5).map(|_| world.connect(&at(SERVER, 80))).collect();
    world.settle();
    assert!((0..5).all(|_| world.server.stack.accept(listener).is_some()));
    for client in &clients {
        world.client.stack.write(world.now, *client, vec![1; 14_000].into()).unwrap();
    }
    let mut frames: Vec<Bytes> = Vec::new();
    assert_eq!(world.client.stack.poll_transmit(world.now, &mut frames, 10), 10);
    assert_eq!(frames.len(), 10);
    let mut ports: Vec<u16> = frames.iter().map(|frame| parse(frame).source.port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 5, "two each, not ten of one");
}

#[derive(Clone, Default)]
struct Record(Arc<Mutex<Vec<String>>>);

impl Capture for Record {
    fn frame(&mut self, _: Instant, direction: Direction, pieces: &[&[u8]]) {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        self.0.lock().unwrap().push(format!("{direction:?} {length}"));
    }

    fn remark(&mut self, _: Instant, direction: Direction, text: &'static str) {
        self.0.lock().unwrap().push(format!("{direction:?} {text}"));
    }
}

#[test]
fn a_capture_sees_every_frame_and_why_one_was_dropped() {
    let mut world = World::new();
    let record = Record::default();
    world.server.stack.set_capture(Some(Box::new(record.clone())));
    let syn = Frame::syn(&at(CLIENT, 5), &at(SERVER, 9), 1).bytes();
    world.server.stack.input(world.now, syn, RxMeta::default());
    world.server.transmit(world.now);
    let seen = record.0.lock().unwrap().clone();
    assert_eq!(seen, ["In 40", "In no TCP socket", "Out 40"]);
}

/// A sink that can be looked into while the stack has it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Sink for Shared {
    type Error = std::convert::Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }
}

#[test]
fn a_capture_can_be_opened_by_others() {
    let mut world = World::new();
    let shared = Shared::default();
    let capture = PcapngCapture::new(shared.clone(), Medium::RawIp, 0).unwrap();
    world.server.stack.set_capture(Some(Box::new(capture)));
    world.established(&at(SERVER, 80));
    world.server.stack.input(world.now, Bytes::from_static(b"garbage"), RxMeta::default());
    world.server.stack.input(world.now, Bytes::from_static(b"the last is held"), RxMeta::default());
    let bytes = shared.0.lock().unwrap().clone();
    let packets: Vec<_> = Reader::new(&bytes)
        .filter_map(|block| match block.unwrap() {
            Block::Packet(packet) => Some(packet),
            _ => None,
        })
        .collect();
    assert_eq!(packets.len(), 4, "SYN, SYN-ACK, ACK and garbage");
    assert_eq!(packets[0].bytes.len(), world.client.sent[0].len());
    let comments: Vec<_> = packets[3].comments.iter().map(|c| c.to_string()).collect();
    assert_eq!(comments, ["malformed"]);
}

#[test]
fn a_flood_of_refusals_leaves_half_of_the_budget_to_connections() {
    let mut world = World::new();
    let (client, _) = world.established(&at(SERVER, 80));
    for port in 1..=500 {
        let stray = Frame::syn(&at(SERVER, port), &at(CLIENT, 9), 1).bytes();
        world.client.stack.input(world.now, stray, RxMeta::default());
    }
    world.client.stack.write(world.now, client, vec![1; 14_000].into()).unwrap();
    let mut frames: Vec<Bytes> = Vec::new();
    world.client.stack.poll_transmit(world.now, &mut frames, 16);
    let data = frames.iter().filter(|frame| !parse(frame).payload.is_empty()).count();
    assert_eq!((data, frames.len()), (8, 16));
}

#[test]
fn a_stack_may_move_to_another_thread() {
    fn assert_send<T: Send>() {}
    assert_send::<fyke_stack::Stack>();
}

#[test]
fn a_forwarder_decides_about_any_address() {
    let mut config = StackConfig::new(Medium::RawIp);
    config.any_address = true;
    let mut world = World::with(StackConfig::new(Medium::RawIp), config);
    let forwarder = world.server.stack.forward(ListenOptions::default()).unwrap();
    let names = ["192.0.2.1:80", "198.51.100.7:443", "203.0.113.9:22"];
    let clients = names.map(|remote| world.connect(remote));
    world.settle();
    assert_eq!(world.server.take_events(), [Event::Forward(forwarder)]);
    let decisions = [ForwardDecision::Accept, ForwardDecision::Reset, ForwardDecision::Ignore];
    for (name, decision) in names.iter().zip(decisions) {
        let request = world.server.stack.forward_request(forwarder).unwrap();
        assert_eq!(request.local(), addr(name));
        assert_eq!(request.remote().ip(), CLIENT.parse::<std::net::IpAddr>().unwrap());
        world.server.stack.forward_decide(world.now, request, decision);
    }
    assert!(world.server.stack.forward_request(forwarder).is_none());
    world.settle();
    let events = world.client.take_events();
    let refused = Event::Closed(clients[1], CloseReason::Refused);
    assert!(events.contains(&Event::Connected(clients[0])) && events.contains(&refused));
    assert_eq!(events.len(), 2);
    let accepted = world.server.stack.accept(forwarder).unwrap();
    assert_eq!(world.server.stack.endpoints(accepted).unwrap().0, addr(names[0]));
    world.client.stack.write(world.now, clients[0], "through".into()).unwrap();
    world.settle();
    assert_eq!(world.server.read_all(world.now, accepted).0, b"through");
    assert_eq!(world.server.stack.counters().drops[DropReason::ForwardIgnored], 1);
}

#[test]
fn only_so_many_offers_wait_for_a_decision() {
    let mut config = StackConfig::new(Medium::RawIp);
    config.any_address = true;
    config.limits.forward_requests_max = 2;
    let mut world = World::with(StackConfig::new(Medium::RawIp), config);
    let forwarder = world.server.stack.forward(ListenOptions::default()).unwrap();
    for remote in ["192.0.2.1:80", "192.0.2.2:80", "192.0.2.3:80"] {
        world.connect(remote);
    }
    world.settle();
    assert_eq!(world.server.stack.counters().drops[DropReason::ForwardIgnored], 1);
    assert!(world.server.stack.forward_request(forwarder).is_some());
    assert!(world.server.stack.forward_request(forwarder).is_some());
    assert!(world.server.stack.forward_request(forwarder).is_none());
}
