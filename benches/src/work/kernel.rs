//! Servers over kernel sockets: server and clients take turns on one thread.
//!
//! So it is known what is ready at each wait, and an instruction count has no other thread in it. What
//! the clients do is in the count, too: a send and a receive for each message. The clock is a virtual
//! one, since valgrind has no vDSO to read the system's from.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use fyke::clock::VirtualClock;
use fyke::core::driver::TransportId;
use fyke::core::event_loop::{AcceptSink, Adopt};
use fyke::core::transport::Incoming;
use fyke::core::{EventLoop, LoopOptions};
use fyke::prelude::*;
use fyke::transport::PollerDriver;
use fyke::{Address, ChannelInit, ChannelSpec, IntoStages, LoopCore, Stages};

/// The bytes of a message.
const MESSAGE: [u8; 64] = [b'x'; 64];

struct Echo;

impl InboundHandler for Echo {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.write(msg.into());
        Ok(())
    }
}

/// Accepted connections stay on the loop that has accepted them.
struct ToItself {
    transport: TransportId,
    spec: ChannelSpec,
}

impl AcceptSink for ToItself {
    fn accepted(&mut self, core: &mut LoopCore, incoming: Incoming, peer: Address) {
        let Self { transport, ref spec } = *self;
        core.adopt_or_log(Adopt { transport, incoming, peer, spec: spec.clone() });
    }
}

/// A loop that serves, and clients that are connected to it.
#[derive(Debug)]
pub struct KernelLoop {
    event_loop: EventLoop<PollerDriver, VirtualClock>,
    clients: Vec<TcpStream>,
    message: Vec<u8>,
    /// Where answers are read into.
    room: Vec<u8>,
    /// How long answers are, once there was one.
    answer_bytes: Option<usize>,
}

impl KernelLoop {
    /// Echoes to so many clients.
    ///
    /// # Errors
    /// What the system says.
    pub fn echo(clients: usize) -> io::Result<Self> {
        Self::new(clients, &MESSAGE, |ch| ch.pipeline().inbound("echo", Echo).into_stages())
    }

    /// Serves so many clients, each of which sends `message` and waits for the answer.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(
        clients: usize,
        message: &[u8],
        init: impl Fn(&mut ChannelInit<'_>) -> Result<Stages> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let driver = PollerDriver::new(Backend::EpollLevel)?;
        let mut event_loop = EventLoop::new(driver, VirtualClock::new(), LoopOptions::new(0, 1));
        let transport = event_loop.transport(&Kernel::tcp)?;
        let options = ChannelOptions::new();
        let spec = ChannelSpec::new(options.clone(), init);
        let sink = ToItself { transport, spec };
        let any = Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
        let (_, bound) = event_loop.core().listen(transport, &any, &options, sink)?;
        let bound = bound.as_inet().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut connected = Vec::new();
        for _ in 0..clients {
            let client = TcpStream::connect(bound)?;
            client.set_nodelay(true)?;
            connected.push(client);
        }
        while event_loop.stats().channels < clients as u64 {
            event_loop.turn(None)?;
        }
        let message = message.to_vec();
        let room = vec![0; 4096];
        Ok(Self { event_loop, clients: connected, message, room, answer_bytes: None })
    }

    /// A message of each client, all there before the loop's one turn, and the answers, which must be
    /// as long as the first one was.
    ///
    /// # Errors
    /// What the system says, or that an answer was another one.
    pub fn exchange(&mut self) -> io::Result<()> {
        for client in &mut self.clients {
            client.write_all(&self.message)?;
        }
        self.event_loop.turn(None)?;
        for client in &mut self.clients {
            let n = client.read(&mut self.room)?;
            if n == 0 || *self.answer_bytes.get_or_insert(n) != n {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(())
    }
}
