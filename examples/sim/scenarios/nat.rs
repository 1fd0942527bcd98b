//! Idle connections behind a NAT box that forgets after a minute: over TCP and UDP, with heartbeats
//! and without. Now and then the server has news for all of them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fyke::handlers::{HeartbeatConfig, HeartbeatCounters};
use fyke::sim::{NatConfig, NatUnknown, Random, World};

use super::beats::{Heard, Internet, Members, SERVER, datagram_client, serve, stream_client};
use crate::bulk::PORT;
use crate::plot::{Figure, Line, Panel, color};
use crate::{Failure, Flags, Outcome, trace};

const TIMEOUT: Duration = Duration::from_secs(60);
const BEAT: Duration = Duration::from_secs(25);

/// So many times the server says something before the box forgets.
const LIVELY: u64 = 8;

/// One client's news over time.
struct Client {
    name: &'static str,
    color: &'static str,
    dashed: bool,
    heard: Heard,
    points: Vec<(f64, f64)>,
}

impl Client {
    fn new(name: &'static str, color: &'static str) -> Self {
        Self { name, color, dashed: false, heard: Heard::default(), points: Vec::new() }
    }
}

/// What happens over time, in minutes.
#[derive(Default)]
struct Course {
    clients: Vec<Client>,
    told: Vec<(f64, f64)>,
    mappings: Vec<(f64, f64)>,
}

impl Course {
    fn panels(&self) -> Vec<Panel> {
        let said = Line::new("said by the server", color::GREY, self.told.clone());
        let mut lines = vec![said.ground()];
        for client in &self.clients {
            let line = Line::new(client.name, client.color, client.points.clone());
            lines.push(if client.dashed { line.dashed() } else { line });
        }
        let news = Panel {
            title: "News that arrived".to_owned(),
            y_label: "messages".to_owned(),
            lines,
            ..Panel::default()
        };
        let mappings = Panel {
            title: "Connections that the NAT box knows".to_owned(),
            y_label: "mappings".to_owned(),
            lines: vec![Line::new("mappings", color::BLUE, self.mappings.clone())],
            ..Panel::default()
        };
        vec![news, mappings]
    }
}

pub(super) fn run(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let internet = Internet::new(flags, world)?;
    let config = NatConfig::new().tcp_timeout(TIMEOUT).udp_timeout(TIMEOUT);
    let home = internet.home(1, config.unknown(NatUnknown::Drop))?;
    let members = Members::default();
    let _server = serve(&internet.server, &members)?;
    let counters = Arc::new(HeartbeatCounters::default());
    let beat = HeartbeatConfig::new(BEAT).counters(&counters);
    let mut clients = vec![
        Client::new("TCP with heartbeats", color::BLUE),
        Client { dashed: true, ..Client::new("UDP with heartbeats", color::GREEN) },
        Client::new("TCP without", color::RED),
        Client { dashed: true, ..Client::new("UDP without", color::ORANGE) },
    ];
    let mut channels = Vec::new();
    for (n, client) in clients.iter_mut().enumerate() {
        let host = internet.host(&home, &format!("client{}", n + 1), 11 + n as u8)?;
        let beat = Some(&beat).filter(|_| n < 2);
        channels.push(if n % 2 == 0 {
            let client = stream_client(&host, beat, &client.heard);
            client.connect((SERVER, PORT)).wait()?
        } else {
            datagram_client(&host, beat, &client.heard)?
        });
    }
    let course = Rc::new(RefCell::new(Course { clients, ..Course::default() }));
    let (noted, nat) = (Rc::clone(&course), home.nat.clone());
    world.every(Duration::from_secs(1), move |world| {
        let (mut course, at) = (noted.borrow_mut(), trace::seconds(world.now()) / 60.0);
        course.mappings.push((at, nat.sessions() as f64));
        for client in &mut course.clients {
            client.points.push((at, client.heard.messages() as f64));
        }
        true
    });
    let told = talk(flags, world, &members, &course)?;
    Ok(outcome(flags, &course.borrow(), told, &counters))
}

/// The server says much at first, and then something every one to three minutes.
fn talk(
    flags: &Flags,
    world: &World,
    members: &Members,
    course: &RefCell<Course>,
) -> Result<u64, Failure> {
    let mut random = Random::of(flags.seed, "news");
    let end = world.now() + flags.time.unwrap_or(Duration::from_secs(3600));
    let mut told = 0;
    course.borrow_mut().told.push((0.0, 0.0));
    loop {
        let seconds = if told < LIVELY { 20 + random.below(35) } else { 65 + random.below(115) };
        let next = world.now() + Duration::from_secs(seconds);
        if next >= end {
            break;
        }
        world.run_until(next)?;
        members.tell("news")?;
        told += 1;
        course.borrow_mut().told.push((trace::seconds(next) / 60.0, told as f64));
    }
    world.run_until(end)?;
    Ok(told)
}

fn outcome(flags: &Flags, course: &Course, told: u64, counters: &HeartbeatCounters) -> Outcome {
    let mut facts = vec![
        ("mappings end after".to_owned(), format!("{} s of silence", TIMEOUT.as_secs())),
        ("the server said".to_owned(), format!("{told} messages to each")),
    ];
    for client in &course.clients {
        let heard = client.heard.messages();
        facts.push((client.name.to_owned(), format!("{heard} arrived, {} lost", told - heard)));
    }
    let pings = counters.pings.load(Ordering::Relaxed);
    let missed = counters.missed.load(Ordering::Relaxed);
    facts
        .push(("heartbeats".to_owned(), format!("{pings}, {missed} of them not answered in time")));
    let subtitle = format!(
        "mappings end after {} s of silence; two clients ask after {} s of it, two never; seed {}",
        TIMEOUT.as_secs(),
        BEAT.as_secs(),
        flags.seed
    );
    let figure = Figure {
        title: "Idle connections behind a NAT box".to_owned(),
        subtitle,
        x_label: "virtual time, minutes".to_owned(),
        panels: course.panels(),
    };
    Outcome { figure, facts }
}
