//! A script's events, one after the other, in virtual time.
//!
//! The clock goes to the next event of the script or the next deadline of the stack, whichever is
//! first, and the stack comes to rest at each instant. A packet that arrives meets the stack before a
//! timer due at the same instant; everything else in the script comes after it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::Options;
use super::calls::Waiting;
use super::config::{BadOption, Config};
use super::host::Restless;
use super::kernel::Kernel;
use super::outcome::{Cause, Failure, Outcome, Relaxation, SkipReason};
use super::settings::Settings;
use super::system::System;
use crate::python::Scope;
use crate::script::{
    Action, Body, Dialect, Direction, Event, OptionSpec, OptionsSpec, Script, ScriptError, TcpSpec,
    When, parse,
};

/// What is off by less happened when the script says.
pub(super) const EXACT: Duration = Duration::from_millis(1);

/// Why a script ends before its last event.
#[derive(Debug)]
pub(super) enum Stop {
    Fail(Cause, String),
    Skip(SkipReason),
}

impl From<Restless> for Stop {
    fn from(_: Restless) -> Self {
        Self::Fail(Cause::Crash, "the stack does not come to rest".to_owned())
    }
}

/// What became of a script, and what happened meanwhile.
#[derive(Debug, Clone)]
pub struct Report {
    /// What became of it.
    pub outcome: Outcome,
    /// The system it was run as.
    pub system: System,
    /// What happened, line by line.
    pub trace: Vec<String>,
}

pub(super) struct Runner<'a> {
    pub(super) kernel: Kernel,
    source: Vec<&'a str>,
    pub(super) scope: Scope,
    pub(super) waiting: Vec<Waiting>,
    pub(super) relaxations: BTreeSet<Relaxation>,
    pub(super) checks: usize,
    pub(super) trace: Vec<String>,
    /// The time of the event before, as the script has it, and whether that is fixed.
    last: Option<(Duration, bool)>,
    pub(super) line: u32,
}

/// Runs a script.
#[must_use]
pub fn run(path: &Path, source: &str, options: &Options) -> Report {
    let script = match parse(path, source, &options.defines) {
        Ok(script) => script,
        Err(error) => {
            let system = options.system.unwrap_or(System::Linux);
            return Report { outcome: unread(&error), system, trace: Vec::new() };
        }
    };
    let system = options.system.unwrap_or_else(|| System::of(&script, source));
    let config = match Config::of(&script, options.tolerance, options.v6) {
        Ok(config) => config,
        Err(BadOption::Skip(reason)) => {
            return Report { outcome: Outcome::Skip(reason), system, trace: Vec::new() };
        }
        Err(BadOption::Wrong { line, message }) => {
            let failure = Failure { line, cause: Cause::Script, detail: message };
            return Report { outcome: Outcome::Fail(failure), system, trace: Vec::new() };
        }
    };
    let mut settings = Settings::new(system);
    if config.own_habits {
        settings.stack.tcp = fyke_stack::tcp::Config::default();
    }
    let mut runner = Runner {
        kernel: Kernel::new(config, settings, options.seed),
        source: source.lines().collect(),
        scope: Scope::default(),
        waiting: Vec::new(),
        relaxations: BTreeSet::new(),
        checks: 0,
        trace: Vec::new(),
        last: None,
        line: 0,
    };
    let outcome = match runner.script(&script) {
        Ok(()) => runner.passed(),
        Err(Stop::Skip(reason)) => Outcome::Skip(reason),
        Err(Stop::Fail(cause, detail)) => {
            Outcome::Fail(Failure { line: runner.line, cause, detail })
        }
    };
    Report { outcome, system, trace: runner.trace }
}

/// What becomes of a script that cannot be read.
fn unread(error: &ScriptError) -> Outcome {
    match error.dialect() {
        Some(Dialect::Multipath) => Outcome::Skip(SkipReason::Multipath),
        _ => Outcome::Fail(Failure {
            line: error.line(),
            cause: Cause::Script,
            detail: error.message().to_owned(),
        }),
    }
}

