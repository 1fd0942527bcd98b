//! What a message costs over each way to wait: blocking threads, select, poll, epoll level and edge, mio.
//!
//! `cargo bench -p fyke-benches --bench io_models` (`FYKE_BENCH_LONG=1` for the full table; `-- c10k`,
//! `-- echo`, `-- stream` for a part)
//!
//! The server is fyke's echo on one loop (with BIO: a thread a connection) on processor 0; the generator
//! is a process of its own on processor 1. Criterion measures the time of a message; what the server's
//! threads used of it is noted beside it, and is what tells the models apart. The generator compares
//! every byte. `cargo run -p fyke-benches --bin report` makes tables and pictures of it.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

#[path = "load/mod.rs"]
mod load;

use std::net::SocketAddr;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use fyke::prelude::*;
use fyke::{Blocking, Server};
use fyke_benches::notes::{Note, Notes, is_long};
use load::remote::Generator;
use load::{Until, Work};

/// How a server waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Model {
    Bio,
    Loop(Backend),
}

const MODELS: [Model; 6] = [
    Model::Bio,
    Model::Loop(Backend::Select),
    Model::Loop(Backend::Poll),
    Model::Loop(Backend::EpollLevel),
    Model::Loop(Backend::EpollEdge),
    Model::Loop(Backend::Mio),
];

/// Connections that a server on select can have beside its own descriptors.
const SELECT_MAX: usize = 1000;

/// Threads that are too many for two processors to be of interest.
const BIO_MAX: usize = 2000;

/// A row: what is sent over how many connections, of which how many say nothing.
#[derive(Clone, Copy, Debug)]
struct Row {
    group: &'static str,
    size: usize,
    /// Messages on their way on each connection.
    depth: usize,
    active: usize,
    idle: usize,
}

impl Model {
    fn name(self) -> String {
        match self {
            Self::Bio => "bio".to_owned(),
            Self::Loop(backend) => backend.to_string(),
        }
    }

    fn can(self, row: &Row) -> bool {
        let connections = row.active + row.idle;
        match self {
            Self::Bio => connections <= BIO_MAX,
            Self::Loop(Backend::Select) => connections <= SELECT_MAX,
            Self::Loop(_) => true,
        }
    }

    fn serve(self) -> std::io::Result<Server> {
        let backend = match self {
            Self::Bio => Backend::EpollLevel,
            Self::Loop(backend) => backend,
        };
        let group =
            EventLoopGroup::builder().threads(1).backend(backend).stall_tick(Duration::ZERO);
        let server = ServerBootstrap::new(group.build()?);
        // Reads as large as the largest message, and marks that a stream does not cross.
        let options = ChannelOptions::new().water_marks(256 * 1024, 1024 * 1024);
        let echo = || {
            read_fn(|cx, msg: ByteBuf| {
                cx.write(Outgoing::Buf(msg));
                Ok(())
            })
        };
        let server = server.options(options);
        match self {
            Self::Bio => server
                .transport(Blocking::tcp)
                .child(move |ch| ch.pipeline().inbound("echo", echo()))
                .bind("127.0.0.1:0"),
            Self::Loop(_) => {
                server.child(move |ch| ch.pipeline().inbound("echo", echo())).bind("127.0.0.1:0")
            }
        }
    }
}

/// Whether the command line names this group, or none: what is not wanted is not even set up.
fn is_wanted(row: &Row) -> bool {
    let groups = ["echo", "stream", "c10k"];
    let mut named = std::env::args().filter(|arg| groups.contains(&arg.as_str())).peekable();
    named.peek().is_none() || named.any(|group| group == row.group)
}

