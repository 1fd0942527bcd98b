//! Idle connections behind a NAT box that forgets after a minute. One has a heartbeat, one has not;
//! after a while the server tells both something.

use std::time::Duration;

use fyke::prelude::*;
use fyke::sim::{Host, HostExt, LinkConfig, NatConfig, NatUnknown, RouterConfig, World};

use super::path::habits;
use crate::bulk::{PORT, Sink, Tally, talk};
use crate::plot::{Figure, Line, Panel, color};
use crate::trace::seconds;
use crate::{Failure, Flags, Outcome};

const TIMEOUT: Duration = Duration::from_secs(60);
const BEAT: Duration = Duration::from_secs(25);

struct Home {
    beating: Host,
    silent: Host,
    server: Host,
    nat: fyke::sim::Nat,
}

fn build(flags: &Flags, world: &World) -> Result<Home, Failure> {
    let delay = flags.rtt.unwrap_or(Duration::from_millis(40)) / 2;
    let habits = habits(flags);
    let config = NatConfig::new().tcp_timeout(TIMEOUT).unknown(NatUnknown::Drop);
    let nat = world.nat("nat", "192.168.1.1/24", "198.51.100.2/24", config)?;
    nat.router().route("0.0.0.0/0", "198.51.100.1")?;
    let lan = world.switch("lan")?;
    let isp = world.router("isp", RouterConfig::new())?;
    let (near, far) = (isp.port(&["198.51.100.1/24"])?, isp.port(&["203.0.113.1/24"])?);
    let inside = |name: &str, address: &str| {
        let host = world.host(name).address(address).gateway("192.168.1.1");
        host.configure(&habits).start()
    };
    let beating = inside("beating", "192.168.1.11/24")?;
    let silent = inside("silent", "192.168.1.12/24")?;
    let server = world.host("server").address("203.0.113.2/24").gateway("203.0.113.1");
    let server = server.configure(&habits).start()?;
    for host in [&beating, &silent] {
        world.link(host, &lan, LinkConfig::new())?;
    }
    world.link(&lan, &nat.inside(), LinkConfig::new())?;
    let wan = LinkConfig::new().delay(delay).loss(flags.loss.unwrap_or(0.0));
    world.link(&nat.outside(), &near, wan)?;
    world.link(&far, &server, LinkConfig::new())?;
    Ok(Home { beating, silent, server, nat })
}

/// Remembers its channels, so that the server can tell them something.
#[derive(Clone, Debug, Default)]
struct Members(ChannelGroup<Outgoing>);

#[derive(Debug)]
struct Join(Members);

impl InboundHandler for Join {
    type In = ByteBuf;
    type Out = ByteBuf;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        let sender = cx.channel().sender()?;
        self.0.0.add(sender);
        cx.fire_active();
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.fire_read(msg);
        Ok(())
    }
}

pub(super) fn run(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let home = build(flags, world)?;
    let lasts = flags.time.unwrap_or(Duration::from_secs(600));
    let (members, heard) = (Members::default(), Tally::default());
    let (joining, counted) = (members.clone(), heard.clone());
    let _server = ServerBootstrap::new(home.server.group())
        .transport(home.server.transport())
        .child(move |ch| {
            let sink = Sink::counting(&counted);
            ch.pipeline().inbound("join", Join(joining.clone())).inbound("sink", sink)
        })
        .bind(("0.0.0.0", PORT))?;
    let (beating, pushed_to_beating) = talk(&home.beating, "203.0.113.2")?;
    let (silent, pushed_to_silent) = talk(&home.silent, "203.0.113.2")?;
    for channel in [&beating, &silent] {
        channel.sender::<Outgoing>()?.send(Outgoing::from("hello"))?;
    }
    let beats = beating.clone();
    world.every(BEAT, move |_| {
        let Ok(sender) = beats.sender::<Outgoing>() else { return false };
        sender.send(Outgoing::from("beat")).is_ok()
    });
    let sessions = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let (nat, points) = (home.nat.clone(), std::rc::Rc::clone(&sessions));
    world.every(Duration::from_secs(1), move |world| {
        points.borrow_mut().push((seconds(world.now()), nat.sessions() as f64));
        true
    });
    world.run_for(lasts)?;
    members.0.broadcast(&Outgoing::from("news"));
    world.run_for(Duration::from_secs(30))?;
    let told = |tally: &Tally| if tally.bytes() > 0 { "arrived" } else { "was lost" };
    let facts = vec![
        ("mappings end after".to_owned(), format!("{} s", TIMEOUT.as_secs())),
        ("idle for".to_owned(), format!("{} s", lasts.as_secs())),
        (
            format!("with beats every {} s", BEAT.as_secs()),
            format!("the news {}", told(&pushed_to_beating)),
        ),
        ("without".to_owned(), format!("the news {}", told(&pushed_to_silent))),
        ("the server heard".to_owned(), format!("{} bytes", heard.bytes())),
    ];
    let panel = Panel {
        title: "Connections that the NAT box knows".to_owned(),
        y_label: "mappings".to_owned(),
        lines: vec![Line::new("mappings", color::BLUE, sessions.borrow().clone())],
        ..Panel::default()
    };
    let title = "Idle connections behind a NAT box".to_owned();
    let subtitle = format!(
        "mappings end after {} s; one client beats every {} s; seed {}",
        TIMEOUT.as_secs(),
        BEAT.as_secs(),
        flags.seed
    );
    let x_label = "virtual time, seconds".to_owned();
    Ok(Outcome { figure: Figure { title, subtitle, x_label, panels: vec![panel] }, facts })
}
