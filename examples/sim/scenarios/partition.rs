//! A flow through a partition that heals: time-outs while it lasts, and how soon it goes on.

use std::time::Duration;

use fyke::sim::World;

use super::bottleneck::QueueTrace;
use super::path::{Conditions, SERVER, build};
use crate::bulk::{PORT, send_bulk, serve_sink};
use crate::plot::{Band, Figure};
use crate::trace::{Trace, seconds};
use crate::{Failure, Flags, Outcome};

pub(super) fn run(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let conditions = Conditions::new(flags, Duration::from_millis(50), 10_000_000);
    let size = flags.size.unwrap_or(8_000_000);
    let lasts = flags.time.unwrap_or(Duration::from_secs(4));
    let path = build(world, flags, &conditions, 1)?;
    let (_server, tally) = serve_sink(&path.server)?;
    let trace = Trace::follow(&path.senders[0], PORT);
    let queue = QueueTrace::watch(world, &path.narrow);
    send_bulk(&path.senders[0], SERVER, size).wait()?;
    world.run_for(Duration::from_secs(2))?;
    let from = seconds(world.now());
    let partition = world.partition(&[path.senders[0].id()], &[path.server.id()]);
    world.run_for(lasts)?;
    partition.heal();
    let (to, before) = (seconds(world.now()), tally.bytes());
    world.run_while(|| tally.bytes() == before)?;
    let goes_on = seconds(world.now());
    world.run_while(|| tally.bytes() < size)?;
    let info = trace.last().ok_or("there was no connection")?;
    let facts = vec![
        ("path".to_owned(), conditions.text()),
        ("partition".to_owned(), format!("from {from:.3} s to {to:.3} s")),
        ("data arrives again".to_owned(), format!("{:.3} s after it healed", goes_on - to)),
        ("all arrived".to_owned(), format!("{size} bytes at {:.3} s", seconds(world.now()))),
        ("time-outs".to_owned(), format!("{}", info.timeouts)),
        ("sent again".to_owned(), format!("{} bytes", info.bytes_sent_again)),
    ];
    let mut panels = vec![trace.windows("Windows and phases"), trace.sequence(), queue.panel()];
    let band = Band { name: "partition", color: "#e6d5ee", from, to };
    panels[1].bands.push(band.clone());
    panels[2].bands.push(band);
    let title = format!("A partition that heals ({})", flags.congestion.name());
    let subtitle = format!("{}; seed {}", conditions.text(), flags.seed);
    let x_label = "virtual time, seconds".to_owned();
    Ok(Outcome { figure: Figure { title, subtitle, x_label, panels }, facts })
}
