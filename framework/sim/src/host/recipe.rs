//! What a host's stack is made from, at its start and after each restart.

use std::sync::Mutex;
use std::sync::PoisonError;

use fyke_clock::Instant;
use fyke_stack::wire::MacAddress;
use fyke_stack::{Cidr, Medium, Route, Seed, Shard, Stack, StackConfig};

use crate::error::SimError;
use crate::random::Random;

/// What a host's stack is made from.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) config: StackConfig,
    pub(crate) addresses: Vec<Cidr>,
    pub(crate) routes: Vec<Route>,
    /// Another seed for each start.
    pub(crate) random: Mutex<Random>,
}

impl Recipe {
    pub(crate) fn new(random: Random) -> Self {
        let mut config = StackConfig::new(Medium::Ethernet(MacAddress::UNSPECIFIED));
        // The addresses of a world are given by whoever makes it, and are there at once.
        config.duplicate_address_probes = 0;
        Self { config, addresses: Vec::new(), routes: Vec::new(), random: Mutex::new(random) }
    }

    pub(crate) fn draw(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }

    pub(crate) fn seed(&self) -> Seed {
        let mut seed = [0; 32];
        for chunk in seed.chunks_mut(8) {
            chunk.copy_from_slice(&self.draw().to_le_bytes());
        }
        Seed::new(seed)
    }

    /// The stack of a host's only loop, or its part of the host's.
    pub(crate) fn stack(&self, now: Instant, shard: Option<Shard>) -> Result<Stack, SimError> {
        let mut config = self.config.clone();
        config.shard = shard;
        let mut stack = Stack::new(config, self.seed(), now);
        for address in &self.addresses {
            stack.add_address(now, *address)?;
        }
        for route in &self.routes {
            stack.add_route(*route)?;
        }
        Ok(stack)
    }
}
