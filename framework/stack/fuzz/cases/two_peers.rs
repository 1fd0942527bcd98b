//! One case of two connections, for the fuzzer and for tests: the input is the schedule.
//!
//! Each byte is a step: which packet arrives next, is lost or comes twice, how much time passes,
//! what the applications do. When the input ends, the link gets good and both ends finish: then
//! everything that was written must have arrived, or somebody must have said why not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::{
    CloseReason, Config, Connection, ConnectionOption, Event, FastOpen, IcmpError, IcmpKind,
    Initial, KeepAlive, ListenAnswer, Mss, Payload, Segment, SegmentSink, SeqNum, State, listen,
    reset_for,
};

#[path = "two_peers_habits.rs"]
mod habits;

use habits::{Bits, config};

/// Steps of an input; what is behind them is not looked at.
const STEPS_MAX: usize = 600;
/// Packets under way in one direction; more are lost, the oldest first.
const UNDER_WAY_MAX: usize = 64;
/// Steps in which a good link has to bring everything to its end.
const END_STEPS_MAX: usize = 100_000;
/// Segments one end may send at one instant.
const BURST_MAX: usize = 50_000;

#[derive(Default)]
struct Sent(Vec<Segment>);

impl SegmentSink for Sent {
    fn has_room(&self) -> bool {
        true
    }

    fn send(&mut self, segment: &Segment, payload: Payload<'_>) {
        let payload: Vec<u8> = payload.flatten().copied().collect();
        self.0.push(Segment { payload: payload.into(), ..segment.clone() });
    }
}

struct End {
    config: Arc<Config>,
    initial: Initial,
    connection: Option<Connection>,
    written: u64,
    read: u64,
    closed: Option<CloseReason>,
    gone: bool,
    /// The application closed or aborted it, and with that what it had not read.
    left: bool,
}

fn pattern(end: usize, at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(end as u64) >> 29) as u8
}

struct World {
    now: Instant,
    ends: [End; 2],
    /// Packets to each end.
    under_way: [VecDeque<Segment>; 2],
    /// How many there may be.
    queue: usize,
}

/// Runs a case.
///
/// # Panics
/// When a property does not hold.
pub(crate) fn check(input: &[u8]) {
    let mut bits = Bits(input);
    let mut world = World::new(&mut bits);
    for _ in 0..STEPS_MAX {
        if bits.0.is_empty() {
            break;
        }
        world.step(&mut bits);
        world.settle();
    }
    world.finish();
}

impl World {
    fn new(bits: &mut Bits<'_>) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let kind = bits.byte();
        let both_open = kind & 3 == 3;
        // The first end opens with data in its SYN, and the other one takes it.
        let fast = kind & 0x1c == 0x1c;
        let mut end = || {
            let config = Arc::new(config(bits));
            let initial = Initial {
                iss: SeqNum::new(bits.long()),
                timestamp_offset: bits.long(),
                mss: Mss::both([1460, 536, 88, 9000][usize::from(bits.byte() & 3)]),
            };
            let connection = None;
            End {
                config,
                initial,
                connection,
                written: 0,
                read: 0,
                closed: None,
                gone: false,
                left: false,
            }
        };
        let mut ends = [end(), end()];
        for end in ends.iter_mut().take(1 + usize::from(both_open)) {
            let (config, initial) = (end.config.clone(), end.initial);
            end.connection = Some(if fast {
                let cookie = Bytes::from_static(b"12345678");
                let peer_mss = initial.mss.send.max(536);
                Connection::connect_fast(config, initial, FastOpen { cookie, peer_mss }, now)
            } else {
                Connection::connect(config, initial, now)
            });
        }
        let mut world = Self { now, ends, under_way: Default::default(), queue: UNDER_WAY_MAX };
        if fast {
            let len = usize::from(bits.word() % 2000);
            world.write(0, len);
            world.write(1, len / 2);
        }
        world.settle();
        world
    }

