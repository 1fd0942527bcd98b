//! What WebSocket costs without a socket: masking, frames both ways, compression, one message for
//! many, and an echo through a whole pipeline. Beside tungstenite where that does the same.
//!
//! `cargo bench -p fyke-benches --bench websocket`
//!
//! Messages arrive 16 at a time; the figures are per byte of content.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fyke::{ByteBuf, Decoder, Encoder};
use fyke_benches::work::websocket::{BATCH, KEY, content, echoing, frames};
use fyke_codecs::websocket::{DeflateConfig, Limits, Message, MessageCodec, PreparedMessage, mask};
use tungstenite::protocol::{Role, WebSocket};

const SIZES: [usize; 6] = [16, 125, 1024, 4096, 16_384, 65_536];

/// Gives what it has, then blocks; takes everything.
struct Wire<'a>(&'a [u8], Vec<u8>);

impl Read for Wire<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buf)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.1.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn masking(c: &mut Criterion) {
    let mut group = c.benchmark_group("websocket/mask");
    for size in SIZES {
        let mut data = content(size);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| black_box(mask(black_box(&mut data), KEY)));
        });
    }
    group.finish();
}

/// Both copy what has come once, as from a socket.
fn decoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("websocket/decode");
    for size in SIZES {
        let wire = frames(size, BATCH);
        group.throughput(Throughput::Bytes((size * BATCH) as u64));
        group.bench_function(BenchmarkId::new("fyke", size), |b| {
            let mut codec = MessageCodec::server(Limits::new());
            b.iter(|| {
                let (mut src, mut count) = (ByteBuf::from(wire.as_slice()), 0);
                while let Ok(Some(message)) = codec.decode(&mut src) {
                    black_box(message);
                    count += 1;
                }
                assert_eq!(count, BATCH);
            });
        });
        group.bench_function(BenchmarkId::new("tungstenite", size), |b| {
            let wire = wire.as_slice();
            let socket = Wire(wire, Vec::new());
            let mut socket = WebSocket::from_raw_socket(socket, Role::Server, None);
            b.iter(|| {
                socket.get_mut().0 = wire;
                let mut count = 0;
                while let Ok(message) = socket.read() {
                    black_box(message);
                    count += 1;
                }
                assert_eq!(count, BATCH);
            });
        });
    }
    group.finish();
}

fn encoding(c: &mut Criterion) {
    for (side, role) in [("server", Role::Server), ("client", Role::Client)] {
        let mut group = c.benchmark_group(format!("websocket/encode/{side}"));
        for size in SIZES {
            let shared = Message::binary(content(size)).share();
            group.throughput(Throughput::Bytes((size * BATCH) as u64));
            group.bench_function(BenchmarkId::new("fyke", size), |b| {
                let mut codec = match role {
                    Role::Server => MessageCodec::server(Limits::new()),
                    Role::Client => MessageCodec::client(Limits::new(), || KEY),
                };
                let mut dst = ByteBuf::with_capacity((size + 14) * BATCH);
                b.iter(|| {
                    dst.clear();
                    for _ in 0..BATCH {
                        codec.encode(shared.clone(), &mut dst).expect("good");
                    }
                    black_box(dst.readable())
                });
            });
            let theirs = tungstenite::Message::Binary(content(size).into());
            group.bench_function(BenchmarkId::new("tungstenite", size), |b| {
                let wire = Wire(&[], Vec::with_capacity((size + 14) * BATCH));
                let mut socket = WebSocket::from_raw_socket(wire, role, None);
                b.iter(|| {
                    socket.get_mut().1.clear();
                    for _ in 0..BATCH {
                        socket.write(theirs.clone()).expect("good");
                    }
                    socket.flush().expect("good");
                    black_box(socket.get_ref().1.len())
                });
            });
        }
        group.finish();
    }
}

/// Something like what services say: fields with names that come again.
fn json(size: usize) -> Vec<u8> {
    let mut text = String::new();
    let mut number = 1_u32;
    while text.len() < size {
        number = number.wrapping_mul(0x9e37_79b9).wrapping_add(1);
        text += &format!("{{\"id\":{number},\"price\":{}.5,\"open\":true}},", number % 997);
    }
    text.truncate(size);
    text.into_bytes()
}

fn compressing(c: &mut Criterion) {
    let mut group = c.benchmark_group("websocket/deflate");
    for size in [256, 1024, 16_384] {
        let message = Message::binary(json(size)).share();
        group.throughput(Throughput::Bytes(size as u64));
        for (name, answer) in [
            ("takeover", "permessage-deflate"),
            ("alone", "permessage-deflate; server_no_context_takeover"),
        ] {
            let config = DeflateConfig::new().threshold_bytes(0);
            let agreed = config.accept([answer.as_bytes()]).expect("good").expect("deflate");
            group.bench_function(BenchmarkId::new(format!("write/{name}"), size), |b| {
                let mut codec = MessageCodec::server(Limits::new()).deflate(&config, agreed);
                let mut dst = ByteBuf::new();
                b.iter(|| {
                    dst.clear();
                    codec.encode(message.clone(), &mut dst).expect("good");
                    black_box(dst.readable())
                });
            });
            let mut codec = MessageCodec::server(Limits::new()).deflate(&config, agreed);
            let mut wire = ByteBuf::new();
            codec.encode(message.clone(), &mut wire).expect("good");
            group.bench_function(BenchmarkId::new(format!("read/{name}"), size), |b| {
                let codec = MessageCodec::client(Limits::new(), || KEY);
                let mut codec = codec.deflate(&config, agreed);
                b.iter_batched_ref(
                    || ByteBuf::from(wire.as_slice()),
                    |src| black_box(codec.decode(src).expect("good")),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

fn broadcasting(c: &mut Criterion) {
    const MEMBERS: usize = 100;
    let mut group = c.benchmark_group("websocket/broadcast");
    group.throughput(Throughput::Elements(MEMBERS as u64));
    let config = DeflateConfig::new();
    let answer = "permessage-deflate; server_no_context_takeover";
    let agreed = config.accept([answer.as_bytes()]).expect("good").expect("deflate");
    let mut members: Vec<MessageCodec> = (0..MEMBERS)
        .map(|_| MessageCodec::server(Limits::new()).deflate(&config, agreed))
        .collect();
    let mut dst = ByteBuf::new();
    for (name, prepared) in [("prepared", true), ("each", false)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let message = match prepared {
                    true => PreparedMessage::binary(json(1024)).into(),
                    false => Message::binary(json(1024)).share(),
                };
                for member in &mut members {
                    dst.clear();
                    let rest = member.encode_gather(message.clone(), &mut dst, 64);
                    black_box(rest.expect("good"));
                }
            });
        });
    }
    group.finish();
}

fn pipeline(c: &mut Criterion) {
    let mut group = c.benchmark_group("websocket/echo");
    for size in SIZES {
        let mut channel = echoing();
        let wire = frames(size, BATCH);
        group.throughput(Throughput::Bytes((size * BATCH) as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter_batched(
                || ByteBuf::from(wire.as_slice()),
                |src| {
                    channel.write_inbound(src);
                    black_box(channel.read_outbound())
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = masking, decoding, encoding, compressing, broadcasting, pipeline
}
criterion_main!(benches);
