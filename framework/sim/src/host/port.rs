//! The device of a simulated host's stack, and the factory of its transport.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fyke_core::driver::{Readiness, Token};
use fyke_core::transport::{Transport, TransportFactory, TransportSeat};
use fyke_stack::{Offload, RxMeta, Shards, TxFrame, TxSink};
use fyke_transport::userspace::{Device, Frame, Hub, Place, StackTransport};

use super::recipe::Recipe;

/// What is between a host's stack and its cable.
#[derive(Debug, Default)]
pub(crate) struct Nic(Mutex<Queues>);

#[derive(Debug, Default)]
struct Queues {
    arrived: VecDeque<Bytes>,
    sent: Vec<Bytes>,
    token: Option<Token>,
}

impl Nic {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn arrive(&self, frames: &mut VecDeque<Bytes>) {
        if !frames.is_empty() {
            self.lock().arrived.append(frames);
        }
    }

    pub(crate) fn take_sent(&self, sent: &mut Vec<Bytes>) {
        sent.append(&mut self.lock().sent);
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Queues::default();
    }

    pub(crate) fn readiness(&self) -> Option<Readiness> {
        let queues = self.lock();
        let token = queues.token.filter(|_| !queues.arrived.is_empty())?;
        let (writable, peer_closed, hangup) = (false, false, false);
        Some(Readiness { token, readable: true, writable, peer_closed, hangup })
    }
}

/// A host's port, as its stack sees it.
pub(crate) struct SimPort {
    nic: Arc<Nic>,
    name: Arc<str>,
}

impl TxSink for SimPort {
    fn transmit(&mut self, frame: TxFrame<'_>) {
        self.nic.lock().sent.push(frame.to_bytes());
    }
}

impl Device for SimPort {
    fn name(&self) -> &str {
        &self.name
    }

    fn attach(&mut self, seat: &TransportSeat<'_>, key: u64) -> io::Result<()> {
        self.nic.lock().token = Some(Token::new(seat.id, key));
        Ok(())
    }

    fn offload(&self) -> Offload {
        Offload::default()
    }

    fn receive(&mut self, frames: &mut Vec<Frame>, budget: usize) -> io::Result<bool> {
        let mut queues = self.nic.lock();
        let taken = queues.arrived.len().min(budget);
        let taken = queues.arrived.drain(..taken);
        frames.extend(taken.map(|bytes| Frame { bytes, meta: RxMeta::default() }));
        Ok(!queues.arrived.is_empty())
    }
}

/// The transport of a simulated host, for bootstraps: its stack on its loops.
#[derive(Clone)]
pub struct SimTransport {
    key: Arc<str>,
    nics: Arc<[Arc<Nic>]>,
    recipe: Arc<Recipe>,
    /// What its loops share, when there are several; another one after each start.
    hub: Arc<Mutex<Option<Arc<Hub>>>>,
}

impl SimTransport {
    pub(crate) fn new(key: &str, nics: Arc<[Arc<Nic>]>, recipe: Arc<Recipe>) -> Self {
        Self { key: key.into(), nics, recipe, hub: Arc::default() }
    }

    /// Where frames arrive and leave, a loop each.
    pub(crate) fn nics(&self) -> &[Arc<Nic>] {
        &self.nics
    }

    /// The loops that will have it are new ones.
    pub(crate) fn start(&self) {
        let loops = self.nics.len() as u16;
        let hub = (loops > 1).then(|| Hub::new(Shards::new(loops, self.recipe.seed())));
        *self.hub.lock().unwrap_or_else(PoisonError::into_inner) = hub;
    }

    /// A place among the host's loops, when there are several.
    fn place(&self) -> io::Result<Option<Place>> {
        let hub = self.hub.lock().unwrap_or_else(PoisonError::into_inner);
        hub.as_ref().map(Hub::join).transpose()
    }

    /// What is between a loop of the host and its cable.
    fn nic(&self, seat: &TransportSeat<'_>) -> io::Result<Arc<Nic>> {
        let of_loop = seat.driver.registry().downcast_ref::<Arc<Nic>>();
        let own = of_loop.filter(|nic| self.nics.iter().any(|own| Arc::ptr_eq(nic, own)));
        own.cloned().ok_or_else(|| {
            let text = "the transport of a simulated host works on that host's loops alone";
            io::Error::new(io::ErrorKind::Unsupported, text)
        })
    }
}

impl TransportFactory for SimTransport {
    fn key(&self) -> &str {
        &self.key
    }

    fn listens_on_every_loop(&self) -> bool {
        true
    }

    fn create(&self, seat: TransportSeat<'_>) -> io::Result<Box<dyn Transport>> {
        let port = SimPort { nic: self.nic(&seat)?, name: Arc::clone(&self.key) };
        let place = self.place()?;
        let shard = place.as_ref().and_then(Place::shard);
        let stack = self.recipe.stack(seat.env.now(), shard).map_err(io::Error::other)?;
        let mut transport = StackTransport::new(seat, stack, port)?;
        if let Some(place) = place {
            transport.join(place);
        }
        Ok(Box::new(transport))
    }
}

impl fmt::Debug for SimTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimTransport").field("key", &self.key).finish_non_exhaustive()
    }
}
