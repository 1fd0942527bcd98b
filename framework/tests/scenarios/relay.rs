//! Two transports in one loop: a handler that relays between kernel sockets and memory.

use fyke::core::Spliced;
use fyke::prelude::*;
use fyke::{CloseReason, Event, EventFilter};

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    bytes_go_from_one_transport_to_another_on_one_loop,
    regions_go_from_one_transport_to_another_on_one_loop,
];

const THREADS: &str = "a channel with a thread of its own has no loop to share";

/// Connects to the other side and carries bytes between the two channels.
struct Relay {
    to: Bootstrap<fyke::Handler>,
    address: fyke::Address,
    other: Option<Sender<Outgoing>>,
    /// Where the transport can, it carries regions instead of bytes.
    splice: bool,
}

/// The other side is connected.
struct Connected(Sender<Outgoing>);

impl InboundHandler for Relay {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        cx.set_auto_read(false);
        let (here, to) = (cx.channel(), self.to.clone());
        // On the same loop: both of a relay's channels run on one thread.
        let connect = to.on(here.event_loop()).connect(&self.address);
        cx.spawn(async move {
            let Ok(other) = connect.await else { return here.close() };
            let back: Result<Sender<Outgoing>, _> = here.sender();
            if let (Ok(there), Ok(back)) = (other.sender(), back) {
                assert!(here.event_loop().is_same(other.event_loop()));
                // One that has closed meanwhile needs no relay.
                let _ = other.fire_event(Connected(back));
                let _ = here.fire_event(Connected(there));
            }
        });
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        carry(self.other.as_ref(), msg)
    }

    fn read_closed(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        self.other.as_ref().map_or(Ok(()), |other| other.channel().shutdown())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<Connected>()
    }

    fn event(&mut self, cx: &mut Context<'_, Self>, event: Event) -> Result<()> {
        let event = match event.take() {
            Ok(Spliced(region)) => {
                assert!(self.splice && cx.capabilities().splice, "a region that nobody asked for");
                return carry(self.other.as_ref(), region);
            }
            Err(event) => event,
        };
        if let Ok(Connected(other)) = event.take() {
            self.other = Some(other);
            cx.splice_reads(self.splice);
            cx.set_auto_read(true);
        }
        Ok(())
    }
}

/// The relay's end on the other transport.
#[derive(Default)]
struct Upstream(Option<Sender<Outgoing>>);

impl InboundHandler for Upstream {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        cx.set_auto_read(false);
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        carry(self.0.as_ref(), msg)
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        if let Some(other) = &self.0 {
            other.channel().close();
        }
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<Connected>()
    }

    fn event(&mut self, cx: &mut Context<'_, Self>, event: Event) -> Result<()> {
        if let Ok(Connected(other)) = event.take() {
            self.0 = Some(other);
            cx.set_auto_read(true);
        }
        Ok(())
    }
}

fn carry(other: Option<&Sender<Outgoing>>, msg: impl Into<Outgoing>) -> Result<()> {
    match other {
        Some(other) => other.send(msg.into()).map_err(|_| Error::handler("the other end is gone")),
        None => Err(Error::handler("there is no other end yet")),
    }
}

/// Relays between `world` and memory.
fn relay(world: &World, splice: bool) -> Vec<(Option<Log>, CloseReason)> {
    // The far end lives in memory, on a loop of its own.
    let far = ServerBootstrap::new(world.clients.clone()).transport(world.local().key("far"));
    let far = far.child(|ch| ch.pipeline().inbound("echo", Echo));
    let far = far.bind("local:far").unwrap();
    let to = Bootstrap::new(world.servers.clone())
        .transport(world.local().key("far"))
        .options(ChannelOptions::new().pause_when_unwritable(false))
        .handler(|ch| ch.pipeline().inbound("upstream", Upstream::default()));
    let address = far.local_address().clone();
    let relay = world
        .server()
        .options(ChannelOptions::new().allow_half_closure(true).pause_when_unwritable(false))
        .child(move |ch| {
            let (to, address) = (to.clone(), address.clone());
            ch.pipeline().inbound("relay", Relay { to, address, other: None, splice })
        })
        .bind(world.free_address())
        .unwrap();
    let mut clients: Vec<_> =
        (0..4).map(|_| world.bytes_client(relay.local_address(), greedy())).collect();
    let data = random_bytes(200_000, 8);
    clients.iter().for_each(|client| client.send(data.clone()));
    for client in &mut clients {
        assert!(client.bytes(data.len()) == data, "other bytes came back");
    }
    let ends = clients.into_iter().map(|client| {
        client.channel.close();
        client.ending()
    });
    let ends: Vec<_> = ends.collect();
    // Listeners that hold handles of the group go before the group.
    drop((relay, far));
    ends.into_iter().map(|(log, reason)| (log.last().cloned(), reason)).collect()
}

fn bytes_go_from_one_transport_to_another_on_one_loop() -> Scenario {
    everywhere(|world| relay(world, false)).except(Kind::is_blocking, THREADS)
}

/// Those that come over memory are read in any case, and those that go there leave their pipe.
fn regions_go_from_one_transport_to_another_on_one_loop() -> Scenario {
    everywhere(|world| relay(world, true)).except(Kind::is_blocking, THREADS)
}
