//! What framing costs without a pipeline: 512 messages into one buffer, and out of it again.
//!
//! `cargo bench -p fyke-benches --bench codecs`
//!
//! HTTP, WebSocket and the whole pipeline have benches of their own.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fyke::{ByteBuf, Bytes, Decoder, Encoder};
use fyke_codecs::frames::{Delimiter, FixedLength, LengthField, Line, Varint32};

const MESSAGES: usize = 512;

/// Encodes and decodes messages of `size` bytes.
fn both<C>(c: &mut Criterion, name: &str, size: usize, codec: &C)
where
    C: Decoder<Item = ByteBuf> + Encoder<Bytes> + Clone,
{
    let message = Bytes::from(vec![b'x'; size]);
    let encode = |wire: &mut ByteBuf| {
        let mut codec = codec.clone();
        for _ in 0..MESSAGES {
            codec.encode(message.clone(), wire).expect("it is small enough");
        }
    };
    let mut encoding = c.benchmark_group("codecs/encode");
    encoding.throughput(Throughput::Elements(MESSAGES as u64));
    let mut wire = ByteBuf::with_capacity(MESSAGES * (size + 16));
    encoding.bench_function(BenchmarkId::new(name, size), |b| {
        b.iter(|| {
            wire.clear();
            encode(black_box(&mut wire));
        });
    });
    encoding.finish();
    let mut decoding = c.benchmark_group("codecs/decode");
    decoding.throughput(Throughput::Elements(MESSAGES as u64));
    decoding.bench_function(BenchmarkId::new(name, size), |b| {
        b.iter_batched(
            || ByteBuf::from(wire.as_slice()),
            |mut wire| {
                let mut codec = codec.clone();
                while let Ok(Some(message)) = codec.decode(&mut wire) {
                    black_box(message);
                }
                assert!(wire.is_empty(), "whole messages");
            },
            BatchSize::SmallInput,
        );
    });
    decoding.finish();
}

fn frames(c: &mut Criterion) {
    for size in [64, 1024] {
        both(c, "length_u32", size, &LengthField::u32());
        both(c, "length_u16", size, &LengthField::u16());
        both(c, "varint", size, &Varint32::new());
        both(c, "line", size, &Line::new());
        both(c, "delimiter", size, &Delimiter::new("\r\n"));
        both(c, "fixed", size, &FixedLength::new(size));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = frames
}
criterion_main!(benches);
