//! A server stands still, without a word. Many clients, over TCP and UDP, find out by their
//! heartbeats alone, each within (misses + 1) x interval.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fyke::handlers::HeartbeatConfig;
use fyke::sim::{NatConfig, World};

use super::beats::{Heard, Internet, Members, SERVER, datagram_client, serve, stream_client};
use crate::bulk::PORT;
use crate::plot::{Band, Figure, Line, Panel, color};
use crate::trace::seconds;
use crate::{Failure, Flags, Outcome};

const INTERVAL: Duration = Duration::from_secs(30);
const MISSES: u32 = 2;

/// How many connections there are, over time.
type Points = Rc<RefCell<Vec<(f64, f64)>>>;

fn watch(world: &World, heard: &Heard, many: usize) -> Points {
    let points = Points::default();
    let (noted, heard) = (Rc::clone(&points), heard.clone());
    world.every(Duration::from_millis(250), move |world| {
        let open = many as f64 - heard.closed() as f64;
        noted.borrow_mut().push((seconds(world.now()), open));
        true
    });
    points
}

/// When the first and the last one were closed.
fn found_out(points: &Points, many: usize, stopped: f64) -> String {
    let points = points.borrow();
    let after = |open: f64| {
        let found = points.iter().find(|(_, now)| *now <= open);
        found.map_or("never".to_owned(), |(at, _)| format!("{:.1} s", at - stopped))
    };
    format!("the first one after {}, the last one after {}", after(many as f64 - 1.0), after(0.0))
}

pub(super) fn run(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let many = flags.many.unwrap_or(100).max(1);
    let bound = INTERVAL * (MISSES + 1);
    let internet = Internet::new(flags, world)?;
    let home = internet.home(1, NatConfig::new().udp_timeout(bound * 2))?;
    let _server = serve(&internet.server, &Members::default())?;
    let host = internet.host(&home, "clients", 11)?;
    let beat = HeartbeatConfig::new(INTERVAL).misses(MISSES);
    let (streams, datagrams) = (Heard::default(), Heard::default());
    let client = stream_client(&host, Some(&beat), &streams);
    for _ in 0..many {
        client.connect((SERVER, PORT)).wait()?;
        datagram_client(&host, Some(&beat), &datagrams)?;
    }
    let lines = [("TCP", color::BLUE, &streams), ("UDP", color::ORANGE, &datagrams)]
        .map(|(name, color, heard)| (name, color, watch(world, heard, many)));
    world.run_for(flags.time.unwrap_or(Duration::from_secs(120)))?;
    let stopped = seconds(world.now());
    internet.server.pause();
    world.run_for(bound + INTERVAL)?;
    let name = "(misses + 1) x interval";
    let mut facts = vec![(name.to_owned(), format!("{} s", bound.as_secs()))];
    for (name, _, points) in &lines {
        facts.push((format!("{many} over {name}"), found_out(points, many, stopped)));
    }
    let to = stopped + bound.as_secs_f64();
    let panel = Panel {
        title: "Connections that the clients believe in".to_owned(),
        y_label: "connections".to_owned(),
        lines: lines.map(|(name, color, points)| Line::new(name, color, points.take())).into(),
        bands: vec![Band { name: "(misses + 1) x interval", color: "#e6d5ee", from: stopped, to }],
        ..Panel::default()
    };
    let subtitle = format!(
        "a heartbeat after {} s of silence, {MISSES} misses; the server stands still from the band on; seed {}",
        INTERVAL.as_secs(),
        flags.seed
    );
    let figure = Figure {
        title: "A peer that falls silent".to_owned(),
        subtitle,
        x_label: "virtual time, seconds".to_owned(),
        panels: vec![panel],
    };
    Ok(Outcome { figure, facts })
}
