//! Many seeds: each a network of its own, whose conditions and faults follow from it. Whatever
//! happens, every byte comes back in order, or the client is told that the connection is over.

use fyke::sim::{BurstLoss, LinkConfig, Random};

use crate::support::*;

/// One seed's story; the capture, so that two runs can be compared.
fn story(seed: u64) -> Vec<u8> {
    let mut random = Random::of(seed, "story");
    let config = LinkConfig::new()
        .delay(ms(random.below(80)))
        .jitter(ms(random.below(10)))
        .loss(random.unit() * 0.08)
        .reorder(random.unit() * 0.1)
        .duplicate(random.unit() * 0.05)
        .corrupt(random.unit() * 0.02)
        .queue_packets(5 + random.below(100) as usize)
        .rate(random.chance(0.7).then(|| 500_000 + random.below(20_000_000)))
        .burst_loss(random.chance(0.3).then(|| BurstLoss::new(0.03, 4.0)));
    let pair = pair(seed, config);
    let world = &pair.world;
    let capture = world.capture_in_memory().unwrap();
    let _server = serve(&pair.server);
    let log = Log::default();
    let Ok(channel) = bootstrap(&pair.client, &log).connect(SERVER).wait() else {
        return capture.bytes();
    };
    let total = 1 + random.below(60_000) as usize;
    say(&channel, pattern(total));
    for _ in 0..random.below(4) {
        world.run_for(ms(random.below(2000))).unwrap();
        match random.below(4) {
            0 => pair.server.pause(),
            1 => pair.link.set_up(false),
            2 => world.partition(&[pair.server.id()], &[pair.client.id()]).heal(),
            _ => pair.link.update_there(|config| config.mtu(1400)),
        }
        world.run_for(ms(random.below(3000))).unwrap();
        pair.server.resume();
        pair.link.set_up(true);
        pair.link.update_there(|config| config.mtu(1500));
    }
    world.run_while(|| log.len() < total && log.closed().is_none()).unwrap();
    let heard = log.bytes();
    assert!(pattern(total).starts_with(&heard), "seed {seed}: bytes that were not sent");
    assert!(heard.len() == total, "seed {seed}: {} of {total}: {:?}", heard.len(), log.closed());
    channel.close();
    let _ = channel.wait_closed();
    world.run_for(secs(1)).unwrap();
    world.end_capture().unwrap();
    capture.bytes()
}

#[test]
fn every_seed_ends_well() {
    let seeds = std::env::var("SIM_SEEDS").map_or(12, |n| n.parse().unwrap());
    for seed in 0..seeds {
        let result = std::panic::catch_unwind(|| story(seed));
        if let Err(panic) = result {
            eprintln!("seed {seed} failed");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn a_seed_replays_to_the_same_bytes() {
    for seed in [3, 5] {
        assert!(story(seed) == story(seed), "seed {seed}");
    }
}
