//! Rounds, progress, verdict.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use fastrand::Rng;
use fyke::{EndSignals, ShutdownReport};
use fyke_examples::watch::{Mebibytes, Rest, Rests};
use indicatif::{ProgressBar, ProgressStyle};
use rustls::ClientConfig;

use crate::child::{Served, Start};
use crate::clients::{Client, Done, wire};
use crate::server::Leak;

/// How long, and how much.
#[derive(Args, Debug)]
pub(crate) struct RunFlags {
    /// How long
    #[arg(long, value_name = "MINUTES", default_value_t = 30.0, value_parser = minutes)]
    minutes: f64,

    /// What each client does in each round follows from this number [default: a random one]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    /// Clients at a time
    #[arg(long, value_name = "N", default_value_t = 24)]
    clients: usize,

    /// Let the servers do something wrong, to see that it is noticed
    #[arg(long, hide = true)]
    leak: Option<Leak>,
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if (0.01..=100_000.0).contains(&minutes) => Ok(minutes),
        _ => Err("minutes are a number like 30 or 0.5".to_owned()),
    }
}

/// A round is a sixth of the whole time, but no longer than this.
const ROUND_MAX: Duration = Duration::from_secs(20);
const ROUNDS_MIN: u32 = 6;
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// A directory of its own, gone when this is.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("fyke-soak-{}", std::process::id()));
        let made = std::fs::create_dir_all(&path);
        made.map_err(|error| format!("{}: {error}", path.display())).map(|()| Self(path))
    }

    /// A certificate for 127.0.0.1, and its key.
    pub(crate) fn certificate(&self) -> Result<[PathBuf; 2], String> {
        let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
        let pair = pair.map_err(|error| error.to_string())?;
        let files = [self.0.join("certificate.pem"), self.0.join("key.pem")];
        let written = std::fs::write(&files[0], pair.cert.pem())
            .and_then(|()| std::fs::write(&files[1], pair.signing_key.serialize_pem()));
        written.map_err(|error| format!("{}: {error}", self.0.display())).map(|()| files)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What stops the clients.
#[derive(Default)]
struct Stop {
    asked: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl Stop {
    fn fail(&self, what: String) {
        self.asked.store(true, Ordering::Relaxed);
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
    }

    fn failure(&self) -> Result<(), String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), Err)
    }
}

/// Ctrl-C ends the round, and the verdict follows. A second one ends the program.
fn stop_at_signal(stop: &Arc<Stop>) -> Result<(), String> {
    let signals = EndSignals::catch().map_err(|e| format!("cannot catch signals: {e}"))?;
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let asked = signals.run(|| {
            stop.asked.store(true, Ordering::Relaxed);
            ShutdownReport::default()
        });
        if asked.is_ok() {
            eprintln!("ending: the verdict so far follows");
        }
    });
    Ok(())
}

/// One soak.
struct Soak {
    served: Served,
    tls: Arc<ClientConfig>,
    done: Arc<Done>,
    rests: Rests,
    stop: Arc<Stop>,
    bar: ProgressBar,
    clients: usize,
    seed: u64,
    rounds: u32,
    peak_bytes: u64,
}

/// Soaks the servers.
///
/// # Errors
/// One line for the user: what is wrong with the servers, or why there is no verdict.
pub(crate) fn run(flags: &RunFlags) -> Result<(), String> {
    let seed = flags.seed.unwrap_or_else(|| Rng::new().u64(..));
    let time = Duration::from_secs_f64(flags.minutes * 60.0);
    println!("soak: {} minutes, {} clients, --seed {seed}", flags.minutes, flags.clients);
    let stop = Arc::new(Stop::default());
    stop_at_signal(&stop)?;
    let scratch = Scratch::new()?;
    let [chain, key] = scratch.certificate()?;
    let (tls, served) =
        (wire::trust(&chain)?, Served::start([&chain, &key], Start::Soaked(flags.leak))?);
    let bar = ProgressBar::new(time.as_secs());
    let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {msg}");
    bar.set_style(style.map_err(|error| error.to_string())?);
    let (done, rests) = (Arc::default(), Rests::new());
    let (clients, rounds, peak_bytes) = (flags.clients, 0, 0);
    let mut soak = Soak { served, tls, done, rests, stop, bar, clients, seed, rounds, peak_bytes };
    let outcome = soak.rounds(time).and_then(|()| soak.verdict());
    soak.bar.finish_and_clear();
    let told = soak.told();
    let ended = outcome.and_then(|()| soak.served.end());
    match ended {
        Ok(()) => println!("soak: passed: {told}"),
        Err(_) => println!("soak: FAILED: {told}"),
    }
    ended.map_err(|what| format!("{what} (--seed {seed})"))
}

