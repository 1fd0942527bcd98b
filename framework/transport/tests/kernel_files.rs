//! Regions of files through the kernel transport, by `sendfile` and by copy.

mod kernel_support;

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

use fyke_core::transport::{CloseMode, Transport};
use fyke_core::{Address, Capabilities, FileRegion, RegionSource};
use fyke_transport::FileSource;
use kernel_support::{TempDir, World, loopback, noise, on_every_poller};

const MIB: usize = 1 << 20;

fn file(dir: &TempDir, content: &[u8]) -> File {
    let path = dir.path("content");
    File::create(&path).unwrap().write_all(content).unwrap();
    File::options().read(true).write(true).open(path).unwrap()
}

fn addresses(dir: &TempDir) -> [Address; 2] {
    [loopback(), Address::unix(dir.path("socket"))]
}

#[test]
fn a_region_arrives_between_bytes() {
    let dir = TempDir::new("region");
    let content = noise(9 * MIB);
    let source = FileSource::new(file(&dir, &content));
    for address in addresses(&dir) {
        on_every_poller(|world| {
            let (client, server) = world.pair(&address);
            world.send(server, &b"head"[..]);
            let len = (content.len() - 20) as u64;
            world.send(server, FileRegion::new(source.clone(), 10, len));
            world.send(server, FileRegion::new(source.clone(), 3, 5));
            world.send(server, &b"tail"[..]);
            let total = content.len() - 20 + 13;
            world.until(|world| world.chans[client].input.len() == total);
            let got = &world.chans[client].input;
            assert_eq!(&got[..4], b"head");
            assert!(got[4..total - 9] == content[10..content.len() - 10]);
            assert_eq!(&got[total - 9..total - 4], &content[3..8]);
            assert_eq!(&got[total - 4..], b"tail");
            assert_eq!(world.chans[server].out.pending(), 0);
        });
    }
}

#[test]
fn a_region_waits_for_a_reader_that_pauses() {
    let dir = TempDir::new("paused-region");
    let content = noise(16 * MIB);
    for address in addresses(&dir) {
        on_every_poller(|world| {
            let (client, server) = world.pair(&address);
            world.set_reading(client, false);
            world.send(server, FileSource::whole(file(&dir, &content)).unwrap());
            world.until(|world| world.chans[server].blocked);
            world.assert_quiet();
            assert!(world.chans[server].out.pending() > 0);
            world.set_reading(client, true);
            world.until(|world| world.chans[client].input.len() == content.len());
            assert!(world.chans[client].input == content);
            assert!(world.chans[server].unblocked > 0);
        });
    }
}

#[test]
fn a_large_region_takes_several_turns() {
    let dir = TempDir::new("large-region");
    let content = noise(2 * MIB + 7);
    let source = FileSource::new(file(&dir, &content));
    let mut world = World::new(fyke_poller::Backend::EpollEdge);
    let options = fyke_core::SocketOptions::default().send_buffer_bytes(Some(64 * MIB));
    let (listener, address) = world.listen(&loopback(), &options);
    let client = world.connect(&address, &options);
    let server = world.accept(listener);
    world.until(|world| world.chans[client].connected);
    let mut offer = kernel_support::Offer::default();
    offer.push(FileRegion::new(source, 0, content.len() as u64));
    let handle = world.handle(server);
    let (first, offered) = offer.write(&world.kernel, handle).unwrap();
    assert!((first as u64) < offered);
    assert!(first <= MIB, "{first} bytes in one turn");
    // The rest is asked for at once, although the socket has room and no edge will come.
    assert!(world.kernel.borrow_mut().next_deadline().is_some() || first < MIB);
    world.chans[server].blocked = true;
    world.chans[server].out = offer;
    world.until(|world| world.chans[client].input.len() == content.len());
    assert!(world.chans[client].input == content);
}

#[test]
fn a_file_that_shrinks_fails_its_connection_only() {
    let dir = TempDir::new("shrinking");
    let content = noise(16 * MIB);
    on_every_poller(|world| {
        let (client, server) = world.tcp_pair();
        let (other_client, other) = world.tcp_pair();
        world.set_reading(client, false);
        let file = file(&dir, &content);
        let shrinking = file.try_clone().unwrap();
        world.send(server, FileSource::whole(file).unwrap());
        world.until(|world| world.chans[server].blocked);
        shrinking.set_len(1000).unwrap();
        world.set_reading(client, true);
        world.until(|world| !world.chans[server].log.is_empty());
        assert_eq!(world.chans[server].log, ["write: UnexpectedEof"]);
        // Pages on their way are the file's own, so the cut may show in what was sent before.
        assert_eq!(world.chans[client].input[..1000], content[..1000]);
        world.send(other, &b"fine"[..]);
        world.until(|world| world.chans[other_client].input == b"fine");
    });
}

/// A source that is no file.
struct Pattern;

