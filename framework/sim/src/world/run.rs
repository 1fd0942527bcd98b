//! Letting time pass.
//!
//! The tables are borrowed only while no code of users runs: a host's turn and a script may call
//! anything of the world.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_core::turner::Turner;

use super::queue::Happening;
use super::state::{Kind, State, Station};
use super::{Inner, World};
use crate::drops::DropReason;
use crate::error::SimError;
use crate::frame::Frame;
use crate::ids::{End, NodeId};

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Its condition says so.
    Condition,
    /// Its time has come.
    Time,
    /// Nothing will ever happen again.
    AtRest,
}

/// What code of users is to run.
enum Job {
    Turn(NodeId, Rc<RefCell<dyn Station>>),
    Call(Box<dyn FnOnce(&World)>),
}

impl World {
    /// Lets time pass up to `until`.
    ///
    /// # Errors
    /// [`SimError::Stall`], or what a host's loop failed with.
    pub fn run_until(&self, until: Instant) -> Result<(), SimError> {
        self.run(Some(until), &mut || false)?;
        let mut state = self.0.state.borrow_mut();
        if until > state.now {
            state.now = until;
            self.0.clock.set(until);
        }
        Ok(())
    }

    /// Lets `duration` pass.
    ///
    /// # Errors
    /// Those of [`run_until`](Self::run_until).
    pub fn run_for(&self, duration: Duration) -> Result<(), SimError> {
        self.run_until(self.now() + duration)
    }

    /// Lets time pass until nothing will ever happen again.
    ///
    /// # Errors
    /// [`SimError::Patience`] when that takes too long, and those of
    /// [`run_until`](Self::run_until).
    pub fn run_until_idle(&self) -> Result<(), SimError> {
        let limit = self.0.patience.get();
        match self.run(Some(self.now() + limit), &mut || false)? {
            Ended::Time => Err(SimError::Patience { limit }),
            Ended::AtRest | Ended::Condition => Ok(()),
        }
    }

    /// Lets time pass as long as `condition` holds; it is asked after everything that happens.
    ///
    /// # Errors
    /// [`SimError::AtRest`] and [`SimError::Patience`] when it never ceases to hold, and those of
    /// [`run_until`](Self::run_until).
    pub fn run_while(&self, mut condition: impl FnMut() -> bool) -> Result<(), SimError> {
        let limit = self.0.patience.get();
        match self.run(Some(self.now() + limit), &mut || !condition())? {
            Ended::Condition => Ok(()),
            Ended::Time => Err(SimError::Patience { limit }),
            Ended::AtRest => Err(SimError::AtRest { at: self.now() }),
        }
    }

    /// Lets time pass up to `until` (`None`: for ever), or until `done` says so.
    ///
    /// # Errors
    /// Those of [`run_until`](Self::run_until).
    pub fn run(
        &self,
        until: Option<Instant>,
        done: &mut dyn FnMut() -> bool,
    ) -> Result<Ended, SimError> {
        if let Some(node) = self.0.turning.get() {
            let host = self.0.state.borrow().node(node).name.clone();
            return Err(SimError::OnLoop { host });
        }
        loop {
            if done() {
                return Ok(Ended::Condition);
            }
            let job = {
                let mut state = self.0.state.borrow_mut();
                self.0.woken.drain(|node| {
                    let now = state.now;
                    state.wake(node, now);
                });
                match state.queue.next_time() {
                    None => return Ok(Ended::AtRest),
                    Some(at) if until.is_some_and(|until| at > until) => return Ok(Ended::Time),
                    Some(_) => {}
                }
                self.next_job(&mut state)
            };
            match job {
                None => {}
                Some(Job::Call(call)) => call(self),
                Some(Job::Turn(node, station)) => self.turn(node, &station)?,
            }
        }
    }

    /// The next thing that happens; what needs no code of users is done at once.
    fn next_job(&self, state: &mut State) -> Option<Job> {
        let (at, what) = state.queue.pop()?;
        if at > state.now {
            state.now = at;
            self.0.clock.set(at);
        }
        state.happened += 1;
        match what {
            Happening::Arrival { link, side, frame } => {
                state.arrive(link, side, frame);
                None
            }
            Happening::Call(call) => Some(Job::Call(call)),
            Happening::Alarm(node) => {
                state.ring(node, at);
                match &state.node(node).kind {
                    Kind::Station(station) => {
                        let station = Rc::clone(station);
                        state.wants_turn(node).then(|| Job::Turn(node, station))
                    }
                    _ => {
                        state.box_turn(node);
                        None
                    }
                }
            }
        }
    }

