//! What a simulated host's loop waits with: it never waits. Its port tells whether frames are there,
//! and whoever wakes it tells the world.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fyke_core::driver::{Driver, Readiness, Wakeup};

use super::port::Nic;
use crate::ids::NodeId;

/// Hosts that were given work from outside their turns.
#[derive(Default)]
pub(crate) struct Woken {
    any: AtomicBool,
    nodes: Mutex<Vec<NodeId>>,
}

impl Woken {
    fn push(&self, node: NodeId) {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).push(node);
        self.any.store(true, Ordering::Release);
    }

    /// Calls `tell` with each, in the order in which they were woken.
    pub(crate) fn drain(&self, mut tell: impl FnMut(NodeId)) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        self.any.store(false, Ordering::Release);
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.drain(..).for_each(&mut tell);
    }
}

impl fmt::Debug for Woken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Woken").finish_non_exhaustive()
    }
}

struct Waker {
    node: NodeId,
    woken: Arc<Woken>,
}

impl Wakeup for Waker {
    fn wake(&self) {
        self.woken.push(self.node);
    }
}

/// The driver of a simulated host's loop.
pub(crate) struct SimDriver {
    nic: Arc<Nic>,
    waker: Arc<Waker>,
}

impl SimDriver {
    pub(crate) fn new(node: NodeId, nic: Arc<Nic>, woken: Arc<Woken>) -> Self {
        Self { nic, waker: Arc::new(Waker { node, woken }) }
    }
}

impl Driver for SimDriver {
    fn wait(&mut self, _: Option<Duration>, ready: &mut Vec<Readiness>) -> io::Result<()> {
        ready.extend(self.nic.readiness());
        Ok(())
    }

    fn waker(&self) -> Arc<dyn Wakeup> {
        Arc::<Waker>::clone(&self.waker)
    }

    fn registry(&self) -> &dyn Any {
        &self.nic
    }
}
