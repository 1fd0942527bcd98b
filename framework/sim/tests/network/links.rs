//! Links: every condition, by what the counters and the clock say.

use fyke_sim::{BurstLoss, DropReason, LinkConfig, World};

use crate::support::*;

#[test]
fn a_round_trip_takes_twice_the_delay() {
    let (world, _server, client, _) = pair(1, LinkConfig::new().delay(ms(30)));
    let id = connect(&client, "10.0.0.1:7");
    // Both hosts announce themselves when they start, so that ARP takes half a round trip.
    world.run_for(ms(89)).unwrap();
    assert!(!client.with(|talker, _| talker.line(id).connected));
    world.run_for(ms(2)).unwrap();
    assert!(client.with(|talker, _| talker.line(id).connected));
}

#[test]
fn a_rate_is_kept_and_a_full_queue_drops() {
    let config = LinkConfig::new().delay(ms(5)).rate_mbit(8.0).queue_packets(20);
    let (world, _server, client, link) = pair(2, config);
    let began = world.now();
    echo(&world, &client, "10.0.0.1:7", 2_000_000);
    let took = (world.now() - began).as_secs_f64();
    // A megabyte a second, and headers.
    assert!((2.0..3.5).contains(&took), "{took} s for two megabytes at eight megabits a second");
    let there = link.there();
    assert!(there.drops[DropReason::QueueFull] > 0, "{there:?}");
    assert_eq!(there.queue_packets_peak, 20);
    assert_eq!(there.offered, there.carried + there.drops.total());
}

#[test]
fn data_survives_every_impairment_at_once() {
    let mut sums = [0; 5];
    for seed in 0..20 {
        let config = LinkConfig::new()
            .delay(ms(10))
            .jitter(ms(3))
            .loss(0.02)
            .burst_loss(Some(BurstLoss::new(0.01, 3.0)))
            .reorder(0.05)
            .duplicate(0.02)
            .corrupt(0.01);
        let (world, _server, client, link) = pair(seed, config);
        echo(&world, &client, "10.0.0.1:7", 300_000);
        let (there, back) = (link.there(), link.back());
        for counters in [there, back] {
            let lost = [DropReason::Loss, DropReason::BurstLoss].map(|why| counters.drops[why]);
            let told = [counters.duplicated, counters.corrupted, counters.reordered];
            let all = told.into_iter().chain(lost);
            sums.iter_mut().zip(all).for_each(|(sum, more)| *sum += more);
        }
    }
    assert!(sums.iter().all(|sum| *sum > 20), "{sums:?}");
}

#[test]
fn bursts_are_as_long_and_as_frequent_as_asked() {
    // Straight through a direction: an endless stream of datagrams.
    let config = LinkConfig::new().burst_loss(Some(BurstLoss::new(0.1, 5.0)));
    let (world, _server, client, link) = pair(3, config);
    let id = client.with_stack(|stack, _| {
        stack.udp_bind("10.0.0.2:9".parse().unwrap(), Default::default()).unwrap()
    });
    for n in 0..20_000_u32 {
        client.with_stack(|stack, now| {
            let to = Some("10.0.0.1:7".parse().unwrap());
            let _ = stack.udp_send(now, id, to, n.to_be_bytes().to_vec().into());
        });
        world.run_for(ms(1)).unwrap();
    }
    let lost = link.there().drops[DropReason::BurstLoss] as f64 / link.there().offered as f64;
    assert!((0.08..0.12).contains(&lost), "{lost}");
    // Mean length of a run of losses, by the numbers that came back over a link that loses as well:
    // what matters is that it is far from that of independent losses (1.1).
    let mut seen: Vec<u32> = client.with(|talker, _| {
        let numbers = talker.datagrams.iter();
        numbers.map(|(_, _, bytes)| u32::from_be_bytes(bytes[..4].try_into().unwrap())).collect()
    });
    seen.sort_unstable();
    let gaps: Vec<u32> =
        seen.windows(2).map(|pair| pair[1] - pair[0] - 1).filter(|gap| *gap > 0).collect();
    let mean = f64::from(gaps.iter().sum::<u32>()) / gaps.len() as f64;
    assert!((3.5..7.5).contains(&mean), "{mean}");
}

