//! What a channel is made from, and which gate stands before it.

use std::fmt;
use std::sync::Arc;

use fyke_clock::Instant;

use crate::address::Address;
use crate::error::Result;
use crate::event_loop::gate::AcceptGate;
use crate::event_loop::table::ChannelInit;
use crate::options::ChannelOptions;
use crate::pipeline::{IntoStages, Stages};
use crate::transport::Incoming;

/// Builds the pipeline of a channel.
type Init = dyn Fn(&mut ChannelInit<'_>) -> Result<Stages> + Send + Sync;

/// What a channel is made from: its options, and the initialiser that builds its pipeline.
#[derive(Clone)]
pub struct ChannelSpec {
    pub(super) options: Arc<ChannelOptions>,
    pub(super) init: Arc<Init>,
    gate: Option<Arc<AcceptGate>>,
}

impl ChannelSpec {
    /// A channel with these options and this initialiser, which runs on the channel's loop.
    pub fn new<S: IntoStages>(
        options: ChannelOptions,
        init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
    ) -> Self {
        Self {
            options: Arc::new(options),
            init: Arc::new(move |channel| init(channel).into_stages()),
            gate: None,
        }
    }

    /// Accepted connections have to pass this gate.
    #[must_use]
    pub fn gated(mut self, gate: Arc<AcceptGate>) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Lets an accepted connection pass the gate, if there is one; `None` when it was refused.
    #[must_use]
    pub fn admit(&self, incoming: Incoming, peer: &Address, now: Instant) -> Option<Incoming> {
        match &self.gate {
            Some(gate) => gate.admit(incoming, peer, now).ok(),
            None => Some(incoming),
        }
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &Arc<ChannelOptions> {
        &self.options
    }
}

impl fmt::Debug for ChannelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelSpec").field("options", &self.options).finish_non_exhaustive()
    }
}
