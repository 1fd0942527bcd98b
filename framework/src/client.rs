//! `Bootstrap`: clients and datagram endpoints.

use std::fmt;
use std::io;
use std::sync::Arc;

use fyke_core::event_loop::{ChannelInit, ChannelSpec};
use fyke_core::transport::{Threading, TransportFactory};
use fyke_core::{
    Address, Channel, ChannelOptions, Error, ErrorKind, IntoStages, LoopHandle, Result,
};
use fyke_transport::Kernel;

use crate::connect::{Attempt, Connect, Place};
use crate::group::EventLoopGroup;
use crate::resolve::{ToAddresses, first_that_works};
use crate::server::{NoPipeline, on_loop};

/// Builds clients (`connect`) and datagram endpoints (`bind_datagram`, `connect_datagram`).
///
/// It can be used many times; each channel lives on the loop with the least load, or on the one
/// that [`on`](Self::on) names.
///
/// ```
/// use fyke::CloseReason;
/// use fyke::prelude::*;
///
/// # let server = ServerBootstrap::new(EventLoopGroup::new(1)?)
/// #     .child(|ch| ch.pipeline().inbound("echo", read_fn(|cx, msg: ByteBuf| {
/// #         cx.write(Outgoing::Buf(msg));
/// #         Ok(())
/// #     })))
/// #     .bind("127.0.0.1:0")?;
/// # let address = server.local_address();
/// let (answers, answer) = std::sync::mpsc::channel();
/// let client = Bootstrap::new(EventLoopGroup::new(1)?).handler(move |ch| {
///     let answers = answers.clone();
///     ch.pipeline().inbound("tell", read_fn(move |_, msg: ByteBuf| {
///         answers.send(msg.to_vec()).map_err(Error::handler)
///     }))
/// });
/// let channel = client.connect(address).wait()?; // or .await
/// channel.sender()?.send(Outgoing::from("hello"))?;
/// assert_eq!(answer.recv()?, b"hello");
/// channel.close();
/// assert_eq!(channel.wait_closed(), CloseReason::Local);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "call connect()"]
pub struct Bootstrap<P = NoPipeline> {
    group: EventLoopGroup,
    home: Option<LoopHandle>,
    transport: Arc<dyn TransportFactory>,
    options: ChannelOptions,
    pipeline: P,
}

type Init = Arc<dyn Fn(&mut ChannelInit<'_>) -> Result<fyke_core::Stages> + Send + Sync>;

/// A client's initialiser.
#[derive(Clone)]
pub struct Handler(Init);

impl Bootstrap {
    /// Clients on the loops of `group`.
    pub fn new(group: EventLoopGroup) -> Self {
        Self {
            group,
            home: None,
            transport: Arc::new(Kernel::tcp),
            options: ChannelOptions::default(),
            pipeline: NoPipeline,
        }
    }
}

impl<P> Bootstrap<P> {
    /// What moves the bytes. [`Kernel::tcp`] by default.
    pub fn transport(mut self, factory: impl TransportFactory) -> Self {
        self.transport = Arc::new(factory);
        self
    }

    /// The channel's options.
    pub fn options(mut self, options: ChannelOptions) -> Self {
        self.options = options;
        self
    }

    /// The loop that the channels live on. [`Blocking`](crate::Blocking) channels have threads of
    /// their own instead.
    pub fn on(mut self, event_loop: &LoopHandle) -> Self {
        self.home = Some(event_loop.clone());
        self
    }

    /// The initialiser: it runs on the channel's loop, once a channel.
    pub fn handler<S: IntoStages>(
        self,
        init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
    ) -> Bootstrap<Handler> {
        Bootstrap {
            group: self.group,
            home: self.home,
            transport: self.transport,
            options: self.options,
            pipeline: Handler(Arc::new(move |channel| init(channel).into_stages())),
        }
    }
}

impl Bootstrap<Handler> {
    /// A loop for what a client does besides its channels.
    pub(crate) fn home_loop(&self) -> LoopHandle {
        self.home.as_ref().unwrap_or_else(|| self.group.next()).clone()
    }

    fn spec(&self) -> ChannelSpec {
        let init = Arc::clone(&self.pipeline.0);
        ChannelSpec::new(self.options.clone(), move |channel: &mut ChannelInit<'_>| init(channel))
    }

    /// Connects; the future is ready when the channel is connected, or cannot be, at the latest
    /// after [`ChannelOptions::connect_timeout`] for each address. It is under way already, also
    /// when the future is dropped.
    ///
    /// A host name is looked up before this returns, which blocks. Of several addresses the next one
    /// is tried when one fails, each with a pipeline of its own; the last error is the one told.
    pub fn connect(&self, address: impl ToAddresses) -> Connect {
        let place = if self.transport.threading() == Threading::ThreadPerChannel {
            Place::Threads(self.group.channel_threads().clone())
        } else {
            Place::Loop(self.home.as_ref().unwrap_or_else(|| self.group.next()).clone())
        };
        let factory = Arc::clone(&self.transport);
        Attempt::begin(address.to_addresses(), factory, self.spec(), place)
    }

    /// Opens a datagram channel at `address` and answers it with the address that was taken. Its
    /// pipeline begins with [`ChannelInit::datagrams`]. This waits for the channel's loop: never
    /// call it on one.
    ///
    /// # Errors
    /// A name that cannot be looked up, an address in use, a missing right, an option that the
    /// transport does not have.
    pub fn bind_datagram(&self, address: impl ToAddresses) -> io::Result<(Channel, Address)> {
        first_that_works(address, |address| self.datagram(Some(address), None))
    }

    /// Opens a datagram channel that sends to, and hears of, one peer only; answers it with the
    /// address of our side. Otherwise as [`bind_datagram`](Self::bind_datagram).
    ///
    /// # Errors
    /// Those of [`bind_datagram`](Self::bind_datagram).
    pub fn connect_datagram(&self, peer: impl ToAddresses) -> io::Result<(Channel, Address)> {
        first_that_works(peer, |peer| self.datagram(None, Some(peer)))
    }

    fn datagram(
        &self,
        bind: Option<Address>,
        peer: Option<Address>,
    ) -> io::Result<(Channel, Address)> {
        let (factory, spec) = (Arc::clone(&self.transport), self.spec());
        let home = self.home.as_ref().unwrap_or_else(|| self.group.next());
        on_loop(home, move |core, answer| {
            core.with_transport(factory, move |core, transport| {
                let opened = transport.map_err(Error::from).and_then(|transport| {
                    core.datagram(transport, bind.as_ref(), peer.as_ref(), &spec)
                });
                // The caller waits for the answer, or is gone.
                let _ = answer.send(opened.map_err(into_io));
            });
        })
    }
}

fn into_io(error: Error) -> io::Error {
    match error.into_kind() {
        ErrorKind::Io(error) => error,
        other => io::Error::other(Error::from(other)),
    }
}

impl<P> fmt::Debug for Bootstrap<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bootstrap").field("options", &self.options).finish_non_exhaustive()
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handler")
    }
}
