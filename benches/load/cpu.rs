//! Processor time, as the kernel tells it.

use std::fs;
use std::process::Command;
use std::time::Duration;

/// Time on a processor so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot {
    pub(crate) server: Duration,
    pub(crate) own: Duration,
    /// At first everybody's; in a difference, that of others.
    pub(crate) foreign: Duration,
}

impl Snapshot {
    /// Of the process `server` and of this one.
    pub(crate) fn take(server: u32) -> Self {
        let own = process("self");
        Self { server: process(&server.to_string()), own, foreign: machine() }
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        let (server, own) = (self.server - before.server, self.own - before.own);
        let all = self.foreign.saturating_sub(before.foreign);
        Self { server, own, foreign: all.saturating_sub(server + own) }
    }
}

/// What all threads of a process have used, to the nanosecond. Zero for one that is gone.
pub(crate) fn process(pid: &str) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// What all processors have worked, to the hundredth of a second.
fn machine() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // user, nice, system, interrupts; not idle, waiting, stolen.
    let busy: u64 = [0, 1, 2, 5, 6].iter().filter_map(|&at| ticks.get(at)).sum();
    Duration::from_millis(busy * 10)
}

/// A command that runs on one processor only, where `taskset` is there to see to it.
pub(crate) fn pinned(cpu: usize, program: &str) -> Command {
    let has_taskset = Command::new("taskset").arg("-V").output().is_ok();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    if !has_taskset || cpus < 2 {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &(cpu % cpus).to_string(), program]);
    command
}
