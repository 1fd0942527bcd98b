//! Flows through one narrow link. The first one's windows are drawn, with their phases; of the
//! others what they are in comparison.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fyke::sim::{Link, World};

use super::path::{Conditions, SERVER, build};
use crate::bulk::{PORT, send_bulk, serve_sink};
use crate::plot::{Figure, Line, Marks, Panel, color};
use crate::trace::{Trace, seconds};
use crate::{Failure, Flags, Outcome};

/// Flows that are drawn beside the first.
const OTHERS_DRAWN: usize = 5;

pub(super) fn run(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let conditions = Conditions::new(flags, Duration::from_millis(50), 10_000_000);
    let flows = flags.flows.unwrap_or(1).clamp(1, 250);
    let size = flags.size.unwrap_or(8_000_000);
    let by = flags.congestion.name();
    let title = match flows {
        1 => format!("One flow through a bottleneck ({by})"),
        _ => format!("{flows} flows through a bottleneck ({by})"),
    };
    transfer(flags, world, &conditions, flows, size, title)
}

/// Sends `size` bytes on each flow, all the way; draws and tells what happened.
pub(super) fn transfer(
    flags: &Flags,
    world: &World,
    conditions: &Conditions,
    flows: usize,
    size: u64,
    title: String,
) -> Result<Outcome, Failure> {
    let path = build(world, flags, conditions, flows)?;
    let (_server, tally) = serve_sink(&path.server)?;
    let traces: Vec<Trace> = path.senders.iter().map(|h| Trace::follow(h, PORT)).collect();
    let queue = QueueTrace::watch(world, &path.narrow);
    let began = world.now();
    let connects: Vec<_> = path.senders.iter().map(|h| send_bulk(h, SERVER, size)).collect();
    for connect in connects {
        connect.wait()?;
    }
    let wanted = size * flows as u64;
    world.run_while(|| tally.bytes() < wanted)?;
    let took = seconds(world.now()) - seconds(began);
    // The last acknowledgements and FINs.
    world.run_for(conditions.rtt * 4)?;

    let goodput = wanted as f64 * 8.0 / took;
    let infos: Vec<_> = traces.iter().filter_map(Trace::last).collect();
    let again: u64 = infos.iter().map(|info| info.bytes_sent_again).sum();
    let timeouts: u32 = infos.iter().map(|info| info.timeouts).sum();
    let recoveries: u32 = infos.iter().map(|info| info.recoveries).sum();
    let subtitle = format!("{}; seed {}", conditions.text(), flags.seed);
    let facts = vec![
        ("path".to_owned(), conditions.text()),
        ("transferred".to_owned(), format!("{wanted} bytes in {took:.3} s, {flows} flow(s)")),
        (
            "goodput".to_owned(),
            format!(
                "{:.3} Mbit/s, {:.1} % of the link",
                goodput / 1e6,
                goodput / conditions.rate as f64 * 100.0
            ),
        ),
        ("sent again".to_owned(), format!("{again} bytes")),
        ("recoveries, time-outs".to_owned(), format!("{recoveries}, {timeouts}")),
        ("longest queue".to_owned(), format!("{} packets", path.narrow.there().queue_packets_peak)),
    ];
    let mut panels = vec![traces[0].windows("Windows of the first flow, and its phases")];
    if traces.len() > 1 {
        let drawn = traces.iter().take(1 + OTHERS_DRAWN).enumerate();
        let lines = drawn
            .map(|(n, trace)| trace.window_line(&format!("flow {}", n + 1), color::ALL[n]))
            .collect();
        let title = "Congestion windows in comparison".to_owned();
        panels.push(Panel { title, y_label: "KiB".to_owned(), lines, ..Panel::default() });
    }
    panels.extend(traces[0].rates(conditions.rate));
    panels.extend([traces[0].round_trips(), queue.panel(), traces[0].sequence()]);
    let x_label = "virtual time, seconds".to_owned();
    Ok(Outcome { figure: Figure { title, subtitle, x_label, panels }, facts })
}

/// The narrow link over time: what waits in front of it, and when it dropped something.
#[derive(Debug, Default)]
pub(super) struct QueueTrace {
    lengths: Rc<RefCell<Vec<(f64, f64)>>>,
    drops: Rc<RefCell<Vec<(f64, f64)>>>,
}

impl QueueTrace {
    pub(super) fn watch(world: &World, link: &Link) -> Self {
        let this = Self::default();
        let (lengths, drops) = (Rc::clone(&this.lengths), Rc::clone(&this.drops));
        let link = link.clone();
        let mut seen = 0;
        world.every(Duration::from_millis(2), move |world| {
            let now = seconds(world.now());
            let length = link.queued_there().0 as f64;
            let mut lengths = lengths.borrow_mut();
            if lengths.last().is_none_or(|last| last.1 != length) {
                lengths.push((now, length));
            }
            let dropped = link.there().drops.total();
            if dropped > seen {
                seen = dropped;
                drops.borrow_mut().push((now, length));
            }
            true
        });
        this
    }

    pub(super) fn panel(&self) -> Panel {
        let lengths = self.lengths.borrow().clone();
        let drops = self.drops.borrow().clone();
        Panel {
            title: "Queue in front of the narrow link".to_owned(),
            y_label: "packets".to_owned(),
            lines: vec![Line::new("packets that wait", color::PURPLE, lengths)],
            marks: vec![Marks::new("moments with drops", color::RED, drops)],
            ..Panel::default()
        }
    }
}
