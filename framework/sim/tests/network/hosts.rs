//! Hosts: pauses, restarts, full rings, and loops that never rest.

use fyke_sim::stack::Event;
use fyke_sim::stack::tcp::CloseReason;
use fyke_sim::{Application, BareContext, DropReason, LinkConfig, SimError, World};

use crate::support::*;

#[test]
fn a_paused_host_handles_nothing_and_then_goes_on() {
    let (world, server, client, _) = pair(1, LinkConfig::new().delay(ms(1)));
    let id = echo(&world, &client, "10.0.0.1:7", 10);
    server.pause();
    send(&client, id, &pattern(10));
    world.run_for(secs(5)).unwrap();
    assert_eq!(received(&client, id), 10);
    server.resume();
    world.run_for(ms(10)).unwrap();
    assert_eq!(received(&client, id), 20, "what waited was handled at once");
}

#[test]
fn the_ring_of_a_paused_host_is_bounded() {
    let world = World::new(2);
    let server = world.host("server").address("10.0.0.1/24").ring_frames(5);
    let server = server.start_silent().unwrap();
    let client = client_host(&world, "client", "10.0.0.2/24", None);
    world.link(&client, &server, LinkConfig::new()).unwrap();
    let id = client.with_stack(|stack, _| {
        stack.udp_bind("10.0.0.2:9".parse().unwrap(), Default::default()).unwrap()
    });
    let send_one = || {
        client.with_stack(|stack, now| {
            let to = Some("10.0.0.1:7".parse().unwrap());
            stack.udp_send(now, id, to, vec![1; 100].into()).unwrap();
        });
        world.run_for(ms(1)).unwrap();
    };
    send_one();
    server.pause();
    (0..12).for_each(|_| send_one());
    assert_eq!(world.drops_of(server.id())[DropReason::RingFull], 7);
}

#[test]
fn a_restarted_host_has_forgotten_and_says_so() {
    let (world, server, client, _) = pair(3, LinkConfig::new().delay(ms(1)));
    let id = echo(&world, &client, "10.0.0.1:7", 10);
    server.restart().unwrap();
    world.run_for(secs(1)).unwrap();
    assert_eq!(closed(&client, id), None, "nobody was told");
    send(&client, id, b"are you there?");
    world.run_for(secs(1)).unwrap();
    assert_eq!(closed(&client, id), Some(CloseReason::Reset));
}

/// Wants another turn at once, for ever.
struct Restless;

impl Application for Restless {
    fn event(&mut self, _: &mut BareContext<'_>, _: Event) {}

    fn wake(&mut self, cx: &mut BareContext<'_>) {
        cx.wake_at(cx.now());
    }
}

#[test]
fn a_host_that_turns_for_ever_is_named() {
    let world = World::new(4);
    world.set_turns_max(1000);
    let host = world.host("restless").start_bare(Restless).unwrap();
    world.run_for(secs(1)).unwrap();
    host.with(|_, cx| cx.wake_at(cx.now() + secs(5)));
    match world.run_for(secs(10)) {
        Err(SimError::Stall { host, at, turns }) => {
            assert_eq!((host.as_str(), at.as_nanos()), ("restless", 6_000_000_000));
            assert_eq!(turns, 1001);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn waiting_for_what_never_happens_ends() {
    let world = World::new(5);
    let error = world.run_while(|| true).unwrap_err();
    assert!(matches!(error, SimError::AtRest { .. }), "{error}");
    world.every(secs(1), |_| true);
    world.set_patience(secs(10));
    let error = world.run_while(|| true).unwrap_err();
    assert!(matches!(error, SimError::Patience { .. }), "{error}");
    assert!(matches!(world.run_until_idle(), Err(SimError::Patience { .. })));
}

#[test]
fn names_and_ports_are_taken_once() {
    let world = World::new(6);
    let one = world.host("one").start_silent().unwrap();
    let two = world.host("two").start_silent().unwrap();
    assert!(matches!(world.switch("one"), Err(SimError::NameTaken(_))));
    world.link(&one, &two, LinkConfig::new()).unwrap();
    let switch = world.switch("switch").unwrap();
    assert!(matches!(world.link(&one, &switch, LinkConfig::new()), Err(SimError::PortTaken(_))));
    assert!(matches!(world.host("x").address("10.0.0.1").start(), Err(SimError::Address(_))));
}

#[test]
fn scripts_go_on_at_their_times_and_may_let_time_pass() {
    let world = World::new(7);
    let times = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let mut left = 3;
    let log = std::rc::Rc::clone(&times);
    world.every(secs(2), move |world| {
        log.borrow_mut().push(world.now().as_nanos() / 1_000_000_000);
        left -= 1;
        left > 0
    });
    let log = std::rc::Rc::clone(&times);
    world.after(secs(3), move |world| {
        world.run_for(secs(2)).unwrap();
        log.borrow_mut().push(world.now().as_nanos() / 1_000_000_000 + 100);
    });
    world.run_until_idle().unwrap();
    assert_eq!(*times.borrow(), [2, 4, 105, 6]);
}
