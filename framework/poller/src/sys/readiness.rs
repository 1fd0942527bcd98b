//! The three waiting calls of Linux, with time-outs in nanoseconds: `epoll_pwait2`, `ppoll`, `pselect`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::time::Duration;

/// The most seconds handed to the kernel, 68 years; a longer time-out returns early with no events.
const TIMEOUT_SECS_MAX: u64 = i32::MAX as u64;

/// The kernel's `struct __kernel_timespec`, 64 bits wide on every architecture.
#[repr(C)]
struct KernelTimespec {
    seconds: i64,
    nanoseconds: i64,
}

/// Waits on an epoll descriptor and fills the front of `events`; returns how many.
///
/// `precise` is the caller's memory of whether the kernel knows `epoll_pwait2` (Linux 5.11): it is
/// cleared when it does not, and from then on time-outs are rounded up to milliseconds.
pub(crate) fn epoll_wait(
    epoll: BorrowedFd<'_>,
    events: &mut [libc::epoll_event],
    timeout: Option<Duration>,
    precise: &mut bool,
) -> io::Result<usize> {
    let capacity = libc::c_int::try_from(events.len()).unwrap_or(libc::c_int::MAX);
    if *precise {
        let limit = timeout.map(|timeout| KernelTimespec {
            seconds: timeout.as_secs().min(TIMEOUT_SECS_MAX) as i64,
            nanoseconds: i64::from(timeout.subsec_nanos()),
        });
        // SAFETY: the kernel writes at most `capacity` events into `events`, which is that long;
        // `limit` lives until the call is over; a null signal mask is allowed and its size ignored.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                epoll.as_raw_fd(),
                events.as_mut_ptr(),
                capacity,
                limit.as_ref().map_or(ptr::null(), ptr::from_ref),
                ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        if count >= 0 {
            return Ok(count as usize);
        }
        let error = io::Error::last_os_error();
        // EPERM: how some container filters refuse a call that they do not know.
        if !matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) {
            return Err(error);
        }
        *precise = false;
    }
    // SAFETY: as above: `events` has room for `capacity` events.
    let count = unsafe {
        libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), capacity, millis_up(timeout))
    };
    result(count)
}

/// Waits on descriptors; the answers are in `revents`. Returns how many entries have one.
pub(crate) fn poll(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    let limit = timeout.map(timespec);
    // SAFETY: pointer and length describe `fds`, of which the kernel writes `revents` only; a number
    // that is no open descriptor is answered with POLLNVAL. `limit` outlives the call.
    let count = unsafe {
        libc::ppoll(
            fds.as_mut_ptr(),
            fds.len() as libc::nfds_t,
            limit.as_ref().map_or(ptr::null(), ptr::from_ref),
            ptr::null(),
        )
    };
    result(count)
}

/// The bit set of `select`, which cannot name a descriptor of [`FdSet::LIMIT`] or more.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct FdSet {
    words: [libc::c_ulong; FdSet::WORDS],
}

const _: () = assert!(size_of::<FdSet>() == size_of::<libc::fd_set>());
const _: () = assert!(align_of::<FdSet>() == align_of::<libc::fd_set>());

impl FdSet {
    /// FD_SETSIZE.
    pub(crate) const LIMIT: usize = libc::FD_SETSIZE;
    const BITS: usize = libc::c_ulong::BITS as usize;
    const WORDS: usize = Self::LIMIT / Self::BITS;

    /// Puts `fd` in or takes it out. A number beyond the limit is never in a set.
    pub(crate) fn set(&mut self, fd: RawFd, present: bool) {
        let Some((word, bit)) = Self::place(fd) else { return };
        if present {
            self.words[word] |= bit;
        } else {
            self.words[word] &= !bit;
        }
    }

