//! What a frame costs this side of the system call, in instructions: a server over pipelines on a
//! TAP device whose other end is a pair of sockets, and a bare stack behind it, in lockstep on one
//! thread and in virtual time. So the same arguments give the same frames.
//!
//! ```text
//! cargo build --release -p fyke-benches --example tap-cost
//! valgrind --tool=callgrind --toggle-collect='*server_turn*' \
//!     target/release/examples/tap-cost plain|vnet out|in|echo [ROUNDS]
//! ```
//!
//! Instructions over the frames that it prints are the cost of one; without valgrind it prints
//! nanoseconds, system calls of the socket pair included.
#![forbid(unsafe_code)]

use std::any::Any;
use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as Wall};

use bytes::Bytes;
use fyke::ByteBuf;
use fyke::core::driver::{Driver, Readiness, Token, TransportId, Wakeup};
use fyke::core::event_loop::{AcceptSink, Adopt, ChannelSpec};
use fyke::core::transport::{Incoming, TransportSeat};
use fyke::core::{
    Address, ChannelOptions, Context, EventLoop, InboundHandler, LoopCore, LoopOptions, Never,
    Outgoing, Result,
};
use fyke_clock::{Clock, Instant, VirtualClock};
use fyke_stack::wire::MacAddress;
use fyke_stack::{Event, Medium, Offload, Seed, Stack, StackConfig, TcpId, TxFrame, TxSink};
use fyke_transport::userspace::{Device, Frame, StackOptions, Tap, TapQueue, Userspace};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};

static BLOCK: [u8; 256 * 1024] = [b'x'; 256 * 1024];
const SERVER: [u8; 4] = [10, 99, 0, 2];
const CLIENT: [u8; 4] = [10, 99, 0, 1];
/// What the client has under way in an echo: as little as does not let the server wait.
const ECHO_BYTES: usize = 1 << 20;

/// What a driver would say of a device that has room.
fn room(id: TransportId) -> Readiness {
    let (readable, writable, peer_closed, hangup) = (false, true, false, false);
    Readiness { token: Token::new(id, 0), readable, writable, peer_closed, hangup }
}

type Outcome<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Out,
    In,
    Echo,
}

/// Writes as long as the channel takes it, sends back, or forgets.
struct Server(Way);

impl Server {
    fn fill(&self, cx: &mut Context<'_, Self>) {
        if self.0 == Way::Out && cx.is_writable() {
            cx.write(Outgoing::from(&BLOCK[..]));
        }
    }
}

impl InboundHandler for Server {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.fill(cx);
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        if self.0 == Way::Echo {
            cx.write(msg.into());
        }
        Ok(())
    }

    fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.fill(cx);
        Ok(())
    }
}

/// The device of a loop that nobody wakes: every turn of it is told to look.
struct Asked(Tap, Option<TransportId>);

impl TxSink for Asked {
    fn ready(&self) -> bool {
        TxSink::ready(&self.0)
    }

    fn transmit(&mut self, frame: TxFrame<'_>) {
        self.0.transmit(frame);
    }
}

impl Device for Asked {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn attach(&mut self, seat: &TransportSeat<'_>, _: u64) -> io::Result<()> {
        self.1 = Some(seat.id);
        Ok(())
    }

    fn offload(&self) -> Offload {
        self.0.offload()
    }

