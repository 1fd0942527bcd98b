//! Servers on fyke's own stack on a TAP device; clients on the kernel's sockets, at the other end of
//! it. It runs in a network namespace of its own.

use std::sync::Mutex;

use fyke::transport::userspace::{TapOptions, TapQueue};
use fyke::{Address, EventLoopGroup, Kernel, Userspace};

use super::stacks::host;
use super::{AnyTransport, CLIENTS, Hosts, SERVERS};

#[derive(Debug)]
pub(super) struct OnTap {
    offload: bool,
    servers: Mutex<Userspace>,
}

/// A stack of so many loops on a device with a queue for each, which is opened by the first of them.
fn on_device(offload: bool, loops: u16) -> Userspace {
    let [a, b, c, d] = CLIENTS;
    let options = TapOptions::default()
        .address(format!("{a}.{b}.{c}.{d}/24").parse().unwrap())
        .queues(loops.into())
        .vnet_hdr(offload)
        .offload(offload);
    let queues: Mutex<Vec<TapQueue>> = Mutex::default();
    let device = move || {
        let mut queues = queues.lock().unwrap();
        if queues.is_empty() {
            *queues = options.open()?;
        }
        Ok(queues.pop().expect("a queue at least").into_device())
    };
    Userspace::new(host(SERVERS), move |_| device()).loops(loops)
}

impl OnTap {
    pub(super) fn new(offload: bool) -> Self {
        Self { offload, servers: Mutex::new(on_device(offload, 1)) }
    }
}

impl Hosts for OnTap {
    fn servers(&self, threads: usize, name: &str) -> EventLoopGroup {
        if threads > 1 {
            // They are one host from now on.
            *self.servers.lock().unwrap() = on_device(self.offload, threads as u16);
        }
        self.group(threads, name)
    }

    fn serving(&self, _: &EventLoopGroup) -> AnyTransport {
        AnyTransport::new(self.servers.lock().unwrap().clone())
    }

    fn calling(&self, _: &EventLoopGroup) -> AnyTransport {
        AnyTransport::new(Kernel::tcp)
    }

    fn addresses(&self) -> Option<[Address; 2]> {
        Some([SERVERS, CLIENTS].map(|host| Address::Inet((host, 0).into())))
    }
}
