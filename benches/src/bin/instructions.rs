//! Counts the instructions of one message, request or frame with callgrind.
//!
//! `cargo run --release -p fyke-benches --bin instructions [-- NAME... [--keep DIR]]`
//!
//! Unlike time, the count does not depend on what else the machine does. Each piece of work runs twice
//! under valgrind, once for longer; the difference is what one more item costs. With `--keep` the longer
//! run's profile is left in DIR for `callgrind_annotate`.
#![forbid(unsafe_code)]

use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use fyke::ByteBuf;
use fyke::embedded::EmbeddedChannel;
use fyke_benches::work::frames::{FRAMES, echoing, input, passing};
use fyke_benches::work::http;
use fyke_benches::work::http::{BATCH, BROWSER, TOOL, serving};
use fyke_benches::work::kernel::KernelLoop;
use fyke_benches::work::stack::{self, BYTES, Crowd, Incoming, MSS, Outgoing, checked};
use fyke_benches::work::websocket;

/// A name, what one item is, and the work of so many batches, which returns the items of a batch.
type Work = (&'static str, &'static str, fn(batches: usize) -> usize);

const WORKS: &[Work] = &[
    ("sink", "a frame through codec and sink", |batches| frames(&mut passing(0), batches)),
    ("sink16", "the same behind 16 handlers", |batches| frames(&mut passing(16), batches)),
    ("echo", "a frame through codec, echo, codec", |batches| frames(&mut echoing(0), batches)),
    ("http-tool", "a request of a tool, alone in its read", |batches| requests(TOOL, 1, batches)),
    ("http-tool16", "a request of a tool, 16 in a read", |batches| requests(TOOL, BATCH, batches)),
    ("http-browser16", "a request of a browser, 16 in a read", |batches| {
        requests(BROWSER, BATCH, batches)
    }),
    ("ws-echo", "a WebSocket message of 125 B, alone in its read", |batches| {
        messages(125, 1, batches)
    }),
    ("ws-echo16", "a WebSocket message of 125 B, 16 in a read", |batches| {
        messages(125, websocket::BATCH, batches)
    }),
    ("ws-echo-16k", "a WebSocket message of 16 KiB, alone in its read", |batches| {
        messages(16 * 1024, 1, batches)
    }),
    ("echo-kernel", "64 B over a socket, alone in its wait", |batches| {
        sockets(1, batches, KernelLoop::echo)
    }),
    ("echo-kernel64", "64 B over a socket, one of 64 in a wait", |batches| {
        sockets(64, batches, KernelLoop::echo)
    }),
    ("http-kernel64", "a request of a tool over a socket, one of 64 in a wait", |batches| {
        sockets(64, batches, |clients| KernelLoop::new(clients, TOOL.as_bytes(), http::pipeline))
    }),
    ("stack-exchange", "100 B to the own stack, echoed, acknowledged", |batches| {
        let mut crowd = Crowd::new(10, |_| {});
        crowd.fill(10);
        repeat(batches, 10, |n| crowd.exchange(n as u32, &BYTES[..100]))
    }),
    ("stack-in", "a full segment to the own stack, read in turn with 63 more", |batches| {
        let mut incoming = Incoming::new(MSS);
        repeat(batches, 1, |_| {
            let frames = incoming.frames();
            incoming.take(frames, checked(0));
        }) * stack::BATCH as usize
    }),
    ("stack-out", "a full segment from the own stack", |batches| {
        let mut outgoing = Outgoing::new(false);
        repeat(batches, 1, |_| outgoing.give()) * stack::BATCH as usize
    }),
    ("stack-open-close", "a connection to the own stack, opened and closed", |batches| {
        let mut crowd = Crowd::new(1, |_| {});
        repeat(batches, 10, |_| stack::open_close(&mut crowd))
    }),
];

/// Does each of so many things in each batch.
fn repeat(batches: usize, each: usize, mut item: impl FnMut(usize)) -> usize {
    for _ in 0..batches {
        (0..each).for_each(&mut item);
    }
    each
}

fn frames(channel: &mut EmbeddedChannel, batches: usize) -> usize {
    let prepared = input();
    drive(channel, &prepared, batches);
    FRAMES
}

fn requests(request: &str, each: usize, batches: usize) -> usize {
    drive(&mut serving(), &ByteBuf::from(request.repeat(each).as_str()), batches);
    each
}

fn messages(size: usize, each: usize, batches: usize) -> usize {
    drive(&mut websocket::echoing(), &websocket::frames(size, each), batches);
    each
}

fn drive(channel: &mut EmbeddedChannel, prepared: &ByteBuf, batches: usize) {
    for _ in 0..batches {
        channel.write_inbound(ByteBuf::from(prepared.as_slice()));
        black_box(channel.read_outbound());
    }
}

/// What the kernel does is not counted.
fn sockets(
    clients: usize,
    batches: usize,
    serve: impl FnOnce(usize) -> std::io::Result<KernelLoop>,
) -> usize {
    let mut kernel = serve(clients).expect("sockets of the loopback device");
    for _ in 0..batches {
        kernel.exchange().expect("every message is answered");
    }
    clients
}

/// Runs one piece of work under callgrind; returns its instructions and the items of a batch.
fn count(name: &str, batches: usize, keep: Option<&PathBuf>) -> Result<(u64, u64), Box<dyn Error>> {
    let file = keep.map_or_else(|| "/dev/null".into(), |dir| dir.join(format!("callgrind.{name}")));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-instr=yes"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(["--child", name, &batches.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind cannot be run (is it installed?): {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    let collected = collected.ok_or_else(|| format!("valgrind told no count:\n{said}"))?.1;
    let items = String::from_utf8_lossy(&output.stdout);
    Ok((collected.trim().parse()?, items.trim().parse()?))
}

fn report(words: &[String]) -> Result<(), Box<dyn Error>> {
    let (mut names, mut keep) = (Vec::new(), None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--keep" => keep = Some(PathBuf::from(words.next().ok_or("--keep wants a directory")?)),
            name if WORKS.iter().any(|work| work.0 == name) => names.push(name),
            other => {
                let known: Vec<_> = WORKS.iter().map(|work| work.0).collect();
                return Err(format!("{other} is not known; there are {}", known.join(", ")).into());
            }
        }
    }
    for (name, what, _) in WORKS.iter().filter(|work| names.is_empty() || names.contains(&work.0)) {
        let (few, many) = (20, 120);
        let (short, items) = count(name, few, None)?;
        let (long, _) = count(name, many, keep.as_ref())?;
        let one = (long - short) as f64 / ((many - few) as f64 * items as f64);
        println!("{name:16}{one:8.1}  {what}");
    }
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, batches] = words.as_slice()
        && flag == "--child"
    {
        let work = WORKS.iter().find(|work| work.0 == name).expect("a name of the list");
        println!("{}", work.2(batches.parse().expect("a number")));
        return ExitCode::SUCCESS;
    }
    match report(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}
