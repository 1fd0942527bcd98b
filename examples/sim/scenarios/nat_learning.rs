//! Adaptive heartbeats behind NAT boxes of different patience, over TCP and UDP: each interval grows
//! until its box has forgotten the connection once, and stays below from then on. After half of the
//! time one box gives way to a stricter one.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fyke::handlers::{
    AdaptiveConfig, AdaptiveInterval, HeartbeatConfig, HeartbeatCounters, IntervalMemory,
};
use fyke::prelude::*;
use fyke::sim::{Nat, NatConfig, NatUnknown, World};
use fyke::{ReconnectConfig, ReconnectingClient};

use super::beats::{Heard, Internet, Members, SERVER, datagram_client, serve, stream_client};
use crate::bulk::PORT;
use crate::plot::{Band, Figure, Line, Marks, Panel, color};
use crate::trace::seconds;
use crate::{Failure, Flags, Outcome};

/// What the boxes forget after, in seconds.
const BOXES: [(Wire, u64); 4] =
    [(Wire::Tcp, 60), (Wire::Udp, 60), (Wire::Tcp, 300), (Wire::Tcp, 120)];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wire {
    Tcp,
    Udp,
}

/// The last one gives way to one that forgets after so long.
const STRICTER: u64 = 40;

/// Nobody can reach the client.
const UNREACHABLE: &str = "mapping gone, not noticed";

/// A client behind its box, and what it was like over time.
struct Learner {
    name: String,
    wire: Wire,
    first: u64,
    forgets: u64,
    nat: Nat,
    memory: IntervalMemory,
    counters: Arc<HeartbeatCounters>,
    intervals: Vec<(f64, f64)>,
    time_outs: Vec<(f64, f64)>,
    losses: Vec<(f64, f64)>,
    pings: Vec<(f64, f64)>,
    gone: Vec<Band>,
    /// Dropped, it would close.
    _client: Option<ReconnectingClient<ByteBuf>>,
}

impl Learner {
    fn new(
        internet: &Internet<'_>,
        number: usize,
        wire: Wire,
        forgets: u64,
    ) -> Result<Self, Failure> {
        let time = Duration::from_secs(forgets);
        let config = NatConfig::new().tcp_timeout(time).udp_timeout(time);
        let home = internet.home(number, config.unknown(NatUnknown::Drop))?;
        let host = internet.host(&home, &format!("client{number}"), 11)?;
        let (name, memory) = (format!("home {number}"), IntervalMemory::new());
        let counters = Arc::new(HeartbeatCounters::default());
        let adaptive = AdaptiveConfig::new();
        let beat = HeartbeatConfig::adaptive(adaptive, memory.clone(), name.as_str());
        let (beat, heard) = (beat.counters(&counters), Heard::default());
        let client = match wire {
            Wire::Tcp => {
                let client = stream_client(&host, Some(&beat), &heard);
                let config = ReconnectConfig::new();
                Some(ReconnectingClient::start(client, (SERVER, PORT), config))
            }
            Wire::Udp => {
                datagram_client(&host, Some(&beat), &heard)?;
                None
            }
        };
        Ok(Self {
            name,
            wire,
            first: forgets,
            forgets,
            nat: home.nat,
            memory,
            counters,
            intervals: Vec::new(),
            time_outs: Vec::new(),
            losses: Vec::new(),
            pings: Vec::new(),
            gone: Vec::new(),
            _client: client,
        })
    }

    fn become_stricter(&mut self, forgets: u64) {
        self.forgets = forgets;
        self.nat.update(|config| config.tcp_timeout(Duration::from_secs(forgets)));
    }

    fn interval(&self) -> f64 {
        let learned = self.memory.get(&self.name);
        AdaptiveInterval::new(AdaptiveConfig::new(), learned).interval().as_secs_f64()
    }

    /// Looks at it, once a second; `at` is in minutes.
    fn look(&mut self, at: f64) {
        let lost = self.counters.lost_mappings.load(Ordering::Relaxed) as usize;
        if lost > self.losses.len() {
            let silence = self.intervals.last().map_or(0.0, |(_, interval)| *interval);
            self.losses.resize(lost, (at, silence));
        }
        self.intervals.push((at, self.interval()));
        self.time_outs.push((at, self.forgets as f64));
        self.pings.push((at, self.counters.pings.load(Ordering::Relaxed) as f64));
        if self.nat.sessions() > 0 {
            return;
        }
        match self.gone.last_mut() {
            Some(gone) if at - gone.to < 1.5 / 60.0 => gone.to = at,
            _ => self.gone.push(Band { name: UNREACHABLE, color: "#f8dada", from: at, to: at }),
        }
    }

