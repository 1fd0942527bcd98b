//! An allocator that counts what this thread holds and how often it asked.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// Bytes this thread holds.
pub fn live() -> isize {
    LIVE.with(Cell::get)
}

/// Times this thread asked for memory.
pub fn calls() -> u64 {
    CALLS.with(Cell::get)
}

#[derive(Debug)]
pub struct Counting;

fn count(bytes: isize, calls: u64) {
    // A thread that ends still frees memory; nobody asks for its figures any more.
    let _ = LIVE.try_with(|live| live.set(live.get() + bytes));
    let _ = CALLS.try_with(|all| all.set(all.get() + calls));
}

// SAFETY: every call is passed on to the system's allocator as it came; the counters are plain cells
// of the thread, which allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize, 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize), 0);
        // SAFETY: the block came from `alloc` above with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize, 1);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(block, layout, size) }
    }
}
