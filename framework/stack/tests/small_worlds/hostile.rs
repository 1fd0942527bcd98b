//! A peer that sends anything, most of it at the edges of what counts, held against the model.
//!
//! ```text
//! FYKE_SEEDS=0..100000 cargo test --release -p fyke-stack --test small_worlds whatever
//! ```

use std::fmt::Write as _;
use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::{
    ConnectionOption, EcnMode, Flags, Initial, Mss, Options, SackBlocks, Segment, SeqNum, State,
    Timestamp,
};

use crate::dialect::{DIALECTS, Dialect};
use crate::end::{End, PATH_MSS, pattern};
use crate::program::Do;
use crate::rng::Rng;
use crate::world::Sent;

const STEPS: u64 = 160;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a seed makes of a peer, and the end that has to do with it.
pub struct Hostile {
    rng: Rng,
    now: Instant,
    end: End,
    irs: SeqNum,
    /// What the peer's clock showed last.
    clock: u32,
    timestamps: bool,
    pub tell: bool,
    pub story: String,
}

impl Hostile {
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let dialect: &Dialect = &DIALECTS[rng.below(DIALECTS.len() as u64) as usize];
        let mut config = dialect.config(0);
        config.nagle = rng.chance(0.5);
        config.window_scaling = rng.chance(0.7);
        config.sack = rng.chance(0.7);
        config.timestamps = rng.chance(0.7);
        config.ecn = rng.pick(&[EcnMode::Off, EcnMode::Passive]);
        config.gso_bytes_max = rng.pick(&[0, 0, 500, 65_000]);
        config.receive_buffer_bytes_max = rng.pick(&[300, 300, 1 << 18, 1 << 20]);
        config.challenge_acks_per_second = rng.pick(&[1, 10, 100]);
        config.out_of_order_ranges_max = 1000;
        let number =
            |rng: &mut Rng| rng.pick(&[0, 0x8000_0000_u32]).wrapping_sub(rng.below(400) as u32);
        let initial = Initial {
            iss: SeqNum::new(number(&mut rng)),
            timestamp_offset: number(&mut rng).wrapping_sub(1000),
            mss: Mss::both(PATH_MSS),
        };
        let irs = SeqNum::new(number(&mut rng));
        let clock = number(&mut rng);
        let timestamps = rng.chance(0.7);
        let end = End::new(0, config, initial, &[]);
        let now = Instant::from_nanos(1_000_000_000);
        Self { rng, now, end, irs, clock, timestamps, tell: false, story: String::new() }
    }

    pub fn run(&mut self) {
        self.open();
        for _ in 0..STEPS {
            if self.end.state() == State::Closed {
                return;
            }
            match self.rng.below(20) {
                0..12 => self.send(),
                12..16 => self.time_goes_on(),
                _ => self.application(),
            }
            self.turn();
            self.end.check(self.now);
        }
    }

    fn open(&mut self) {
        let scale = self.rng.chance(0.7).then(|| self.rng.pick(&[0, 1, 7, 14, 200]));
        let mut syn = self.segment(self.irs, b"".to_vec());
        syn.flags = Flags::SYN;
        syn.options.mss = self.rng.chance(0.8).then(|| self.rng.within(1..=300) as u16);
        syn.options.window_scale = scale;
        syn.options.sack_permitted = self.rng.chance(0.7);
        if self.rng.chance(0.5) {
            self.end.connect(self.now, false);
            self.turn();
            if self.rng.chance(0.8) {
                syn.flags |= Flags::ACK;
                syn.ack = self.end.model.iss + 1;
            }
        }
        if self.rng.chance(0.2) {
            let len = self.rng.within(1..=200);
            syn.payload = (0..len).map(|at| pattern(1, at)).collect();
        }
        self.give(&syn);
    }

    /// A segment at `seq`, with what every one carries.
    fn segment(&mut self, seq: SeqNum, payload: Vec<u8>) -> Segment {
        let rng = &mut self.rng;
        let ahead = rng.pick(&[0, 0, 1, 10, 5000, u32::MAX, 0x7fff_ffff, 0x8000_0000]);
        let value = self.clock.wrapping_add(ahead);
        self.clock = self.clock.wrapping_add(ahead.min(5000));
        let echo = rng.next() as u32;
        let told = self.timestamps && rng.chance(0.95);
        let timestamp = told.then_some(Timestamp { value, echo });
        let window = rng.pick(&[0, 1, 2, 50, 99, 100, 300, 301, 1000, u16::MAX]);
        let options = Options { timestamp, ..Options::default() };
        Segment {
            seq,
            flags: Flags::ACK,
            window,
            options,
            payload: payload.into(),
            ..Segment::default()
        }
    }

    fn send(&mut self) {
        let (next, edge, una, nxt, most) = self.end.model.edges();
        let rng = &mut self.rng;
        let near = rng.pick(&[-1, 0, 0, 0, 1, 2, 50, 99, 100, 101]);
        let seq = rng.pick(&[next, next, next, next - 100, edge, edge - 1, 0, 1]) + near;
        let len =
            if rng.chance(0.4) { 0 } else { rng.pick(&[1, 2, 50, 99, 100, 100, 300, edge - seq]) };
        let len = len.clamp(0, 2000);
        let near = rng.pick(&[0, 0, 0, 0, 0, -1, 1]);
        let ack = rng.pick(&[
            nxt,
            nxt,
            una,
            una + 100,
            una - most,
            una - 1,
            nxt - 100,
            1,
            i64::from(i32::MIN),
        ]) + near;
        let mut flags = if rng.chance(0.97) { Flags::ACK } else { Flags::NONE };
        for (flag, often) in
            [(Flags::FIN, 0.04), (Flags::PSH, 0.3), (Flags::URG, 0.05), (Flags::SYN, 0.02)]
        {
            flags |= if rng.chance(often) { flag } else { Flags::NONE };
        }
        if seq != next && rng.chance(0.03) {
            flags |= Flags::RST;
        }
        let blocks = self.blocks(una, nxt);
        let start = seq + i64::from(flags.contains(Flags::SYN)) - 1;
        let payload = (start..start + len).map(|at| pattern(1, at.max(0) as u64)).collect();
        let mut segment = self.segment(self.irs + seq as u32, payload);
        (segment.flags, segment.ack) = (flags, self.end.model.iss + ack as u32);
        segment.options.sack = blocks;
        self.give(&segment);
    }

    /// Blocks of what is in flight, and some of what is not.
    fn blocks(&mut self, una: i64, nxt: i64) -> SackBlocks {
        let mut blocks = SackBlocks::EMPTY;
        for _ in 0..self.rng.pick(&[0, 0, 1, 2, 4]) {
            let at = una - 120 + self.rng.below((nxt - una + 240) as u64) as i64;
            let end = at + self.rng.pick(&[1, 10, 100, 200, nxt - at, -5]);
            let iss = self.end.model.iss;
            blocks.push(iss + at as u32, iss + end as u32);
        }
        blocks
    }

    fn give(&mut self, segment: &Segment) {
        self.tell(format_args!("< {segment:?}"));
        let (_, at_once) = self.end.arrives(self.now, segment);
        let answers = self.turn();
        assert!(answers > 0 || !at_once, "it is not answered at once");
    }

    fn time_goes_on(&mut self) {
        let deadline = self.end.deadline();
        let step = Duration::from_nanos(self.rng.magnitude(1_000..=3_000_000_000));
        let step = if self.rng.chance(0.03) { 25 * DAY } else { step };
        let until = self.now + step;
        self.now = deadline.filter(|_| step < DAY).map_or(until, |at| at.min(until));
        self.clock = self.clock.wrapping_add(step.as_millis() as u32);
        if let Some(connection) = &mut self.end.connection {
            connection.on_timeout(self.now);
            self.tell(format_args!("timer"));
        }
    }

    fn application(&mut self) {
        if self.rng.chance(0.2) {
            return self.set_option();
        }
        let next = match self.rng.below(20) {
            0 => Do::Shutdown,
            1..8 => Do::Hold,
            8..13 => Do::Read,
            _ => Do::Write(self.rng.magnitude(1..=2000)),
        };
        if self.end.is_through() {
            self.tell(format_args!("{next:?}"));
            self.end.does(self.now, next);
        }
    }

    /// Room that was offered stays, also when the buffer is made smaller.
    fn set_option(&mut self) {
        let on = self.rng.chance(0.5);
        let option = match self.rng.below(5) {
            0 => ConnectionOption::NoDelay(on),
            1 => ConnectionOption::Cork(on),
            2 => ConnectionOption::QuickAck(on),
            3 => ConnectionOption::SendBufferBytes(self.rng.pick(&[1, 300, 5000])),
            _ => ConnectionOption::ReceiveBufferBytes(self.rng.pick(&[1, 99, 300, 5000])),
        };
        self.tell(format_args!("{option:?}"));
        if let Some(connection) = &mut self.end.connection {
            connection.set_option(self.now, option);
        }
    }

    fn tell(&mut self, what: std::fmt::Arguments<'_>) {
        if self.tell {
            let _ = writeln!(self.story, "{} {} {what}", self.now, self.end.state());
        }
    }

    fn turn(&mut self) -> usize {
        let mut count = 0;
        for _ in 0..2 {
            self.end.turn(self.now);
            let Some(connection) = &mut self.end.connection else { return 0 };
            let mut sent = Sent::default();
            connection.poll(self.now, &mut sent);
            count += sent.0.len();
            for segment in sent.0 {
                self.tell(format_args!("> {segment:?}"));
                self.end.leaves(&segment);
            }
        }
        count
    }
}