    fn panel(&self) -> Panel {
        let then = if self.first == self.forgets {
            String::new()
        } else {
            format!(", and then after {} s", self.forgets)
        };
        Panel {
            title: format!("{}: a box that forgets after {} s{then}", self.wire(), self.first),
            y_label: "seconds".to_owned(),
            lines: vec![
                Line::new("the box forgets after", color::GREY, self.time_outs.clone()).dashed(),
                Line::new("interval of heartbeats", color::BLUE, self.intervals.clone()),
            ],
            marks: vec![Marks::new("mapping lost", color::RED, self.losses.clone())],
            bands: self.gone.clone(),
        }
    }

    fn wire(&self) -> &'static str {
        match self.wire {
            Wire::Tcp => "TCP",
            Wire::Udp => "UDP",
        }
    }

    fn short(&self) -> String {
        let then = if self.first == self.forgets {
            String::new()
        } else {
            format!(", then {} s", self.forgets)
        };
        format!("{}, {} s{then}", self.wire(), self.first)
    }

    fn fact(&self) -> (String, String) {
        let pings = self.counters.pings.load(Ordering::Relaxed);
        let gone: f64 = self.gone.iter().map(|gone| gone.to - gone.from).sum();
        let text = format!(
            "settles at {:.0} s; {} lost, {:.0} s not reachable, {pings} heartbeats",
            self.interval(),
            self.losses.len(),
            gone * 60.0
        );
        (self.short(), text)
    }
}

pub(super) fn run(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let internet = Internet::new(flags, world)?;
    let _server = serve(&internet.server, &Members::default())?;
    let learners: Result<Vec<_>, _> = BOXES
        .iter()
        .enumerate()
        .map(|(n, (wire, forgets))| Learner::new(&internet, n + 1, *wire, *forgets))
        .collect();
    let learners = Rc::new(RefCell::new(learners?));
    let looked_at = Rc::clone(&learners);
    world.every(Duration::from_secs(1), move |world| {
        let at = seconds(world.now()) / 60.0;
        looked_at.borrow_mut().iter_mut().for_each(|learner| learner.look(at));
        true
    });
    let lasts = flags.time.unwrap_or(Duration::from_secs(3600));
    world.run_for(lasts / 2)?;
    if let Some(last) = learners.borrow_mut().last_mut() {
        last.become_stricter(STRICTER);
    }
    world.run_for(lasts / 2)?;
    Ok(outcome(flags, &learners.borrow(), lasts))
}

fn outcome(flags: &Flags, learners: &[Learner], lasts: Duration) -> Outcome {
    let first = AdaptiveConfig::new().initial;
    let fixed = lasts.as_secs() / first.as_secs().max(1);
    let mut facts: Vec<_> = learners.iter().map(Learner::fact).collect();
    facts.push((format!("fixed at {} s", first.as_secs()), format!("{fixed} heartbeats")));
    let mut panels: Vec<_> = learners.iter().map(Learner::panel).collect();
    let steady = (0..=fixed).map(|n| (n as f64 * first.as_secs_f64() / 60.0, n as f64)).collect();
    let name = format!("fixed at {} s", first.as_secs());
    let mut lines = vec![Line::new(&name, color::GREY, steady).dashed()];
    for (n, learner) in learners.iter().enumerate() {
        lines.push(Line::new(&learner.short(), color::ALL[n], learner.pings.clone()));
    }
    panels.push(Panel {
        title: "What it is good for: heartbeats sent".to_owned(),
        y_label: "heartbeats".to_owned(),
        lines,
        ..Panel::default()
    });
    let words =
        "each interval grows until its box has forgotten the connection once, then stays below";
    let subtitle = format!("{words}; seed {}", flags.seed);
    let figure = Figure {
        title: "Heartbeats that learn how long a NAT box remembers".to_owned(),
        subtitle,
        x_label: "virtual time, minutes".to_owned(),
        panels,
    };
    Outcome { figure, facts }
}
