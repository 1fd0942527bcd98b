//! A connection as the RFCs tell of it, slow and simple: numbers are counted from the initial ones
//! (the SYN is 0), and every byte is looked at by itself. It decides nothing; it says what a
//! connection must know when it has got a segment, and so what it must tell.

use std::collections::BTreeSet;

use fyke_clock::Instant;
use fyke_stack::tcp::{Config, Flags, Info, Segment, SeqNum, State};

/// RFC 7323, section 5.5.
const PAWS_FORGETS_NANOS: u64 = 24 * 24 * 3600 * 1_000_000_000;

/// What a segment was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It counts, or it is nothing that anybody waits for an answer to.
    Quiet,
    /// It has to be acknowledged within half a second.
    Soon,
    /// It has to be answered at once: what it carried is not what is waited for (RFC 5681, section
    /// 4.2; RFC 9293, section 3.10.7.4), or it is the FIN.
    Now,
}

#[derive(Debug)]
pub struct Model {
    pub iss: SeqNum,
    pub irs: Option<SeqNum>,
    /// It sent its SYN before it heard of another.
    pub active: bool,
    timestamps_required: bool,
    tells_room: bool,
    /// The options of both SYNs.
    pub own: SynOptions,
    pub peer: SynOptions,
    /// RCV.NXT, the right edge that was told, what is beyond RCV.NXT, and Last.ACK.sent.
    pub next: i64,
    pub edge: i64,
    pub beyond: BTreeSet<i64>,
    pub acked: i64,
    /// The peer's FIN, and whether all before it is here.
    fin: Option<i64>,
    pub finished: bool,
    /// The range that changed last, which is told first (RFC 2018, section 4).
    pub changed: Option<i64>,
    /// SND.UNA, SND.NXT, SND.WND, SND.WL1, SND.WL2 and MAX.SND.WND.
    pub una: i64,
    pub nxt: i64,
    wnd: i64,
    wl1: i64,
    wl2: i64,
    wnd_max: i64,
    /// The furthest that the peer ever let us send.
    pub limit: i64,
    /// TS.Recent, and when it was set.
    pub recent: u32,
    recent_at: Instant,
    /// Where our FIN stands once it is wanted, and whether the peer's came before that.
    pub own_fin: Option<i64>,
    pub peer_first: bool,
    pub established: bool,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct SynOptions {
    pub timestamps: bool,
    pub scale: Option<u8>,
    pub sack: bool,
}

impl SynOptions {
    pub fn of(segment: &Segment) -> Self {
        let options = &segment.options;
        let timestamps = options.timestamp.is_some();
        // Above 14 means 14 (RFC 7323, section 2.3).
        let scale = options.window_scale.map(|scale| scale.min(14));
        Self { timestamps, scale, sack: options.sack_permitted }
    }
}

/// How far `number` is behind `start`: worlds are small.
pub fn offset(number: SeqNum, start: SeqNum) -> i64 {
    i64::from(number.value().wrapping_sub(start.value()) as i32)
}

impl Model {
    pub fn new(config: &Config, iss: SeqNum) -> Self {
        Self {
            iss,
            irs: None,
            active: false,
            timestamps_required: config.timestamps_required,
            tells_room: config.window_tells_room,
            own: SynOptions::default(),
            peer: SynOptions::default(),
            next: 0,
            edge: 0,
            beyond: BTreeSet::new(),
            acked: 0,
            fin: None,
            finished: false,
            changed: None,
            una: 0,
            nxt: 1,
            wnd: 0,
            wl1: 0,
            wl2: 0,
            wnd_max: 0,
            limit: 0,
            recent: 0,
            recent_at: Instant::ZERO,
            own_fin: None,
            peer_first: false,
            established: false,
        }
    }

    /// RCV.NXT, the right edge, SND.UNA, SND.NXT, MAX.SND.WND.
    pub fn edges(&self) -> (i64, i64, i64, i64, i64) {
        (self.next, self.edge, self.una, self.nxt, self.wnd_max)
    }

    /// How much text came in order.
    pub fn text(&self) -> i64 {
        self.next - 1 - i64::from(self.finished)
    }

    pub fn timestamps(&self) -> bool {
        self.own.timestamps && self.peer.timestamps
    }

    pub fn scales(&self) -> Option<(u8, u8)> {
        self.own.scale.zip(self.peer.scale)
    }

    /// A segment is about to be handed over to a connection in this state, with `room` in its buffer.
    pub fn take(&mut self, now: Instant, segment: &Segment, state: State, room: i64) -> Verdict {
        match state {
            State::Closed | State::TimeWait => Verdict::Quiet,
            State::SynSent => self.take_syn(now, segment),
            _ => self.take_in_order(now, segment, state, room),
        }
    }

