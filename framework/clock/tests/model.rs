//! Random histories of the timer wheel, compared step by step with a binary heap.
//!
//! The model is as plain as can be: a heap of (deadline, order of scheduling), cancelled timers
//! skipped when they come up. The wheel must agree with it on every answer it gives.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use fyke_clock::{Instant, TimerKey, TimerWheel};
use proptest::prelude::*;

#[derive(Default)]
struct Model {
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
    /// The pending timers: identity to deadline and order; what else is in the heap is dead.
    pending: HashMap<u32, (u64, u64)>,
    order: u64,
}

impl Model {
    fn schedule(&mut self, id: u32, deadline: u64) {
        self.order += 1;
        self.pending.insert(id, (deadline, self.order));
        self.heap.push(Reverse((deadline, self.order, id)));
    }

    fn reschedule(&mut self, id: u32, deadline: u64) -> bool {
        let found = self.pending.contains_key(&id);
        if found {
            self.schedule(id, deadline);
        }
        found
    }

    fn cancel(&mut self, id: u32) -> bool {
        self.pending.remove(&id).is_some()
    }

    fn first(&mut self) -> Option<(u64, u32)> {
        while let Some(&Reverse((deadline, order, id))) = self.heap.peek() {
            if self.pending.get(&id) == Some(&(deadline, order)) {
                return Some((deadline, id));
            }
            self.heap.pop();
        }
        None
    }

    fn poll(&mut self, now: u64) -> Option<(u64, u32)> {
        let (deadline, id) = self.first().filter(|(deadline, _)| *deadline <= now)?;
        self.pending.remove(&id);
        Some((deadline, id))
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Deadline relative to now: this far ahead.
    Schedule(u64),
    /// Deadline relative to now: this far in the past.
    ScheduleLate(u64),
    /// Deadline relative to the origin.
    ScheduleAt(u64),
    Cancel(prop::sample::Index),
    Reschedule(prop::sample::Index, u64),
    /// Let this much time pass and poll this often at most.
    Advance(u64, usize),
    /// Poll once with a time that lies this far back.
    PollEarlier(u64),
    /// Go to what `next_deadline` says and poll until nothing is due.
    Sleep,
}

/// Distances of every order of magnitude, with many equal ones.
fn distance() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..8_u64,
        4 => (0..5_u64).prop_map(|tick| tick * 1_000),
        4 => 0..5_000_u64,
        2 => 0..1_000_000_u64,
        2 => 0..100_000_000_000_u64,
        1 => 0..u64::MAX / 4,
        1 => (0..64_u32, 0..3_u64).prop_map(|(bit, off)| (1_u64 << bit).wrapping_add(off) - 1),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let any_one = any::<prop::sample::Index>;
    prop_oneof![
        8 => distance().prop_map(Step::Schedule),
        1 => distance().prop_map(Step::ScheduleLate),
        1 => prop_oneof![any::<u64>(), Just(u64::MAX), Just(0)].prop_map(Step::ScheduleAt),
        3 => any_one().prop_map(Step::Cancel),
        4 => (any_one(), distance()).prop_map(|(which, far)| Step::Reschedule(which, far)),
        4 => (distance(), 0..6_usize).prop_map(|(far, times)| Step::Advance(far, times)),
        2 => distance().prop_map(|far| Step::Advance(far, usize::MAX)),
        1 => distance().prop_map(Step::PollEarlier),
        3 => Just(Step::Sleep),
    ]
}

/// Both sides of the comparison, and the keys by which the wheel knows its timers.
struct Pair {
    wheel: TimerWheel<u32>,
    model: Model,
    keys: Vec<TimerKey>,
    now: u64,
}

impl Pair {
    fn new(start: u64, tick: u64) -> Self {
        let wheel = TimerWheel::with_tick(Instant::from_nanos(start), Duration::from_nanos(tick));
        Self { wheel, model: Model::default(), keys: Vec::new(), now: start }
    }

    fn schedule(&mut self, deadline: u64) {
        let id = self.keys.len() as u32;
        self.keys.push(self.wheel.schedule(Instant::from_nanos(deadline), id));
        self.model.schedule(id, deadline);
    }

    /// True when both say that nothing is due.
    fn poll(&mut self) -> Result<bool, TestCaseError> {
        self.poll_at(self.now)
    }

