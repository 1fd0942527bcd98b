//! One end: a connection, the application, and the model it is held against.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::{
    CloseReason, Config, Connection, Event, FastOpen, Flags, Initial, ListenAnswer, Segment, State,
    listen, reset_for,
};

use crate::model::{Model, Verdict};
use crate::program::Do;

/// What a path carries, without options: several segments for few bytes.
pub const PATH_MSS: u16 = 100;
const COOKIE: &[u8] = b"house's!";

/// The byte at `at` of the stream that end `index` writes.
pub fn pattern(index: usize, at: u64) -> u8 {
    ((at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 + ((index as u64) << 7)) >> 33) as u8
}

pub struct End {
    index: usize,
    config: Arc<Config>,
    initial: Initial,
    /// None while it listens.
    pub connection: Option<Connection>,
    pub model: Model,
    program: &'static [Do],
    step: usize,
    asleep: Option<Instant>,
    holds: bool,
    left_to_write: u64,
    pub written: u64,
    pub read: u64,
    connected: bool,
    peer_fin: bool,
    pub closed: Option<CloseReason>,
    pub resets: u32,
    /// Text that came in order waits for its acknowledgement since then.
    owes: Option<Instant>,
}

impl End {
    pub fn new(index: usize, config: Config, initial: Initial, program: &'static [Do]) -> Self {
        let model = Model::new(&config, initial.iss);
        Self {
            index,
            config: Arc::new(config),
            initial,
            connection: None,
            model,
            program,
            step: 0,
            asleep: None,
            holds: false,
            left_to_write: 0,
            written: 0,
            read: 0,
            connected: false,
            peer_fin: false,
            closed: None,
            resets: 0,
            owes: None,
        }
    }

    pub fn connect(&mut self, now: Instant, fast: bool) {
        let config = self.config.clone();
        self.model.active = true;
        self.connection = Some(if fast {
            let known = FastOpen { cookie: Bytes::from_static(COOKIE), peer_mss: PATH_MSS };
            Connection::connect_fast(config, self.initial, known, now)
        } else {
            Connection::connect(config, self.initial, now)
        });
    }

    pub fn state(&self) -> State {
        self.connection.as_ref().map_or(State::Closed, Connection::state)
    }

    pub fn deadline(&self) -> Option<Instant> {
        let deadline = self.connection.as_ref().and_then(Connection::next_deadline);
        deadline.into_iter().chain(self.asleep).min()
    }

    /// Whether the application has done all it wanted to, and the connection is over.
    pub fn is_done(&self) -> bool {
        self.closed.is_some() && self.state() == State::Closed
    }

    /// Whether the application has come to the end of its program.
    pub fn is_through(&self) -> bool {
        self.step == self.program.len() && self.left_to_write == 0
    }

    /// A segment arrives; what is answered where there is no connection. Says, too, whether it has to
    /// be answered at once.
    pub fn arrives(&mut self, now: Instant, segment: &Segment) -> (Option<Segment>, bool) {
        if self.connection.is_none() {
            return (self.heard_by_listener(now, segment), false);
        }
        let state = self.state();
        if state == State::Closed {
            return (reset_for(segment), false);
        }
        let room = self.room();
        let verdict = self.model.take(now, segment, state, room);
        if verdict == Verdict::Soon {
            self.owes.get_or_insert(now);
        }
        let connection = self.connection.as_mut().expect("there is one");
        connection.on_segment(now, segment);
        let may_answer = connection.state() != State::Closed && self.model.established;
        self.agrees();
        (None, verdict == Verdict::Now && may_answer)
    }

    /// What is left of the receive buffer, which may have grown.
    fn room(&self) -> i64 {
        let Some(connection) = &self.connection else { return 0 };
        i64::from(connection.info().receive_buffer) - (self.model.text() - self.read as i64)
    }

    fn heard_by_listener(&mut self, now: Instant, segment: &Segment) -> Option<Segment> {
        match listen(segment) {
            ListenAnswer::Ignore => None,
            ListenAnswer::Reset(reset) => Some(reset),
            ListenAnswer::Open => {
                let fast = segment.options.fast_open.as_deref() == Some(COOKIE);
                let (config, initial) = (self.config.clone(), self.initial);
                let config_window = i64::from(self.config.receive_buffer_bytes);
                self.model.edge = config_window;
                let mut segment = segment.clone();
                if !fast {
                    // What nobody vouches for comes again.
                    segment.payload = Bytes::new();
                }
                self.model.take_syn(now, &segment);
                self.connection = Some(if fast {
                    Connection::accept_fast(config, &segment, initial, now)
                } else {
                    Connection::accept(config, &segment, initial, now)
                });
                None
            }
        }
    }

