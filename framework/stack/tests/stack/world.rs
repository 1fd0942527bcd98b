//! Two hosts and the wire between them, in virtual time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::{
    Event, ListenOptions, ListenerId, Medium, RxMeta, Seed, Stack, StackConfig, StackError, TcpId,
};

pub(crate) const CLIENT: &str = "10.0.0.1";
pub(crate) const SERVER: &str = "10.0.0.2";
pub(crate) const CLIENT6: &str = "2001:db8::1";
pub(crate) const SERVER6: &str = "2001:db8::2";

/// Rounds of the wire after which two hosts that still talk are taken for a storm.
const ROUNDS_MAX: usize = 100_000;

/// One end.
pub(crate) struct Host {
    pub(crate) stack: Stack,
    /// Everything it sent, when somebody asked for that.
    pub(crate) sent: Vec<Bytes>,
    pub(crate) events: VecDeque<Event>,
}

impl Host {
    pub(crate) fn new(config: StackConfig, addresses: &[&str], seed: u64, now: Instant) -> Self {
        let mut stack = Stack::new(config, Seed::from(seed), now);
        for address in addresses {
            stack.add_address(now, address.parse().unwrap()).unwrap();
        }
        Self { stack, sent: Vec::new(), events: VecDeque::new() }
    }

    fn collect(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            self.events.push_back(event);
        }
    }

    /// The next event, or a panic.
    #[track_caller]
    pub(crate) fn event(&mut self) -> Event {
        self.collect();
        self.events.pop_front().expect("no event")
    }

    /// All events that wait.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        self.collect();
        self.events.drain(..).collect()
    }

    /// The frames it sends now.
    pub(crate) fn transmit(&mut self, now: Instant) -> Vec<Bytes> {
        let mut frames = Vec::new();
        self.stack.poll_transmit(now, &mut frames, usize::MAX);
        frames
    }

    /// Reads what there is.
    pub(crate) fn read_all(&mut self, now: Instant, id: TcpId) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        loop {
            match self.stack.read(now, id, usize::MAX) {
                Ok(Some(bytes)) => all.extend_from_slice(&bytes),
                Ok(None) => return (all, true),
                Err(StackError::WouldBlock) => return (all, false),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Says whether a frame arrives; the flag says that it is the client's.
pub(crate) type Filter = Box<dyn FnMut(bool, &Bytes) -> bool>;

/// Two hosts, a wire without delay, and the time.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) client: Host,
    pub(crate) server: Host,
    /// Asked about each frame.
    pub(crate) filter: Filter,
}

impl World {
    pub(crate) fn new() -> Self {
        let config = StackConfig::new(Medium::RawIp);
        Self::with(config.clone(), config)
    }

    pub(crate) fn with(client: StackConfig, server: StackConfig) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let client = Host::new(client, &["10.0.0.1/24", "2001:db8::1/64"], 1, now);
        let server = Host::new(server, &["10.0.0.2/24", "2001:db8::2/64"], 2, now);
        Self { now, client, server, filter: Box::new(|_, _| true) }
    }

    /// Carries frames until nobody has any left; says how many there were.
    #[track_caller]
    pub(crate) fn settle(&mut self) -> usize {
        let mut carried = 0;
        for _ in 0..ROUNDS_MAX {
            let forth = self.client.transmit(self.now);
            let back = self.server.transmit(self.now);
            if forth.is_empty() && back.is_empty() {
                return carried;
            }
            carried += forth.len() + back.len();
            for frame in forth {
                self.client.sent.push(frame.clone());
                if (self.filter)(true, &frame) {
                    self.server.stack.input(self.now, frame, RxMeta::default());
                }
            }
            for frame in back {
                self.server.sent.push(frame.clone());
                if (self.filter)(false, &frame) {
                    self.client.stack.input(self.now, frame, RxMeta::default());
                }
            }
        }
        panic!("the two hosts do not come to rest");
    }

    /// Lets time pass, stopping at every deadline.
    #[track_caller]
    pub(crate) fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        loop {
            let next = [self.client.stack.poll_timeout(), self.server.stack.poll_timeout()];
            let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            self.client.stack.handle_timeout(self.now);
            self.server.stack.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    #[track_caller]
    pub(crate) fn listen(&mut self, local: &str) -> ListenerId {
        self.server.stack.listen(addr(local), ListenOptions::default()).unwrap()
    }

    #[track_caller]
    pub(crate) fn connect(&mut self, remote: &str) -> TcpId {
        let options = fyke_stack::ConnectOptions::default();
        self.client.stack.connect(self.now, addr(remote), options).unwrap()
    }

    /// A connection that both ends know, and no events left.
    #[track_caller]
    pub(crate) fn established(&mut self, remote: &str) -> (TcpId, TcpId) {
        let listener = self.listen(remote);
        let client = self.connect(remote);
        self.settle();
        let server = self.server.stack.accept(listener).expect("nothing to accept");
        assert_eq!(self.client.take_events(), [Event::Connected(client)]);
        self.server.take_events();
        (client, server)
    }
}

#[track_caller]
pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// `address:port`, with brackets where the family needs them.
pub(crate) fn at(address: &str, port: u16) -> String {
    SocketAddr::new(address.parse().unwrap(), port).to_string()
}
