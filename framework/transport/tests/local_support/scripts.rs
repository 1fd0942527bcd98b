//! What must hold on every in-memory transport, however late and in however small parts it
//! answers. Each script is given a maker of worlds.

use std::io;

use fyke_core::transport::{CloseMode, Read};
use fyke_core::{Address, Datagram, SocketOptions};
use fyke_transport::local::{Local, LocalNetwork};

use proptest::prelude::*;

use super::{Node, World, pattern};

/// Makes a world of so many loops on transports made from `Local`.
pub(crate) type Make<'a> = &'a dyn Fn(usize, Local) -> World;

/// A script and its name.
pub(crate) type Script = (&'static str, fn(Make<'_>));

pub(crate) const ALL: &[Script] = &[
    ("echo in one loop", echo_in_one_loop),
    ("echo between loops", echo_between_loops),
    ("both at once", both_at_once),
    ("names", names),
    ("refused", refused),
    ("backlog", backlog),
    ("paused listener", paused_listener),
    ("greeting", greeting),
    ("half close", half_close),
    ("paused", paused),
    ("abort", abort),
    ("orderly close", orderly_close),
    ("closed listener", closed_listener),
    ("gone loop", gone_loop),
    ("datagrams", datagrams),
    ("connected datagrams", connected_datagrams),
    ("paused datagrams", paused_datagrams),
];

fn on_new() -> (LocalNetwork, Local) {
    let network = LocalNetwork::new();
    let local = Local::on(&network);
    (network, local)
}

fn echo(world: &mut World, a: usize, b: usize, bytes: &[u8]) {
    let (client, server) = world.connection(a, b);
    world.chans[server].echo = true;
    world.put(client, bytes);
    world.end(client);
    world.until("the end of the echo", |world| world.chans[client].ended);
    assert_eq!(world.chans[client].input, bytes);
    assert_eq!(world.chans[server].input, bytes);
    let told = |world: &World, id: usize| world.chans[id].peer_closed;
    world.until("both notices of the end", |world| told(world, client) && told(world, server));
    world.close(client, CloseMode::Orderly);
    world.close(server, CloseMode::Orderly);
    world.settle();
}

pub(crate) fn echo_in_one_loop(make: Make<'_>) {
    let mut world = make(1, on_new().1.pipe_bytes(1000));
    echo(&mut world, 0, 0, &pattern(6_000, 1));
}

pub(crate) fn echo_between_loops(make: Make<'_>) {
    let mut world = make(2, on_new().1);
    echo(&mut world, 0, 1, &pattern(5_000, 2));
}

pub(crate) fn both_at_once(make: Make<'_>) {
    let mut world = make(2, on_new().1.pipe_bytes(300));
    let (a, b) = world.connection(0, 1);
    world.chans[b].want = 70;
    world.put(a, &pattern(3_000, 3));
    world.put(b, &pattern(2_000, 4));
    world.end(a);
    world.end(b);
    world.until("both ends", |world| world.chans[a].ended && world.chans[b].ended);
    assert_eq!(world.chans[b].input, pattern(3_000, 3));
    assert_eq!(world.chans[a].input, pattern(2_000, 4));
}

pub(crate) fn names(make: Make<'_>) {
    let (network, local) = on_new();
    let mut world = make(1, local);
    let (listener, address) = world.listen(0, "hut");
    assert_eq!(address, Address::local("hut"));
    let (key, transport) = (world.vacant(0).1, world.transport(0));
    let options = SocketOptions::new();
    let taken = transport.borrow_mut().listen(key, &address, &options).unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    assert_eq!(network.stats().listeners, 1);

    let options = options.local_address(Some(Address::local("guest")));
    let client = world.dial_with(0, &address, &options);
    let (server, peer) = world.accept(listener, 0);
    assert_eq!(peer, Address::local("guest"));
    let of = |id: usize| transport.borrow().local_address(world.chans[id].handle.unwrap());
    assert_eq!(of(client).unwrap(), peer);
    assert_eq!(of(server).unwrap(), address);
    assert_eq!(of(listener).unwrap(), address);

    world.close(listener, CloseMode::Orderly);
    assert_eq!(network.stats().listeners, 0);
    assert_eq!(world.listen(0, "hut").1, address, "the name is free again");
    let (one, two) = (world.listen(0, "").1, world.listen(0, "").1);
    assert!(one != two && matches!(&one, Address::Local(name) if !name.is_empty()));
}

