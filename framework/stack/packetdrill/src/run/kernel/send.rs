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
        for (flag, reason) in
            [("MSG_ZEROCOPY", SkipReason::ZeroCopy), ("MSG_EOR", SkipReason::EndOfRecord)]
        {
            if has(flag) {
                return Ok(Attempt::Skip(reason));
            }
        }
        if has("MSG_OOB") {
            return Ok(Attempt::Unknown("MSG_OOB".to_owned()));
        }
        let pieces = self.send_pieces(call)?;
        let total: usize = pieces.iter().map(|(_, length)| length).sum();
        let socket = self.socket(descriptor)?;
        let opens = socket.options.fast_open && call.name == "sendto";
        if matches!(socket.place, Place::Fresh | Place::Bound(_)) {
            if fast {
                return self.send_message_fast(descriptor, content(&pieces, 0), waits, progress);
            }
            if opens {
                return self.send_fast(descriptor, &content(&pieces, 0));
            }
        }
        let Place::Tcp(id) = self.socket(descriptor)?.place else {
            let errno = if self.settings.system == System::Linux { "EPIPE" } else { "ENOTCONN" };
            return Ok(Attempt::Error(errno));
        };
        if let Some(refusal) = self.may_send(descriptor, id)? {
            return Ok(refusal);
        }
        if total > 0 && pieces.iter().any(|(base, _)| is_null(base)) {
            return Ok(Attempt::Error("EFAULT"));
        }
        let start = self.written(id).len() - progress.bytes;
        let data = content(&pieces, start);
        self.send(descriptor, id, data, has("MSG_MORE"), progress)
    }

    /// A connect that is implied by data (FreeBSD's way to open fast, RFC 7413).
    fn send_fast(&mut self, descriptor: i64, data: &[u8]) -> Result<Attempt, Attempt> {
        let remote = self.config.remote(self.config.connect_port);
        let granted = self.settings.fast_open != 0;
        let first = granted.then(|| Bytes::copy_from_slice(data));
        let id = match self.open(descriptor, remote, first)? {
            Ok(id) => id,
            Err(attempt) => return Ok(attempt),
        };
        if !granted {
            let host = self.host();
            let now = host.now();
            let taken = host.stack.write(now, id, Bytes::copy_from_slice(data));
            if taken != Ok(data.len()) {
                return Ok(Attempt::Wrong(format!("the stack takes {taken:?}")));
            }
        }
        self.written(id).extend_from_slice(data);
        Ok(Attempt::Done(data.len() as i64))
    }

    /// Linux's way: data goes along when there is a cookie; a call that does not wait and has none
    /// only asks for one.
    fn send_message_fast(
        &mut self,
        descriptor: i64,
        data: Vec<u8>,
        waits: bool,
        progress: &mut Progress,
    ) -> Result<Attempt, Attempt> {
        const CLIENT: i64 = 0x1;
        if self.settings.fast_open & CLIENT == 0 {
            return Ok(Attempt::Error("EOPNOTSUPP"));
        }
        let remote = self.config.remote(self.config.connect_port);
        let room = self.host().stack.fast_open_bytes(remote.ip()).filter(|_| !data.is_empty());
        let known = room.is_some();
        // TCP_MAXSEG, and what all options of a SYN may take.
        let most = self.socket(descriptor)?.options.segment_max;
        let most = most.map_or(usize::MAX, |most| usize::from(most).saturating_sub(40));
        let waits = waits && !self.socket(descriptor)?.nonblocking;
        let mut first = Bytes::from(data);
        if !waits {
            // What does not fit beside the options is for another call.
            first.truncate(room.unwrap_or(0).min(most));
        }
        let id = match self.open(descriptor, remote, Some(first.clone()))? {
            Ok(id) => id,
            Err(attempt) => return Ok(attempt),
        };
        self.written(id).extend_from_slice(&first);
        progress.bytes = first.len();
        Ok(match (known, waits) {
            (true, _) => Attempt::Done(first.len() as i64),
            (false, true) => Attempt::Blocked,
            (false, false) => Attempt::Error("EINPROGRESS"),
        })
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
    fn may_send(&mut self, descriptor: i64, id: TcpId) -> Result<Option<Attempt>, Attempt> {
        if let Some(error) = self.take_error(descriptor, id)? {
            return Ok(Some(Attempt::Error(error)));
        }
        if self.socket(descriptor)?.write_shut || self.host().closed.contains_key(&id) {
            return Ok(Some(Attempt::Error("EPIPE")));
        }
        let state = self.host().stack.state(id);
        if matches!(state, Some(State::SynSent | State::SynReceived)) {
            let bsd = self.settings.system == System::FreeBsd;
            let refused = bsd && self.socket(descriptor)?.nonblocking;
            return Ok(Some(if refused { Attempt::Error("ENOTCONN") } else { Attempt::Blocked }));
        }
        Ok(None)
    }

    fn send(
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
