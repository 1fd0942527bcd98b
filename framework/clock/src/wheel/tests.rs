//! Tables for the edges of the wheel; random histories are in `tests/model.rs`.

use alloc::vec::Vec;

use super::*;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn ms(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn drain<T>(wheel: &mut TimerWheel<T>, now: Instant) -> Vec<T> {
    core::iter::from_fn(|| wheel.poll(now).map(|(_, value)| value)).collect()
}

/// Not a nanosecond early, not a nanosecond late, on both sides of every level boundary.
#[test]
fn fires_at_its_deadline_whatever_the_level() {
    for tick_nanos in [1, 1_000, 1_000_000] {
        for level in 0..=7 {
            let Some(boundary) = (1_u64 << (8 * level)).checked_mul(tick_nanos) else { continue };
            for start in [0, 1, boundary / 2, boundary - 1, boundary] {
                for offset in [0, 1, 2, tick_nanos - 1, tick_nanos, tick_nanos + 1] {
                    let deadline = start.saturating_add(boundary).saturating_sub(1) + offset;
                    let tick = Duration::from_nanos(tick_nanos);
                    let mut wheel = TimerWheel::with_tick(at(start), tick);
                    wheel.schedule(at(deadline), ());
                    assert_eq!(wheel.next_deadline(), Some(at(deadline)));
                    if deadline > 0 {
                        assert_eq!(wheel.poll(at(deadline - 1)), None);
                        assert_eq!(wheel.next_deadline(), Some(at(deadline)));
                    }
                    assert_eq!(wheel.poll(at(deadline)), Some((at(deadline), ())));
                    assert_eq!(wheel.next_deadline(), None);
                }
            }
        }
    }
}

#[test]
fn order_within_a_tick_is_by_deadline_then_by_scheduling() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    for (deadline, name) in [(5_900, 'd'), (5_100, 'a'), (5_500, 'b'), (5_500, 'c'), (5_900, 'e')] {
        wheel.schedule(at(5_000_000 + deadline), name);
    }
    assert_eq!(drain(&mut wheel, at(5_005_500)), ['a', 'b', 'c']);
    assert_eq!(wheel.next_deadline(), Some(at(5_005_900)));
    assert_eq!(drain(&mut wheel, at(5_005_900)), ['d', 'e']);
}

#[test]
fn moving_a_timer_puts_it_behind_its_equals() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    let first = wheel.schedule(ms(10), 'a');
    wheel.schedule(ms(10), 'b');
    assert!(wheel.reschedule(first, ms(10)));
    assert_eq!(drain(&mut wheel, ms(10)), ['b', 'a']);
    assert!(!wheel.reschedule(first, ms(20)));
    assert!(wheel.is_empty());
}

#[test]
fn the_past_fires_at_the_next_poll_and_before_the_rest() {
    let mut wheel = TimerWheel::new(ms(100));
    wheel.schedule(ms(100), 'b');
    wheel.schedule(ms(40), 'a');
    wheel.schedule(ms(101), 'c');
    assert_eq!(wheel.next_deadline(), Some(ms(40)));
    assert_eq!(wheel.poll(ms(101)), Some((ms(40), 'a')));
    wheel.schedule(Instant::ZERO, 'z');
    assert_eq!(drain(&mut wheel, ms(101)), ['z', 'b', 'c']);
}

#[test]
fn a_clock_that_goes_back_fires_nothing_early() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    assert_eq!(wheel.poll(ms(500)), None);
    wheel.schedule(ms(300), 'a');
    wheel.schedule(ms(600), 'b');
    assert_eq!(wheel.poll(ms(299)), None);
    assert_eq!(wheel.poll(ms(300)), Some((ms(300), 'a')));
    assert_eq!(wheel.poll(ms(599)), None);
    assert_eq!(wheel.poll(ms(600)), Some((ms(600), 'b')));
}

