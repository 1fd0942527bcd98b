//! The calls of a kernel, over the stack: descriptors, blocking, `errno`.
//!
//! | file | calls |
//! |---|---|
//! | `open` | socket, bind, listen, accept, connect, close, shutdown, fcntl, ioctl |
//! | `receive` | read, readv, recv, recvfrom, recvmsg |
//! | `send` | write, writev, send, sendto, sendmsg |
//! | `notices` | the error queue: zero-copy sends, times of what was sent |
//! | `files` | open, pipe, sendfile, splice |
//! | `fast_open` | what opens a connection with data |
//! | `set`, `get` | setsockopt, getsockopt |
//! | `poll` | poll, epoll_create, epoll_ctl, epoll_wait |
//! | `list` | what `sockstat` shows |
//! | `names` | options that scripts give as numbers |
//! | `args` | what arguments mean |
//! | `socket` | what a descriptor stands for |
//!
//! A call is attempted as often as it takes; what it got done so far is in its [`Progress`].

mod args;
mod fast_open;
mod files;
mod get;
mod list;
mod names;
mod notices;
mod open;
mod poll;
mod receive;
mod send;
mod set;
mod socket;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use fyke_stack::TcpId;

use super::config::Config;
use super::flow::Flow;
use super::host::{Host, Restless};
use super::outcome::SkipReason;
use super::settings::Settings;
use crate::script::{CallSpec, Expr};
use files::{Source, Store};
pub(crate) use get::Found;
pub(crate) use socket::{File, Place, Socket};

/// A kernel's name of an error.
pub(crate) type Errno = &'static str;

/// What an attempt at a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It returned this.
    Done(i64),
    /// It failed with this.
    Error(Errno),
    /// It would wait.
    Blocked,
    /// The stack does not have what it needs.
    Skip(SkipReason),
    /// This call, or a part of it, is not known here.
    Unknown(String),
    /// What it returned besides its result was not as the script says.
    Wrong(String),
}

/// What a call that waits has got done.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// It was attempted before.
    pub(crate) begun: bool,
    /// Bytes it has handed over.
    pub(crate) bytes: usize,
    /// When it began.
    pub(crate) since: Duration,
}

/// Descriptors, and the stack behind them.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) config: Config,
    pub(crate) settings: Settings,
    /// The stack; made when the first call or packet needs it, so that settings reach it.
    host: Option<Host>,
    seed: u64,
    files: BTreeMap<i64, File>,
    /// The connection that packets of the script belong to.
    pub(crate) flow: Option<Flow>,
    /// Connections that packets with ports in the script belong to.
    pub(crate) others: BTreeMap<(SocketAddr, SocketAddr), Flow>,
    /// The descriptor that code asks about.
    pub(crate) under_test: Option<i64>,
    /// What was written to each connection, by its ends: ours and the script's.
    pub(crate) written: BTreeMap<(SocketAddr, SocketAddr), Vec<u8>>,
    store: Store,
    next_port: u16,
    /// Compare what is read with the pattern scripts send; otherwise it is kept.
    pub(crate) check_data: bool,
    /// What the last call that read got, when it is kept.
    pub(crate) last_read: Vec<u8>,
}

impl Kernel {
    pub(crate) fn new(config: Config, settings: Settings, seed: u64) -> Self {
        Self {
            config,
            settings,
            host: None,
            seed,
            files: BTreeMap::new(),
            flow: None,
            others: BTreeMap::new(),
            under_test: None,
            written: BTreeMap::new(),
            store: Store::default(),
            // Any port will do that no script names.
            next_port: 40_000 + (seed % 1000) as u16,
            check_data: true,
            last_read: Vec::new(),
        }
    }

    /// The stack.
    pub(crate) fn host(&mut self) -> &mut Host {
        self.host.get_or_insert_with(|| Host::new(&self.settings, &self.config, self.seed))
    }

    /// The stack, if anything needed it yet.
    pub(crate) fn host_if_made(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// The next port of the script's side.
    pub(crate) fn remote_port(&mut self) -> u16 {
        self.next_port += 1;
        self.next_port
    }

    /// What was written to a connection so far.
    fn written(&mut self, id: TcpId) -> &mut Vec<u8> {
        let none = (self.config.remote(0), self.config.remote(0));
        let ends = self.host().stack.endpoints(id).unwrap_or(none);
        self.written.entry(ends).or_default()
    }

    /// The connection of the socket under test.
    pub(crate) fn connection_under_test(&self) -> Option<TcpId> {
        match self.files.get(&self.under_test?)? {
            File::Socket(socket) => match socket.place {
                Place::Tcp(id) => Some(id),
                _ => None,
            },
            File::Epoll(_) | File::Source(_) => None,
        }
    }

    pub(crate) fn file(&self, descriptor: i64) -> Option<&File> {
        self.files.get(&descriptor)
    }

    fn socket(&mut self, descriptor: i64) -> Result<&mut Socket, Attempt> {
        match self.files.get_mut(&descriptor) {
            Some(File::Socket(socket)) => Ok(socket),
            Some(File::Epoll(_) | File::Source(_)) => Err(Attempt::Error("ENOTSOCK")),
            None => Err(Attempt::Error("EBADF")),
        }
    }

    /// Whether calls on this descriptor do not wait.
    pub(crate) fn is_nonblocking(&self, call: &CallSpec) -> bool {
        let Some(Expr::Integer(descriptor)) = call.arguments.first() else { return false };
        let dont_wait = call.arguments.iter().any(|a| args::has_word(a, "MSG_DONTWAIT"));
        dont_wait || matches!(self.files.get(descriptor), Some(File::Socket(s)) if s.nonblocking)
    }

    /// Attempts a call, and lets the stack do what follows from it.
    pub(crate) fn attempt(
        &mut self,
        call: &CallSpec,
        progress: &mut Progress,
    ) -> Result<Attempt, Restless> {
        if !progress.begun {
            progress.since = self.host().elapsed();
        }
        let attempt = self.dispatch(call, progress).unwrap_or_else(|attempt| attempt);
        progress.begun = true;
        self.host().settle()?;
        self.note_progress();
        Ok(attempt)
    }

    fn dispatch(&mut self, call: &CallSpec, progress: &mut Progress) -> Result<Attempt, Attempt> {
        let a = call.arguments.as_slice();
        match call.name.as_str() {
            "socket" => self.call_socket(call),
            "bind" => self.call_bind(a),
            "listen" => self.call_listen(a),
            "accept" | "accept4" => self.call_accept(call),
            "connect" => self.call_connect(a, progress),
            "close" => self.call_close(a),
            "shutdown" => self.call_shutdown(a),
            "fcntl" => self.call_fcntl(a),
            "ioctl" => self.call_ioctl(a),
            "read" | "readv" | "recv" | "recvfrom" | "recvmsg" => self.call_receive(call),
            "write" | "writev" | "send" | "sendto" | "sendmsg" => self.call_send(call, progress),
            "setsockopt" => self.call_setsockopt(a),
            "getsockopt" => self.call_getsockopt(a),
            "poll" => self.call_poll(call, progress),
            "epoll_create" | "epoll_create1" => self.call_epoll_create(call),
            "epoll_ctl" => self.call_epoll_ctl(a),
            "epoll_wait" => self.call_epoll_wait(a, progress),
            "open" => self.call_open(call),
            "pipe" => self.call_pipe(a),
            "sendfile" => self.call_sendfile(call, progress),
            "splice" => self.call_splice(call, progress),
            "cap_set" | "setuid" => Ok(Attempt::Done(0)),
            name => Ok(Attempt::Unknown(name.to_owned())),
        }
    }
}