#[test]
fn one_direction_can_be_worse_than_the_other_and_can_change() {
    let world = World::new(4);
    let server = echo_host(&world, "server", "10.0.0.1/24", None);
    let client = client_host(&world, "client", "10.0.0.2/24", None);
    let (there, back) = (LinkConfig::new().delay(ms(10)), LinkConfig::new().delay(ms(40)));
    let link = world.link_with(&client, &server, there, back).unwrap();
    echo(&world, &client, "10.0.0.1:7", 10);
    assert_eq!(link.there().drops.total(), 0);
    link.update_there(|config| config.loss(1.0));
    let id = connect(&client, "10.0.0.1:7");
    world.run_for(secs(2)).unwrap();
    assert!(!client.with(|talker, _| talker.line(id).connected));
    assert!(link.there().drops[DropReason::Loss] >= 2, "the SYN, and once more");
    assert_eq!(link.back().drops.total(), 0);
    link.update_there(|config| config.loss(0.0));
    world.run_for(secs(10)).unwrap();
    assert!(client.with(|talker, _| talker.line(id).connected), "the next SYN got through");
}

#[test]
fn frames_longer_than_the_link_vanish() {
    let (world, _server, client, link) = pair(5, LinkConfig::new().mtu(1400));
    let id = connect(&client, "10.0.0.1:7");
    send(&client, id, &pattern(10_000));
    world.run_for(secs(1)).unwrap();
    assert!(link.there().drops[DropReason::Mtu] > 0);
    assert!(received(&client, id) < 10_000);
}

#[test]
fn a_link_that_is_down_carries_nothing() {
    let (world, _server, client, link) = pair(6, LinkConfig::new().delay(ms(1)));
    let id = echo(&world, &client, "10.0.0.1:7", 1000);
    link.set_up(false);
    send(&client, id, &pattern(1000));
    world.run_for(secs(5)).unwrap();
    assert_eq!(received(&client, id), 1000);
    assert!(link.there().drops[DropReason::LinkDown] > 2);
    link.set_up(true);
    await_bytes(&world, &client, id, 2000).unwrap();
}

#[test]
fn what_is_under_way_is_bounded() {
    let config = LinkConfig::new().delay(secs(10)).in_flight_packets(8);
    let (world, _server, client, link) = pair(7, config);
    let id = client.with_stack(|stack, now| {
        stack.set_neighbor(now, "10.0.0.1".parse().unwrap(), [2, 0, 0, 0, 0, 0].into());
        stack.udp_bind("10.0.0.2:9".parse().unwrap(), Default::default()).unwrap()
    });
    for _ in 0..20 {
        client.with_stack(|stack, now| {
            let to = Some("10.0.0.1:7".parse().unwrap());
            stack.udp_send(now, id, to, vec![1; 100].into()).unwrap();
        });
        world.run_for(ms(1)).unwrap();
    }
    let there = link.there();
    assert_eq!(there.carried, 8, "{there:?}");
    assert_eq!(there.drops[DropReason::InFlightLimit], there.offered - 8, "{there:?}");
}

#[test]
fn a_link_more_does_not_change_another_ones_chance() {
    let run = |with_more: bool| {
        let world = World::new(8);
        let server = echo_host(&world, "server", "10.0.0.1/24", None);
        let client = client_host(&world, "client", "10.0.0.2/24", None);
        if with_more {
            let one = client_host(&world, "one", "10.9.0.1/24", None);
            let other = echo_host(&world, "other", "10.9.0.2/24", None);
            world.link(&one, &other, LinkConfig::new().loss(0.5)).unwrap();
            let id = connect(&one, "10.9.0.2:7");
            send(&one, id, &pattern(100_000));
        }
        let config = LinkConfig::new().delay(ms(10)).loss(0.1).duplicate(0.1);
        let link = world.link(&client, &server, config).unwrap();
        let id = connect(&client, "10.0.0.1:7");
        send(&client, id, &pattern(100_000));
        world.run_for(secs(60)).unwrap();
        (link.there(), link.back())
    };
    assert_eq!(run(false), run(true));
}
