//! One type for the factories of all transports.

use std::fmt;
use std::io;
use std::sync::Arc;

use fyke::core::transport::{Threading, Transport, TransportFactory, TransportSeat};

/// One factory type for all of them.
#[derive(Clone)]
pub(crate) struct AnyTransport(Arc<dyn Factory>);

pub(crate) trait Factory: TransportFactory {}
impl<T: TransportFactory> Factory for T {}

impl AnyTransport {
    pub(crate) fn new(factory: impl Factory) -> Self {
        Self(Arc::new(factory))
    }
}

impl TransportFactory for AnyTransport {
    fn key(&self) -> &str {
        self.0.key()
    }

    fn threading(&self) -> Threading {
        self.0.threading()
    }

    fn listens_on_every_loop(&self) -> bool {
        self.0.listens_on_every_loop()
    }

    fn create(&self, seat: TransportSeat<'_>) -> io::Result<Box<dyn Transport>> {
        self.0.create(seat)
    }
}

impl fmt::Debug for AnyTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyTransport").field(&self.key()).finish()
    }
}
