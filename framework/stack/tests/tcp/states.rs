//! State x event: what each of the eleven states does with resets, SYNs, acknowledgements, FINs and
//! data, in and out of the window (RFC 9293, section 3.10.7).
//!
//! A cell is `reply` or `reply>state`; without a state it stays. Replies:
//! `-` nothing, `A` an acknowledgement of where we stand, `S` our SYN-ACK, `R` a reset with the
//! number of the acknowledgement, `RA` a reset that acknowledges.

use fyke_stack::tcp::{Flags, ListenAnswer, Segment, SeqNum, State, listen, reset_for};

use crate::rig::{IRS, ISS, Rig};

const STATES: [&str; 11] = [
    "CLOSED", "LISTEN", "SYN-SENT", "SYN-RCVD", "ESTAB", "FIN-W-1", "FIN-W-2", "CLOSE-W",
    "CLOSING", "LAST-ACK", "TIME-W",
];

/// Rows cite the steps of 3.10.7.4 for the synchronised states; CLOSED is 3.10.7.1, LISTEN 3.10.7.2,
/// SYN-SENT 3.10.7.3. Deviations: resets and SYNs as RFC 5961 wants them, TIME-WAIT as RFC 1337 does.
const TABLE: &str = "
event            | CLOSED | LISTEN | SYN-SENT  | SYN-RCVD | ESTAB      | FIN-W-1    | FIN-W-2   | CLOSE-W   | CLOSING   | LAST-ACK  | TIME-W
# second step: resets (RFC 5961, section 3.2)
rst exact        | -      | -      | ->CLOSED  | ->CLOSED | ->CLOSED   | ->CLOSED   | ->CLOSED  | ->CLOSED  | ->CLOSED  | ->CLOSED  | -
rst in window    | -      | -      | -         | A        | A          | A          | A         | A         | A         | A         | -
rst before       | -      | -      | -         | -        | -          | -          | -         | -         | -         | -         | -
rst beyond       | -      | -      | -         | -        | -          | -          | -         | -         | -         | -         | -
# fourth step: SYN (RFC 5961, section 4.2)
syn in window    | RA     | open   | S>SYN-RCVD | A       | A          | A          | A         | A         | A         | A         | A
syn before       | RA     | open   | S>SYN-RCVD | A       | A          | A          | A         | A         | A         | A         | A
syn again        | RA     | open   | S>SYN-RCVD | S       | A          | A          | A         | A         | A         | A         | A
syn-ack          | R      | R      | A>ESTAB   | A        | A          | A          | A         | A         | A         | A         | A
# fifth step: acknowledgements (RFC 5961, section 5.2)
ack all          | R      | R      | -         | ->ESTAB  | -          | ->FIN-W-2  | -         | -         | ->TIME-W  | ->CLOSED  | -
ack unsent       | R      | R      | R         | R        | A          | A          | A         | A         | A         | A         | A
ack old          | R      | R      | R         | R        | -          | -          | -         | -         | -         | -         | A
ack too old      | R      | R      | R         | R        | A          | A          | A         | A         | A         | A         | A
no ack           | RA     | -      | -         | -        | -          | -          | -         | -         | -         | -         | -
# seventh step: text. What ends exactly at RCV.NXT is out of the window; a new acknowledgement in it counts
data             | R      | R      | -         | ->ESTAB  | -          | ->FIN-W-2  | -         | A         | A>TIME-W  | ->CLOSED  | A
data before      | R      | R      | -         | A        | A          | A>FIN-W-2  | A         | A         | A>TIME-W  | ->CLOSED  | A
data overlapping | R      | R      | -         | A>ESTAB  | A          | A>FIN-W-2  | A         | A         | A>TIME-W  | ->CLOSED  | A
data ahead       | R      | R      | -         | A>ESTAB  | A          | A>FIN-W-2  | A         | A         | A>TIME-W  | ->CLOSED  | A
data beyond      | R      | R      | -         | A        | A          | A          | A         | A         | A         | A         | A
# eighth step: FIN
fin              | R      | R      | -         | A>CLOSE-W | A>CLOSE-W | A>TIME-W   | A>TIME-W  | A         | A>TIME-W  | ->CLOSED  | A
fin with data    | R      | R      | -         | A>CLOSE-W | A>CLOSE-W | A>TIME-W   | A>TIME-W  | A         | A>TIME-W  | ->CLOSED  | A
fin, ours not    | R      | R      | R         | R        | A>CLOSE-W  | A>CLOSING  | A>TIME-W  | A         | A         | A         | A
fin again        | R      | R      | -         | A        | A          | A>FIN-W-2  | A         | A         | A>TIME-W  | ->CLOSED  | A
fin ahead        | R      | R      | -         | A>ESTAB  | A          | A>FIN-W-2  | A         | A         | A>TIME-W  | ->CLOSED  | A
fin beyond       | R      | R      | -         | A        | A          | A          | A         | A         | A         | A         | A
";

