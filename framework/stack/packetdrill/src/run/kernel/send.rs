//! Calls that send.

use bytes::Bytes;
use fyke_stack::tcp::{ConnectionOption, State};
use fyke_stack::{StackError, TcpId};

use super::super::inbound::pattern;
use super::super::outcome::SkipReason;
use super::super::system::System;
use super::{Attempt, Kernel, Place, Progress, args};
use crate::script::{CallSpec, Expr};

impl Kernel {
    pub(super) fn call_send(
        &mut self,
        call: &CallSpec,
        progress: &mut Progress,
    ) -> Result<Attempt, Attempt> {
        let a = call.arguments.as_slice();
        let descriptor = args::descriptor(a)?;
        let flags = match call.name.as_str() {
            "send" | "sendto" => a.get(3),
            "sendmsg" => a.get(2),
            _ => None,
        };
        let has = |word: &str| flags.is_some_and(|flags| args::has_word(flags, word));
        // Some scripts are older than the name.
        let number = flags.and_then(|flags| args::number(flags, self.settings.system));
        let fast = has("MSG_FASTOPEN") || number == Some(0x2000_0000);
        let waits = !has("MSG_DONTWAIT");
        if has("MSG_EOR") {
            return Ok(Attempt::Skip(SkipReason::EndOfRecord));
        }
        if has("MSG_OOB") {
            return Ok(Attempt::Unknown("MSG_OOB".to_owned()));
        }
        let pieces = self.send_pieces(call)?;
        let total: usize = pieces.iter().map(|(_, length)| length).sum();
        let socket = self.socket(descriptor)?;
        let opens = socket.options.fast_open && call.name == "sendto";
        let deferred = socket.deferred;
        let from_nowhere = total > 0 && pieces.iter().any(|(base, _)| is_null(base));
        if matches!(socket.place, Place::Fresh | Place::Bound(_)) {
            if from_nowhere && (fast || deferred.is_some()) {
                return Ok(Attempt::Error("EFAULT"));
            }
            if fast || deferred.is_some() {
                let remote = match deferred {
                    Some(remote) => remote,
                    None => self.destination(call)?,
                };
                let data = content(&pieces, 0);
                let how = (waits, has("MSG_ZEROCOPY"));
                return self.send_message_fast(descriptor, remote, data, how, progress);
            }
            if opens {
                return self.send_fast(descriptor, &content(&pieces, 0));
            }
        }
        let Place::Tcp(id) = self.socket(descriptor)?.place else {
            let errno = if self.settings.system == System::Linux { "EPIPE" } else { "ENOTCONN" };
            return Ok(Attempt::Error(errno));
        };
        if fast && !progress.begun && self.host().stack.state(id) == Some(State::SynSent) {
            return Ok(Attempt::Error("EALREADY"));
        }
        if let Some(refusal) = self.may_send(descriptor, id)? {
            return Ok(refusal);
        }
        if from_nowhere {
            return Ok(Attempt::Error("EFAULT"));
        }
        let start = self.written(id).len() - progress.bytes;
        let data = content(&pieces, start);
        let done = self.send(descriptor, id, data, has("MSG_MORE"), progress)?;
        if let Attempt::Done(1..) = done {
            let end = self.written(id).len();
            let socket = self.socket(descriptor)?;
            let zero_copy = has("MSG_ZEROCOPY") && socket.options.zero_copy;
            socket.notices.sent(end, zero_copy, socket.options.timestamping);
        }
        Ok(done)
    }

    fn send_pieces<'a>(&self, call: &'a CallSpec) -> Result<Vec<(&'a Expr, usize)>, Attempt> {
        let a = call.arguments.as_slice();
        let list = match call.name.as_str() {
            "writev" => args::at(a, 1)?,
            "sendmsg" => {
                let list = args::field(args::at(a, 1)?, "msg_iov");
                list.ok_or_else(|| Attempt::Unknown("a message without msg_iov".to_owned()))?
            }
            _ => return Ok(vec![(args::at(a, 1)?, self.length_at(a, 2)?)]),
        };
        args::pieces(list).ok_or_else(|| Attempt::Unknown("such pieces".to_owned()))
    }

    /// Why nothing can be sent now, if so.
    pub(super) fn may_send(
        &mut self,
        descriptor: i64,
        id: TcpId,
    ) -> Result<Option<Attempt>, Attempt> {
        if let Some(error) = self.take_error(descriptor, id)? {
            return Ok(Some(Attempt::Error(error)));
        }
        if self.socket(descriptor)?.write_shut || self.host().closed.contains_key(&id) {
            return Ok(Some(Attempt::Error("EPIPE")));
        }
        let state = self.host().stack.state(id);
        // Whoever accepted a connection with the data of its SYN may answer at once (RFC 7413, 4.2.2).
        let answers = state == Some(State::SynReceived) && self.socket(descriptor)?.connected;
        if matches!(state, Some(State::SynSent | State::SynReceived)) && !answers {
            let bsd = self.settings.system == System::FreeBsd;
            let refused = bsd && self.socket(descriptor)?.nonblocking;
            return Ok(Some(if refused { Attempt::Error("ENOTCONN") } else { Attempt::Blocked }));
        }
        Ok(None)
    }

    pub(super) fn send(
        &mut self,
        descriptor: i64,
        id: TcpId,
        data: Vec<u8>,
        more: bool,
        progress: &mut Progress,
    ) -> Result<Attempt, Attempt> {
        let total = data.len();
        if more {
            self.set(id, ConnectionOption::Cork(true))?;
        }
        let mut left = Bytes::from(data).split_off(progress.bytes);
        while !left.is_empty() {
            let host = self.host();
            let now = host.now();
            let taken = match host.stack.write(now, id, left.clone()) {
                Ok(0) | Err(StackError::WouldBlock) => break,
                Ok(taken) => left.split_to(taken),
                Err(StackError::Shutdown) => return Ok(Attempt::Error("EPIPE")),
                Err(error) => return Ok(Attempt::Wrong(format!("the stack says: {error}"))),
            };
            progress.bytes += taken.len();
            self.written(id).extend_from_slice(&taken);
        }
        let socket = self.socket(descriptor)?;
        let was_more = std::mem::replace(&mut socket.more, more);
        let cork = socket.options.cork.unwrap_or(false);
        let nonblocking = socket.nonblocking;
        if was_more && !more {
            self.set(id, ConnectionOption::Cork(cork))?;
        }
        Ok(match progress.bytes {
            sent if sent == total => Attempt::Done(total as i64),
            sent @ 1.. if nonblocking => Attempt::Done(sent as i64),
            _ => Attempt::Blocked,
        })
    }
}

/// The bytes of the pieces: their text, or the pattern of their place in the stream.
fn content(pieces: &[(&Expr, usize)], start: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for (base, length) in pieces {
        let mut piece = match base {
            Expr::Text(text) => text.clone(),
            _ => pattern((start + out.len()) as u32, *length),
        };
        piece.resize(*length, 0);
        out.extend(piece);
    }
    out
}

fn is_null(expression: &Expr) -> bool {
    matches!(expression, Expr::Word(word) if word == "NULL")
}
