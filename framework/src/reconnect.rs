//! A client that connects again when its connection is lost.
//!
//! ```text
//!   Connecting -- connected --> Connected -- lost --> Waiting -- back-off --> Connecting ..
//!       |                                                ^
//!       +-- failed --------------------------------------+-- often or long enough --> GaveUp
//! ```
//!
//! All steps are taken on one loop, the client's home, which has the time and the randomness for
//! them. Names are looked up on a thread that may block.

mod backoff;
mod config;
mod steps;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fyke_clock::Instant;
use fyke_core::{
    Channel, CloseReason, Error, ErrorKind, LoopCore, LoopHandle, Promise, Result, SendError,
    SendFailure, Sender, WriteFuture,
};

use crate::client::{Bootstrap, Handler};
use crate::resolve::ToAddresses;

use steps::{Attempting, Next};

pub use backoff::Backoff;
pub use config::{ReconnectConfig, ReconnectEvent};

/// What a [`ReconnectingClient`] is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ReconnectState {
    /// An attempt is under way.
    Connecting,
    /// It is connected.
    Connected,
    /// The next attempt follows.
    Waiting,
    /// It has tried often or long enough.
    GaveUp,
    /// It was closed.
    Closed,
}

/// A client that connects again when its connection is lost, with exponential back-off and jitter.
/// A clone is the same client; when the last one is dropped it closes.
///
/// Messages of type `M`, which the pipeline's tail must take, are sent by [`send`](Self::send),
/// also while there is no connection: then they are kept, up to a limit, and leave in order with the
/// next one. Nothing is lost in silence: the future of each message says whether the transport has
/// taken it. What was handed to a connection that broke fails and is not sent again by itself, as
/// the peer may have got it.
///
/// ```
/// use fyke::prelude::*;
/// use fyke::{ReconnectConfig, ReconnectEvent, ReconnectingClient};
///
/// # let server = ServerBootstrap::new(EventLoopGroup::new(1)?)
/// #     .child(|ch| ch.pipeline().inbound("sink", read_fn(|_, _: ByteBuf| Ok(()))))
/// #     .bind("127.0.0.1:0")?;
/// # let address = server.local_address().clone();
/// let bootstrap = Bootstrap::new(EventLoopGroup::new(1)?).handler(|ch| ch.pipeline());
/// let config = ReconnectConfig::new().observer(|event| {
///     if let ReconnectEvent::Lost { reason } = event {
///         eprintln!("the connection was lost: {reason:?}");
///     }
/// });
/// let client = ReconnectingClient::<Outgoing>::start(bootstrap, address, config);
/// client.send(Outgoing::from("hello"))?.wait()?; // the transport has taken it
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ReconnectingClient<M: Send + 'static>(Arc<Owner<M>>);

/// Closes the client when nobody has it any more.
struct Owner<M: Send + 'static>(Arc<Inner<M>>);

struct Inner<M> {
    bootstrap: Bootstrap<Handler>,
    target: Box<dyn ToAddresses + Send + Sync>,
    home: LoopHandle,
    config: ReconnectConfig,
    state: Mutex<State<M>>,
}

struct State<M> {
    now: ReconnectState,
    /// Of the connection that is there.
    sender: Option<Sender<M>>,
    /// What waits for the next one.
    kept: VecDeque<(M, Promise)>,
    /// Failures in a row.
    failures: u32,
    /// Since when it is (or is not) connected.
    since: Instant,
}

