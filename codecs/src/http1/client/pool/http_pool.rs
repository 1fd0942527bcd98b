//! Calls over pooled connections.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fyke_core::{Channel, Never, PipelineBuilder, Result, Sender};

use super::origin::Origin;
use super::shelf::{Grant, PoolLimits, Shelf, Taken};
use super::wait::Waiting;
use crate::http1::Method;
use crate::http1::client::{
    CallError, CallLimits, ClientLimits, ClientRequest, ClientResponse, HttpCall,
    HttpClientHandler, HttpResponseAggregator, client,
};

/// Makes connections for a pool: a function from an origin to a future of a channel whose pipeline is
/// that of [`pooled_client`].
pub trait Connector: Send + Sync + 'static {
    /// Connects.
    fn connect(&self, origin: &Origin) -> Pin<Box<dyn Future<Output = Result<Channel>> + Send>>;
}

impl<F, R> Connector for F
where
    F: Fn(&Origin) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Channel>> + Send + 'static,
{
    fn connect(&self, origin: &Origin) -> Pin<Box<dyn Future<Output = Result<Channel>> + Send>> {
        Box::pin(self(origin))
    }
}

/// The whole pipeline of a pooled connection: [`client`], an aggregator and an [`HttpClientHandler`].
pub fn pooled_client(
    pipeline: PipelineBuilder,
    limits: ClientLimits,
    calls: CallLimits,
    content_bytes_max: u64,
) -> PipelineBuilder<Never, HttpCall> {
    client(pipeline, limits)
        .inbound("http-responses", HttpResponseAggregator::new(content_bytes_max))
        .duplex("http-calls", HttpClientHandler::new(calls))
}

/// A connection as the pool keeps it.
#[derive(Debug)]
struct Connection {
    calls: Sender<HttpCall>,
}

impl Connection {
    fn is_alive(&self) -> bool {
        !self.calls.is_closed()
    }
}

type Tickets = HashMap<u64, Arc<Waiting<Connection>>>;

struct Shared {
    state: Mutex<(Shelf<Origin, Connection>, Tickets)>,
    connector: Box<dyn Connector>,
}

/// A pool of connections: `Clone + Send`, used from any thread and any executor.
///
/// Idle connections are closed by their [`HttpClientHandler`] after its
/// [`idle_timeout`](CallLimits::idle_timeout), responses that do not come by its
/// [`response_timeout`](CallLimits::response_timeout), and connects by the bootstrap's time-out. A call
/// whose future is dropped half-way costs its connection, as nothing else could be told apart on it.
///
/// ```no_run
/// # use fyke_core::Channel;
/// # use fyke_codecs::http1::client::{CallError, ClientRequest, HttpPool, Origin, PoolLimits, split_url};
/// # use fyke_codecs::http1::Method;
/// # async fn example<F>(
/// #     connect: impl Fn(String, u16) -> F + Send + Sync + 'static,
/// # ) -> Result<(), Box<dyn std::error::Error>>
/// # where
/// #     F: Future<Output = fyke_core::Result<Channel>> + Send + 'static,
/// # {
/// // With a fyke::Bootstrap, `connect` is `bootstrap.connect((name, port))`.
/// let pool = HttpPool::new(PoolLimits::new(), move |origin: &Origin| {
///     connect(origin.host_name().to_owned(), origin.port())
/// });
/// let (origin, target) = split_url("http://localhost:8080/plaintext")?;
/// let request = ClientRequest::new(Method::Get, &origin.authority(), &target);
/// let response = pool.call(&origin, request).await?;
/// assert_eq!(response.head.status().as_u16(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpPool(Arc<Shared>);

impl HttpPool {
    /// A pool whose connections `connector` makes.
    pub fn new(limits: PoolLimits, connector: impl Connector) -> Self {
        let state = Mutex::new((Shelf::new(limits), HashMap::new()));
        Self(Arc::new(Shared { state, connector: Box::new(connector) }))
    }

    /// Sends a request to `origin` and waits for the whole response.
    ///
    /// A request of which nothing was sent is sent on another connection; so is, once, one without
    /// content whose method is idempotent when a kept connection turns out to be dead (RFC 9112
    /// section 9.3.1).
    ///
    /// # Errors
    /// Why there is no response.
    pub async fn call(
        &self,
        origin: &Origin,
        mut request: ClientRequest,
    ) -> Result<ClientResponse, CallError> {
        let mut may_repeat = true;
        for _ in 0..TRIES_MAX {
            let (connection, reused) = self.connection(origin).await?;
            let lease = Lease { pool: self, origin, connection: Some(connection), armed: true };
            let copy = (reused && may_repeat && is_repeatable(&request)).then(|| request.clone());
            let closes = request.head.closes();
            let (call, answer) = HttpCall::new(request);
            lease.send(call);
            match answer.await {
                Ok(response) => {
                    if response.head.keep_alive() && !closes {
                        lease.put_back();
                    }
                    return Ok(response);
                }
                Err(CallError::Unsent(unsent)) => request = *unsent,
                Err(error) => match copy {
                    Some(copy) if error.is_disconnect() => {
                        may_repeat = false;
                        request = copy;
                    }
                    _ => return Err(error),
                },
            }
        }
        Err(CallError::Unsent(Box::new(request)))
    }

