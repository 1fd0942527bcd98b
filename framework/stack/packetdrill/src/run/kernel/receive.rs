//! Calls that receive.

use fyke_stack::{StackError, TcpId};

use super::super::inbound::pattern;
use super::super::system::System;
use super::{Attempt, Kernel, Place, args};
use crate::script::{CallSpec, Expr};

impl Kernel {
    pub(super) fn call_receive(&mut self, call: &CallSpec) -> Result<Attempt, Attempt> {
        let a = call.arguments.as_slice();
        let descriptor = args::descriptor(a)?;
        let flags = match call.name.as_str() {
            "recv" | "recvfrom" => a.get(3),
            "recvmsg" => a.get(2),
            _ => None,
        };
        let has = |word: &str| flags.is_some_and(|flags| args::has_word(flags, word));
        if has("MSG_ERRQUEUE") {
            return self.receive_notice(descriptor, call);
        }
        if has("MSG_OOB") {
            return Ok(Attempt::Unknown("MSG_OOB".to_owned()));
        }
        let max = self.receive_length(call)?;
        self.last_read.clear();
        let socket = self.socket(descriptor)?;
        let read_shut = socket.read_shut;
        let Place::Tcp(id) = socket.place else {
            let deferred = socket.deferred.is_some();
            return Ok(if deferred { Attempt::Blocked } else { Attempt::Error("ENOTCONN") });
        };
        if read_shut && self.settings.system == System::FreeBsd {
            return Ok(self.discard(id));
        }
        if is_null(args::at(a, 1)?) {
            return Ok(self.receive_into_null(descriptor, id));
        }
        if has("MSG_PEEK") {
            let there = self.host().stack.readable(id);
            if there > 0 {
                return Ok(Attempt::Done(there.min(max) as i64));
            }
        }
        let before = self.host().stack.readable(id);
        let received = self.receive(descriptor, id, max, has("MSG_PEEK"))?;
        if let Attempt::Done(count) = received
            && call.name == "recvmsg"
        {
            // A stream has nothing to say in flags.
            let flags = args::field(args::at(a, 1)?, "msg_flags").map(args::words);
            if let Some(flag) = flags.unwrap_or_default().first() {
                return Ok(Attempt::Wrong(format!("msg_flags are 0, expected {flag}")));
            }
            self.check_control(args::at(a, 1)?, before, count, id)?;
        }
        Ok(received)
    }

    fn receive_length(&self, call: &CallSpec) -> Result<usize, Attempt> {
        let a = call.arguments.as_slice();
        let list = match call.name.as_str() {
            "readv" => args::at(a, 1)?,
            "recvmsg" => {
                let message = args::at(a, 1)?;
                match args::field(message, "msg_iov") {
                    Some(list) => list,
                    None => return Err(Attempt::Unknown("a message without msg_iov".to_owned())),
                }
            }
            _ => return self.length_at(a, 2),
        };
        let pieces = args::pieces(list);
        let pieces = pieces.ok_or_else(|| Attempt::Unknown("such pieces".to_owned()))?;
        Ok(pieces.iter().map(|(_, length)| length).sum())
    }

    /// FreeBSD throws away what comes after reading was shut down; Linux still hands it over.
    fn discard(&mut self, id: TcpId) -> Attempt {
        let host = self.host();
        let now = host.now();
        while let Ok(Some(_)) = host.stack.read(now, id, usize::MAX) {}
        Attempt::Done(0)
    }

    /// Bytes that have nowhere to go: an error if there are any.
    fn receive_into_null(&mut self, descriptor: i64, id: TcpId) -> Attempt {
        match self.host().stack.readable(id) {
            0 => self.receive(descriptor, id, 0, true).unwrap_or_else(|attempt| attempt),
            _ => Attempt::Error("EFAULT"),
        }
    }

    pub(super) fn receive(
        &mut self,
        descriptor: i64,
        id: TcpId,
        max: usize,
        peek: bool,
    ) -> Result<Attempt, Attempt> {
        let mut bytes = Vec::new();
        let host = self.host();
        let now = host.now();
        let mut end = None;
        while bytes.len() < max && !peek {
            match host.stack.read(now, id, max - bytes.len()) {
                Ok(Some(more)) => bytes.extend_from_slice(&more),
                Ok(None) => break,
                Err(error) => {
                    end = Some(error);
                    break;
                }
            }
        }
        if !bytes.is_empty() {
            return self.received(descriptor, &bytes);
        }
        if let Some(error) = self.take_error(descriptor, id)? {
            return Ok(Attempt::Error(error));
        }
        let host = self.host();
        let over = host.closed.contains_key(&id);
        let end = if peek { host.stack.read(now, id, 0).err() } else { end };
        let open = matches!(end, Some(StackError::WouldBlock)) && !over;
        let read_shut = self.socket(descriptor)?.read_shut;
        Ok(if open && !read_shut { Attempt::Blocked } else { Attempt::Done(0) })
    }

    /// What was read must be what the script's side sent, from where the last read ended.
    fn received(&mut self, descriptor: i64, bytes: &[u8]) -> Result<Attempt, Attempt> {
        if !self.check_data {
            self.last_read = bytes.to_vec();
            return Ok(Attempt::Done(bytes.len() as i64));
        }
        let socket = self.socket(descriptor)?;
        let wanted = pattern(socket.received, bytes.len());
        if let Some(at) = bytes.iter().zip(&wanted).position(|(found, wanted)| found != wanted) {
            let place = socket.received as usize + at;
            return Ok(Attempt::Wrong(format!("byte {place} of the stream is not the one sent")));
        }
        socket.received = socket.received.wrapping_add(bytes.len() as u32);
        Ok(Attempt::Done(bytes.len() as i64))
    }

    /// Control messages: only the one that tells how much is left (TCP_INQ).
    fn check_control(
        &mut self,
        message: &Expr,
        before: usize,
        count: i64,
        id: TcpId,
    ) -> Result<(), Attempt> {
        let Some(Expr::List(list)) = args::field(message, "msg_control") else { return Ok(()) };
        for item in list {
            let kind = args::field(item, "cmsg_type").and_then(args::word).unwrap_or("");
            if kind != "TCP_CM_INQ" {
                return Err(Attempt::Unknown(format!("control message {kind}")));
            }
            let wanted = args::field(item, "cmsg_data");
            let wanted = wanted.and_then(|data| args::number(data, self.settings.system));
            let mut left = before as i64 - count;
            // An end that was seen and not told counts as a byte.
            let host = self.host();
            let now = host.now();
            if left == 0 && matches!(host.stack.read(now, id, 0), Ok(None)) {
                left = 1;
            }
            if wanted != Some(left) {
                let wanted = wanted.unwrap_or(-1);
                return Err(Attempt::Wrong(format!("{left} bytes are left, expected {wanted}")));
            }
        }
        Ok(())
    }
}

fn is_null(expression: &Expr) -> bool {
    matches!(expression, Expr::Word(word) if word == "NULL")
}