impl<M: Send + 'static> ReconnectingClient<M> {
    /// Begins to connect to `target`, and goes on until it is closed or gives up.
    pub fn start(
        bootstrap: Bootstrap<Handler>,
        target: impl ToAddresses + Send + Sync + 'static,
        config: ReconnectConfig,
    ) -> Self {
        let home = bootstrap.home_loop();
        let inner = Arc::new(Inner {
            bootstrap,
            target: Box::new(target),
            home,
            config,
            state: Mutex::new(State {
                now: ReconnectState::Connecting,
                sender: None,
                kept: VecDeque::new(),
                failures: 0,
                since: Instant::ZERO,
            }),
        });
        inner.on_loop(|inner, core| {
            inner.lock().since = core.env().now();
            inner.begin(core);
        });
        Self(Arc::new(Owner(inner)))
    }

    /// Sends a message with the present connection, or keeps it for the next one. The future says
    /// what became of it: it fails when the connection breaks before the transport has taken the
    /// message, and when the client gives up or is closed.
    ///
    /// # Errors
    /// The message again: when it can neither be sent nor kept ([`SendFailure::Full`]), or the
    /// client has given up or was closed ([`SendFailure::Closed`]).
    pub fn send(&self, message: M) -> Result<WriteFuture, SendError<M>> {
        let inner = &self.0.0;
        let (promise, future) = Promise::new();
        let mut state = inner.lock();
        let (message, promise) = match &state.sender {
            None => (message, promise),
            Some(sender) => match sender.send_with(message, promise) {
                Ok(()) => return Ok(future),
                Err((refused, _)) if refused.reason == SendFailure::Full => return Err(refused),
                // It has just broken.
                Err((refused, promise)) => (refused.message, promise),
            },
        };
        if matches!(state.now, ReconnectState::GaveUp | ReconnectState::Closed) {
            return Err(SendError { message, reason: SendFailure::Closed });
        }
        if state.kept.len() >= inner.config.keep_messages_max {
            return Err(SendError { message, reason: SendFailure::Full });
        }
        state.kept.push_back((message, promise));
        Ok(future)
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> ReconnectState {
        self.0.0.lock().now
    }

    /// The channel of the present connection.
    #[must_use]
    pub fn channel(&self) -> Option<Channel> {
        self.0.0.lock().sender.as_ref().map(Sender::channel)
    }

    /// How many messages wait for the next connection.
    #[must_use]
    pub fn kept_messages(&self) -> usize {
        self.0.0.lock().kept.len()
    }

    /// Closes the connection, once what was sent with it has left, and connects no more. What was
    /// kept fails.
    pub fn close(&self) {
        self.0.0.end(ReconnectState::Closed, &ReconnectEvent::Closed);
    }
}

