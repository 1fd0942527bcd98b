//! Files that are read a piece at a time, away from the loop.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fyke_core::embedded::EmbeddedChannel;
use fyke_core::handlers::ChunkedFiles;
use fyke_core::{ChannelOptions, FileRegion, Outgoing, RegionSource, WriteFuture};

/// Counts upwards, and notes how often and how far it was read.
#[derive(Default)]
struct Counting {
    len: AtomicU64,
    reads: AtomicUsize,
    far: AtomicU64,
}

impl Counting {
    fn new(len: u64) -> Arc<Self> {
        Arc::new(Self { len: len.into(), ..Self::default() })
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

impl RegionSource for Counting {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = self.len.load(Ordering::Relaxed).saturating_sub(offset);
        let n = into.len().min(left as usize);
        for (at, byte) in into[..n].iter_mut().enumerate() {
            *byte = (offset + at as u64) as u8;
        }
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.far.fetch_max(offset + n as u64, Ordering::Relaxed);
        Ok(n)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn channel(options: ChannelOptions) -> EmbeddedChannel {
    EmbeddedChannel::with_options(options, |ch| {
        ch.pipeline().duplex("files", ChunkedFiles::new().chunk_bytes(1000))
    })
}

fn counted(from: u64, to: u64) -> Vec<u8> {
    (from..to).map(|n| n as u8).collect()
}

fn kept(future: &mut WriteFuture) -> Option<bool> {
    future.try_result().map(|result| result.is_ok())
}

fn write(channel: &mut EmbeddedChannel, message: impl Into<Outgoing>) -> WriteFuture {
    channel.write_outbound(message.into()).unwrap()
}

#[test]
fn a_file_is_read_in_pieces_and_stays_between_its_neighbours() {
    let mut channel = channel(ChannelOptions::new());
    let file = Counting::new(1 << 20);
    let mut before = write(&mut channel, "head");
    let mut within = write(&mut channel, FileRegion::new(file.clone(), 7, 2500));
    let mut empty = write(&mut channel, FileRegion::new(file.clone(), 7, 0));
    let mut behind = write(&mut channel, "tail");
    channel.run_pending();
    let expected = [b"head", &counted(7, 2507)[..], b"tail"].concat();
    assert!(channel.read_outbound() == expected[..]);
    assert_eq!(file.reads(), 3);
    for future in [&mut before, &mut within, &mut empty, &mut behind] {
        assert_eq!(kept(future), Some(true));
    }
}

#[test]
fn a_slow_reader_lets_only_little_be_read() {
    let mut channel = channel(ChannelOptions::new().water_marks(2000, 4000));
    let file = Counting::new(1 << 20);
    channel.set_room(Some(0));
    let mut sent = write(&mut channel, FileRegion::new(file.clone(), 0, 100_000));
    let mut behind = write(&mut channel, vec![9; 50_000]);
    channel.run_pending();
    assert_eq!(file.far.load(Ordering::Relaxed), 6000, "two pieces above the mark");
    let mut got = Vec::new();
    while got.len() < 150_000 {
        let before = got.len();
        channel.set_room(Some(3000));
        channel.run_pending();
        got.extend_from_slice(&channel.read_outbound());
        assert!(got.len() > before, "it stands still after {before} bytes");
        assert!(file.far.load(Ordering::Relaxed) <= got.len() as u64 + 6000);
    }
    assert!(got[..100_000] == counted(0, 100_000) && got[100_000..] == [9; 50_000]);
    assert_eq!((kept(&mut sent), kept(&mut behind)), (Some(true), Some(true)));
}

#[test]
fn a_file_that_was_cut_ends_the_connection_without_another_byte() {
    let mut channel = channel(ChannelOptions::new());
    let file = Counting::new(1500);
    let mut sent = write(&mut channel, FileRegion::new(file.clone(), 0, 5000));
    let mut behind = write(&mut channel, "never");
    channel.run_pending();
    assert!(channel.read_outbound() == counted(0, 1000)[..]);
    assert!(!channel.is_open());
    let error = channel.take_error().unwrap().to_string();
    assert!(error.contains("became shorter"), "{error}");
    assert_eq!((kept(&mut sent), kept(&mut behind)), (Some(false), Some(false)));
}

#[test]
fn the_end_waits_for_the_file() {
    for close in [true, false] {
        let mut channel = channel(ChannelOptions::new().water_marks(1000, 1500));
        channel.set_room(Some(0));
        let file = Counting::new(1 << 20);
        let mut sent = write(&mut channel, FileRegion::new(file, 0, 10_000));
        channel.run(move |cx| if close { cx.close() } else { cx.shutdown() });
        channel.run_pending();
        assert!(channel.is_open() && !channel.output_ended());
        channel.set_room(None);
        channel.run_pending();
        assert!(channel.read_outbound() == counted(0, 10_000)[..]);
        assert!(channel.output_ended());
        assert_eq!(kept(&mut sent), Some(true));
    }
}

#[test]
fn what_waits_behind_a_file_is_bounded() {
    let options = ChannelOptions::new().water_marks(1000, 1500).outbound_bytes_max(20_000);
    let mut channel = channel(options);
    channel.set_room(Some(0));
    let mut file = write(&mut channel, FileRegion::new(Counting::new(1 << 20), 0, 10_000));
    let mut fits = write(&mut channel, vec![1; 15_000]);
    channel.run_pending();
    assert!(channel.is_open());
    let mut beyond = write(&mut channel, vec![1; 6_000]);
    channel.run_pending();
    assert!(!channel.is_open());
    for future in [&mut file, &mut fits, &mut beyond] {
        assert_eq!(kept(future), Some(false));
    }
}
