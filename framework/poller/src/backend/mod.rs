//! The system calls that readiness can come from.
//!
//! A backend is a type with `new`, `register`, `reregister`, `deregister` and `wait` that keeps these
//! promises; `tests/contract.rs` holds every one of them to all:
//!
//! - a token comes back as it was given; nothing is said about a descriptor after its deregistering;
//! - registering twice is `AlreadyExists`, changing or removing the unknown is `NotFound`;
//! - hang-up and error are reported whatever the interest;
//! - level: a condition is reported by every wait until it ends. Edge: once for each change, and anew
//!   after every registering or re-registering;
//! - a wait ends at an event, at a wake or at its time-out, and never before the time-out without one of
//!   the others (or a signal);
//! - a wake is taken (`WakeState::take`) by the wait that it ended, and shown to nobody;
//! - a descriptor that was closed without deregistering is dropped in silence.

#[cfg(target_os = "linux")]
pub(crate) mod epoll;
#[cfg(target_os = "linux")]
mod index;
#[cfg(feature = "mio")]
pub(crate) mod mio;
#[cfg(target_os = "linux")]
pub(crate) mod poll;
#[cfg(target_os = "linux")]
pub(crate) mod select;

use std::fmt;
use std::str::FromStr;

/// The system call a [`Poller`](crate::Poller) waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Backend {
    /// `epoll`, level-triggered. The default: a forgotten byte is reported again.
    #[default]
    EpollLevel,
    /// `epoll`, edge-triggered.
    EpollEdge,
    /// `poll`: the whole table goes to the kernel with every wait.
    Poll,
    /// `select`: descriptors below 1024 only. Kept because it is the oldest and everywhere.
    Select,
    /// The mio crate, edge-triggered; needs the feature `mio`.
    Mio,
}

/// When readiness is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// By every wait for as long as it lasts.
    Level,
    /// Once, when it begins; and once after each registering.
    Edge,
}

impl Backend {
    /// Every backend there is, whether this build has it or not; see [`Backend::is_supported`].
    pub const ALL: [Backend; 5] =
        [Backend::EpollLevel, Backend::EpollEdge, Backend::Poll, Backend::Select, Backend::Mio];

    /// When this backend reports readiness.
    pub const fn trigger(self) -> Trigger {
        match self {
            Backend::EpollLevel | Backend::Poll | Backend::Select => Trigger::Level,
            Backend::EpollEdge | Backend::Mio => Trigger::Edge,
        }
    }

    /// Whether this build can use it.
    pub const fn is_supported(self) -> bool {
        let (with_mio, on_linux) = (cfg!(feature = "mio"), cfg!(target_os = "linux"));
        match self {
            Backend::EpollLevel | Backend::EpollEdge | Backend::Poll | Backend::Select => on_linux,
            Backend::Mio => with_mio,
        }
    }

    /// The name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Backend::EpollLevel => "epoll",
            Backend::EpollEdge => "epoll-et",
            Backend::Poll => "poll",
            Backend::Select => "select",
            Backend::Mio => "mio",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Backend, UnknownBackend> {
        Backend::ALL.into_iter().find(|backend| backend.name() == name).ok_or(UnknownBackend)
    }
}

/// The error of parsing a [`Backend`] from a word that names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownBackend;

impl fmt::Display for UnknownBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such poller; there are ")?;
        for (index, backend) in Backend::ALL.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{backend}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownBackend {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poller_that_is_not_in_this_build_says_so() {
        for backend in Backend::ALL {
            match crate::Poller::new(backend) {
                Ok(poller) => assert!(backend.is_supported() && poller.backend() == backend),
                Err(error) => {
                    assert!(!backend.is_supported());
                    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
                    assert_eq!(
                        error.to_string(),
                        format!("the poller {backend} is not in this build")
                    );
                }
            }
        }
    }

    #[test]
    fn every_name_parses_back() {
        for backend in Backend::ALL {
            assert_eq!(backend.to_string().parse(), Ok(backend));
        }
        let error = "kqueue".parse::<Backend>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no such poller; there are epoll, epoll-et, poll, select, mio"
        );
    }
}
