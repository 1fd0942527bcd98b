//! What networks do to servers and clients.

use fyke::sim::{DropReason, LinkConfig, NatConfig, NatUnknown, World};
use fyke::{Channel, ChannelOptions, CloseReason};

use crate::support::*;

#[test]
fn every_byte_comes_back_whatever_the_link_does() {
    let bad = LinkConfig::new()
        .delay(ms(20))
        .jitter(ms(4))
        .loss(0.02)
        .reorder(0.05)
        .duplicate(0.03)
        .corrupt(0.01);
    let pair = pair(1, bad);
    let _server = serve(&pair.server);
    // It reads while it writes: a client and an echo that both wait for the other to read would
    // wait for ever.
    let log = Log::default();
    let greedy =
        bootstrap(&pair.client, &log).options(ChannelOptions::new().pause_when_unwritable(false));
    let channel = greedy.connect(SERVER).wait().unwrap();
    say(&channel, pattern(500_000));
    pair.world.run_while(|| log.len() < 500_000).unwrap();
    assert!(log.bytes() == pattern(500_000));
    assert!(pair.link.there().drops.total() > 5);
}

#[test]
fn a_partition_is_lived_through() {
    let pair = pair(2, LinkConfig::new().delay(ms(20)));
    let _server = serve(&pair.server);
    let (channel, log) = connect(&pair.client, SERVER);
    say(&channel, pattern(10));
    pair.world.run_while(|| log.len() < 10).unwrap();
    let partition = pair.world.partition(&[pair.client.id()], &[pair.server.id()]);
    say(&channel, pattern(1000));
    pair.world.run_for(secs(30)).unwrap();
    assert_eq!((log.len(), log.closed()), (10, None));
    partition.heal();
    pair.world.run_while(|| log.len() < 1010).unwrap();
    assert!(pair.world.drops()[DropReason::Partition] >= 5);
}

#[test]
fn a_restarted_server_resets_and_is_found_again() {
    let pair = pair(3, LinkConfig::new().delay(ms(20)));
    let server = serve(&pair.server);
    let (channel, log) = connect(&pair.client, SERVER);
    say(&channel, pattern(10));
    pair.world.run_while(|| log.len() < 10).unwrap();
    // What was received is acknowledged by then.
    pair.world.run_for(secs(1)).unwrap();
    let old = pair.server.event_loop();
    pair.server.restart().unwrap();
    assert!(old.has_ended());
    drop(server);
    pair.world.run_for(secs(5)).unwrap();
    assert_eq!(log.closed(), None, "nobody told the client");
    say(&channel, pattern(10));
    assert_eq!(channel.wait_closed(), CloseReason::PeerReset);
    let _server = serve(&pair.server);
    let (channel, log) = connect(&pair.client, SERVER);
    say(&channel, pattern(10));
    pair.world.run_while(|| log.len() < 10).unwrap();
    assert_eq!(pair.server.starts(), 2);
}

#[test]
fn a_paused_server_answers_late() {
    let pair = pair(4, LinkConfig::new().delay(ms(20)));
    let _server = serve(&pair.server);
    let (channel, log) = connect(&pair.client, SERVER);
    pair.server.pause();
    say(&channel, pattern(10));
    pair.world.run_for(secs(3)).unwrap();
    assert_eq!(log.len(), 0);
    pair.server.resume();
    pair.world.run_for(ms(50)).unwrap();
    assert_eq!(log.len(), 10);
}

fn talk_every(world: &World, channel: &Channel, every: std::time::Duration, times: usize) {
    for _ in 0..times {
        world.run_for(every).unwrap();
        say(channel, vec![1]);
    }
}

#[test]
fn an_idle_connection_loses_its_mapping_and_a_talking_one_does_not() {
    for (unknown, reset) in [(NatUnknown::Drop, false), (NatUnknown::Reset, true)] {
        let config = NatConfig::new().tcp_timeout(secs(60)).unknown(unknown);
        let Home { world, server, client, .. } = behind_nat(5, config, LinkConfig::new());
        let _server = serve(&server);
        let (channel, log) = connect(&client, "203.0.113.2:7000");
        talk_every(&world, &channel, secs(50), 6);
        world.run_for(secs(1)).unwrap();
        assert_eq!(log.len(), 6, "five minutes with something said in each");
        world.run_for(secs(61)).unwrap();
        say(&channel, vec![1]);
        world.run_for(secs(10)).unwrap();
        assert_eq!(log.len(), 6, "what is said after a minute of silence is lost");
        assert_eq!(log.closed(), reset.then_some(CloseReason::PeerReset));
    }
}

#[test]
fn virtual_time_is_what_handlers_see() {
    use fyke::prelude::*;
    use fyke::sim::HostExt;

    struct Clock;
    impl InboundHandler for Clock {
        type In = ByteBuf;
        type Out = Never;
        type Write = Outgoing;
        fn read(&mut self, cx: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
            cx.schedule(secs(3600), 7);
            Ok(())
        }
        fn timer(&mut self, cx: &mut Context<'_, Self>, _: u64) -> Result<()> {
            let unix = cx.env().unix_time().as_secs();
            let random = cx.env().random();
            cx.write(Outgoing::from(format!("{unix} {random}").into_bytes()));
            Ok(())
        }
    }
    let answer = |seed| {
        let world = World::at(seed, secs(784_111_777));
        let server = world.host("server").address("10.0.0.1/24").start().unwrap();
        let client = world.host("client").address("10.0.0.2/24").start().unwrap();
        world.link(&client, &server, LinkConfig::new()).unwrap();
        let _server = ServerBootstrap::new(server.group())
            .transport(server.transport())
            .child(|ch| ch.pipeline().inbound("clock", Clock))
            .bind(SERVER)
            .unwrap();
        let (channel, log) = connect(&client, SERVER);
        say(&channel, vec![1]);
        world.run_while(|| log.len() == 0).unwrap();
        String::from_utf8(log.bytes()).unwrap()
    };
    let first = answer(6);
    assert!(first.starts_with("784115377 "), "{first}");
    assert_eq!(first, answer(6), "the same seed, the same randomness");
    assert_ne!(first, answer(7));
}