    fn step(&mut self, bits: &mut Bits<'_>) {
        let step = bits.byte();
        let at = usize::from(step >> 7);
        match step & 0x0f {
            0..=4 => self.arrive(at, 0, false),
            5 => self.arrive(at, usize::from(bits.byte()), false),
            6 => self.arrive(at, usize::from(bits.byte()), true),
            7 => {
                let which = usize::from(bits.byte());
                let lost = which % self.under_way[at].len().max(1);
                self.under_way[at].remove(lost);
            }
            8 => self.pass(Duration::from_micros(u64::from(bits.word()) << (step >> 4 & 7))),
            9 => {
                self.pass_until_deadline();
            }
            10 | 11 => self.write(at, usize::from((bits.word() >> (step >> 4 & 7)) % 20_000)),
            12 => {
                self.read(at, usize::from(bits.word()) + 1);
            }
            13 => self.set_option(at, bits),
            14 => self.icmp(at, bits),
            _ => self.end_of(at, step >> 4 & 7),
        }
    }

    /// A packet arrives at an end: any of those under way.
    fn arrive(&mut self, at: usize, which: usize, again: bool) {
        let which = which % self.under_way[at].len().max(1);
        let Some(segment) = (match again {
            true => self.under_way[at].get(which).cloned(),
            false => self.under_way[at].remove(which),
        }) else {
            return;
        };
        let end = &mut self.ends[at];
        if let Some(connection) = &mut end.connection {
            connection.on_segment(self.now, &segment);
            return;
        }
        let answer = if end.gone {
            reset_for(&segment)
        } else {
            match listen(&segment) {
                ListenAnswer::Open => {
                    let config = end.config.clone();
                    let cookie = segment.options.fast_open.as_ref();
                    let new = if cookie.is_some_and(|cookie| !cookie.is_empty()) {
                        Connection::accept_fast(config, &segment, end.initial, self.now)
                    } else {
                        Connection::accept(config, &segment, end.initial, self.now)
                    };
                    end.connection = Some(new);
                    None
                }
                ListenAnswer::Reset(reset) => Some(reset),
                _ => None,
            }
        };
        self.under_way[1 - at].extend(answer);
    }

    fn write(&mut self, at: usize, len: usize) {
        let end = &mut self.ends[at];
        let Some(connection) = &mut end.connection else { return };
        let data: Bytes = (0..len as u64).map(|n| pattern(at, end.written + n)).collect();
        let taken = connection.write(data, self.now);
        assert!(taken <= len);
        end.written += taken as u64;
    }

    fn read(&mut self, at: usize, max: usize) -> usize {
        let end = &mut self.ends[at];
        let Some(connection) = &mut end.connection else { return 0 };
        let Some(bytes) = connection.read(max, self.now) else { return 0 };
        assert!(!bytes.is_empty() && bytes.len() <= max);
        for byte in &bytes {
            assert_eq!(*byte, pattern(1 - at, end.read), "byte {} is another", end.read);
            end.read += 1;
        }
        bytes.len()
    }

    fn set_option(&mut self, at: usize, bits: &mut Bits<'_>) {
        let (which, value) = (bits.byte(), bits.word());
        let option = match which % 8 {
            0 => ConnectionOption::NoDelay(value & 1 == 0),
            1 => ConnectionOption::Cork(value & 1 == 0),
            2 => ConnectionOption::QuickAck(value & 1 == 0),
            3 => ConnectionOption::ReceiveBufferBytes(u32::from(value)),
            4 => ConnectionOption::SendBufferBytes(u32::from(value)),
            5 => ConnectionOption::SegmentBytesMax(value),
            6 => ConnectionOption::NotSentLowWaterBytes(u32::from(value)),
            _ => ConnectionOption::KeepAlive((value & 1 == 0).then(KeepAlive::default)),
        };
        if let Some(connection) = &mut self.ends[at].connection {
            connection.set_option(self.now, option);
        }
    }

    /// The network reports about something this end may have sent.
    fn icmp(&mut self, at: usize, bits: &mut Bits<'_>) {
        let (which, value) = (bits.byte(), bits.word());
        let Some(connection) = &mut self.ends[at].connection else { return };
        let kind = match which & 3 {
            0 => IcmpKind::Unreachable,
            _ => IcmpKind::PacketTooBig { mss: value },
        };
        let seq = connection.info().snd_una + u32::from(which >> 2);
        connection.on_icmp(self.now, IcmpError { kind, seq });
    }

