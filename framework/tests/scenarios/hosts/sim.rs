//! A simulated network: a host of servers, a host of clients, a switch between them. The script's
//! thread turns it while it waits.

use std::cell::RefCell;
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
        Self { world, switch, conditions, hosts: RefCell::default() }
    }

    fn host(&self, name: &str, [a, b, c, d]: [u8; 4], link: LinkConfig) -> EventLoopGroup {
        let address = format!("{a}.{b}.{c}.{d}/24");
        let host = self.world.host(name).address(&address).configure(patient).start().unwrap();
        self.world.link(&host, &self.switch, link).unwrap();
        let group = group(&host);
        self.hosts.borrow_mut().push(host);
        group
    }
}

/// The loops of a host. They end with the host, not with the group.
fn group(host: &Host) -> EventLoopGroup {
    EventLoopGroup::of_loops(vec![host.event_loop()]).unwrap()
}

impl Hosts for Network {
    fn servers(&self, _: usize, name: &str) -> EventLoopGroup {
        match self.hosts.borrow().iter().find(|host| host.name() == "server") {
            None => {}
            // The one that there is, started anew.
            Some(host) => {
                host.restart().unwrap();
                return group(host);
            }
        }
        let _ = name;
        self.host("server", SERVERS, self.conditions.clone())
    }

    fn clients(&self) -> EventLoopGroup {
        self.host("client", CLIENTS, LinkConfig::new())
    }

    fn servers_again(&self) -> EventLoopGroup {
        self.servers(1, "again")
    }

    fn serving(&self, wanted: &EventLoopGroup) -> AnyTransport {
        let hosts = self.hosts.borrow();
        let has = |host: &&Host| host.event_loop().is_same(&wanted.loops()[0]);
        AnyTransport::new(hosts.iter().find(has).expect("a host of this network").transport())
    }

    fn addresses(&self) -> Option<[Address; 2]> {
        Some([SERVERS, CLIENTS].map(|host| Address::Inet((host, 0).into())))
    }
}