    /// A host's turn.
    fn turn(&self, id: NodeId, station: &Rc<RefCell<dyn Station>>) -> Result<(), SimError> {
        let (now, mut arrived) = {
            let mut state = self.0.state.borrow_mut();
            let now = state.now;
            let ring = &mut state.node_mut(id).ring;
            ring.turns = if ring.turned_at == now { ring.turns + 1 } else { 1 };
            ring.turned_at = now;
            if ring.turns > self.0.turns_max.get() {
                let turns = std::mem::take(&mut ring.turns);
                let host = state.node(id).name.clone();
                return Err(SimError::Stall { host, at: now, turns });
            }
            (now, std::mem::take(&mut ring.frames))
        };
        let mut sent = Vec::new();
        self.0.turning.set(Some(id));
        let turned = station.borrow_mut().turn(now, &mut arrived, &mut sent);
        self.0.turning.set(None);
        let mut state = self.0.state.borrow_mut();
        state.turn_ended(id, arrived, turned?);
        for bytes in sent {
            state.send(End { node: id, port: 0 }, Frame::new(bytes, id));
        }
        Ok(())
    }

    pub(crate) fn pause(&self, id: NodeId) {
        self.0.state.borrow_mut().node_mut(id).ring.paused = true;
    }

    pub(crate) fn resume(&self, id: NodeId) {
        let mut state = self.0.state.borrow_mut();
        state.node_mut(id).ring.paused = false;
        let now = state.now;
        state.wake(id, now);
    }

    /// What waits in front of a host that is restarted is lost.
    pub(crate) fn forget_frames(&self, id: NodeId) {
        let mut state = self.0.state.borrow_mut();
        let frames = std::mem::take(&mut state.node_mut(id).ring.frames);
        for bytes in frames {
            state.drop_in_node(id, DropReason::Restarted, &Frame::new(bytes, id));
        }
    }

    /// Lets a script do something with a host between its turns, and sends what comes of it.
    pub(crate) fn with_station<T>(&self, id: NodeId, work: impl FnOnce() -> T) -> T {
        let result = work();
        let mut state = self.0.state.borrow_mut();
        let now = state.now;
        state.wake(id, now);
        result
    }
}

impl State {
    /// A station may have something to do now, whatever it said before.
    pub(crate) fn wake(&mut self, id: NodeId, now: Instant) {
        let ring = &mut self.node_mut(id).ring;
        ring.deadline = Some(now);
        if !ring.paused {
            self.alarm(id, now);
        }
    }

    /// Whether a station whose alarm rings has something to do; if not, when it will.
    fn wants_turn(&mut self, id: NodeId) -> bool {
        let now = self.now;
        let ring = &self.node(id).ring;
        if ring.paused {
            return false;
        }
        if !ring.frames.is_empty() {
            return true;
        }
        match ring.deadline {
            Some(deadline) if deadline <= now => true,
            Some(deadline) => {
                self.alarm(id, deadline);
                false
            }
            None => false,
        }
    }

    fn turn_ended(&mut self, id: NodeId, mut left: VecDeque<Bytes>, next: Option<Instant>) {
        let ring = &mut self.node_mut(id).ring;
        ring.deadline = next;
        // The room is used again; a turn itself cannot put frames in front of its own host.
        left.append(&mut ring.frames);
        ring.frames = left;
        let more = !ring.frames.is_empty();
        if ring.paused {
            return;
        }
        let now = self.now;
        match next {
            _ if more => self.alarm(id, now),
            Some(next) => self.alarm(id, next),
            None => {}
        }
    }
}

impl Turner for Inner {
    fn turn_until(self: Rc<Self>, done: &mut dyn FnMut() -> bool) -> io::Result<()> {
        let world = World(self);
        let limit = world.0.patience.get();
        match world.run(Some(world.now() + limit), done) {
            Ok(Ended::Condition) => Ok(()),
            Ok(Ended::Time) => Err(SimError::Patience { limit }.into()),
            Ok(Ended::AtRest) => Err(SimError::AtRest { at: world.now() }.into()),
            Err(error) => Err(error.into()),
        }
    }
}
