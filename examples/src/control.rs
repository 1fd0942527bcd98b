//! A look into the stack of a running server: it listens on a Unix socket, and answers one word per
//! connection with a table. `netstat` and `arp` ask it.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use fyke::prelude::*;
use fyke::stack::tcp::Info;
use fyke::stack::{Line, Neighbor, NeighborState, Stack};
use fyke::transport::userspace::StackHandle;
use fyke::{Address, Server};
use fyke_codecs::frames::Line as LineDecoder;

use crate::icmp::milliseconds;

/// How long a tool waits for the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections that are shown at most: a table of a million helps nobody.
const LINES_MAX: usize = 10_000;

/// Answers questions about a stack on the Unix socket `path`, until the server is dropped.
///
/// # Errors
/// One line for the user.
pub fn serve(path: &Path, stack: StackHandle) -> Result<Server, String> {
    let group = EventLoopGroup::builder().threads(1).name("control").build();
    let group = group.map_err(|e| format!("cannot start the control loop: {e}"))?;
    let server = ServerBootstrap::new(group)
        .child(move |ch| {
            let stack = stack.clone();
            ch.pipeline().decoder("lines", LineDecoder::new().max_line(256)).inbound(
                "answer",
                read_fn(move |cx, line: ByteBuf| {
                    // The stack is on other loops: waiting for them holds up nobody but the tool.
                    cx.write(Outgoing::from(answer(&stack, &line).into_bytes()));
                    cx.close();
                    Ok(())
                }),
            )
        })
        .bind(Address::unix(path));
    server.map_err(|error| format!("cannot listen on {}: {error}", path.display()))
}

/// The table that was asked for, or a line that says why there is none.
fn answer(stack: &StackHandle, question: &[u8]) -> String {
    let table = match question {
        b"netstat" => {
            stack.on_each(|stack, _| connections(stack)).map(|rows| netstat(&rows.concat()))
        }
        b"arp" => stack.on_each(|stack, _| neighbors(stack)).map(|rows| arp(rows.concat())),
        b"counters" => {
            stack.on_each(|stack, _| format!("{:#?}\n", stack.counters())).map(|rows| rows.concat())
        }
        _ => return "error: the questions are netstat, arp and counters\n".to_owned(),
    };
    table.unwrap_or_else(|error| format!("error: {error}\n"))
}

/// A line of the listing, with what the connection knows about its path.
#[derive(Clone)]
struct Row {
    line: Line,
    info: Option<Info>,
}

fn connections(stack: &Stack) -> Vec<Row> {
    let lines = stack.listing().take(LINES_MAX);
    let info = |line: &Line| line.remote.and_then(|remote| stack.info_between(line.local, remote));
    lines.map(|line| Row { line, info: info(&line) }).collect()
}

fn neighbors(stack: &Stack) -> Vec<Neighbor> {
    stack.neighbors().collect()
}

/// The connections as a table.
fn netstat(rows: &[Row]) -> String {
    let mut table = format!(
        "{:<12} {:>7} {:>7}  {:<28} {:<28} {:>9} {:>9} {:>10} {:>10}\n",
        "state", "unread", "unacked", "local", "peer", "cwnd", "ssthresh", "srtt", "rto"
    );
    for Row { line, info } in rows {
        let state = line.state.map_or("LISTEN".to_owned(), |state| state.to_string());
        let peer = line.remote.map_or("*".to_owned(), |remote: SocketAddr| remote.to_string());
        let (unread, unacked) = (line.unread, line.unacknowledged);
        let _ =
            write!(table, "{state:<12} {unread:>7} {unacked:>7}  {:<28} {peer:<28}", line.local);
        if let Some(info) = info {
            let threshold = match info.slow_start_threshold {
                u32::MAX => "-".to_owned(),
                bytes => bytes.to_string(),
            };
            let _ = write!(
                table,
                " {:>9} {threshold:>9} {:>10} {:>10}",
                info.congestion_window,
                info.rtt.map_or("-".to_owned(), milliseconds),
                milliseconds(info.rto),
            );
        }
        table.push('\n');
    }
    if rows.len() == LINES_MAX {
        let _ = writeln!(table, "... there may be more than these {LINES_MAX}");
    }
    table
}

/// The neighbours as a table, each once: loops learn them from the same frames.
#[must_use]
pub fn arp(mut rows: Vec<Neighbor>) -> String {
    rows.sort_by_key(|row| (row.address, row.mac.is_none()));
    rows.dedup_by_key(|row| row.address);
    let mut table = format!("{:<40} {:<18} state\n", "address", "link address");
    for row in &rows {
        let mac = row.mac.map_or("-".to_owned(), |mac| mac.to_string());
        let _ = writeln!(table, "{:<40} {mac:<18} {}", row.address.to_string(), word(row.state));
    }
    table
}

const fn word(state: NeighborState) -> &'static str {
    match state {
        NeighborState::Incomplete => "asked",
        NeighborState::Reachable => "reachable",
        NeighborState::Stale => "stale",
        NeighborState::Delay | NeighborState::Probe => "being checked",
        NeighborState::Failed => "no answer",
        NeighborState::Permanent => "permanent",
        _ => "unknown",
    }
}

/// Asks the server that answers at `path`.
///
/// # Errors
/// One line for the user: nobody answers there, say.
pub fn ask(path: &Path, question: &str) -> Result<String, String> {
    let reached = UnixStream::connect(path).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{question}\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    });
    let at = path.display();
    let answer = reached.map_err(|error| {
        format!("no answer at {at}: {error}; start a server with --transport tap --control {at}")
    })?;
    match answer.strip_prefix("error: ") {
        Some(error) => Err(error.trim_end().to_owned()),
        None => Ok(answer),
    }
}
