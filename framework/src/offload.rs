//! Threads for work that blocks, so that loops need not.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use fyke_core::{Job, Offload};

/// Jobs that may wait for a thread; more are refused, and their stages told so.
const JOBS_WAITING_MAX: usize = 4096;

/// A fixed number of threads that run offloaded work. The jobs of one channel run one after the
/// other, as its stage waits for each.
#[derive(Clone)]
pub(crate) struct OffloadPool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    threads: usize,
    name: String,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    running: usize,
    idle: usize,
    closed: bool,
}

impl OffloadPool {
    /// A pool of up to `threads` threads, which are started when there is work for them.
    pub(crate) fn new(name: &str, threads: usize) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            threads,
            name: format!("{name}-offload"),
        }))
    }

    /// Ends the threads when they have finished what they are at.
    pub(crate) fn close(&self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        drop(jobs);
        self.0.work.notify_all();
    }

    fn start_thread(&self) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        thread::Builder::new().name(self.0.name.clone()).spawn(move || shared.work())?;
        Ok(())
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                job();
                state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            } else if state.closed {
                return;
            } else {
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }
}

impl Offload for OffloadPool {
    fn run(&self, job: Job) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed || state.jobs.len() >= JOBS_WAITING_MAX {
            drop(state);
            tracing::warn!("offloaded work was refused: too much of it waits");
            drop(job);
            return;
        }
        state.jobs.push_back(job);
        let start = state.idle < state.jobs.len() && state.running < self.0.threads;
        if start {
            state.running += 1;
        }
        drop(state);
        if start && let Err(error) = self.start_thread() {
            tracing::error!(%error, "no thread for offloaded work can be started");
            self.0.state.lock().unwrap_or_else(PoisonError::into_inner).running -= 1;
        }
        self.0.work.notify_one();
    }
}

impl fmt::Debug for OffloadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OffloadPool").field("threads", &self.0.threads).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn only_so_many_jobs_wait() {
        let pool = OffloadPool::new("test", 1);
        let (started, has_started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        pool.run(Box::new(move || {
            started.send(()).unwrap();
            let _ = released.recv();
        }));
        has_started.recv().unwrap();
        let (sender, receiver) = mpsc::channel();
        for n in 0..JOBS_WAITING_MAX + 3 {
            let sender = sender.clone();
            pool.run(Box::new(move || sender.send(n).unwrap()));
        }
        drop((sender, release));
        assert_eq!(receiver.iter().collect::<Vec<_>>(), (0..JOBS_WAITING_MAX).collect::<Vec<_>>());
        pool.close();
    }

    #[test]
    fn runs_everything_and_then_refuses() {
        let pool = OffloadPool::new("test", 3);
        let (sender, receiver) = mpsc::channel();
        for n in 0..100 {
            let sender = sender.clone();
            pool.run(Box::new(move || sender.send(n).unwrap()));
        }
        let mut got: Vec<i32> = (0..100).map(|_| receiver.recv().unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, (0..100).collect::<Vec<_>>());
        pool.close();
        pool.run(Box::new(move || sender.send(-1).unwrap()));
        assert!(receiver.recv().is_err(), "the refused job is dropped, and the sender with it");
    }
}