    fn poll_at(&mut self, now: u64) -> Result<bool, TestCaseError> {
        let found = self.wheel.poll(Instant::from_nanos(now));
        let found = found.map(|(deadline, id)| (deadline.as_nanos(), id));
        prop_assert_eq!(found, self.model.poll(now));
        if let Some((_, id)) = found {
            prop_assert_eq!(self.wheel.get(self.keys[id as usize]), None);
        }
        Ok(found.is_none())
    }

    fn apply(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Schedule(far) => self.schedule(self.now.saturating_add(*far)),
            Step::ScheduleLate(ago) => self.schedule(self.now.saturating_sub(*ago)),
            Step::ScheduleAt(deadline) => self.schedule(*deadline),
            Step::Cancel(which) if !self.keys.is_empty() => {
                let id = which.index(self.keys.len());
                let found = self.wheel.cancel(self.keys[id]);
                prop_assert_eq!(found, self.model.cancel(id as u32).then_some(id as u32));
            }
            Step::Reschedule(which, far) if !self.keys.is_empty() => {
                let id = which.index(self.keys.len());
                let deadline = self.now.saturating_add(*far);
                let found = self.wheel.reschedule(self.keys[id], Instant::from_nanos(deadline));
                prop_assert_eq!(found, self.model.reschedule(id as u32, deadline));
                prop_assert_eq!(self.wheel.get(self.keys[id]).is_some(), found);
            }
            Step::Cancel(_) | Step::Reschedule(..) => {}
            Step::Advance(far, times) => {
                self.now = self.now.saturating_add(*far);
                for _ in 0..*times {
                    if self.poll()? {
                        self.check_sleep_after_idle_poll()?;
                        break;
                    }
                }
            }
            Step::PollEarlier(ago) => {
                self.poll_at(self.now.saturating_sub(*ago))?;
            }
            Step::Sleep => {
                let Some(wake) = self.wheel.next_deadline() else { return Ok(()) };
                self.now = self.now.max(wake.as_nanos());
                while !self.poll()? {}
                self.check_sleep_after_idle_poll()?;
            }
        }
        self.check()
    }

    /// Nothing pending is earlier than the time to wake.
    fn check(&mut self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.wheel.len(), self.model.pending.len());
        prop_assert_eq!(self.wheel.is_empty(), self.model.pending.is_empty());
        let wake = self.wheel.next_deadline().map(Instant::as_nanos);
        let first = self.model.first().map(|(deadline, _)| deadline);
        prop_assert_eq!(wake.is_some(), first.is_some());
        prop_assert!(wake <= first, "wakes at {:?}, too late for {:?}", wake, first);
        Ok(())
    }

    /// A loop that sleeps until then does not spin.
    fn check_sleep_after_idle_poll(&self) -> Result<(), TestCaseError> {
        let wake = self.wheel.next_deadline();
        prop_assert!(wake.is_none_or(|wake| wake.as_nanos() > self.now), "{:?}", wake);
        Ok(())
    }

    /// Sleeps from deadline to deadline until the wheel is empty, in a bounded number of wakes.
    fn run_out(&mut self) -> Result<(), TestCaseError> {
        // What is due exactly, plus at most one idle wake a level for each timer.
        let mut wakes_left = 9 * self.wheel.len() + 1;
        while let Some(wake) = self.wheel.next_deadline() {
            prop_assert!(wakes_left > 0, "the loop spins");
            wakes_left -= 1;
            self.now = self.now.max(wake.as_nanos());
            while !self.poll()? {}
        }
        prop_assert_eq!(self.model.first(), None);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn agrees_with_a_binary_heap(
        start in prop_oneof![Just(0), distance()],
        tick in prop_oneof![Just(1_u64), Just(7), Just(1_000), Just(1_000_000), Just(u64::MAX)],
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut pair = Pair::new(start, tick);
        for step in &steps {
            pair.apply(step)?;
        }
        pair.run_out()?;
    }

    /// Without cancelling, the time to wake is exact: each wake finds something due.
    #[test]
    fn wakes_are_exact_when_nothing_is_cancelled(
        tick in prop_oneof![Just(1_u64), Just(1_000), Just(1_000_000)],
        deadlines in prop::collection::vec(distance(), 1..100),
    ) {
        let mut pair = Pair::new(0, tick);
        for deadline in deadlines {
            pair.schedule(deadline);
        }
        while let Some(wake) = pair.wheel.next_deadline() {
            prop_assert_eq!(Some(wake.as_nanos()), pair.model.first().map(|(at, _)| at));
            pair.now = wake.as_nanos();
            prop_assert!(!pair.poll()?);
        }
    }
}