    fn end_of(&mut self, at: usize, how: u8) {
        let end = &mut self.ends[at];
        let Some(connection) = &mut end.connection else { return };
        end.left |= matches!(how, 4..=6);
        match how {
            0..=3 => connection.shutdown(),
            4 | 5 => connection.close(self.now),
            6 => connection.abort(),
            _ => {}
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for end in &mut self.ends {
            if let Some(connection) = &mut end.connection {
                connection.on_timeout(self.now);
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let all = self.ends.iter().filter_map(|end| end.connection.as_ref()?.next_deadline());
        all.min()
    }

    fn pass_until_deadline(&mut self) -> bool {
        let Some(next) = self.deadline() else { return false };
        self.pass(next.saturating_duration_since(self.now));
        true
    }

    /// Both ends send what they have, and say what happened.
    fn settle(&mut self) {
        for at in 0..2 {
            let end = &mut self.ends[at];
            let Some(connection) = &mut end.connection else { continue };
            let mut sent = Sent::default();
            let mut rounds = 0;
            loop {
                let more = connection.poll(self.now, &mut sent);
                assert!(!more && sent.0.len() < BURST_MAX, "{} segments at once", sent.0.len());
                // What became due by a segment or an option is due now, but only once.
                if connection.next_deadline().is_none_or(|due| due > self.now) {
                    break;
                }
                rounds += 1;
                assert!(rounds < 4, "a timer spins");
                connection.on_timeout(self.now);
            }
            assert!(connection.check(), "the connection contradicts itself");
            while let Some(event) = connection.poll_event() {
                if let Event::Closed(reason) = event {
                    assert_eq!(end.closed.replace(reason), None, "closed twice");
                }
            }
            if connection.state() == State::Closed && connection.readable() == 0 {
                (end.connection, end.gone) = (None, true);
            }
            for segment in sent.0 {
                if self.under_way[1 - at].len() == self.queue {
                    self.under_way[1 - at].pop_front();
                }
                self.under_way[1 - at].push_back(segment);
            }
        }
    }

    /// An end in FIN-WAIT-2 whose peer is gone, and whose peer's reset was lost, hears nothing any
    /// more, and has no timer as long as somebody may want to read (RFC 9293, section 3.9.1.4). Its
    /// application gives up: the connection must end by that.
    fn close_half_closed(&mut self) -> bool {
        let mut closed = false;
        for at in 0..2 {
            let peer_failed =
                self.ends[1 - at].closed.is_some_and(|reason| reason != CloseReason::Finished);
            let end = &mut self.ends[at];
            if let Some(connection) = &mut end.connection
                && connection.state() == State::FinWait2
                && peer_failed
                && !end.left
            {
                end.left = true;
                connection.close(self.now);
                closed = true;
            }
        }
        closed
    }

    /// A good link, and applications that want to end.
    fn finish(&mut self) {
        self.queue = usize::MAX;
        for end in &mut self.ends {
            if let Some(connection) = &mut end.connection {
                connection.set_option(self.now, ConnectionOption::ReceiveBufferBytes(1 << 20));
            }
        }
        for _ in 0..END_STEPS_MAX {
            let mut moved = false;
            for at in 0..2 {
                if let Some(connection) = &mut self.ends[at].connection {
                    connection.shutdown();
                }
                moved |= self.read(at, usize::MAX) > 0;
                self.settle();
                moved |= !self.under_way[at].is_empty();
                while !self.under_way[at].is_empty() {
                    self.arrive(at, 0, false);
                }
                self.settle();
            }
            if !moved && !self.pass_until_deadline() && !self.close_half_closed() {
                break;
            }
            self.settle();
        }
        assert_eq!(self.deadline(), None, "it does not come to its end");
        let [one, two] = &self.ends;
        for (end, peer) in [(one, two), (two, one)] {
            let open = end.connection.as_ref().map(Connection::state);
            assert!(open.is_none(), "left in {open:?}, and the peer {:?}", peer.closed);
            assert!(end.read <= peer.written);
            let whole = [end.closed, peer.closed] == [Some(CloseReason::Finished); 2];
            assert!(
                !whole || end.left || end.read == peer.written,
                "{} of {}",
                end.read,
                peer.written
            );
        }
    }
}
