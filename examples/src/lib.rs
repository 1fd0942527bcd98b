//! Shared by the examples: flags, logging, start and stop.
#![forbid(unsafe_code)]

pub mod control;
pub mod icmp;
pub mod metrics;
pub mod relay;
pub mod tap;
pub mod tls;
pub mod watch;

use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, Command, CommandFactory, FromArgMatches, ValueEnum, error::ErrorKind};
use fyke::transport::userspace::StackHandle;
use fyke::{
    Address, Backend, Blocking, Bootstrap, ChannelInit, ChannelOptions, EndSignals, EventLoopGroup,
    IntoStages, Kernel, Server, ServerBootstrap, ShutdownReport,
};
use tracing_subscriber::EnvFilter;

/// Time that connections have to end when the program is asked to.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);

/// Flags that every server takes.
#[derive(Args, Clone, Debug)]
pub struct ServerFlags {
    /// Where to listen: IP:PORT (port 0 takes a free one), or unix:PATH; with --transport tap an
    /// address of the stack
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<Address>,

    /// What moves the bytes: the kernel's sockets on event loops, one blocking thread a connection,
    /// or fyke's own TCP/IP stack on a TAP device
    #[arg(long, value_name = "NAME", default_value = "kernel")]
    pub transport: TransportName,

    /// What the event loops wait with: epoll, epoll-et, poll, select or mio [default: epoll]
    #[arg(long, value_name = "NAME")]
    pub poller: Option<Backend>,

    /// Event loops, each on its own thread; 0 is one for each processor
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,

    /// One listener for each loop (SO_REUSEPORT) instead of one that spreads connections
    #[arg(long)]
    pub reuse_port: bool,

    /// Spin for so long before a loop sleeps, like 50us or 1ms: lower latency, a busier processor
    #[arg(long, value_name = "TIME", default_value = "0us", value_parser = time)]
    pub busy_poll: Duration,

    /// How much to log: error, warn, info, debug, trace, or a filter like fyke=debug
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub log: String,

    /// The stack.
    #[command(flatten)]
    pub tap: tap::TapFlags,

    /// Answer `netstat` and `arp` on this Unix socket
    #[arg(long, value_name = "PATH", help_heading = "The userspace stack (--transport tap)")]
    pub control: Option<PathBuf>,
}

/// A time with its unit: us, ms or s. A bare number is microseconds.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "a time is like 50us, 1ms or 2s".to_owned())?;
    match &text[digits.len()..] {
        "" | "us" => Ok(Duration::from_micros(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        unit => Err(format!("`{unit}` is no unit of time: us, ms or s")),
    }
}

/// What moves the bytes.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransportName {
    /// The kernel's sockets on event loops.
    Kernel,
    /// One thread a connection whose reads block.
    Blocking,
    /// fyke's own TCP/IP stack on a TAP device.
    Tap,
}

/// Parses the flags. A wrong one ends the program with clap's text and exit code 2.
#[must_use]
pub fn parse<F: CommandFactory + FromArgMatches>() -> F {
    let mut command = F::command();
    let matches = command.get_matches_mut();
    match F::from_arg_matches(&matches) {
        Ok(flags) => flags,
        Err(error) => error.format(&mut command).exit(),
    }
}

/// Ends the program as clap does for a wrong flag: exit code 2.
pub fn wrong_flags(mut command: Command, text: impl Display) -> ! {
    command.error(ErrorKind::ArgumentConflict, text).exit()
}

/// Logs to standard error at `filter`; a filter that makes no sense ends the program.
pub fn start_log(command: Command, filter: &str) {
    match EnvFilter::try_new(filter) {
        Ok(filter) => tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .init(),
        Err(error) => wrong_flags(command, format!("--log {filter}: {error}")),
    }
}

impl ServerFlags {
    /// Checks what clap cannot, and prepares the process: log, descriptor limit.
    pub fn prepare(&self, command: impl Fn() -> Command) {
        if self.transport == TransportName::Blocking && self.poller.is_some() {
            wrong_flags(command(), "--poller is for event loops: --transport blocking has none");
        }
        if self.control.is_some() && self.transport != TransportName::Tap {
            wrong_flags(command(), "--control shows the stack of --transport tap");
        }
        start_log(command(), &self.log);
        if let Err(error) = fyke::raise_descriptor_limit() {
            tracing::warn!(%error, "the descriptor limit stays as it is");
        }
    }

    /// The address to listen at.
    #[must_use]
    pub fn address(&self, default: &str) -> Address {
        let fallback = || {
            let address: Address = default.parse().expect("the example's default is an address");
            match (self.transport, address.as_inet()) {
                (TransportName::Tap, Some(inet)) => {
                    SocketAddr::new(self.tap.stack_address.address(), inet.port()).into()
                }
                _ => address,
            }
        };
        self.listen.clone().unwrap_or_else(fallback)
    }

    /// The loops.
    ///
    /// # Errors
    /// When a thread cannot be started or a poller not be made.
    pub fn group(&self, name: &str) -> io::Result<EventLoopGroup> {
        let threads = match self.transport {
            TransportName::Kernel | TransportName::Tap => self.threads,
            // Connections have threads of their own.
            TransportName::Blocking => 1,
        };
        self.group_of(name, threads)
    }

    fn group_of(&self, name: &str, threads: usize) -> io::Result<EventLoopGroup> {
        EventLoopGroup::builder()
            .threads(threads)
            .backend(self.poller.unwrap_or(Backend::EpollLevel))
            .busy_poll(self.busy_poll)
            .name(name)
            .build()
    }

