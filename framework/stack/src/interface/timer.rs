//! Timers on the one wheel, lazily moved: an entry is only touched when it would come too late.

use fyke_clock::{Instant, TimerKey, TimerWheel};

/// Whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A connection's earliest timer.
    Connection { index: u32, generation: u32 },
    /// The next SYN-ACK to be sent again.
    SynCache,
    /// The oldest entry in TIME-WAIT.
    TimeWait,
    /// A neighbour's state changes.
    Neighbor { index: u32, generation: u32 },
    /// The oldest datagram in pieces.
    Reassembly,
    /// Duplicate address detection, lifetimes of addresses and routers.
    Autoconf,
    /// Group memberships are to be told.
    Groups,
}

/// At most one entry on the wheel, at the deadline or before it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lazy {
    entry: Option<(TimerKey, Instant)>,
}

impl Lazy {
    /// Sees to it that the wheel wakes its owner at `deadline` or earlier; says whether an entry
    /// was touched. An entry that is too early stays: when it expires the owner arms it anew, which
    /// costs less than moving it at every segment.
    pub(crate) fn arm(
        &mut self,
        wheel: &mut TimerWheel<Timer>,
        deadline: Option<Instant>,
        timer: Timer,
    ) -> bool {
        let Some(deadline) = deadline else { return false };
        match self.entry {
            Some((_, at)) if at <= deadline => return false,
            Some((key, _)) if wheel.reschedule(key, deadline) => {
                self.entry = Some((key, deadline));
            }
            _ => self.entry = Some((wheel.schedule(deadline, timer), deadline)),
        }
        true
    }

    /// The entry has expired.
    pub(crate) fn expired(&mut self) {
        self.entry = None;
    }

    /// Takes the entry off the wheel.
    pub(crate) fn cancel(&mut self, wheel: &mut TimerWheel<Timer>) {
        if let Some((key, _)) = self.entry.take() {
            wheel.cancel(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_deadlines_leave_the_entry_alone() {
        let at = Instant::from_nanos;
        let mut wheel = TimerWheel::new(at(0));
        let mut lazy = Lazy::default();
        assert!(lazy.arm(&mut wheel, Some(at(100)), Timer::SynCache));
        assert!(!lazy.arm(&mut wheel, Some(at(200)), Timer::SynCache));
        assert!(!lazy.arm(&mut wheel, None, Timer::SynCache));
        assert!(lazy.arm(&mut wheel, Some(at(50)), Timer::SynCache));
        assert_eq!((wheel.len(), wheel.next_deadline()), (1, Some(at(50))));
        assert_eq!(wheel.poll(at(60)), Some((at(50), Timer::SynCache)));
        lazy.expired();
        assert!(lazy.arm(&mut wheel, Some(at(300)), Timer::SynCache));
        lazy.cancel(&mut wheel);
        assert!(wheel.is_empty());
    }
}
