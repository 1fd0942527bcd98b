//! Streams and datagrams in memory, between any loops of this process.
//!
//! ```text
//!   LocalTransport (one a loop)          LocalTransport (another loop, or the same)
//!     table: Handle -> Entry               table
//!        |                                    |
//!        End (client) ---- Arc<Shared> ---- End (server)
//!                      two pipes, two signals
//!                               |
//!              LocalNetwork: names -> listeners, names -> datagram mailboxes
//! ```
//!
//! Whoever changes something the other side waits for raises flags in that side's signal; the
//! first flag wakes its loop with [`LoopHandle::notify`](fyke_core::LoopHandle::notify), and
//! `ready` turns the flags into events. A loop talks to itself in the same way, so a connection
//! between two channels of one loop has one order of events, always the same.
//!
//! | file | what it is |
//! |---|---|
//! | `network` | the names, and the counters |
//! | `signal` | what changed, and whom to wake |
//! | `pipe` | the bytes of one direction |
//! | `stream` | a connection: two pipes, two ends |
//! | `listener` | connections that wait to be accepted |
//! | `mailbox` | datagrams that wait to be received |
//! | `table` | handles with a generation |
//! | `options` | which socket options make sense here |
//! | `transport` | the verbs of the waist |

mod listener;
mod mailbox;
mod network;
mod options;
mod pipe;
mod signal;
mod stream;
mod table;
mod transport;

use std::io;

use fyke_core::transport::{Transport, TransportFactory, TransportSeat};

pub use network::{LocalNetwork, LocalStats};
pub(crate) use transport::LocalTransport;

/// How many bytes one direction of a connection holds unless asked otherwise.
pub const PIPE_BYTES_DEFAULT: usize = 64 * 1024;

/// How many datagrams wait for an endpoint unless asked otherwise.
pub const MAILBOX_DATAGRAMS_DEFAULT: usize = 256;

/// How many bytes of datagrams wait for an endpoint unless asked otherwise.
pub const MAILBOX_BYTES_DEFAULT: usize = 256 * 1024;

/// Makes in-memory transports; addresses are [`Address::Local`](fyke_core::Address).
///
/// All loops that use the same [`LocalNetwork`] reach each other. Names of listeners and of
/// datagram endpoints are separate, like TCP and UDP ports; an empty name lets the network
/// choose one.
///
/// | socket option | here |
/// |---|---|
/// | `backlog` | connections that wait to be accepted; one more is refused |
/// | `send_buffer_bytes`, `recv_buffer_bytes` | limits of the pipes; the smaller of what both ends ask for counts |
/// | `recv_buffer_bytes` of a datagram endpoint | bytes that wait; what comes beyond is dropped and counted |
/// | `datagram_bytes_max` | longer datagrams are cut |
/// | `local_address` | the name that the accepting side sees; a label, not a claim |
/// | `nodelay`, `reuse_address` | no meaning: nothing is delayed, a freed name is free at once |
/// | all others | refused when set |
///
/// ```
/// use fyke_transport::local::{Local, LocalNetwork};
///
/// let everywhere = Local::new(); // the network of the whole process
/// let network = LocalNetwork::new(); // one of its own, for a test
/// let alone = Local::on(&network).pipe_bytes(4096);
/// # let _ = (everywhere, alone);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Local {
    network: LocalNetwork,
    key: &'static str,
    limits: Limits,
}

/// The limits that a factory hands to its transports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) pipe_bytes: usize,
    pub(crate) mailbox_datagrams: usize,
    pub(crate) mailbox_bytes: usize,
}

impl Local {
    /// On the network that the whole process shares.
    pub fn new() -> Self {
        Self::on(&LocalNetwork::process())
    }

    /// On `network`.
    pub fn on(network: &LocalNetwork) -> Self {
        Self {
            network: network.clone(),
            key: "local",
            limits: Limits {
                pipe_bytes: PIPE_BYTES_DEFAULT,
                mailbox_datagrams: MAILBOX_DATAGRAMS_DEFAULT,
                mailbox_bytes: MAILBOX_BYTES_DEFAULT,
            },
        }
    }

    /// How many bytes one direction of a connection holds (64 KiB; at least 1). A writer that
    /// finds it full waits for the reader.
    pub fn pipe_bytes(mut self, bytes: usize) -> Self {
        self.limits.pipe_bytes = bytes.max(1);
        self
    }

    /// How many datagrams wait for an endpoint (256; at least 1). What comes beyond is dropped
    /// and counted.
    pub fn mailbox_datagrams(mut self, datagrams: usize) -> Self {
        self.limits.mailbox_datagrams = datagrams.max(1);
        self
    }

    /// How many bytes of datagrams wait for an endpoint (256 KiB). A mailbox that is empty takes
    /// any datagram.
    pub fn mailbox_bytes(mut self, bytes: usize) -> Self {
        self.limits.mailbox_bytes = bytes;
        self
    }

    /// Factories of one key share one transport on a loop (`"local"`): a loop that is to be on
    /// two networks needs a key of its own for the second.
    pub fn key(mut self, key: &'static str) -> Self {
        self.key = key;
        self
    }
}

impl Default for Local {
    fn default() -> Self {
        Self::new()
    }
}

impl TransportFactory for Local {
    fn key(&self) -> &'static str {
        self.key
    }

    fn create(&self, seat: TransportSeat<'_>) -> io::Result<Box<dyn Transport>> {
        Ok(Box::new(LocalTransport::new(self.network.clone(), self.limits, seat)))
    }
}
