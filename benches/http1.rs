//! What HTTP/1.1 costs without a socket: heads read, responses written, chunks both ways, and a
//! request through a whole server.
//!
//! `cargo bench -p fyke-benches --bench http1`
//!
//! Requests arrive 16 at a time, as pipelined ones do; the figures are per request.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fyke::prelude::*;
use fyke::{Decoder, Encoder};
use fyke_benches::work::http::{BATCH, BROWSER, TOOL, plaintext, serving};
use fyke_codecs::http1::{
    RequestDecoder, RequestPart, ResponseHead, ResponsePart, ServerCodec, Status,
};

fn decode_all(decoder: &mut RequestDecoder, src: &mut ByteBuf) {
    while let Ok(Some(part)) = decoder.decode(src) {
        black_box(part);
    }
    assert!(src.is_empty(), "good requests");
}

fn heads(c: &mut Criterion) {
    let mut group = c.benchmark_group("http1/head");
    for (name, request) in [("tool", TOOL), ("browser", BROWSER)] {
        let stream = request.repeat(BATCH);
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            let mut decoder = RequestDecoder::default();
            b.iter_batched(
                || ByteBuf::from(stream.as_str()),
                |mut src| {
                    decode_all(&mut decoder, &mut src);
                    src
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// A codec that has read so many requests.
fn asked(requests: usize) -> ServerCodec {
    let mut codec = ServerCodec::default();
    codec.set_unix_time(784_111_777);
    let mut src = ByteBuf::from(TOOL.repeat(requests).as_str());
    while let Ok(Some(part)) = codec.decode(&mut src) {
        drop::<RequestPart>(part);
    }
    codec
}

fn responses(c: &mut Criterion) {
    let mut group = c.benchmark_group("http1/response");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("plaintext", |b| {
        b.iter_batched(
            || (asked(BATCH), ByteBuf::with_capacity(8192)),
            |(mut codec, mut dst)| {
                for _ in 0..BATCH {
                    codec.encode(plaintext().into(), &mut dst).expect("a good response");
                }
                dst
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn chunks(c: &mut Criterion) {
    const BODY: usize = 64 * 1024;
    let mut group = c.benchmark_group("http1/chunked");
    group.throughput(Throughput::Bytes(BODY as u64));
    for size in [64, 1024, 16 * 1024] {
        let mut stream =
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..BODY / size {
            stream.extend(format!("{size:x}\r\n").bytes());
            stream.resize(stream.len() + size, b'x');
            stream.extend(b"\r\n");
        }
        stream.extend(b"0\r\n\r\n");
        group.bench_function(BenchmarkId::new("decode", size), |b| {
            let mut decoder = RequestDecoder::default();
            b.iter_batched(
                || ByteBuf::from(stream.as_slice()),
                |mut src| {
                    decode_all(&mut decoder, &mut src);
                    src
                },
                BatchSize::SmallInput,
            );
        });
        let piece = bytes::Bytes::from(vec![b'x'; size]);
        group.bench_function(BenchmarkId::new("encode", size), |b| {
            b.iter_batched(
                || (asked(1), ByteBuf::with_capacity(2 * BODY)),
                |(mut codec, mut dst)| {
                    let mut send = |part| codec.encode(part, &mut dst).expect("a good part");
                    send(ResponseHead::new(Status::OK).into());
                    for _ in 0..BODY / size {
                        send(ResponsePart::Body(piece.clone().into()));
                    }
                    send(ResponsePart::End);
                    dst
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Decoder, encoder, aggregator and service of a server, on the real loop over a wire of memory.
fn pipeline(c: &mut Criterion) {
    let mut group = c.benchmark_group("http1/pipeline");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, request) in [("tool", TOOL), ("browser", BROWSER)] {
        let stream = request.repeat(BATCH);
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            let mut channel = serving();
            b.iter_batched(
                || ByteBuf::from(stream.as_str()),
                |src| {
                    channel.write_inbound(src);
                    channel.read_outbound()
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
    targets = heads, responses, chunks, pipeline
}
criterion_main!(benches);