/// The segment of a row, for an end that expects `next`, has sent up to `sent` and has `una` as its
/// first unacknowledged number.
fn segment(event: &str, next: u32, sent: u32, una: u32) -> Segment {
    const FAR: u32 = 20_000;
    let ack = Flags::ACK;
    let (seq, flags, acked, payload): (u32, Flags, u32, &'static [u8]) = match event {
        "rst exact" => (next, Flags::RST, sent, b""),
        "rst in window" => (next + 10, Flags::RST, sent, b""),
        "rst before" => (next.wrapping_sub(1), Flags::RST, sent, b""),
        "rst beyond" => (next + FAR, Flags::RST, sent, b""),
        "syn in window" => (next + 10, Flags::SYN, 0, b""),
        "syn before" => (next.wrapping_sub(FAR), Flags::SYN, 0, b""),
        "syn again" => (IRS, Flags::SYN, 0, b""),
        "syn-ack" => (next + 10, Flags::SYN | ack, sent, b""),
        "ack all" => (next, ack, sent, b""),
        "ack unsent" => (next, ack, sent + 1000, b""),
        "ack old" => (next, ack, una.wrapping_sub(1), b""),
        "ack too old" => (next, ack, una.wrapping_sub(1_000_000), b""),
        "no ack" => (next, Flags::NONE, 0, b"hello"),
        "data" => (next, ack, sent, b"hello"),
        "data before" => (next.wrapping_sub(5), ack, sent, b"hello"),
        "data overlapping" => (next.wrapping_sub(2), ack, sent, b"hello"),
        "data ahead" => (next + 100, ack, sent, b"hello"),
        "data beyond" => (next + FAR, ack, sent, b"hello"),
        "fin" => (next, Flags::FIN | ack, sent, b""),
        "fin with data" => (next, Flags::FIN | ack, sent, b"bye"),
        "fin, ours not" => (next, Flags::FIN | ack, una, b""),
        "fin again" => (next.wrapping_sub(1), Flags::FIN | ack, sent, b""),
        "fin ahead" => (next + 100, Flags::FIN | ack, sent, b""),
        "fin beyond" => (next + FAR, Flags::FIN | ack, sent, b""),
        other => panic!("no such event: {other}"),
    };
    Segment {
        seq: SeqNum::new(seq),
        ack: SeqNum::new(acked),
        flags,
        window: 60_000,
        payload: payload.into(),
        ..Segment::default()
    }
}

fn name(state: State) -> &'static str {
    match state {
        State::Closed => "CLOSED",
        State::SynSent => "SYN-SENT",
        State::SynReceived => "SYN-RCVD",
        State::Established => "ESTAB",
        State::FinWait1 => "FIN-W-1",
        State::FinWait2 => "FIN-W-2",
        State::CloseWait => "CLOSE-W",
        State::Closing => "CLOSING",
        State::LastAck => "LAST-ACK",
        State::TimeWait => "TIME-W",
    }
}

fn state(name: &str) -> State {
    let all = [
        State::Closed,
        State::SynSent,
        State::SynReceived,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::Closing,
        State::LastAck,
        State::TimeWait,
    ];
    all.into_iter().find(|state| self::name(*state) == name).expect("a state")
}

