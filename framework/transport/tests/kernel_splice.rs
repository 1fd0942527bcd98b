//! Bytes that go from one socket to another without entering the program.

mod kernel_support;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use fyke_core::transport::{CloseMode, ReadRegion, Transport};
use fyke_core::{Address, FileRegion};
use kernel_support::{Id, TempDir, World, loopback, noise, on_every_poller};

/// Reads a region of `id` as soon as there is one.
fn region(world: &mut World, id: Id) -> Option<FileRegion> {
    loop {
        let handle = world.handle(id);
        match world.kernel.borrow_mut().read_region(handle, 1 << 20).unwrap() {
            ReadRegion::Region { region, .. } => return Some(region),
            ReadRegion::End => return None,
            ReadRegion::Copy => world.chans[id].readable = false,
        }
        world.until(|world| world.chans[id].readable);
    }
}

/// A channel that nobody reads as bytes, and the far end of its connection.
fn accepted(world: &mut World, address: &Address) -> (Id, Id) {
    let (far, near) = world.pair(address);
    world.chans[near].reading = false;
    (far, near)
}

#[test]
fn regions_arrive_as_they_were_sent_and_the_end_behind_them() {
    let dir = TempDir::new("splice");
    let content = noise(3 << 20);
    for address in [loopback(), Address::unix(dir.path("socket"))] {
        on_every_poller(|world| {
            let (from, near) = accepted(world, &address);
            let (to, other) = world.pair(&address);
            world.send(from, content.clone());
            world.send(other, &b"head"[..]);
            let mut got = 0;
            while got < content.len() {
                let region = region(world, near).unwrap();
                got += region.len() as usize;
                world.send(other, region);
            }
            world.send(other, &b"tail"[..]);
            world.shutdown(from);
            assert!(region(world, near).is_none());
            world.until(|world| world.chans[to].input.len() == content.len() + 8);
            let input = &world.chans[to].input;
            assert_eq!((&input[..4], &input[content.len() + 4..]), (&b"head"[..], &b"tail"[..]));
            assert!(input[4..content.len() + 4] == content[..]);
            assert!(world.kernel.borrow().pipes() <= 16, "pipes are used again");
        });
    }
}

#[test]
fn without_pipes_bytes_are_read_as_others() {
    on_every_poller(|world| {
        world.kernel.borrow_mut().set_pipes_max(1);
        let (from, near) = accepted(world, &loopback());
        let (_to, other) = world.pair(&loopback());
        world.send(from, &b"first"[..]);
        let held = region(world, near).unwrap();
        assert_eq!(held.len(), 5);
        world.send(from, &b"second"[..]);
        world.until(|world| world.chans[near].readable);
        let handle = world.handle(near);
        let answer = world.kernel.borrow_mut().read_region(handle, 100).unwrap();
        assert!(matches!(answer, ReadRegion::Copy), "{answer:?}");
        world.set_reading(near, true);
        world.until(|world| world.chans[near].input == b"second");
        // The pipe is free again when its bytes have gone.
        world.send(other, held);
        world.until(|world| world.chans[other].out.pending() == 0);
        world.chans[near].reading = false;
        world.send(from, &b"third"[..]);
        assert_eq!(region(world, near).unwrap().len(), 5);
    });
}

#[test]
fn a_region_that_is_dropped_takes_its_bytes_and_its_pipe_along() {
    on_every_poller(|world| {
        let (from, near) = accepted(world, &loopback());
        world.send(from, &b"dropped"[..]);
        drop(region(world, near).unwrap());
        assert_eq!(world.kernel.borrow().pipes(), 0);
        world.send(from, &b"kept"[..]);
        let kept = region(world, near).unwrap();
        let mut into = [0; 9];
        assert_eq!(kept.source().read_at(0, &mut into).unwrap(), 4);
        assert_eq!(&into[..4], b"kept");
    });
}

#[test]
fn a_region_can_leave_on_another_transport_and_another_thread() {
    let mut world = World::new(fyke_poller::Backend::EpollLevel);
    let (from, near) = accepted(&mut world, &loopback());
    world.send(from, noise(5000));
    let region = region(&mut world, near).unwrap();
    let got = std::thread::spawn(move || {
        let mut into = vec![0; region.len() as usize];
        let read = region.source().read_at(0, &mut into).unwrap();
        (read, into)
    });
    let (read, into) = got.join().unwrap();
    assert!(read > 0 && into == noise(5000)[..read]);
}

#[test]
fn a_reset_is_an_error() {
    on_every_poller(|world| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Inet(listener.local_addr().unwrap());
        let near = world.connect(&address, &fyke_core::SocketOptions::default());
        let (far, _) = listener.accept().unwrap();
        world.until(|world| world.chans[near].connected);
        world.chans[near].reading = false;
        socket2::SockRef::from(&far).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(far);
        world.until(|world| world.chans[near].readable);
        let handle = world.handle(near);
        let error = world.kernel.borrow_mut().read_region(handle, 100).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        world.close(near, CloseMode::Abort);
    });
}

/// Urgent data stops a splice, so that the kernel says that there is nothing while the level says that
/// there is something: a peer must not be able to keep a loop busy with that.
#[test]
fn urgent_data_does_not_keep_the_loop_awake() {
    on_every_poller(|world| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Inet(listener.local_addr().unwrap());
        let near = world.connect(&address, &fyke_core::SocketOptions::default());
        let (mut far, _): (TcpStream, _) = listener.accept().unwrap();
        world.until(|world| world.chans[near].connected);
        world.chans[near].reading = false;
        socket2::SockRef::from(&far).send_out_of_band(b"!").unwrap();
        far.write_all(b"after it").unwrap();
        let handle = world.handle(near);
        let mut got = 0;
        while got < 8 {
            world.until(|world| world.chans[near].readable);
            let answer = world.kernel.borrow_mut().read_region(handle, 100).unwrap();
            match answer {
                ReadRegion::Region { region, .. } => got += region.len(),
                ReadRegion::End => panic!("it has not ended"),
                // Then a read has the last word, as it has in core.
                ReadRegion::Copy => {
                    world.set_reading(near, true);
                    world.until(|world| !world.chans[near].readable);
                    world.set_reading(near, false);
                    got += std::mem::take(&mut world.chans[near].input).len() as u64;
                }
            }
        }
        world.set_reading(near, true);
        far.set_nonblocking(true).unwrap();
        assert_eq!(far.read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    });
}