    /// Listens with these flags, says so on standard output, and serves until the program is asked
    /// to end.
    ///
    /// # Errors
    /// One line for the user: the address is in use, say.
    pub fn serve<S: IntoStages>(
        &self,
        name: &str,
        default: &str,
        options: ChannelOptions,
        init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
    ) -> Result<(), String> {
        if self.transport == TransportName::Tap {
            return self.serve_on_tap(name, default, options, init);
        }
        let address = self.address(default);
        let group = self.group(name).map_err(|e| format!("cannot start event loops: {e}"))?;
        let bootstrap = ServerBootstrap::new(group).options(options).reuse_port(self.reuse_port);
        let server = match self.transport {
            TransportName::Blocking => {
                bootstrap.transport(Blocking::tcp).child(init).bind(&address)
            }
            _ => bootstrap.transport(Kernel::tcp).child(init).bind(&address),
        };
        let server = server.map_err(|error| cannot_listen(&address, &error))?;
        announce(server.local_address());
        run(server)
    }

    /// [`serve`](Self::serve) over fyke's own stack.
    fn serve_on_tap<S: IntoStages>(
        &self,
        name: &str,
        default: &str,
        options: ChannelOptions,
        init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
    ) -> Result<(), String> {
        let address = self.address(default);
        let (host, group) = self.tap_host(name)?;
        let bootstrap =
            ServerBootstrap::new(group).options(options).transport(host.userspace.clone());
        let server = bootstrap.child(init).bind(&address);
        let server = server.map_err(|error| cannot_listen(&address, &error))?;
        let _control = self.control(host.userspace.handle())?;
        announce(server.local_address());
        eprintln!("{}", self.tap.hint());
        run(server)
    }

    /// The stack, and as many loops as its device has queues.
    ///
    /// # Errors
    /// One line for the user.
    pub fn tap_host(&self, name: &str) -> Result<(tap::TapHost, EventLoopGroup), String> {
        let wanted = match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let host = self.tap.open(wanted)?;
        let group = self.group_of(name, host.loops);
        Ok((host, group.map_err(|e| format!("cannot start event loops: {e}"))?))
    }

    /// Loops for an endpoint of datagrams, and what makes it.
    ///
    /// # Errors
    /// One line for the user.
    pub fn datagrams(&self, name: &str) -> Result<(EventLoopGroup, Bootstrap), String> {
        let cannot = |e: io::Error| format!("cannot start event loops: {e}");
        if self.transport != TransportName::Tap {
            let group = self.group(name).map_err(cannot)?;
            return Ok((group.clone(), Bootstrap::new(group)));
        }
        // An endpoint lives on one loop: more queues would only hand frames over to it.
        let host = self.tap.open(1)?;
        let group = self.group_of(name, host.loops).map_err(cannot)?;
        eprintln!("{}", self.tap.hint());
        Ok((group.clone(), Bootstrap::new(group).transport(host.userspace)))
    }

    /// Answers `netstat` and `arp` if that is wanted.
    ///
    /// # Errors
    /// One line for the user.
    pub fn control(&self, stack: StackHandle) -> Result<Option<Server>, String> {
        self.control.as_ref().map(|path| control::serve(path, stack)).transpose()
    }
}

/// One line that says why, and what to do.
#[must_use]
pub fn cannot_listen(address: &Address, error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            ": another program listens there; choose another one with --listen"
        }
        io::ErrorKind::PermissionDenied => ": ports below 1024 need the right to bind them",
        _ => "",
    };
    format!("cannot listen on {address}: {error}{hint}")
}

/// Signals that are caught since the program has said that it is ready.
static ENDING: Mutex<Option<EndSignals>> = Mutex::new(None);

/// From now on Ctrl-C and SIGTERM end the program in order: for before it says that it is ready.
pub fn catch_signals() {
    let caught = EndSignals::catch();
    // When they cannot be caught, whoever waits for them says so.
    *ENDING.lock().unwrap_or_else(PoisonError::into_inner) = caught.ok();
}

fn until_signal(shutdown: impl FnOnce() -> ShutdownReport) -> io::Result<ShutdownReport> {
    let caught = ENDING.lock().unwrap_or_else(PoisonError::into_inner).take();
    match caught {
        Some(signals) => signals.run(shutdown),
        None => fyke::run_until_signal(shutdown),
    }
}

/// Says on standard output where the server listens, for people and for scripts.
pub fn announce(address: &Address) {
    catch_signals();
    let mut out = io::stdout().lock();
    // A closed standard output is no reason not to serve.
    let _ = writeln!(out, "listening on {address}").and_then(|()| out.flush());
}

/// Serves until the program is asked to end, then ends in order.
///
/// # Errors
/// When signals cannot be caught.
pub fn run(server: Server) -> Result<(), String> {
    ended(until_signal(|| server.shutdown(SHUTDOWN_DEADLINE)))
}

/// Lets the loops work until the program is asked to end, then ends them in order.
///
/// # Errors
/// When signals cannot be caught.
pub fn run_until_signal(group: &EventLoopGroup) -> Result<(), String> {
    ended(until_signal(|| group.shutdown(SHUTDOWN_DEADLINE)))
}

fn ended(report: io::Result<ShutdownReport>) -> Result<(), String> {
    let report = report.map_err(|e| format!("cannot wait for signals: {e}"))?;
    if report.cut > 0 {
        eprintln!("{} of {} connections were cut at the deadline", report.cut, report.channels);
    }
    Ok(())
}

/// The exit code of `result`; an error is one line on standard error and code 1.
#[must_use]
pub fn exit(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        for (text, micros) in
            [("50us", 50), ("50", 50), ("0us", 0), ("2ms", 2000), ("1s", 1_000_000)]
        {
            assert_eq!(time(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        for text in ["", "us", "1h", "1.5ms", "-1us", "1 ms"] {
            time(text).unwrap_err();
        }
    }
}
