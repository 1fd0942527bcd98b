//! What the bytes of a connection go through: nothing, or TLS where a program brings it along (the
//! rivals do; the benches inside the workspace need none).

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::Work;

/// A connection without blocking. A read that fills less than its buffer has found everything.
pub(crate) trait Wire: Read + Write + Sized {
    /// Over a connection that has just been made and still blocks.
    fn open(stream: TcpStream, work: &Work) -> io::Result<Self>;

    /// What is waited for.
    fn source(&mut self) -> &mut mio::net::TcpStream;
}

impl Wire for mio::net::TcpStream {
    fn open(stream: TcpStream, work: &Work) -> io::Result<Self> {
        if work.is_tls() {
            return Err(io::Error::other("this generator speaks no TLS"));
        }
        stream.set_nonblocking(true)?;
        Ok(Self::from_std(stream))
    }

    fn source(&mut self) -> &mut mio::net::TcpStream {
        self
    }
}
