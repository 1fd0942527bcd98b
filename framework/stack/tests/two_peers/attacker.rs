//! Somebody who cannot see the connection but knows its ends, and guesses well: every segment he
//! sends would have done harm once (RFC 5961, RFC 5927). None may end or corrupt the connection.

use fyke_stack::tcp::{
    Ecn, Flags, IcmpError, IcmpKind, Info, Options, Segment, SeqNum, State, Timestamp,
};

use crate::rng::Rng;

/// What he sends.
#[derive(Debug, Clone)]
pub enum Forged {
    Segment(Segment),
    Error(IcmpError),
}

/// Something forged for an end in this state; nothing while a guess could still be right by rule.
pub fn forge(rng: &mut Rng, info: &Info) -> Option<Forged> {
    // Before both ends know each other's numbers a hard error ends the attempt, as it should.
    if !info.state.is_synchronized() || info.state == State::TimeWait {
        return None;
    }
    let inside =
        |rng: &mut Rng| info.rcv_nxt + 1 + rng.below(u64::from(info.rcv_wnd) + 1000) as u32;
    let anywhere = |rng: &mut Rng| SeqNum::new(rng.next() as u32);
    let segment = match rng.below(6) {
        // A reset in the window, but not at RCV.NXT.
        0 => Segment { seq: inside(rng), flags: Flags::RST, ..Segment::default() },
        1 => Segment { seq: inside(rng), flags: Flags::SYN, ..Segment::default() },
        // Data that acknowledges what was never sent.
        2 => Segment {
            seq: info.rcv_nxt,
            ack: info.snd_nxt + 1 + rng.below(1 << 30) as u32,
            flags: Flags::ACK,
            payload: vec![0xee; 1 + rng.below(1400) as usize].into(),
            ..Segment::default()
        },
        // Data that acknowledges what is long past.
        3 => Segment {
            seq: info.rcv_nxt,
            ack: info.snd_una - (1 << 30) - rng.below(1 << 29) as u32,
            flags: Flags::ACK | Flags::FIN,
            payload: vec![0xee; 1 + rng.below(1400) as usize].into(),
            ..Segment::default()
        },
        // Noise far from the window.
        4 => Segment {
            seq: info.rcv_nxt + (1 << 30) + rng.below(1 << 30) as u32,
            ack: anywhere(rng),
            flags: Flags::from_bits(rng.next() as u16),
            window: rng.next() as u16,
            payload: vec![0xee; rng.below(1400) as usize].into(),
            ..Segment::default()
        },
        _ => {
            let kinds = [IcmpKind::PortUnreachable, IcmpKind::Prohibited, IcmpKind::Unreachable];
            let seq = info.snd_una + rng.below(u64::from(info.unacknowledged) + 10) as u32;
            return Some(Forged::Error(IcmpError { kind: rng.pick(&kinds), seq }));
        }
    };
    let timestamp = info.timestamps.then_some(Timestamp { value: u32::MAX / 2, echo: 0 });
    let ecn = Ecn::NotCapable;
    let options = Options { timestamp, ..Options::default() };
    Some(Forged::Segment(Segment { options, ecn, ..segment }))
}
