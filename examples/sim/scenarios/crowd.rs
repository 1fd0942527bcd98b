//! Very many connections, each of which has echoed once and is idle: what each takes.
//!
//! The clients are one bare host, a stack alone. With `crowd-bare` the server is one, too, so that
//! the difference is what channels and pipelines take.

use std::net::SocketAddr;
use std::time::Duration;

use fyke::sim::stack::{ConnectOptions, Event, StackConfig};
use fyke::sim::{Application, BareContext, BareHost, LinkConfig, World};

use crate::bulk::{PORT, serve_echo};
use crate::plot::{Figure, Line, Panel, color};
use crate::trace::seconds;
use crate::{Failure, Flags, Outcome};

/// Connections that are begun at once, and how long until the next ones.
const WAVE: usize = 1000;
const PERIOD: Duration = Duration::from_millis(10);
/// Connections of one address of the crowd.
const EACH: usize = 30_000;

/// Says hello on each connection, and counts the answers.
#[derive(Debug, Default)]
struct Crowd {
    answered: usize,
    failed: usize,
}

impl Application for Crowd {
    fn event(&mut self, cx: &mut BareContext<'_>, event: Event) {
        let now = cx.now();
        match event {
            Event::Connected(id) => {
                // The buffer is as large as the hello.
                let _ = cx.stack.write(now, id, bytes());
            }
            Event::Readable(id) => {
                while let Ok(Some(_)) = cx.stack.read(now, id, usize::MAX) {
                    self.answered += 1;
                }
            }
            Event::Closed(id, _) => {
                self.failed += 1;
                let _ = cx.stack.close(now, id);
            }
            _ => {}
        }
    }
}

/// Sends back what it is sent.
#[derive(Debug, Default)]
struct Echo;

impl Application for Echo {
    fn event(&mut self, cx: &mut BareContext<'_>, event: Event) {
        let now = cx.now();
        match event {
            Event::Acceptable(listener) => while cx.stack.accept(listener).is_some() {},
            Event::Readable(id) => {
                while let Ok(Some(bytes)) = cx.stack.read(now, id, usize::MAX) {
                    let _ = cx.stack.write(now, id, bytes);
                }
            }
            _ => {}
        }
    }
}

fn bytes() -> fyke::Bytes {
    fyke::Bytes::from_static(b"hello")
}

pub(super) fn run(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let server = world.host("server").address("10.0.0.1/8").configure(limits).start()?;
    let (_server, tally) = serve_echo(&server)?;
    let crowd = crowd(flags, world)?;
    world.link(&crowd, &server, LinkConfig::new().delay(Duration::from_millis(1)))?;
    let outcome = fill(flags, world, &crowd, "with pipelines")?;
    let channels = tally.channels();
    let mut outcome = outcome;
    outcome.facts.push(("channels".to_owned(), channels.to_string()));
    Ok(outcome)
}

pub(super) fn run_bare(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let server = world.host("server").address("10.0.0.1/8").configure(limits).start_bare(Echo)?;
    server.with_stack(|stack, _| {
        let mut options = fyke::sim::stack::ListenOptions::default();
        options.backlog = 4096;
        stack.listen(SocketAddr::from(([0, 0, 0, 0], PORT)), options)
    })?;
    let crowd = crowd(flags, world)?;
    world.link(&crowd, &server, LinkConfig::new().delay(Duration::from_millis(1)))?;
    fill(flags, world, &crowd, "stacks alone")
}

fn limits(config: &mut StackConfig) {
    config.limits.addresses_max = 256;
    config.ports = 10_000..=u16::MAX;
}

fn many(flags: &Flags) -> usize {
    flags.many.unwrap_or(10_000).clamp(1, 2_000_000)
}

fn crowd(flags: &Flags, world: &World) -> Result<BareHost<Crowd>, Failure> {
    let mut host = world.host("crowd").configure(limits);
    for n in 0..many(flags).div_ceil(EACH) {
        host = host.address(&format!("10.1.{n}.1/8"));
    }
    Ok(host.start_bare(Crowd::default())?)
}

fn fill(
    flags: &Flags,
    world: &World,
    crowd: &BareHost<Crowd>,
    what: &str,
) -> Result<Outcome, Failure> {
    let wanted = many(flags);
    world.run_for(Duration::from_millis(10))?;
    let before = resident();
    let mut points = vec![(seconds(world.now()), 0.0)];
    let mut begun = 0;
    while begun < wanted {
        let end = wanted.min(begun + WAVE);
        crowd.with_stack(|stack, now| {
            for n in begun..end {
                let from = [10, 1, (n / EACH) as u8, 1];
                let mut options = ConnectOptions::default();
                options.local = Some(SocketAddr::from((from, 0)));
                stack.connect(now, SocketAddr::from(([10, 0, 0, 1], PORT)), options)?;
            }
            Ok::<(), fyke::sim::stack::StackError>(())
        })?;
        begun = end;
        world.run_for(PERIOD)?;
        if begun.is_multiple_of(10 * WAVE) {
            points.push((seconds(world.now()), (resident() - before) as f64 / 1e6));
        }
    }
    // Delayed acknowledgements, and what else happens before everything is quiet.
    world.run_for(Duration::from_secs(5))?;
    let after = resident();
    points.push((seconds(world.now()), (after - before) as f64 / 1e6));
    let (answered, failed) = crowd.with(|crowd, _| (crowd.answered, crowd.failed));
    let each = (after - before) as f64 / wanted as f64;
    let facts = vec![
        ("connections".to_owned(), format!("{wanted}, {answered} answered, {failed} failed")),
        ("memory".to_owned(), format!("{:.1} MiB in all", after as f64 / 1_048_576.0)),
        (format!("each, {what}"), format!("{each:.0} bytes, both ends")),
    ];
    if answered != wanted {
        return Err(format!("{answered} of {wanted} connections were answered").into());
    }
    let panel = Panel {
        title: "Resident memory".to_owned(),
        y_label: "MB".to_owned(),
        lines: vec![Line::new("resident", color::BLUE, points)],
        ..Panel::default()
    };
    let title = format!("{wanted} idle echo connections, {what}");
    let subtitle = format!("seed {}", flags.seed);
    let x_label = "virtual time, seconds".to_owned();
    Ok(Outcome { figure: Figure { title, subtitle, x_label, panels: vec![panel] }, facts })
}

/// Bytes of this process that are in memory; 0 where nobody tells.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}
