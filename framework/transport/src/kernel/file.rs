//! Regions of files: read where they must be, and left to `sendfile` where they can be.

use fyke_core::{FileRegion, RegionSource};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A file as the source of [`FileRegion`]s. The kernel transport sends it without a copy.
///
/// A file on a slow disk stops the loop while it is read. A file that changes meanwhile is sent as it
/// is when its bytes leave, also those that were taken already. If it becomes shorter than the region
/// the connection fails, as the bytes that were promised to the peer do not exist.
#[derive(Debug)]
pub struct FileSource {
    file: File,
}

impl FileSource {
    /// Takes the file; its position does not matter.
    #[must_use]
    pub fn new(file: File) -> Arc<Self> {
        Arc::new(Self { file })
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
