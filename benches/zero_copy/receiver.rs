//! Who receives the files: the same program, started again.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;

use rustix::net::RecvFlags;

use crate::cpu;

/// The word on the command line that makes a program the receiver; its address and the length follow.
const ROLE: &str = "--receiver";

/// At most so much is asked for at once.
const PIECE_BYTES: usize = 1 << 20;

/// Whether this process was started to receive. If so, it does until the sender ends.
pub(crate) fn is_receiver() -> bool {
    let args: Vec<String> = std::env::args().collect();
    let [_, role, address, bytes, ..] = &args[..] else { return false };
    if role != ROLE {
        return false;
    }
    let result = bytes.parse().map_err(io::Error::other).and_then(|bytes| {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        receive(stream, bytes)
    });
    if let Err(error) = result {
        eprintln!("the receiver: {error}");
    }
    true
}

/// Throws away `bytes` again and again, and says so with a byte each time.
fn receive(mut stream: TcpStream, bytes: u64) -> io::Result<()> {
    // The kernel does not write into it with MSG_TRUNC, but asks for its length.
    let mut nowhere = vec![0; PIECE_BYTES];
    loop {
        let mut left = bytes;
        while left > 0 {
            let want = left.min(PIECE_BYTES as u64) as usize;
            let (_, n) = rustix::net::recv(&stream, &mut nowhere[..want], RecvFlags::TRUNC)?;
            if n == 0 {
                return Ok(());
            }
            left -= n as u64;
        }
        stream.write_all(&[1])?;
    }
}

/// The receiver, seen from the sender. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Receiver(Child);

impl Receiver {
    /// Starts one on processor `cpu` that connects to `address` and receives files of `bytes`.
    pub(crate) fn start(cpu: usize, address: SocketAddr, bytes: u64) -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = cpu::pinned(cpu, &program.to_string_lossy());
        command.args([ROLE, &address.to_string(), &bytes.to_string()]).spawn().map(Self)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
