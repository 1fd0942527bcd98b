//! Sends to an echo server, verifies every byte that comes back, and prints rate and latency.
//!
//! `cargo run --release --example echo-client -- 127.0.0.1:7000 --connections 100 --size 1024`
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use clap::{CommandFactory, Parser};
use fyke::clock::{Clock, Instant};
use fyke::prelude::*;
use fyke::{Address, Backend, CloseReason, CodecError, IntoStages, Stages, SystemClock};
use fyke_codecs::tls::{TlsClientConfig, TlsHandler};
use fyke_examples::tls::TlsClientFlags;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};

/// A client that checks an echo server.
#[derive(Parser, Clone, Debug)]
#[command(name = "echo-client", version)]
struct Flags {
    /// The server: IP:PORT, or unix:PATH
    address: Address,

    /// Connections at once
    #[arg(long, short, value_name = "N", default_value_t = 1)]
    connections: usize,

    /// Bytes of one message
    #[arg(long, short, value_name = "BYTES", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    size: u32,

    /// Messages that each connection sends
    #[arg(long, short, value_name = "N", default_value_t = 10_000)]
    messages: u64,

    /// Messages of one connection that may be under way at once
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: u64,

    /// What the event loops wait with
    #[arg(long, value_name = "NAME", default_value = "epoll")]
    poller: Backend,

    /// Event loops
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,

    /// Speak TLS
    #[arg(long)]
    tls: bool,

    /// The name that the server's certificate is for [default: its address]
    #[arg(long, value_name = "NAME", requires = "tls")]
    tls_name: Option<String>,

    #[command(flatten)]
    trust: TlsClientFlags,

    /// How much to log
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: String,
}

/// What all connections count together.
struct Totals {
    messages: AtomicU64,
    bytes: AtomicU64,
    latencies_us: Mutex<Histogram<u64>>,
}

/// How one connection ended: why it failed, if it did.
type Outcome = Option<String>;

/// Byte `at` of a connection's endless stream: any loss, repetition or mix-up shows.
fn byte_at(at: u64, seed: u64) -> u8 {
    let x = (at / 8).wrapping_add(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (x ^ (x >> 29)).to_le_bytes()[(at % 8) as usize]
}

/// Sends messages and compares what comes back.
struct Verify {
    seed: u64,
    size: u64,
    messages: u64,
    in_flight: u64,
    sent: u64,
    received_bytes: u64,
    began: std::collections::VecDeque<Instant>,
    totals: Arc<Totals>,
    failure: Option<String>,
    report: mpsc::Sender<Outcome>,
    clock: SystemClock,
}

impl Verify {
    fn send_some(&mut self, cx: &mut Context<'_, Self>) {
        while self.sent < self.messages && (self.began.len() as u64) < self.in_flight {
            let mut message = cx.buffer(self.size as usize);
            let start = self.sent * self.size;
            for at in start..start + self.size {
                message.write_u8(byte_at(at, self.seed));
            }
            self.sent += 1;
            self.began.push_back(self.clock.now());
            cx.write(message.into());
        }
    }

    fn count(&mut self, complete: u64) {
        let now = self.clock.now();
        let mut latencies = self.totals.latencies_us.lock().unwrap_or_else(PoisonError::into_inner);
        for began in self.began.drain(..(complete as usize).min(self.began.len())) {
            let took = now.saturating_duration_since(began);
            latencies.saturating_record(took.as_micros() as u64);
        }
        drop(latencies);
        self.totals.messages.fetch_add(complete, Ordering::Relaxed);
    }

    fn fail(&mut self, text: String) {
        self.failure.get_or_insert(text);
    }
}

impl InboundHandler for Verify {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.send_some(cx);
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        for (offset, byte) in msg.iter().enumerate() {
            let at = self.received_bytes + offset as u64;
            if *byte != byte_at(at, self.seed) {
                self.fail(format!("byte {at} came back as {byte:#04x}"));
                cx.close();
                return Ok(());
            }
        }
        let before = self.received_bytes / self.size;
        self.received_bytes += msg.len() as u64;
        self.totals.bytes.fetch_add(msg.len() as u64, Ordering::Relaxed);
        let complete = self.received_bytes / self.size - before;
        self.count(complete);
        if self.received_bytes >= self.messages * self.size {
            cx.close_with(CloseReason::Local);
        } else {
            self.send_some(cx);
        }
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        self.fail(error.to_string());
        cx.close();
        Ok(())
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        let (got, due) = (self.received_bytes, self.messages * self.size);
        if got < due {
            self.fail(format!("the connection ended after {got} of {due} bytes"));
        }
        // The main thread waits for it, or has given up.
        let _ = self.report.send(self.failure.take());
        Ok(())
    }
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    fyke_examples::start_log(Flags::command(), &flags.log);
    fyke_examples::exit(run(&flags))
}