impl Runner<'_> {
    fn passed(&self) -> Outcome {
        if self.checks == 0 {
            let detail = "no packet, value or assertion is checked".to_owned();
            return Outcome::Fail(Failure { line: self.line, cause: Cause::NoCheck, detail });
        }
        if self.relaxations.is_empty() {
            Outcome::PassExact
        } else {
            Outcome::PassRelaxed(self.relaxations.iter().copied().collect())
        }
    }

    pub(super) fn say(&mut self, text: &str) {
        let elapsed = self.kernel.host_if_made().map_or(Duration::ZERO, |host| host.elapsed());
        self.trace.push(format!("{:>12.6} {text}", elapsed.as_secs_f64()));
    }

    fn script(&mut self, script: &Script) -> Result<(), Stop> {
        if script.stray.is_some() {
            self.relaxations.insert(Relaxation::StrayWord);
        }
        if let Some(command) = &script.init {
            self.command(command)?;
        }
        if let Some(shift) = own_window_scale(script)
            && !says_buffers(script)
            && self.kernel.settings.assume_window_scale(shift)
        {
            self.relaxations.insert(Relaxation::AssumedBuffer);
        }
        for event in &script.events {
            self.event(event)?;
        }
        while let Some(end) = self.waiting.iter().map(|w| w.end + w.tolerance).min() {
            self.go_to(end, true)?;
            self.late()?;
        }
        if let Some(command) = &script.cleanup {
            self.command(command)?;
        }
        self.unread();
        Ok(())
    }

    /// Packets of the connection that no line asked for, though time went on after them.
    fn unread(&mut self) {
        let Some((last, _)) = self.last else { return };
        let Some(flow) = self.kernel.flow.clone() else { return };
        let host = self.kernel.host();
        let before = host.at(last);
        let unread = host.sent.iter().any(|sent| {
            sent.at < before && sent.packet.as_ref().is_ok_and(|packet| flow.sends(packet))
        });
        if unread {
            self.relaxations.insert(Relaxation::Unread);
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), Stop> {
        self.line = event.line;
        let (from, to) = self.times(event.when);
        let text = self.source.get(event.line as usize - 1).map_or("", |line| line.trim());
        let text = format!("line {:>3}: {text}", event.line);
        match &event.action {
            Action::Packet(packet) if packet.direction == Direction::Inbound => {
                self.go_to(from, false)?;
                self.say(&text);
                self.inbound(packet)?;
            }
            Action::Packet(packet) => {
                self.say(&text);
                let any = event.when == When::Any;
                let tolerance = self.tolerance(from);
                self.outbound(packet, (!any).then_some((from, to)), tolerance)?;
            }
            Action::Call(call) => {
                self.go_to(from, true)?;
                self.say(&text);
                // The end of a relative call counts from the same event as its start.
                let end = call.end.map(|end| match event.when {
                    When::After(start) => from.saturating_sub(start) + end,
                    _ => end,
                });
                self.call(event.line, call, end, from)?;
            }
            Action::Command(command) => {
                self.go_to(from, true)?;
                self.say(&text);
                self.command(command)?;
            }
            Action::Code(code) => {
                self.go_to(from, true)?;
                self.say(&text);
                self.code(code)?;
            }
        }
        let fixed = matches!(event.when, When::At(_) | When::After(_));
        self.last = Some((from, fixed));
        self.poke()
    }

    /// When an event is due: from, to.
    fn times(&mut self, when: When) -> (Duration, Duration) {
        let elapsed = self.kernel.host_if_made().map_or(Duration::ZERO, |host| host.elapsed());
        let fixed = matches!(when, When::At(_) | When::After(_));
        // Behind an event whose time is open, time goes on from when it happened.
        let base = match self.last {
            Some((last, true)) if fixed => last,
            _ => elapsed,
        };
        match when {
            When::Any => (base, base),
            When::At(at) => (at, at),
            When::After(after) => (base + after, base + after),
            When::Between(from, to) => (from, to),
            When::AfterBetween(from, to) => (base + from, base + to),
        }
    }

    /// By how much what is due at `due` may be off.
    fn tolerance(&self, due: Duration) -> Duration {
        let since = self.last.map_or(Duration::ZERO, |(last, _)| due.saturating_sub(last));
        self.kernel.config.tolerance(since)
    }

    /// Lets time pass until `to`, with the timers due then or without.
    fn go_to(&mut self, to: Duration, inclusive: bool) -> Result<(), Stop> {
        if self.kernel.host_if_made().is_none() && to.is_zero() {
            return Ok(());
        }
        loop {
            // Calls that wait may have a time of their own to end at.
            let elapsed = self.kernel.host().elapsed();
            let ends = self.waiting.iter().map(|waiting| waiting.end);
            let stop = ends.filter(|end| *end > elapsed && *end < to).min();
            let host = self.kernel.host();
            let mut limit = host.at(stop.unwrap_or(to));
            if stop.is_none() && !inclusive {
                limit = fyke_clock::Instant::from_nanos(limit.as_nanos().saturating_sub(1));
            }
            if host.step(limit)? {
                self.poke()?;
                continue;
            }
            host.set_now(host.at(stop.unwrap_or(to)));
            self.poke()?;
            if stop.is_none() {
                return Ok(());
            }
        }
    }

    /// One deadline of the stack, if there is one up to `limit`.
    pub(super) fn step(&mut self, limit: Duration) -> Result<bool, Stop> {
        let host = self.kernel.host();
        let stepped = host.step(host.at(limit))?;
        if stepped {
            self.poke()?;
        }
        Ok(stepped)
    }

    pub(super) fn note_time(&mut self, off: Duration) {
        if off > EXACT {
            self.relaxations.insert(Relaxation::Timing);
        }
    }
}

/// The window scale a script expects of the stack.
fn own_window_scale(script: &Script) -> Option<u8> {
    let mut packets = script.events.iter().filter_map(|event| match &event.action {
        Action::Packet(packet) if packet.direction == Direction::Outbound => Some(packet),
        _ => None,
    });
    packets.find_map(|packet| match &packet.body {
        Body::Tcp(TcpSpec { options: OptionsSpec::Exact(options), .. }) => {
            options.iter().find_map(|option| match option {
                OptionSpec::WindowScale(shift) => Some(*shift),
                _ => None,
            })
        }
        _ => None,
    })
}

/// Whether a script sets the sizes that window scales follow from. One that does not was written for
/// whatever its author's kernel had.
fn says_buffers(script: &Script) -> bool {
    let commands = script.events.iter().filter_map(|event| match &event.action {
        Action::Command(command) => Some(command),
        _ => None,
    });
    let names = ["defaults.sh", "tcp_rmem", "maxsockbuf", "recvspace", "recvbuf_max"];
    commands.chain(&script.init).any(|command| names.iter().any(|name| command.contains(name)))
}
