//! Talks to a WebSocket server: lines of standard input go out as text, what comes is printed.
//!
//! `cargo run --release --example ws-client -- ws://127.0.0.1:9001/`
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::io::{self, BufRead, Write as _};
use std::net::ToSocketAddrs;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use fyke::clock::TimerKey;
use fyke::prelude::*;
use fyke::{
    Backend, Channel, ChannelOptions, CodecError, Event, EventFilter, IntoStages, Sender, Stages,
};
use fyke_codecs::tls::TlsHandler;
use fyke_codecs::websocket::{
    self, CloseCode, CloseFrame, DeflateConfig, Limits, Message, WebSocketClientConfig,
    WebSocketUrl,
};
use fyke_examples::tls::TlsClientFlags;

/// A WebSocket client: lines of standard input go out as text messages, what comes is printed.
///
/// At the end of standard input it waits until the server has been silent for a while, closes, and
/// waits for the server to do so too. Exit code 0: the connection was closed in order; 1: it could
/// not be opened, or ended otherwise; 2: wrong flags.
#[derive(Parser, Clone, Debug)]
#[command(name = "ws-client", version)]
struct Flags {
    /// The server: ws://HOST[:PORT]/PATH, or wss: for TLS
    url: WebSocketUrl,

    #[command(flatten)]
    trust: TlsClientFlags,

    /// Answer each message with itself until the server closes, instead of reading and printing
    #[arg(long)]
    echo: bool,

    /// Do not offer compression (permessage-deflate)
    #[arg(long)]
    no_deflate: bool,

    /// At the end of standard input: silence of the server after which to close
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 500)]
    linger: u64,

    /// A subprotocol to ask for; may be given several times
    #[arg(long, value_name = "NAME")]
    protocol: Vec<String>,

    /// Largest message, all fragments together, counted after inflating
    #[arg(long, value_name = "BYTES", default_value_t = 64 * 1024 * 1024,
          value_parser = clap::value_parser!(u32).range(..=1_073_741_824))]
    limit: u32,

    /// What the event loop waits with
    #[arg(long, value_name = "NAME", default_value = "epoll")]
    poller: Backend,

    /// How much to log
    #[arg(long, value_name = "LEVEL", default_value = "error")]
    log: String,
}

/// Most fragments of a message.
const FRAGMENTS_MAX: u32 = 4 * 1024 * 1024;
/// What may wait for the server beside one message.
const OUTBOUND_SPARE_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of a binary message that are printed.
const SHOWN_BYTES_MAX: usize = 64;
/// Time the loop has to end.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(1);

/// How the conversation ended; the error is one line for the user.
type Outcome = std::result::Result<(), String>;

/// To the session: nothing more will be sent.
struct EndOfInput {
    /// Why, when the end of the input is not the reason.
    failure: Option<String>,
}

/// Prints messages, or sends them back, and tells how it ended.
struct Session {
    echo: bool,
    linger: Duration,
    /// Runs when standard input has ended.
    silence: Option<TimerKey>,
    /// The server's close frame, once it has come.
    closed: Option<Option<CloseFrame>>,
    failure: Option<String>,
    /// What was to be sent could not be read to its end.
    input_failure: Option<String>,
    report: mpsc::Sender<Outcome>,
}

impl Session {
    fn outcome(&mut self) -> Outcome {
        if let Some(failure) = self.input_failure.take() {
            return Err(failure);
        }
        match self.closed.take() {
            None => Err(self
                .failure
                .take()
                .unwrap_or_else(|| "the connection ended without a close".to_owned())),
            Some(Some(CloseFrame { code, reason }))
                if code != CloseCode::NORMAL && code != CloseCode::GOING_AWAY =>
            {
                let colon = if reason.is_empty() { "" } else { ": " };
                Err(format!("the server closed with {code}{colon}{reason}"))
            }
            Some(_) => Ok(()),
        }
    }
}

impl InboundHandler for Session {
    type In = Message;
    type Out = Never;
    type Write = Message;

    fn read(&mut self, cx: &mut Context<'_, Self>, message: Message) -> Result<()> {
        if let Some(timer) = self.silence {
            cx.reschedule(timer, self.linger);
        }
        match message {
            Message::Close(close) => self.closed = Some(close),
            Message::Text(_) | Message::Binary(_) if self.echo => cx.write(message),
            // Nobody reads what is printed: there is nothing more to do here.
            message if print(&message).is_err() => cx.close(),
            _ => {}
        }
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<EndOfInput>()
    }

    fn event(&mut self, cx: &mut Context<'_, Self>, event: Event) -> Result<()> {
        if let Ok(end) = event.take::<EndOfInput>() {
            self.input_failure = end.failure;
        }
        self.silence = Some(cx.schedule(self.linger, 0));
        Ok(())
    }

