//! What a connection was like over time: samples of its sender's stack, and panels of them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fyke::sim::stack::Stack;
use fyke::sim::stack::tcp::Info;
use fyke::sim::stack::tcp::congestion::Phase;
use fyke::sim::{Host, Instant};

use crate::plot::{Band, Line, Marks, Panel, color};

/// One moment of a connection.
#[derive(Clone, Debug)]
struct Sample {
    at: f64,
    info: Info,
}

/// The samples of one connection: clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<Sample>>>);

/// More samples than any plot can show; behind it nothing is recorded.
const SAMPLES_MAX: usize = 2_000_000;

pub(crate) fn seconds(at: Instant) -> f64 {
    at.as_nanos() as f64 / 1e9
}

impl Trace {
    /// Follows the connection of `host` to a port, whichever it is at a time.
    pub(crate) fn follow(host: &Host, port: u16) -> Self {
        let trace = Self::default();
        let samples = Rc::clone(&trace.0);
        host.observe(move |stack, now| {
            if let Some(info) = find(stack, port) {
                let mut samples = samples.borrow_mut();
                let same = samples.last().is_some_and(|last| last.info == info);
                if !same && samples.len() < SAMPLES_MAX {
                    samples.push(Sample { at: seconds(now), info });
                }
            }
        });
        trace
    }

    /// The connection at last.
    pub(crate) fn last(&self) -> Option<Info> {
        self.0.borrow().last().map(|sample| sample.info.clone())
    }

    fn points(&self, value: impl Fn(&Info) -> Option<f64>) -> Vec<(f64, f64)> {
        let samples = self.0.borrow();
        samples.iter().filter_map(|s| Some((s.at, value(&s.info)?))).collect()
    }

    /// The stretches of slow start, avoidance, recovery and loss, or of BBR's states.
    pub(crate) fn phases(&self) -> Vec<Band> {
        let samples = self.0.borrow();
        let mut bands: Vec<Band> = Vec::new();
        for sample in samples.iter() {
            let (name, color) = phase(sample.info.phase);
            match bands.last_mut() {
                Some(last) if last.name == name => last.to = sample.at,
                last => {
                    if let Some(last) = last {
                        last.to = sample.at;
                    }
                    bands.push(Band { name, color, from: sample.at, to: sample.at });
                }
            }
        }
        bands
    }

    pub(crate) fn windows(&self, title: &str) -> Panel {
        // Before there was congestion the threshold is without limit, and not drawn.
        let threshold = |info: &Info| {
            (info.slow_start_threshold < 1 << 30).then(|| kib(info.slow_start_threshold))
        };
        Panel {
            title: title.to_owned(),
            y_label: "KiB".to_owned(),
            lines: vec![
                Line::new("bytes in flight", color::GREEN, self.points(|i| Some(kib(i.pipe)))),
                Line::new("ssthresh", color::ORANGE, self.points(threshold)).dashed(),
                Line::new("cwnd", color::BLUE, self.points(|i| Some(kib(i.congestion_window)))),
            ],
            bands: self.phases(),
            marks: Vec::new(),
        }
    }

    pub(crate) fn round_trips(&self) -> Panel {
        let ms = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e3);
        Panel {
            title: "Round-trip time, as the sender measures it".to_owned(),
            y_label: "ms".to_owned(),
            lines: vec![
                Line::new("smoothed RTT", color::BLUE, self.points(|i| ms(i.rtt))),
                Line::new("minimum", color::GREEN, self.points(|i| ms(i.rtt_min))).dashed(),
            ],
            ..Panel::default()
        }
    }

    /// How fast text leaves and arrives, when something paces it; `link` is the path's, in bits.
    pub(crate) fn rates(&self, link: u64) -> Option<Panel> {
        let paced = self.points(|i| i.pacing_rate.map(mbit));
        let (first, last) = (paced.first()?.0, paced.last()?.0);
        let link = link as f64 / 1e6;
        Some(Panel {
            title: "Rates of the first flow".to_owned(),
            y_label: "Mbit/s".to_owned(),
            lines: vec![
                Line::new("pacing rate", color::BLUE, paced),
                Line::new(
                    "delivery rate",
                    color::GREEN,
                    self.points(|i| i.delivery_rate.map(mbit)),
                ),
                Line::new("the link's", color::GREY, vec![(first, link), (last, link)]).dashed(),
            ],
            ..Panel::default()
        })
    }

    /// Bytes sent and acknowledged, and when some were sent again.
    pub(crate) fn sequence(&self) -> Panel {
        let acknowledged = |i: &Info| mb(i.bytes_sent.saturating_sub(u64::from(i.unacknowledged)));
        let mut again = Vec::new();
        let samples = self.0.borrow();
        for pair in samples.windows(2) {
            if pair[1].info.bytes_sent_again > pair[0].info.bytes_sent_again {
                again.push((pair[1].at, acknowledged(&pair[0].info)));
            }
        }
        drop(samples);
        Panel {
            title: "Sequence numbers over time".to_owned(),
            y_label: "MB".to_owned(),
            lines: vec![
                Line::new("sent", color::BLUE, self.points(|i| Some(mb(i.bytes_sent)))),
                Line::new("acknowledged", color::GREEN, self.points(|i| Some(acknowledged(i)))),
            ],
            marks: vec![Marks::new("sent again", color::RED, again)],
            ..Panel::default()
        }
    }

    /// The congestion window alone, to compare several.
    pub(crate) fn window_line(&self, name: &str, color: &'static str) -> Line {
        Line::new(name, color, self.points(|i| Some(kib(i.congestion_window))))
    }

    /// Acknowledged bytes alone.
    pub(crate) fn progress_line(&self, name: &str, color: &'static str) -> Line {
        let done = |i: &Info| mb(i.bytes_sent.saturating_sub(u64::from(i.unacknowledged)));
        Line::new(name, color, self.points(|i| Some(done(i))))
    }
}

fn find(stack: &Stack, port: u16) -> Option<Info> {
    let wanted = |remote: Option<std::net::SocketAddr>| remote.is_some_and(|r| r.port() == port);
    let id = stack.listing().find(|line| line.id.is_some() && wanted(line.remote))?.id?;
    stack.info(id)
}

fn phase(phase: Phase) -> (&'static str, &'static str) {
    match phase {
        Phase::SlowStart => ("slow start", "#dcf1e2"),
        Phase::Recovery => ("fast recovery", "#ffe3bf"),
        Phase::Loss => ("after a time-out", "#f7cfcf"),
        Phase::Startup => ("Startup", "#dcf1e2"),
        Phase::Drain => ("Drain", "#ffe3bf"),
        Phase::ProbeBwDown => ("ProbeBW, DOWN", "#fdf0cf"),
        Phase::ProbeBwCruise => ("ProbeBW, CRUISE", "#e9eef9"),
        Phase::ProbeBwRefill => ("ProbeBW, REFILL", "#cfe3f7"),
        Phase::ProbeBwUp => ("ProbeBW, UP", "#c2ebd0"),
        Phase::ProbeRtt => ("ProbeRTT", "#ead6f0"),
        _ => ("congestion avoidance", "#e9eef9"),
    }
}

fn kib(bytes: u32) -> f64 {
    f64::from(bytes) / 1024.0
}

fn mbit(bytes: u64) -> f64 {
    bytes as f64 * 8.0 / 1e6
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
