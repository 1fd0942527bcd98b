//! Captures: read back by a reader of the format, their packets judged by etherparse.
#![allow(missing_docs, reason = "a test")]

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use etherparse::{NetHeaders, PacketHeaders, TransportHeader};
use fyke_buffer::ByteBuf;
use fyke_codecs::pcap::{Flow, PcapSink, PcapWriteHandler, Side, file_header};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{FileRegion, Outgoing, RegionSource};

/// A packet of a capture: time, bytes, and how long it was.
struct Captured {
    at: Duration,
    bytes: Vec<u8>,
    length: usize,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Reads a file: every block has to be whole, and begin and end with its length.
fn read(mut bytes: &[u8]) -> Vec<Captured> {
    let (mut packets, mut kinds) = (Vec::new(), Vec::new());
    while !bytes.is_empty() {
        let (kind, length) = (u32_at(bytes, 0), u32_at(bytes, 4) as usize);
        assert_eq!((length % 4, u32_at(bytes, length - 4) as usize), (0, length));
        let body = &bytes[8..length - 4];
        if kind == 6 {
            assert_eq!(u32_at(body, 0), 0, "there is one interface");
            let nanos = u64::from(u32_at(body, 4)) << 32 | u64::from(u32_at(body, 8));
            let captured = u32_at(body, 12) as usize;
            packets.push(Captured {
                at: Duration::from_nanos(nanos),
                bytes: body[20..20 + captured].to_vec(),
                length: u32_at(body, 16) as usize,
            });
        }
        kinds.push(kind);
        bytes = &bytes[length..];
    }
    assert_eq!(kinds[..2], [0x0A0D_0D0A, 1], "a section with an interface");
    packets
}

/// A packet in words: who sends, flags, sequence and acknowledgement numbers, bytes.
fn describe(packet: &Captured, us: u16) -> String {
    // What was cut is filled up, to be read at all.
    let mut bytes = packet.bytes.clone();
    bytes.resize(packet.length, 0);
    let headers = PacketHeaders::from_ip_slice(&bytes).expect("a packet of IP");
    let Some(TransportHeader::Tcp(tcp)) = headers.transport else { panic!("no TCP") };
    let payload = headers.payload.slice();
    let whole = packet.length == packet.bytes.len();
    match headers.net.expect("IP") {
        NetHeaders::Ipv4(ip, _) => {
            assert_eq!(ip.calc_header_checksum(), ip.header_checksum);
            assert_eq!(usize::from(ip.total_len), packet.length);
            assert!(!whole || tcp.calc_checksum_ipv4(&ip, payload) == Ok(tcp.checksum));
        }
        NetHeaders::Ipv6(ip, _) => {
            assert_eq!(usize::from(ip.payload_length) + 40, packet.length);
            assert!(!whole || tcp.calc_checksum_ipv6(&ip, payload) == Ok(tcp.checksum));
        }
        other => panic!("{other:?}"),
    }
    let flags = [(tcp.syn, 'S'), (tcp.fin, 'F'), (tcp.rst, 'R'), (tcp.psh, 'P'), (tcp.ack, 'A')];
    let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    let who = if tcp.source_port == us { "us" } else { "peer" };
    let (seq, ack) = (tcp.sequence_number, tcp.acknowledgment_number);
    format!("{who} {flags} {seq} {ack} {}", payload.len())
}

#[test]
fn a_flow_is_a_connection() {
    for (peer, us) in [("192.0.2.1:7", "198.51.100.2:80"), ("[2001:db8::1]:7", "[::1]:80")] {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let mut flow = Flow::new(address(peer), address(us));
        let (at, mut out) = (Duration::new(1_700_000_000, 123_456_789), file_header());
        flow.open(at, Side::Peer, &mut out);
        flow.data(at, Side::Peer, b"question", &mut out);
        flow.data(at, Side::Us, &[7; 40_001], &mut out);
        flow.unseen(at, Side::Us, 70_000, &mut out);
        flow.end(at, Side::Us, &mut out);
        flow.end(at, Side::Us, &mut out);
        flow.end(at, Side::Peer, &mut out);
        flow.reset(at, Side::Peer, &mut out);
        let packets = read(&out);
        assert!(packets.iter().all(|packet| packet.at == at));
        let words: Vec<_> = packets.iter().map(|packet| describe(packet, 80)).collect();
        assert_eq!(
            words,
            [
                "peer S 0 0 0",
                "us SA 0 1 0",
                "peer A 1 1 0",
                "peer PA 1 1 8",
                "us A 1 9 0",
                "us PA 1 9 32768",
                "us PA 32769 9 7233",
                "peer A 9 40002 0",
                "us PA 40002 9 32768",
                "us PA 72770 9 32768",
                "us PA 105538 9 4464",
                "peer A 9 110002 0",
                "us FA 110002 9 0",
                "peer A 9 110003 0",
                "peer FA 9 110003 0",
                "us A 110003 10 0",
            ]
        );
    }
}

#[test]
fn a_reset_ends_a_flow() {
    let mut flow = Flow::new("192.0.2.1:7".parse().unwrap(), "192.0.2.2:80".parse().unwrap());
    let mut out = file_header();
    flow.reset(Duration::ZERO, Side::Peer, &mut out);
    assert!(read(&out).is_empty(), "nothing has begun");
    flow.open(Duration::ZERO, Side::Us, &mut out);
    flow.reset(Duration::ZERO, Side::Peer, &mut out);
    flow.end(Duration::ZERO, Side::Us, &mut out);
    let words: Vec<_> = read(&out).iter().map(|packet| describe(packet, 80)).collect();
    assert_eq!(words, ["us S 0 0 0", "peer SA 0 1 0", "us A 1 1 0", "peer RA 1 1 0"]);
}

/// A file in memory that can be looked at, and that can fail.
#[derive(Clone, Default)]
struct File {
    bytes: Arc<Mutex<Vec<u8>>>,
    full_at: Option<usize>,
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut all = self.bytes.lock().unwrap();
        if self.full_at.is_some_and(|full| all.len() + bytes.len() > full) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        all.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn channel(sink: &PcapSink) -> EmbeddedChannel {
    let sink = sink.clone();
    EmbeddedChannel::new(move |ch| ch.pipeline().duplex("pcap", PcapWriteHandler::server(&sink)))
}

struct Zeros;

impl RegionSource for Zeros {
    fn read_at(&self, _: u64, into: &mut [u8]) -> std::io::Result<usize> {
        into.fill(0);
        Ok(into.len())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[test]
fn what_passes_a_pipeline() {
    let file = File::default();
    let sink = PcapSink::new(file.clone());
    let mut channel = channel(&sink);
    channel.advance(Duration::from_secs(5));
    channel.write_inbound("question");
    assert_eq!(channel.read_inbound::<ByteBuf>().unwrap(), b"question"[..]);
    drop(channel.write_outbound::<Outgoing>("answer".into()).unwrap());
    let region = FileRegion::new(Arc::new(Zeros), 0, 1000);
    drop(channel.write_outbound::<Outgoing>(region.into()).unwrap());
    assert_eq!(channel.read_outbound().readable(), 1006);
    channel.finish_inbound();
    let packets = read(&file.bytes.lock().unwrap());
    assert_eq!((packets[0].at, packets[3].at), (Duration::ZERO, Duration::from_secs(5)));
    assert!(packets[3].bytes.ends_with(b"question"));
    let words: Vec<_> = packets.iter().map(|packet| describe(packet, 1)).collect();
    // Both have port 1, so only the order of numbers tells who speaks.
    let lengths: Vec<_> = words.iter().map(|word| word.rsplit(' ').next().unwrap()).collect();
    assert_eq!(lengths[3..9], ["8", "0", "6", "0", "1000", "0"]);
    assert!(words.last().unwrap().starts_with("us A"));
    assert_eq!(sink.dropped(), 0);
}

#[test]
fn a_full_queue_leaves_out_and_counts() {
    let file = File::default();
    let sink = PcapSink::with_queue_bytes_max(file.clone(), 1000);
    let mut channel = channel(&sink);
    channel.write_inbound(vec![1; 5000]);
    assert_eq!(sink.dropped(), 1);
    channel.write_inbound("small");
    assert_eq!(sink.dropped(), 1);
    // The bytes themselves passed.
    assert_eq!(channel.drain_inbound::<ByteBuf>().len(), 2);
    let packets = read(&file.bytes.lock().unwrap());
    assert!(packets.iter().any(|packet| packet.bytes.ends_with(b"small")));
}

#[test]
fn a_file_that_fails_ends_the_capture_and_nothing_else() {
    let file = File { full_at: Some(400), ..File::default() };
    let sink = PcapSink::new(file.clone());
    let mut channel = channel(&sink);
    for _ in 0..10 {
        channel.write_inbound("some bytes");
    }
    assert_eq!(channel.drain_inbound::<ByteBuf>().len(), 10);
    assert!(channel.is_open());
    assert!(sink.dropped() > 0);
    drop(read(&file.bytes.lock().unwrap()));
}
