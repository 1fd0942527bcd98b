//! Blocking I/O (BIO): one thread a connection, reads that block, under the same loop and pipeline.
//!
//! Each connection's thread runs a loop of its own whose driver does not wait: the transport's
//! `recv` does, for [`BLOCK_MAX`] at most. So what other threads ask of the channel happens within
//! that time. When nothing has come meanwhile the connection is idle: from then on its thread sleeps
//! in `poll(2)`, on the socket and on something that wakes it, until bytes come. A write that finds
//! the socket full does not block in `send` either: two peers that both blocked there would not read
//! each other. The thread waits in the same way until it can write or read.

mod driver;
mod listener;
mod stream;

use std::io;
use std::time::Duration;

use fyke_core::transport::{Threading, Transport, TransportFactory, TransportSeat};

pub use driver::BlockingDriver;
use driver::Shared;
pub use listener::BlockingListener;
use stream::BlockingTransport;

/// The longest that a thread blocks in a read, where others cannot wake it.
pub const BLOCK_MAX: Duration = Duration::from_millis(50);

/// The factories of the blocking transport.
#[derive(Clone, Copy, Debug)]
pub struct Blocking;

#[allow(non_upper_case_globals, reason = "read as names of transports, as Kernel's are")]
impl Blocking {
    /// TCP over IPv4 and IPv6.
    pub const tcp: BlockingFactory = BlockingFactory;
    /// Unix streams.
    pub const unix: BlockingFactory = BlockingFactory;
}

/// Makes the transport of one connection's thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BlockingFactory;

impl TransportFactory for BlockingFactory {
    fn key(&self) -> &'static str {
        "blocking"
    }

    fn threading(&self) -> Threading {
        Threading::ThreadPerChannel
    }

    fn create(&self, seat: TransportSeat<'_>) -> io::Result<Box<dyn Transport>> {
        match seat.driver.registry().downcast_ref::<Shared>() {
            Some(shared) => Ok(Box::new(BlockingTransport::new(seat.id, shared.clone()))),
            None => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the blocking transport needs a loop of its own with a BlockingDriver",
            )),
        }
    }
}
