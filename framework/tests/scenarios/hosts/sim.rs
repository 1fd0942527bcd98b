//! A simulated network: a host of servers, a host of clients, a switch between them. The script's
//! thread turns it while it waits.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use fyke::{Address, EventLoopGroup};
use fyke_sim::{Host, LinkConfig, Switch, World};

use super::stacks::patient;
use super::{AnyTransport, CLIENTS, Hosts, SERVERS};

#[derive(Debug)]
pub(super) struct Network {
    world: World,
    switch: Switch,
    /// What the links of servers do to frames.
    conditions: LinkConfig,
    hosts: RefCell<Vec<Host>>,
    /// The address of the servers' host that was added last.
    servers: Cell<[u8; 4]>,
}

impl Network {
    /// A good network, or one that is bad from this seed.
    pub(super) fn new(bad: Option<u64>) -> Self {
        let world = World::new(bad.unwrap_or(0));
        let conditions = match bad {
            None => LinkConfig::new().delay(Duration::from_micros(200)),
            Some(_) => LinkConfig::new()
                .delay(Duration::from_millis(10))
                .jitter(Duration::from_millis(2))
                .loss(0.01)
                .reorder(0.02)
                .duplicate(0.01)
                .corrupt(0.002),
        };
        let switch = world.switch("lan").unwrap();
        let (hosts, servers) = (RefCell::default(), Cell::new(SERVERS));
        Self { world, switch, conditions, hosts, servers }
    }

    fn host(&self, name: &str, at: [u8; 4], loops: u16, link: LinkConfig) -> EventLoopGroup {
        let address = format!("{}/24", std::net::Ipv4Addr::from(at));
        let host = self.world.host(name).address(&address).loops(loops).configure(patient);
        let host = host.start().unwrap();
        self.world.link(&host, &self.switch, link).unwrap();
        let group = group(&host);
        self.hosts.borrow_mut().push(host);
        group
    }

    fn host_of(&self, wanted: &EventLoopGroup) -> Host {
        let has = |host: &&Host| host.event_loop().is_same(&wanted.loops()[0]);
        self.hosts.borrow().iter().find(has).expect("a host of this network").clone()
    }
}

/// The loops of a host. They end with the host, not with the group.
fn group(host: &Host) -> EventLoopGroup {
    EventLoopGroup::of_loops(host.event_loops()).unwrap()
}

impl Hosts for Network {
    fn servers(&self, threads: usize, name: &str) -> EventLoopGroup {
        let [a, b, c, d] = SERVERS;
        // Each has an address of its own; the first one has that of servers.
        let at = [a, b, c, d + 10 * self.hosts.borrow().len().min(9) as u8];
        self.servers.set(at);
        self.host(name, at, threads as u16, self.conditions.clone())
    }

    fn clients(&self) -> EventLoopGroup {
        self.host("client", CLIENTS, 1, LinkConfig::new())
    }

    fn servers_again(&self) -> EventLoopGroup {
        let host = self.hosts.borrow()[0].clone();
        host.restart().unwrap();
        group(&host)
    }

    fn serving(&self, group: &EventLoopGroup) -> AnyTransport {
        AnyTransport::new(self.host_of(group).transport())
    }

    fn addresses(&self) -> Option<[Address; 2]> {
        Some([self.servers.get(), CLIENTS].map(|host| Address::Inet((host, 0).into())))
    }
}
