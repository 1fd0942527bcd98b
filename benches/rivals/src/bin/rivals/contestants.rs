//! Who takes part, where their programs are, how they are built and started.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Row;
use crate::load::cpu;

/// A server that does not listen after this has failed.
const START_MAX: Duration = Duration::from_secs(10);

/// Contestants under the same load.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Row>,
    pub(crate) contestants: Vec<Contestant>,
    /// One server at a time, because an idle one does not sleep.
    pub(crate) alone: bool,
}

/// A server by its command line, in which `@` stands for the port.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    program: PathBuf,
    args: Vec<&'static str>,
}

/// A server that is up. Dropped, it ends.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Contestant {
    fn new(name: &'static str, program: PathBuf, args: &[&'static str]) -> Self {
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
        let running = Running { child, address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
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

/// Where programs are.
pub(crate) struct Places {
    /// This crate.
    crate_folder: PathBuf,
    /// The rivals, beside this program.
    rivals: PathBuf,
    /// fyke's examples.
    fyke: PathBuf,
    /// Where fyke's own benches note things.
    notes: PathBuf,
}

impl Places {
    /// `FYKE` names the folder of fyke's built examples, when it is not where cargo puts them.
    pub(crate) fn find() -> io::Result<Self> {
        let crate_folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let program = std::env::current_exe()?;
        let rivals = program.parent().unwrap_or(Path::new(".")).to_path_buf();
        let target = crate_folder.join("../../target");
        let fyke = std::env::var_os("FYKE").map(PathBuf::from);
        let fyke = fyke.unwrap_or_else(|| target.join("release/examples"));
        let target = std::env::var_os("FYKE_TARGET").map_or(target, PathBuf::from);
        Ok(Self { crate_folder, rivals, fyke, notes: target.join("fyke-bench") })
    }

    /// Builds the rivals, the C loops and fyke's examples (these as they would be deployed: with the
    /// profile `bench`).
    pub(crate) fn build(&self) -> io::Result<()> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let root = self.crate_folder.join("../..");
        // Cargo may run this with a target folder of its own in mind, which is not fyke's.
        let mut rivals = Command::new(&cargo);
        rivals.args(["build", "--release", "--bins"]).current_dir(&self.crate_folder);
        done(&mut rivals)?;
        if std::env::var_os("FYKE").is_none() {
            let mut fyke = Command::new(&cargo);
            fyke.args(["build", "--profile", "bench", "-p", "fyke-examples", "--examples"]);
            done(fyke.current_dir(root).env_remove("CARGO_TARGET_DIR"))?;
        }
        for name in ["echo", "http", "ws"] {
            let source = self.crate_folder.join(format!("c/{name}.c"));
            let mut cc = Command::new("cc");
            cc.args(["-O3", "-march=native", "-o"]).arg(self.c(name)).arg(source);
            done(&mut cc)?;
        }
        Ok(())
    }

    fn c(&self, name: &str) -> PathBuf {
        self.rivals.join(format!("c-{name}"))
    }

    /// Leaves the tables where fyke's report finds them.
    pub(crate) fn keep(&self, text: &str) -> io::Result<()> {
        fs::create_dir_all(&self.notes)?;
        fs::write(self.notes.join("rivals.md"), text)
    }
}

fn done(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?}: {status}"))) }
}

/// All suites.
pub(crate) fn suites(places: &Places) -> Vec<Suite> {
    let c = |name| Contestant::new("c", places.c(name), &["@"]);
    let rival = |name, program: &str, args: &[&'static str]| {
        Contestant::new(name, places.rivals.join(program), args)
    };
    let listen = ["--listen", "127.0.0.1:@", "--threads", "1"];
    let fyke = |name, program: &str, more: &[&'static str]| {
        Contestant::new(name, places.fyke.join(program), &[&listen, more].concat())
    };
    let echo = [(64, 1), (64, 64), (64, 1000), (1024, 64), (16 * 1024, 64), (16 * 1024, 1000)];
    let row = |protocol, size, depth, connections| Row { protocol, size, depth, connections };
    vec![
        Suite {
            name: "echo",
            rows: echo.map(|(size, connections)| row("echo", size, 1, connections)).to_vec(),
            contestants: vec![
                c("echo"),
                fyke("fyke", "echo", &[]),
                fyke("fyke-et", "echo", &["--poller", "epoll-et"]),
                rival("tokio", "echo-tokio", &["@"]),
                rival("monoio-epoll", "echo-monoio", &["@", "epoll"]),
                rival("monoio-uring", "echo-monoio", &["@", "uring"]),
            ],
            alone: false,
        },
        Suite {
            name: "http",
            rows: [1, 16].map(|depth| row("http", 0, depth, 64)).to_vec(),
            contestants: vec![
                c("http"),
                fyke("fyke", "http", &[]),
                rival("hyper", "http-hyper", &["@"]),
                rival("may_minihttp", "http-may", &["@"]),
                rival("ntex", "http-ntex", &["@"]),
            ],
            alone: false,
        },
        Suite {
            name: "ws",
            rows: [(125, 1), (16 * 1024, 1), (125, 16)]
                .map(|(size, depth)| row("ws", size, depth, 64))
                .to_vec(),
            contestants: vec![
                c("ws"),
                fyke("fyke", "ws-echo", &[]),
                rival("fastwebsockets", "ws-fastwebsockets", &["@"]),
                rival("tungstenite", "ws-tungstenite", &["@"]),
            ],
            alone: false,
        },
        Suite {
            name: "spin",
            rows: vec![row("echo", 64, 1, 1)],
            contestants: vec![
                Contestant::new("c", places.c("echo"), &["@", "spin"]),
                Contestant::new("c-sleeping", places.c("echo"), &["@"]),
                fyke("fyke-spinning", "echo", &["--busy-poll", "1ms"]),
                fyke("fyke-50us", "echo", &["--busy-poll", "50us"]),
                fyke("fyke", "echo", &[]),
            ],
            alone: true,
        },
    ]
}
