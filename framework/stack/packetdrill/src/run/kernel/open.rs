//! Calls that make sockets, give them addresses and connections, and end them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::{ConnectionOption, State};
use fyke_stack::{ConnectOptions, ListenOptions, StackError, TcpId};

use super::super::flow::{Flow, Stage};
use super::super::outcome::SkipReason;
use super::socket::errno;
use super::{Attempt, Errno, File, Kernel, Place, Progress, Socket, args};
use crate::script::{CallSpec, Expr};

/// The number of the descriptor a call is to return.
pub(super) fn new_descriptor(call: &CallSpec) -> Result<i64, Attempt> {
    match call.result {
        Expr::Integer(n) if n >= 0 => Ok(n),
        _ => Err(Attempt::Unknown(format!("{} that fails", call.name))),
    }
}

fn tcp_protocol_is(call: &CallSpec, name: &str) -> bool {
    call.arguments.get(2).is_some_and(|protocol| args::has_word(protocol, name))
}

impl Kernel {
    pub(super) fn call_socket(&mut self, call: &CallSpec) -> Result<Attempt, Attempt> {
        let stream = call.arguments.get(1).is_some_and(|kind| args::has_word(kind, "SOCK_STREAM"));
        let tcp = call.arguments.get(2);
        let tcp = tcp.is_some_and(|p| args::has_word(p, "IPPROTO_TCP") || *p == Expr::Integer(0));
        if tcp_protocol_is(call, "IPPROTO_MPTCP") {
            return Ok(Attempt::Skip(SkipReason::Multipath));
        }
        if !stream || !tcp {
            return Ok(Attempt::Skip(SkipReason::Protocol));
        }
        let nonblocking = args::has_word(&call.arguments[1], "SOCK_NONBLOCK");
        let socket = Socket { nonblocking, ..Socket::default() };
        let descriptor = new_descriptor(call)?;
        self.files.insert(descriptor, File::Socket(Box::new(socket)));
        self.under_test = Some(descriptor);
        Ok(Attempt::Done(descriptor))
    }

    pub(super) fn call_bind(&mut self, a: &[Expr]) -> Result<Attempt, Attempt> {
        let descriptor = args::descriptor(a)?;
        let otherwise = SocketAddr::new(self.config.local, self.config.bind_port);
        let address = self.address(args::at(a, 1)?, otherwise)?;
        let remote_port = self.remote_port();
        let remote = self.config.remote(remote_port);
        let socket = self.socket(descriptor)?;
        if socket.place != Place::Fresh {
            return Ok(Attempt::Error("EINVAL"));
        }
        socket.place = Place::Bound(address);
        let local = SocketAddr::new(self.config.local, address.port());
        self.flow = Some(Flow::new(Stage::Passive, local, remote));
        self.under_test = Some(descriptor);
        Ok(Attempt::Done(0))
    }

    pub(super) fn call_listen(&mut self, a: &[Expr]) -> Result<Attempt, Attempt> {
        let descriptor = args::descriptor(a)?;
        let backlog = self.length_at(a, 1)?;
        self.socket(descriptor)?.backlog = backlog;
        self.under_test = Some(descriptor);
        self.listen(descriptor)
    }

    /// Begins to listen, with the options the socket has now.
    pub(super) fn listen(&mut self, descriptor: i64) -> Result<Attempt, Attempt> {
        let settings = self.settings.clone();
        let socket = self.socket(descriptor)?;
        let Place::Bound(address) = socket.place else { return Ok(Attempt::Error("EINVAL")) };
        let mut options = ListenOptions::default();
        // Kernels take one more than was asked for.
        options.backlog = socket.backlog + 1;
        options.config = Some(Arc::new(socket.options.config(&settings)));
        options.traffic_class = socket.options.traffic_class;
        options.hop_limit = socket.options.hop_limit;
        options.defer_accept = socket.options.defer_accept;
        let asked = socket.options.fast_open_queue;
        options.fast_open_pending_max = settings.fast_open_pending_max(asked, socket.backlog);
        match self.host().stack.listen(address, options) {
            Ok(id) => self.socket(descriptor)?.place = Place::Listening(id, address),
            Err(error) => return Ok(Attempt::Error(refused(error))),
        }
        Ok(Attempt::Done(0))
    }

    pub(super) fn call_accept(&mut self, call: &CallSpec) -> Result<Attempt, Attempt> {
        let descriptor = args::descriptor(&call.arguments)?;
        let socket = self.socket(descriptor)?;
        let Place::Listening(listener, _) = socket.place else {
            return Ok(Attempt::Error("EINVAL"));
        };
        let mut options = socket.options.clone();
        options.reuse = None;
        let Some(id) = self.host().stack.accept(listener) else { return Ok(Attempt::Blocked) };
        let new = new_descriptor(call)?;
        for option in options.late() {
            self.set(id, option)?;
        }
        let nonblocking = call.arguments.iter().any(|a| args::has_word(a, "SOCK_NONBLOCK"));
        let place = Place::Tcp(id);
        let socket = Socket { place, nonblocking, options, connected: true, ..Socket::default() };
        self.files.insert(new, File::Socket(Box::new(socket)));
        self.under_test = Some(new);
        self.written(id).clear();
        Ok(Attempt::Done(new))
    }

