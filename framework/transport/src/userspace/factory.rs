//! The factory: a stack of its own on each loop.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};

use fyke_core::LoopHandle;
use fyke_core::transport::{Transport, TransportFactory, TransportSeat};
use fyke_stack::wire::MacAddress;
use fyke_stack::{Seed, Shards};

use super::cable::CableEnd;
use super::crew::{Hub, Place};
use super::device::Device;
use super::handle::{self, StackHandle};
use super::stack_options::{Site, StackOptions};
use super::transport::StackTransport;

type Make = dyn Fn(TransportSeat<'_>, &Inner) -> io::Result<Box<dyn Transport>> + Send + Sync;

/// Makes the transport of fyke's own TCP/IP stack on each loop: what `.transport(..)` takes.
///
/// Addresses are those of the stack: a server that listens on `0.0.0.0:80` is reached at every
/// address that the [`StackOptions`] gave it, through the device and from the same loop. A
/// connection lives on the loop that accepts it, so a server listens on all of its loops.
///
/// | socket option | here |
/// |---|---|
/// | `nodelay`, `keepalive`, `user_timeout`, `quick_ack` | as the kernel has them |
/// | `send_buffer_bytes`, `recv_buffer_bytes` of a connection | the buffer, which does not grow by itself then |
/// | `recv_buffer_bytes` of a datagram endpoint | bytes that wait; what comes beyond is dropped and counted |
/// | `tos`, `ttl`, `backlog`, `only_v6`, `local_address` | as the kernel has them |
/// | `linger` | zero resets at the close; longer is refused |
/// | `broadcast`, `multicast_loop`, `multicast_ttl`, `datagram_bytes_max` | as the kernel has them |
/// | `reuse_address` | no meaning: a port is free when its listener is gone |
/// | all others | refused when set |
///
/// Clones share their key, and so the transport of a loop.
#[derive(Clone)]
pub struct Userspace {
    inner: Arc<Inner>,
}

struct Inner {
    /// Which factory of the process.
    number: u64,
    key: String,
    options: StackOptions,
    loops: u16,
    make: Arc<Make>,
    /// The Ethernet address that was made up, for all loops the same.
    mac: OnceLock<MacAddress>,
    /// What the loops of one host share.
    hub: OnceLock<Arc<Hub>>,
    handle: StackHandle,
}

impl Inner {
    /// Where the stack of this loop is made.
    fn site(
        &self,
        seat: &mut TransportSeat<'_>,
        device: &impl Device,
    ) -> io::Result<(Option<Place>, Site)> {
        let made_up = *self.mac.get_or_init(|| local_mac(self.number, seat.env.random()));
        let seed = match self.options.own_seed() {
            Some(seed) => seed,
            None => Seed::new(seat.env.secret_seed()?),
        };
        let hub = || Hub::new(Shards::new(self.loops, seed));
        let place = match self.loops {
            1 => None,
            _ => Some(self.hub.get_or_init(hub).join()?),
        };
        let site = Site {
            medium: self.options.medium(made_up),
            offload: device.offload(),
            seed,
            shard: place.as_ref().and_then(Place::shard),
            now: seat.env.now(),
            loop_id: seat.handle.id(),
        };
        Ok((place, site))
    }
}

/// Numbers of factories, for keys.
static FACTORIES: AtomicU64 = AtomicU64::new(0);

impl Userspace {
    /// Stacks made from `options` over the devices that `device` makes, one for each loop.
    pub fn new<D: Device>(
        options: StackOptions,
        device: impl Fn(&TransportSeat<'_>) -> io::Result<D> + Send + Sync + 'static,
    ) -> Self {
        let make =
            move |mut seat: TransportSeat<'_>, inner: &Inner| -> io::Result<Box<dyn Transport>> {
                let device = device(&seat)?;
                let (place, site) = inner.site(&mut seat, &device)?;
                let (handle, transport) = (seat.handle.clone(), seat.id);
                let mut made = StackTransport::new(seat, inner.options.build(site)?, device)?;
                if let Some(place) = place {
                    made.join(place);
                }
                if let Some(policy) = inner.options.policy() {
                    made.set_policy(policy);
                }
                made.sockets().observers = inner.handle.observers();
                inner.handle.add::<D>(&handle, transport);
                Ok(Box::new(made))
            };
        let number = FACTORIES.fetch_add(1, Ordering::Relaxed);
        let inner = Inner {
            number,
            key: format!("userspace-{number}"),
            options,
            loops: 1,
            make: Arc::new(make),
            mac: OnceLock::new(),
            hub: OnceLock::new(),
            handle: StackHandle::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Stacks of so many loops are one host: they have the same addresses, each loop owns a part of
    /// the connections, and a frame that arrives at another one's queue is handed over. Each loop
    /// has a device of its own, which is a queue of the same interface. All of the loops have to
    /// make their stacks, as they do when a server listens on a group of as many; what belongs to
    /// one that is missing is lost.
    ///
    /// Without it, loops have stacks of their own that know nothing of each other.
    #[must_use]
    pub fn loops(self, loops: u16) -> Self {
        let Inner { number, key, options, make, .. } = &*self.inner;
        let inner = Inner {
            number: *number,
            key: key.clone(),
            options: options.clone(),
            loops: loops.max(1),
            make: Arc::clone(make),
            mac: OnceLock::new(),
            hub: OnceLock::new(),
            handle: StackHandle::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Of a host of several loops: frames that arrived at one loop and belonged to another, and
    /// those of them that were lost because that one was not there or did not keep up.
    #[must_use]
    pub fn frames_handed_over(&self) -> (u64, u64) {
        self.inner.hub.get().map_or((0, 0), |hub| hub.counts())
    }

    /// A stack made from `options` over one end of a cable in memory. One loop can have it.
    #[must_use]
    pub fn over(options: StackOptions, end: CableEnd) -> Self {
        Self::new(options, move |_| end.plug_in())
    }

    /// The stacks that were and will be made, for those who want to look into them.
    #[must_use]
    pub fn handle(&self) -> StackHandle {
        self.inner.handle.clone()
    }

    /// Makes the stack on each of these loops before anything listens or connects, and waits until
    /// it is there: for tools that have no channel, and for hosts that are to answer pings at once.
    ///
    /// # Errors
    /// Those of the device and of the options.
    pub fn install(&self, loops: &[LoopHandle]) -> io::Result<()> {
        for event_loop in loops {
            let factory = Arc::new(self.clone());
            let (sender, receiver) = mpsc::sync_channel(1);
            let asked = event_loop.execute(move |core| {
                core.with_transport(factory, move |_, made| {
                    // The one who asked waits for it.
                    let _ = sender.try_send(made.map(drop));
                });
            });
            asked.map_err(io::Error::other)?;
            handle::wait_for(&receiver, None)??;
        }
        Ok(())
    }
}

/// A unicast address that nobody was assigned (IEEE 802, section 8.2.2). Loops of the same seed make
/// up the same numbers; their factories differ.
fn local_mac(factory: u64, random: u64) -> MacAddress {
    let mixed = random ^ factory.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let [a, b, c, d, e, ..] = mixed.to_be_bytes();
    MacAddress([0x02, a, b, c, d, e])
}

impl TransportFactory for Userspace {
    fn key(&self) -> &str {
        &self.inner.key
    }

    fn listens_on_every_loop(&self) -> bool {
        true
    }

    fn create(&self, seat: TransportSeat<'_>) -> io::Result<Box<dyn Transport>> {
        (self.inner.make)(seat, &self.inner)
    }
}

impl fmt::Debug for Userspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Userspace")
            .field("key", &self.inner.key)
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}
