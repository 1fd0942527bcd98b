//! Once warm, a timer wheel allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use fyke_clock::{Instant, TimerWheel};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counter is a plain cell of the
// calling thread that allocates nothing itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are those of `GlobalAlloc`, which `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, hence from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// A hundred connections with time-outs of all lengths, moved, cancelled and expired in turn.
fn one_round(wheel: &mut TimerWheel<u64>, now: Instant) -> Instant {
    let mut keys = [None; 100];
    for (i, key) in keys.iter_mut().enumerate() {
        let far = Duration::from_nanos(1 << (i % 50));
        *key = Some(wheel.schedule(now + far, i as u64));
    }
    for key in keys.iter().step_by(3).flatten() {
        assert!(wheel.reschedule(*key, now + Duration::from_secs(30)));
    }
    for key in keys.iter().skip(1).step_by(3).flatten() {
        assert!(wheel.cancel(*key).is_some());
    }
    let end = now + Duration::from_nanos(1 << 50);
    let mut expired = 0;
    while wheel.poll(end).is_some() {
        expired += 1;
    }
    assert_eq!(expired, 67);
    end
}

#[test]
fn a_new_wheel_and_a_warm_wheel_allocate_nothing() {
    let before = allocations();
    let mut wheel = TimerWheel::new(Instant::ZERO);
    assert_eq!(allocations(), before, "an unused wheel is free");

    let mut now = one_round(&mut wheel, Instant::ZERO);
    // Warm: the highest number of timers, the highest level and the largest heap have been seen.
    let start = 1 << 52;
    now = now.max(Instant::from_nanos(start));
    now = one_round(&mut wheel, now);
    let warm = allocations();
    assert!(warm > before, "the counter counts");
    for _ in 0..100 {
        now = one_round(&mut wheel, now);
    }
    assert_eq!(allocations(), warm);
}
