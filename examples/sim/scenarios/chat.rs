//! A hundred hosts chat: rooms of ten, everybody says a line every twenty seconds or so, and the
//! room hears it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fyke::prelude::*;
use fyke::sim::{Host, HostExt, LinkConfig, World};
use fyke_codecs::frames::TextLines;

use super::path::habits;
use crate::bulk::PORT;
use crate::plot::{Figure, Line, Panel, color};
use crate::trace::seconds;
use crate::{Failure, Flags, Outcome};

const ROOM: usize = 10;
/// Between two lines of one member, in the mean.
const SILENCE: Duration = Duration::from_secs(20);

type Rooms = Arc<Mutex<BTreeMap<String, ChannelGroup<String>>>>;

/// The server's end of a connection: the first line names the room.
#[derive(Debug)]
struct Member {
    rooms: Rooms,
    room: Option<ChannelGroup<String>>,
}

impl InboundHandler for Member {
    type In = String;
    type Out = Never;
    type Write = String;

    fn read(&mut self, cx: &mut Context<'_, Self>, line: String) -> Result<()> {
        if let Some(room) = &self.room {
            room.broadcast(&line);
            return Ok(());
        }
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let room = rooms.entry(line).or_default().clone();
        room.add(cx.channel().sender()?);
        self.room = Some(room);
        Ok(())
    }
}

/// A client: says something now and then, and counts what it hears.
#[derive(Debug)]
struct Talker {
    room: String,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    said: AtomicU64,
    heard: AtomicU64,
}

impl Talker {
    fn wait(cx: &mut Context<'_, Self>) {
        // Between half and one and a half times the mean.
        let spread = cx.env().random() % 1_000_000;
        cx.schedule(SILENCE / 2 + SILENCE * spread as u32 / 1_000_000, 0);
    }
}

impl InboundHandler for Talker {
    type In = String;
    type Out = Never;
    type Write = String;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        cx.write(self.room.clone());
        Self::wait(cx);
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, _: String) -> Result<()> {
        self.counts.heard.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, _: u64) -> Result<()> {
        self.counts.said.fetch_add(1, Ordering::Relaxed);
        cx.write("what I wanted to say all the time is rather long".to_owned());
        Self::wait(cx);
        Ok(())
    }
}

pub(super) fn run(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let hosts = flags.many.unwrap_or(100).clamp(1, 20_000);
    let lasts = flags.time.unwrap_or(Duration::from_secs(3600));
    let delay = flags.rtt.unwrap_or(Duration::from_millis(20)) / 4;
    let link = LinkConfig::new().delay(delay).loss(flags.loss.unwrap_or(0.001));
    let habits = habits(flags);
    let switch = world.switch("switch")?;
    let server = world.host("server").address("10.0.0.1/16").configure(&habits).start()?;
    world.link(&server, &switch, LinkConfig::new().delay(delay))?;
    let (rooms, counts) = (Rooms::default(), Arc::<Counts>::default());
    let joining = Arc::clone(&rooms);
    let _server = ServerBootstrap::new(server.group())
        .transport(server.transport())
        .child(move |ch| {
            let member = Member { rooms: Arc::clone(&joining), room: None };
            ch.pipeline().codec("lines", TextLines::new()).inbound("member", member)
        })
        .bind(("0.0.0.0", PORT))?;
    let mut members = Vec::new();
    for n in 0..hosts {
        let address = format!("10.0.{}.{}/16", 1 + n / 200, 1 + n % 200);
        let host =
            world.host(&format!("member{n}")).address(&address).configure(&habits).start()?;
        world.link(&host, &switch, link.clone())?;
        members.push((join(&host, n / ROOM, &counts), host));
    }
    let heard = Rc::new(RefCell::new(Vec::new()));
    let (points, seen) = (Rc::clone(&heard), Arc::clone(&counts));
    let mut before = 0;
    world.every(Duration::from_secs(10), move |world| {
        let now = seen.heard.load(Ordering::Relaxed);
        points.borrow_mut().push((seconds(world.now()), (now - before) as f64 / 10.0));
        before = now;
        true
    });
    world.run_for(lasts)?;
    let (said, heard_all) =
        (counts.said.load(Ordering::Relaxed), counts.heard.load(Ordering::Relaxed));
    let facts = vec![
        ("hosts".to_owned(), format!("{hosts} in rooms of {ROOM}")),
        ("lines said".to_owned(), format!("{said}")),
        ("lines heard".to_owned(), format!("{heard_all}")),
    ];
    let panel = Panel {
        title: "Lines heard by all members together".to_owned(),
        y_label: "lines a second".to_owned(),
        lines: vec![Line::new("heard", color::BLUE, heard.borrow().clone())],
        ..Panel::default()
    };
    let title = format!("{hosts} hosts chat");
    let subtitle = format!("rooms of {ROOM}; seed {}", flags.seed);
    let x_label = "virtual time, seconds".to_owned();
    Ok(Outcome { figure: Figure { title, subtitle, x_label, panels: vec![panel] }, facts })
}

fn join(host: &Host, room: usize, counts: &Arc<Counts>) -> fyke::Connect {
    let counts = Arc::clone(counts);
    let bootstrap = Bootstrap::new(host.group()).transport(host.transport()).handler(move |ch| {
        let talker = Talker { room: format!("room {room}"), counts: Arc::clone(&counts) };
        ch.pipeline().codec("lines", TextLines::new()).inbound("talker", talker)
    });
    bootstrap.connect(("10.0.0.1", PORT))
}
