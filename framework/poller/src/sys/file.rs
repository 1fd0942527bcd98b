//! From a file to a socket inside the kernel.

use std::io;
use std::os::fd::AsFd;

/// The most that Linux moves in one call.
const BYTES_MAX: u64 = 0x7fff_f000;

/// Sends up to `count` bytes of `file` from `offset` on and returns how many; 0 when the file ends
/// there. The file's own position is neither used nor moved.
///
/// # Errors
/// `WouldBlock` when the socket has no room; `InvalidInput` when the file is of a kind that cannot be
/// sent this way (then read and write it); otherwise what became of file or connection.
pub fn sendfile(socket: impl AsFd, file: impl AsFd, offset: u64, count: u64) -> io::Result<usize> {
    let count = count.min(BYTES_MAX) as usize;
    Ok(rustix::io::retry_on_intr(|| {
        let mut position = offset;
        rustix::fs::sendfile(&socket, &file, Some(&mut position), count)
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_piece_of_a_file_arrives_and_its_end_is_zero() {
        let path = std::env::temp_dir().join(format!("fyke-sendfile-{}", std::process::id()));
        File::create(&path).unwrap().write_all(b"0123456789").unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();

        let (ours, mut theirs) = UnixStream::pair().unwrap();
        assert_eq!(sendfile(&ours, &file, 2, 3).unwrap(), 3);
        assert_eq!(sendfile(&ours, &file, 8, u64::MAX).unwrap(), 2);
        assert_eq!(sendfile(&ours, &file, 10, 5).unwrap(), 0);
        let mut got = [0; 5];
        theirs.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"23489");
    }
}