fn run(flags: &Flags) -> Result<(), String> {
    if let Err(error) = fyke::raise_descriptor_limit() {
        tracing::warn!(%error, "the descriptor limit stays as it is");
    }
    let group = EventLoopGroup::builder().threads(flags.threads).backend(flags.poller).build();
    let group = group.map_err(|e| format!("cannot start event loops: {e}"))?;
    let totals = Arc::new(Totals {
        messages: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        // From a microsecond to two minutes, with three digits.
        latencies_us: Histogram::new_with_bounds(1, 120_000_000, 3)
            .map_err(|e| e.to_string())?
            .into(),
    });
    let (report, outcomes) = mpsc::channel();
    let tls = if flags.tls { Some(flags.trust.client(&[])?) } else { None };
    let began = std::time::Instant::now();
    connect(flags, &tls, &group, &totals, &report)?;
    drop(report);
    let result = collect(flags, &totals, &outcomes, began);
    group.shutdown(Duration::from_secs(1));
    result
}

/// Opens the connections, a few hundred at a time so that no listener's queue overflows.
fn connect(
    flags: &Flags,
    tls: &Option<TlsClientConfig>,
    group: &EventLoopGroup,
    totals: &Arc<Totals>,
    report: &mpsc::Sender<Outcome>,
) -> Result<(), String> {
    const AT_ONCE: usize = 256;
    let numbers: Vec<usize> = (0..flags.connections).collect();
    for batch in numbers.chunks(AT_ONCE) {
        let connects: Vec<_> =
            batch.iter().map(|&n| start(flags, tls, group, n, totals, report)).collect();
        for connect in connects {
            connect.wait().map_err(|e| format!("cannot connect to {}: {e}", flags.address))?;
        }
    }
    Ok(())
}

fn start(
    flags: &Flags,
    tls: &Option<TlsClientConfig>,
    group: &EventLoopGroup,
    number: usize,
    totals: &Arc<Totals>,
    report: &mpsc::Sender<Outcome>,
) -> fyke::Connect {
    let (flags2, totals, report) = (flags.clone(), Arc::clone(totals), report.clone());
    let tls = tls.clone();
    let bootstrap = Bootstrap::new(group.clone()).handler(move |ch| -> Result<Stages> {
        let verify = Verify {
            seed: number as u64,
            size: u64::from(flags2.size),
            messages: flags2.messages,
            in_flight: flags2.in_flight,
            sent: 0,
            received_bytes: 0,
            began: std::collections::VecDeque::new(),
            totals: Arc::clone(&totals),
            failure: None,
            report: report.clone(),
            clock: SystemClock::new(),
        };
        let Some(config) = &tls else {
            return ch.pipeline().inbound("verify", verify).into_stages();
        };
        let name = flags2.tls_name.clone().unwrap_or_else(|| host(&flags2.address));
        let tls = TlsHandler::client(config, &name).map_err(CodecError::from)?;
        ch.pipeline().duplex("tls", tls).inbound("verify", verify).into_stages()
    });
    bootstrap.connect(&flags.address)
}

/// The host of an address.
fn host(address: &Address) -> String {
    let text = address.to_string();
    text.rsplit_once(':').map_or(text.clone(), |(host, _)| host.to_owned())
}

fn collect(
    flags: &Flags,
    totals: &Totals,
    outcomes: &mpsc::Receiver<Outcome>,
    began: std::time::Instant,
) -> Result<(), String> {
    let progress = ProgressBar::new(flags.connections as u64 * flags.messages);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} messages, {per_sec}, {eta}");
    progress.set_style(style.map_err(|e| e.to_string())?);
    let mut failures = Vec::new();
    let mut ended = 0;
    while ended < flags.connections {
        match outcomes.recv_timeout(Duration::from_millis(100)) {
            Ok(failure) => {
                ended += 1;
                failures.extend(failure);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        progress.set_position(totals.messages.load(Ordering::Relaxed));
    }
    progress.finish_and_clear();
    let (seconds, messages) =
        (began.elapsed().as_secs_f64(), totals.messages.load(Ordering::Relaxed));
    let bytes = totals.bytes.load(Ordering::Relaxed);
    println!(
        "{messages} messages of {} bytes verified over {} connections in {seconds:.2} s: \
         {:.0} messages/s, {:.1} MB/s each way",
        flags.size,
        flags.connections,
        messages as f64 / seconds,
        bytes as f64 / seconds / 1e6,
    );
    let latencies = totals.latencies_us.lock().unwrap_or_else(PoisonError::into_inner);
    let at = |q| latencies.value_at_quantile(q);
    println!(
        "latency in us: p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        latencies.max(),
    );
    match failures.as_slice() {
        [] => Ok(()),
        [first, ..] => Err(format!("{} connections failed, the first: {first}", failures.len())),
    }
}
