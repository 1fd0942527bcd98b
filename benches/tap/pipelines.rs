//! Servers over pipelines on fyke's own stack on a TAP device, for measuring and for proof.
//!
//! ```text
//! tap-pipelines serve plain|csum|vnet SECONDS    attaches to $TAP (tap0), is 10.99.0.2 with the station
//!                                                address 02:00:00:00:00:02, and serves 1234 (source),
//!                                                1235 (sink) and 1236 (echo)
//! unshare -Urn tap-pipelines proof plain|vnet MEBIBYTES SEED [LOSS REORDER DUPLICATE]
//!                                                sends so much through a bad wire, the kernel's TCP at
//!                                                the other end, and compares every byte that comes back
//! ```
//!
//! `cargo build --profile bench --example tap-pipelines`
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use fyke::prelude::*;
use fyke::transport::userspace::{
    Device, Impaired, Impairment, StackOptions, TapOptions, TapQueue, Userspace,
};
use fyke::{Address, EventLoopGroup, Server, ServerBootstrap};
use fyke_stack::wire::MacAddress;

static BLOCK: [u8; 256 * 1024] = [b'x'; 256 * 1024];
const STACK: [u8; 4] = [10, 99, 0, 2];
const SOURCE: u16 = 1234;
const SINK: u16 = 1235;
const ECHO: u16 = 1236;

type Outcome<T> = std::result::Result<T, Box<dyn Error>>;

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

struct Sink;

impl InboundHandler for Sink {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, _: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
        Ok(())
    }
}

/// Writes as long as the channel takes it.
struct Source;

impl Source {
    fn fill(cx: &mut Context<'_, Self>) {
        if cx.is_writable() {
            cx.write(Outgoing::from(&BLOCK[..]));
        }
    }
}

impl InboundHandler for Source {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        Self::fill(cx);
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
        Ok(())
    }

    fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        Self::fill(cx);
        Ok(())
    }
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["serve", mode, seconds] => {
            let name = std::env::var("TAP").unwrap_or_else(|_| "tap0".into());
            let options = TapOptions::new(&name).vnet_hdr(mode != "plain").offload(mode == "vnet");
            let servers = serve(&options, TapQueue::into_device)?;
            thread::sleep(Duration::from_secs(seconds.parse()?));
            drop(servers);
            Ok(())
        }
        ["proof", mode, mebibytes, seed, ref shares @ ..] => {
            let share =
                |at: usize, usual: f64| shares.get(at).map_or(Ok(usual), |text| text.parse());
            let bad = Impairment::new(seed.parse()?)
                .loss(share(0, 0.01)?)
                .reorder(share(1, 0.02)?)
                .duplicate(share(2, 0.01)?);
            let options = TapOptions::new("fyke0").address("10.99.0.1/24".parse()?);
            // Troubles are those of single frames where the kernel sends single frames.
            let options = options.vnet_hdr(mode != "plain").offload(mode == "vnet").merge(false);
            let servers = serve(&options, move |queue| Impaired::new(queue.into_device(), bad))?;
            proof(mebibytes.parse::<usize>()? << 20)?;
            drop(servers);
            Ok(())
        }
        _ => Err("see the head of benches/tap/pipelines.rs".into()),
    }
}

/// The three servers on one loop.
fn serve<D: Device>(
    options: &TapOptions,
    device: impl Fn(TapQueue) -> D + Send + Sync + 'static,
) -> Outcome<[Server; 3]> {
    let queue = options.open()?.remove(0);
    let stack = StackOptions::new()
        .mac(MacAddress([2, 0, 0, 0, 0, 2]))
        .address(fyke_stack::Cidr::new(STACK.into(), 24))
        .mtu(queue.mtu().try_into()?)
        .trust_addresses();
    let queue = Mutex::new(Some(queue));
    let transport = Userspace::new(stack, move |_| {
        let queue = queue.lock().ok().and_then(|mut queue| queue.take());
        queue.map(&device).ok_or(std::io::ErrorKind::AddrInUse.into())
    });
    let group = EventLoopGroup::builder().threads(1).name("tap").build()?;
    let bind = |port: u16| {
        let server = ServerBootstrap::new(group.clone()).transport(transport.clone());
        let address = Address::Inet((STACK, port).into());
        match port {
            SOURCE => server.child(|ch| ch.pipeline().inbound("source", Source)).bind(&address),
            SINK => server.child(|ch| ch.pipeline().inbound("sink", Sink)).bind(&address),
            _ => server.child(|ch| ch.pipeline().inbound("echo", Echo)).bind(&address),
        }
    };
    Ok([bind(SOURCE)?, bind(SINK)?, bind(ECHO)?])
}

/// Sends `bytes` and compares what comes back.
fn proof(bytes: usize) -> Outcome<()> {
    const PIECE: usize = 1 << 16;
    let mut reader = TcpStream::connect((IpAddr::from(STACK), ECHO))?;
    let mut writer = reader.try_clone()?;
    let began = Instant::now();
    let sender = thread::spawn(move || -> std::io::Result<()> {
        let mut noise = Noise::new();
        let mut piece = vec![0; PIECE];
        for _ in 0..bytes / PIECE {
            noise.fill(&mut piece);
            writer.write_all(&piece)?;
        }
        writer.shutdown(Shutdown::Write)
    });
    let mut noise = Noise::new();
    let (mut wanted, mut got) = (vec![0; PIECE], vec![0; PIECE]);
    for number in 0..bytes / PIECE {
        noise.fill(&mut wanted);
        reader.read_exact(&mut got)?;
        if got != wanted {
            return Err(format!("piece {number} of {PIECE} bytes came back changed").into());
        }
        if number.is_multiple_of(64 * 16) && number > 0 {
            eprintln!("{} MiB, {:?}", (number * PIECE) >> 20, began.elapsed());
        }
    }
    if reader.read(&mut got)? != 0 {
        return Err("more came back than was sent".into());
    }
    sender.join().map_err(|_| "the sender has panicked")??;
    let took = began.elapsed();
    let rate = bytes as f64 * 8.0 / took.as_secs_f64() / 1e6;
    println!(
        "{} MiB there and back, every byte right, in {took:.1?}: {rate:.0} Mbit/s each way",
        bytes >> 20
    );
    Ok(())
}

/// The same bytes for both ends (xorshift64).
struct Noise(u64);

impl Noise {
    fn new() -> Self {
        Self(0x2545_f491_4f6c_dd1d)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for eight in bytes.chunks_exact_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            eight.copy_from_slice(&self.0.to_le_bytes());
        }
    }
}
