//! Servers and clients of the scenarios: ordinary fyke pipelines, which know nothing of simulations.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fyke::Connect;
use fyke::prelude::*;
use fyke::sim::{Host, HostExt};

/// The port that all scenarios talk to.
pub(crate) const PORT: u16 = 7000;

/// What arrives, and why channels closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    channels: AtomicU64,
}

impl Tally {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn channels(&self) -> u64 {
        self.0.channels.load(Ordering::Relaxed)
    }
}

/// Counts what arrives, and sends it back when told so.
#[derive(Debug)]
pub(crate) struct Sink {
    tally: Tally,
    echoes: bool,
}

impl InboundHandler for Sink {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        self.tally.0.channels.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        self.tally.0.bytes.fetch_add(msg.readable() as u64, Ordering::Relaxed);
        if self.echoes {
            cx.write(msg.into());
        }
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        // Connections break in simulations: that is what they are for.
        tracing::debug!(%error, "a connection is over");
        cx.close();
        Ok(())
    }
}

/// A server that swallows what it is sent.
pub(crate) fn serve_sink(host: &Host) -> io::Result<(Server, Tally)> {
    serve(host, false)
}

/// A server that sends it back.
pub(crate) fn serve_echo(host: &Host) -> io::Result<(Server, Tally)> {
    serve(host, true)
}

fn serve(host: &Host, echoes: bool) -> io::Result<(Server, Tally)> {
    let tally = Tally::default();
    let counted = tally.clone();
    let server = ServerBootstrap::new(host.group())
        .transport(host.transport())
        .child(move |ch| ch.pipeline().inbound("sink", Sink { tally: counted.clone(), echoes }))
        .bind(("0.0.0.0", PORT))?;
    Ok((server, tally))
}

/// Writes so many bytes as fast as the channel takes them, and then closes.
#[derive(Debug)]
struct Source {
    left: u64,
}

static BLOCK: [u8; 64 * 1024] = [b'x'; 64 * 1024];

impl Source {
    fn fill(&mut self, cx: &mut Context<'_, Self>) {
        while self.left > 0 && cx.is_writable() {
            let take = self.left.min(BLOCK.len() as u64);
            cx.write(Outgoing::from(&BLOCK[..take as usize]));
            self.left -= take;
            if self.left == 0 {
                cx.close();
            }
        }
    }
}

impl InboundHandler for Source {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.fill(cx);
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
        Ok(())
    }

    fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.fill(cx);
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        tracing::debug!(%error, "a flow is over");
        cx.close();
        Ok(())
    }
}

/// Begins to send `size` bytes to a server.
pub(crate) fn send_bulk(host: &Host, to: &str, size: u64) -> Connect {
    let bootstrap = Bootstrap::new(host.group())
        .transport(host.transport())
        .handler(move |ch| ch.pipeline().inbound("source", Source { left: size }));
    bootstrap.connect((to, PORT))
}

/// A client that counts what it is sent; its channel writes what it is told.
pub(crate) fn talk(host: &Host, to: &str) -> Result<(Channel, Tally)> {
    let tally = Tally::default();
    let counted = tally.clone();
    let bootstrap = Bootstrap::new(host.group()).transport(host.transport()).handler(move |ch| {
        ch.pipeline().inbound("sink", Sink { tally: counted.clone(), echoes: false })
    });
    Ok((bootstrap.connect((to, PORT)).wait()?, tally))
}
