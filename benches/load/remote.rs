//! The generator in a process of its own: the same program, started again, that takes orders on its
//! standard input, a line each, and answers with a line.
//!
//! ```text
//! open ADDRESS ACTIVE IDLE PROTOCOL SIZE DEPTH    ok
//! run messages|micros N PID                       numbers, as in Outcome
//! close                                           ok
//! anything that fails                             error TEXT
//! ```

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use super::wire::Wire;
use super::{Crowd, Outcome, Until, Work, cpu};

/// The word on the command line that makes a program the generator.
const ROLE: &str = "--generator";

/// Whether this process was started to be the generator. If so, it is that until its orders end.
pub(crate) fn is_generator() -> bool {
    is_generator_over::<mio::net::TcpStream>()
}

/// The same, with connections of another kind.
pub(crate) fn is_generator_over<W: Wire>() -> bool {
    if std::env::args().nth(1).as_deref() != Some(ROLE) {
        return false;
    }
    let (mut crowd, mut out) = (None::<Crowd<W>>, io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let answer = obey(&line, &mut crowd).unwrap_or_else(|error| format!("error {error}"));
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    true
}

fn obey<W: Wire>(line: &str, crowd: &mut Option<Crowd<W>>) -> io::Result<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match (&words[..], crowd.as_mut()) {
        (["open", address, active, idle, protocol, size, depth], _) => {
            // First, or there may not be enough descriptors.
            *crowd = None;
            let work = Work::new(protocol, number(size)? as usize, number(depth)? as usize)?;
            let address: SocketAddr = address.parse().map_err(io::Error::other)?;
            let (active, idle) = (number(active)? as usize, number(idle)? as usize);
            *crowd = Some(Crowd::open(address, work, active, idle)?);
            Ok("ok".to_owned())
        }
        (["run", kind, n, pid], Some(crowd)) => {
            let until = match *kind {
                "messages" => Until::Messages(number(n)?),
                _ => Until::Time(Duration::from_micros(number(n)?)),
            };
            let outcome = crowd.run(until, number(pid)? as u32)?;
            let numbers = to_numbers(&outcome).map(|n| n.to_string());
            Ok(numbers.join(" "))
        }
        (["close"], _) => {
            *crowd = None;
            Ok("ok".to_owned())
        }
        _ => Err(io::Error::other(format!("no such order: {line}"))),
    }
}

fn number(word: &str) -> io::Result<u64> {
    word.parse().map_err(io::Error::other)
}

fn to_numbers(outcome: &Outcome) -> [u64; 9] {
    let nanos = |time: Duration| time.as_nanos() as u64;
    [
        outcome.messages,
        outcome.bytes,
        nanos(outcome.elapsed),
        nanos(outcome.server_cpu),
        nanos(outcome.own_cpu),
        nanos(outcome.foreign_cpu),
        nanos(outcome.p50),
        nanos(outcome.p99),
        nanos(outcome.p999),
    ]
}

fn from_numbers(line: &str) -> io::Result<Outcome> {
    let numbers = line.split_whitespace().map(number).collect::<io::Result<Vec<_>>>()?;
    let [messages, bytes, times @ ..] = &numbers[..] else { return Err(io::Error::other(line)) };
    let times: Vec<Duration> = times.iter().map(|&nanos| Duration::from_nanos(nanos)).collect();
    let [elapsed, server_cpu, own_cpu, foreign_cpu, p50, p99, p999] = times[..] else {
        return Err(io::Error::other(line.to_owned()));
    };
    let (messages, bytes) = (*messages, *bytes);
    Ok(Outcome { messages, bytes, elapsed, server_cpu, own_cpu, foreign_cpu, p50, p99, p999 })
}

/// The generator, seen from the program that it works for. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Generator {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Generator {
    /// Starts it on processor `cpu`.
    pub(crate) fn start(cpu: usize) -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut child = cpu::pinned(cpu, &program.to_string_lossy())
            .arg(ROLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("pipes were asked for"));
        };
        Ok(Self { child, orders, answers: BufReader::new(answers) })
    }

    fn order(&mut self, order: &str) -> io::Result<String> {
        writeln!(self.orders, "{order}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        match answer.trim() {
            "" => Err(io::Error::other("the generator has died")),
            text => match text.strip_prefix("error ") {
                Some(error) => Err(io::Error::other(format!("{order}: {error}"))),
                None => Ok(text.to_owned()),
            },
        }
    }

    /// Opens a crowd, in place of the one before.
    pub(crate) fn open(
        &mut self,
        address: SocketAddr,
        active: usize,
        idle: usize,
        work: &Work,
    ) -> io::Result<()> {
        self.order(&format!("open {address} {active} {idle} {}", work.describe())).map(drop)
    }

    /// Lets it work; the processor time is that of the process `server`.
    pub(crate) fn run(&mut self, until: Until, server: u32) -> io::Result<Outcome> {
        let (kind, n) = match until {
            Until::Messages(n) => ("messages", n),
            Until::Time(time) => ("micros", time.as_micros() as u64),
        };
        from_numbers(&self.order(&format!("run {kind} {n} {server}"))?)
    }

    /// Closes the crowd.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        self.order("close").map(drop)
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // It ends with its orders, but it need not have heard that yet.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
