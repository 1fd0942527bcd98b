//! What an idle connection costs in user space: 9 000 of them over kernel TCP, their clients in a
//! child process, each byte of the server's heap counted.
#![allow(missing_docs, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fyke::prelude::*;

const CONNECTIONS: usize = 9000;
const DESCRIPTORS_MIN: u64 = 10_000;
const BYTES_MAX: i64 = 1024;

/// Set in the child: where the clients connect to.
const CHILD: &str = "FYKE_IDLE_CLIENTS_OF";
const READY: &str = "every client got its own message back";

/// Allocations of up to so many bytes are counted by their size.
const SIZES: usize = 2048;

/// Counts what is allocated and not freed, by size.
struct Counting;

static BYTES: AtomicI64 = AtomicI64::new(0);
static COUNTS: [AtomicI64; SIZES] = [const { AtomicI64::new(0) }; SIZES];

fn count(size: usize, by: i64) {
    BYTES.fetch_add(by * size as i64, Ordering::Relaxed);
    if let Some(count) = COUNTS.get(size) {
        count.fetch_add(by, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: `block` came from `alloc` above with this layout, thus from the system.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Echo;

impl InboundHandler for Echo {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.write(msg.into());
        Ok(())
    }
}

#[test]
fn nine_thousand_idle_connections_cost_less_than_a_kibibyte_each() {
    let granted = fyke::raise_descriptor_limit().unwrap();
    if granted < DESCRIPTORS_MIN {
        eprintln!("skipped: {granted} descriptors are allowed here, {DESCRIPTORS_MIN} are needed");
        return;
    }
    if let Ok(address) = std::env::var(CHILD) {
        be_the_clients(address.parse().unwrap());
        return;
    }
    let group = EventLoopGroup::new(2).unwrap();
    let server = ServerBootstrap::new(group.clone())
        .child(|ch| ch.pipeline().inbound("echo", Echo))
        .bind("127.0.0.1:0")
        .unwrap();
    // One that is gone again, so that what is made once is there.
    let address = server.local_address().as_inet().unwrap();
    echoed(&mut TcpStream::connect(address).unwrap(), 0);
    until_there_are(&group, 0);
    let (bytes, counts) = (BYTES.load(Ordering::Relaxed), snapshot());

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nine_thousand_idle_connections_cost_less_than_a_kibibyte_each"])
        .arg("--nocapture")
        .env(CHILD, address.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = output.any(|line| line.unwrap().contains(READY));
    assert!(ready, "a client failed");
    until_there_are(&group, CONNECTIONS as u32);

    let used = BYTES.load(Ordering::Relaxed) - bytes;
    let each = used / CONNECTIONS as i64;
    println!("{CONNECTIONS} idle connections: {used} bytes, {each} bytes each, of them");
    report(&counts, used);
    assert!(each < BYTES_MAX, "{each} bytes for an idle connection");

    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let report = server.shutdown(Duration::from_secs(120));
    assert_eq!(report.cut, 0);
}

/// Turns of the loops until they have so many channels; each has ended what it was at.
fn until_there_are(group: &EventLoopGroup, channels: u32) {
    loop {
        let _turned = group.stats();
        if group.loops().iter().map(fyke::LoopHandle::channels).sum::<u32>() == channels {
            break;
        }
        std::thread::yield_now();
    }
    let _turned = group.stats();
}

fn snapshot() -> Vec<i64> {
    COUNTS.iter().map(|count| count.load(Ordering::Relaxed)).collect()
}

/// The sizes that there is one of for each connection, and what is left for tables that grow.
fn report(before: &[i64], used: i64) {
    let mut rest = used;
    for (size, (count, before)) in snapshot().iter().zip(before).enumerate() {
        let more = count - before;
        if more >= CONNECTIONS as i64 / 2 {
            let each = more as f64 / CONNECTIONS as f64;
            println!("  {each:.2} allocations of {size} bytes");
            rest -= more * size as i64;
        }
    }
    println!("  {} bytes in tables", rest / CONNECTIONS as i64);
}

fn echoed(client: &mut TcpStream, number: u64) {
    let message = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    client.write_all(&message).unwrap();
    let mut back = [0; 8];
    client.read_exact(&mut back).unwrap();
    assert_eq!(back, message);
}

/// The child: holds its connections until its input ends.
fn be_the_clients(address: SocketAddr) {
    let mut clients: Vec<TcpStream> =
        (0..CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        echoed(client, number as u64);
    }
    println!("{READY}");
    let mut end = Vec::new();
    std::io::stdin().read_to_end(&mut end).unwrap();
}
