//! What the event loops tell about themselves, in the text format of Prometheus.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fyke::{Channel, LoopHandle, LoopStats};

/// How long the loops have for an answer; who has not given one by then is shown as it was.
const PATIENCE: Duration = Duration::from_millis(500);

thread_local! {
    static JOINED: Cell<bool> = const { Cell::new(false) };
}

#[derive(Debug, Default)]
struct Known {
    loops: Vec<LoopHandle>,
    stats: BTreeMap<u32, LoopStats>,
}

/// The figures of all loops that have joined.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<Known>>);

/// A counter or a gauge: its name, its kind, what it says, and where to find it.
type Row = (&'static str, &'static str, &'static str, fn(&LoopStats) -> f64);

const ROWS: [Row; 14] = [
    ("connections", "gauge", "Channels that live now.", |s| s.channels as f64),
    ("accepted_total", "counter", "Connections accepted.", |s| s.accepted as f64),
    ("accept_errors_total", "counter", "Accepts that failed.", |s| s.accept_errors as f64),
    ("unwritable_total", "counter", "Times that a peer took too little.", |s| s.unwritable as f64),
    ("received_bytes_total", "counter", "Bytes read.", |s| s.bytes_in as f64),
    ("sent_bytes_total", "counter", "Bytes written.", |s| s.bytes_out as f64),
    ("messages_total", "counter", "Messages handed to handlers.", |s| s.messages as f64),
    ("wakeups_total", "counter", "Turns before which the loop slept.", |s| s.wakeups as f64),
    ("turns_total", "counter", "Turns.", |s| s.turns as f64),
    ("events_total", "counter", "Reports of the poller.", |s| s.events as f64),
    ("tasks_total", "counter", "Tasks, futures and mailboxes run.", |s| s.tasks as f64),
    ("timers_total", "counter", "Timers that expired.", |s| s.timers as f64),
    ("busy_seconds_total", "counter", "Time spent working.", |s| s.busy.as_secs_f64()),
    ("stalls_total", "counter", "Times that a handler blocked the loop.", |s| s.stalls as f64),
];

impl Metrics {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop on which this is called is asked from now on, too.
    pub fn join(&self, channel: impl FnOnce() -> Channel) {
        if !JOINED.replace(true) {
            self.known().loops.push(channel().event_loop().clone());
        }
    }

    /// Asks all loops that live; those that have ended are forgotten.
    fn ask(&self) -> Receiver<(u32, LoopStats)> {
        let (sender, answers) = channel();
        let Known { loops, stats } = &mut *self.known();
        loops.retain(|event_loop| {
            let (id, sender) = (event_loop.id(), sender.clone());
            let asked = event_loop.execute(move |core| {
                // Nobody waits any more when it took too long.
                let _ = sender.send((id, core.stats()));
            });
            if asked.is_err() {
                stats.remove(&id);
            }
            asked.is_ok()
        });
        answers
    }

    /// The figures of now, as Prometheus reads them. Waits for the loops: never call it on one.
    #[must_use]
    pub fn text(&self) -> String {
        let (answers, deadline) = (self.ask(), Instant::now() + PATIENCE);
        while let Ok((id, stats)) =
            answers.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.known().stats.insert(id, stats);
        }
        written(&self.known().stats)
    }
}

fn written(stats: &BTreeMap<u32, LoopStats>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (name, kind, help, value) in ROWS {
        let _ = writeln!(text, "# HELP fyke_loop_{name} {help}\n# TYPE fyke_loop_{name} {kind}");
        for (id, stats) in stats {
            let _ = writeln!(text, "fyke_loop_{name}{{loop=\"{id}\"}} {}", value(stats));
        }
    }
    closes(&mut text, stats);
    lags(&mut text, stats);
    text
}

fn closes(text: &mut String, stats: &BTreeMap<u32, LoopStats>) {
    let name = "fyke_loop_closed_total";
    let help = "Connections that have ended, by reason: what limits and time-outs have cut.";
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
    for (id, stats) in stats {
        for (reason, count) in stats.closed.iter() {
            let _ = writeln!(text, "{name}{{loop=\"{id}\",reason=\"{reason:?}\"}} {count}");
        }
    }
}

fn lags(text: &mut String, stats: &BTreeMap<u32, LoopStats>) {
    let name = "fyke_loop_lag_seconds";
    let help = "How long turns took: how long anything that became ready had to wait.";
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
    for (id, stats) in stats {
        let mut total = 0;
        for (bound, turns) in stats.turn_times.classes() {
            total += turns;
            let le = bound.map_or("+Inf".to_owned(), |b| b.as_secs_f64().to_string());
            let _ = writeln!(text, "{name}_bucket{{loop=\"{id}\",le=\"{le}\"}} {total}");
        }
        let sum = stats.busy.as_secs_f64();
        let _ = writeln!(text, "{name}_sum{{loop=\"{id}\"}} {sum}");
        let _ = writeln!(text, "{name}_count{{loop=\"{id}\"}} {total}");
    }
}
