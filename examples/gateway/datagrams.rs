//! Datagrams: a socket of the kernel for each flow, for as long as something goes either way.
//!
//! ```text
//! TAP -- endpoint that hears everything [Flows] --(peer, destination)--> kernel endpoint [Answers]
//!            ^---- from the destination, to the peer -----------------------------+
//! ```

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fyke::core::handlers::{IdleStateEvent, IdleStateHandler};
use fyke::prelude::*;
use fyke::{Address, Channel, ChannelSpec, Datagram, Event, EventFilter, Kernel, LoopCore};

/// A flow without traffic is forgotten after so long (RFC 4787, section 4.3, wants two minutes).
const IDLE_TIME: Duration = Duration::from_secs(120);

/// Datagrams of one flow that wait for its socket; the stack sends no faster than that for long.
const WAITING_MAX: usize = 16;

/// Longest datagram that passes whole.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Who sends where.
type Flow = (SocketAddr, SocketAddr);

/// The options of both ends: what cannot be sent now is dropped, as a router does.
pub(crate) fn options() -> ChannelOptions {
    ChannelOptions::new()
        .pause_when_unwritable(false)
        .socket(SocketOptions::new().datagram_bytes_max(DATAGRAM_BYTES_MAX))
}

/// The flows of one loop.
pub(crate) struct Flows {
    flows: HashMap<Flow, Way>,
    max: usize,
    dropped: u64,
}

/// The way of a flow.
enum Way {
    /// Its socket is being opened.
    Opening(Vec<ByteBuf>),
    Open(Sender<Datagram>),
}

/// A flow's socket is there.
struct Opened(Flow, Sender<Datagram>);

/// A flow's socket could not be opened, or is closed.
struct Gone(Flow);

impl Flows {
    pub(crate) fn new(max: usize) -> Self {
        Self { flows: HashMap::new(), max, dropped: 0 }
    }

    fn drop_one(&mut self) {
        self.dropped += 1;
        if self.dropped.is_power_of_two() {
            tracing::warn!(dropped = self.dropped, flows = self.flows.len(), "datagrams dropped");
        }
    }
}

impl InboundHandler for Flows {
    type In = Datagram;
    type Out = Never;
    type Write = Datagram;

    fn read(&mut self, cx: &mut Context<'_, Self>, datagram: Datagram) -> Result<()> {
        let peer = datagram.peer.as_ref().and_then(Address::as_inet);
        let Some(flow) = peer.zip(datagram.local) else { return Ok(()) };
        let room = self.flows.len() < self.max;
        match self.flows.get_mut(&flow) {
            Some(Way::Open(way)) if way.is_writable() => {
                // One that has just closed says so itself.
                drop(way.send(Datagram::connected(datagram.payload)));
            }
            Some(Way::Opening(waiting)) if waiting.len() < WAITING_MAX => {
                waiting.push(datagram.payload);
            }
            None if room => {
                self.flows.insert(flow, Way::Opening(vec![datagram.payload]));
                let back = cx.channel();
                let event_loop = back.event_loop().clone();
                // A loop that has ended forwards nothing.
                let _ = event_loop.execute(move |core| open(core, flow, back));
            }
            _ => self.drop_one(),
        }
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<Opened>().and::<Gone>()
    }

    fn event(&mut self, _: &mut Context<'_, Self>, event: Event) -> Result<()> {
        let event = match event.take() {
            Ok(Opened(flow, way)) => {
                if let Some(Way::Opening(waiting)) = self.flows.remove(&flow) {
                    for payload in waiting {
                        drop(way.send(Datagram::connected(payload)));
                    }
                }
                self.flows.insert(flow, Way::Open(way));
                return Ok(());
            }
            Err(other) => other,
        };
        if let Ok(Gone(flow)) = event.take() {
            self.flows.remove(&flow);
        }
        Ok(())
    }

    fn error(&mut self, _: &mut Context<'_, Self>, error: Error) -> Result<()> {
        // One peer's ICMP error is no reason to stop carrying the others' datagrams.
        tracing::debug!(%error, "a datagram could not be delivered");
        Ok(())
    }
}

/// Opens a flow's socket.
fn open(core: &mut LoopCore, flow: Flow, back: Channel) {
    core.with_transport(Arc::new(Kernel::udp), move |core, transport| {
        let to_here = back.clone();
        let spec = ChannelSpec::new(options(), move |ch| {
            let answers = Answers { flow, back: to_here.clone() };
            ch.datagrams()
                .inbound("idle", IdleStateHandler::<Datagram, Datagram>::new().all(IDLE_TIME))
                .inbound("answers", answers)
        });
        let target = Address::from(flow.1);
        let opened = transport.map_err(Error::from).and_then(|transport| {
            let (channel, _) = core.datagram(transport, None, Some(&target), &spec)?;
            Ok(channel.sender()?)
        });
        // A gateway that is gone wants to hear of neither.
        let _ = match opened {
            Ok(way) => back.fire_event(Opened(flow, way)),
            Err(error) => {
                tracing::info!(%error, %target, "no socket for a flow of datagrams");
                back.fire_event(Gone(flow))
            }
        };
    });
}

/// The kernel's end of a flow.
struct Answers {
    flow: Flow,
    back: Channel,
}

impl InboundHandler for Answers {
    type In = Datagram;
    type Out = Never;
    type Write = Datagram;

    fn read(&mut self, _: &mut Context<'_, Self>, mut datagram: Datagram) -> Result<()> {
        let (peer, destination) = self.flow;
        datagram.peer = Some(peer.into());
        datagram.local = Some(destination);
        if let Ok(back) = self.back.sender() {
            // What does not fit into the queue is lost, as datagrams are.
            drop(back.send(datagram));
        }
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<IdleStateEvent>()
    }

    fn event(&mut self, cx: &mut Context<'_, Self>, event: Event) -> Result<()> {
        if event.take::<IdleStateEvent>().is_ok() {
            cx.close();
        }
        Ok(())
    }

    /// Nobody is there, say: the next datagram tries anew.
    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        tracing::debug!(%error, "a flow of datagrams ends");
        cx.close();
        Ok(())
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        // A gateway that is gone does not want to hear of it.
        let _ = self.back.fire_event(Gone(self.flow));
        Ok(())
    }
}
