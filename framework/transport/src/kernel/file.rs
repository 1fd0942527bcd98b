//! Regions of files: read where they must be, and left to the kernel where they can be.
//!
//! ```text
//! a file              sendfile: from the page cache to the socket
//! a mapped file       send from the mapping, which only the kernel reads
//! bytes in a pipe     splice, see splice.rs
//! any other source    read and sent, 64 KiB at a time
//! ```
//!
//! A file that has become shorter ends its connection with a clear error: the peer was promised bytes
//! that do not exist, and nothing is sent in their place.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use fyke_core::channel::outbound::file_shrank;
use fyke_core::{FileRegion, RegionSource};
use fyke_poller::sys::{self, Mapping};
use rustix::io::Errno;

use super::splice::PipeSource;

/// The most of a region that is sent in one write, so that a fast reader of a large file does not keep
/// the loop from everybody else.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// How much of a source that can only be read is copied at a time.
const COPY_BYTES: usize = 64 * 1024;

/// A file as the source of [`FileRegion`]s. The kernel transport sends it without a copy.
///
/// A file on a slow disk stops the loop while it is read. A file that changes meanwhile is sent as it
/// is when its bytes leave, also those that were taken already. If it becomes shorter than the region
/// the connection fails, as the bytes that were promised to the peer do not exist.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    mapping: Option<Mapping>,
}

impl FileSource {
    /// Takes the file; its position does not matter.
    #[must_use]
    pub fn new(file: File) -> Arc<Self> {
        Arc::new(Self { file, mapping: None })
    }

    /// Takes the file and maps it as long as it is now: what the kernel transport sends of it comes
    /// from the mapping (`mmap` and `write`) instead of by `sendfile`. The mapping is never read by
    /// the program, so a file that is cut is an error and no SIGBUS; a stage that needs the bytes
    /// (TLS, compression) reads the file.
    ///
    /// # Errors
    /// An empty file, or one that cannot be mapped.
    pub fn mapped(file: File) -> io::Result<Arc<Self>> {
        let mapping = Some(Mapping::new(&file, file.metadata()?.len())?);
        Ok(Arc::new(Self { file, mapping }))
    }

    /// All of `file`, as long as it is now.
    ///
    /// # Errors
    /// When its length cannot be learned.
    pub fn whole(file: File) -> io::Result<FileRegion> {
        let len = file.metadata()?.len();
        Ok(FileRegion::new(Self::new(file), 0, len))
    }

    /// The file itself.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Whether it is sent from a mapping.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        self.mapping.is_some()
    }

    /// Sends up to `count` bytes from `offset`; 0 when the file ends there.
    fn send(&self, socket: &OwnedFd, offset: u64, count: u64) -> io::Result<usize> {
        match &self.mapping {
            Some(mapping) if offset < mapping.len() => {
                // Behind the end of a cut file the last page is zeros, which nobody has promised.
                let left = self.file.metadata()?.len().saturating_sub(offset);
                mapping.send(socket, offset, count.min(left))
            }
            _ => sys::sendfile(socket, &self.file, offset, count),
        }
    }
}

impl RegionSource for FileSource {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match self.file.read_at(&mut into[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// What became of a region.
pub(super) enum Sent {
    /// All of it went.
    Whole(usize),
    /// So much went, and the socket has no room.
    Full(usize),
    /// So much went, enough for one turn.
    Turn(usize),
}

/// What brings a region's bytes to the socket.
enum Carrier<'a> {
    File(&'a FileSource),
    Pipe(&'a PipeSource),
    Copy,
}

impl<'a> Carrier<'a> {
    fn of(region: &'a FileRegion) -> Self {
        let source = region.source().as_any();
        if let Some(file) = source.downcast_ref() {
            Self::File(file)
        } else if let Some(pipe) = source.downcast_ref() {
            Self::Pipe(pipe)
        } else {
            Self::Copy
        }
    }
}

/// Sends the front of `region`, until the socket is full: a short `sendfile` alone does not say so,
/// and only a refused one promises a readiness.
pub(super) fn send_region(
    socket: &OwnedFd,
    region: &FileRegion,
    copy: &mut Vec<u8>,
) -> io::Result<Sent> {
    let goal = region.len().min(FILE_BYTES_MAX);
    let mut carrier = Carrier::of(region);
    let mut sent = 0u64;
    while sent < goal {
        let (offset, left) = (region.offset() + sent, goal - sent);
        let result = match carrier {
            Carrier::File(source) => source.send(socket, offset, left),
            Carrier::Pipe(source) => source.send(socket, offset, left),
            Carrier::Copy => send_copy(socket, region, offset, left, copy),
        };
        match result {
            Ok(0) => return Err(file_shrank()),
            Ok(n) => sent += n as u64,
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::AGAIN) => return Ok(Sent::Full(sent as usize)),
                // A file or a socket of a kind for which the kernel has no way of its own.
                Some(Errno::INVAL | Errno::NOSYS) if !matches!(carrier, Carrier::Copy) => {
                    carrier = Carrier::Copy;
                }
                _ => return Err(error),
            },
        }
    }
    let sent = sent as usize;
    Ok(if goal < region.len() { Sent::Turn(sent) } else { Sent::Whole(sent) })
}

/// Reads a piece of `region` and sends it; 0 when the source ends there.
fn send_copy(
    socket: &OwnedFd,
    region: &FileRegion,
    offset: u64,
    left: u64,
    copy: &mut Vec<u8>,
) -> io::Result<usize> {
    copy.resize(COPY_BYTES, 0);
    let want = usize::try_from(left).map_or(COPY_BYTES, |left| left.min(COPY_BYTES));
    match region.source().read_at(offset, &mut copy[..want])? {
        0 => Ok(0),
        n => sys::send(socket, &copy[..n]),
    }
}
