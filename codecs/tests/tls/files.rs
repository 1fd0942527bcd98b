//! Pieces of files: read step by step, each when the transport has taken the one before.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fyke_core::{CloseReason, FileRegion, Outgoing, RegionSource};

use crate::support::{carry, open_pair, pattern, received, write};

/// A file that counts what is read of it.
struct File {
    bytes: Vec<u8>,
    read: AtomicU64,
}

impl RegionSource for File {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn file(len: usize) -> Arc<File> {
    Arc::new(File { bytes: pattern(len), read: AtomicU64::new(0) })
}

fn region(file: &Arc<File>, offset: u64, len: u64) -> Outgoing {
    let source: Arc<dyn RegionSource> = Arc::clone(file) as _;
    FileRegion::new(source, offset, len).into()
}

#[test]
fn a_file_arrives_in_its_place() {
    let (mut client, mut server) = open_pair();
    let file = file(1_000_000);
    drop(write(&mut server, "head "));
    let sent = write(&mut server, region(&file, 10, 999_990));
    let behind = write(&mut server, " tail");
    carry(&mut client, &mut server);
    let expected = [b"head ", &file.bytes[10..], b" tail"].concat();
    assert!(received(&mut client) == expected);
    assert!(sent.wait().is_ok() && behind.wait().is_ok());
}

#[test]
fn it_is_read_no_faster_than_the_peer_reads() {
    let (mut client, mut server) = open_pair();
    let file = file(1_000_000);
    server.set_room(Some(0));
    drop(write(&mut server, region(&file, 0, 1_000_000)));
    server.run_pending();
    assert_eq!(file.read.load(Ordering::Relaxed), 64 * 1024);
    server.set_room(Some(100_000));
    assert_eq!(file.read.load(Ordering::Relaxed), 128 * 1024);
    assert!(server.pending_bytes() < 70_000, "{}", server.pending_bytes());
    server.set_room(None);
    carry(&mut client, &mut server);
    assert!(received(&mut client) == file.bytes);
}

#[test]
fn one_that_shrank_ends_the_connection() {
    let (mut client, mut server) = open_pair();
    let file = file(100_000);
    let sent = write(&mut server, region(&file, 0, 200_000));
    server.run_pending();
    assert!(sent.wait().is_err());
    let error = server.take_error().expect("it says why");
    assert!(error.to_string().contains("a file became shorter"), "{error}");
    assert!(!server.is_open());
    // The peer is not told that this was all.
    client.write_inbound(server.read_outbound());
    client.finish_inbound();
    assert!(client.take_error().is_some_and(|error| error.to_string().contains("cut")));
}

#[test]
fn a_close_waits_for_the_file() {
    let (mut client, mut server) = open_pair();
    let file = file(500_000);
    drop(write(&mut server, region(&file, 0, 500_000)));
    server.channel().close();
    server.run_pending();
    carry(&mut client, &mut server);
    assert!(received(&mut client) == file.bytes);
    assert!(client.take_error().is_none());
    assert!(!server.is_open());
}

#[test]
fn but_not_for_a_peer_that_takes_nothing() {
    let (_client, mut server) = open_pair();
    let file = file(500_000);
    server.set_room(Some(200_000));
    drop(write(&mut server, region(&file, 0, 500_000)));
    server.channel().close();
    server.run_pending();
    // It got on at first, so it gets a second time.
    server.advance(Duration::from_secs(30));
    server.advance(Duration::from_secs(31));
    assert!(!server.is_open());
    assert_eq!(server.close_reason(), Some(CloseReason::Local));
}
