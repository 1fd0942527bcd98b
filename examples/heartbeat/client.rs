//! The client: keeps its connection alive, and waits for the message.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use clap::{Args, CommandFactory};
use fyke::handlers::{
    AdaptiveConfig, DatagramHeartbeat, HeartbeatConfig, IntervalMemory, PayloadHeartbeat,
};
use fyke::prelude::*;
use fyke::{Backend, Datagram};
use fyke_codecs::frames::LengthField;

use crate::protocol::{HELLO, PING, PONG, WELCOME, duration, with_heartbeat};

/// How often a hello is sent before the server counts as not there, and how far apart.
const HELLOS_MAX: u64 = 5;
const HELLO_EVERY: Duration = Duration::from_secs(1);

#[derive(Args, Clone, Debug)]
pub(crate) struct Flags {
    /// The server: HOST:PORT
    #[arg(long, value_name = "ADDR")]
    connect: String,

    /// Send a ping after so long a silence
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration,
          conflicts_with_all = ["adaptive", "no_heartbeat"])]
    interval: Duration,

    /// Learn how long a silence the NAT boxes on the way put up with
    #[arg(long, conflicts_with = "no_heartbeat")]
    adaptive: bool,

    /// Keep what was learned in this file, for the next time
    #[arg(long, value_name = "FILE", requires = "adaptive")]
    memory: Option<PathBuf>,

    /// Send nothing at all
    #[arg(long)]
    no_heartbeat: bool,

    /// So many unanswered pings mean that the connection is lost
    #[arg(long, value_name = "N", default_value_t = 2,
          value_parser = clap::value_parser!(u32).range(1..))]
    misses: u32,

    /// How long to wait for the message
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    timeout: Duration,

    /// Datagrams instead of TCP
    #[arg(long)]
    udp: bool,

    /// What the event loop waits with
    #[arg(long, value_name = "NAME", default_value = "epoll")]
    poller: Backend,

    /// How much to log
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: String,
}

/// The message, or why there is none.
type Outcome = Result<String, String>;

pub(crate) fn run(flags: &Flags) -> Result<(), String> {
    fyke_examples::start_log(crate::Flags::command(), &flags.log);
    let memory = IntervalMemory::new();
    if let Some(file) = &flags.memory {
        remember(&memory, file)?;
    }
    let group = EventLoopGroup::builder().threads(1).backend(flags.poller).build();
    let group = group.map_err(|e| format!("cannot start an event loop: {e}"))?;
    let began = std::time::Instant::now();
    let (report, outcome) = mpsc::channel();
    if flags.udp {
        open(flags, &group, &memory, report)?;
    } else {
        connect(flags, &group, &memory, report)?;
    }
    let result = match outcome.recv_timeout(flags.timeout.saturating_sub(began.elapsed())) {
        Ok(Ok(message)) => {
            println!("after {:.1} s: {message}", began.elapsed().as_secs_f64());
            Ok(())
        }
        Ok(Err(why)) => Err(format!("the connection to {} was lost: {why}", flags.connect)),
        Err(_) => Err(format!("no message within {:?}", flags.timeout)),
    };
    group.shutdown(Duration::from_secs(1));
    if let Some(file) = &flags.memory {
        store(&memory, file)?;
    }
    result
}

/// The heartbeat that was asked for.
fn config(flags: &Flags, memory: &IntervalMemory) -> Option<HeartbeatConfig> {
    let config = match (flags.no_heartbeat, flags.adaptive) {
        (true, _) => return None,
        (_, true) => {
            let network = flags.connect.as_str();
            HeartbeatConfig::adaptive(AdaptiveConfig::new(), memory.clone(), network)
        }
        _ => HeartbeatConfig::new(flags.interval),
    };
    Some(config.misses(flags.misses))
}

/// Reads one network a line: its name, a blank, what was learned.
fn remember(memory: &IntervalMemory, file: &Path) -> Result<(), String> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(|e| format!("cannot read {}: {e}", file.display()))?,
    };
    for line in text.lines() {
        let wrong = |e: &str| format!("{}: `{line}`: {e}", file.display());
        let (network, learned) = line.split_once(' ').ok_or_else(|| wrong("no blank"))?;
        memory.set(network, learned.parse().map_err(|e| wrong(&format!("{e}")))?);
    }
    Ok(())
}

