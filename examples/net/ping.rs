//! Asks a host for echoes, from fyke's own stack on a TAP device.
//!
//! `unshare -Urn cargo run --release --example ping -- 10.7.0.1 --count 3`
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{CommandFactory, Parser};
use fyke::stack::{EchoRequest, IcmpContent, IcmpOptions, IcmpReport};
use fyke_examples::icmp::{Heard, Icmp, milliseconds};
use fyke_examples::tap::TapFlags;

/// Asks a host for echoes, from fyke's own stack on a TAP device.
///
/// Exit code 0: at least one answer came; 1: none did, or the device cannot be used; 2: wrong flags.
#[derive(Parser, Debug)]
#[command(name = "ping", version)]
struct Flags {
    /// Whom to ask: an IPv4 or IPv6 address
    host: IpAddr,

    /// How many requests; without end when not given
    #[arg(short, long, value_name = "N")]
    count: Option<u16>,

    /// Milliseconds between requests
    #[arg(short, long, value_name = "MS", default_value_t = 1000,
          value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,

    /// Bytes behind the header; more than the device carries leave in fragments
    #[arg(short, long, value_name = "BYTES", default_value_t = 56,
          value_parser = clap::value_parser!(u16).range(..=65_467))]
    size: u16,

    /// How many routers the request may pass
    #[arg(short, long, value_name = "HOPS", value_parser = clap::value_parser!(u8).range(1..))]
    ttl: Option<u8>,

    /// Refuse what does not fit into one packet
    #[arg(long)]
    dont_fragment: bool,

    /// Milliseconds to wait for the last answer
    #[arg(short = 'W', long, value_name = "MS", default_value_t = 2000)]
    timeout: u64,

    #[command(flatten)]
    tap: TapFlags,

    /// How much to log
    #[arg(long, value_name = "LEVEL", default_value = "error")]
    log: String,
}

/// What became of the requests so far.
#[derive(Default)]
struct Tally {
    sent: Vec<Instant>,
    answered: Vec<bool>,
    times: Vec<Duration>,
    duplicates: u32,
    errors: u32,
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    fyke_examples::start_log(Flags::command(), &flags.log);
    match ping(&flags) {
        Ok(answers) if answers > 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(text) => fyke_examples::exit(Err(text)),
    }
}

/// Asks, and answers how many answers came.
fn ping(flags: &Flags) -> Result<usize, String> {
    let icmp = Icmp::open(&flags.tap, IcmpOptions::default())?;
    let payload: Vec<u8> = (0..flags.size).map(|at| at as u8).collect();
    let payload = fyke::Bytes::from(payload);
    println!("PING {}: {} bytes of data", flags.host, flags.size);
    let began = Instant::now();
    let mut tally = Tally::default();
    let count = flags.count.map_or(usize::MAX, usize::from);
    while tally.sent.len() < count {
        let sequence = tally.sent.len() as u16 + 1;
        let mut request = EchoRequest::new(flags.host, sequence, payload.clone());
        request.hop_limit = flags.ttl;
        request.dont_fragment = flags.dont_fragment;
        tally.sent.push(icmp.send(request)?);
        tally.answered.push(false);
        let last = tally.sent.len() == count;
        let wait = Duration::from_millis(if last { flags.timeout } else { flags.interval });
        let deadline = Instant::now() + wait;
        if !tally.listen(&icmp, deadline, last, &payload) || sequence == u16::MAX {
            break;
        }
    }
    tally.summary(flags.host, began.elapsed());
    Ok(tally.times.len())
}

impl Tally {
    /// Hears until `deadline`, or all answers when these were the last requests; `false` when the
    /// user has had enough.
    fn listen(&mut self, icmp: &Icmp, deadline: Instant, last: bool, payload: &[u8]) -> bool {
        while !last || self.times.len() + (self.errors as usize) < self.sent.len() {
            match icmp.hear_until(deadline) {
                Heard::Report(at, report) => self.hear(at, &report, payload),
                Heard::Nothing => break,
                Heard::Interrupted => return false,
            }
        }
        true
    }

    fn hear(&mut self, at: Instant, report: &IcmpReport, payload: &[u8]) {
        match &report.content {
            IcmpContent::EchoReply { sequence, payload: echo, .. } => {
                let index = usize::from(*sequence).wrapping_sub(1);
                let Some(sent) = self.sent.get(index) else { return };
                let time = at.saturating_duration_since(*sent);
                let again = std::mem::replace(&mut self.answered[index], true);
                let note = match (again, echo == payload) {
                    (true, _) => " (again)",
                    (false, true) => "",
                    (false, false) => " (other bytes than were sent)",
                };
                let (from, hops, len) = (report.from, report.hop_limit, echo.len() + 8);
                let time_text = milliseconds(time);
                println!(
                    "{len} bytes from {from}: icmp_seq={sequence} ttl={hops} time={time_text}{note}"
                );
                if again {
                    self.duplicates += 1;
                } else {
                    self.times.push(time);
                }
            }
            IcmpContent::Error { failure, about, .. } => {
                self.errors += 1;
                let sequence = about.echo.map_or(0, |(_, sequence)| sequence);
                println!("from {}: icmp_seq={sequence} {failure}", report.from);
            }
            _ => {}
        }
    }

    fn summary(&self, host: IpAddr, took: Duration) {
        let (sent, received) = (self.sent.len(), self.times.len());
        let lost = (sent - received) * 100 / sent.max(1);
        println!("--- {host} ---");
        print!("{sent} requests, {received} answers, ");
        if self.duplicates > 0 {
            print!("{} again, ", self.duplicates);
        }
        if self.errors > 0 {
            print!("{} errors, ", self.errors);
        }
        println!("{lost} % lost, {:.1} s", took.as_secs_f64());
        let total: Duration = self.times.iter().sum();
        if let (Some(least), Some(most)) = (self.times.iter().min(), self.times.iter().max()) {
            let mean = milliseconds(total / received as u32);
            println!("min {}, mean {mean}, max {}", milliseconds(*least), milliseconds(*most));
        }
    }
}
