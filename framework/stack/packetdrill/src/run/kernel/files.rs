//! Files and pipes as far as data of connections comes from them and goes to them: open, pipe,
//! sendfile, splice. Files are those that a command of the script made, full of zeros.

use std::collections::BTreeMap;

use super::super::inbound::pattern;
use super::super::outcome::SkipReason;
use super::super::system::System;
use super::open::new_descriptor;
use super::{Attempt, File, Kernel, Place, Progress, args};
use crate::script::{CallSpec, Expr};

/// What lies on the disk and in pipes.
#[derive(Debug, Default)]
pub(crate) struct Store {
    /// Sizes of files, by their paths.
    files: BTreeMap<String, usize>,
    pipes: Vec<Vec<u8>>,
}

/// A descriptor that is no socket and has data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file of this size, read up to here.
    Plain { size: usize, at: usize },
    /// An end of the pipe with this number.
    Pipe(usize),
}

impl Kernel {
    /// A command made a file.
    pub(crate) fn make_file(&mut self, path: &str, size: usize) {
        self.store.files.insert(path.to_owned(), size);
    }

    pub(super) fn call_open(&mut self, call: &CallSpec) -> Result<Attempt, Attempt> {
        let Expr::Text(path) = args::at(&call.arguments, 0)? else {
            return Ok(Attempt::Unknown("such a path".to_owned()));
        };
        let path = String::from_utf8_lossy(path).into_owned();
        let Some(size) = self.store.files.get(&path).copied() else {
            return Ok(Attempt::Error("ENOENT"));
        };
        let descriptor = new_descriptor(call)?;
        self.files.insert(descriptor, File::Source(Source::Plain { size, at: 0 }));
        Ok(Attempt::Done(descriptor))
    }

    pub(super) fn call_pipe(&mut self, a: &[Expr]) -> Result<Attempt, Attempt> {
        let Expr::List(ends) = args::at(a, 0)? else {
            return Ok(Attempt::Unknown("a pipe without its ends".to_owned()));
        };
        let number = self.store.pipes.len();
        self.store.pipes.push(Vec::new());
        for end in ends {
            let Expr::Integer(descriptor) = end else {
                return Ok(Attempt::Unknown(format!("the descriptor {end:?}")));
            };
            self.files.insert(*descriptor, File::Source(Source::Pipe(number)));
        }
        Ok(Attempt::Done(0))
    }

    fn source(&self, descriptor: i64) -> Option<Source> {
        match self.files.get(&descriptor) {
            Some(File::Source(source)) => Some(*source),
            _ => None,
        }
    }

    /// Linux's: socket, file, offset, count.
    pub(super) fn call_sendfile(
        &mut self,
        call: &CallSpec,
        progress: &mut Progress,
    ) -> Result<Attempt, Attempt> {
        if self.settings.system == System::FreeBsd {
            return Ok(Attempt::Skip(SkipReason::Files));
        }
        let a = call.arguments.as_slice();
        let (socket, file) = (args::descriptor(a)?, self.number_at(a, 1)?);
        let Some(Source::Plain { size, at }) = self.source(file) else {
            return Ok(Attempt::Error("EINVAL"));
        };
        let asked = args::number(args::at(a, 2)?, self.settings.system);
        let start = asked.map_or(Ok(at), usize::try_from).map_err(|_| Attempt::Error("EINVAL"))?;
        let count = self.length_at(a, 3)?.min(size.saturating_sub(start));
        let sent = self.send_bytes(socket, vec![0; count], progress)?;
        if let (None, Attempt::Done(n)) = (asked, &sent) {
            let at = start + usize::try_from(*n).unwrap_or(0);
            self.files.insert(file, File::Source(Source::Plain { size, at }));
        }
        Ok(sent)
    }

    /// Data of a socket into a pipe, or of a pipe into a socket.
    pub(super) fn call_splice(
        &mut self,
        call: &CallSpec,
        progress: &mut Progress,
    ) -> Result<Attempt, Attempt> {
        let a = call.arguments.as_slice();
        let (from, to) = (args::descriptor(a)?, self.number_at(a, 2)?);
        let count = self.length_at(a, 4)?;
        match (self.source(from), self.source(to)) {
            (None, Some(Source::Pipe(pipe))) => {
                let start = self.socket(from)?.received;
                let got = self.receive_bytes(from, count)?;
                if let Attempt::Done(n @ 1..) = got {
                    let bytes = pattern(start, usize::try_from(n).unwrap_or(0));
                    self.store.pipes[pipe].extend(bytes);
                }
                Ok(got)
            }
            (Some(Source::Pipe(pipe)), None) => {
                let there = &self.store.pipes[pipe];
                let bytes = there[..count.min(there.len())].to_vec();
                let sent = self.send_bytes(to, bytes, progress)?;
                if let Attempt::Done(n) = sent {
                    self.store.pipes[pipe].drain(..usize::try_from(n).unwrap_or(0));
                }
                Ok(sent)
            }
            _ => Ok(Attempt::Error("EINVAL")),
        }
    }

    fn receive_bytes(&mut self, descriptor: i64, count: usize) -> Result<Attempt, Attempt> {
        match self.socket(descriptor)?.place {
            Place::Tcp(id) => self.receive(descriptor, id, count, false),
            _ => Ok(Attempt::Error("ENOTCONN")),
        }
    }

    /// What a call like `write` does with bytes.
    fn send_bytes(
        &mut self,
        descriptor: i64,
        bytes: Vec<u8>,
        progress: &mut Progress,
    ) -> Result<Attempt, Attempt> {
        let Place::Tcp(id) = self.socket(descriptor)?.place else {
            return Ok(Attempt::Error("EPIPE"));
        };
        match self.may_send(descriptor, id)? {
            Some(refusal) => Ok(refusal),
            None => self.send(descriptor, id, bytes, false, progress),
        }
    }
}