    fn receive(&mut self, frames: &mut Vec<Frame>, budget: usize) -> io::Result<bool> {
        // Room is asked for here, since no driver tells of it.
        if let Some(id) = self.1 {
            Device::ready(&mut self.0, room(id));
        }
        self.0.receive(frames, budget)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

struct Still;

impl Wakeup for Still {
    fn wake(&self) {}
}

impl Driver for Still {
    fn wait(&mut self, _: Option<Duration>, _: &mut Vec<Readiness>) -> io::Result<()> {
        Ok(())
    }

    fn waker(&self) -> Arc<dyn Wakeup> {
        Arc::new(Self)
    }

    fn registry(&self) -> &dyn Any {
        self
    }
}

struct Here {
    transport: TransportId,
    spec: ChannelSpec,
}

impl AcceptSink for Here {
    fn accepted(&mut self, core: &mut LoopCore, incoming: Incoming, peer: Address) {
        let (transport, spec) = (self.transport, self.spec.clone());
        core.adopt_or_log(Adopt { transport, incoming, peer, spec });
    }
}

type Loop = EventLoop<Still, VirtualClock>;

/// The one place that is measured.
#[inline(never)]
fn server_turn(server: &mut Loop) -> io::Result<()> {
    server.turn(Some(Duration::ZERO))
}

fn serve(queue: TapQueue, way: Way, clock: &VirtualClock) -> Outcome<(Loop, TransportId)> {
    let stack = StackOptions::new()
        .mac(MacAddress([2, 0, 0, 0, 0, 2]))
        .address(fyke_stack::Cidr::new(SERVER.into(), 24))
        .trust_addresses();
    let queue = Mutex::new(Some(queue));
    let factory = Userspace::new(stack, move |_| {
        let queue = queue.lock().ok().and_then(|mut queue| queue.take());
        queue.map(|queue| Asked(queue.into_device(), None)).ok_or(io::ErrorKind::AddrInUse.into())
    });
    let mut server = EventLoop::new(Still, clock.clone(), LoopOptions::new(0, 1));
    let transport = server.transport(&factory)?;
    let options = ChannelOptions::new();
    let spec =
        ChannelSpec::new(options.clone(), move |ch| ch.pipeline().inbound("server", Server(way)));
    let address = Address::Inet((SERVER, 80).into());
    let sink = Here { transport, spec };
    server.core().listen(transport, &address, &options, sink)?;
    Ok((server, transport))
}

/// The other end, which is not measured.
struct Client {
    stack: Stack,
    tap: Tap,
    /// Any: it stands in what the device is told.
    transport: TransportId,
    frames: Vec<Frame>,
    id: TcpId,
    way: Way,
    received: u64,
    sent: u64,
}

impl Client {
    fn new(queue: TapQueue, transport: TransportId, way: Way, now: Instant) -> Outcome<Self> {
        let tap = queue.into_device();
        let mut config = StackConfig::new(Medium::Ethernet(MacAddress([2, 0, 0, 0, 0, 1])));
        config.offload = tap.offload();
        let mut stack = Stack::new(config, Seed::from(7), now);
        stack.add_address(now, fyke_stack::Cidr::new(CLIENT.into(), 24))?;
        let id = stack.connect(now, (SERVER, 80).into(), Default::default())?;
        Ok(Self { stack, tap, transport, frames: Vec::new(), id, way, received: 0, sent: 0 })
    }

    fn turn(&mut self, now: Instant) -> Outcome<()> {
        Device::ready(&mut self.tap, room(self.transport));
        while self.tap.receive(&mut self.frames, 64)? {}
        // Every second segment is acknowledged, as a kernel does it.
        for (n, frame) in self.frames.drain(..).enumerate() {
            self.stack.input(now, frame.bytes, frame.meta);
            if n % 2 == 1 {
                self.stack.poll_transmit(now, &mut self.tap, 1024);
            }
        }
        self.stack.handle_timeout(now);
        let mut connected = self.stack.state(self.id).is_some_and(|state| state.may_write());
        while let Some(event) = self.stack.poll_event() {
            match event {
                Event::Connected(_) => connected = true,
                Event::Closed(_, reason) => return Err(reason.to_string().into()),
                _ => {}
            }
        }
        while let Ok(Some(bytes)) = self.stack.read(now, self.id, usize::MAX) {
            self.received += bytes.len() as u64;
        }
        let limit = match self.way {
            Way::Out => 0,
            Way::In => u64::MAX,
            Way::Echo => self.received + ECHO_BYTES as u64,
        };
        while connected && self.sent < limit {
            let piece = BLOCK.len().min((limit - self.sent).try_into().unwrap_or(usize::MAX));
            let taken = self.stack.write(now, self.id, Bytes::from_static(&BLOCK[..piece]))?;
            self.sent += taken as u64;
            if taken < piece {
                break;
            }
        }
        self.stack.poll_transmit(now, &mut self.tap, 1024);
        Ok(())
    }
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let word = |at: usize| args.get(at).map(String::as_str);
    let vnet = word(0) == Some("vnet");
    let way = match word(1) {
        Some("out") => Way::Out,
        Some("in") => Way::In,
        Some("echo") => Way::Echo,
        _ => return Err("see the head of benches/tap/cost.rs".into()),
    };
    let rounds: u32 = word(2).map_or(Ok(2000), str::parse)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (left, right) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    for end in [&left, &right] {
        sockopt::set_socket_send_buffer_size(end, 1 << 20)?;
    }
    let queue = |end, name| TapQueue::from_fd(end, name).vnet_hdr(vnet);
    let client = queue(right, "client").merge(false);
    let clock = VirtualClock::new();
    clock.advance(Duration::from_secs(1));
    let (mut server, transport) = serve(queue(left, "server"), way, &clock)?;
    let mut client = Client::new(client, transport, way, clock.now())?;
    let mut took = Duration::ZERO;
    for _ in 0..rounds {
        client.turn(clock.now())?;
        server.handle().notify(transport, 0)?;
        let begin = Wall::now();
        server_turn(&mut server)?;
        took += begin.elapsed();
        clock.advance(Duration::from_micros(50));
    }
    let counters = client.tap.counters();
    let bytes = client.received.max(client.sent);
    let wire = bytes.div_ceil(1448).max(1);
    println!(
        "{bytes} bytes, {wire} full frames of the wire, {:.0} ns each; {counters:?}",
        took.as_nanos() as f64 / wire as f64
    );
    Ok(())
}