    pub(super) fn call_connect(
        &mut self,
        a: &[Expr],
        progress: &Progress,
    ) -> Result<Attempt, Attempt> {
        let descriptor = args::descriptor(a)?;
        if args::is_unspecified(args::at(a, 1)?) {
            return self.disconnect(descriptor);
        }
        let remote = self.address(args::at(a, 1)?, self.config.remote(self.config.connect_port))?;
        let place = self.socket(descriptor)?.place;
        match place {
            Place::Fresh | Place::Bound(_) => {}
            Place::Listening(..) => return Ok(Attempt::Error("EOPNOTSUPP")),
            Place::Tcp(id) => return self.connect_again(descriptor, id, progress),
        }
        if self.socket(descriptor)?.deferred.is_some() {
            return Ok(Attempt::Error("EISCONN"));
        }
        if let Some(attempt) = self.connect_with_first_data(descriptor, remote)? {
            return Ok(attempt);
        }
        if let Err(attempt) = self.open(descriptor, remote, None)? {
            return Ok(attempt);
        }
        if self.socket(descriptor)?.nonblocking {
            return Ok(Attempt::Error("EINPROGRESS"));
        }
        Ok(Attempt::Blocked)
    }

    /// `connect` to no address takes the connection away; the socket can have another.
    fn disconnect(&mut self, descriptor: i64) -> Result<Attempt, Attempt> {
        let socket = self.socket(descriptor)?;
        let place = std::mem::take(&mut socket.place);
        let options = socket.options.clone();
        let nonblocking = socket.nonblocking;
        *socket = Socket { options, nonblocking, ..Socket::default() };
        let host = self.host();
        let now = host.now();
        let ended = match place {
            Place::Tcp(id) if !host.closed.contains_key(&id) => host.stack.abort(now, id),
            Place::Listening(id, _) => host.stack.close_listener(now, id),
            _ => Ok(()),
        };
        Ok(ended.map_or_else(|error| Attempt::Error(refused(error)), |()| Attempt::Done(0)))
    }

    /// Begins a connection for a socket that has none, with what goes out first.
    pub(super) fn open(
        &mut self,
        descriptor: i64,
        remote: SocketAddr,
        first: Option<Bytes>,
    ) -> Result<Result<TcpId, Attempt>, Attempt> {
        let local = match self.socket(descriptor)?.place {
            Place::Bound(address) => Some(address),
            _ => None,
        };
        let settings = self.settings.clone();
        let options = self.socket(descriptor)?.options.clone();
        let mut connect = ConnectOptions::default();
        connect.local = local;
        connect.fast_open = first;
        connect.config = Some(Arc::new(options.config(&settings)));
        connect.traffic_class = options.traffic_class;
        connect.hop_limit = options.hop_limit;
        let host = self.host();
        let now = host.now();
        let id = match host.stack.connect(now, remote, connect) {
            Ok(id) => id,
            Err(error) => return Ok(Err(Attempt::Error(refused(error)))),
        };
        let source = SocketAddr::new(self.config.local, local.map_or(0, |l| l.port()));
        self.flow = Some(Flow::new(Stage::Connecting, source, remote));
        self.under_test = Some(descriptor);
        self.written(id).clear();
        self.socket(descriptor)?.place = Place::Tcp(id);
        for option in options.late() {
            self.set(id, option)?;
        }
        Ok(Ok(id))
    }

    /// Another attempt: of a call that waits, or a call after one that did not wait.
    fn connect_again(
        &mut self,
        descriptor: i64,
        id: TcpId,
        progress: &Progress,
    ) -> Result<Attempt, Attempt> {
        if let Some(error) = self.take_error(descriptor, id)? {
            return Ok(Attempt::Error(error));
        }
        let state = self.host().stack.state(id);
        let opening = matches!(state, Some(State::SynSent | State::SynReceived));
        let socket = self.socket(descriptor)?;
        if opening {
            let again = socket.nonblocking && !progress.begun;
            return Ok(if again { Attempt::Error("EALREADY") } else { Attempt::Blocked });
        }
        let told = std::mem::replace(&mut socket.connected, true);
        Ok(if told { Attempt::Error("EISCONN") } else { Attempt::Done(0) })
    }

    /// The error that ended a connection, unless it was told before.
    pub(super) fn take_error(
        &mut self,
        descriptor: i64,
        id: TcpId,
    ) -> Result<Option<Errno>, Attempt> {
        let system = self.settings.system;
        let reason = self.host().closed.get(&id).copied();
        let socket = self.socket(descriptor)?;
        let error = reason.and_then(|reason| errno(reason, system));
        Ok(error.filter(|_| !std::mem::replace(&mut socket.told, true)))
    }

