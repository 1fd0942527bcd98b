//! The in-memory transport, driven through the waist.

mod local_support;

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use fyke_core::transport::{CloseMode, Wrote};
use fyke_core::{Datagram, FileRegion, Outgoing, RegionSource};
use fyke_transport::local::{Local, LocalNetwork};

use proptest::collection::vec;
use proptest::prelude::*;

use local_support::scripts::{self, bytes_of};
use local_support::{Node, World, offer, pattern};

fn make(loops: u32, local: Local) -> World {
    World::new((0..loops).map(|id| Node::new(id, local.clone())).collect())
}

#[test]
fn every_script() {
    for (name, script) in scripts::ALL {
        println!("{name}");
        script(&|loops, local| make(loops as u32, local));
    }
}

#[test]
fn between_threads() {
    let local = Local::on(&LocalNetwork::new()).pipe_bytes(2_000);
    scripts::echo_between_threads(&local, Node::new, &pattern(300_000, 8));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn any_interleaving(
        loops in 1u32..3,
        limit in 1usize..5_000,
        steps in vec((any::<bool>(), scripts::step()), 0..60),
    ) {
        let local = Local::on(&LocalNetwork::new()).pipe_bytes(limit);
        scripts::any_interleaving(make(loops, local), limit, &steps);
    }
}

#[test]
fn one_loop_has_one_order_of_events() {
    let log = || {
        let mut world = make(1, Local::on(&LocalNetwork::new()).pipe_bytes(100));
        let (client, server) = world.connection(0, 0);
        world.chans[server].echo = true;
        world.put(client, &pattern(1_000, 0));
        world.end(client);
        world.until("the end", |world| world.chans[client].ended);
        world.log
    };
    let first = log();
    assert!(first.len() > 20, "{first:?}");
    assert_eq!(first, log());
}

#[test]
fn a_reader_is_handed_the_chunk_itself() {
    let mut world = make(1, Local::on(&LocalNetwork::new()));
    let (client, server) = world.connection(0, 0);
    world.chans[server].reading = false; // it reads by hand
    world.set_reading(server, false);
    let (transport, pool) = (world.transport(0), world.pool.clone());
    let (from, to) = (world.chans[client].handle.unwrap(), world.chans[server].handle.unwrap());
    let messages = [Outgoing::from("one "), "two ".into(), "three".into()];
    assert_eq!(offer::write(&transport, from, messages).unwrap(), Wrote::Now(13));
    let before = pool.stats();
    let read = transport.borrow_mut().read(to, 100, &pool);
    assert_eq!(bytes_of(read), (b"one two three".to_vec(), false));
    assert_eq!(pool.stats(), before, "the reader's pool was not asked");
}

#[test]
fn the_smaller_buffer_of_both_ends_counts() {
    let mut world = make(1, Local::on(&LocalNetwork::new()));
    let (listener, address) = world.listen(0, "");
    let options = fyke_core::SocketOptions::new().send_buffer_bytes(Some(10));
    let client = world.dial_with(0, &address, &options);
    let (server, _) = world.accept(listener, 0);
    world.set_reading(server, false);
    world.put(client, &[0; 100]);
    world.settle();
    assert_eq!(world.chans[client].sent, 10);
}

struct Bytes(Vec<u8>);

impl RegionSource for Bytes {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let from = self.0.get(offset as usize..).unwrap_or_default();
        let n = from.len().min(into.len());
        into[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[test]
fn a_file_goes_through_in_parts() {
    let mut world = make(1, Local::on(&LocalNetwork::new()).pipe_bytes(1000));
    let (client, server) = world.connection(0, 0);
    let (transport, from) = (world.transport(0), world.chans[client].handle.unwrap());
    let source = Arc::new(Bytes(pattern(5_000, 9)));
    let mut sent = 0;
    while sent < 5_000 {
        let region =
            FileRegion::new(Arc::<Bytes>::clone(&source), sent as u64, 5_000 - sent as u64);
        match offer::write(&transport, from, [region.into()]).unwrap() {
            Wrote::Now(n) => sent += n,
            Wrote::InFlight => panic!("memory has nothing in flight"),
        }
        if sent < 5_000 {
            world.chans[client].blocked = true;
            world.until("room", |world| !world.chans[client].blocked);
        }
    }
    world.until("the file", |world| world.chans[server].input.len() == 5_000);
    assert_eq!(world.chans[server].input, source.0);

    let shorter = FileRegion::new(source, 4_990, 20);
    assert_eq!(offer::write(&transport, from, [shorter.clone().into()]).unwrap(), Wrote::Now(10));
    world.chans[client].blocked = true;
    world.until("another try", |world| !world.chans[client].blocked);
    let mut rest = shorter;
    rest.advance(10);
    let error = offer::write(&transport, from, [rest.into()]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn an_error_in_a_batch_belongs_to_its_datagram() {
    let mut world = make(1, Local::on(&LocalNetwork::new()));
    let (a, _) = world.endpoint(0, "", None);
    let (b, address) = world.endpoint(0, "", None);
    let (transport, handle) = (world.transport(0), world.chans[a].handle.unwrap());
    let good = || Datagram::to(address.clone(), &b"x"[..]);
    let nowhere = || Datagram::connected(&b"y"[..]);
    let batch = [good(), good(), nowhere(), good()];
    assert_eq!(transport.borrow_mut().send(handle, &batch).unwrap(), 2);
    world.chans[a].blocked = true;
    world.until("another try", |world| !world.chans[a].blocked);
    let error = transport.borrow_mut().send(handle, &batch[2..]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    world.until("both", |world| world.chans[b].letters.len() == 2);
}

#[test]
fn a_dead_handle_answers_with_an_error() {
    let mut world = make(1, Local::on(&LocalNetwork::new()));
    let (client, server) = world.connection(0, 0);
    let (transport, pool) = (world.transport(0), world.pool.clone());
    let handle = world.chans[client].handle.unwrap();
    world.close(client, CloseMode::Orderly);
    let kind = |error: io::Error| error.kind();
    let read = transport.borrow_mut().read(handle, 1, &pool);
    assert_eq!(kind(read.unwrap_err()), io::ErrorKind::NotConnected);
    let write = offer::write(&transport, handle, ["x".into()]);
    assert_eq!(kind(write.unwrap_err()), io::ErrorKind::NotConnected);
    transport.borrow_mut().close(handle, CloseMode::Abort);
    // The wrong kind of handle is an error, too, and does no harm.
    let stream = world.chans[server].handle.unwrap();
    let accept = transport.borrow_mut().accept(stream);
    assert_eq!(kind(accept.unwrap_err()), io::ErrorKind::InvalidInput);
    let mut batch = Vec::new();
    let receive = transport.borrow_mut().receive(stream, &mut batch, &pool);
    assert_eq!(kind(receive.unwrap_err()), io::ErrorKind::InvalidInput);
    assert_eq!(Rc::strong_count(&transport), 3, "the loop's, the world's and ours");
}