fn store(memory: &IntervalMemory, file: &Path) -> Result<(), String> {
    let lines = memory.all().into_iter().map(|(network, learned)| format!("{network} {learned}\n"));
    std::fs::write(file, lines.collect::<String>())
        .map_err(|e| format!("cannot write {}: {e}", file.display()))
}

/// A message of either kind.
trait Message: 'static {
    fn content(&self) -> &[u8];
}

impl Message for ByteBuf {
    fn content(&self) -> &[u8] {
        self
    }
}

impl Message for Datagram {
    fn content(&self) -> &[u8] {
        self.payload.as_slice()
    }
}

/// Waits for one message.
struct Wait<M> {
    report: mpsc::Sender<Outcome>,
    failure: Option<String>,
    types: PhantomData<fn(M)>,
}

impl<M> Wait<M> {
    fn new(report: &mpsc::Sender<Outcome>) -> Self {
        Self { report: report.clone(), failure: None, types: PhantomData }
    }
}

impl<M: Message> InboundHandler for Wait<M> {
    type In = M;
    type Out = Never;
    type Write = M;

    fn read(&mut self, cx: &mut Context<'_, Self>, message: M) -> Result<()> {
        // The main thread waits for it, or has given up.
        let _ = self.report.send(Ok(String::from_utf8_lossy(message.content()).into_owned()));
        cx.close();
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        self.failure.get_or_insert(error.to_string());
        cx.close();
        Ok(())
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        let why = self.failure.take().unwrap_or_else(|| "the server closed it".to_owned());
        let _ = self.report.send(Err(why));
        Ok(())
    }
}

/// Says hello until it is answered.
struct Hello {
    welcome: bool,
}

impl Hello {
    fn say(cx: &mut Context<'_, Self>, number: u64) {
        cx.write(Datagram::connected(HELLO));
        cx.schedule(HELLO_EVERY, number);
    }
}

impl InboundHandler for Hello {
    type In = Datagram;
    type Out = Datagram;
    type Write = Datagram;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        Self::say(cx, 1);
        cx.fire_active();
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, datagram: Datagram) -> Result<()> {
        if datagram.payload.as_slice() == WELCOME {
            self.welcome = true;
            tracing::info!("the server is there");
        } else {
            cx.fire_read(datagram);
        }
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, number: u64) -> Result<()> {
        if self.welcome {
            return Ok(());
        }
        if number == HELLOS_MAX {
            return Err(Error::handler("nobody answers there"));
        }
        Self::say(cx, number + 1);
        Ok(())
    }
}

fn connect(
    flags: &Flags,
    group: &EventLoopGroup,
    memory: &IntervalMemory,
    report: mpsc::Sender<Outcome>,
) -> Result<(), String> {
    let config = config(flags, memory);
    let bootstrap = Bootstrap::new(group.clone())
        .options(ChannelOptions::default().connect_timeout(flags.timeout))
        .handler(move |ch| {
            let frames = ch.pipeline().codec("frames", LengthField::u16());
            let codec = PayloadHeartbeat::new(PING, PONG);
            with_heartbeat(frames, codec, config.as_ref()).inbound("wait", Wait::new(&report))
        });
    let connected = bootstrap.connect(flags.connect.as_str()).wait();
    connected.map(drop).map_err(|e| format!("cannot connect to {}: {e}", flags.connect))?;
    tracing::info!("the server is there");
    Ok(())
}

fn open(
    flags: &Flags,
    group: &EventLoopGroup,
    memory: &IntervalMemory,
    report: mpsc::Sender<Outcome>,
) -> Result<(), String> {
    let config = config(flags, memory);
    let bootstrap = Bootstrap::new(group.clone()).handler(move |ch| {
        let greeted = ch.datagrams().inbound("hello", Hello { welcome: false });
        let codec = DatagramHeartbeat::new(PING, PONG);
        with_heartbeat(greeted, codec, config.as_ref()).inbound("wait", Wait::new(&report))
    });
    let opened = bootstrap.connect_datagram(flags.connect.as_str());
    opened.map(drop).map_err(|e| format!("cannot open a socket for {}: {e}", flags.connect))
}
