//! One host that is several stacks: nobody outside can tell.

mod answers;
mod flows;
mod likeness;
mod steering;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::wire::MacAddress;
use fyke_stack::{
    DropReason, EchoRequest, Event, IcmpOptions, Medium, RxMeta, Seed, Shards, Stack, StackConfig,
    StackError, Steer,
};

pub(crate) const COUNTS: [u16; 3] = [1, 2, 4];
pub(crate) const MAC_A: MacAddress = MacAddress([2, 0, 0, 0, 0, 0xa]);
pub(crate) const MAC_B: MacAddress = MacAddress([2, 0, 0, 0, 0, 0xb]);

/// A host of some stacks.
pub(crate) struct Host {
    pub(crate) shards: Shards,
    pub(crate) stacks: Vec<Stack>,
    /// Everything it sent.
    pub(crate) sent: Vec<Bytes>,
}

impl Host {
    pub(crate) fn new(count: u16, config: &StackConfig, seed: u64, now: Instant) -> Self {
        let shards = Shards::new(count, Seed::from(seed));
        let stack = |index| {
            let mut config = config.clone();
            config.shard = shards.shard(index);
            // A seed of its own is not used.
            Stack::new(config, Seed::from(u64::from(index) + 100), now)
        };
        let stacks = (0..count).map(stack).collect();
        Self { shards, stacks, sent: Vec::new() }
    }

    pub(crate) fn add(&mut self, now: Instant, cidrs: &[&str]) {
        for stack in &mut self.stacks {
            for cidr in cidrs {
                stack.add_address(now, cidr.parse().unwrap()).unwrap();
            }
        }
    }

    /// Gives a frame to whom it is for.
    pub(crate) fn input(&mut self, now: Instant, frame: &Bytes) {
        self.input_with(now, frame, RxMeta::default());
    }

    /// The same, with what the device knows about it.
    pub(crate) fn input_with(&mut self, now: Instant, frame: &Bytes, meta: RxMeta) {
        let medium = self.stacks[0].config().medium;
        let to = match self.shards.steer(medium, frame) {
            Steer::Owner(owner) => usize::from(owner)..usize::from(owner) + 1,
            Steer::Everyone => 0..self.stacks.len(),
            _ => 0..1,
        };
        for stack in &mut self.stacks[to] {
            stack.input(now, frame.clone(), meta);
        }
    }

    /// What all of its stacks send now.
    pub(crate) fn transmit(&mut self, now: Instant) -> Vec<Bytes> {
        let mut frames = Vec::new();
        for stack in &mut self.stacks {
            stack.poll_transmit(now, &mut frames, usize::MAX);
        }
        self.sent.extend_from_slice(&frames);
        frames
    }

    pub(crate) fn take_events(&mut self) -> Vec<(usize, Event)> {
        let mut events = Vec::new();
        for (index, stack) in self.stacks.iter_mut().enumerate() {
            events.extend(std::iter::from_fn(|| stack.poll_event()).map(|event| (index, event)));
        }
        events
    }

    pub(crate) fn drops(&self, reason: DropReason) -> u64 {
        self.stacks.iter().map(|stack| stack.counters().drops[reason]).sum()
    }

    pub(crate) fn resets(&self) -> u64 {
        self.stacks.iter().map(|stack| stack.counters().resets_out).sum()
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.stacks.iter().filter_map(|stack| stack.poll_timeout()).min()
    }
}

/// Two hosts on one wire.
pub(crate) struct Wire {
    pub(crate) now: Instant,
    pub(crate) a: Host,
    pub(crate) b: Host,
}

pub(crate) fn config(mac: MacAddress) -> StackConfig {
    let mut config = StackConfig::new(Medium::Ethernet(mac));
    config.duplicate_address_probes = 0;
    config
}

impl Wire {
    /// Host A of `a` stacks and host B of `b`, after both have announced themselves.
    pub(crate) fn new(a: u16, b: u16) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let mut a = Host::new(a, &config(MAC_A), 1, now);
        let mut b = Host::new(b, &config(MAC_B), 2, now);
        a.add(now, &["10.0.0.1/24", "2001:db8::1/64"]);
        b.add(now, &["10.0.0.2/24", "2001:db8::2/64"]);
        let mut wire = Self { now, a, b };
        wire.settle();
        // Every stack finds out where the other host is, by asking.
        ask(&mut wire.a, now, ["10.0.0.2", "2001:db8::2"]);
        ask(&mut wire.b, now, ["10.0.0.1", "2001:db8::1"]);
        wire.settle();
        wire.a.sent.clear();
        wire.b.sent.clear();
        wire
    }

    /// Carries frames until there are none.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            let (forth, back) = (self.a.transmit(self.now), self.b.transmit(self.now));
            if forth.is_empty() && back.is_empty() {
                return;
            }
            forth.iter().for_each(|frame| self.b.input(self.now, frame));
            back.iter().for_each(|frame| self.a.input(self.now, frame));
        }
        panic!("the two hosts do not come to rest");
    }

    /// Lets time pass.
    #[track_caller]
    pub(crate) fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        while let Some(next) = [self.a.next_deadline(), self.b.next_deadline()]
            .into_iter()
            .flatten()
            .min()
            .filter(|next| *next <= end)
        {
            self.now = self.now.max(next);
            for stack in self.a.stacks.iter_mut().chain(&mut self.b.stacks) {
                stack.handle_timeout(self.now);
            }
            self.settle();
        }
        self.now = end;
    }

    /// What no frame may ever lead to.
    #[track_caller]
    pub(crate) fn assert_nothing_went_astray(&self) {
        for host in [&self.a, &self.b] {
            assert_eq!((host.resets(), host.drops(DropReason::OtherShard)), (0, 0));
            assert_eq!(host.drops(DropReason::TcpNoSocket), 0);
        }
    }
}

/// Each stack pings each of the addresses, and forgets about it.
fn ask(host: &mut Host, now: Instant, addresses: [&str; 2]) {
    for stack in &mut host.stacks {
        let id = stack.icmp_open(IcmpOptions::default()).unwrap();
        for address in addresses {
            let request = EchoRequest::new(address.parse().unwrap(), 1, Bytes::new());
            stack.icmp_send(now, id, &request).unwrap();
        }
        stack.icmp_close(id).unwrap();
    }
}

/// How often each frame came; a second one is an answer too many.
pub(crate) fn tally(frames: &[Bytes], keep: impl Fn(&Bytes) -> bool) -> BTreeMap<Bytes, usize> {
    let mut tally = BTreeMap::new();
    for frame in frames.iter().filter(|frame| keep(frame)) {
        *tally.entry(frame.clone()).or_default() += 1;
    }
    tally
}

pub(crate) fn would_block<T>(result: &Result<T, StackError>) -> bool {
    matches!(result, Err(StackError::WouldBlock))
}
