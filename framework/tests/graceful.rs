//! Shutdown under load cuts nothing that is whole: counted by clients over real sockets.
//!
//! Two questions. Under load: is each request that the server has taken answered, whenever the
//! shutdown comes? And where it is known what has come: is each request answered that lay in the
//! system's buffers, read by nobody, when the shutdown began? The verdicts are counts; no clock is
//! asked.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

#[path = "graceful/http.rs"]
mod http;
#[path = "graceful/listeners.rs"]
mod listeners;
#[path = "graceful/websocket.rs"]
mod websocket;

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use fyke::prelude::*;
use fyke::{ChannelInit, IntoStages, ShutdownReport};

/// A guard against a test that hangs.
const HANG: Duration = Duration::from_secs(60);

fn listen<S: IntoStages>(
    group: &EventLoopGroup,
    init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
) -> (Server, SocketAddr) {
    let server = ServerBootstrap::new(group.clone()).child(init).bind("127.0.0.1:0").unwrap();
    let address = server.local_address().as_inet().unwrap();
    (server, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(HANG)).unwrap();
    socket.set_write_timeout(Some(HANG)).unwrap();
    socket
}

/// Waits until the peer's system has everything that was written.
fn delivered(socket: &TcpStream) {
    let SocketAddr::V4(local) = socket.local_addr().unwrap() else { panic!("it is IPv4") };
    let address = u32::from_ne_bytes(local.ip().octets());
    let local = format!("{address:08X}:{:04X}", local.port());
    loop {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let mut rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        // Number, local and remote address, state, tx_queue:rx_queue.
        let row = rows.find(|row| row.get(1) == Some(&&*local)).expect("it is connected");
        if row[4].starts_with("00000000:") {
            return;
        }
        std::thread::yield_now();
    }
}

/// Waits until a counter has come so far.
fn reached(counter: &AtomicU64, count: u64) {
    while counter.load(Ordering::SeqCst) < count {
        std::thread::yield_now();
    }
}

/// Begins to shut the only loop down: the order lies in its inbox when this returns.
fn begin_shutdown(group: &EventLoopGroup) -> mpsc::Receiver<ShutdownReport> {
    let (told, report) = mpsc::channel();
    let order = move |core: &mut fyke::LoopCore| {
        core.shutdown(HANG, move |report| told.send(report).unwrap());
    };
    group.loops()[0].execute(order).unwrap();
    report
}
