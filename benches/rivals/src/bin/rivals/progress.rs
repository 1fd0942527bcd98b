//! Tells on standard error how far a run has come: the tables come late.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::suites::Row;

/// How far a run has come, in visits to contestants.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    done: usize,
    all: usize,
    /// Otherwise a line for each row is enough.
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(all: usize, time: Duration) -> Self {
        // Each visit warms up first.
        let seconds = (time * 6 / 5).as_secs_f64() * all as f64;
        eprintln!("{all} measurements, about {seconds:.0} s");
        Self { began: Instant::now(), done: 0, all, terminal: io::stderr().is_terminal() }
    }

    /// A row begins.
    pub(crate) fn row(&self, suite: &str, row: &Row) {
        if !self.terminal {
            eprintln!("{suite}: {row}; {} of {}{}", self.done, self.all, self.left());
        }
    }

    /// A visit begins.
    pub(crate) fn visit(&mut self, suite: &str, row: &Row, name: &str) {
        if self.terminal {
            let (done, all, left) = (self.done, self.all, self.left());
            let mut out = io::stderr().lock();
            // Nobody has to see it.
            let _ = write!(out, "\r\x1b[K{done} of {all}{left}: {suite}, {row}: {name}");
            let _ = out.flush();
        }
        self.done += 1;
    }

    /// A table follows.
    pub(crate) fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }

    fn left(&self) -> String {
        if self.done == 0 {
            return String::new();
        }
        let each = self.began.elapsed().as_secs_f64() / self.done as f64;
        format!(", {:.0} s left", each * (self.all - self.done) as f64)
    }
}
