//! Sends back what comes.
//!
//! `cargo run --release --example echo -- --listen 127.0.0.1:7000`
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use fyke::prelude::*;
use fyke::{Address, Datagram, IntoStages, SocketOptions, Stages};
use fyke_codecs::frames::LengthField;
use fyke_codecs::tls::TlsOptions;
use fyke_examples::tls::TlsFlags;
use fyke_examples::{ServerFlags, TransportName};

/// A server that sends back what comes.
#[derive(Parser, Debug)]
#[command(name = "echo", version)]
struct Flags {
    #[command(flatten)]
    server: ServerFlags,

    #[command(flatten)]
    tls: TlsFlags,

    /// Echo messages with a length in front (u32, big endian) instead of bytes
    #[arg(long, conflicts_with_all = ["source", "sink", "udp"])]
    frame: bool,

    /// Send without end instead of echoing
    #[arg(long, conflicts_with_all = ["sink", "udp"])]
    source: bool,

    /// Swallow what comes instead of echoing
    #[arg(long, conflicts_with = "udp")]
    sink: bool,

    /// Echo datagrams
    #[arg(long)]
    udp: bool,

    /// Listen on a Unix socket instead
    #[arg(long, value_name = "PATH", conflicts_with = "udp")]
    unix: Option<std::path::PathBuf>,
}

/// Sends back bytes as they come. What is written while the peer does not read stops the reading,
/// so memory stays bounded; after the peer's end everything is still sent back, then our end.
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

/// Sends back frames.
struct EchoFrames;

impl InboundHandler for EchoFrames {
    type In = ByteBuf;
    type Out = Never;
    type Write = ByteBuf;

    fn read(&mut self, cx: &mut Context<'_, Self>, frame: ByteBuf) -> Result<()> {
        cx.write(frame);
        Ok(())
    }
}

/// The longest that there is comes back whole.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Sends back datagrams.
struct EchoDatagrams;

impl InboundHandler for EchoDatagrams {
    type In = Datagram;
    type Out = Never;
    type Write = Datagram;

    fn read(&mut self, cx: &mut Context<'_, Self>, datagram: Datagram) -> Result<()> {
        cx.write(datagram);
        Ok(())
    }

    fn error(&mut self, _: &mut Context<'_, Self>, error: Error) -> Result<()> {
        // One peer's ICMP error is no reason to stop serving the others.
        tracing::info!(%error, "a datagram could not be delivered");
        Ok(())
    }
}

/// Swallows bytes.
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

static BLOCK: [u8; 64 * 1024] = [b'x'; 64 * 1024];

impl Source {
    fn fill(cx: &mut Context<'_, Self>) {
        if cx.is_writable() {
            cx.write(Outgoing::from(&BLOCK[..]));
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

fn main() -> ExitCode {
    let mut flags: Flags = fyke_examples::parse();
    flags.server.prepare(Flags::command);
    if let Some(path) = &flags.unix {
        flags.server.listen = Some(Address::unix(path.clone()));
    }
    fyke_examples::exit(if flags.udp { serve_datagrams(&flags) } else { serve(&flags) })
}

fn serve(flags: &Flags) -> Result<(), String> {
    let (frame, source, sink) = (flags.frame, flags.source, flags.sink);
    let options = ChannelOptions::default();
    let tls = flags.tls.server(&[], TlsOptions::new())?;
    flags.server.serve("echo", "127.0.0.1:7000", options, move |ch| -> Result<Stages> {
        let pipeline = tls.pipeline(ch);
        match (frame, source, sink) {
            (true, ..) => pipeline
                .codec("frames", LengthField::u32())
                .inbound("echo", EchoFrames)
                .into_stages(),
            (_, true, _) => pipeline.inbound("source", Source).into_stages(),
            (_, _, true) => pipeline.inbound("sink", Sink).into_stages(),
            _ => pipeline.inbound("echo", Echo).into_stages(),
        }
    })
}

fn serve_datagrams(flags: &Flags) -> Result<(), String> {
    if flags.server.transport == TransportName::Blocking {
        let text = "--udp needs event loops: --transport blocking has streams only";
        fyke_examples::wrong_flags(Flags::command(), text);
    }
    let address = flags.server.address("127.0.0.1:7000");
    let (group, bootstrap) = flags.server.datagrams("echo")?;
    let socket = SocketOptions::new().datagram_bytes_max(DATAGRAM_BYTES_MAX);
    let endpoint = bootstrap
        .options(ChannelOptions::new().socket(socket))
        .handler(|ch| ch.datagrams().inbound("echo", EchoDatagrams))
        .bind_datagram(&address);
    let (_channel, bound) = endpoint.map_err(|e| fyke_examples::cannot_listen(&address, &e))?;
    fyke_examples::announce(&bound);
    fyke_examples::run_until_signal(&group)
}