    /// Connections in all, and those of them that are idle.
    #[must_use]
    pub fn connections(&self) -> (usize, usize) {
        self.0.lock().0.counts()
    }

    /// A free connection, or a new one; says whether it has been used before.
    async fn connection(&self, origin: &Origin) -> Result<(Connection, bool), CallError> {
        let (taken, waiting) = self.0.take(origin);
        let granted = match taken {
            Taken::Idle(connection) => return Ok((connection, true)),
            Taken::Full => return Err(CallError::QueueFull),
            Taken::Connect => None,
            Taken::Wait(ticket) => {
                let mut turn = Turn { pool: self, origin, ticket, waiting };
                turn.granted().await
            }
        };
        if let Some(connection) = granted {
            return Ok((connection, true));
        }
        // From here on the room taken for it is given back by the guard.
        let mut room = Lease { pool: self, origin, connection: None, armed: true };
        let channel = self.0.connector.connect(origin).await.map_err(CallError::Failed)?;
        let calls = channel.sender().map_err(|error| CallError::Failed(error.into()));
        let calls = calls.inspect_err(|_| channel.close())?;
        room.disarm();
        Ok((Connection { calls }, false))
    }
}

/// Connections on which a request may turn out not to be sent before the call fails.
const TRIES_MAX: usize = 8;

/// Whether a request may be sent again although it may have been acted on (RFC 9110 section 9.2.2).
fn is_repeatable(request: &ClientRequest) -> bool {
    use Method::{Delete, Get, Head, Options, Put, Trace};
    request.body.is_empty()
        && matches!(request.head.method(), Get | Head | Options | Trace | Put | Delete)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, (Shelf<Origin, Connection>, Tickets)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, origin: &Origin) -> (Taken<Connection>, Arc<Waiting<Connection>>) {
        let waiting = Waiting::new();
        let mut state = self.lock();
        let taken = state.0.take(origin, Connection::is_alive);
        if let Taken::Wait(ticket) = taken {
            state.1.insert(ticket, Arc::clone(&waiting));
        }
        let evicted = state.0.evicted();
        drop(state);
        close(evicted);
        (taken, waiting)
    }

    /// A connection comes back, or is gone: somebody may have waited for that.
    fn give(&self, origin: &Origin, connection: Option<Connection>) {
        let mut state = self.lock();
        let grant = match connection {
            Some(connection) if connection.is_alive() => state.0.put_back(origin, connection),
            _ => state.0.lost(origin),
        };
        let waiting = grant.and_then(|Grant { ticket, connection }| {
            state.1.remove(&ticket).map(|waiting| (waiting, connection))
        });
        let evicted = state.0.evicted();
        drop(state);
        close(evicted);
        if let Some((waiting, connection)) = waiting {
            waiting.grant(connection);
        }
    }
}

fn close(connections: Vec<Connection>) {
    for connection in connections {
        connection.calls.channel().close();
    }
}

/// A place in the queue of those who wait for a connection.
struct Turn<'a> {
    pool: &'a HttpPool,
    origin: &'a Origin,
    ticket: u64,
    waiting: Arc<Waiting<Connection>>,
}

impl Turn<'_> {
    async fn granted(&mut self) -> Option<Connection> {
        poll_fn(|cx| self.waiting.poll(cx)).await
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.0.lock();
        if state.0.give_up(self.ticket) {
            state.1.remove(&self.ticket);
            return;
        }
        drop(state);
        // Granted, and the call was dropped before it could take it.
        if let Some(granted) = self.waiting.take() {
            self.pool.0.give(self.origin, granted);
        }
    }
}

/// A connection in use, or the room for one. Dropped, it is of no further use to anybody.
struct Lease<'a> {
    pool: &'a HttpPool,
    origin: &'a Origin,
    connection: Option<Connection>,
    armed: bool,
}

impl Lease<'_> {
    fn send(&self, call: HttpCall) {
        if let Some(connection) = &self.connection {
            // What cannot be sent is dropped with the error, and says so to its future.
            let _ = connection.calls.send(call);
        }
    }

    /// The connection is free for the next call.
    fn put_back(mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.0.give(self.origin, Some(connection));
        }
        self.disarm();
    }

    /// What this stands for is somebody else's business now.
    fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        if let Some(connection) = self.connection.take() {
            connection.calls.channel().close();
        }
        self.pool.0.give(self.origin, None);
    }
}

impl fmt::Debug for HttpPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (connections, idle) = self.connections();
        f.debug_struct("HttpPool")
            .field("connections", &connections)
            .field("idle", &idle)
            .finish_non_exhaustive()
    }
}
