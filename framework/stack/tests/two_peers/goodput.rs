//! How much gets through: one flow of data over links of given rate, delay and loss, against what
//! the models of the literature say a TCP can have.

use std::sync::Arc;
use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::congestion::Algorithm;
use fyke_stack::tcp::{Config, Connection, Initial, SeqNum};

use crate::end::{End, Program};
use crate::link::{Link, LinkConfig};
use crate::rng::Rng;
use crate::world::World;

const MSS: f64 = 1448.0;

/// One flow: what it was, and what it got.
#[derive(Debug, Clone)]
pub struct Flow {
    pub algorithm: Algorithm,
    pub rtt: Duration,
    /// Bytes in a second.
    pub rate: u64,
    pub loss: f64,
    pub queue: u64,
    pub sack: bool,
    pub time: Duration,
}

fn program(total: u64, finishes_first: bool) -> Program {
    Program {
        total,
        write_max: 100_000,
        read_max: 1 << 20,
        pause: 0.0,
        pause_max: Duration::ZERO,
        finishes_first,
        abort_at: None,
    }
}

fn config(flow: &Flow) -> Arc<Config> {
    let mut config = Config::linux();
    config.congestion.algorithm = flow.algorithm;
    config.sack = flow.sack;
    config.receive_buffer_bytes = 8 << 20;
    config.receive_buffer_bytes_max = 8 << 20;
    config.send_buffer_bytes = 8 << 20;
    config.send_buffer_bytes_max = 8 << 20;
    Arc::new(config)
}

/// The world of a flow.
pub fn world(flow: &Flow, seed: u64) -> World {
    let now = Instant::from_nanos(1_000_000_000);
    let initial = |iss: u32| Initial {
        iss: SeqNum::new(iss.wrapping_add(seed as u32)),
        timestamp_offset: 99,
        path_mss: 1460,
    };
    let mut there = LinkConfig::clean(flow.rtt / 2, flow.rate);
    there.loss = flow.loss;
    there.queue_bytes = flow.queue;
    let back = LinkConfig::clean(flow.rtt / 2, flow.rate);
    let client = Connection::connect(config(flow), initial(1), now);
    let mut sent = crate::world::Sent::default();
    let mut same = Connection::connect(config(flow), initial(1), now);
    same.poll(now, &mut sent);
    let server = Connection::accept(config(flow), &sent.0[0], initial(77), now);
    let mut ends = [
        End::new(0, client, program(u64::MAX / 2, true), initial(1).iss),
        End::new(1, server, program(0, false), initial(77).iss),
    ];
    ends[1].arrives(&sent.0[0], initial(1).iss);
    let mut world =
        World::new(ends, [Link::new(there), Link::new(back)], Rng::new(seed), 1460, now);
    world.checks = false;
    world
}

/// Bytes in a second that reach the application.
pub fn goodput(flow: &Flow, seed: u64) -> f64 {
    let mut world = world(flow, seed);
    let until = world.now + flow.time;
    // It never ends by itself: time does it.
    let ended = world.run(until, |_| false);
    assert!(ended.is_err_and(|why| why.starts_with("not done")), "it goes on all the time");
    world.ends[1].read as f64 / flow.time.as_secs_f64()
}

/// What the models allow: the link, Mathis' square root, and CUBIC's response function (RFC 9438,
/// section 5.1, whichever is larger).
pub fn model(flow: &Flow) -> f64 {
    let link = flow.rate as f64 * MSS / (MSS + 52.0);
    if flow.loss == 0.0 {
        return link;
    }
    let (p, rtt) = (flow.loss, flow.rtt.as_secs_f64());
    let reno = (1.5 / p).sqrt() * MSS / rtt;
    let cubic = 1.054 * rtt.powf(0.75) / p.powf(0.75) * MSS / rtt;
    let best = if flow.algorithm == Algorithm::Cubic { reno.max(cubic) } else { reno };
    best.min(link)
}

#[test]
fn a_clean_link_is_filled() {
    for algorithm in [Algorithm::Reno, Algorithm::NewReno, Algorithm::Cubic] {
        for (rtt, rate) in [(10, 1_250_000), (100, 1_250_000), (40, 12_500_000)] {
            let rtt = Duration::from_millis(rtt);
            let flow = Flow {
                algorithm,
                rtt,
                rate,
                loss: 0.0,
                queue: (rate as f64 * rtt.as_secs_f64()) as u64 + 30_000,
                sack: true,
                time: Duration::from_secs(20),
            };
            let share = goodput(&flow, 1) / model(&flow);
            assert!((0.9..=1.0).contains(&share), "{share:.3} of the link with {flow:?}");
        }
    }
}

/// The table for a reader: `FYKE_GOODPUT=50 cargo test --release -p fyke-stack --test two_peers
/// table -- --nocapture` takes the mean of fifty seeds.
#[test]
fn the_table_of_losses() {
    let told = std::env::var("FYKE_GOODPUT").ok().and_then(|n| n.parse().ok());
    let seeds: u64 = told.unwrap_or(2);
    let losses: &[f64] = if told.is_some() { &[0.0001, 0.001, 0.01, 0.03] } else { &[0.01] };
    let rtts: &[u64] = if told.is_some() { &[10, 40, 100] } else { &[40] };
    let mut wrong = String::new();
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        for sack in [true, false] {
            for loss in losses {
                for rtt in rtts {
                    let flow = Flow {
                        algorithm,
                        rtt: Duration::from_millis(*rtt),
                        rate: 12_500_000,
                        loss: *loss,
                        queue: 1_000_000,
                        sack,
                        time: Duration::from_secs(30),
                    };
                    let sum: f64 = (0..seeds).map(|seed| goodput(&flow, seed)).sum();
                    let share = sum / seeds as f64 / model(&flow);
                    if told.is_some() {
                        println!("{algorithm:?} sack {sack} loss {loss} rtt {rtt}: {share:.2}");
                    }
                    // A wide band: the two seeds of the default run are few.
                    let low = if sack { 0.6 } else { 0.4 };
                    if !(low..=1.5).contains(&share) {
                        wrong.push_str(&format!("{share:.2} of the model with {flow:?}\n"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
