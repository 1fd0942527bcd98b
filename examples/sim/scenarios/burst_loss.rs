//! The same share of losses, one by one and in bursts: what a sender makes of it.

use std::time::Duration;

use fyke::sim::{BurstLoss, World};

use super::path::{Conditions, SERVER, build};
use crate::bulk::{PORT, send_bulk, serve_sink};
use crate::plot::{Figure, Panel, color};
use crate::trace::{Trace, seconds};
use crate::{Failure, Flags, Outcome};

/// Frames in a burst, in the mean.
const BURST: f64 = 8.0;

pub(super) fn run(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let mut conditions = Conditions::new(flags, Duration::from_millis(50), 20_000_000);
    let share = flags.loss.unwrap_or(0.01);
    conditions.loss = 0.0;
    let size = flags.size.unwrap_or(8_000_000);
    let mut facts = vec![("path".to_owned(), conditions.text())];
    let mut traces = Vec::new();
    for (name, color) in [("one by one", color::BLUE), ("in bursts", color::ORANGE)] {
        // The second world is the first one again, but for the way it loses.
        let own = (name != "one by one").then(|| World::new(flags.seed));
        let world = own.as_ref().unwrap_or(world);
        let path = build(world, flags, &conditions, 1)?;
        path.narrow.update_there(|link| match name {
            "one by one" => link.loss(share),
            _ => link.burst_loss(Some(BurstLoss::new(share, BURST))),
        });
        let (_server, tally) = serve_sink(&path.server)?;
        let trace = Trace::follow(&path.senders[0], PORT);
        let began = world.now();
        send_bulk(&path.senders[0], SERVER, size).wait()?;
        world.run_while(|| tally.bytes() < size)?;
        let took = seconds(world.now()) - seconds(began);
        let again = trace.last().map_or(0, |info| info.bytes_sent_again);
        let there = path.narrow.there();
        facts.push((
            format!("{:.1} % lost {name}", share * 100.0),
            format!(
                "{:.3} Mbit/s, {} of {} frames lost, {again} bytes sent again",
                size as f64 * 8.0 / took / 1e6,
                there.drops.total(),
                there.offered
            ),
        ));
        traces.push((name, color, trace));
    }
    let lines = |pick: fn(&Trace, &str, &'static str) -> crate::plot::Line| {
        traces.iter().map(|(name, color, trace)| pick(trace, name, color)).collect()
    };
    let panels = vec![
        Panel {
            title: "Congestion window".to_owned(),
            y_label: "KiB".to_owned(),
            lines: lines(Trace::window_line),
            ..Panel::default()
        },
        Panel {
            title: "Acknowledged".to_owned(),
            y_label: "MB".to_owned(),
            lines: lines(Trace::progress_line),
            ..Panel::default()
        },
        traces[0].2.windows("Lost one by one: windows and phases"),
        traces[1].2.windows("Lost in bursts: windows and phases"),
    ];
    let by = flags.congestion.name();
    let title = format!("{:.1} % of frames lost, one by one and in bursts ({by})", share * 100.0);
    let subtitle = format!("{}; bursts of {BURST} frames; seed {}", conditions.text(), flags.seed);
    let x_label = "virtual time, seconds".to_owned();
    Ok(Outcome { figure: Figure { title, subtitle, x_label, panels }, facts })
}
