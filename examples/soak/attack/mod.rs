//! Thousands of slow connections, and what an honest client feels of them.
//!
//! Quiet phases and phases under attack take turns, so that a machine that is busy with something
//! else disturbs both alike. A fifth of the connections each is idle, sends a head, a body or a TLS
//! handshake one byte a second, or takes an answer of a megabyte so slowly. Whoever the server hangs
//! up on comes again at once. The server's time-outs are the defaults.

mod honest;
mod slow;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;
use hdrhistogram::Histogram;

use crate::child::{Served, Start};
use crate::run::Scratch;
use honest::Times;
use slow::Progress;

/// How many, and how long.
#[derive(Args, Debug)]
pub(crate) struct AttackFlags {
    /// Slow connections
    #[arg(long, value_name = "N", default_value_t = 5000)]
    connections: usize,

    /// Rounds, each a quiet phase and one under attack
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,

    /// How long a phase is; beyond 20 seconds the server hangs up on them, and they all come again
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0)]
    seconds: f64,

    /// Fail when the honest client's p99 under attack is more than so many times the quiet one
    #[arg(long, value_name = "TIMES", default_value_t = 2.0)]
    ratio_max: f64,

    /// Attack this HTTP server instead, say the example `http`; it needs the path /plaintext
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,

    /// Where that one speaks TLS [default: the same address]
    #[arg(long, value_name = "ADDR", requires = "http")]
    tls: Option<SocketAddr>,
}

const SETTLE_TIME: Duration = Duration::from_secs(30);
/// How long attackers may take to stand.
const RAMP_TIME: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

fn wait(
    what: &str,
    time: Duration,
    mut done: impl FnMut() -> Result<bool, String>,
) -> Result<(), String> {
    let deadline = Instant::now() + time;
    while !done()? {
        if Instant::now() > deadline {
            return Err(format!("{what} within {time:?}"));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}

/// The server that is attacked: one of this program, or somebody else's.
struct Target {
    served: Option<Served>,
    addresses: [SocketAddr; 2],
}

impl Target {
    fn new(flags: &AttackFlags, scratch: &Scratch) -> Result<Self, String> {
        if let Some(http) = flags.http {
            return Ok(Self { served: None, addresses: [http, flags.tls.unwrap_or(http)] });
        }
        let files = scratch.certificate()?;
        let files = [0, 1].map(|at: usize| -> &Path { &files[at] });
        let served = Served::start(files, Start::Patient)?;
        let addresses = served.targets.http;
        Ok(Self { served: Some(served), addresses })
    }

    fn channels(&mut self) -> Result<u64, String> {
        self.served.as_mut().map_or(Ok(0), |served| Ok(served.look()?.channels))
    }

    /// Waits until all have gone.
    fn settle(&mut self) -> Result<(), String> {
        wait("the server does not get rid of them", SETTLE_TIME, || Ok(self.channels()? == 0))
    }

    fn quiet(&self, time: Duration) -> Result<Times, String> {
        honest::measure(self.addresses[0], time).map_err(|e| format!("an honest client: {e}"))
    }

    /// Answers also how many channels the server had in the end, and how many came again.
    fn attacked(
        &mut self,
        connections: usize,
        time: Duration,
    ) -> Result<(Times, u64, u64), String> {
        let (progress, addresses) = (Progress::default(), self.addresses);
        std::thread::scope(|scope| {
            let attack = scope.spawn(|| slow::attack(addresses, connections, &progress));
            let stands = || {
                let ended = attack.is_finished();
                let stand = progress.standing.load(Ordering::Relaxed) == connections;
                if ended { Err("the attackers cannot connect".to_owned()) } else { Ok(stand) }
            };
            let outcome = wait("the attackers do not stand", RAMP_TIME, stands)
                .and_then(|()| self.quiet(time))
                .and_then(|times| Ok((times, self.channels()?)));
            progress.end();
            let attacked = attack.join().map_err(|_| "the attackers panicked".to_owned());
            attacked?.map_err(|error| format!("the attackers: {error}"))?;
            let again = progress.again.load(Ordering::Relaxed);
            outcome.map(|(times, channels)| (times, channels, again))
        })
    }
}

fn micros(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1000.0
}

/// A line for each kind of connection; answers the ratios of the p99.
fn line(what: &str, quiet: &Times, attacked: &Times) -> [f64; 2] {
    let one = |name: &str, quiet: &Histogram<u64>, attacked: &Histogram<u64>| {
        let [p50, p99] = [0.5, 0.99].map(|q| (micros(quiet, q), micros(attacked, q)));
        println!(
            "{what:<8} {name:<5} p50 {:>7.0} us -> {:>7.0} us ({:.2}x)   p99 {:>7.0} us -> {:>7.0} \
             us ({:.2}x)",
            p50.0,
            p50.1,
            p50.1 / p50.0,
            p99.0,
            p99.1,
            p99.1 / p99.0,
        );
        p99.1 / p99.0
    };
    [one("kept", &quiet.kept, &attacked.kept), one("new", &quiet.new, &attacked.new)]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Measures.
///
/// # Errors
/// One line for the user: honest clients wait too long, or why there is no verdict.
pub(crate) fn run(flags: &AttackFlags) -> Result<(), String> {
    // Less than is wanted shows when the attackers connect.
    let _ = fyke::raise_descriptor_limit();
    let time = Duration::try_from_secs_f64(flags.seconds).map_err(|error| error.to_string())?;
    let scratch = Scratch::new()?;
    let mut target = Target::new(flags, &scratch)?;
    let [http, tls] = target.addresses;
    println!(
        "{} slow connections to {http} and {tls}; an honest client, quiet -> attacked",
        flags.connections
    );
    target.quiet(time / 4)?;
    let (mut all, mut ratios) = ((Times::new(), Times::new()), [Vec::new(), Vec::new()]);
    for round in 1..=flags.rounds.max(1) {
        let quiet = target.quiet(time)?;
        let (attacked, channels, again) = target.attacked(flags.connections, time)?;
        let [kept, new] = line(&format!("round {round}"), &quiet, &attacked);
        if target.served.is_some() {
            println!(
                "         at the end {channels} channels; {again} were hung up on and came again"
            );
        }
        ratios[0].push(kept);
        ratios[1].push(new);
        all.0.add(&quiet);
        all.1.add(&attacked);
        target.settle()?;
    }
    line("all", &all.0, &all.1);
    let [kept, new] = ratios.map(median);
    println!(
        "the median of the rounds' p99: {kept:.2}x on a kept connection, {new:.2}x on a new one"
    );
    if let Some(served) = target.served {
        served.end()?;
    }
    match kept.max(new) <= flags.ratio_max {
        true => Ok(()),
        false => Err(format!("an honest client's p99 is more than {}x", flags.ratio_max)),
    }
}
