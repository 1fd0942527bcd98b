//! One message at a time, each waited for, over a long path; and two, four, eight at a time. What a
//! window is good for.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fyke::prelude::*;
use fyke::sim::World;

use super::path::{Conditions, SERVER, build};
use crate::bulk::{serve_echo, talk};
use crate::plot::{Figure, Line, Panel, color};
use crate::trace::seconds;
use crate::{Failure, Flags, Outcome};

/// A message: what fits into one segment.
const MESSAGE: usize = 1400;

pub(super) fn run(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let conditions = Conditions::new(flags, Duration::from_millis(100), 100_000_000);
    let lasts = flags.time.unwrap_or(Duration::from_secs(5));
    let path = build(world, flags, &conditions, 4)?;
    let (_server, _) = serve_echo(&path.server)?;
    let mut facts = vec![("path".to_owned(), conditions.text())];
    let (mut lines, mut running) = (Vec::new(), Vec::new());
    for (n, sender) in path.senders.iter().enumerate() {
        let window = 1_u64 << n;
        let (channel, tally) = talk(sender, SERVER)?;
        let points = Rc::new(RefCell::new(Vec::new()));
        running.push((window, channel, tally, points));
    }
    let began = world.now();
    let mut asked = vec![0_u64; running.len()];
    let states = running.iter().map(|(w, c, t, p)| (*w, c.clone(), t.clone(), Rc::clone(p)));
    let states: Vec<_> = states.collect();
    world.every(Duration::from_millis(1), move |world| {
        for ((window, channel, tally, points), asked) in states.iter().zip(&mut asked) {
            let answered = tally.bytes() / MESSAGE as u64;
            while *asked < answered + window {
                let Ok(sender) = channel.sender::<Outgoing>() else { return false };
                if sender.send(Outgoing::from(vec![b'x'; MESSAGE])).is_err() {
                    return false;
                }
                *asked += 1;
            }
            let time = seconds(world.now());
            points.borrow_mut().push((time, tally.bytes() as f64 / 1e3));
        }
        true
    });
    world.run_for(lasts)?;
    let took = seconds(world.now()) - seconds(began);
    for (n, (window, _, tally, points)) in running.iter().enumerate() {
        let name = format!("{window} at a time");
        let expected = *window as f64 * MESSAGE as f64 * 8.0 / conditions.rtt.as_secs_f64();
        facts.push((
            name.clone(),
            format!(
                "{:.1} kbit/s; window over round trip is {:.1}",
                tally.bytes() as f64 * 8.0 / took / 1e3,
                expected / 1e3
            ),
        ));
        lines.push(Line::new(&name, color::ALL[n], points.borrow().clone()));
    }
    let panel = Panel {
        title: format!("Messages of {MESSAGE} bytes that were answered"),
        y_label: "kB".to_owned(),
        lines,
        ..Panel::default()
    };
    let title = "Stop and wait, and windows".to_owned();
    let subtitle = format!("{}; seed {}", conditions.text(), flags.seed);
    let x_label = "virtual time, seconds".to_owned();
    Ok(Outcome { figure: Figure { title, subtitle, x_label, panels: vec![panel] }, facts })
}
