//! Making hosts.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use fyke_stack::{Cidr, Medium, Route, StackConfig};

use super::bare::{Application, BareHost, BareState, NoApplication};
use super::{Host, HostState, Recipe};
use crate::error::SimError;
use crate::router::mac_of;
use crate::world::{Kind, Ring, Station, World, cidr};

/// Frames that wait in front of a host, unless told otherwise.
const RING_FRAMES_MAX: usize = 4096;

/// A host that is being made.
#[derive(Debug)]
#[must_use = "call start()"]
pub struct HostBuilder {
    world: World,
    name: String,
    addresses: Vec<String>,
    routes: Vec<(String, String)>,
    recipe: Recipe,
    ring_frames_max: usize,
    loops: u16,
}

impl HostBuilder {
    pub(crate) fn new(world: World, name: &str) -> Self {
        let recipe = Recipe::new(world.random(name));
        Self {
            world,
            name: name.to_owned(),
            addresses: Vec::new(),
            routes: Vec::new(),
            recipe,
            ring_frames_max: RING_FRAMES_MAX,
            loops: 1,
        }
    }

    /// Gives it an address with its network: `"10.0.0.1/24"`.
    pub fn address(mut self, address: &str) -> Self {
        self.addresses.push(address.to_owned());
        self
    }

    /// Everything that is not in one of its networks goes there.
    pub fn gateway(self, gateway: &str) -> Self {
        let any = if gateway.contains(':') { "::/0" } else { "0.0.0.0/0" };
        self.route(any, gateway)
    }

    /// What is for `network` goes to `gateway`.
    pub fn route(mut self, network: &str, gateway: &str) -> Self {
        self.routes.push((network.to_owned(), gateway.to_owned()));
        self
    }

    /// Changes what its stack is configured with. The medium is the world's.
    pub fn configure(mut self, change: impl FnOnce(&mut StackConfig)) -> Self {
        change(&mut self.recipe.config);
        self
    }

    /// Frames that wait in front of the host while it is paused or slow (4096); more are dropped.
    pub fn ring_frames(mut self, frames: usize) -> Self {
        self.ring_frames_max = frames.max(1);
        self
    }

    /// So many event loops (1; at least 1), each with a stack that owns a part of the connections:
    /// servers that listen on all of them serve on all of them. What arrives comes to the first one,
    /// as with a network card of one queue, and is handed to its owner.
    pub fn loops(mut self, loops: u16) -> Self {
        self.loops = loops.max(1);
        self
    }

    fn prepare(&mut self) -> Result<Ring, SimError> {
        for address in &self.addresses {
            self.recipe.addresses.push(cidr(address)?);
        }
        for (network, gateway) in &self.routes {
            let network: Cidr = cidr(network)?;
            let gateway: IpAddr =
                gateway.parse().map_err(|_| SimError::Address(gateway.clone()))?;
            self.recipe.routes.push(Route::via(network, gateway));
        }
        self.recipe.config.medium = Medium::Ethernet(mac_of(self.world.next_node(), 0));
        self.world.take_name(&self.name)?;
        Ok(Ring { frames_max: self.ring_frames_max, ..Ring::default() })
    }

    /// Starts a host with an event loop, for servers and clients.
    ///
    /// # Errors
    /// A name that is taken, an address or route that makes no sense.
    pub fn start(mut self) -> Result<Host, SimError> {
        let ring = self.prepare()?;
        // As on a device: handlers that look after slow peers want to know.
        self.recipe.config.report_acks = true;
        let id = self.world.next_node();
        let state = HostState::new(&self.world, id, &self.name, self.recipe, self.loops)?;
        let state = Rc::new(RefCell::new(state));
        let station: Rc<RefCell<dyn Station>> = Rc::<RefCell<HostState>>::clone(&state);
        self.world.add_node(&self.name, 1, Kind::Station(station), ring);
        let host = Host { world: self.world, id, name: self.name.into(), state };
        host.wake();
        Ok(host)
    }

    /// Starts a host that is a stack alone; `application` is told what happens there.
    ///
    /// # Errors
    /// Those of [`start`](Self::start), and [`SimError::Limit`] when it was to have several loops.
    pub fn start_bare<A: Application>(mut self, application: A) -> Result<BareHost<A>, SimError> {
        if self.loops > 1 {
            return Err(SimError::Limit("loops of a host without any"));
        }
        let ring = self.prepare()?;
        let id = self.world.next_node();
        let state = BareState::new(Arc::new(self.recipe), self.world.now(), application)?;
        let state = Rc::new(RefCell::new(state));
        let station: Rc<RefCell<dyn Station>> = Rc::<RefCell<BareState<A>>>::clone(&state);
        self.world.add_node(&self.name, 1, Kind::Station(station), ring);
        let host = BareHost { world: self.world, id, state };
        host.wake();
        Ok(host)
    }

    /// Starts a host that answers what its stack answers by itself: pings, and resets.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_silent(self) -> Result<BareHost<NoApplication>, SimError> {
        self.start_bare(NoApplication)
    }
}
