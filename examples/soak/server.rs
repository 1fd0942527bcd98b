//! The servers that are soaked, all in one process: each protocol in the clear and over TLS.
//!
//! The parent reads their addresses from the standard output, asks on the standard input how many
//! channels there are, and ends the process by closing that.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, ValueEnum};
use fyke::prelude::*;
use fyke::{Bytes, ChannelInit, IntoStages};
use fyke_codecs::http1::coding::{CompressionConfig, HttpContentCompressor};
use fyke_codecs::http1::{
    self, HttpObjectAggregator, HttpServerHandler, Limits, Reply, Request, Response, ResponseHead,
    ResponsePart, ServerOptions, Status, Timeouts,
};
use fyke_codecs::tls::TlsOptions;
use fyke_examples::tls::{ServerTls, TlsFlags};

use crate::pattern::pattern;
use crate::pipeline::{Chat, OUTBOUND_BYTES_MAX};

/// Flags of the process that serves.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerFlags {
    /// The certificate chain and its key, in PEM.
    #[arg(long, num_args = 2, required = true)]
    tls: Vec<PathBuf>,

    /// What to do wrong on purpose.
    #[arg(long)]
    leak: Option<Leak>,

    /// Take the default time-outs.
    #[arg(long)]
    patient: bool,
}

/// What a server does wrong on purpose, to show that it is noticed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Leak {
    /// Each connection leaves some kibibytes behind.
    Memory,
    /// Now and then one leaves an open file behind.
    Descriptor,
    /// Now and then a channel is left alone.
    Channel,
    /// Now and then an answer has a wrong byte.
    Answer,
    /// Now and then a request gets no answer.
    Silence,
}

/// Connections, or requests, of which one goes wrong.
const WRONG_ONE_IN: u64 = 200;
const LEAKED_BYTES: usize = 8 * 1024;

/// Does what [`Leak`] asks for.
#[derive(Debug)]
struct Wrong {
    leak: Option<Leak>,
    events: AtomicU64,
    kept: Mutex<Leaked>,
}

#[derive(Debug, Default)]
struct Leaked {
    memory: Vec<Vec<u8>>,
    files: Vec<File>,
    sockets: Vec<TcpStream>,
}

impl Wrong {
    fn is_due(&self, leak: Leak) -> bool {
        self.leak == Some(leak)
            && self.events.fetch_add(1, Ordering::Relaxed) % WRONG_ONE_IN == WRONG_ONE_IN - 1
    }

    /// A connection came.
    fn connected(&self, echo: SocketAddr) {
        if self.leak.is_none() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if self.leak == Some(Leak::Memory) {
            kept.memory.push(vec![1; LEAKED_BYTES]);
        }
        if self.is_due(Leak::Descriptor) {
            kept.files.extend(File::open("/dev/null"));
        }
        if self.is_due(Leak::Channel) {
            kept.sockets.extend(TcpStream::connect(echo));
        }
    }
}

/// How long a client may take, unless we are patient. Honest ones never take half of it.
const HEAD_TIME: Duration = Duration::from_secs(5);
const BODY_TIME: Duration = Duration::from_secs(5);
const IDLE_TIME: Duration = Duration::from_secs(10);
const BODY_BYTES_MAX: u64 = 256 * 1024;
/// The longest answer of `/pattern/N`.
const PATTERN_BYTES_MAX: usize = 4 * 1024 * 1024;
const SHUTDOWN_TIME: Duration = Duration::from_secs(5);

/// Sends back what comes.
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

fn answer(wrong: &Wrong, request: Request) -> Reply {
    let path = request.head.path();
    if request.head.has_body() {
        if wrong.is_due(Leak::Silence) {
            return Reply::Parts(Vec::new());
        }
        if wrong.is_due(Leak::Answer) {
            return Response::new(Status::OK).body("wrong").into();
        }
        return Response::new(Status::OK).body(request.body).into();
    }
    if path == "/plaintext" {
        return Response::new(Status::OK).body("Hello, World!").into();
    }
    let bytes = path.strip_prefix("/pattern/").and_then(|bytes| bytes.parse().ok());
    match bytes {
        Some(bytes) if bytes <= PATTERN_BYTES_MAX => in_chunks(bytes),
        _ => Response::new(Status::NOT_FOUND).into(),
    }
}