impl<M: Send + 'static> Inner<M> {
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a step on the home loop.
    fn on_loop(self: &Arc<Self>, step: impl FnOnce(&Arc<Self>, &mut LoopCore) + Send + 'static) {
        let next = Next::of(self);
        // A loop that has ended drops the step, which ends the client.
        let _ = self.home.execute(move |core| step(&next.take_up(), core));
    }

    fn is_over(&self) -> bool {
        matches!(self.lock().now, ReconnectState::GaveUp | ReconnectState::Closed)
    }

    /// Looks up and connects.
    fn begin(self: &Arc<Self>, core: &mut LoopCore) {
        let attempt = {
            let mut state = self.lock();
            if matches!(state.now, ReconnectState::GaveUp | ReconnectState::Closed) {
                return;
            }
            state.now = ReconnectState::Connecting;
            state.failures + 1
        };
        self.config.tell(&ReconnectEvent::Connecting { attempt });
        let attempt = Attempting::of(self);
        let offload = Arc::clone(core.env().offload());
        offload.run(Box::new(move || attempt.connect()));
    }

    /// A connect has come to an end.
    fn ended(self: &Arc<Self>, core: &mut LoopCore, result: Result<Channel>) {
        let opened = result.and_then(|channel| Ok((channel.sender::<M>()?, channel)));
        match opened {
            Ok((sender, channel)) => self.connected(core, sender, channel),
            Err(error) => self.failed(core, &error),
        }
    }

    fn connected(self: &Arc<Self>, core: &mut LoopCore, sender: Sender<M>, channel: Channel) {
        {
            let mut state = self.lock();
            if state.now != ReconnectState::Connecting {
                // It was closed meanwhile.
                drop(state);
                channel.close();
                return;
            }
            for (message, promise) in std::mem::take(&mut state.kept) {
                if let Err((_, promise)) = sender.send_with(message, promise) {
                    promise.fail(ErrorKind::Closed.into());
                }
            }
            state.now = ReconnectState::Connected;
            state.since = core.env().now();
            state.sender = Some(sender);
        }
        self.config.tell(&ReconnectEvent::Connected { channel: &channel });
        let (next, closed) = (Next::of(self), channel.closed());
        core.spawn(async move {
            let reason = closed.await;
            next.take_up().on_loop(move |inner, core| inner.lost(core, reason));
        });
    }

    fn lost(self: &Arc<Self>, core: &mut LoopCore, reason: CloseReason) {
        {
            let mut state = self.lock();
            state.sender = None;
            if state.now != ReconnectState::Connected {
                return;
            }
            let now = core.env().now();
            if now.saturating_duration_since(state.since) >= self.config.stable_after {
                state.failures = 0;
            } else {
                state.failures += 1;
            }
            state.since = now;
        }
        self.config.tell(&ReconnectEvent::Lost { reason });
        if (self.config.retry_on)(reason) {
            self.wait(core);
        } else {
            self.end(ReconnectState::Closed, &ReconnectEvent::Closed);
        }
    }

    fn failed(self: &Arc<Self>, core: &mut LoopCore, error: &Error) {
        if self.is_over() {
            return;
        }
        let attempt = {
            let mut state = self.lock();
            state.failures += 1;
            state.failures
        };
        self.config.tell(&ReconnectEvent::Failed { attempt, error });
        if matches!(error.kind(), ErrorKind::Link(_)) {
            tracing::error!(%error, "a client's pipeline does not take its messages");
            self.end(ReconnectState::GaveUp, &ReconnectEvent::GaveUp { attempts: attempt });
        } else {
            self.wait(core);
        }
    }

    /// Waits for the next attempt, unless it was tried often or long enough.
    fn wait(self: &Arc<Self>, core: &mut LoopCore) {
        let random = core.env().rng().f64();
        let (failures, unconnected) = {
            let state = self.lock();
            (state.failures, core.env().now().saturating_duration_since(state.since))
        };
        let often_enough = self.config.attempts_max.is_some_and(|max| failures >= max);
        let long_enough = self.config.give_up_after.is_some_and(|max| unconnected >= max);
        if often_enough || long_enough {
            self.end(ReconnectState::GaveUp, &ReconnectEvent::GaveUp { attempts: failures });
            return;
        }
        let delay = self.config.backoff.delay(failures.saturating_sub(1), random);
        {
            let mut state = self.lock();
            if matches!(state.now, ReconnectState::GaveUp | ReconnectState::Closed) {
                return;
            }
            state.now = ReconnectState::Waiting;
        }
        self.config.tell(&ReconnectEvent::Waiting { delay });
        let next = Next::of(self);
        core.schedule(delay, move |core| next.take_up().begin(core));
    }

    /// Nothing follows any more.
    fn end(&self, end: ReconnectState, event: &ReconnectEvent<'_>) {
        let (kept, sender) = {
            let mut state = self.lock();
            if matches!(state.now, ReconnectState::GaveUp | ReconnectState::Closed) {
                return;
            }
            state.now = end;
            (std::mem::take(&mut state.kept), state.sender.take())
        };
        for (_, promise) in kept {
            promise.fail(ErrorKind::Closed.into());
        }
        if let Some(sender) = sender {
            sender.channel().close();
        }
        self.config.tell(event);
    }
}

impl<M: Send + 'static> Drop for Owner<M> {
    fn drop(&mut self) {
        self.0.end(ReconnectState::Closed, &ReconnectEvent::Closed);
    }
}

impl<M: Send + 'static> Clone for ReconnectingClient<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Send + 'static> fmt::Debug for ReconnectingClient<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectingClient").field("state", &self.state()).finish_non_exhaustive()
    }
}
