//! What the operating system grants a process, and where its threads run.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::io;

/// Raises the soft limit of open descriptors to the hard one and returns what it is now; `u64::MAX` is
/// no limit. A server of many connections calls this before its first one.
///
/// # Errors
/// What the system says.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised)?;
    }
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Lets the calling thread run on this processor only, counted from 0.
///
/// # Errors
/// `InvalidInput` when there is no such processor or the process may not use it.
pub fn pin_to_cpu(cpu: usize) -> io::Result<()> {
    if cpu >= CpuSet::MAX_CPU {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no processor has this number"));
    }
    let mut only = CpuSet::new();
    only.set(cpu);
    Ok(sched_setaffinity(None, &only)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let granted = raise_descriptor_limit().unwrap();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(limit.current.unwrap_or(u64::MAX), granted);
    }

    #[test]
    fn a_pinned_thread_runs_where_it_was_told() {
        std::thread::spawn(|| {
            let allowed = rustix::thread::sched_getaffinity(None).unwrap();
            let cpu = (0..CpuSet::MAX_CPU).find(|&cpu| allowed.is_set(cpu)).unwrap();
            pin_to_cpu(cpu).unwrap();
            assert_eq!(rustix::thread::sched_getcpu(), cpu);
            let error = pin_to_cpu(usize::MAX).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            let error = pin_to_cpu(CpuSet::MAX_CPU - 1).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        })
        .join()
        .unwrap();
    }
}
