//! A server is switched off and on. It has forgotten the connection and says so by a reset, and the
//! client comes back.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fyke::prelude::*;
use fyke::sim::World;

use super::path::{Conditions, SERVER, build};
use crate::bulk::{Tally, serve_echo, talk};
use crate::plot::{Band, Figure, Line, Panel, color};
use crate::trace::seconds;
use crate::{Failure, Flags, Outcome};

/// How often the client says something.
const PERIOD: Duration = Duration::from_millis(200);

pub(super) fn run(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let conditions = Conditions::new(flags, Duration::from_millis(50), 10_000_000);
    let off = flags.time.unwrap_or(Duration::from_secs(3));
    let path = build(world, flags, &conditions, 1)?;
    let (server, _) = serve_echo(&path.server)?;
    let points = Rc::new(RefCell::new(Vec::new()));
    let mut facts = vec![("path".to_owned(), conditions.text())];

    let (channel, first) = talk(&path.senders[0], SERVER)?;
    say(world, &channel, &first, &points, 0);
    world.run_for(Duration::from_secs(3))?;
    let from = seconds(world.now());
    path.server.pause();
    world.run_for(off)?;
    path.server.restart()?;
    path.server.resume();
    let to = seconds(world.now());
    drop(server);
    let (_server, _) = serve_echo(&path.server)?;
    // What the client said meanwhile comes again, and a server that knows nothing of it answers.
    let reason = channel.wait_closed();
    let reset = seconds(world.now());
    facts.push(("server away".to_owned(), format!("from {from:.3} s to {to:.3} s")));
    facts.push(("client closed".to_owned(), format!("{reason:?} at {reset:.3} s")));

    let before = first.bytes();
    let (channel, second) = talk(&path.senders[0], SERVER)?;
    let back = seconds(world.now());
    say(world, &channel, &second, &points, before);
    world.run_for(Duration::from_secs(3))?;
    facts.push(("client back".to_owned(), format!("at {back:.3} s")));
    facts.push(("answered".to_owned(), format!("{before} bytes before, {} after", second.bytes())));
    let line = Line::new("answered", color::BLUE, points.borrow().clone());
    let panel = Panel {
        title: "What the client was answered".to_owned(),
        y_label: "bytes".to_owned(),
        lines: vec![line],
        bands: vec![
            Band { name: "server switched off", color: "#f7cfcf", from, to },
            Band { name: "until the reset", color: "#ffe3bf", from: to, to: reset },
        ],
        ..Panel::default()
    };
    let title = "A server is switched off and on".to_owned();
    let subtitle = format!("{}; seed {}", conditions.text(), flags.seed);
    let x_label = "virtual time, seconds".to_owned();
    Ok(Outcome { figure: Figure { title, subtitle, x_label, panels: vec![panel] }, facts })
}

/// Says something again and again, and writes down what was answered.
fn say(
    world: &World,
    channel: &Channel,
    tally: &Tally,
    points: &Rc<RefCell<Vec<(f64, f64)>>>,
    before: u64,
) {
    let (channel, tally, points) = (channel.clone(), tally.clone(), Rc::clone(points));
    world.every(PERIOD, move |world| {
        points.borrow_mut().push((seconds(world.now()), (before + tally.bytes()) as f64));
        let Ok(sender) = channel.sender::<Outgoing>() else { return false };
        sender.send(Outgoing::from("something")).is_ok()
    });
}
