//! Opening: where an embryo came from, who listens where, which address speaks.

use fyke_stack::tcp::{CloseReason, Event as TcpEvent, Flags, State};
use fyke_stack::{ConnectOptions, Event, ListenOptions};

use crate::frames::parse;
use crate::rig::{IRS, ISS, Rig, plain, syn};
use crate::world::{SERVER, World, addr, at};

/// MUST-11: a reset in SYN-RECEIVED refuses an active open, and of a passive one leaves nothing.
#[test]
fn syn_received_remembers_where_it_came_from() {
    let mut active = Rig::connect(plain());
    active.give(syn());
    active.seq = IRS + 1;
    active.poll();
    assert_eq!(active.connection.state(), State::SynReceived);
    active.give(active.segment(Flags::RST, 0, b""));
    assert_eq!(active.events(), [TcpEvent::Closed(CloseReason::Refused)]);
    let mut passive = Rig::accept(plain());
    passive.give(passive.segment(Flags::RST, 0, b""));
    assert_eq!(passive.connection.state(), State::Closed);
    assert_ne!(passive.events(), [TcpEvent::Closed(CloseReason::Refused)]);
    assert_ne!(ISS, IRS);
}

/// MUST-41, MUST-42: one port at several addresses, and a listener that comes later.
#[test]
fn listeners_of_one_port_do_not_disturb_each_other() {
    let mut world = World::new();
    world.server.stack.add_address(world.now, "10.0.0.3/24".parse().unwrap()).unwrap();
    let one = world.listen("10.0.0.2:80");
    let first = world.connect("10.0.0.2:80");
    world.settle();
    let accepted = world.server.stack.accept(one).unwrap();
    let two = world.listen("10.0.0.3:80");
    let six = world.listen("[2001:db8::2]:80");
    let any = world.listen("0.0.0.0:80");
    for (remote, listener) in
        [("10.0.0.3:80", two), ("[2001:db8::2]:80", six), ("10.0.0.2:80", one)]
    {
        world.connect(remote);
        world.settle();
        let id = world.server.stack.accept(listener).expect(remote);
        assert_eq!(world.server.stack.endpoints(id).unwrap().0, addr(remote));
    }
    assert_eq!(world.server.stack.accept(any), None);
    world.client.stack.write(world.now, first, "still here".into()).unwrap();
    world.settle();
    assert_eq!(world.server.read_all(world.now, accepted).0, b"still here");
}

/// MUST-43, MUST-44: a local address may be named; if it is not, the route's is taken. MUST-45: what
/// was called is what answers.
#[test]
fn the_local_address_is_the_named_the_routed_or_the_called_one() {
    let mut world = World::new();
    world.client.stack.add_address(world.now, "10.0.0.7/24".parse().unwrap()).unwrap();
    world.server.stack.add_address(world.now, "10.0.0.3/24".parse().unwrap()).unwrap();
    world.server.stack.listen(addr("0.0.0.0:80"), ListenOptions::default()).unwrap();
    let mut options = ConnectOptions::default();
    options.local = Some(addr("10.0.0.7:0"));
    let named = world.client.stack.connect(world.now, addr("10.0.0.3:80"), options).unwrap();
    world.settle();
    assert_eq!(world.client.take_events(), [Event::Connected(named)]);
    assert_eq!(parse(&world.client.sent[0]).source.ip(), addr("10.0.0.7:0").ip());
    assert_eq!(parse(&world.server.sent[0]).source, addr("10.0.0.3:80"));
    let routed = world.connect(&at(SERVER, 80));
    assert_eq!(world.client.stack.endpoints(routed).unwrap().0.ip(), addr("10.0.0.1:0").ip());
}
