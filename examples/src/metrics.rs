//! What the event loops tell about themselves, in the text format of Prometheus.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fyke::{Channel, LoopHandle, LoopStats};

/// How often the loops are asked.
const INTERVAL: Duration = Duration::from_millis(500);

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

const ROWS: [Row; 13] = [
    ("connections", "gauge", "Channels that live now.", |s| s.channels as f64),
    ("accepted_total", "counter", "Connections accepted.", |s| s.accepted as f64),
    ("accept_errors_total", "counter", "Accepts that failed.", |s| s.accept_errors as f64),
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
    /// Begins to ask the loops now and then, in a thread of its own.
    #[must_use]
    pub fn start() -> Self {
        let this = Self::default();
        let metrics = this.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(INTERVAL);
                metrics.ask();
            }
        });
        this
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop on which this is called is asked from now on, too.
    pub fn join(&self, channel: impl FnOnce() -> Channel) {
        if !JOINED.replace(true) {
            self.known().loops.push(channel().event_loop().clone());
        }
    }

    fn ask(&self) {
        let loops = self.known().loops.clone();
        for event_loop in loops {
            let (known, id) = (self.clone(), event_loop.id());
            // A loop that has ended keeps the figures it had.
            let _ = event_loop.execute(move |core| {
                let stats = core.stats();
                known.known().stats.insert(id, stats);
            });
        }
    }

    /// The figures, as Prometheus reads them; at most a second old.
    #[must_use]
    pub fn text(&self) -> String {
        let stats = self.known().stats.clone();
        let mut text = String::new();
        // Writing to a string cannot fail.
        for (name, kind, help, value) in ROWS {
            let _ =
                writeln!(text, "# HELP fyke_loop_{name} {help}\n# TYPE fyke_loop_{name} {kind}");
            for (id, stats) in &stats {
                let _ = writeln!(text, "fyke_loop_{name}{{loop=\"{id}\"}} {}", value(stats));
            }
        }
        let name = "fyke_loop_lag_seconds";
        let help = "How long turns took: how long anything that became ready had to wait.";
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
        for (id, stats) in &stats {
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
        text
    }
}