/// So many bytes in chunks of different sizes.
fn in_chunks(bytes: usize) -> Reply {
    static PATTERN: LazyLock<Bytes> = LazyLock::new(|| pattern(PATTERN_BYTES_MAX).into());
    let mut parts: Vec<ResponsePart> = vec![ResponseHead::new(Status::OK).into()];
    let (mut at, mut size) = (0, 1);
    while at < bytes {
        let end = bytes.min(at + size);
        parts.push(ResponsePart::Body(PATTERN.slice(at..end).into()));
        (at, size) = (end, (size * 3) % 50_000 + 1);
    }
    parts.push(ResponsePart::End);
    Reply::Parts(parts)
}

fn http(
    tls: &ServerTls,
    timeouts: Timeouts,
    wrong: &Arc<Wrong>,
    ch: &mut ChannelInit<'_>,
) -> impl IntoStages + use<> {
    let wrong = Arc::clone(wrong);
    let limits = Limits::new().body_bytes_max(BODY_BYTES_MAX);
    http1::server(tls.pipeline(ch), ServerOptions::new().limits(limits).timeouts(timeouts))
        .duplex("compressor", HttpContentCompressor::new(CompressionConfig::new()))
        .inbound("aggregator", HttpObjectAggregator::new(BODY_BYTES_MAX))
        .inbound("app", HttpServerHandler::new(move |_, request| answer(&wrong, request)))
}

fn listen<S: IntoStages>(
    group: &EventLoopGroup,
    options: ChannelOptions,
    init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
) -> io::Result<(Server, SocketAddr)> {
    let server = ServerBootstrap::new(group.clone()).options(options).child(init);
    let server = server.bind("127.0.0.1:0")?;
    let address = server.local_address().as_inet();
    Ok((server, address.ok_or(io::ErrorKind::Unsupported)?))
}

/// Listens with everything; the addresses in the order of [`Targets`](crate::child::Targets).
fn start(
    group: &EventLoopGroup,
    flags: &ServerFlags,
) -> Result<(Vec<Server>, Vec<SocketAddr>), String> {
    let tls = TlsFlags {
        tls: flags.tls.clone(),
        tls_self_signed: false,
        tls_client_ca: None,
        tls_key_log: None,
    };
    let tls = tls.server(&[], TlsOptions::new().ignore_truncation(true))?;
    let wrong =
        Arc::new(Wrong { leak: flags.leak, events: AtomicU64::new(0), kept: Mutex::default() });
    let cannot = |error: io::Error| format!("cannot listen: {error}");
    let timeouts = match flags.patient {
        true => Timeouts::new(),
        false => Timeouts::new().head(HEAD_TIME).body(BODY_TIME).idle(IDLE_TIME),
    };
    let options = ChannelOptions::default;
    let (mut servers, mut addresses) = (Vec::new(), Vec::new());
    for tls in [ServerTls::default(), tls] {
        let echo = tls.clone();
        let echo = listen(group, options(), move |ch| echo.pipeline(ch).inbound("echo", Echo));
        let echo = echo.map_err(cannot)?;
        let (with_tls, wrong, at) = (tls.clone(), Arc::clone(&wrong), echo.1);
        let http = listen(group, options(), move |ch| {
            wrong.connected(at);
            http(&with_tls, timeouts, &wrong, ch)
        });
        let chat = Chat::new(tls);
        let roomy = options().outbound_bytes_max(OUTBOUND_BYTES_MAX);
        let chat = listen(group, roomy, move |ch| chat.serve(ch));
        for (server, address) in [echo, http.map_err(cannot)?, chat.map_err(cannot)?] {
            servers.push(server);
            addresses.push(address);
        }
    }
    Ok((servers, addresses))
}

/// Serves until the standard input ends.
///
/// # Errors
/// One line for the user.
pub(crate) fn serve(flags: &ServerFlags) -> Result<(), String> {
    // So many clients come and go that the limit is never in the way.
    let _ = fyke::raise_descriptor_limit();
    let group = EventLoopGroup::new(2).map_err(|e| format!("cannot start event loops: {e}"))?;
    let (servers, addresses) = start(&group, flags)?;
    let say = |line: String| {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| error.to_string())
    };
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    say(addresses.join(" "))?;
    for line in io::stdin().lock().lines() {
        if line.is_err() {
            break;
        }
        let channels: u64 = group.stats().iter().map(|stats| stats.channels).sum();
        let accepted: u64 = group.stats().iter().map(|stats| stats.accepted).sum();
        say(format!("{channels} {accepted}"))?;
    }
    let report = group.shutdown(SHUTDOWN_TIME);
    drop(servers);
    say(format!("{} {}", report.channels, report.cut))
}
