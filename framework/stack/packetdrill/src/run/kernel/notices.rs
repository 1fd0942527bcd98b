//! The error queue of a socket (MSG_ERRQUEUE): zero-copy sends that are over (SO_ZEROCOPY), and times
//! of what was sent (SO_TIMESTAMPING). Both say what the stack did with the bytes of a call: when the
//! last of them left it, and when the peer had acknowledged them.

use std::collections::VecDeque;
use std::time::Duration;

use fyke_stack::TcpId;

use super::{Attempt, File, Kernel, Place, args};
use crate::script::{CallSpec, Expr};

/// What the queue and the calls that fill it are about.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Calls that are not over, by where their bytes end in the stream.
    pending: Vec<Pending>,
    queue: VecDeque<Notice>,
    /// The number of the next zero-copy call.
    next_zero_copy: u32,
    /// Where in the stream the numbers of times begin.
    base: usize,
    /// How often something came.
    pub(super) count: u64,
}

#[derive(Debug)]
struct Pending {
    end: usize,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    ZeroCopy(u32),
    Sent,
    Acknowledged,
}

/// An entry of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Notice {
    /// The calls with these numbers are over, and their bytes were copied into packets.
    ZeroCopy { first: u32, last: u32 },
    /// When the byte with this number came so far.
    Time { stage: &'static str, at: Duration, number: u32 },
}

/// What SO_TIMESTAMPING asks for, as Linux has its bits.
mod flag {
    pub(super) const SENT: i64 = 1 << 1;
    pub(super) const SCHEDULED: i64 = 1 << 8;
    pub(super) const ACKNOWLEDGED: i64 = 1 << 9;
}

impl Notices {
    /// A call has handed over bytes that end here.
    pub(super) fn sent(&mut self, end: usize, zero_copy: bool, times: i64) {
        if zero_copy {
            self.pending.push(Pending { end, what: What::ZeroCopy(self.next_zero_copy) });
            self.next_zero_copy += 1;
        }
        if times & (flag::SENT | flag::SCHEDULED) != 0 {
            self.pending.push(Pending { end, what: What::Sent });
        }
        if times & flag::ACKNOWLEDGED != 0 {
            self.pending.push(Pending { end, what: What::Acknowledged });
        }
    }

    /// Times are numbered from what is acknowledged now.
    pub(super) fn number_from(&mut self, acknowledged: usize) {
        self.base = acknowledged;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn is_over(&self) -> bool {
        self.pending.is_empty()
    }

    /// The stack has sent, and the peer acknowledged, so much of the stream.
    fn progress(&mut self, sent: usize, acknowledged: usize, now: Duration, times: i64) {
        for Pending { end, what } in std::mem::take(&mut self.pending) {
            let reached = if what == What::Sent { sent } else { acknowledged };
            if reached < end {
                self.pending.push(Pending { end, what });
                continue;
            }
            let number = (end - self.base.min(end)).saturating_sub(1) as u32;
            let time = |stage| Notice::Time { stage, at: now, number };
            match what {
                What::ZeroCopy(number) => self.zero_copy_over(number),
                What::Sent => {
                    // Nothing is between the stack and the wire: what is scheduled is sent.
                    if times & flag::SCHEDULED != 0 {
                        self.queue.push_back(time("SCM_TSTAMP_SCHED"));
                    }
                    if times & flag::SENT != 0 {
                        self.queue.push_back(time("SCM_TSTAMP_SND"));
                    }
                }
                What::Acknowledged => self.queue.push_back(time("SCM_TSTAMP_ACK")),
            }
            self.count += 1;
        }
    }

    /// Numbers that follow each other share an entry.
    fn zero_copy_over(&mut self, number: u32) {
        match self.queue.back_mut() {
            Some(Notice::ZeroCopy { last, .. }) if *last + 1 == number => *last = number,
            _ => self.queue.push_back(Notice::ZeroCopy { first: number, last: number }),
        }
    }
}

impl Kernel {
    /// Notes what the stack did meanwhile with the bytes of calls that want to know.
    pub(crate) fn note_progress(&mut self) {
        let waiting = |file: &File| match file {
            File::Socket(socket) if !socket.notices.is_over() => Some(socket.place),
            _ => None,
        };
        let sockets: Vec<(i64, Place)> =
            self.files.iter().filter_map(|(fd, file)| Some((*fd, waiting(file)?))).collect();
        for (descriptor, place) in sockets {
            let Place::Tcp(id) = place else { continue };
            let (sent, acknowledged) = self.stream_progress(id);
            let now = self.host().elapsed();
            if let Ok(socket) = self.socket(descriptor) {
                let times = socket.options.timestamping;
                socket.notices.progress(sent, acknowledged, now, times);
            }
        }
    }

    /// How much of what was written the stack has sent, and the peer acknowledged.
    pub(super) fn stream_progress(&mut self, id: TcpId) -> (usize, usize) {
        let written = self.written(id).len();
        let info = self.host().stack.info(id);
        let (unsent, unacknowledged) =
            info.map_or((0, 0), |info| (info.unsent as usize, info.unacknowledged as usize));
        let sent = written.saturating_sub(unsent);
        (sent, sent.saturating_sub(unacknowledged))
    }

