//! Files in memory that only the kernel looks at.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::{self, NonNull};

/// The most that Linux moves in one call.
const BYTES_MAX: usize = 0x7fff_f000;

/// A file's contents, mapped. Nothing here reads the memory: of a file that has been cut that would be
/// a SIGBUS. The kernel reads it, for which a missing page is an error like any other.
#[derive(Debug)]
pub struct Mapping {
    at: NonNull<libc::c_void>,
    len: usize,
}

// SAFETY: the mapping is read-only, its address and length never change, and only the kernel reads it.
unsafe impl Send for Mapping {}
// SAFETY: as above; sending twice at once is two system calls that read.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of `file`.
    ///
    /// # Errors
    /// An empty length, an address space that is used up, a file that cannot be mapped.
    pub fn new(file: &File, len: u64) -> io::Result<Self> {
        let len = usize::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours; the
        // descriptor is open.
        let at = unsafe {
            libc::mmap(ptr::null_mut(), len, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let at = NonNull::new(at).ok_or(io::ErrorKind::OutOfMemory)?;
        // A hint: a kernel that does not take it reads ahead less.
        // SAFETY: the range is the mapping that has just been made.
        unsafe { libc::madvise(at.as_ptr(), len, libc::MADV_SEQUENTIAL) };
        Ok(Self { at, len })
    }

    /// How many bytes are mapped.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len as u64
    }

    /// Whether nothing is mapped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sends up to `count` bytes from `offset` on; 0 beyond the mapping's end. What lies behind the
    /// end of a file that was cut, but in its last page, is zeros, so callers look at the file's
    /// length first.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file does not reach so far any more; otherwise as for
    /// [`send`](super::send).
    pub fn send(&self, socket: impl AsFd, offset: u64, count: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).map_or(self.len, |offset| offset.min(self.len));
        let count = usize::try_from(count).map_or(BYTES_MAX, |count| count.min(BYTES_MAX));
        let count = count.min(self.len - offset);
        if count == 0 {
            return Ok(0);
        }
        loop {
            // SAFETY: `offset + count` is at most the length of the mapping, which lives as long as
            // `self`; the kernel reads it and answers EFAULT where no page is left.
            let sent = unsafe {
                libc::send(
                    socket.as_fd().as_raw_fd(),
                    self.at.as_ptr().cast::<u8>().add(offset).cast(),
                    count,
                    libc::MSG_NOSIGNAL,
                )
            };
            if let Ok(sent) = usize::try_from(sent) {
                return Ok(sent);
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EFAULT) => {
                    let text = "a mapped file became shorter while it was being sent";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
                }
                _ => return Err(error),
            }
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is exactly what was mapped, and nothing refers to it any more.
        let result = unsafe { libc::munmap(self.at.as_ptr(), self.len) };
        debug_assert_eq!(result, 0, "a mapping is unmapped once");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn file(content: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!(
            "fyke-mapping-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        File::create(&path).unwrap().write_all(content).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file
    }

    #[test]
    fn a_piece_is_sent_and_nothing_beyond_the_end() {
        let mapping = Mapping::new(&file(b"0123456789"), 10).unwrap();
        assert_eq!((mapping.len(), mapping.is_empty()), (10, false));
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        assert_eq!(mapping.send(&ours, 2, 3).unwrap(), 3);
        assert_eq!(mapping.send(&ours, 8, u64::MAX).unwrap(), 2);
        assert_eq!(mapping.send(&ours, 10, 5).unwrap(), 0);
        assert_eq!(mapping.send(&ours, u64::MAX, 5).unwrap(), 0);
        let mut got = [0; 5];
        theirs.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"23489");
    }

    #[test]
    fn a_page_that_is_gone_is_an_error_and_no_signal() {
        let file = file(&[7; 64 * 1024]);
        let mapping = Mapping::new(&file, 64 * 1024).unwrap();
        file.set_len(0).unwrap();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let error = mapping.send(&ours, 32 * 1024, 100).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn nothing_and_what_has_no_pages_cannot_be_mapped() {
        Mapping::new(&file(b""), 0).unwrap_err();
        Mapping::new(&File::open("/").unwrap(), 10).unwrap_err();
    }
}
