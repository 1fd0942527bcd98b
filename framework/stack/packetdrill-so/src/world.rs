//! The stack, its clock and the calls that wait, for packetdrill's two threads.
//!
//! The main thread moves time. Calls that wait are tried again by whoever lets something happen, at the
//! very instant it happens, so that a call's end has its exact time however late its thread wakes up.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use fyke_packetdrill::run::{Call, Machine, Returned, System, Waiting};

use crate::sysctl::Snapshot;

/// The date of the machine's beginning, so that times look like times.
const EPOCH: Duration = Duration::from_secs(1_700_000_000);
/// What asking for the time costs: a program that spins must see time pass.
const GLANCE: Duration = Duration::from_micros(1);
/// How far time may go while a packet is waited for.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// How long the other thread is given to do something when the stack has nothing to do.
const PATIENCE: Duration = Duration::from_millis(500);

thread_local! {
    /// When the last call of a thread other than the main one ended.
    static ENDED: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// Everything, behind one lock.
#[derive(Debug)]
pub(crate) struct World {
    state: Mutex<State>,
    changed: Condvar,
    main: ThreadId,
}

#[derive(Debug)]
struct State {
    machine: Machine,
    waiting: BTreeMap<u64, Slot>,
    done: BTreeMap<u64, (Returned, Duration)>,
    next: u64,
    /// Until the first socket is made: how the machine was, and is to be, made.
    recipe: Option<Recipe>,
}

/// What a machine is made of.
#[derive(Debug)]
struct Recipe {
    system: System,
    changes: Vec<(String, String)>,
    before: Snapshot,
}

#[derive(Debug)]
enum Slot {
    Call(Waiting),
    /// Descriptors, and until when.
    Poll(Vec<i64>, Option<Duration>),
}

impl World {
    pub(crate) fn new(system: System, changes: &[(&str, &str)]) -> Self {
        let machine = Machine::new(system, changes, 1);
        let (waiting, done) = (BTreeMap::new(), BTreeMap::new());
        let changes = changes.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let recipe = Recipe { system, changes: changes.collect(), before: Snapshot::take() };
        Self {
            state: Mutex::new(State { machine, waiting, done, next: 0, recipe: Some(recipe) }),
            changed: Condvar::new(),
            main: thread::current().id(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of a call was reported as its failure; the state is a stack's, not an invariant's.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket is about to be made. Before the first one, what the script changed of the real
    /// kernel's settings becomes ours.
    pub(crate) fn begin(&self) {
        let mut state = self.lock();
        let Some(recipe) = state.recipe.take() else { return };
        let now = Snapshot::take();
        let mut changes = now.changed_since(&recipe.before);
        if !changes.is_empty() {
            // What the flags say is said to us alone, so it is the last word.
            changes.extend(recipe.changes.iter().map(|(name, value)| (&**name, &**value)));
            let elapsed = state.machine.elapsed();
            state.machine = Machine::new(recipe.system, &changes, 1);
            state.machine.set_elapsed(elapsed);
        }
    }

    /// Whether a descriptor is one of ours.
    pub(crate) fn has(&self, fd: i32) -> bool {
        self.lock().machine.has(fd.into())
    }

    /// Whether a call waits.
    #[cfg(test)]
    pub(crate) fn is_waiting(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// Looks at the machine.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Machine) -> T) -> T {
        let mut state = self.lock();
        let out = f(&mut state.machine);
        state.poke();
        self.changed.notify_all();
        out
    }

    /// Makes a call, and waits for its end if it must.
    pub(crate) fn call(&self, call: &Call) -> Returned {
        let mut state = self.lock();
        let (returned, waiting) = state.machine.begin(call);
        let at = state.machine.elapsed();
        state.poke();
        self.changed.notify_all();
        if returned != Returned::Blocked {
            self.ended(at);
            return returned;
        }
        self.wait(state, Slot::Call(waiting))
    }

    /// Waits until one of the descriptors is ready or time is up.
    pub(crate) fn wait_ready(&self, descriptors: Vec<i64>, timeout_millis: i64) {
        let mut state = self.lock();
        let now = state.machine.elapsed();
        let until = u64::try_from(timeout_millis).ok().map(|ms| now + Duration::from_millis(ms));
        let ready = state.machine_ready(&descriptors);
        if ready || until == Some(now) {
            self.ended(now);
            return;
        }
        self.wait(state, Slot::Poll(descriptors, until));
    }

    fn wait(&self, mut state: MutexGuard<'_, State>, slot: Slot) -> Returned {
        let id = state.next;
        state.next += 1;
        state.waiting.insert(id, slot);
        loop {
            if let Some((returned, at)) = state.done.remove(&id) {
                self.ended(at);
                return returned;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn ended(&self, at: Duration) {
        if thread::current().id() != self.main {
            ENDED.set(Some(at));
        }
    }

    /// The time. The first look of the other thread after a call is to learn when the call ended.
    pub(crate) fn now(&self) -> Duration {
        if let Some(ended) = ENDED.take() {
            return EPOCH + ended;
        }
        self.sleep(GLANCE);
        EPOCH + self.lock().machine.elapsed()
    }

    /// Lets time pass.
    pub(crate) fn sleep(&self, time: Duration) {
        let mut state = self.lock();
        let to = state.machine.elapsed() + time;
        state.advance(to);
        self.changed.notify_all();
    }

    /// Gives the stack a packet.
    pub(crate) fn inject(&self, packet: Vec<u8>) -> Result<(), String> {
        let mut state = self.lock();
        let done = state.machine.inject(packet);
        state.poke();
        self.changed.notify_all();
        done
    }

    /// The next packet of the stack and its date; time goes on until there is one.
    pub(crate) fn sniff(&self) -> Option<(Duration, Vec<u8>)> {
        let mut state = self.lock();
        let limit = state.machine.elapsed() + WAIT_MAX;
        loop {
            if let Some((at, packet)) = state.machine.take_sent() {
                return Some((EPOCH + at, packet));
            }
            let stepped = state.step(limit);
            self.changed.notify_all();
            if !stepped {
                let waited = self.changed.wait_timeout(state, PATIENCE);
                let (again, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                state = again;
                if timeout.timed_out() {
                    return state.machine.take_sent().map(|(at, packet)| (EPOCH + at, packet));
                }
            }
        }
    }
}

impl State {
    fn machine_ready(&mut self, descriptors: &[i64]) -> bool {
        descriptors.iter().any(|descriptor| !self.machine.ready(*descriptor).is_empty())
    }

    /// Tries again what waits.
    fn poke(&mut self) {
        let now = self.machine.elapsed();
        for (id, mut slot) in std::mem::take(&mut self.waiting) {
            let returned = match &mut slot {
                Slot::Call(waiting) => self.machine.retry(waiting),
                Slot::Poll(descriptors, until) => {
                    let over = until.is_some_and(|until| until <= now);
                    if over || self.machine_ready(descriptors) {
                        Returned::Done(0, Vec::new())
                    } else {
                        Returned::Blocked
                    }
                }
            };
            if returned == Returned::Blocked {
                self.waiting.insert(id, slot);
            } else {
                self.done.insert(id, (returned, now));
            }
        }
    }

    /// One deadline up to `limit`: the stack's, or that of a call that waits with a time-out.
    fn step(&mut self, limit: Duration) -> bool {
        let now = self.machine.elapsed();
        let untils = self.waiting.values().filter_map(|slot| match slot {
            Slot::Poll(_, until) => *until,
            Slot::Call(_) => None,
        });
        let until = untils.filter(|until| *until <= limit).min();
        let stepped = self.machine.step(until.unwrap_or(limit)).unwrap_or(false);
        if let (false, Some(until)) = (stepped, until) {
            self.machine.set_elapsed(until.max(now));
        }
        self.poke();
        stepped || until.is_some()
    }

    fn advance(&mut self, to: Duration) {
        while self.step(to) {}
        self.machine.set_elapsed(to);
        self.poke();
    }
}

#[cfg(test)]
mod tests;