    /// RFC 9293, sections 3.10.7.2 and 3.10.7.3.
    pub fn take_syn(&mut self, now: Instant, segment: &Segment) -> Verdict {
        let ack = offset(segment.ack, self.iss);
        let acks = segment.flags.contains(Flags::ACK);
        let bad = acks && !(0 < ack && ack <= self.nxt);
        if bad || segment.flags.contains(Flags::RST) || !segment.flags.contains(Flags::SYN) {
            return Verdict::Quiet;
        }
        self.irs = Some(segment.seq);
        self.peer = SynOptions::of(segment);
        (self.next, self.acked) = (1, 1);
        // The window that our SYN tells, or told, is behind the peer's.
        self.edge += 1;
        if let Some(timestamp) = segment.options.timestamp {
            (self.recent, self.recent_at) = (timestamp.value, now);
        }
        (self.wnd, self.wl1, self.wl2) = (i64::from(segment.window), 0, ack.max(0));
        self.wnd_max = self.wnd;
        self.limit = 1 + self.wnd;
        if acks {
            self.una = ack;
            self.limit = ack + self.wnd;
            self.established = true;
        }
        self.take_text(segment, 1);
        Verdict::Now
    }

    /// RFC 9293, section 3.10.7.4, step by step.
    fn take_in_order(
        &mut self,
        now: Instant,
        segment: &Segment,
        state: State,
        room: i64,
    ) -> Verdict {
        let irs = self.irs.expect("the peer's SYN came");
        let (flags, ack) = (segment.flags, offset(segment.ack, self.iss));
        let seq = offset(segment.seq, irs);
        let reset = flags.contains(Flags::RST);
        let occupies = !segment.payload.is_empty() || flags.contains(Flags::FIN);
        let rejected = if occupies && !flags.intersects(Flags::SYN | Flags::RST) {
            Verdict::Now
        } else {
            Verdict::Quiet
        };
        if !reset && self.timestamps() {
            match segment.options.timestamp {
                Some(timestamp) if self.is_old(timestamp.value, now) => return rejected,
                None if self.timestamps_required => return Verdict::Quiet,
                _ => {}
            }
        }
        let second = state == State::SynReceived
            && self.active
            && seq == 0
            && flags.contains(Flags::SYN | Flags::ACK)
            && self.una < ack
            && ack <= self.nxt;
        if !second && !self.is_acceptable(segment, seq, room) {
            self.take_late_news(segment, seq, ack, state);
            return rejected;
        }
        if reset || (flags.contains(Flags::SYN) && !second) || !flags.contains(Flags::ACK) {
            return Verdict::Quiet;
        }
        if state == State::SynReceived {
            if !(self.una < ack && ack <= self.nxt) {
                return Verdict::Quiet;
            }
            self.established = true;
            self.una = self.una.max(1);
            (self.wl1, self.wl2) = (seq, ack);
            self.wnd = self.window_of(segment);
            self.wnd_max = self.wnd_max.max(self.wnd);
        }
        if !self.take_acknowledgement(segment, seq, ack) {
            return Verdict::Quiet;
        }
        if let Some(timestamp) = segment.options.timestamp.filter(|_| self.timestamps())
            && seq <= self.acked
            && !self.is_old(timestamp.value, now)
        {
            (self.recent, self.recent_at) = (timestamp.value, now);
        }
        let waited = state == State::SynReceived && self.next > 1;
        let verdict = self.take_text(segment, seq + i64::from(second));
        if waited && verdict == Verdict::Quiet { Verdict::Soon } else { verdict }
    }

    fn is_old(&self, value: u32, now: Instant) -> bool {
        let silent = now.as_nanos() - self.recent_at.as_nanos();
        // RFC 7323, section 5.2: "s < t" when t - s is less than half the circle.
        let behind = self.recent.wrapping_sub(value);
        0 < behind && behind < 1 << 31 && silent < PAWS_FORGETS_NANOS
    }

    /// The table of the first step. An acknowledgement may stand at the edge, and what is next is
    /// looked at although there is no room for it.
    fn is_acceptable(&self, segment: &Segment, seq: i64, room: i64) -> bool {
        let control = [Flags::SYN, Flags::FIN].map(|flag| segment.flags.contains(flag) as i64);
        let len = segment.payload.len() as i64 + control[0] + control[1];
        let told = self.edge - self.next;
        let window = if self.tells_room { told.max(room) } else { told };
        let edge = self.next + window;
        if seq == self.next {
            return true;
        }
        if len == 0 {
            return self.next <= seq && seq < edge + i64::from(!segment.flags.contains(Flags::RST));
        }
        (seq..seq + len).any(|at| self.next <= at && at < edge)
    }

