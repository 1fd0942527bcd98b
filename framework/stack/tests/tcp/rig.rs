//! One connection under test and a scripted peer, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::{
    Config, Connection, Event, Flags, Initial, Mss, Options, Payload, Segment, SegmentSink, SeqNum,
    State,
};

/// Our initial sequence number and the peer's.
pub const ISS: u32 = 1000;
pub const IRS: u32 = 5000;
/// The peer's window.
pub const WINDOW: u16 = 60_000;

#[derive(Default)]
pub struct Sent(pub Vec<Segment>);

impl SegmentSink for Sent {
    fn has_room(&self) -> bool {
        true
    }

    fn send(&mut self, segment: &Segment, payload: Payload<'_>) {
        let payload: Vec<u8> = payload.flatten().copied().collect();
        self.0.push(Segment { payload: payload.into(), ..segment.clone() });
    }
}

pub struct Rig {
    pub connection: Connection,
    pub now: Instant,
    /// The peer's next sequence number.
    pub seq: u32,
}

/// No timestamps, SACK, scaling and quick acknowledgements: the plain machine of RFC 9293.
pub fn plain() -> Config {
    let mut config = Config::linux();
    config.timestamps = false;
    config.sack = false;
    config.window_scaling = false;
    config.receive_buffer_bytes = 10_000;
    config.receive_buffer_bytes_max = 10_000;
    config.quick_acks = 0;
    config.invalid_ack_interval = Duration::ZERO;
    config.challenge_acks_per_second = 100;
    config.answer_unsent_ack = true;
    config.congestion.reduce_from_window = false;
    config
}

pub fn initial() -> Initial {
    Initial { iss: SeqNum::new(ISS), timestamp_offset: 7, mss: Mss::both(1460) }
}

impl Rig {
    pub fn start() -> Instant {
        Instant::from_nanos(1_000_000_000)
    }

    pub fn connect(config: Config) -> Self {
        let now = Self::start();
        let connection = Connection::connect(Arc::new(config), initial(), now);
        let mut rig = Self { connection, now, seq: IRS };
        assert_eq!(rig.poll().len(), 1, "the SYN");
        rig
    }

    pub fn accept(config: Config) -> Self {
        let now = Self::start();
        let syn = syn();
        let connection = Connection::accept(Arc::new(config), &syn, initial(), now);
        let mut rig = Self { connection, now, seq: IRS + 1 };
        assert_eq!(rig.poll().len(), 1, "the SYN-ACK");
        rig
    }

    /// Established by an active open, with everything acknowledged.
    pub fn established(config: Config) -> Self {
        Self::established_with(config, Options { mss: Some(1460), ..Options::default() })
    }

    /// The same with what the peer's SYN-ACK offers.
    pub fn established_with(config: Config, options: Options) -> Self {
        let mut rig = Self::connect(config);
        rig.give(Segment {
            seq: SeqNum::new(IRS),
            ack: SeqNum::new(ISS + 1),
            flags: Flags::SYN | Flags::ACK,
            window: WINDOW,
            options,
            ..Segment::default()
        });
        rig.seq = IRS + 1;
        assert_eq!(rig.poll().len(), 1, "the third segment");
        assert_eq!(rig.connection.state(), State::Established);
        while rig.connection.poll_event().is_some() {}
        rig
    }

    /// A connection in each of the states that one can be in.
    pub fn in_state(state: State) -> Self {
        let mut rig = match state {
            State::SynSent => Self::connect(plain()),
            State::SynReceived => Self::accept(plain()),
            _ => Self::established(plain()),
        };
        match state {
            State::Closed => rig.connection.abort(),
            State::FinWait1 | State::FinWait2 | State::Closing | State::TimeWait => {
                rig.connection.shutdown();
                assert_eq!(rig.poll().len(), 1, "our FIN");
                if matches!(state, State::FinWait2 | State::TimeWait) {
                    rig.ack(ISS + 2);
                }
                match state {
                    State::Closing => rig.fin(ISS + 1),
                    State::TimeWait => rig.fin(ISS + 2),
                    _ => {}
                }
            }
            State::CloseWait | State::LastAck => {
                rig.fin(ISS + 1);
                if state == State::LastAck {
                    rig.poll();
                    rig.connection.shutdown();
                }
            }
            _ => {}
        }
        rig.poll();
        assert_eq!(rig.connection.state(), state);
        rig
    }

    pub fn give(&mut self, segment: Segment) {
        self.connection.on_segment(self.now, &segment);
    }

    /// A segment of the peer's at its next number, acknowledging `ack`.
    pub fn segment(&self, flags: Flags, ack: u32, payload: &'static [u8]) -> Segment {
        Segment {
            seq: SeqNum::new(self.seq),
            ack: SeqNum::new(ack),
            flags,
            window: WINDOW,
            payload: Bytes::from_static(payload),
            ..Segment::default()
        }
    }

    pub fn ack(&mut self, ack: u32) {
        self.give(self.segment(Flags::ACK, ack, b""));
    }

    pub fn fin(&mut self, ack: u32) {
        self.give(self.segment(Flags::FIN | Flags::ACK, ack, b""));
        self.seq += 1;
    }

    /// Payload in order.
    pub fn data(&mut self, payload: &[u8]) {
        let ack = self.connection.info().snd_nxt.value();
        let mut segment = self.segment(Flags::ACK, ack, b"");
        segment.payload = Bytes::copy_from_slice(payload);
        self.seq += payload.len() as u32;
        self.give(segment);
    }

    pub fn poll(&mut self) -> Vec<Segment> {
        let mut sent = Sent::default();
        self.connection.poll(self.now, &mut sent);
        assert!(self.connection.check(), "the connection contradicts itself");
        sent.0
    }

    pub fn write(&mut self, len: usize) {
        assert_eq!(self.connection.write(vec![b'x'; len].into(), self.now), len);
    }

    pub fn pass(&mut self, time: Duration) -> Vec<Segment> {
        let until = self.now + time;
        let mut sent = Vec::new();
        while let Some(at) = self.connection.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.connection.on_timeout(self.now);
            sent.extend(self.poll());
        }
        self.now = until;
        sent
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.connection.poll_event()).collect()
    }
}

pub fn syn() -> Segment {
    Segment {
        seq: SeqNum::new(IRS),
        flags: Flags::SYN,
        window: WINDOW,
        options: Options { mss: Some(1460), ..Options::default() },
        ..Segment::default()
    }
}

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