/// What a segment without a connection leads to.
fn without(answer: Option<Segment>, segment: &Segment) -> &'static str {
    let Some(answer) = answer else { return "-" };
    if answer.flags.contains(Flags::ACK) {
        assert_eq!(answer.ack, segment.seq + segment.sequence_length());
        return "RA";
    }
    assert_eq!((answer.flags, answer.seq), (Flags::RST, segment.ack));
    "R"
}

/// What a connection in a state does with the segment of a row.
fn with(column: &str, event: &str) -> String {
    let mut rig = Rig::in_state(state(column));
    let info = rig.connection.info();
    let next = if column == "SYN-SENT" { IRS } else { info.rcv_nxt.value() };
    let mut segment = segment(event, next, info.snd_nxt.value(), info.snd_una.value());
    if column == "SYN-SENT" && event == "rst exact" {
        // There a reset counts only with an acknowledgement of our SYN.
        segment.flags |= Flags::ACK;
    }
    rig.give(segment.clone());
    let mut sent = rig.poll();
    assert!(sent.len() <= 1, "{column}, {event}: one answer, not {sent:?}");
    let reply = match sent.pop() {
        None => "-",
        Some(reply) if reply.flags.contains(Flags::RST) => {
            let after = rig.connection.info();
            if reply.flags.contains(Flags::ACK) {
                assert_eq!(reply.ack, after.rcv_nxt);
                "RA"
            } else {
                assert_eq!(reply.seq, segment.ack, "{column}, {event}");
                "R"
            }
        }
        Some(reply) if reply.flags.contains(Flags::SYN | Flags::ACK) => {
            assert_eq!(reply.seq, SeqNum::new(ISS));
            "S"
        }
        Some(reply) => {
            let after = rig.connection.info();
            assert_eq!(reply.flags, Flags::ACK, "{column}, {event}");
            assert_eq!((reply.seq, reply.ack), (after.snd_nxt, after.rcv_nxt), "{column}, {event}");
            assert!(reply.payload.is_empty());
            "A"
        }
    };
    let after = name(rig.connection.state());
    if after == column { reply.to_owned() } else { format!("{reply}>{after}") }
}

#[test]
fn every_state_with_every_event() {
    let mut wrong = String::new();
    let mut cells = 0;
    let rows = TABLE.lines().filter(|line| line.contains('|') && !line.starts_with('#'));
    for row in rows.skip(1) {
        let mut columns = row.split('|').map(str::trim);
        let event = columns.next().unwrap();
        for column in STATES {
            let wanted = columns.next().unwrap_or_else(|| panic!("{event}: no cell for {column}"));
            let found = match column {
                "CLOSED" => {
                    let segment = segment(event, IRS, ISS + 1, ISS + 1);
                    // There is no connection: nothing is left of it but the rule.
                    without(reset_for(&segment), &segment).to_owned()
                }
                "LISTEN" => {
                    let segment = segment(event, IRS, ISS + 1, ISS + 1);
                    match listen(&segment) {
                        ListenAnswer::Open => "open".to_owned(),
                        ListenAnswer::Ignore => "-".to_owned(),
                        ListenAnswer::Reset(reset) => without(Some(reset), &segment).to_owned(),
                    }
                }
                _ => with(column, event),
            };
            cells += 1;
            if found != wanted {
                wrong.push_str(&format!("{event:<17} in {column:<9} {found}, wanted {wanted}\n"));
            }
        }
    }
    assert_eq!(cells, 24 * 11);
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A connection that is over answers nothing by itself: there is none any more.
#[test]
fn a_closed_connection_is_silent() {
    let mut rig = Rig::in_state(State::Closed);
    rig.give(segment("data", IRS + 1, ISS + 1, ISS + 1));
    rig.give(segment("syn in window", IRS + 1, ISS + 1, ISS + 1));
    assert!(rig.poll().is_empty());
    assert_eq!(rig.connection.next_deadline(), None);
}