    pub(super) fn call_close(&mut self, a: &[Expr]) -> Result<Attempt, Attempt> {
        let descriptor = args::descriptor(a)?;
        let Some(file) = self.files.remove(&descriptor) else {
            return Ok(Attempt::Error("EBADF"));
        };
        let host = self.host();
        let now = host.now();
        let closed = match file {
            File::Socket(socket) => match socket.place {
                Place::Fresh | Place::Bound(_) => Ok(()),
                Place::Listening(id, _) => host.stack.close_listener(now, id),
                Place::Tcp(id) if socket.options.linger == Some(Duration::ZERO) => {
                    host.stack.abort(now, id)
                }
                Place::Tcp(id) => host.stack.close(now, id),
            },
            File::Epoll(_) | File::Source(_) => Ok(()),
        };
        Ok(match closed {
            Ok(()) => Attempt::Done(0),
            Err(error) => Attempt::Wrong(format!("the stack says: {error}")),
        })
    }

    pub(super) fn call_shutdown(&mut self, a: &[Expr]) -> Result<Attempt, Attempt> {
        let descriptor = args::descriptor(a)?;
        let how = self.number_at(a, 1)?;
        let socket = self.socket(descriptor)?;
        let Place::Tcp(id) = socket.place else { return Ok(Attempt::Error("ENOTCONN")) };
        socket.read_shut |= how == 0 || how == 2;
        if how == 0 {
            return Ok(Attempt::Done(0));
        }
        socket.write_shut = true;
        let host = self.host();
        let now = host.now();
        if host.closed.contains_key(&id) {
            return Ok(Attempt::Error("ENOTCONN"));
        }
        Ok(match host.stack.shutdown(now, id) {
            Ok(()) => Attempt::Done(0),
            Err(error) => Attempt::Error(refused(error)),
        })
    }

    pub(super) fn call_fcntl(&mut self, a: &[Expr]) -> Result<Attempt, Attempt> {
        let descriptor = args::descriptor(a)?;
        let system = self.settings.system;
        let command = args::word(args::at(a, 1)?).unwrap_or("").to_owned();
        let flags = a.get(2).and_then(|flags| args::number(flags, system));
        let socket = self.socket(descriptor)?;
        match (command.as_str(), flags) {
            ("F_GETFL", _) => {
                let nonblock = if socket.nonblocking { system.nonblock() } else { 0 };
                Ok(Attempt::Done(2 | nonblock))
            }
            ("F_SETFL", Some(flags)) => {
                socket.nonblocking = flags & system.nonblock() != 0;
                Ok(Attempt::Done(0))
            }
            _ => Ok(Attempt::Unknown(format!("fcntl {command}"))),
        }
    }

    pub(super) fn call_ioctl(&mut self, a: &[Expr]) -> Result<Attempt, Attempt> {
        let descriptor = args::descriptor(a)?;
        let request = args::word(args::at(a, 1)?).unwrap_or("").to_owned();
        let Place::Tcp(id) = self.socket(descriptor)?.place else {
            return Ok(Attempt::Error("EINVAL"));
        };
        let info = self.host().stack.info(id);
        let (unread, unsent, unacknowledged) =
            info.map_or((0, 0, 0), |i| (i.unread as i64, i.unsent, i.unacknowledged));
        let found = match request.as_str() {
            "SIOCINQ" | "FIONREAD" => unread,
            "SIOCOUTQ" | "TIOCOUTQ" => i64::from(unsent + unacknowledged),
            "SIOCOUTQNSD" => i64::from(unsent),
            _ => return Ok(Attempt::Unknown(format!("ioctl {request}"))),
        };
        let wanted = self.number_at(a, 2)?;
        Ok(if wanted == found {
            Attempt::Done(0)
        } else {
            Attempt::Wrong(format!("{request} is {found}, expected {wanted}"))
        })
    }

    /// Sets an option of a connection.
    pub(super) fn set(&mut self, id: TcpId, option: ConnectionOption) -> Result<(), Attempt> {
        let host = self.host();
        let now = host.now();
        let set = host.stack.set_option(now, id, option);
        set.map_err(|error| Attempt::Wrong(format!("the stack says: {error}")))
    }
}

/// The kernel's word for a refusal of the stack.
pub(super) fn refused(error: StackError) -> Errno {
    match error {
        StackError::AddressInUse => "EADDRINUSE",
        StackError::AddressNotAvailable | StackError::NoPorts => "EADDRNOTAVAIL",
        StackError::InvalidAddress | StackError::InvalidOption => "EINVAL",
        StackError::Unreachable => "ENETUNREACH",
        StackError::LimitReached => "ENOBUFS",
        StackError::WouldBlock => "EAGAIN",
        StackError::NotConnected => "ENOTCONN",
        StackError::Shutdown => "EPIPE",
        StackError::MessageTooLong => "EMSGSIZE",
        StackError::ConnectionRefused => "ECONNREFUSED",
        _ => "EBADF",
    }
}
