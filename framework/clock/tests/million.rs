//! A million timers: exact order, and memory that is reused.

use std::time::Duration;

use fyke_clock::{Instant, TimerKey, TimerWheel};

const TIMERS: u32 = 1_000_000;

/// Pseudo-random and the same at every run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn deadline(&mut self, span: Duration) -> Instant {
        Instant::from_nanos(self.next() % span.as_nanos() as u64)
    }
}

/// Schedules a million timers, moves a third and cancels a third, and returns the rest in order.
fn fill(
    wheel: &mut TimerWheel<u32>,
    random: &mut Random,
    span: Duration,
) -> Vec<(Instant, u64, u32)> {
    let mut order = 0_u64;
    let mut keys: Vec<(TimerKey, Instant, u64)> = Vec::with_capacity(TIMERS as usize);
    for id in 0..TIMERS {
        let deadline = random.deadline(span);
        order += 1;
        keys.push((wheel.schedule(deadline, id), deadline, order));
    }
    assert_eq!(wheel.len(), TIMERS as usize);
    let mut left = Vec::with_capacity(TIMERS as usize);
    for (id, &(key, deadline, scheduled)) in keys.iter().enumerate() {
        match id % 3 {
            0 => left.push((deadline, scheduled, id as u32)),
            1 => assert_eq!(wheel.cancel(key), Some(id as u32)),
            _ => {
                let deadline = random.deadline(span);
                order += 1;
                assert!(wheel.reschedule(key, deadline));
                left.push((deadline, order, id as u32));
            }
        }
    }
    left.sort_unstable();
    left
}

#[test]
fn a_million_over_two_minutes_polled_every_few_milliseconds() {
    let span = Duration::from_secs(120);
    let mut wheel = TimerWheel::new(Instant::ZERO);
    let expected = fill(&mut wheel, &mut Random(1), span);
    let mut expected = expected.into_iter().peekable();
    let mut now = Instant::ZERO;
    while !wheel.is_empty() {
        now += Duration::from_micros(3_300);
        while let Some((deadline, id)) = wheel.poll(now) {
            let next = expected.next().map(|(deadline, _, id)| (deadline, id));
            assert_eq!(next, Some((deadline, id)));
        }
        assert!(expected.peek().is_none_or(|(deadline, ..)| *deadline > now), "one is late");
    }
    assert_eq!(expected.next(), None);
}

#[test]
fn a_million_expired_by_one_jump_of_a_year() {
    let span = Duration::from_secs(365 * 24 * 3600);
    let mut wheel = TimerWheel::new(Instant::ZERO);
    let expected = fill(&mut wheel, &mut Random(2), span);
    let now = Instant::ZERO + span;
    let mut expected = expected.into_iter();
    while let Some((deadline, id)) = wheel.poll(now) {
        let next = expected.next().map(|(deadline, _, id)| (deadline, id));
        assert_eq!(next, Some((deadline, id)));
    }
    assert!(wheel.is_empty());
    assert_eq!(expected.next(), None);
}

#[test]
fn a_million_in_one_tick() {
    let span = Duration::from_millis(1);
    let mut wheel = TimerWheel::with_tick(Instant::ZERO, Duration::from_secs(1));
    let expected = fill(&mut wheel, &mut Random(3), span);
    let mut expected = expected.into_iter();
    while let Some((deadline, id)) = wheel.poll(Instant::ZERO + span) {
        let next = expected.next().map(|(deadline, _, id)| (deadline, id));
        assert_eq!(next, Some((deadline, id)));
    }
    assert_eq!(expected.next(), None);
}
