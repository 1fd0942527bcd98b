//! What device, how many queues, and the kernel's side of it.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

use fyke_poller::sys::{
    Interface, TapMode, TapOffload, open_tap, set_tap_header_len, set_tap_offload,
};
use fyke_stack::Cidr;
use fyke_stack::wire::virtio_net;

use super::error::Step;
use super::queue::TapQueue;

/// The most queues a device is opened with (Linux allows 256).
const QUEUES_MAX: usize = 256;

/// Which TAP device to open, and how.
///
/// A device that is not there is made: it gets its address (10.7.0.1/24 unless another one is
/// given), its MTU, and is brought up; it goes when its last queue is closed. One that is there (`ip
/// tuntap add mode tap`) is attached to, and its kernel side is left as it is, except for what is
/// asked for here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct TapOptions {
    name: String,
    addresses: Option<Vec<Cidr>>,
    queues: usize,
    vnet_hdr: bool,
    offload: bool,
    merge: bool,
    mtu: Option<u32>,
}

impl TapOptions {
    /// The device called `name`, with one queue and all the offload that the kernel knows.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            addresses: None,
            queues: 1,
            vnet_hdr: true,
            offload: true,
            merge: true,
            mtu: None,
        }
    }

    /// An address of the kernel's side, IPv4 or IPv6. Several may be given, one of them IPv4.
    pub fn address(mut self, address: Cidr) -> Self {
        self.addresses.get_or_insert_default().push(address);
        self
    }

    /// A new device gets no address either; it is still brought up.
    pub fn without_address(mut self) -> Self {
        self.addresses = Some(Vec::new());
        self
    }

    /// How many queues, one for each loop; at least 1, at most 256. A device that has only one gives
    /// one.
    pub fn queues(mut self, count: usize) -> Self {
        self.queues = count.clamp(1, QUEUES_MAX);
        self
    }

    /// Whether frames carry a virtio header; without one there is no offload.
    pub fn vnet_hdr(mut self, on: bool) -> Self {
        self.vnet_hdr = on;
        self
    }

    /// Whether checksums and the cutting of long segments are left to the other side. Otherwise the
    /// device does it itself.
    pub fn offload(mut self, on: bool) -> Self {
        self.offload = on;
        self
    }

    /// Whether TCP segments that follow each other are put together before the stack sees them, and of
    /// acknowledgements in a row only the first and the last given to it, when there is no virtio
    /// header with which the kernel does the like. Not for who forwards packets.
    pub fn merge(mut self, on: bool) -> Self {
        self.merge = on;
        self
    }

    /// The MTU of the kernel's side.
    pub fn mtu(mut self, bytes: u32) -> Self {
        self.mtu = Some(bytes);
        self
    }

    /// Opens the queues.
    ///
    /// # Errors
    /// A [`TapError`](super::TapError) inside of an [`io::Error`] of the same kind: the right
    /// CAP_NET_ADMIN is missing, there is no `/dev/net/tun`, somebody else has the device, an address
    /// cannot be set.
    pub fn open(&self) -> io::Result<Vec<TapQueue>> {
        let name = &self.name;
        let interface = Interface::new(name).map_err(|e| Step::Open.failed(name, e))?;
        let existed = interface.index().map_err(|e| Step::Open.failed(name, e))?.is_some();
        let descriptors = self.open_queues().map_err(|e| Step::Open.failed(name, e))?;
        let offload = self.negotiate(&descriptors).map_err(|e| Step::Negotiate.failed(name, e))?;
        self.configure(&interface, existed).map_err(|e| Step::Configure.failed(name, e))?;
        let mtu = interface.mtu().map_err(|e| Step::Configure.failed(name, e))?;
        if !interface.is_up().map_err(|e| Step::Configure.failed(name, e))? {
            tracing::warn!(device = %name, "the interface is down: nothing will cross it until it is up");
        }
        let queue = |descriptor| TapQueue {
            descriptor,
            name: name.clone(),
            mtu,
            vnet_hdr: self.vnet_hdr,
            offload,
            merge: self.merge,
        };
        Ok(descriptors.into_iter().map(queue).collect())
    }

    /// A device knows from its beginning whether it can have several queues, and refuses to be opened
    /// the other way.
    fn open_queues(&self) -> io::Result<Vec<OwnedFd>> {
        let mode = |multi_queue| TapMode { vnet_hdr: self.vnet_hdr, multi_queue };
        let several = self.queues > 1;
        let first = match open_tap(&self.name, mode(several)) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let other = open_tap(&self.name, mode(!several))?;
                if several {
                    return Ok(vec![other]);
                }
                other
            }
            first => first?,
        };
        let mut all = vec![first];
        while all.len() < self.queues {
            all.push(open_tap(&self.name, mode(true))?);
        }
        Ok(all)
    }

    /// Agrees with the kernel on what it leaves to us; says whether we leave the same to it. It takes
    /// partial checksums and super-segments whenever there is a header to announce them.
    fn negotiate(&self, queues: &[OwnedFd]) -> io::Result<bool> {
        if self.vnet_hdr {
            for queue in queues {
                set_tap_header_len(queue, virtio_net::HEADER_LEN)?;
            }
        }
        // It is the device's, and outlives descriptors: what an earlier program asked for goes, too.
        let queue = &queues[0];
        if !(self.vnet_hdr && self.offload) {
            set_tap_offload(queue, TapOffload::default())?;
            return Ok(false);
        }
        let checksum = TapOffload { checksum: true, ..TapOffload::default() };
        let tcp = TapOffload { tcp_segments: true, ..checksum };
        let udp = TapOffload { udp_segments: true, ..tcp };
        for wish in [udp, tcp, checksum, TapOffload::default()] {
            match set_tap_offload(queue, wish) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    tracing::debug!(device = %self.name, ?wish, "the kernel does not know this offload");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn configure(&self, interface: &Interface, existed: bool) -> io::Result<()> {
        if let Some(mtu) = self.mtu {
            interface.set_mtu(mtu)?;
        }
        let default = || vec![Cidr::new(IpAddr::V4(Ipv4Addr::new(10, 7, 0, 1)), 24)];
        let addresses = match &self.addresses {
            Some(addresses) => addresses.clone(),
            None if existed => return Ok(()),
            None => default(),
        };
        for cidr in &addresses {
            match interface.set_address(cidr.address(), cidr.prefix()) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => result?,
            }
        }
        if existed && addresses.is_empty() { Ok(()) } else { interface.set_up(true) }
    }
}

impl Default for TapOptions {
    /// The device `fyke0`.
    fn default() -> Self {
        Self::new("fyke0")
    }
}
