//! Answers written down in advance, for a test of one certain case.

use std::collections::VecDeque;

/// What becomes of one write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteStep {
    /// As the inner transport answers.
    Pass,
    /// At most `bytes_max` are taken and told at once; 0 is a full transport. `Writable` follows.
    Now {
        /// How many bytes are taken at most.
        bytes_max: usize,
        /// Turns until `Writable`.
        turns: u32,
    },
    /// At most `bytes_max` (at least one) are taken, and `Written` tells it later.
    InFlight {
        /// How many bytes are taken at most.
        bytes_max: usize,
        /// Turns until `Written`.
        turns: u32,
    },
}

/// What becomes of one read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadStep {
    /// As the inner transport answers.
    Pass,
    /// At most so many bytes (at least one), and whether the reader is told of the rest at once
    /// or, when there is one, by a `Readable` in the next turn.
    Piece {
        /// How many bytes are handed over at most.
        bytes_max: usize,
        /// Whether the rest is hidden until the next turn.
        hide_rest: bool,
    },
    /// `WouldBlock`, whatever there is; `Readable` follows.
    Nothing {
        /// Turns until `Readable`.
        turns: u32,
    },
}

/// Steps in the order of the calls of one loop, whatever the connection. When they are used up,
/// the inner transport answers for itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct Script {
    pub(super) writes: VecDeque<WriteStep>,
    pub(super) reads: VecDeque<ReadStep>,
    pub(super) event_turns: u32,
}

impl Script {
    /// No steps yet, and no delays.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a write.
    pub fn write(mut self, step: WriteStep) -> Self {
        self.writes.push_back(step);
        self
    }

    /// Appends a read.
    pub fn read(mut self, step: ReadStep) -> Self {
        self.reads.push_back(step);
        self
    }

    /// How many turns later events of the inner transport are passed on (0).
    pub fn event_turns(mut self, turns: u32) -> Self {
        self.event_turns = turns;
        self
    }
}
