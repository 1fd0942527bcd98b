//! The server: answers pings, and pushes one message to each client after a while.

use std::collections::HashMap;
use std::time::Duration;

use clap::{Args, CommandFactory};
use fyke::handlers::{DatagramHeartbeat, HeartbeatConfig, PayloadHeartbeat};
use fyke::prelude::*;
use fyke::{Address, Datagram};
use fyke_codecs::frames::LengthField;
use fyke_examples::{ServerFlags, TransportName};

use crate::protocol::{ADDRESS, HELLO, PING, PONG, PUSH, WELCOME, duration, with_heartbeat};

/// A UDP server remembers so many clients at once; others are not answered.
const CLIENTS_MAX: usize = 100_000;

#[derive(Args, Clone, Debug)]
pub(crate) struct Flags {
    #[command(flatten)]
    server: ServerFlags,

    /// How long to be silent before the message
    #[arg(long, value_name = "TIME", default_value = "16s", value_parser = duration)]
    push_after: Duration,

    /// Datagrams instead of TCP
    #[arg(long)]
    udp: bool,

    /// Do not even answer pings
    #[arg(long)]
    no_heartbeat: bool,
}

pub(crate) fn run(flags: &Flags) -> Result<(), String> {
    flags.server.prepare(crate::Flags::command);
    if flags.udp { serve_datagrams(flags) } else { serve(flags) }
}

/// Silent, then one message.
struct Push(Duration);

impl InboundHandler for Push {
    type In = ByteBuf;
    type Out = Never;
    type Write = ByteBuf;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        cx.schedule(self.0, 0);
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, _: u64) -> Result<()> {
        cx.write(PUSH.into());
        Ok(())
    }
}

/// What answers pings, if they are answered.
fn answers(flags: &Flags) -> Option<HeartbeatConfig> {
    (!flags.no_heartbeat).then(HeartbeatConfig::answer_only)
}

fn serve(flags: &Flags) -> Result<(), String> {
    let (push_after, answers) = (flags.push_after, answers(flags));
    // TCP's own keep-alive is off, as by default: what is silent here is silent on the wire.
    let options = ChannelOptions::default();
    flags.server.serve("heartbeat", ADDRESS, options, move |ch| {
        let frames = ch.pipeline().codec("frames", LengthField::u16());
        let codec = PayloadHeartbeat::new(PING, PONG);
        with_heartbeat(frames, codec, answers.as_ref()).inbound("push", Push(push_after))
    })
}

/// The same for many clients on one endpoint.
struct PushDatagrams {
    after: Duration,
    /// Who is still to get the message, by the number of its timer.
    clients: HashMap<u64, Address>,
    next: u64,
}

impl InboundHandler for PushDatagrams {
    type In = Datagram;
    type Out = Never;
    type Write = Datagram;

    fn read(&mut self, cx: &mut Context<'_, Self>, datagram: Datagram) -> Result<()> {
        let Some(client) = datagram.peer else { return Ok(()) };
        if datagram.payload.as_slice() != HELLO || self.clients.len() >= CLIENTS_MAX {
            return Ok(());
        }
        // A hello that is repeated, as its answer was lost, makes a second message: that is no harm.
        self.clients.insert(self.next, client.clone());
        cx.schedule(self.after, self.next);
        self.next += 1;
        cx.write(Datagram::to(client, WELCOME));
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, tag: u64) -> Result<()> {
        if let Some(client) = self.clients.remove(&tag) {
            cx.write(Datagram::to(client, PUSH));
        }
        Ok(())
    }

    fn error(&mut self, _: &mut Context<'_, Self>, error: Error) -> Result<()> {
        // One client's ICMP error is no reason to stop serving the others.
        tracing::info!(%error, "a datagram could not be delivered");
        Ok(())
    }
}

fn serve_datagrams(flags: &Flags) -> Result<(), String> {
    if flags.server.transport == TransportName::Blocking {
        let text = "--udp needs event loops: --transport blocking has streams only";
        fyke_examples::wrong_flags(crate::Flags::command(), text);
    }
    let address = flags.server.address(ADDRESS);
    let (group, bootstrap) = flags.server.datagrams("heartbeat")?;
    let (after, answers) = (flags.push_after, answers(flags));
    let bootstrap = bootstrap.handler(move |ch| {
        let push = PushDatagrams { after, clients: HashMap::new(), next: 0 };
        let codec = DatagramHeartbeat::new(PING, PONG);
        with_heartbeat(ch.datagrams(), codec, answers.as_ref()).inbound("push", push)
    });
    let (_channel, bound) = bootstrap
        .bind_datagram(&address)
        .map_err(|e| fyke_examples::cannot_listen(&address, &e))?;
    fyke_examples::announce(&bound);
    fyke_examples::run_until_signal(&group)
}