pub(crate) fn refused(make: Make<'_>) {
    let (network, local) = on_new();
    let mut world = make(1, local);
    let client = world.dial(0, &Address::local("nobody"));
    world.until("a refusal", |world| world.chans[client].connected.is_some());
    assert_eq!(world.chans[client].connected, Some(Err(io::ErrorKind::ConnectionRefused)));
    assert_eq!(network.stats().connections_refused, 1);
    world.close(client, CloseMode::Abort);

    // Closed before it is told: then nothing is told.
    let client = world.dial(0, &Address::local("nobody"));
    world.close(client, CloseMode::Abort);
    world.settle();
    assert_eq!(world.chans[client].connected, None);

    let inet = Address::Inet(([127, 0, 0, 1], 1).into());
    let (key, transport) = (world.vacant(0).1, world.transport(0));
    let error = transport.borrow_mut().connect(key, &inet, &SocketOptions::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    let options = SocketOptions::new().ttl(Some(3));
    let error = transport.borrow_mut().listen(key, &Address::local("x"), &options).unwrap_err();
    assert!(error.to_string().contains("`ttl`"), "{error}");
}

pub(crate) fn backlog(make: Make<'_>) {
    let mut world = make(2, on_new().1);
    let (listener, key) = world.vacant(0);
    let options = SocketOptions::new().backlog(2);
    let listened =
        world.transport(0).borrow_mut().listen(key, &Address::local("small"), &options).unwrap();
    world.chans[listener].handle = Some(listened.0);
    let clients: Vec<_> = (0..3).map(|_| world.dial(1, &listened.1)).collect();
    world.until("three answers", |w| clients.iter().all(|&c| w.chans[c].connected.is_some()));
    let answers = clients.iter().map(|&c| world.chans[c].connected.unwrap());
    let refused = Err(io::ErrorKind::ConnectionRefused);
    assert_eq!(answers.collect::<Vec<_>>(), [Ok(()), Ok(()), refused]);
    // One is accepted, so there is room for another one.
    let (server, _) = world.accept(listener, 0);
    let late = world.dial(1, &listened.1);
    world.until("an answer", |world| world.chans[late].connected == Some(Ok(())));
    world.put(clients[0], b"first in line");
    world.until("the bytes", |world| world.chans[server].input == b"first in line");
}

pub(crate) fn paused_listener(make: Make<'_>) {
    let mut world = make(2, on_new().1);
    let (listener, address) = world.listen(0, "");
    world.set_reading(listener, false);
    let clients = [world.dial(1, &address), world.dial(1, &address)];
    world.settle();
    assert!(clients.iter().all(|&client| world.chans[client].connected == Some(Ok(()))));
    world.set_reading(listener, true);
    let _ = world.accept(listener, 0);
    // Paused with one still waiting.
    world.set_reading(listener, false);
    world.chans[listener].acceptable = false;
    world.settle();
    world.set_reading(listener, true);
    let _ = world.accept(listener, 0);
}

/// The server speaks first, before the client knows that it is connected.
pub(crate) fn greeting(make: Make<'_>) {
    let mut world = make(2, on_new().1);
    let (listener, address) = world.listen(0, "");
    let client = world.dial(1, &address);
    let (server, _) = world.accept(listener, 0);
    world.put(server, b"hello");
    world.end(server);
    world.pump(server);
    world.until("the greeting", |world| world.chans[client].ended);
    assert_eq!(world.chans[client].input, b"hello");
}

pub(crate) fn half_close(make: Make<'_>) {
    let mut world = make(2, on_new().1.pipe_bytes(100));
    let (client, server) = world.connection(0, 1);
    world.put(client, b"question");
    world.end(client);
    world.until("the question", |world| world.chans[server].ended);
    assert_eq!(world.chans[server].input, b"question");
    let answer = pattern(1_000, 5);
    world.put(server, &answer);
    world.end(server);
    world.until("the answer", |world| world.chans[client].ended);
    assert_eq!(world.chans[client].input, answer);
}

pub(crate) fn paused(make: Make<'_>) {
    let mut world = make(1, on_new().1.pipe_bytes(50));
    let (client, server) = world.connection(0, 0);
    world.set_reading(server, false);
    world.put(client, &pattern(500, 6));
    world.settle();
    assert!(world.chans[server].input.is_empty());
    assert_eq!(world.chans[client].sent, 50, "the pipe is full, and no more is taken");
    world.set_reading(server, true);
    world.until("the bytes", |world| world.chans[server].input.len() >= 200);
    world.set_reading(server, false);
    world.set_reading(server, true);
    world.until("all bytes", |world| world.chans[server].input.len() == 500);

    world.set_reading(server, false);
    world.put(client, b"last words");
    world.end(client);
    world.until("the peer's end while paused", |world| world.chans[server].peer_closed);
    world.settle();
    assert_eq!(world.chans[server].input, pattern(500, 6));
    world.set_reading(server, true);
    world.until("the end", |world| world.chans[server].ended);
    assert!(world.chans[server].input.ends_with(b"last words"));
}

pub(crate) fn abort(make: Make<'_>) {
    for paused in [false, true] {
        let mut world = make(2, on_new().1);
        let (client, server) = world.connection(0, 1);
        world.set_reading(server, !paused);
        world.put(client, b"unread");
        world.until("written", |world| world.chans[client].sent == 6);
        world.close(client, CloseMode::Abort);
        world.until("the reset", |world| world.chans[server].failed.is_some());
        assert_eq!(world.chans[server].failed, Some(io::ErrorKind::ConnectionReset));
        world.close(server, CloseMode::Abort);
        world.settle();
    }
}

pub(crate) fn orderly_close(make: Make<'_>) {
    let mut world = make(2, on_new().1.pipe_bytes(20));
    let (client, server) = world.connection(0, 1);
    // Nobody reads this; it must not destroy what comes the other way.
    world.set_reading(client, false);
    world.put(server, &pattern(100, 7));
    world.put(client, b"the last answer");
    world.until("written", |world| world.chans[client].sent == 15);
    world.until("a full pipe", |world| world.chans[server].sent == 20);
    world.set_reading(server, false);
    world.close(client, CloseMode::Orderly);
    world.until("a broken pipe", |world| world.chans[server].failed.is_some());
    assert_eq!(world.chans[server].failed.take(), Some(io::ErrorKind::BrokenPipe));
    world.chans[server].output.truncate(20);
    world.set_reading(server, true);
    world.until("the end", |world| world.chans[server].ended);
    assert_eq!(world.chans[server].input, b"the last answer");
    world.until("the notice of the end", |world| world.chans[server].peer_closed);
}

pub(crate) fn closed_listener(make: Make<'_>) {
    let mut world = make(1, on_new().1);
    let (listener, address) = world.listen(0, "");
    let client = world.dial(0, &address);
    world.until("connected", |world| world.chans[client].connected == Some(Ok(())));
    world.close(listener, CloseMode::Orderly);
    world.until("the reset", |world| world.chans[client].failed.is_some());
    assert_eq!(world.chans[client].failed, Some(io::ErrorKind::ConnectionReset));
}

pub(crate) fn gone_loop(make: Make<'_>) {
    let (network, local) = on_new();
    let mut world = make(2, local);
    let (client, _) = world.connection(0, 1);
    let _ = world.listen(1, "gone");
    let _ = world.endpoint(1, "gone", None);
    for chan in world.chans.iter_mut().filter(|chan| chan.node == 1) {
        chan.handle = None;
    }
    drop(world.nodes.pop());
    assert_eq!((network.stats().listeners, network.stats().endpoints), (0, 0));
    world.until("the reset", |world| world.chans[client].failed.is_some());
}

pub(crate) fn datagrams(make: Make<'_>) {
    let (network, local) = on_new();
    let mut world = make(2, local.mailbox_datagrams(1000));
    let (a, a_address) = world.endpoint(0, "", None);
    let options = SocketOptions::new().datagram_bytes_max(100);
    let (b, b_address) = world.endpoint_with(1, "b", None, &options);
    assert_eq!(network.stats().endpoints, 2);
    let letters: Vec<_> = (0..120u8).map(|i| pattern(usize::from(i), i)).collect();
    let to_b = |bytes: &Vec<u8>| Datagram::to(b_address.clone(), &bytes[..]);
    world.send(a, letters.iter().map(to_b).collect());
    world.until("all letters", |world| world.chans[b].letters.len() == letters.len());
    for (sent, (from, received, truncated)) in letters.iter().zip(&world.chans[b].letters) {
        assert_eq!(from, &a_address);
        assert_eq!(received[..], sent[..sent.len().min(100)]);
        assert_eq!(*truncated, sent.len() > 100);
    }
    assert_eq!(network.stats().datagrams_cut, 19);
    world.send(b, vec![Datagram::to(a_address, &b"answer"[..])]);
    world.until("an answer", |world| world.chans[a].letters.len() == 1);
    world.send(b, vec![Datagram::to(Address::local("nobody"), &b"?"[..])]);
    assert_eq!(network.stats().datagrams_unwanted, 1);
    world.close(b, CloseMode::Orderly);
    assert_eq!(network.stats().endpoints, 1);
    world.settle();
}

pub(crate) fn connected_datagrams(make: Make<'_>) {
    let (network, local) = on_new();
    let mut world = make(1, local);
    let (server, address) = world.endpoint(0, "server", None);
    let (client, from) = world.endpoint(0, "", Some(&address));
    let (stranger, _) = world.endpoint(0, "", None);
    world.send(client, vec![Datagram::connected(&b"to the peer"[..])]);
    world.send(stranger, vec![Datagram::to(from.clone(), &b"unwanted"[..])]);
    world.until("a letter", |world| world.chans[server].letters.len() == 1);
    assert_eq!(world.chans[server].letters[0].0, from);
    world.send(server, vec![Datagram::to(from, &b"back"[..])]);
    world.until("a letter", |world| world.chans[client].letters.len() == 1);
    assert_eq!(world.chans[client].letters[0].1, b"back");
    assert_eq!(network.stats().datagrams_unwanted, 1);
}

pub(crate) fn paused_datagrams(make: Make<'_>) {
    let (network, local) = on_new();
    let mut world = make(2, local.mailbox_datagrams(5));
    let (a, _) = world.endpoint(0, "", None);
    let (b, address) = world.endpoint(1, "", None);
    world.set_reading(b, false);
    let flood = (0..50u8).map(|i| Datagram::to(address.clone(), &[i][..])).collect();
    world.send(a, flood);
    world.settle();
    assert!(world.chans[b].letters.is_empty());
    assert_eq!(network.stats().datagrams_dropped, 45);
    world.set_reading(b, true);
    world.until("what fitted", |world| world.chans[b].letters.len() == 5);
    // Paused in the middle: the transport may have taken some out of the mailbox already.
    world.send(a, (50..55u8).map(|i| Datagram::to(address.clone(), &[i][..])).collect());
    world.until("some more", |world| world.chans[b].letters.len() > 5);
    world.set_reading(b, false);
    world.settle();
    world.set_reading(b, true);
    world.until("the others", |world| world.chans[b].letters.len() == 10);
    let received: Vec<u8> = world.chans[b].letters.iter().map(|letter| letter.1[0]).collect();
    assert_eq!(received, [0, 1, 2, 3, 4, 50, 51, 52, 53, 54]);
}

/// The bytes of a read, for scripts that read for themselves.
pub(crate) fn bytes_of(read: io::Result<Read>) -> (Vec<u8>, bool) {
    match read.unwrap() {
        Read::Data { bytes, more } => (bytes.to_vec(), more),
        other => panic!("expected bytes, not {other:?}"),
    }
}

/// Bytes there and back between two threads, each with a loop that sleeps when it can.
pub(crate) fn echo_between_threads(
    local: &Local,
    node: impl Fn(u32, Local) -> Node + Send + Sync,
    bytes: &[u8],
) {
    let (listening, ready) = std::sync::mpsc::channel();
    let world = |id| {
        let mut world = World::new(vec![node(id, local.clone())]);
        world.sleeps = true;
        world
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut world = world(0);
            let (listener, address) = world.listen(0, "");
            listening.send(address).unwrap();
            let (server, _) = world.accept(listener, 0);
            world.chans[server].echo = true;
            world.until("the echo is sent", |world| world.chans[server].shut);
            world.close(server, CloseMode::Orderly);
        });
        let mut world = world(1);
        let client = world.dial(0, &ready.recv().unwrap());
        world.until("connected", |world| world.chans[client].connected == Some(Ok(())));
        world.put(client, bytes);
        world.end(client);
        world.until("the end of the echo", |world| world.chans[client].ended);
        assert_eq!(world.chans[client].input, bytes);
    });
}