#[test]
fn keys_die_with_their_timers() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    let fired = wheel.schedule(ms(1), 1);
    let cancelled = wheel.schedule(ms(2), 2);
    assert_eq!((wheel.get(fired), wheel.get(cancelled)), (Some(&1), Some(&2)));
    assert_eq!(wheel.poll(ms(1)), Some((ms(1), 1)));
    assert_eq!(wheel.cancel(cancelled), Some(2));
    let next = wheel.schedule(ms(3), 3);
    for dead in [fired, cancelled] {
        assert_eq!(wheel.get(dead), None);
        assert_eq!(wheel.get_mut(dead), None);
        assert_eq!(wheel.deadline(dead), None);
        assert_eq!(wheel.cancel(dead), None);
        assert!(!wheel.reschedule(dead, ms(9)));
    }
    *wheel.get_mut(next).unwrap() += 10;
    assert_eq!(wheel.deadline(next), Some(ms(3)));
    assert_eq!(wheel.poll(ms(3)), Some((ms(3), 13)));
}

#[test]
fn cancels_timers_that_are_due_already() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    let keys: Vec<_> = (0..20).map(|i| wheel.schedule(at(i), i)).collect();
    assert_eq!(wheel.poll(ms(1)), Some((at(0), 0)));
    for i in (1..20).step_by(2) {
        assert_eq!(wheel.cancel(keys[i]), Some(i as u64));
    }
    assert_eq!(drain(&mut wheel, ms(1)), [2, 4, 6, 8, 10, 12, 14, 16, 18]);
}

#[test]
fn years_ahead_are_exact_and_a_jump_there_is_one_step() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    let far = Instant::ZERO + 100 * YEAR + Duration::from_nanos(7);
    wheel.schedule(far, "far");
    wheel.schedule(Instant::MAX, "never");
    wheel.schedule(ms(1), "soon");
    assert_eq!(wheel.poll(ms(1)), Some((ms(1), "soon")));
    assert_eq!(wheel.poll(far - Duration::from_nanos(1)), None);
    assert_eq!(wheel.next_deadline(), Some(far));
    assert_eq!(wheel.poll(far), Some((far, "far")));
    assert_eq!(wheel.next_deadline(), Some(Instant::MAX));
    assert_eq!(wheel.poll(Instant::MAX), Some((Instant::MAX, "never")));
}

/// A periodic timer served late keeps its rate.
#[test]
fn a_periodic_timer_does_not_drift() {
    let period = Duration::from_micros(16_667);
    let mut wheel = TimerWheel::new(Instant::ZERO);
    wheel.schedule(Instant::ZERO + period, ());
    let mut fired = 0_u32;
    let mut now = Instant::ZERO;
    while now < Instant::ZERO + Duration::from_secs(60) {
        now += Duration::from_micros(7_001);
        while let Some((deadline, ())) = wheel.poll(now) {
            fired += 1;
            assert_eq!(deadline, Instant::ZERO + period * fired);
            wheel.schedule(deadline + period, ());
        }
    }
    assert_eq!(u128::from(fired), (now - Instant::ZERO).as_nanos() / period.as_nanos());
}

/// The earliest of a shared slot is cancelled: one idle wake-up, and never at a time already seen.
#[test]
fn a_stale_wake_time_costs_one_wake() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    let early = wheel.schedule(ms(70_000), 'x');
    wheel.schedule(ms(90_000), 'a');
    wheel.cancel(early);
    let mut wakes = Vec::new();
    while let Some(now) = wheel.next_deadline() {
        wakes.push((now, wheel.poll(now).map(|(_, value)| value)));
    }
    assert_eq!(wakes, [(ms(70_000), None), (ms(90_000), Some('a'))]);
}

#[test]
fn a_lonely_timer_far_away_does_not_wake_anyone_before() {
    let mut wheel = TimerWheel::new(ms(3));
    let deadline = ms(3) + 3 * YEAR;
    wheel.schedule(deadline, ());
    assert_eq!(wheel.next_deadline(), Some(deadline));
    assert_eq!(wheel.poll(deadline), Some((deadline, ())));
}

#[test]
fn debug_names_the_size_and_not_the_values() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    wheel.schedule(ms(1), ());
    let text = alloc::format!("{wheel:?}");
    assert!(
        text.contains("len: 1") && text.contains("next_deadline: Some(0.001000000s)"),
        "{text}"
    );
}
