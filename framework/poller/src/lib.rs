//! Readiness from the operating system: epoll, poll, select, mio (part of fyke).

mod backend;
mod clock;
mod event;
mod interest;
mod poller;
pub mod sys;
mod waker;

pub use backend::{Backend, Trigger, UnknownBackend};
pub use clock::SystemClock;
pub use event::{Event, Events};
pub use interest::Interest;
pub use poller::Poller;
pub use waker::Waker;
