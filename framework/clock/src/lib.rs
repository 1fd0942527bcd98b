//! Instants, clocks, virtual time and timers: time as an argument.
//!
//! Nothing here reads a clock of the machine. A caller learns the time from a [`Clock`] and hands
//! it on as an [`Instant`], so the same code runs under the real clock of an event loop and under
//! a [`VirtualClock`] in tests and simulations.
//!
//! | item | what it is |
//! |---|---|
//! | [`Instant`] | a point on a monotonic time line, in nanoseconds |
//! | [`Clock`] | where the time comes from |
//! | [`VirtualClock`] | a clock that moves only when it is told to |
//! | [`TimerWheel`] | many pending deadlines, cheap to set, cancel and move |
//! | [`TimerKey`] | the name of one pending timer |
//!
//! Absent on purpose: the system clock, which needs the operating system, and sleeping, which is
//! the business of whoever owns the loop.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod clock;
mod instant;
mod wheel;

pub use clock::{Clock, VirtualClock};
pub use instant::Instant;
pub use wheel::{TimerKey, TimerWheel};