/// The rows; the short table leaves out what says little new.
fn rows(long: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let sizes = if long { &[64, 1024, 16 * 1024][..] } else { &[64, 16 * 1024][..] };
    for &size in sizes {
        for all in [1, 64, 1000] {
            for idle_percent in [0, 90] {
                let idle = all * idle_percent / 100;
                if idle_percent == 0 || all >= 64 {
                    rows.push(Row { group: "echo", size, depth: 1, active: all - idle, idle });
                }
            }
        }
    }
    let crowds = if long { &[1, 16, 64][..] } else { &[1, 16][..] };
    for &active in crowds {
        rows.push(Row { group: "stream", size: 64 * 1024, depth: 4, active, idle: 0 });
    }
    // The C10K picture: the same work, and more and more who say nothing.
    for idle in [0, 100, 300, 900, 3000, 10_000] {
        rows.push(Row { group: "c10k", size: 64, depth: 1, active: 16, idle });
    }
    rows
}

fn measure(
    criterion: &mut Criterion,
    notes: &mut Notes,
    generator: &mut Generator,
    row: &Row,
    model: Model,
) -> std::io::Result<()> {
    let server = model.serve()?;
    let Some(address): Option<SocketAddr> = server.local_address().as_inet() else {
        return Err(std::io::Error::other("it listens on an address"));
    };
    let work = Work::new("echo", row.size, row.depth)?;
    generator.open(address, row.active, row.idle, &work)?;
    let pid = std::process::id();
    // Each connection has its turn, and starting and stopping does not count.
    let least = (row.active * row.depth * 2).max(64) as u64;
    generator.run(Until::Messages(least), pid)?;
    let connections = row.active + row.idle;
    let mut outcomes = Vec::new();
    let mut failed = None;
    let mut group = criterion.benchmark_group(row.group);
    group.throughput(Throughput::Bytes(row.size as u64));
    let what = format!("{}B/{connections}c/{}idle", row.size, row.idle);
    group.bench_function(BenchmarkId::new(model.name(), what), |b| {
        b.iter_custom(|rounds| match generator.run(Until::Messages(rounds.max(least)), pid) {
            Ok(outcome) => {
                outcomes.push(outcome);
                let time = outcome.elapsed.as_secs_f64() * rounds as f64;
                Duration::from_secs_f64(time / outcome.messages as f64)
            }
            Err(error) => {
                failed.get_or_insert(error);
                Duration::from_secs(1)
            }
        });
    });
    group.finish();
    if let Some(error) = failed {
        return Err(error);
    }
    for outcome in &outcomes {
        let each = |time: Duration| time.as_nanos() as f64 / outcome.messages as f64;
        notes.add(Note {
            bench: "io_models".to_owned(),
            group: row.group.to_owned(),
            name: model.name(),
            bytes: row.size as u64,
            connections: connections as u64,
            idle: row.idle as u64,
            wall_ns: each(outcome.elapsed),
            cpu_ns: each(outcome.server_cpu),
            foreign: outcome.foreign_cpu.as_secs_f64() / outcome.elapsed.as_secs_f64(),
            p50_ns: outcome.p50.as_nanos() as f64,
            p99_ns: outcome.p99.as_nanos() as f64,
        });
    }
    generator.close()?;
    drop(server);
    Ok(())
}

fn main() {
    if load::remote::is_generator() {
        return;
    }
    if let Err(error) = fyke::raise_descriptor_limit() {
        eprintln!("the descriptor limit stays as it is: {error}");
    }
    if let Err(error) = fyke::pin_to_cpu(0) {
        eprintln!("the server is not pinned: {error}");
    }
    let long = is_long();
    let time = if long { (500, 3000) } else { (100, 400) };
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(time.0))
        .measurement_time(Duration::from_millis(time.1))
        .configure_from_args();
    let mut notes = Notes::new("io_models");
    let mut generator = match Generator::start(1) {
        Ok(generator) => generator,
        Err(error) => return eprintln!("no generator: {error}"),
    };
    for row in rows(long).into_iter().filter(is_wanted) {
        for model in MODELS.into_iter().filter(|model| model.can(&row)) {
            if let Err(error) = measure(&mut criterion, &mut notes, &mut generator, &row, model) {
                eprintln!("{} {row:?}: {error}", model.name());
            }
        }
        // So that a run that is interrupted was not for nothing.
        notes.save();
    }
    criterion.final_summary();
}