/// What happens to a connection in [`any_interleaving`].
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Put(usize),
    /// How much the reader asks for.
    Want(usize),
    Reading(bool),
    Turns(usize),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1usize..3_000).prop_map(Step::Put),
        (1usize..2_000).prop_map(Step::Want),
        any::<bool>().prop_map(Step::Reading),
        (1usize..6).prop_map(Step::Turns),
    ]
}

/// Both directions of one connection are used in any order. What was put arrives, whole and in
/// order, the end last; and no more than `limit` bytes lie between the two ends.
pub(crate) fn any_interleaving(mut world: World, limit: usize, steps: &[(bool, Step)]) {
    let (a, b) = world.connection(0, world.nodes.len() - 1);
    let between = |world: &World, from: usize, to: usize| {
        world.chans[from].sent.saturating_sub(world.chans[to].input.len())
    };
    for (salt, (side, step)) in steps.iter().enumerate() {
        let id = if *side { a } else { b };
        match step {
            Step::Put(n) => world.put(id, &pattern(*n, salt as u8)),
            Step::Want(n) => world.chans[id].want = *n,
            Step::Reading(on) => world.set_reading(id, *on),
            Step::Turns(n) => (0..*n).for_each(|_| world.turn()),
        }
        assert!(between(&world, a, b) <= limit && between(&world, b, a) <= limit);
    }
    // One end goes while the other still writes.
    world.end(a);
    world.set_reading(b, true);
    world.until("the first end", |world| world.chans[b].ended);
    assert!(world.chans[b].input == world.chans[a].output);
    world.put(b, b"after the end of the other direction");
    world.end(b);
    world.set_reading(a, true);
    world.until("the second end", |world| world.chans[a].ended);
    assert!(world.chans[a].input == world.chans[b].output);
    world.settle();
}
