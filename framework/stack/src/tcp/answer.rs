//! What is answered where there is no connection: the rules of CLOSED and LISTEN
//! (RFC 9293, sections 3.10.7.1 and 3.10.7.2), as functions of the segment alone.

use super::{Flags, Segment};

/// The reset for a segment that belongs to nothing (RFC 9293, section 3.5.2, group 1), or `None`
/// when it is a reset itself: resets are never answered.
///
/// ```
/// use fyke_stack::tcp::{Flags, Segment, SeqNum, reset_for};
///
/// let syn = Segment { seq: SeqNum::new(100), flags: Flags::SYN, ..Segment::default() };
/// let reset = reset_for(&syn).unwrap();
/// assert_eq!(reset.flags, Flags::RST | Flags::ACK);
/// assert_eq!((reset.seq, reset.ack), (SeqNum::new(0), SeqNum::new(101)));
/// ```
#[must_use]
pub fn reset_for(segment: &Segment) -> Option<Segment> {
    if segment.flags.contains(Flags::RST) {
        return None;
    }
    if segment.flags.contains(Flags::ACK) {
        return Some(Segment { seq: segment.ack, flags: Flags::RST, ..Segment::default() });
    }
    Some(Segment {
        ack: segment.seq + segment.sequence_length(),
        flags: Flags::RST | Flags::ACK,
        ..Segment::default()
    })
}

/// What a listener does with a segment for which there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAnswer {
    /// Nothing: it is a reset, or it makes no sense.
    Ignore,
    /// Send this reset. (A listener that handed out SYN cookies checks the acknowledgement first.)
    Reset(Segment),
    /// It asks for a connection.
    Open,
}

/// Decides what a listener does with a segment (RFC 9293, section 3.10.7.2).
#[must_use]
pub fn listen(segment: &Segment) -> ListenAnswer {
    let flags = segment.flags;
    if flags.contains(Flags::RST) {
        return ListenAnswer::Ignore;
    }
    if flags.contains(Flags::ACK) {
        return reset_for(segment).map_or(ListenAnswer::Ignore, ListenAnswer::Reset);
    }
    // SYN with FIN opens nothing worth having: no implementation sends it, scanners do.
    if flags.contains(Flags::SYN) && !flags.contains(Flags::FIN) {
        return ListenAnswer::Open;
    }
    ListenAnswer::Ignore
}
