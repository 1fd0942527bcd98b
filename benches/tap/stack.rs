//! The stack on a TAP device without pipelines: what stack and device cost, and what is left for the
//! loop above them.
//!
//! It attaches to the device named by `TAP` (tap0), is 10.99.0.2 with the station address
//! 02:00:00:00:00:02, and serves 1234 (source), 1235 (sink) and 1236 (echo) for the given seconds:
//!
//! `cargo run --profile bench --example tap-stack -- vnet 10`
//!
//! Words: `plain` (no virtio header), `csum` (header, no offload), `vnet` (offload and super-segments).
#![forbid(unsafe_code)]

use std::error::Error;
use std::os::fd::AsFd;
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::{Clock, Instant};
use fyke_poller::SystemClock;
use fyke_stack::wire::MacAddress;
use fyke_stack::{Event, Medium, Seed, Stack, StackConfig, TcpId, TxSink};
use fyke_transport::userspace::{Device, Frame, Tap, TapOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

static BLOCK: [u8; 256 * 1024] = [b'x'; 256 * 1024];
const SOURCE: u16 = 1234;
const ECHO: u16 = 1236;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mode = args.next().unwrap_or_else(|| "vnet".into());
    let seconds: u64 = args.next().map_or(Ok(10), |text| text.parse())?;
    let name = std::env::var("TAP").unwrap_or_else(|_| "tap0".into());
    let options = TapOptions::new(&name).vnet_hdr(mode != "plain").offload(mode == "vnet");
    let tap = options.open()?.remove(0).into_device();
    let mut config = StackConfig::new(Medium::Ethernet(MacAddress([2, 0, 0, 0, 0, 2])));
    config.offload = tap.offload();
    config.mtu = tap.mtu().try_into()?;
    let now = SystemClock.now();
    let mut stack = Stack::new(config, Seed::from(now.as_nanos()), now);
    stack.add_address(now, "10.99.0.2/24".parse()?)?;
    for port in SOURCE..=ECHO {
        stack.listen(([10, 99, 0, 2], port).into(), Default::default())?;
    }
    let until = now + Duration::from_secs(seconds);
    Host { stack, tap, frames: Vec::new() }.run(until)
}

struct Host {
    stack: Stack,
    tap: Tap,
    frames: Vec<Frame>,
}

impl Host {
    fn run(&mut self, until: Instant) -> Result<(), Box<dyn Error>> {
        const BUDGET: usize = 64;
        loop {
            let now = SystemClock.now();
            if now >= until {
                println!("{:?}", self.tap.counters());
                return Ok(());
            }
            let more = self.tap.receive(&mut self.frames, BUDGET)?;
            for frame in self.frames.drain(..) {
                self.stack.input(now, frame.bytes, frame.meta);
            }
            if self.stack.poll_timeout().is_some_and(|at| at <= now) {
                self.stack.handle_timeout(now);
            }
            while let Some(event) = self.stack.poll_event() {
                self.act(now, event)?;
            }
            let sent = self.stack.poll_transmit(now, &mut self.tap, BUDGET);
            if !more && sent < BUDGET {
                self.wait(until)?;
            }
        }
    }

    fn act(&mut self, now: Instant, event: Event) -> Result<(), Box<dyn Error>> {
        match event {
            Event::Acceptable(listener) => {
                while let Some(id) = self.stack.accept(listener) {
                    self.serve(now, id)?;
                }
            }
            Event::Readable(id) | Event::Writable(id) => self.serve(now, id)?,
            Event::PeerFin(id) => self.stack.close(now, id)?,
            Event::Closed(id, _) => self.stack.close(now, id)?,
            _ => {}
        }
        Ok(())
    }

    fn serve(&mut self, now: Instant, id: TcpId) -> Result<(), Box<dyn Error>> {
        let port = self.stack.endpoints(id).map_or(0, |(local, _)| local.port());
        while let Ok(Some(data)) = self.stack.read(now, id, usize::MAX) {
            if port == ECHO && !data.is_empty() {
                // The clients here never have more in flight than the buffer takes.
                self.stack.write(now, id, data)?;
            } else if data.is_empty() {
                break;
            }
        }
        if port == SOURCE {
            while let Ok(1..) = self.stack.write(now, id, Bytes::from_static(&BLOCK)) {}
        }
        Ok(())
    }

    fn wait(&mut self, until: Instant) -> Result<(), Box<dyn Error>> {
        let deadline = self.stack.poll_timeout().map_or(until, |at| at.min(until));
        let left = deadline.saturating_duration_since(SystemClock.now());
        let room = if self.tap.ready() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        let timeout = Timespec::try_from(left)?;
        let mut fds = [PollFd::from_borrowed_fd(self.tap.as_fd(), room)];
        if let Err(error) = poll(&mut fds, Some(&timeout))
            && error != rustix::io::Errno::INTR
        {
            return Err(error.into());
        }
        Ok(())
    }
}