    pub fn forged(&self, forged: crate::fate::Forged) -> Option<Segment> {
        let connection = self.connection.as_ref()?;
        forged.segment(&connection.info(), self.model.irs.unwrap_or_default())
    }

    /// Whether the connection knows what it must.
    fn agrees(&self) {
        let Some(connection) = &self.connection else { return };
        assert!(connection.check(), "the connection contradicts itself: {connection:?}");
        self.model.agrees(&connection.info(), connection.recent_timestamp());
    }

    /// A segment leaves.
    pub fn leaves(&mut self, segment: &Segment) {
        let state = self.state();
        if segment.flags.contains(Flags::RST) && state == State::Closed {
            self.resets += 1;
        }
        if segment.flags.contains(Flags::ACK) {
            self.owes = None;
        }
        let room = self.room();
        self.model.leaves((self.index, self.written), segment, state, room);
    }

    /// What must hold before time goes on.
    pub fn check(&self, now: Instant) {
        let Some(connection) = &self.connection else { return };
        self.agrees();
        let info = connection.info();
        if info.state == State::Closed {
            assert_eq!(connection.next_deadline(), None, "a closed connection waits");
            return;
        }
        if let Some(since) = self.owes {
            assert!(now - since <= Duration::from_millis(500), "text waits for its ACK");
        }
        let waits = info.unsent > 0 || info.unacknowledged > 0 || self.fin_waits();
        if waits {
            assert!(connection.next_deadline().is_some(), "nothing will move it: {info:?}");
        }
        if let Some(at) = connection.next_deadline() {
            assert!(at > now, "a deadline at {at}, which is no later than now");
        }
    }

    fn fin_waits(&self) -> bool {
        self.model.own_fin.is_some_and(|fin| self.model.una <= fin)
    }

    /// The application's turn.
    pub fn turn(&mut self, now: Instant) {
        while let Some(event) = self.connection.as_mut().and_then(Connection::poll_event) {
            self.hears(event);
        }
        self.read_and_write(now);
        while let Some(next) = self.program.get(self.step).copied() {
            if self.connection.is_none() || self.left_to_write > 0 || !self.does(now, next) {
                return;
            }
            self.step += 1;
            self.read_and_write(now);
        }
    }

    fn hears(&mut self, event: Event) {
        match event {
            Event::Connected => assert!(!std::mem::replace(&mut self.connected, true), "twice"),
            Event::PeerFin => assert!(!std::mem::replace(&mut self.peer_fin, true), "two FINs"),
            Event::Closed(reason) => assert!(self.closed.replace(reason).is_none(), "closed twice"),
            _ => {}
        }
    }

    fn read_and_write(&mut self, now: Instant) {
        let Some(connection) = &mut self.connection else { return };
        while !self.holds
            && let Some(bytes) = connection.read(77, now)
        {
            assert!(!bytes.is_empty() && bytes.len() <= 77);
            for (at, byte) in (self.read..).zip(bytes.iter()) {
                assert_eq!(
                    *byte,
                    pattern(1 - self.index, at),
                    "byte {at} that was read is another"
                );
            }
            self.read += bytes.len() as u64;
        }
        if self.left_to_write > 0 {
            let range = self.written..self.written + self.left_to_write;
            let data: Bytes = range.map(|at| pattern(self.index, at)).collect();
            let taken = connection.write(data, now) as u64;
            self.written += taken;
            self.left_to_write -= taken;
            if self.closed.is_some() {
                self.left_to_write = 0;
            }
        }
    }

    /// Whether it is done.
    pub fn does(&mut self, now: Instant, next: Do) -> bool {
        let over = self.closed.is_some();
        let Some(connection) = &mut self.connection else { return false };
        match next {
            Do::Connected => return self.connected || over,
            Do::Have(bytes) => return self.read >= bytes || over,
            Do::End => return (self.peer_fin && connection.is_at_end()) || over,
            Do::SleepMillis(millis) => {
                let wakes = *self.asleep.get_or_insert(now + Duration::from_millis(millis));
                if wakes > now {
                    return false;
                }
                self.asleep = None;
            }
            Do::Write(bytes) => self.left_to_write = bytes,
            Do::Hold => self.holds = true,
            Do::Read => self.holds = false,
            Do::Shutdown => {
                connection.shutdown();
                self.fin_is_wanted();
            }
            Do::Close => {
                connection.close(now);
                self.fin_is_wanted();
            }
            Do::Abort => connection.abort(),
        }
        true
    }

    fn fin_is_wanted(&mut self) {
        if self.model.own_fin.is_none() {
            self.model.own_fin = Some(self.written as i64 + 1);
            self.model.peer_first = self.model.finished;
        }
    }
}
