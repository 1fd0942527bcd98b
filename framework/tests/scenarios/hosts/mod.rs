//! What is under the loops of servers and of clients: the operating system, memory, two stacks on a
//! cable, a simulated network, a stack on a TAP device.

mod any;
mod sim;
mod stacks;
#[cfg(target_os = "linux")]
mod tap;

use std::fmt::Debug;

use fyke::prelude::*;
use fyke::transport::fake::Fake;
use fyke::{Address, Backend, Blocking, Local, LocalNetwork};

pub(crate) use any::AnyTransport;

use crate::rows::Kind;

/// The servers' address, and the clients', where there is a network.
const SERVERS: [u8; 4] = [10, 8, 0, 1];
const CLIENTS: [u8; 4] = [10, 8, 0, 2];
/// Nobody has this address.
pub(crate) const NOBODY: [u8; 4] = [10, 8, 0, 99];

/// The loops of a scenario, and what moves bytes for them.
pub(crate) trait Hosts: Debug {
    /// Loops for servers, or for servers and clients, from now on.
    fn servers(&self, threads: usize, name: &str) -> EventLoopGroup {
        self.group(threads, name)
    }

    /// Loops for clients.
    fn clients(&self) -> EventLoopGroup {
        self.group(1, "client")
    }

    /// Loops in place of the servers' that have ended.
    fn servers_again(&self) -> EventLoopGroup {
        self.group(1, "again")
    }

    /// Loops with threads.
    fn group(&self, threads: usize, name: &str) -> EventLoopGroup {
        group(Backend::EpollLevel, threads, name)
    }

    /// For servers on the loops of `group`.
    fn serving(&self, group: &EventLoopGroup) -> AnyTransport;

    /// For clients on the loops of `group`.
    fn calling(&self, group: &EventLoopGroup) -> AnyTransport {
        self.serving(group)
    }

    /// The address that servers listen on, and the one of clients, with a port left open; `None`
    /// where an address is no host's.
    fn addresses(&self) -> Option<[Address; 2]> {
        None
    }
}

/// Those of `kind`.
pub(crate) fn hosts(kind: Kind, network: &LocalNetwork) -> Box<dyn Hosts> {
    let memory = || Local::on(network);
    match kind {
        Kind::Tcp(backend) => Box::new(Same { backend, transport: AnyTransport::new(Kernel::tcp) }),
        Kind::Unix => Box::new(Same::of(Kernel::unix)),
        Kind::Blocking => Box::new(Same::of(Blocking::tcp)),
        Kind::Local => Box::new(Same::of(memory())),
        Kind::Fake(seed) => Box::new(Same::of(Fake::wrap(memory(), seed))),
        Kind::Stack(offload) => Box::new(stacks::Stacks::new(offload)),
        Kind::Sim(bad) => Box::new(sim::Network::new(bad)),
        #[cfg(target_os = "linux")]
        Kind::Tap(offload) => Box::new(tap::OnTap::new(offload)),
        #[cfg(not(target_os = "linux"))]
        Kind::Tap(_) => unreachable!("the row is ignored"),
    }
}

/// Servers and clients have the same, whatever their loops.
#[derive(Debug)]
struct Same {
    backend: Backend,
    transport: AnyTransport,
}

impl Same {
    fn of(transport: impl any::Factory) -> Self {
        Self { backend: Backend::EpollLevel, transport: AnyTransport::new(transport) }
    }
}

impl Hosts for Same {
    fn group(&self, threads: usize, name: &str) -> EventLoopGroup {
        group(self.backend, threads, name)
    }

    fn serving(&self, _: &EventLoopGroup) -> AnyTransport {
        self.transport.clone()
    }
}

fn group(backend: Backend, threads: usize, name: &str) -> EventLoopGroup {
    EventLoopGroup::builder().threads(threads).backend(backend).name(name).seed(7).build().unwrap()
}
