//! Forwarding: connections to any address, decided about at once or later.

mod userspace_support;

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fyke_core::{Address, Datagram, SocketOptions};
use fyke_stack::{Cidr, Route};
use fyke_transport::userspace::{Cable, CableOptions, Offer, StackOptions, Userspace};
use userspace_support::{Log, Server, World, kind_of, options, plain};

const SECOND: Duration = Duration::from_secs(1);

/// Everything that the client does not know goes over the gateway.
fn client() -> StackOptions {
    let any: Cidr = "0.0.0.0/0".parse().unwrap();
    options(1).route(Route::via(any, [10, 9, 0, 1].into()))
}

fn world(policy: impl Fn(Offer) + Send + Sync + 'static) -> (World, Server) {
    let cable = Cable::new();
    let gateway = Userspace::over(options(0).forward(policy), cable.left());
    let client = Userspace::over(client(), cable.right());
    let mut world = World::of(&[&gateway, &client]);
    let server = world.hosts[0].listen(&Offer::address().to_string(), plain(), true);
    (world, server)
}

#[test]
fn every_destination_is_decided_about() {
    let (mut world, server) = world(|offer| match offer.local().port() {
        80 => offer.accept(),
        81 => offer.reset(),
        _ => offer.ignore(),
    });
    let own = world.hosts[0].listen("0.0.0.0:90", plain(), true);
    let limit = plain().connect_timeout(10 * SECOND);
    let mut connect = |to: &str| {
        let answer = world.hosts[1].connect(&to.parse().unwrap(), limit.clone());
        world.pass(11 * SECOND);
        answer.try_recv().unwrap()
    };
    let peer = connect("192.0.2.7:80").unwrap();
    let accepted = server.accepted().unwrap();
    assert_eq!(accepted.channel.local_address(), Some(&"192.0.2.7:80".parse().unwrap()));
    assert_eq!(peer.channel.local_address(), accepted.address.as_ref());
    assert_eq!(kind_of(&connect("192.0.2.7:81").err().unwrap()), ErrorKind::ConnectionRefused);
    let silence = connect("192.0.2.7:82").err().unwrap();
    assert!(silence.is_timeout(), "{silence}");
    // Who listens is not passed by.
    connect("10.9.0.1:90").unwrap();
    assert!(own.accepted().is_some() && server.accepted().is_none());
    peer.send("through the gateway");
    world.pass(SECOND);
    assert_eq!(peer.log(), [Log::Bytes(b"through the gateway".to_vec())]);
}

#[test]
fn a_decision_may_come_late_and_repeated_syns_make_no_second_offer() {
    let offers: Arc<Mutex<Vec<Offer>>> = Arc::default();
    let kept = Arc::clone(&offers);
    let (mut world, server) = world(move |offer| kept.lock().unwrap().push(offer));
    let limit = plain().connect_timeout(60 * SECOND);
    let good = world.hosts[1].connect(&"198.51.100.1:443".parse().unwrap(), limit.clone());
    let bad = world.hosts[1].connect(&"198.51.100.2:443".parse().unwrap(), limit.clone());
    let unsure = world.hosts[1].connect(&"198.51.100.3:443".parse().unwrap(), limit);
    world.pass(20 * SECOND);
    let mut all = std::mem::take(&mut *offers.lock().unwrap());
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(good.try_recv().is_err() && bad.try_recv().is_err());
    all.sort_by_key(Offer::local);
    let [first, second, third] = <[Offer; 3]>::try_from(all).unwrap();
    // Elsewhere it turned out that one can be reached and another cannot.
    std::thread::spawn(move || {
        first.accept();
        second.reset();
    })
    .join()
    .unwrap();
    world.settle();
    good.try_recv().unwrap().unwrap();
    let local = server.accepted().unwrap().channel.local_address().cloned();
    assert_eq!(local, Some("198.51.100.1:443".parse().unwrap()));
    assert_eq!(kind_of(&bad.try_recv().unwrap().err().unwrap()), ErrorKind::ConnectionRefused);
    // Dropped, it is offered again with the next SYN.
    drop(third);
    world.pass(30 * SECOND);
    let again = offers.lock().unwrap().pop().unwrap();
    again.accept();
    world.pass(SECOND);
    unsure.try_recv().unwrap().unwrap();
}