impl RegionSource for Pattern {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        for (at, byte) in into.iter_mut().enumerate() {
            *byte = (offset + at as u64) as u8;
        }
        Ok(into.len())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[test]
fn a_source_that_is_no_file_is_copied() {
    on_every_poller(|world| {
        let (client, server) = world.tcp_pair();
        world.send(server, &b"head"[..]);
        world.send(server, FileRegion::new(Arc::new(Pattern), 5, 8 * MIB as u64));
        world.send(server, &b"tail"[..]);
        world.until(|world| world.chans[client].input.len() == 8 * MIB + 8);
        let got = &world.chans[client].input;
        assert_eq!((&got[..4], &got[8 * MIB + 4..]), (&b"head"[..], &b"tail"[..]));
        let right = |(at, &byte): (usize, &u8)| byte == (at + 5) as u8;
        assert!(got[4..8 * MIB + 4].iter().enumerate().all(right));
    });
}

/// A file of holes with a few bytes far inside.
fn sparse(dir: &TempDir, at: u64, content: &[u8]) -> File {
    use std::os::unix::fs::FileExt;

    let path = dir.path("sparse");
    let file =
        File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap();
    file.write_all_at(content, at).unwrap();
    file
}

#[test]
fn a_region_far_behind_two_gibibytes_arrives() {
    let dir = TempDir::new("sparse-region");
    let content = noise(300_000);
    let far = (5 << 30) + 123;
    for address in addresses(&dir) {
        on_every_poller(|world| {
            let (client, server) = world.pair(&address);
            let source = FileSource::new(sparse(&dir, far, &content));
            world.send(server, FileRegion::new(source, far - 5, content.len() as u64 + 5));
            world.send(server, &b"tail"[..]);
            world.until(|world| world.chans[client].input.len() == content.len() + 9);
            let got = &world.chans[client].input;
            assert_eq!(got[..5], [0; 5]);
            assert!(got[5..content.len() + 5] == content[..]);
            assert_eq!(&got[content.len() + 5..], b"tail");
        });
    }
}

#[test]
fn an_offset_that_no_file_has_is_an_error() {
    let dir = TempDir::new("far-region");
    on_every_poller(|world| {
        let (_client, server) = world.tcp_pair();
        let source = FileSource::new(file(&dir, b"0123456789"));
        world.send(server, FileRegion::new(source, u64::MAX - 100, 100));
        world.until(|world| !world.chans[server].log.is_empty());
        assert_eq!(world.chans[server].log, ["write: InvalidInput"]);
    });
}

#[test]
fn a_mapped_file_arrives_between_bytes() {
    let dir = TempDir::new("mapped-region");
    let content = noise(3 * MIB + 100);
    for address in addresses(&dir) {
        on_every_poller(|world| {
            let (client, server) = world.pair(&address);
            let source = FileSource::mapped(file(&dir, &content)).unwrap();
            assert!(source.is_mapped());
            world.send(server, &b"head"[..]);
            world.send(server, FileRegion::new(source, 3, content.len() as u64 - 3));
            world.send(server, &b"tail"[..]);
            world.until(|world| world.chans[client].input.len() == content.len() + 5);
            let got = &world.chans[client].input;
            assert_eq!((&got[..4], &got[content.len() + 1..]), (&b"head"[..], &b"tail"[..]));
            assert!(got[4..content.len() + 1] == content[3..]);
        });
    }
}

#[test]
fn what_a_mapped_file_gained_later_is_sent_too() {
    let dir = TempDir::new("grown-region");
    on_every_poller(|world| {
        let (client, server) = world.tcp_pair();
        let file = file(&dir, &[1; 10]);
        let source = FileSource::mapped(file.try_clone().unwrap()).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[2; 20], 10).unwrap();
        world.send(server, FileRegion::new(source, 5, 20));
        world.until(|world| world.chans[client].input.len() == 20);
        assert_eq!(world.chans[client].input, [[1; 5].as_slice(), &[2; 15]].concat());
    });
}

#[test]
fn a_mapped_file_that_shrinks_sends_no_zeros_in_place_of_its_bytes() {
    let dir = TempDir::new("mapped-shrinking");
    let content = vec![7; 16 * MIB];
    on_every_poller(|world| {
        let (client, server) = world.tcp_pair();
        world.set_reading(client, false);
        let file = file(&dir, &content);
        let shrinking = file.try_clone().unwrap();
        let source = FileSource::mapped(file).unwrap();
        world.send(server, FileRegion::new(source, 0, content.len() as u64));
        world.until(|world| world.chans[server].blocked);
        // In the middle of a page.
        shrinking.set_len(9 * MIB as u64 + 100).unwrap();
        world.set_reading(client, true);
        world.until(|world| !world.chans[server].log.is_empty());
        assert_eq!(world.chans[server].log, ["write: UnexpectedEof"]);
        world.close(server, CloseMode::Orderly);
        world.until(|world| world.chans[client].ended);
        // What was taken before was copied by the kernel, so none of it can change.
        let got = &world.chans[client].input;
        assert!(got.len() <= 9 * MIB + 100 && got.iter().all(|&byte| byte == 7));
    });
}

#[test]
fn a_transport_says_what_it_can() {
    let dir = TempDir::new("capabilities");
    let all = Capabilities::new().send_file(true).splice(true).mapped_file(true);
    let [tcp, unix] = addresses(&dir);
    on_every_poller(|world| {
        for (address, expected) in [(&tcp, all.zero_copy(true)), (&unix, all)] {
            let (client, server) = world.pair(address);
            for id in [client, server] {
                let handle = world.handle(id);
                assert_eq!(world.kernel.borrow().capabilities(handle), expected);
                world.close(id, CloseMode::Orderly);
                assert_eq!(world.kernel.borrow().capabilities(handle), Capabilities::new());
            }
        }
    });
}

#[test]
fn a_source_reads_to_its_end_and_not_beyond() {
    let dir = TempDir::new("source");
    let source = FileSource::new(file(&dir, b"0123456789"));
    let mut into = [0; 8];
    assert_eq!(source.read_at(1, &mut into).unwrap(), 8);
    assert_eq!(&into, b"12345678");
    assert_eq!(source.read_at(7, &mut into).unwrap(), 3);
    assert_eq!(source.read_at(10, &mut into).unwrap(), 0);
    let missing = FileSource::whole(File::open(dir.dir()).unwrap());
    if let Ok(region) = missing {
        let error = region.source().read_at(0, &mut into).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IsADirectory);
    }
}
