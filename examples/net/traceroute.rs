//! The routers on the way to a host, asked from fyke's own stack on a TAP device.
//!
//! `unshare -Urn cargo run --release --example traceroute -- 10.7.0.1`
#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{CommandFactory, Parser};
use fyke::stack::{
    EchoRequest, IcmpContent, IcmpFailure, IcmpOptions, IcmpReport, QuotedFlow, UdpId,
    UdpSendOptions,
};
use fyke_examples::icmp::{Heard, Icmp, milliseconds};
use fyke_examples::tap::TapFlags;

/// The port that nobody is expected to use, to which the first datagram goes.
const FIRST_PORT: u16 = 33_434;

/// The routers on the way to a host, asked from fyke's own stack on a TAP device.
///
/// Each probe may pass one router more than the one before; the router that has to drop it says so.
/// Exit code 0: the host was reached; 1: it was not, or the device cannot be used; 2: wrong flags.
#[derive(Parser, Debug)]
#[command(name = "traceroute", version)]
struct Flags {
    /// The host: an IPv4 or IPv6 address
    host: IpAddr,

    /// Send datagrams instead of echo requests
    #[arg(short, long)]
    udp: bool,

    /// Routers to pass at most
    #[arg(short = 'm', long, value_name = "N", default_value_t = 30,
          value_parser = clap::value_parser!(u8).range(1..))]
    max_hops: u8,

    /// Probes for each router
    #[arg(short = 'q', long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u8).range(1..=10))]
    queries: u8,

    /// Milliseconds to wait for each answer
    #[arg(short, long, value_name = "MS", default_value_t = 2000)]
    wait: u64,

    #[command(flatten)]
    tap: TapFlags,

    /// How much to log
    #[arg(long, value_name = "LEVEL", default_value = "error")]
    log: String,
}

/// What goes on the way.
enum Probe {
    Echo,
    Datagram(UdpId),
}

/// What an answer to a probe means.
enum Answer {
    /// A router dropped it.
    Router,
    /// The host has it.
    Arrived,
    /// It gets no further.
    Refused(IcmpFailure),
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    fyke_examples::start_log(Flags::command(), &flags.log);
    match trace(&flags) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => fyke_examples::exit(Err(text)),
    }
}

/// Asks router after router; `true` when the host was reached.
fn trace(flags: &Flags) -> Result<bool, String> {
    let mut options = IcmpOptions::default();
    options.errors = true;
    let icmp = Icmp::open(&flags.tap, options)?;
    let probe = if flags.udp {
        let any: IpAddr = match flags.host {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = SocketAddr::new(any, 0);
        Probe::Datagram(icmp.run(move |stack, _| stack.udp_bind(local, Default::default()))?)
    } else {
        Probe::Echo
    };
    println!("the way to {}, at most {} routers", flags.host, flags.max_hops);
    let mut number = 0;
    for hops in 1..=flags.max_hops {
        print!("{hops:>2} ");
        let mut last_from = None;
        let mut end = None;
        for _ in 0..flags.queries {
            number += 1;
            let sent = probe.send(&icmp, flags.host, number, hops)?;
            let deadline = sent + Duration::from_millis(flags.wait);
            match hear(&icmp, &probe, flags.host, number, deadline)? {
                None => print!(" *"),
                Some((at, from, answer)) => {
                    if last_from.replace(from) != Some(from) {
                        print!(" {from}");
                    }
                    print!("  {}", milliseconds(at.saturating_duration_since(sent)));
                    match answer {
                        Answer::Router => {}
                        Answer::Arrived => end = Some(true),
                        Answer::Refused(failure) => {
                            print!(" ({failure})");
                            end = end.or(Some(false));
                        }
                    }
                }
            }
            // A line grows while its answers come; who watches wants to see that.
            let _ = io::stdout().flush();
        }
        println!();
        if let Some(reached) = end {
            return Ok(reached);
        }
    }
    Ok(false)
}

impl Probe {
    fn send(&self, icmp: &Icmp, host: IpAddr, number: u16, hops: u8) -> Result<Instant, String> {
        let payload = fyke::Bytes::from_static(b"a probe of fyke's traceroute example");
        match *self {
            Self::Echo => {
                let mut request = EchoRequest::new(host, number, payload);
                request.hop_limit = Some(hops);
                icmp.send(request)
            }
            Self::Datagram(id) => {
                let to = SocketAddr::new(host, FIRST_PORT.wrapping_add(number));
                let mut options = UdpSendOptions::default();
                options.hop_limit = Some(hops);
                let began = Instant::now();
                icmp.run(move |stack, now| {
                    stack.udp_send_with(now, id, Some(to), payload, options)
                })?;
                Ok(began)
            }
        }
    }

    /// Whether an error is about probe `number`.
    fn is_about(&self, about: &QuotedFlow, host: IpAddr, number: u16) -> bool {
        let same = match self {
            Self::Echo => about.echo.is_some_and(|(_, sequence)| sequence == number),
            Self::Datagram(_) => {
                about.ports.is_some_and(|(_, to)| to == FIRST_PORT.wrapping_add(number))
            }
        };
        same && about.destination == host
    }
}

/// Waits for the answer to probe `number`; late ones to others are dropped.
fn hear(
    icmp: &Icmp,
    probe: &Probe,
    host: IpAddr,
    number: u16,
    deadline: Instant,
) -> Result<Option<(Instant, IpAddr, Answer)>, String> {
    loop {
        let (at, report): (Instant, IcmpReport) = match icmp.hear_until(deadline) {
            Heard::Report(at, report) => (at, report),
            Heard::Nothing => return Ok(None),
            Heard::Interrupted => return Err("interrupted".to_owned()),
        };
        let answer = match report.content {
            IcmpContent::EchoReply { sequence, .. } if sequence == number => Answer::Arrived,
            IcmpContent::Error { failure, about, .. } if probe.is_about(&about, host, number) => {
                match failure {
                    IcmpFailure::HopLimitExceeded => Answer::Router,
                    IcmpFailure::PortUnreachable if report.from == host => Answer::Arrived,
                    failure => Answer::Refused(failure),
                }
            }
            _ => continue,
        };
        return Ok(Some((at, report.from, answer)));
    }
}
