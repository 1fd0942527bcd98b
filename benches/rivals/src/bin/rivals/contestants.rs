//! A contestant: a program that serves, how it is started, and how it ends.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::load::cpu;

/// A server that does not listen after this has failed.
const START_MAX: Duration = Duration::from_secs(10);

/// A server by its command line, in which `@` stands for the port.
#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    program: PathBuf,
    args: Vec<&'static str>,
}

/// A server that is up. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Contestant {
    pub(crate) fn new(name: &'static str, program: PathBuf, args: &[&'static str]) -> Self {
        Self { name, program, args: args.to_vec() }
    }

    /// Whether its program was built.
    pub(crate) fn exists(&self) -> bool {
        let there = self.program.exists();
        if !there {
            eprintln!("{} is left out: {} is not there", self.name, self.program.display());
        }
        there
    }

    /// Starts it on processor 0, and waits until it listens.
    pub(crate) fn start(&self) -> io::Result<Running> {
        // Free a moment ago; nobody else takes ports here.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let args = self.args.iter().map(|arg| arg.replace('@', &port.to_string()));
        let child = cpu::pinned(0, &self.program.to_string_lossy())
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut running = Running { child, address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = running.child.try_wait()? {
                return Err(io::Error::other(format!("{} has ended: {status}", self.name)));
            }
            if began.elapsed() > START_MAX {
                return Err(io::Error::other(format!("{} does not listen", self.name)));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }
}

impl Running {
    /// The server's process; `taskset` has become it.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
