//! The process that serves, from its parent's side.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum as _;
use fyke_examples::watch::{Process, Rest, Rests};

use crate::server::Leak;

/// How long the process may take to rest when all clients have gone.
const REST_TIME: Duration = Duration::from_secs(15);
/// How often it is looked at meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How the servers are to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// Quick to hang up, so that it happens often; and wrong in this way, if any.
    Soaked(Option<Leak>),
    /// With the default time-outs.
    Patient,
}

/// Where the servers listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Targets {
    /// In the clear, and over TLS.
    pub(crate) echo: [SocketAddr; 2],
    pub(crate) http: [SocketAddr; 2],
    pub(crate) chat: [SocketAddr; 2],
}

impl Targets {
    fn parse(line: &str) -> Option<Self> {
        let addresses: Result<Vec<SocketAddr>, _> =
            line.split_whitespace().map(str::parse).collect();
        match addresses.ok()?[..] {
            [echo, http, chat, tls_echo, tls_http, tls_chat] => Some(Self {
                echo: [echo, tls_echo],
                http: [http, tls_http],
                chat: [chat, tls_chat],
            }),
            _ => None,
        }
    }

    pub(crate) fn all(&self) -> [SocketAddr; 6] {
        let Self { echo, http, chat } = self;
        [echo[0], http[0], chat[0], echo[1], http[1], chat[1]]
    }
}

/// The process that serves.
pub(crate) struct Served {
    child: Child,
    /// Its end ends the process.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub(crate) targets: Targets,
    pub(crate) process: Process,
    /// Connections that it had accepted when it was asked last.
    pub(crate) accepted: u64,
}

impl Served {
    /// Starts this program once more, to serve.
    pub(crate) fn start(certificate: [&Path; 2], how: Start) -> Result<Self, String> {
        let program: PathBuf = std::env::current_exe().map_err(|e| format!("this program: {e}"))?;
        let mut command = Command::new(program);
        command.arg("server").arg("--tls").args(certificate);
        match how {
            Start::Patient => _ = command.arg("--patient"),
            Start::Soaked(leak) => {
                if let Some(name) = leak.and_then(|leak| leak.to_possible_value()) {
                    command.args(["--leak", name.get_name()]);
                }
            }
        }
        // Few arenas of malloc, so that what one of them keeps is soon all that it ever keeps.
        command.env("MALLOC_ARENA_MAX", "2");
        // A group of its own, so that Ctrl-C does not end it before its clients.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("cannot start the servers: {e}"))?;
        let no_pipe = || "the servers have no pipe".to_owned();
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().ok_or_else(no_pipe)?);
        let mut line = String::new();
        let read = output.read_line(&mut line).map_err(|e| format!("the servers: {e}"))?;
        let Some(targets) = Targets::parse(&line).filter(|_| read > 0) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err("the servers have not said where they listen".to_owned());
        };
        let process = Process::new(child.id());
        Ok(Self { child, input, output, targets, process, accepted: 0 })
    }

    fn ask(&mut self) -> Option<[u64; 2]> {
        self.input.as_mut()?.write_all(b"\n").ok()?;
        self.line()
    }

    fn line(&mut self) -> Option<[u64; 2]> {
        let mut line = String::new();
        self.output.read_line(&mut line).ok()?;
        let mut numbers = line.split_whitespace().map(str::parse);
        Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
    }

    /// What it holds now.
    pub(crate) fn look(&mut self) -> Result<Rest, String> {
        let ended = |_| "the servers have ended before they were asked to".to_owned();
        let [channels, accepted] = self.ask().ok_or(()).map_err(ended)?;
        self.accepted = accepted;
        let resident_bytes = self.process.resident_bytes().map_err(|e| e.to_string())?;
        let descriptors = self.process.descriptors().map_err(|e| e.to_string())?;
        Ok(Rest { resident_bytes, descriptors, channels })
    }

    /// Waits until it has given back what `rests` asks for, or for as long as it may take.
    pub(crate) fn rest(&mut self, rests: &Rests) -> Result<Rest, String> {
        let deadline = Instant::now() + REST_TIME;
        loop {
            let rest = self.look()?;
            if rests.given_back(rest).is_ok() || Instant::now() > deadline {
                return Ok(rest);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    /// Lets it end in order.
    pub(crate) fn end(mut self) -> Result<(), String> {
        drop(self.input.take());
        let report = self.line();
        let status = self.child.wait().map_err(|e| format!("the servers: {e}"))?;
        match report {
            _ if !status.success() => Err(format!("the servers ended with {status}")),
            Some([_, 0]) => Ok(()),
            Some([channels, cut]) => Err(format!("shutdown cut {cut} of {channels} channels")),
            None => Err("the servers ended without a report".to_owned()),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.input.take());
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
