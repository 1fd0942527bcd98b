//! `Bootstrap`: clients and datagram endpoints.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use fyke_core::event_loop::{ChannelInit, ChannelSpec};
use fyke_core::transport::{Threading, TransportFactory};
use fyke_core::{
    Address, Channel, ChannelOptions, Error, ErrorKind, IntoStages, LoopHandle, Result,
};
use fyke_transport::Kernel;

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
    fn spec(&self) -> ChannelSpec {
        let init = Arc::clone(&self.pipeline.0);
        ChannelSpec::new(self.options.clone(), move |channel: &mut ChannelInit<'_>| init(channel))
    }

    /// Connects; the future is ready when the channel is connected, or cannot be, at the latest
    /// after [`ChannelOptions::connect_timeout`]. It is under way already, also when the future is
    /// dropped.
    ///
    /// A host name is looked up before this returns, which blocks; of several addresses the first
    /// one is taken.
    pub fn connect(&self, address: impl ToAddresses) -> Connect {
        let connect = Connect(Arc::default());
        let told = Teller(Some(Arc::clone(&connect.0)));
        let address = match address.to_addresses().map(|list| list.into_iter().next()) {
            Ok(Some(address)) => address,
            Ok(None) => {
                let error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                told.finish(Err(error.into()));
                return connect;
            }
            Err(error) => {
                told.finish(Err(error.into()));
                return connect;
            }
        };
        if self.transport.threading() == Threading::ThreadPerChannel {
            let threads = self.group.channel_threads();
            threads.connect(&self.transport, &address, &self.spec(), move |r| told.finish(r));
            return connect;
        }
        let (factory, spec) = (Arc::clone(&self.transport), self.spec());
        let home = self.home.as_ref().unwrap_or_else(|| self.group.next());
        // A loop that has ended drops the task, and with it the teller, which says so.
        let _ = home.execute(move |core| {
            core.with_transport(factory, move |core, transport| match transport {
                Ok(transport) => {
                    core.connect(transport, &address, &spec, move |result| told.finish(result));
                }
                Err(error) => told.finish(Err(error.into())),
            });
        });
        connect
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

/// A connect under way. Await it once, on any executor, or [`wait`](Self::wait).
#[must_use = "a connect that nobody waits for may fail unseen"]
pub struct Connect(Arc<Outcome>);

#[derive(Default)]
struct Outcome {
    state: Mutex<(Option<Result<Channel>>, Option<Waker>)>,
    done: Condvar,
}

/// Tells what became of a connect: dropped without a word, that it can come to nothing any more.
struct Teller(Option<Arc<Outcome>>);

impl Teller {
    fn finish(mut self, result: Result<Channel>) {
        if let Some(outcome) = self.0.take() {
            outcome.finish(result);
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(outcome) = self.0.take() {
            outcome.finish(Err(ErrorKind::Closed.into()));
        }
    }
}

impl Outcome {
    fn finish(&self, result: Result<Channel>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = Some(result);
        let waker = state.1.take();
        drop(state);
        self.done.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Connect {
    /// Blocks this thread until it is connected, or cannot be. Never call it on a loop.
    ///
    /// # Errors
    /// Why it cannot be connected.
    pub fn wait(self) -> Result<Channel> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = state.0.take() {
                return result;
            }
            state = self.0.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for Connect {
    type Output = Result<Channel>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.0.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connect")
    }
}