    /// `recvmsg` from the error queue, which never waits.
    pub(super) fn receive_notice(
        &mut self,
        descriptor: i64,
        call: &CallSpec,
    ) -> Result<Attempt, Attempt> {
        self.note_progress();
        let Some(notice) = self.socket(descriptor)?.notices.queue.pop_front() else {
            return Ok(Attempt::Error("EAGAIN"));
        };
        if call.name != "recvmsg" {
            return Ok(Attempt::Unknown(format!("{} from the error queue", call.name)));
        }
        let message = args::at(&call.arguments, 1)?;
        let mut wrong = Vec::new();
        self.check_flags(&notice, message, &mut wrong);
        match args::field(message, "msg_control") {
            Some(Expr::List(list)) => self.check_notice(&notice, list, &mut wrong),
            _ => wrong.push("the script looks at no control message".to_owned()),
        }
        Ok(if wrong.is_empty() { Attempt::Done(0) } else { Attempt::Wrong(wrong.join("; ")) })
    }

    fn check_flags(&self, notice: &Notice, message: &Expr, wrong: &mut Vec<String>) {
        let wanted = args::field(message, "msg_flags").map(args::words).unwrap_or_default();
        // A time comes with the packet it is of, for which the message has no room.
        let found: &[&str] = match notice {
            Notice::ZeroCopy { .. } => &["MSG_ERRQUEUE"],
            Notice::Time { .. } => &["MSG_ERRQUEUE", "MSG_TRUNC"],
        };
        if wanted.len() != found.len() || !found.iter().all(|flag| wanted.contains(flag)) {
            wrong.push(format!("msg_flags are {found:?}, expected {wanted:?}"));
        }
    }

    fn check_notice(&self, notice: &Notice, list: &[Expr], wrong: &mut Vec<String>) {
        let mut told = false;
        let mut timed = false;
        for item in list {
            let kind = args::field(item, "cmsg_type").and_then(args::word).unwrap_or("");
            let Some(data) = args::field(item, "cmsg_data") else { continue };
            match (kind, notice) {
                ("IP_RECVERR" | "IPV6_RECVERR", _) => {
                    told = true;
                    self.check_error(notice, data, wrong);
                }
                ("SCM_TIMESTAMPING", Notice::Time { at, .. }) => {
                    timed = true;
                    self.check_stamp(*at, data, wrong);
                }
                _ => wrong.push(format!("there is no control message {kind}")),
            }
        }
        if !told || timed != matches!(notice, Notice::Time { .. }) {
            wrong.push(format!("the control messages are those of {notice:?}"));
        }
    }

    /// `sock_extended_err`.
    fn check_error(&self, notice: &Notice, data: &Expr, wrong: &mut Vec<String>) {
        let number = |n: u32| n.to_string();
        let found = match notice {
            Notice::ZeroCopy { first, last } => [
                ("ee_errno", number(0)),
                ("ee_origin", "SO_EE_ORIGIN_ZEROCOPY".to_owned()),
                ("ee_type", number(0)),
                ("ee_code", "SO_EE_CODE_ZEROCOPY_COPIED".to_owned()),
                ("ee_info", number(*first)),
                ("ee_data", number(*last)),
            ],
            Notice::Time { stage, number: byte, .. } => [
                ("ee_errno", "ENOMSG".to_owned()),
                ("ee_origin", "SO_EE_ORIGIN_TIMESTAMPING".to_owned()),
                ("ee_type", number(0)),
                ("ee_code", number(0)),
                ("ee_info", (*stage).to_owned()),
                ("ee_data", number(*byte)),
            ],
        };
        for (name, found) in found {
            let wanted = match args::field(data, name) {
                Some(Expr::Integer(n)) => n.to_string(),
                Some(Expr::Word(word)) => word.clone(),
                other => format!("{other:?}"),
            };
            if wanted != found {
                wrong.push(format!("{name} is {found}, expected {wanted}"));
            }
        }
    }

    fn check_stamp(&self, at: Duration, data: &Expr, wrong: &mut Vec<String>) {
        let part =
            |name| args::field(data, name).and_then(|n| args::number(n, self.settings.system));
        let wanted = part("scm_sec").zip(part("scm_nsec")).and_then(|(seconds, nanos)| {
            Some(Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanos).ok()?))
        });
        if wanted.is_none_or(|wanted| at.abs_diff(wanted) > self.config.tolerance) {
            wrong.push(format!("the time is {at:?}, expected {wanted:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_over_when_their_last_byte_is_acknowledged_and_neighbours_share_an_entry() {
        let mut notices = Notices::default();
        for end in [10, 20, 30] {
            notices.sent(end, true, 0);
        }
        notices.progress(30, 19, Duration::ZERO, 0);
        assert_eq!(notices.queue, [Notice::ZeroCopy { first: 0, last: 0 }]);
        notices.progress(30, 20, Duration::ZERO, 0);
        assert_eq!(notices.queue, [Notice::ZeroCopy { first: 0, last: 1 }]);
        notices.queue.clear();
        notices.progress(30, 30, Duration::ZERO, 0);
        assert_eq!(notices.queue, [Notice::ZeroCopy { first: 2, last: 2 }]);
        assert_eq!(notices.count, 3);
    }

    #[test]
    fn times_are_those_of_sending_and_of_the_acknowledgement() {
        let times = flag::SENT | flag::ACKNOWLEDGED;
        let mut notices = Notices::default();
        notices.number_from(5);
        notices.sent(15, false, times);
        let ms = Duration::from_millis;
        notices.progress(14, 5, ms(1), times);
        assert!(notices.is_empty());
        notices.progress(15, 5, ms(2), times);
        notices.progress(15, 15, ms(3), times);
        let time = |stage, at| Notice::Time { stage, at: ms(at), number: 9 };
        assert_eq!(notices.queue, [time("SCM_TSTAMP_SND", 2), time("SCM_TSTAMP_ACK", 3)]);
    }
}
