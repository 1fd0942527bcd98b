//! Calls that block let virtual time pass, and end when they never could.

use std::io::ErrorKind;

use fyke::prelude::*;
use fyke::sim::{HostExt, LinkConfig, SimError, World};
use fyke::{CloseReason, EventLoopGroup};

use crate::support::*;

#[test]
fn bind_connect_write_close_and_shutdown() {
    let pair = pair(1, LinkConfig::new().delay(ms(50)));
    let server = serve(&pair.server);
    assert_eq!(pair.world.now().as_nanos(), 0, "a bind takes no time");
    let (channel, log) = connect(&pair.client, SERVER);
    let connected = pair.world.now();
    assert!(connected.as_nanos() >= 100_000_000, "{connected}: a round trip at least");
    let kept = channel.sender().unwrap().send_with_promise(Outgoing::from("hello")).unwrap();
    kept.wait().unwrap();
    pair.world.run_while(|| log.len() < 5).unwrap();
    assert_eq!(pair.world.now() - connected, ms(100));
    channel.close();
    assert_eq!(channel.wait_closed(), CloseReason::Local);
    let report = server.shutdown(secs(5));
    assert_eq!(report.cut, 0);
    assert!(pair.server.event_loop().has_ended());
}

#[test]
fn a_connect_to_nobody_takes_as_long_as_it_would() {
    let pair = pair(2, LinkConfig::new().delay(ms(10)));
    let error = bootstrap(&pair.client, &Log::default()).connect(SERVER).wait().unwrap_err();
    assert!(
        matches!(error.kind(), fyke::ErrorKind::Io(e) if e.kind() == ErrorKind::ConnectionRefused)
    );
    assert!(pair.world.now().as_nanos() < 1_000_000_000);
    pair.link.set_up(false);
    let before = pair.world.now();
    let error = bootstrap(&pair.client, &Log::default())
        .options(ChannelOptions::new().connect_timeout(secs(2)))
        .connect(SERVER)
        .wait()
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(pair.world.now() - before, secs(2));
    // Whoever waits longer learns that the neighbour is gone.
    let error = bootstrap(&pair.client, &Log::default()).connect(SERVER).wait().unwrap_err();
    assert!(
        matches!(error.kind(), fyke::ErrorKind::Io(e) if e.kind() == ErrorKind::HostUnreachable),
        "{error}"
    );
    assert!(pair.world.now() - before < secs(30));
}

#[test]
fn a_wait_that_can_never_end_is_an_error() {
    let pair = pair(3, LinkConfig::new().delay(ms(10)));
    let _server = serve(&pair.server);
    pair.client.pause();
    pair.world.set_patience(secs(60));
    let error = bootstrap(&pair.client, &Log::default()).connect(SERVER).wait().unwrap_err();
    let fyke::ErrorKind::Io(error) = error.kind() else { panic!("{error}") };
    assert!(matches!(error.kind(), ErrorKind::Deadlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn a_group_of_a_host_does_not_end_it() {
    let pair = pair(4, LinkConfig::new());
    drop(pair.server.group());
    let server = serve(&pair.server);
    let (channel, log) = connect(&pair.client, SERVER);
    drop(server);
    say(&channel, b"still".to_vec());
    pair.world.run_while(|| log.len() < 5).unwrap();
    assert!(!pair.server.event_loop().has_ended());
    assert_eq!(pair.server.group().stats()[0].accepted, 1);
    assert!(EventLoopGroup::of_loops(Vec::new()).is_err());
}

#[test]
fn a_transport_is_for_its_own_host() {
    let pair = pair(5, LinkConfig::new());
    let error = ServerBootstrap::new(pair.client.group())
        .transport(pair.server.transport())
        .child(|ch| ch.pipeline().inbound("echo", Echo))
        .bind(SERVER)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

/// A handler that never rests: each turn asks for another.
#[test]
fn a_loop_that_turns_for_ever_is_named() {
    let world = World::new(6);
    world.set_turns_max(500);
    let host = world.host("spinner").start().unwrap();
    fn again(core: &mut fyke::LoopCore) {
        let handle = core.handle();
        handle.execute(again).unwrap();
    }
    host.event_loop().execute(again).unwrap();
    match world.run_for(secs(1)) {
        Err(SimError::Stall { host, .. }) => assert_eq!(host, "spinner"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn blocking_on_the_loop_itself_is_an_error() {
    let pair = pair(7, LinkConfig::new());
    let (sender, receiver) = std::sync::mpsc::channel();
    let client = bootstrap(&pair.client, &Log::default());
    pair.server
        .event_loop()
        .execute(move |_| sender.send(client.connect(SERVER).wait().is_err()).unwrap())
        .unwrap();
    pair.world.run_for(secs(1)).unwrap();
    assert_eq!(receiver.try_recv(), Ok(true));
}
