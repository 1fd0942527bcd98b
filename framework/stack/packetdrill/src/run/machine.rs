//! The same calls over the same stack, for a program instead of a script: what upstream packetdrill
//! needs when it loads us as a shared object.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use fyke_stack::{Cidr, Route};

use super::config::Config;
use super::host::Restless;
use super::info;
use super::kernel::{Attempt, Found, Kernel, Progress};
use super::settings::Settings;
use super::system::System;
use crate::python::Scope;
use crate::script::{CallSpec, Expr, Field};

/// A call by its meaning; descriptors are the caller's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// Makes a TCP socket with this descriptor.
    Socket(i64),
    /// Gives it an address.
    Bind(i64, SocketAddr),
    /// Listens, with a backlog.
    Listen(i64, usize),
    /// Accepts a connection as the second descriptor.
    Accept(i64, i64),
    /// Connects.
    Connect(i64, SocketAddr),
    /// Reads at most so many bytes, under these flags (`MSG_PEEK` ...).
    Receive(i64, usize, Vec<&'static str>),
    /// Writes, under these flags.
    Send(i64, Vec<u8>, Vec<&'static str>),
    /// Closes.
    Close(i64),
    /// Shuts down reading (0), writing (1) or both (2).
    Shutdown(i64, i64),
    /// Sets whether calls wait.
    SetNonBlocking(i64, bool),
    /// Sets an option by its name.
    SetOption(i64, &'static str, i64),
    /// Sets `SO_LINGER`: whether, and for how many seconds.
    SetLinger(i64, bool, i64),
    /// Sets `TCP_CONGESTION`.
    SetCongestion(i64, String),
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returned {
    /// It returned this, and read these bytes.
    Done(i64, Vec<u8>),
    /// It failed with this error.
    Error(&'static str),
    /// It would wait.
    Blocked,
}

/// A call that waits.
#[derive(Debug)]
pub struct Waiting {
    call: CallSpec,
    progress: Progress,
}

/// A stack with its sockets and its virtual clock.
#[derive(Debug)]
pub struct Machine {
    kernel: Kernel,
}

impl Machine {
    /// A machine with packetdrill's addresses of both families. `changes` are settings by their names
    /// in that kernel; those that are not known mean nothing.
    #[must_use]
    pub fn new(system: System, changes: &[(&str, &str)], seed: u64) -> Self {
        let tolerance = Duration::from_millis(4);
        let config = Config::standard(false, tolerance);
        let mut settings = Settings::new(system);
        if system == System::Linux {
            settings.defaults();
        }
        for (name, value) in changes {
            settings.set(name, value);
        }
        let mut kernel = Kernel::new(config, settings, seed);
        kernel.check_data = false;
        let six = Config::standard(true, tolerance);
        let host = kernel.host();
        let now = host.now();
        // Neither can fail: one more address and one more route.
        let _ = host.stack.add_address(now, Cidr::new(six.local, 64));
        if let Ok(all) = "::/0".parse() {
            let _ = host.stack.add_route(Route::link(all));
        }
        Self { kernel }
    }

    /// Time since the machine began.
    pub fn elapsed(&mut self) -> Duration {
        self.kernel.host().elapsed()
    }

    /// Goes to the next deadline of the stack up to `limit`; says whether there was one. Otherwise
    /// time stays.
    ///
    /// # Errors
    ///
    /// When the stack does not come to rest.
    pub fn step(&mut self, limit: Duration) -> Result<bool, String> {
        let host = self.kernel.host();
        host.step(host.at(limit)).map_err(restless)
    }

    /// Moves the clock; nothing may be due before.
    pub fn set_elapsed(&mut self, to: Duration) {
        let host = self.kernel.host();
        host.set_now(host.at(to));
    }

    /// Gives the stack a packet.
    ///
    /// # Errors
    ///
    /// When the stack does not come to rest.
    pub fn inject(&mut self, packet: Vec<u8>) -> Result<(), String> {
        self.kernel.host().receive(packet).map_err(restless)
    }

    /// The next packet the stack sent, and when.
    pub fn take_sent(&mut self) -> Option<(Duration, Vec<u8>)> {
        let host = self.kernel.host();
        let sent = host.sent.pop_front()?;
        Some((host.since_start(sent.at), sent.bytes.to_vec()))
    }

    /// Begins a call.
    pub fn begin(&mut self, call: &Call) -> (Returned, Waiting) {
        let mut waiting = Waiting { call: spec(call), progress: Progress::default() };
        (self.retry(&mut waiting), waiting)
    }

    /// Attempts a call again.
    pub fn retry(&mut self, waiting: &mut Waiting) -> Returned {
        match self.kernel.attempt(&waiting.call, &mut waiting.progress) {
            Ok(Attempt::Done(n)) => {
                let mut read = std::mem::take(&mut self.kernel.last_read);
                read.truncate(usize::try_from(n).unwrap_or(0));
                Returned::Done(n, read)
            }
            Ok(Attempt::Error(name)) => Returned::Error(name),
            Ok(Attempt::Blocked) if self.kernel.is_nonblocking(&waiting.call) => {
                Returned::Error(if waiting.call.name == "connect" {
                    "EINPROGRESS"
                } else {
                    "EAGAIN"
                })
            }
            Ok(Attempt::Blocked) => Returned::Blocked,
            Ok(Attempt::Skip(_) | Attempt::Unknown(_)) => Returned::Error("EOPNOTSUPP"),
            Ok(Attempt::Wrong(_)) | Err(Restless) => Returned::Error("EIO"),
        }
    }

    /// The value of an option; `SO_ERROR` is the name of an error, or none.
    ///
    /// # Errors
    ///
    /// When there is no such option or descriptor.
    pub fn option(&mut self, descriptor: i64, name: &str) -> Result<OptionValue, &'static str> {
        match self.kernel.option(descriptor, name) {
            Ok(Found::Value(value)) => Ok(OptionValue::Number(value)),
            Ok(Found::Error(name)) => Ok(OptionValue::Error(name)),
            Err(Attempt::Error(name)) => Err(name),
            Err(_) => Err("EINVAL"),
        }
    }

    /// Bytes to read, bytes not acknowledged, bytes not sent.
    pub fn queues(&mut self, descriptor: i64) -> Option<(usize, u32, u32)> {
        self.kernel.under_test = Some(descriptor);
        let id = self.kernel.connection_under_test()?;
        let info = self.kernel.host().stack.info(id)?;
        Some((info.unread, info.unacknowledged + info.unsent, info.unsent))
    }

    /// What a descriptor is ready for: `IN`, `OUT`, `ERR`, `HUP`, `RDHUP`, `NVAL`.
    pub fn ready(&mut self, descriptor: i64) -> Vec<&'static str> {
        self.kernel.ready(descriptor)
    }

    /// Whether calls on a descriptor do not wait.
    #[must_use]
    pub fn is_nonblocking(&self, descriptor: i64) -> bool {
        self.kernel.is_nonblocking(&spec(&Call::Close(descriptor)))
    }

    /// Whether there is such a descriptor.
    #[must_use]
    pub fn has(&self, descriptor: i64) -> bool {
        self.kernel.file(descriptor).is_some()
    }

    /// `tcp_info`, by the names assertions use.
    pub fn tcp_info(&mut self, descriptor: i64) -> BTreeMap<String, u64> {
        self.kernel.under_test = Some(descriptor);
        let mut scope = Scope::default();
        info::define(&mut scope, &mut self.kernel);
        let number = |(name, n): (&str, i128)| Some((name.to_owned(), u64::try_from(n).ok()?));
        scope.integers().filter_map(number).collect()
    }

    /// The peer of a connection.
    pub fn peer(&mut self, descriptor: i64) -> Option<SocketAddr> {
        self.kernel.under_test = Some(descriptor);
        let id = self.kernel.connection_under_test()?;
        self.kernel.host().stack.endpoints(id).map(|(_, remote)| remote)
    }
}

/// What an option is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionValue {
    /// A number.
    Number(i64),
    /// `SO_ERROR`: the error's name.
    Error(Option<&'static str>),
}

fn restless(_: Restless) -> String {
    "the stack does not come to rest".to_owned()
}

/// The call in the words of a script.
fn spec(call: &Call) -> CallSpec {
    let number = Expr::Integer;
    let word = |text: &str| Expr::Word(text.to_owned());
    let size = |n: usize| Expr::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    let mut result = 0;
    let (name, arguments) = match call {
        Call::Socket(fd) => {
            result = *fd;
            ("socket", vec![Expr::Ellipsis, word("SOCK_STREAM"), word("IPPROTO_TCP")])
        }
        Call::Bind(fd, at) => ("bind", vec![number(*fd), address(at), Expr::Ellipsis]),
        Call::Listen(fd, backlog) => ("listen", vec![number(*fd), size(*backlog)]),
        Call::Accept(fd, new) => {
            result = *new;
            ("accept", vec![number(*fd), Expr::Ellipsis, Expr::Ellipsis])
        }
        Call::Connect(fd, to) => ("connect", vec![number(*fd), address(to), Expr::Ellipsis]),
        Call::Receive(fd, max, flags) => {
            ("recv", vec![number(*fd), Expr::Ellipsis, size(*max), joined(flags)])
        }
        Call::Send(fd, data, flags) => {
            let text = Expr::Text(data.clone());
            ("send", vec![number(*fd), text, size(data.len()), joined(flags)])
        }
        Call::Close(fd) => ("close", vec![number(*fd)]),
        Call::Shutdown(fd, how) => ("shutdown", vec![number(*fd), number(*how)]),
        Call::SetNonBlocking(fd, on) => {
            let flags = word(if *on { "O_NONBLOCK" } else { "O_RDWR" });
            ("fcntl", vec![number(*fd), word("F_SETFL"), flags])
        }
        Call::SetOption(fd, name, value) => {
            let value = Expr::List(vec![number(*value)]);
            ("setsockopt", vec![number(*fd), Expr::Ellipsis, word(name), value])
        }
        Call::SetLinger(fd, on, seconds) => {
            let field = |name: &str, value| Field {
                name: Some(name.to_owned()),
                index: None,
                value: Expr::Integer(value),
            };
            let linger = vec![field("onoff", i64::from(*on)), field("linger", *seconds)];
            let linger = Expr::Struct(linger);
            ("setsockopt", vec![number(*fd), Expr::Ellipsis, word("SO_LINGER"), linger])
        }
        Call::SetCongestion(fd, name) => {
            let name = Expr::Text(name.clone().into_bytes());
            ("setsockopt", vec![number(*fd), Expr::Ellipsis, word("TCP_CONGESTION"), name])
        }
    };
    CallSpec {
        end: None,
        name: name.to_owned(),
        arguments,
        result: Expr::Integer(result),
        errno: None,
        note: None,
    }
}

fn joined(flags: &[&'static str]) -> Expr {
    let words = flags.iter().map(|flag| Expr::Word((*flag).to_owned()));
    words.reduce(|a, b| Expr::Or(Box::new(a), Box::new(b))).unwrap_or(Expr::Integer(0))
}

fn address(at: &SocketAddr) -> Expr {
    let field = |name: &str, value| Field { name: Some(name.to_owned()), index: None, value };
    let port = Expr::Apply("htons".to_owned(), vec![Expr::Integer(at.port().into())]);
    let ip = Expr::Text(at.ip().to_string().into_bytes());
    let ip = Expr::Apply("inet_addr".to_owned(), vec![ip]);
    Expr::Struct(vec![field("sin_port", port), field("sin_addr", ip)])
}
