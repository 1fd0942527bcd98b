//! What it costs to send a file to a socket, by every way that Linux has.
//!
//! `cargo bench -p fyke-benches --bench zero_copy` (`FYKE_BENCH_LONG=1` for files of 1 GiB, too)
//!
//! The sender is this process on processor 0. The receiver is a process of its own on processor 1, which
//! lets the kernel throw the bytes away unread (`MSG_TRUNC`) and acknowledges each file with a byte. The
//! file is in the page cache, except where O_DIRECT goes around it. Noted beside criterion's times is the
//! processor time of the sender. Rows of fyke go through a channel on a loop.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

#[path = "load/cpu.rs"]
#[allow(dead_code, reason = "each program uses its part")]
mod cpu;
#[path = "zero_copy/receiver.rs"]
mod receiver;
#[path = "zero_copy/ways.rs"]
mod ways;

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use fyke_benches::notes::{Note, Notes, is_long};

use receiver::Receiver;
use ways::{WAYS, Way};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A file of `bytes` that is removed at the end.
struct TestFile {
    path: PathBuf,
    bytes: u64,
}

impl TestFile {
    fn new(bytes: u64) -> io::Result<Self> {
        let name = format!("fyke-zero-copy-{}-{bytes}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut file = File::create(&path)?;
        let block: Vec<u8> = (0..MIB).map(|n| (n * 31 + n / 251) as u8).collect();
        let mut left = bytes;
        while left > 0 {
            let n = left.min(MIB);
            file.write_all(&block[..n as usize])?;
            left -= n;
        }
        // O_DIRECT would have to write it first.
        file.sync_all()?;
        Ok(Self { path, bytes })
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            eprintln!("{} stays behind: {error}", self.path.display());
        }
    }
}

/// Sends the file once; answers the time until all of it was received, and the processor time.
fn once(sender: &mut dyn ways::Sender) -> io::Result<(Duration, Duration)> {
    let before = cpu::process("self");
    let began = Instant::now();
    sender.send()?;
    sender.wait()?;
    Ok((began.elapsed(), cpu::process("self") - before))
}

fn measure(
    criterion: &mut Criterion,
    notes: &mut Notes,
    file: &TestFile,
    way: &Way,
) -> io::Result<()> {
    let mut sender = (way.make)(&file.path, file.bytes)?;
    let _receiver = Receiver::start(1, sender.address()?, file.bytes)?;
    sender.accept()?;
    once(&mut *sender)?;
    let (mut samples, mut failed) = (Vec::new(), None);
    let mut group = criterion.benchmark_group("file");
    group.throughput(Throughput::Bytes(file.bytes)).sampling_mode(SamplingMode::Flat);
    group.bench_function(BenchmarkId::new(way.name, file.bytes), |b| {
        b.iter_custom(|rounds| {
            let (mut wall, mut busy) = (Duration::ZERO, Duration::ZERO);
            for _ in 0..rounds {
                match once(&mut *sender) {
                    Ok((time, cpu)) => (wall, busy) = (wall + time, busy + cpu),
                    Err(error) => {
                        failed.get_or_insert(error);
                        return Duration::from_secs(1);
                    }
                }
            }
            samples.push((wall, busy, rounds));
            wall
        });
    });
    group.finish();
    if let Some(error) = failed {
        return Err(error);
    }
    for (wall, busy, rounds) in samples {
        let each = |time: Duration| time.as_nanos() as f64 / rounds as f64;
        notes.add(Note {
            bench: "zero_copy".to_owned(),
            group: "file".to_owned(),
            name: way.name.to_owned(),
            bytes: file.bytes,
            wall_ns: each(wall),
            cpu_ns: each(busy),
            ..Note::default()
        });
    }
    if let Some(remark) = sender.remark() {
        println!("{} of {} bytes: {remark}", way.name, file.bytes);
    }
    Ok(())
}

fn main() {
    if receiver::is_receiver() {
        return;
    }
    if let Err(error) = fyke::pin_to_cpu(0) {
        eprintln!("the sender is not pinned: {error}");
    }
    let long = is_long();
    let sizes: &[u64] =
        if long { &[64 * KIB, MIB, 64 * MIB, GIB] } else { &[64 * KIB, MIB, 64 * MIB] };
    let mut notes = Notes::new("zero_copy");
    for &bytes in sizes {
        let file = match TestFile::new(bytes) {
            Ok(file) => file,
            Err(error) => return eprintln!("no file of {bytes} bytes: {error}"),
        };
        let time = if long { 3000 } else { 500 };
        let mut criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(100))
            .measurement_time(Duration::from_millis(time))
            .configure_from_args();
        for way in WAYS {
            if let Err(error) = measure(&mut criterion, &mut notes, &file, way) {
                eprintln!("{} of {bytes} bytes: {error}", way.name);
            }
        }
    }
    Criterion::default().configure_from_args().final_summary();
    notes.save();
}