    /// The server has nothing more to say to what was sent.
    fn timer(&mut self, cx: &mut Context<'_, Self>, _: u64) -> Result<()> {
        self.silence = None;
        cx.close();
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        self.failure.get_or_insert(error.to_string());
        cx.close();
        Ok(())
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        let outcome = self.outcome();
        // The main thread waits for it.
        let _ = self.report.send(outcome);
        Ok(())
    }
}

/// A line for each message.
fn print(message: &Message) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match message {
        Message::Text(text) => out.write_all(text.as_bytes())?,
        Message::Binary(bytes) => {
            let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
            let mut line = format!("binary, {} bytes:", bytes.len());
            for byte in shown {
                // Writing to a string cannot fail.
                let _ = write!(line, " {byte:02x}");
            }
            if shown.len() < bytes.len() {
                line.push_str(" ..");
            }
            out.write_all(line.as_bytes())?;
        }
        _ => return Ok(()),
    }
    out.write_all(b"\n")?;
    out.flush()
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    fyke_examples::start_log(Flags::command(), &flags.log);
    fyke_examples::exit(run(&flags))
}

fn run(flags: &Flags) -> Outcome {
    let group = EventLoopGroup::builder().threads(1).backend(flags.poller).build();
    let group = group.map_err(|e| format!("cannot start an event loop: {e}"))?;
    let (report, outcome) = mpsc::channel();
    let channel = connect(flags, &group, &report)?;
    drop(report);
    if !flags.echo {
        let sender = channel.sender::<Message>().map_err(|e| e.to_string())?;
        std::thread::spawn(move || send_lines(&sender));
    }
    let outcome = outcome.recv().unwrap_or_else(|_| Err("the event loop has ended".to_owned()));
    group.shutdown(SHUTDOWN_DEADLINE);
    outcome
}

/// Connects to the first address of the host that answers.
fn connect(
    flags: &Flags,
    group: &EventLoopGroup,
    report: &mpsc::Sender<Outcome>,
) -> std::result::Result<Channel, String> {
    let limits = Limits::new()
        .message_bytes_max(u64::from(flags.limit))
        .fragments_max(FRAGMENTS_MAX)
        .inflate_ratio_max(u32::MAX);
    let protocols: Vec<&str> = flags.protocol.iter().map(String::as_str).collect();
    let mut config = WebSocketClientConfig::new(&flags.url).limits(limits).protocols(&protocols);
    if !flags.no_deflate {
        config = config.deflate(DeflateConfig::new());
    }
    let message_bytes_max = flags.limit as usize;
    let outbound_bytes_max = message_bytes_max + message_bytes_max / 4 + OUTBOUND_SPARE_BYTES;
    let (echo, linger) = (flags.echo, Duration::from_millis(flags.linger));
    let report = report.clone();
    let tls = if flags.url.is_secure() { Some(flags.trust.client(&["http/1.1"])?) } else { None };
    let server_name = flags.url.host().to_owned();
    let bootstrap = Bootstrap::new(group.clone())
        .options(ChannelOptions::default().outbound_bytes_max(outbound_bytes_max))
        .handler(move |ch| -> Result<Stages> {
            let report = report.clone();
            let (silence, closed, failure, input_failure) = (None, None, None, None);
            let session = Session { echo, linger, silence, closed, failure, input_failure, report };
            let mut pipeline = ch.pipeline();
            if let Some(tls) = &tls {
                let tls = TlsHandler::client(tls, &server_name).map_err(CodecError::from)?;
                pipeline = pipeline.duplex("tls", tls);
            }
            websocket::client(pipeline, &config).inbound("session", session).into_stages()
        });
    let (host, port) = (flags.url.host(), flags.url.port());
    let addresses = (host, port).to_socket_addrs();
    let addresses = addresses.map_err(|e| format!("cannot look up {host}: {e}"))?;
    let mut failure = format!("{host} has no address");
    for address in addresses {
        match bootstrap.connect(address).wait() {
            Ok(channel) => return Ok(channel),
            Err(error) => failure = format!("cannot connect to {address}: {error}"),
        }
    }
    Err(failure)
}

/// Sends line by line, each when the one before has been taken.
fn send_lines(sender: &Sender<Message>) {
    let mut failure = None;
    for line in io::stdin().lock().lines() {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                failure = Some(format!("cannot read standard input: {error}"));
                break;
            }
        };
        let sent = sender.send_with_promise(Message::text(line));
        if !sent.is_ok_and(|sent| sent.wait().is_ok()) {
            // The connection has ended, and the main thread says how.
            return;
        }
    }
    // A connection that has ended is not told.
    let _ = sender.channel().fire_event(EndOfInput { failure });
}