    /// What came before came again and acknowledges more.
    fn take_late_news(&mut self, segment: &Segment, seq: i64, ack: i64, state: State) {
        let fin = i64::from(segment.flags.contains(Flags::FIN));
        let end = seq + segment.payload.len() as i64 + fin;
        let plain = !segment.flags.intersects(Flags::SYN | Flags::RST);
        let news = self.una < ack && ack <= self.nxt && segment.flags.contains(Flags::ACK);
        if plain && news && end > seq && end == self.next && state.is_synchronized() {
            self.take_acknowledgement(segment, seq, ack);
        }
    }

    fn window_of(&self, segment: &Segment) -> i64 {
        let syn = segment.flags.contains(Flags::SYN);
        let scale = self.scales().filter(|_| !syn).map_or(0, |(_, peer)| peer);
        i64::from(segment.window) << scale
    }

    /// The fifth step, with RFC 5961, section 5.2.
    fn take_acknowledgement(&mut self, segment: &Segment, seq: i64, ack: i64) -> bool {
        let text = self.una - 1 - i64::from(self.own_fin.is_some_and(|fin| fin < self.una));
        if ack > self.nxt || ack < self.una - self.wnd_max.min(text + 1) {
            return false;
        }
        let newer = ack > self.una
            || (ack == self.una && (self.wl1 < seq || (self.wl1 == seq && self.wl2 <= ack)));
        if newer {
            self.wnd = self.window_of(segment);
            self.wnd_max = self.wnd_max.max(self.wnd);
            (self.wl1, self.wl2) = (seq, ack);
            self.limit = self.limit.max(ack + self.wnd);
        }
        self.una = self.una.max(ack);
        true
    }

    /// The seventh and the eighth step.
    fn take_text(&mut self, segment: &Segment, seq: i64) -> Verdict {
        let end = seq + segment.payload.len() as i64;
        let fin = segment.flags.contains(Flags::FIN);
        if end == seq && !fin {
            return Verdict::Quiet;
        }
        if self.finished {
            return Verdict::Now;
        }
        let highest = self.beyond.last().map_or(self.next, |last| last + 1);
        if fin && self.fin.is_none() && highest <= end && end <= self.edge {
            self.fin = Some(end);
        }
        let holes = !self.beyond.is_empty();
        let start = self.next;
        let last = end.min(self.edge).min(self.fin.unwrap_or(i64::MAX));
        for at in seq.max(self.next)..last {
            self.beyond.insert(at);
            self.changed = Some(at);
        }
        while self.beyond.remove(&self.next) {
            self.next += 1;
        }
        if self.fin == Some(self.next) && self.established {
            self.finished = true;
            self.next += 1;
            self.edge = self.edge.max(self.next);
            self.beyond.clear();
            return Verdict::Now;
        }
        let usual = seq == start && self.next == last && !holes && last > seq;
        if usual { Verdict::Soon } else { Verdict::Now }
    }

    /// What the state must be, once the handshake is complete.
    fn state(&self) -> [State; 2] {
        let fin_acked = self.own_fin.is_some_and(|fin| self.una > fin);
        match (self.own_fin.is_some(), fin_acked, self.finished) {
            (false, _, false) => [State::Established; 2],
            (false, _, true) => [State::CloseWait; 2],
            (true, false, false) => [State::FinWait1; 2],
            (true, true, false) => [State::FinWait2; 2],
            (true, false, true) if self.peer_first => [State::LastAck; 2],
            (true, false, true) => [State::Closing; 2],
            (true, true, true) => [State::TimeWait, State::Closed],
        }
    }

    /// Whether a connection knows what it must.
    pub fn agrees(&self, info: &Info, recent: Option<u32>) {
        if !self.established || !info.state.is_synchronized() {
            return;
        }
        let irs = self.irs.expect("the peer's SYN came");
        let states = self.state();
        assert!(states.contains(&info.state), "{} and not {}", info.state, states[0]);
        assert_eq!(offset(info.rcv_nxt, irs), self.next, "RCV.NXT");
        if info.state == State::TimeWait {
            return;
        }
        assert_eq!(offset(info.snd_una, self.iss), self.una, "SND.UNA");
        assert_eq!(offset(info.snd_nxt, self.iss), self.nxt, "SND.NXT");
        assert_eq!(i64::from(info.snd_wnd), self.wnd, "SND.WND");
        assert_eq!(i64::from(info.out_of_order), self.beyond.len() as i64, "out of order");
        assert_eq!(info.bytes_received as i64, self.text(), "bytes received in order");
        let fin = i64::from(self.own_fin.is_some_and(|fin| fin < self.una));
        assert_eq!(info.bytes_acknowledged as i64, self.una - 1 - fin, "bytes acknowledged");
        assert_eq!(recent, self.timestamps().then_some(self.recent), "TS.Recent");
    }
}