#[test]
fn without_a_policy_there_is_nothing_to_listen_on() {
    let (mut world, _cable) = World::pair();
    let address = Offer::address().to_string();
    let error = world.hosts[0].try_listen(&address, plain(), false).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[test]
fn datagrams_to_any_address_are_answered_from_there() {
    let cable = Cable::new();
    let gateway = Userspace::over(options(0).forward_datagrams(), cable.left());
    let client = Userspace::over(client(), cable.right());
    let mut world = World::of(&[&gateway, &client]);
    let forward = Offer::address().to_string();
    let everything = world.hosts[0].datagram_echo(&forward).unwrap();
    assert_eq!(everything.address, Some(Offer::address()));
    let second = world.hosts[0].datagram_echo(&forward).err().unwrap();
    assert_eq!(kind_of(&second), ErrorKind::AddrInUse);
    // An endpoint of its own port is not passed by.
    let own = world.hosts[0].datagram(Some("0.0.0.0:99"), None, SocketOptions::new()).unwrap();
    for to in ["192.0.2.9:53", "198.51.100.1:53", "192.0.2.9:54", "10.9.0.1:55"] {
        let to: Address = to.parse().unwrap();
        let end = world.hosts[1].datagram(None, Some(&to), SocketOptions::new()).unwrap();
        for text in ["one", "two"] {
            end.post(Datagram::connected(text));
            world.pass(SECOND);
            // A connected endpoint hears its peer only.
            let answer = Log::Datagram(to.clone(), text.into(), false);
            assert_eq!(end.log(), [answer], "{to}");
        }
    }
    let end = world.hosts[1].datagram(None, None, SocketOptions::new()).unwrap();
    end.post(Datagram::to("192.0.2.9:99".parse().unwrap(), "mine"));
    world.pass(SECOND);
    assert_eq!(own.log().len(), 1);
    // When nobody wants them any more they are dropped; the port is free for the next one.
    everything.channel.close();
    world.pass(SECOND);
    end.post(Datagram::to("192.0.2.9:53".parse().unwrap(), "anybody?"));
    world.pass(SECOND);
    assert_eq!(end.log(), []);
    world.hosts[0].datagram_echo(&forward).unwrap();
}

#[test]
fn an_answer_leaves_from_the_address_that_was_asked() {
    let two = options(0).address("10.9.0.200/24".parse().unwrap());
    let cable = Cable::new();
    let server = Userspace::over(two, cable.left());
    let client = Userspace::over(client(), cable.right());
    let mut world = World::of(&[&server, &client]);
    let _echo = world.hosts[0].datagram_echo("0.0.0.0:7").unwrap();
    for to in ["10.9.0.1:7", "10.9.0.200:7"] {
        let to: Address = to.parse().unwrap();
        let end = world.hosts[1].datagram(None, Some(&to), SocketOptions::new()).unwrap();
        end.post(Datagram::connected("who are you?"));
        world.pass(SECOND);
        assert_eq!(end.log(), [Log::Datagram(to, b"who are you?".to_vec(), false)]);
    }
}

#[test]
fn without_leave_no_stray_datagrams_are_heard() {
    let (mut world, _cable) = World::pair();
    let error = world.hosts[0].datagram_echo(&Offer::address().to_string()).err().unwrap();
    assert_eq!(kind_of(&error), ErrorKind::Unsupported, "{error}");
}

#[test]
fn several_loops_forward_together() {
    let cable = CableOptions::new().queues(2, 1).build();
    let forward = options(0).forward(Offer::accept).forward_datagrams();
    let gateway = Userspace::over(forward, cable.left()).loops(2);
    let client = Userspace::over(client(), cable.right());
    let mut world = World::of(&[&gateway, &gateway, &client]);
    let address = Offer::address().to_string();
    let servers: Vec<Server> =
        (0..2).map(|host| world.hosts[host].listen(&address, plain(), true)).collect();
    let _echo: Vec<_> =
        (0..2).map(|host| world.hosts[host].datagram_echo(&address).unwrap()).collect();
    for n in 1..30 {
        let to: Address = format!("192.0.2.{n}:{n}").parse().unwrap();
        let answer = world.hosts[2].connect(&to, plain());
        world.pass(SECOND);
        let client = answer.try_recv().unwrap().unwrap();
        client.send("over one of them");
        let end = world.hosts[2].datagram(None, Some(&to), SocketOptions::new()).unwrap();
        end.post(Datagram::connected("and this"));
        world.pass(SECOND);
        assert_eq!(client.log(), [Log::Bytes(b"over one of them".to_vec())]);
        assert_eq!(end.log(), [Log::Datagram(to, b"and this".to_vec(), false)]);
    }
    let each = servers.iter().map(|server| std::iter::from_fn(|| server.accepted()).count());
    assert!(each.clone().all(|count| count > 3), "{:?}", each.collect::<Vec<_>>());
}