impl Soak {
    fn rounds(&mut self, time: Duration) -> Result<(), String> {
        let (began, length) = (Instant::now(), (time / ROUNDS_MIN).min(ROUND_MAX));
        while began.elapsed() < time && !self.stop.asked.load(Ordering::Relaxed) {
            self.rounds += 1;
            let until = (began + time).min(Instant::now() + length);
            self.round(began, until)?;
            let rest = self.served.rest(&self.rests)?;
            self.rests.push(rest).map_err(|kept| kept.to_string())?;
            self.say(rest);
        }
        Ok(())
    }

    /// All clients at once, until the time is over; they have all hung up when it returns.
    fn round(&mut self, began: Instant, until: Instant) -> Result<(), String> {
        let (round, stop) = (u64::from(self.rounds), Arc::clone(&self.stop));
        let targets = self.served.targets;
        let (tls, done) = (&Arc::clone(&self.tls), &*Arc::clone(&self.done));
        let (seed, clients) = (self.seed, self.clients);
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for id in 0..clients {
                let mut seeds = Rng::with_seed(seed.wrapping_add(round << 32) ^ id as u64);
                let rng = seeds.fork();
                let stop = &stop;
                threads.push(scope.spawn(move || {
                    let mut client = Client { id, rng, targets, tls, done };
                    while Instant::now() < until && !stop.asked.load(Ordering::Relaxed) {
                        if let Err(what) = client.act() {
                            stop.fail(format!("{what} (round {round})"));
                        }
                    }
                }));
            }
            while threads.iter().any(|thread| !thread.is_finished()) {
                let now = self.served.look()?;
                self.peak_bytes = self.peak_bytes.max(now.resident_bytes);
                self.bar
                    .set_position(began.elapsed().as_secs().min(self.bar.length().unwrap_or(0)));
                self.bar.set_message(self.line(now));
                std::thread::sleep(LOOK_INTERVAL);
            }
            Ok::<(), String>(())
        })?;
        self.stop.failure()
    }

    fn line(&self, now: Rest) -> String {
        let Done { answers, hostile, .. } = &*self.done;
        format!(
            "round {}: {} answers, {} hostile acts; servers: {} accepted, {} channels, {} \
             descriptors, {}",
            self.rounds,
            answers.load(Ordering::Relaxed),
            hostile.load(Ordering::Relaxed),
            self.served.accepted,
            now.channels,
            now.descriptors,
            Mebibytes(now.resident_bytes),
        )
    }

    /// A line for each round, where no bar is shown.
    fn say(&self, rest: Rest) {
        if self.bar.is_hidden() {
            println!("at rest after {}", self.line(rest));
        }
    }

    fn verdict(&self) -> Result<(), String> {
        self.rests.verdict().map_err(|kept| kept.to_string())
    }

    fn told(&self) -> String {
        let Some((first, last)) = self.rests.ends() else {
            return "no round came to its end".to_owned();
        };
        let short = if self.rests.judges_memory() { "" } else { "; too short to judge memory" };
        format!(
            "{} rounds, {} connections, {} answers byte for byte, {} hostile acts; at rest {} \
             channels, {} descriptors, {} (after the first round {}, at most {}){short}",
            self.rests.count(),
            self.done.connections.load(Ordering::Relaxed),
            self.done.answers.load(Ordering::Relaxed),
            self.done.hostile.load(Ordering::Relaxed),
            last.channels,
            last.descriptors,
            Mebibytes(last.resident_bytes),
            Mebibytes(first.resident_bytes),
            Mebibytes(self.peak_bytes.max(last.resident_bytes)),
        )
    }
}