    pub(crate) fn contains(&self, fd: RawFd) -> bool {
        Self::place(fd).is_some_and(|(word, bit)| self.words[word] & bit != 0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// The members of this set or `other`.
    pub(crate) fn union(&self, other: &FdSet) -> FdSet {
        let mut both = *self;
        for (word, more) in both.words.iter_mut().zip(other.words) {
            *word |= more;
        }
        both
    }

    /// One more than the highest member.
    pub(crate) fn bound(&self) -> libc::c_int {
        let Some(word) = self.words.iter().rposition(|&word| word != 0) else { return 0 };
        (word * Self::BITS + Self::BITS - self.words[word].leading_zeros() as usize) as libc::c_int
    }

    /// The members, lowest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = RawFd> {
        self.words.into_iter().enumerate().flat_map(|(index, mut word)| {
            std::iter::from_fn(move || {
                (word != 0).then(|| {
                    let bit = word.trailing_zeros() as usize;
                    word &= word - 1;
                    (index * Self::BITS + bit) as RawFd
                })
            })
        })
    }

    fn place(fd: RawFd) -> Option<(usize, libc::c_ulong)> {
        let fd = usize::try_from(fd).ok().filter(|&fd| fd < Self::LIMIT)?;
        Some((fd / Self::BITS, 1 << (fd % Self::BITS)))
    }
}

/// Waits until a member of `read` can be read or one of `write` be written; leaves only those in them.
///
/// On an error the sets are as they were.
pub(crate) fn select(
    read: &mut FdSet,
    write: &mut FdSet,
    timeout: Option<Duration>,
) -> io::Result<usize> {
    let limit = timeout.map(timespec);
    let bound = read.bound().max(write.bound());
    // SAFETY: both sets are as large and as aligned as `fd_set` (asserted above) and have its layout;
    // `bound` is at most FD_SETSIZE, so the kernel stays inside them. `limit` outlives the call.
    let count = unsafe {
        libc::pselect(
            bound,
            ptr::from_mut(read).cast(),
            ptr::from_mut(write).cast(),
            ptr::null_mut(),
            limit.as_ref().map_or(ptr::null(), ptr::from_ref),
            ptr::null(),
        )
    };
    result(count)
}

fn timespec(timeout: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: timeout.as_secs().min(TIMEOUT_SECS_MAX) as libc::time_t,
        tv_nsec: timeout.subsec_nanos() as libc::c_long,
    }
}

/// Milliseconds, rounded up: neither early nor a busy loop during a timer's last millisecond.
fn millis_up(timeout: Option<Duration>) -> libc::c_int {
    timeout.map_or(-1, |timeout| {
        libc::c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
    })
}

fn result(count: libc::c_int) -> io::Result<usize> {
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_rounded_up() {
        assert_eq!(millis_up(None), -1);
        assert_eq!(millis_up(Some(Duration::ZERO)), 0);
        assert_eq!(millis_up(Some(Duration::from_nanos(1))), 1);
        assert_eq!(millis_up(Some(Duration::from_micros(1_001))), 2);
        assert_eq!(millis_up(Some(Duration::from_millis(7))), 7);
        assert_eq!(millis_up(Some(Duration::MAX)), libc::c_int::MAX);
    }

    #[test]
    fn without_epoll_pwait2_the_wait_is_never_early() {
        use rustix::event::epoll;
        use std::os::fd::AsFd;

        let fd = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 4];
        let limit = Duration::from_micros(1_500);
        let start = std::time::Instant::now();
        let count = epoll_wait(fd.as_fd(), &mut events, Some(limit), &mut false).unwrap();
        assert_eq!(count, 0);
        assert!(start.elapsed() >= limit);
    }

    #[test]
    fn a_descriptor_set_holds_exactly_its_members() {
        let mut set = FdSet::default();
        assert!(set.is_empty() && set.bound() == 0);
        for fd in [0, 1, 63, 64, 700, 1023, 1024, 5000, -1] {
            set.set(fd, true);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 1, 63, 64, 700, 1023]);
        assert_eq!(set.bound(), 1024);
        set.set(1023, false);
        assert_eq!(set.bound(), 701);
        assert!(set.contains(700) && !set.contains(1023) && !set.contains(1024));
    }
}
