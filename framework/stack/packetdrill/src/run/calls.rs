//! Calls of the script: begun, waited for, compared with what they should return.

use std::time::Duration;

use super::kernel::{Attempt, Progress};
use super::outcome::Cause;
use super::runner::{Runner, Stop};
use crate::script::{CallSpec, Expr};

/// A call that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) line: u32,
    call: CallSpec,
    progress: Progress,
    /// When the script says it returns.
    pub(super) end: Duration,
    pub(super) tolerance: Duration,
}

impl Runner<'_> {
    pub(super) fn call(
        &mut self,
        line: u32,
        call: &CallSpec,
        end: Option<Duration>,
        from: Duration,
    ) -> Result<(), Stop> {
        let mut progress = Progress::default();
        let attempt = self.kernel.attempt(call, &mut progress)?;
        if attempt != Attempt::Blocked {
            return self.returned(call, attempt);
        }
        if self.kernel.is_nonblocking(call) && end.is_none() {
            let errno = if call.name == "connect" { "EINPROGRESS" } else { "EAGAIN" };
            return self.returned(call, Attempt::Error(errno));
        }
        let end = end.unwrap_or(from);
        let tolerance = self.kernel.config.tolerance(end.saturating_sub(from));
        self.waiting.push(Waiting { line, call: call.clone(), progress, end, tolerance });
        Ok(())
    }

    /// Tries again what waits.
    pub(super) fn poke(&mut self) -> Result<(), Stop> {
        if self.kernel.host_if_made().is_some() {
            self.kernel.note_progress();
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut still = Vec::new();
        for mut one in waiting.drain(..) {
            let attempt = self.kernel.attempt(&one.call, &mut one.progress)?;
            if attempt == Attempt::Blocked {
                still.push(one);
                continue;
            }
            let line = std::mem::replace(&mut self.line, one.line);
            let elapsed = self.kernel.host().elapsed();
            self.say(&format!("line {:>3}: {} returns", one.line, one.call.name));
            let off = elapsed.abs_diff(one.end);
            if off > one.tolerance {
                let detail = format!(
                    "{} returned at {:.6}, expected {:.6}",
                    one.call.name,
                    elapsed.as_secs_f64(),
                    one.end.as_secs_f64()
                );
                return Err(Stop::Fail(Cause::Time, detail));
            }
            self.note_time(off);
            self.returned(&one.call, attempt)?;
            self.line = line;
        }
        self.waiting = still;
        self.late()
    }

    /// Calls that should have returned by now.
    pub(super) fn late(&mut self) -> Result<(), Stop> {
        let elapsed = self.kernel.host_if_made().map_or(Duration::ZERO, |host| host.elapsed());
        let late = self.waiting.iter().find(|w| elapsed >= w.end + w.tolerance);
        let Some(late) = late else { return Ok(()) };
        self.line = late.line;
        let detail = format!("{} still waits", late.call.name);
        Err(Stop::Fail(Cause::Call, detail))
    }

    /// Compares what a call came to with what it should.
    fn returned(&mut self, call: &CallSpec, attempt: Attempt) -> Result<(), Stop> {
        let errno = call.errno.as_deref();
        let wrong = match (&attempt, &call.result) {
            (Attempt::Skip(reason), _) if !self.kernel.config.calls_may_differ => {
                return Err(Stop::Skip(*reason));
            }
            (Attempt::Unknown(what), _) => {
                let detail = format!("{what} is not known here");
                return Err(Stop::Fail(Cause::UnknownCall, detail));
            }
            (Attempt::Done(_), Expr::Ellipsis) if errno.is_none() => None,
            (Attempt::Done(n), Expr::Integer(wanted)) if errno.is_none() && n == wanted => None,
            (Attempt::Error(found), Expr::Integer(-1)) => match errno {
                Some(wanted) if !same_errno(found, wanted) => Some(format!("-1 {found}")),
                _ => None,
            },
            (Attempt::Done(n), _) => Some(n.to_string()),
            (Attempt::Error(found), _) => Some(format!("-1 {found}")),
            (Attempt::Wrong(what), _) => Some(what.clone()),
            (Attempt::Skip(reason), _) => Some(reason.text().to_owned()),
            (Attempt::Blocked, _) => Some("nothing yet".to_owned()),
        };
        let Some(found) = wrong else {
            self.checks += usize::from(tells_something(call));
            return Ok(());
        };
        if self.kernel.config.calls_may_differ {
            self.say(&format!("  {} returned {found}, which the script allows", call.name));
            return Ok(());
        }
        let wanted = match (&call.result, errno) {
            (Expr::Integer(n), Some(errno)) => format!("{n} {errno}"),
            (Expr::Integer(n), None) => n.to_string(),
            (other, _) => format!("{other:?}"),
        };
        Err(Stop::Fail(Cause::Call, format!("{}: {found}; expected {wanted}", call.name)))
    }
}

fn same_errno(found: &str, wanted: &str) -> bool {
    let alias = |name| if name == "EWOULDBLOCK" { "EAGAIN" } else { name };
    alias(found) == alias(wanted)
}

/// Whether a call's result says something about the stack, and not only that the script began.
fn tells_something(call: &CallSpec) -> bool {
    let plain =
        ["socket", "bind", "listen", "close", "setsockopt", "fcntl", "epoll_create", "epoll_ctl"];
    call.errno.is_some() || !plain.contains(&call.name.as_str())
}
