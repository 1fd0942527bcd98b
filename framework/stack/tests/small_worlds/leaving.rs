//! What may leave, and what it must say.

use fyke_stack::tcp::{Flags, Segment, State};

use crate::end::pattern;
use crate::model::{Model, SynOptions, offset};

impl Model {
    /// A segment leaves end `index`, whose application wrote `written` bytes and whose buffer has so
    /// much room. It is checked, and SND.NXT, what was acknowledged and what was offered go on.
    pub fn leaves(
        &mut self,
        (index, written): (usize, u64),
        segment: &Segment,
        state: State,
        room: i64,
    ) {
        let flags = segment.flags;
        if flags.contains(Flags::RST) {
            assert!(segment.payload.is_empty(), "a reset with text");
            return;
        }
        assert!(!flags.intersects(Flags::URG | Flags::AE), "flags nobody asked for");
        let syn = flags.contains(Flags::SYN);
        if syn {
            assert_eq!(segment.seq, self.iss, "a SYN has the initial number");
            assert!(!flags.contains(Flags::FIN));
            self.own = SynOptions::of(segment);
        }
        assert!(flags.contains(Flags::ACK) || (syn && state == State::SynSent), "no ACK");
        self.check_text(index, segment, written);
        if flags.contains(Flags::ACK) {
            self.check_acknowledgement(segment, room);
        } else {
            self.edge = i64::from(segment.window);
        }
        if self.timestamps() {
            let timestamp = segment.options.timestamp.expect("timestamps are agreed");
            if flags.contains(Flags::ACK) {
                assert_eq!(timestamp.echo, self.recent, "TSecr");
            }
        }
    }

    /// Text and FIN: the right bytes, in the peer's window, none of them acknowledged already.
    fn check_text(&mut self, index: usize, segment: &Segment, written: u64) {
        let syn = i64::from(segment.flags.contains(Flags::SYN));
        let fin = i64::from(segment.flags.contains(Flags::FIN));
        let seq = offset(segment.seq, self.iss) + syn;
        let text_end = seq + segment.payload.len() as i64;
        let end = text_end + fin;
        for (at, byte) in (seq - 1..).zip(segment.payload.iter()) {
            assert_eq!(*byte, pattern(index, at as u64), "byte {at} is another");
        }
        let empty = segment.payload.is_empty();
        assert!(empty || text_end - 1 <= written as i64, "more than was written");
        if fin > 0 {
            let whole = written as i64 + 1;
            assert_eq!((text_end, self.own_fin), (whole, Some(whole)), "the FIN is the end");
        }
        if end > seq {
            assert!(end > self.una, "all of it is acknowledged");
            // A SYN that carries text goes before anybody could offer room for it.
            assert!(syn > 0 || end <= self.limit, "up to {end}, the window ends at {}", self.limit);
        } else if syn == 0 {
            let probe = seq == self.una - 1;
            assert!(probe || seq == self.nxt, "an acknowledgement at {seq}");
        }
        self.nxt = self.nxt.max(end);
    }

    /// All that came in order is acknowledged, and nothing else; what was offered stays offered.
    fn check_acknowledgement(&mut self, segment: &Segment, room: i64) {
        let irs = self.irs.expect("the peer's SYN came");
        let syn = segment.flags.contains(Flags::SYN);
        let ack = offset(segment.ack, irs);
        // Text in a SYN waits until the handshake is complete (RFC 9293, section 3.10.7.3).
        assert!(ack == self.next || (syn && ack == 1), "acknowledges {ack}, not {}", self.next);
        let scale = self.scales().filter(|_| !syn).map_or(0, |(own, _)| own);
        let edge = ack + (i64::from(segment.window) << scale);
        // Less than the unit of the field may be taken back (RFC 7323, section 2.4).
        let unit = 1i64 << scale;
        let kept = edge > self.edge - unit || syn;
        assert!(kept, "the edge goes back from {} to {edge}", self.edge);
        let most = self.edge.max(self.next + room.max(0) + unit - 1);
        assert!(edge <= most, "offers more than there is room");
        self.edge = self.edge.max(edge);
        self.acked = self.next;
        self.check_blocks(segment);
    }

    /// RFC 2018, section 4, and RFC 2883: whole ranges, the one that changed last before others.
    fn check_blocks(&mut self, segment: &Segment) {
        let irs = self.irs.expect("the peer's SYN came");
        let blocks = segment.options.sack.as_slice();
        let blocks: Vec<_> = blocks.iter().map(|b| (offset(b.0, irs), offset(b.1, irs))).collect();
        if segment.flags.contains(Flags::SYN) || !(self.own.sack && self.peer.sack) {
            assert!(blocks.is_empty(), "nobody agreed on blocks");
            return;
        }
        let here = |at: i64| at < self.next || self.beyond.contains(&at);
        let is_range = |&(left, right): &(i64, i64)| {
            let whole = !here(left - 1) && !here(right);
            left > self.next && (left..right).all(here) && whole
        };
        let twice = blocks.first().is_some_and(|block| !is_range(block));
        if twice {
            let (left, right) = blocks[0];
            assert!(left < right && (left..right).all(here), "{left}..{right} did not come twice");
        }
        let ranges = &blocks[usize::from(twice)..];
        assert!(ranges.iter().all(is_range), "{ranges:?} are no ranges of {:?}", self.beyond);
        assert!(ranges.is_empty() == self.beyond.is_empty(), "what is out of order is told");
        let changed = self.changed.filter(|at| self.beyond.contains(at));
        if let (Some(at), Some((left, right))) = (changed, ranges.first()) {
            assert!((*left..*right).contains(&at), "{at} changed last: {ranges:?}");
        }
    }
}
