//! What can happen to a packet.

use std::time::Duration;

use fyke_stack::tcp::{Flags, Info, Options, Segment, SeqNum, State};

/// Which packets, counted as they are sent, meet which fate; all others arrive as they should.
pub type Script = Vec<(usize, Fate)>;

/// What happens to one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Lost,
    /// It arrives so much later than it should, in milliseconds.
    Late(u64),
    /// It arrives, and once more so much later.
    Twice(u64),
    /// A router marks it (RFC 3168), if it may.
    Marked,
    /// Just before it arrives comes what somebody made up.
    After(Forged),
}

/// Later than what follows; later than a probe or a time-out; from a time long past.
const OVERTAKEN: u64 = 15;
const GIVEN_UP: u64 = 700;
const ANCIENT: u64 = 30_000;

pub const FATES: &[Fate] = &[
    Fate::Lost,
    Fate::Late(OVERTAKEN),
    Fate::Late(GIVEN_UP),
    Fate::Late(ANCIENT),
    Fate::Twice(0),
    Fate::Twice(OVERTAKEN),
    Fate::Twice(GIVEN_UP),
    Fate::Twice(ANCIENT),
    Fate::Marked,
    Fate::After(Forged::ResetAhead),
    Fate::After(Forged::ResetAtTheEdge),
    Fate::After(Forged::Syn),
    Fate::After(Forged::OldSyn),
    Fate::After(Forged::AcksUnsent),
    Fate::After(Forged::AcksThePast),
    Fate::After(Forged::AcksNothing),
    Fate::After(Forged::FinAhead),
    Fate::After(Forged::OldAck),
];

pub const FEW: &[Fate] =
    &[Fate::Lost, Fate::Late(OVERTAKEN), Fate::Late(GIVEN_UP), Fate::Twice(GIVEN_UP)];

impl Fate {
    /// When copies of the packet arrive, after the time it takes.
    pub fn arrivals(fate: Option<Self>) -> Vec<Duration> {
        let millis: &[u64] = match fate {
            Some(Self::Lost) => &[],
            Some(Self::Late(late)) => &[late],
            Some(Self::Twice(late)) => &[0, late],
            Some(Self::Marked | Self::After(_)) | None => &[0],
        };
        millis.iter().map(|late| Duration::from_millis(*late)).collect()
    }
}

/// What somebody makes up who sees nothing and guesses well (RFC 5961). None of it may count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forged {
    /// A reset in the window, but not at RCV.NXT.
    ResetAhead,
    ResetAtTheEdge,
    Syn,
    OldSyn,
    AcksUnsent,
    AcksThePast,
    AcksNothing,
    /// A FIN whose acknowledgement cannot be.
    FinAhead,
    OldAck,
}

impl Forged {
    /// The segment for an end in this state; none while a guess could be right by the RFC.
    pub fn segment(self, info: &Info, irs: SeqNum) -> Option<Segment> {
        let open = info.state.is_synchronized() || info.state == State::SynReceived;
        let ahead = matches!(self, Self::ResetAhead | Self::ResetAtTheEdge);
        // Before the handshake is complete it has a reset at its number sent, which he could have sent
        // himself.
        let by_rule = self == Self::AcksUnsent && info.state == State::SynReceived;
        if !open || by_rule || (ahead && info.rcv_wnd < 2) {
            return None;
        }
        let next = info.rcv_nxt;
        let (seq, ack, flags, payload): (_, _, _, &'static [u8]) = match self {
            Self::ResetAhead => (next + 1, info.snd_nxt, Flags::RST, b""),
            Self::ResetAtTheEdge => {
                (next + (info.rcv_wnd - 1), info.snd_nxt, Flags::RST | Flags::ACK, b"")
            }
            Self::Syn => (next + 1, SeqNum::default(), Flags::SYN, b""),
            Self::OldSyn => (irs - 1, SeqNum::default(), Flags::SYN, b"\xee"),
            Self::AcksUnsent => (next, info.snd_nxt + 1, Flags::ACK, b"\xee\xee"),
            Self::AcksThePast => (next, info.snd_una - (1 << 30), Flags::ACK, b"\xee\xee"),
            Self::AcksNothing => (next, info.snd_nxt, Flags::NONE, b"\xee\xee"),
            Self::FinAhead => (next, info.snd_nxt + 70_000, Flags::FIN | Flags::ACK, b""),
            Self::OldAck => (next - 2000, info.snd_nxt, Flags::ACK, b""),
        };
        let payload = payload.into();
        let options = Options::default();
        Some(Segment { seq, ack, flags, window: 3, payload, options, ..Segment::default() })
    }
}
