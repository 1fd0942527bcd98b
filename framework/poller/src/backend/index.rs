//! From a descriptor to its row in a dense table: what `poll` and `select` need that epoll has inside.

use std::io;
use std::os::fd::RawFd;

const ABSENT: u32 = u32::MAX;

/// Rows by descriptor. As long as the highest descriptor ever registered, four bytes each.
#[derive(Debug, Default)]
pub(super) struct FdIndex {
    rows: Vec<u32>,
}

impl FdIndex {
    /// The row of `fd`.
    pub(super) fn get(&self, fd: RawFd) -> io::Result<usize> {
        usize::try_from(fd)
            .ok()
            .and_then(|fd| self.rows.get(fd))
            .filter(|&&row| row != ABSENT)
            .map(|&row| row as usize)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Notes that `fd`, so far unknown, is at `row`.
    pub(super) fn insert(&mut self, fd: RawFd, row: usize) -> io::Result<()> {
        let slot = usize::try_from(fd).map_err(|_| io::ErrorKind::InvalidInput)?;
        let row = u32::try_from(row).map_err(|_| io::ErrorKind::OutOfMemory)?;
        if slot >= self.rows.len() {
            self.rows.resize(slot + 1, ABSENT);
        }
        if self.rows[slot] != ABSENT {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.rows[slot] = row;
        Ok(())
    }

    /// Forgets `fd`.
    pub(super) fn remove(&mut self, fd: RawFd) -> io::Result<usize> {
        let row = self.get(fd)?;
        self.rows[fd as usize] = ABSENT;
        Ok(row)
    }

    /// Notes that `fd`, which is known, is at `row` now.
    pub(super) fn moved(&mut self, fd: RawFd, row: usize) {
        if let Some(slot) = usize::try_from(fd).ok().and_then(|fd| self.rows.get_mut(fd)) {
            *slot = row as u32;
        }
    }
}
