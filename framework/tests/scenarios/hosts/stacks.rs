//! Two of fyke's own stacks on a cable, one for servers and one for clients.

use std::sync::{Mutex, MutexGuard};

use fyke::stack::StackConfig;
use fyke::transport::userspace::Cable;
use fyke::{Address, EventLoopGroup, StackOptions, Userspace};

use super::{AnyTransport, CLIENTS, Hosts, SERVERS};

#[derive(Debug)]
pub(super) struct Stacks {
    offload: bool,
    two: Mutex<Two>,
}

#[derive(Debug)]
struct Two {
    servers: Userspace,
    clients: Userspace,
}

impl Two {
    fn new(offload: bool, servers: u16) -> Self {
        let cable = Cable::options().offload(offload).queues(servers, 1).build();
        Self {
            servers: Userspace::over(host(SERVERS), cable.left()).loops(servers),
            clients: Userspace::over(host(CLIENTS), cable.right()),
        }
    }
}

/// A stack with this address.
pub(super) fn host([a, b, c, d]: [u8; 4]) -> StackOptions {
    let address = format!("{a}.{b}.{c}.{d}/24").parse().unwrap();
    StackOptions::new().address(address).trust_addresses().configure(patient)
}

/// A burst to somebody whose link address is not known yet is kept whole, as memory and the kernel's
/// loopback keep it.
pub(super) fn patient(config: &mut StackConfig) {
    config.limits.neighbor_queue_packets_max = 128;
}

impl Stacks {
    pub(super) fn new(offload: bool) -> Self {
        Self { offload, two: Mutex::new(Two::new(offload, 1)) }
    }

    fn two(&self) -> MutexGuard<'_, Two> {
        self.two.lock().unwrap()
    }
}

impl Hosts for Stacks {
    fn servers(&self, threads: usize, name: &str) -> EventLoopGroup {
        if threads > 1 {
            // They are one host from now on.
            *self.two() = Two::new(self.offload, threads as u16);
        }
        self.group(threads, name)
    }

    fn serving(&self, _: &EventLoopGroup) -> AnyTransport {
        AnyTransport::new(self.two().servers.clone())
    }

    fn calling(&self, _: &EventLoopGroup) -> AnyTransport {
        AnyTransport::new(self.two().clients.clone())
    }

    fn addresses(&self) -> Option<[Address; 2]> {
        Some([SERVERS, CLIENTS].map(|host| Address::Inet((host, 0).into())))
    }
}
