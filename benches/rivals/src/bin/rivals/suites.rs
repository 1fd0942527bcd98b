//! Who takes part in what.

use std::fmt;

use crate::contestants::Contestant;
use crate::places::Places;

/// Contestants under the same load.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Row>,
    pub(crate) contestants: Vec<Contestant>,
    /// Against whom ratios are taken.
    pub(crate) reference: &'static str,
    /// One server at a time, because an idle one does not sleep.
    pub(crate) alone: bool,
}

/// One row of a suite: what is sent over how many connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) protocol: &'static str,
    pub(crate) size: usize,
    pub(crate) depth: usize,
    pub(crate) connections: usize,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.size > 0 {
            write!(f, "{} B, ", self.size)?;
        }
        let plural = if self.connections == 1 { "" } else { "s" };
        write!(f, "{} connection{plural}, {} in flight", self.connections, self.depth)
    }
}

fn row(protocol: &'static str, size: usize, depth: usize, connections: usize) -> Row {
    Row { protocol, size, depth, connections }
}

/// All suites.
pub(crate) fn suites(places: &Places) -> Vec<Suite> {
    vec![echo(places), http(places), ws(places), spin(places), tls(places)]
}

fn c(places: &Places, name: &str) -> Contestant {
    Contestant::new("c", places.c(name), &["@"])
}

fn rival(places: &Places, name: &'static str, program: &str) -> Contestant {
    Contestant::new(name, places.rival(program), &["@"])
}

fn fyke(places: &Places, name: &'static str, program: &str, more: &[&'static str]) -> Contestant {
    let listen = ["--listen", "127.0.0.1:@", "--threads", "1"];
    Contestant::new(name, places.fyke(program), &[&listen, more].concat())
}

fn echo(places: &Places) -> Suite {
    let sizes = [(64, 1), (64, 64), (64, 1000), (1024, 64), (16 * 1024, 64), (16 * 1024, 1000)];
    let monoio = |name, how| Contestant::new(name, places.rival("echo-monoio"), &["@", how]);
    Suite {
        name: "echo",
        rows: sizes.map(|(size, connections)| row("echo", size, 1, connections)).to_vec(),
        contestants: vec![
            c(places, "echo"),
            fyke(places, "fyke", "echo", &[]),
            fyke(places, "fyke-et", "echo", &["--poller", "epoll-et"]),
            rival(places, "tokio", "echo-tokio"),
            monoio("monoio-epoll", "epoll"),
            monoio("monoio-uring", "uring"),
        ],
        reference: "c",
        alone: false,
    }
}

fn http(places: &Places) -> Suite {
    Suite {
        name: "http",
        rows: [1, 16].map(|depth| row("http", 0, depth, 64)).to_vec(),
        contestants: vec![
            c(places, "http"),
            // The others offer no content coding either.
            fyke(places, "fyke", "http", &["--no-compression"]),
            fyke(places, "fyke-compressor", "http", &[]),
            rival(places, "hyper", "http-hyper"),
            rival(places, "may_minihttp", "http-may"),
            rival(places, "ntex", "http-ntex"),
        ],
        reference: "c",
        alone: false,
    }
}

fn ws(places: &Places) -> Suite {
    let sizes = [(125, 1), (16 * 1024, 1), (125, 16)];
    Suite {
        name: "ws",
        rows: sizes.map(|(size, depth)| row("ws", size, depth, 64)).to_vec(),
        contestants: vec![
            c(places, "ws"),
            fyke(places, "fyke", "ws-echo", &[]),
            rival(places, "fastwebsockets", "ws-fastwebsockets"),
            rival(places, "tungstenite", "ws-tungstenite"),
        ],
        reference: "c",
        alone: false,
    }
}

fn spin(places: &Places) -> Suite {
    Suite {
        name: "spin",
        rows: vec![row("echo", 64, 1, 1)],
        contestants: vec![
            Contestant::new("c", places.c("echo"), &["@", "spin"]),
            Contestant::new("c-sleeping", places.c("echo"), &["@"]),
            fyke(places, "fyke-spinning", "echo", &["--busy-poll", "1ms"]),
            fyke(places, "fyke-50us", "echo", &["--busy-poll", "50us"]),
            fyke(places, "fyke", "echo", &[]),
        ],
        reference: "c",
        alone: true,
    }
}

/// Ping-pong, and streams: with so much in flight a connection never waits for its answers.
fn tls(places: &Places) -> Suite {
    let sizes = [(64, 1, 64), (1024, 1, 64), (16 * 1024, 16, 4), (64 * 1024, 4, 4)];
    Suite {
        name: "tls-echo",
        rows: sizes.map(|(size, depth, n)| row("tls-echo", size, depth, n)).to_vec(),
        contestants: vec![
            rival(places, "tokio-rustls", "tls-tokio-rustls"),
            fyke(places, "fyke", "echo", &["--tls-self-signed"]),
        ],
        reference: "tokio-rustls",
        alone: false,
    }
}
