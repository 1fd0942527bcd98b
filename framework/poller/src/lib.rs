//! Readiness from the operating system: epoll, poll, select, mio (part of fyke).
//!
//! This is the one crate of fyke that makes unsafe system calls, and [`sys`] the one place of it
//! with unsafe code; transports take the safe ones from rustix and socket2. Linux is the platform.
//!
//! A [`Poller`] watches descriptors through one of several system calls, chosen by [`Backend`]:
//!
//! | name | call | trigger | descriptors |
//! |---|---|---|---|
//! | `epoll` | epoll | level | as many as may be open |
//! | `epoll-et` | epoll | edge | as many as may be open |
//! | `poll` | ppoll | level | as many; each wait costs in proportion |
//! | `select` | pselect | level | below 1024 |
//! | `mio` | the mio crate | edge | as many as may be open |
//!
//! ```
//! use fyke_poller::{Backend, Events, Interest, Poller};
//! use std::io::Write;
//! use std::os::fd::AsFd;
//! use std::os::unix::net::UnixStream;
//!
//! let mut poller = Poller::new(Backend::EpollLevel)?;
//! let (ours, mut theirs) = UnixStream::pair()?;
//! poller.register(ours.as_fd(), 7, Interest::READ)?;
//!
//! theirs.write_all(b"hello")?;
//! let mut events = Events::new();
//! poller.wait(&mut events, None)?;
//! let event = events.get(0).unwrap();
//! assert!(event.token == 7 && event.readable);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Beside it: the [`SystemClock`], the [`Signals`] that end a program, and [`limits`].
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `mio` | yes | [`Backend::Mio`] |

#![deny(unsafe_code)]

mod backend;
mod clock;
mod event;
mod interest;
pub mod limits;
mod poller;
mod signals;
#[allow(unsafe_code, reason = "this is the place for it")]
pub mod sys;
mod waker;

pub use backend::{Backend, Trigger, UnknownBackend};
pub use clock::SystemClock;
pub use event::{Event, Events};
pub use interest::Interest;
pub use limits::{pin_to_cpu, raise_descriptor_limit};
pub use poller::Poller;
pub use signals::{Signal, Signals};
pub use waker::Waker;
