//! An allocator that counts.

#![allow(dead_code, reason = "each program uses its own part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what the current thread allocates, so that tests may run side by side.
struct Counting;

thread_local! {
    pub(crate) static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// Bytes taken, whether given back or not.
    pub(crate) static TAKEN: Cell<usize> = const { Cell::new(0) };
    /// Bytes taken and not given back. May pass zero: another thread may give back what this one took.
    pub(crate) static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn count(allocations: usize, taken: usize, given_back: usize) {
    // At the end of a thread its counters may be gone already.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + allocations));
    let _ = TAKEN.try_with(|count| count.set(count.get() + taken));
    let change = taken.cast_signed().wrapping_sub(given_back.cast_signed());
    let _ = LIVE.try_with(|live| live.set(live.get() + change));
}

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
